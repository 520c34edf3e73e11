//! Taking back what waits on a cluster that is drained: its tasks can go elsewhere. What runs ends by itself.

use cigri_core::meter::Mode;
use cigri_core::state::{SubmissionState, Wish};
use cigri_store::{RoundView, SubmissionRow};

use super::{Memory, Round, StepError};

/// Waiting jobs that are taken back per round, for any reason.
pub(super) const CHUNK: i64 = 100;

/// Wishes that what waits there goes back to its bag, a part of it in each round.
pub(super) async fn drain(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    if round.limits.mode != Mode::Drained {
        return Ok(());
    }
    let mut left = CHUNK;
    // The last ones sent are the last ones to start.
    for submission in view.submissions.iter().rev().filter(|submission| is_adopted(submission)) {
        left -= take_back(round, memory, submission, left).await?;
    }
    Ok(())
}

pub(super) fn is_adopted(submission: &SubmissionRow) -> bool {
    matches!(submission.state, SubmissionState::Submitted | SubmissionState::Open)
}

/// Wishes at most `most` waiting jobs of a submission back into their bag; returns how many.
pub(super) async fn take_back(
    round: &Round<'_>,
    memory: &mut Memory,
    submission: &SubmissionRow,
    most: i64,
) -> Result<i64, StepError> {
    if most <= 0 {
        return Ok(0);
    }
    let id = submission.id;
    let wished = round.store(move |store| store.wish_waiting(id, Wish::Again, most)).await?;
    if wished > 0 {
        // At once: what waits now may run in a moment.
        memory.kills.remove(&id);
    }
    Ok(wished)
}
