//! What is kept of attempts that failed.

use cigri_core::failure::{Class, Failure};
use cigri_core::state::JobState;
use diesel::prelude::*;

use crate::connection::Database;
use crate::job::JobEnd;
use crate::schema::{failure, job};
use crate::{Result, StoreError, bulk, submission::SubmissionRow};

/// Writes down the failures among the ends of a submission's jobs.
pub(crate) fn record(connection: &mut Database, seen: &SubmissionRow, ends: &[JobEnd], now: i64) -> Result<()> {
    let found: Vec<(&JobEnd, &Failure)> = ends.iter().filter_map(|end| Some((end, end.failure.as_ref()?))).collect();
    match found.as_slice() {
        [] => Ok(()),
        found => bulk::insert_failures(connection, seen, (found, now)),
    }
}

/// The failures of these tasks that were not final: index, generation and class. Attempts that ended before failures
/// were kept are known by their cause.
pub(crate) fn of_tasks(connection: &mut Database, campaign: i64, tasks: &[i64]) -> Result<Vec<(i64, i32, Class)>> {
    let found: Vec<(i64, i32, Option<String>, Option<String>)> = job::table
        .left_join(failure::table.on(failure::job_id.eq(job::id)))
        .filter(job::campaign_id.eq(campaign))
        .filter(job::task_index.eq_any(tasks.to_vec()))
        .filter(job::state.eq(JobState::Killed.as_str()))
        .select((job::task_index, job::generation, failure::class.nullable(), job::cause))
        .load(connection)?;
    let mut all = Vec::with_capacity(found.len());
    for (index, generation, class, cause) in found {
        let class = match class {
            Some(word) => Some(word.parse().map_err(StoreError::corrupt)?),
            None => cause.as_deref().and_then(class_of_cause),
        };
        all.extend(class.map(|class| (index, generation, class)));
    }
    Ok(all)
}

fn class_of_cause(cause: &str) -> Option<Class> {
    match cause {
        "walltime" => Some(Class::Walltime),
        "person_kill" => Some(Class::PersonKill),
        "infrastructure" => Some(Class::Node),
        "asked_retry" | "asked_retry_last" => Some(Class::Asked),
        _ => None,
    }
}
