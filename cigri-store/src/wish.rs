//! What owners want of single jobs, until the cluster shows them dead.

use std::collections::HashMap;

use cigri_core::state::{JobState, Wish};
use diesel::prelude::*;

use crate::job::LOOKUPS;
use crate::schema::{job, submission};
use crate::{Result, Store, StoreError};

impl Store {
    /// Notes what is wanted of a live job; its cluster's rounds carry it out, at whatever moment of its submission.
    pub fn wish(&self, job_id: i64, wish: Wish) -> Result<()> {
        self.write(|connection| {
            let state: Option<String> = job::table.find(job_id).select(job::state).first(connection).optional()?;
            let state = state.ok_or_else(|| StoreError::Missing(format!("job {job_id}")))?;
            let state: JobState = state.parse().map_err(StoreError::corrupt)?;
            if !state.is_live() {
                return Err(StoreError::Conflict(format!("job {job_id} has ended already ({state})")));
            }
            diesel::update(job::table.find(job_id)).set(job::wish.eq(Some(wish.as_str()))).execute(connection)?;
            Ok(())
        })
    }

    /// How many other live jobs are tasks of the same remote job, and go with it.
    pub fn neighbours(&self, job_id: i64) -> Result<i64> {
        let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
        self.read(|connection| {
            let (submission_id, array_index): (i64, i64) =
                job::table.find(job_id).select((job::submission_id, job::array_index)).first(connection)?;
            Ok(job::table
                .filter(job::submission_id.eq(submission_id))
                .filter(job::array_index.eq(array_index))
                .filter(job::id.ne(job_id))
                .filter(job::state.eq_any(live))
                .count()
                .get_result(connection)?)
        })
    }

    /// Notes the same for every live job of a submission that nothing was asked for.
    pub fn wish_all(&self, submission_id: i64, wish: Wish) -> Result<()> {
        let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
        self.write(|connection| {
            diesel::update(job::table.filter(job::submission_id.eq(submission_id)))
                .filter(job::state.eq_any(live))
                .filter(job::wish.is_null())
                .set(job::wish.eq(Some(wish.as_str())))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Notes it for at most `most` jobs of a submission that were not seen running, and that nothing was asked for;
    /// returns how many.
    pub fn wish_waiting(&self, submission_id: i64, wish: Wish, most: i64) -> Result<i64> {
        self.write(|connection| {
            let waiting: Vec<i64> = job::table
                .filter(job::submission_id.eq(submission_id))
                .filter(job::state.eq(JobState::Submitted.as_str()))
                .filter(job::wish.is_null())
                .select(job::id)
                .order(job::id)
                .limit(most)
                .load(connection)?;
            let changed = diesel::update(job::table.filter(job::id.eq_any(waiting)))
                .set(job::wish.eq(Some(wish.as_str())))
                .execute(connection)?;
            Ok(changed as i64)
        })
    }

    /// Notes it for those of these jobs that live and that nothing was asked for; returns which.
    pub fn wish_jobs(&self, ids: &[i64], wish: Wish) -> Result<Vec<i64>> {
        let live = || JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
        self.write(|connection| {
            let mut wished = Vec::new();
            for some in ids.chunks(LOOKUPS) {
                let free: Vec<i64> = job::table
                    .filter(job::id.eq_any(some.to_vec()))
                    .filter(job::state.eq_any(live()))
                    .filter(job::wish.is_null())
                    .select(job::id)
                    .order(job::id)
                    .load(connection)?;
                diesel::update(job::table.filter(job::id.eq_any(free.clone())))
                    .set(job::wish.eq(Some(wish.as_str())))
                    .execute(connection)?;
                wished.extend(free);
            }
            Ok(wished)
        })
    }

    /// Remote jobs on a cluster that were not seen running and that somebody wants dead: how many, by submission.
    pub fn wished_waiting(&self, cluster: &str) -> Result<HashMap<i64, i64>> {
        self.read(|connection| {
            let found: Vec<(i64, i64)> = job::table
                .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
                .filter(submission::cluster.eq(cluster))
                .filter(job::state.eq(JobState::Submitted.as_str()))
                .filter(job::wish.is_not_null())
                .group_by(job::submission_id)
                // The tasks of a group are one remote job.
                .select((job::submission_id, diesel::dsl::count(job::array_index).aggregate_distinct()))
                .load(connection)?;
            Ok(found.into_iter().collect())
        })
    }

    /// Submissions on a cluster with live jobs that somebody wants dead.
    pub fn wished_submissions(&self, cluster: &str) -> Result<Vec<i64>> {
        let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
        self.read(|connection| {
            Ok(job::table
                .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
                .filter(job::wish.is_not_null())
                .filter(job::state.eq_any(live))
                .filter(submission::cluster.eq(cluster))
                .select(job::submission_id)
                .distinct()
                .load(connection)?)
        })
    }
}
