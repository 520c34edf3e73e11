//! What is kept of attempts that failed.

use cigri_core::state::JobState;
use diesel::prelude::*;

use crate::connection::{Database, storable};
use crate::job::JobEnd;
use crate::schema::failure;
use crate::{Result, submission::SubmissionRow};

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
