//! How many of our jobs each cluster has, for people who look.

use std::collections::BTreeMap;

use cigri_core::state::JobState;
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::{job, submission};
use crate::{Result, Store};

/// Our remote jobs on a cluster that have not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LiveJobs {
    /// Launching, in doubt, held or waiting.
    pub waiting: u64,
    /// All of them.
    pub live: u64,
}

impl Store {
    /// The clusters that have any.
    pub fn live_by_cluster(&self) -> Result<BTreeMap<String, LiveJobs>> {
        self.read(|connection| {
            let (live, waits): (Vec<_>, Vec<_>) = (states(JobState::is_live), states(waits));
            let waiting = count(connection, &waits)?;
            let counts = count(connection, &live)?.into_iter().map(|(cluster, live)| {
                let waiting = waiting.get(&cluster).copied().unwrap_or_default();
                (cluster, LiveJobs { waiting, live })
            });
            Ok(counts.collect())
        })
    }
}

fn waits(state: JobState) -> bool {
    state.is_live() && state != JobState::Running
}

fn states(wanted: impl Fn(JobState) -> bool) -> Vec<&'static str> {
    JobState::ALL.iter().filter(|state| wanted(**state)).map(|state| state.as_str()).collect()
}

fn count(connection: &mut Database, states: &[&str]) -> Result<BTreeMap<String, u64>> {
    let found: Vec<(String, i64)> = submission::table
        .inner_join(job::table.on(job::submission_id.eq(submission::id)))
        .filter(submission::state.eq_any(["intent", "unknown", "submitted", "open"]))
        .filter(job::state.eq_any(states))
        // One row for each remote job: those of a group change their state together.
        .filter(job::slot.eq(0))
        .group_by(submission::cluster)
        .select((submission::cluster, diesel::dsl::count_star()))
        .load(connection)?;
    Ok(found.into_iter().map(|(cluster, number)| (cluster, number.max(0) as u64)).collect())
}
