//! What the orphan sweep asks the ledger.

use std::collections::BTreeMap;

use cigri_core::state::JobState;
use cigri_core::sweep::Known;
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::{job, remote_job, submission};
use crate::{Result, Store, StoreError};

impl Store {
    /// What the ledger knows of the submissions of these names; the others are missing in the answer. Whatever
    /// cluster they went to: two of our names may stand for one scheduler.
    pub fn known_submissions(&self, names: &[String]) -> Result<BTreeMap<String, Known>> {
        self.read(|connection| {
            let mut known = BTreeMap::new();
            for name in names {
                let row: Option<(i64, String, i64)> = submission::table
                    .filter(submission::name.eq(name))
                    .select((submission::id, submission::state, submission::changed_at))
                    .first(connection)
                    .optional()?;
                if let Some((id, state, changed_at)) = row {
                    let state = state.parse().map_err(StoreError::corrupt)?;
                    known.insert(name.clone(), Known { state, changed_at, jobs: jobs(connection, id)? });
                }
            }
            Ok(known)
        })
    }

    /// Whether the ledger still follows a job of the submission that had this remote id before OAR submitted it again;
    /// `None` if none had.
    pub fn followed_from(&self, name: &str, remote_id: i64) -> Result<Option<bool>> {
        self.read(|connection| {
            let state: Option<String> = remote_job::table
                .inner_join(job::table.on(job::id.eq(remote_job::job_id)))
                .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
                .filter(submission::name.eq(name))
                .filter(remote_job::remote_id.eq(remote_id))
                .select(job::state)
                .first(connection)
                .optional()?;
            state.map(|state| is_live(&state)).transpose()
        })
    }

    /// Everybody who ever had a submission on a cluster: our login, and theirs there.
    pub fn submitters(&self, cluster: &str) -> Result<Vec<(String, String)>> {
        self.read(|connection| {
            Ok(submission::table
                .filter(submission::cluster.eq(cluster))
                .select((submission::owner, submission::remote_user))
                .distinct()
                .order((submission::owner, submission::remote_user))
                .load(connection)?)
        })
    }
}

/// Remote ids of a submission's jobs, and whether they are live.
fn jobs(connection: &mut Database, submission_id: i64) -> Result<BTreeMap<u64, bool>> {
    let rows: Vec<(Option<i64>, String)> = job::table
        .filter(job::submission_id.eq(submission_id))
        .filter(job::remote_id.is_not_null())
        .select((job::remote_id, job::state))
        .distinct()
        .load(connection)?;
    let mut known = BTreeMap::new();
    for (id, state) in rows.into_iter().filter_map(|(id, state)| Some((id? as u64, state))) {
        // Tasks of a group share their remote job: it lives while one of them does.
        *known.entry(id).or_insert(false) |= is_live(&state)?;
    }
    Ok(known)
}

fn is_live(state: &str) -> Result<bool> {
    Ok(state.parse::<JobState>().map_err(StoreError::corrupt)?.is_live())
}
