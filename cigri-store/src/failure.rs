//! What is kept of attempts that failed.

use cigri_core::failure::Class;
use cigri_core::state::JobState;
use diesel::prelude::*;

use crate::connection::{Database, storable};
use crate::job::JobEnd;
use crate::schema::{failure, job};
use crate::{Result, StoreError, submission::SubmissionRow};

/// Writes down the failures among the ends of a submission's jobs.
pub(crate) fn record(connection: &mut Database, seen: &SubmissionRow, ends: &[JobEnd], now: i64) -> Result<()> {
    for (end, found) in ends.iter().filter_map(|end| Some((end, end.failure.as_ref()?))) {
        diesel::insert_into(failure::table)
            .values((
                (failure::job_id.eq(end.job.id), failure::campaign_id.eq(seen.campaign_id)),
                failure::cluster.eq(&seen.cluster),
                (failure::task_index.eq(end.job.task_index), failure::generation.eq(end.job.generation)),
                failure::is_final.eq(end.state == JobState::Failed),
                (failure::class.eq(found.class.as_str()), failure::exit_code.eq(end.exit_code)),
                failure::node.eq(found.node.as_deref().map(storable)),
                failure::signature.eq(found.signature.as_deref().map(storable)),
                failure::at.eq(end.stopped_at.unwrap_or(now)),
            ))
            .execute(connection)?;
    }
    Ok(())
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
