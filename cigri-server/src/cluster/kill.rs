//! Killing what a cancelled campaign still has on a cluster, in bounded chunks, until it is seen gone.

use cigri_core::state::SubmissionState;
use cigri_store::{LiveJob, RoundView, SubmissionRow};

use super::{Memory, Round, StepError};

/// Deletions per submission and round: OAR schedules nobody while it deletes.
const CHUNK: usize = 100;
/// A deletion is an intention; it is asked again after this long.
const AGAIN_MS: i64 = 30_000;

/// Asks the cluster to delete live jobs of cancelled campaigns. Their ends are observed like any others.
pub(super) async fn kill_cancelled(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    let cancelled = round.store(|store| store.cancelled_campaigns()).await?;
    let adopted = |s: &&SubmissionRow| matches!(s.state, SubmissionState::Submitted | SubmissionState::Open);
    for submission in view.submissions.iter().filter(adopted).filter(|s| cancelled.contains(&s.campaign_id)) {
        let last = memory.kills.get(&submission.id).copied();
        if last.is_none_or(|at| round.now - at >= AGAIN_MS) && kill(round, submission).await? {
            memory.kills.insert(submission.id, round.now);
        }
    }
    memory.kills.retain(|id, _| view.submissions.iter().any(|submission| submission.id == *id));
    Ok(())
}

/// Deletes a chunk; true when that was all of it.
async fn kill(round: &Round<'_>, submission: &SubmissionRow) -> Result<bool, StepError> {
    let id = submission.id;
    let live: Vec<LiveJob> = round.store(move |store| store.live_jobs(id)).await?;
    for remote_id in live.iter().filter_map(|job| job.remote_id).take(CHUNK) {
        round.delete_job(&submission.owner, remote_id as u64).await?;
    }
    Ok(live.len() <= CHUNK)
}
