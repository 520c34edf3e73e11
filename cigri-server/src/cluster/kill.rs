//! Killing what a cancelled campaign still has on a cluster, and single jobs that their owner wants dead, in bounded
//! chunks, until they are seen gone.

use cigri_core::state::SubmissionState;
use cigri_store::{LiveJob, RoundView, SubmissionRow};

use super::{Memory, Round, StepError, sweep};

/// Deletions per submission and round: OAR schedules nobody while it deletes.
const CHUNK: usize = 100;
/// A deletion is an intention; it is asked again after this long.
const AGAIN_MS: i64 = 30_000;

/// Asks the cluster to delete the live jobs that are to go. Their ends are observed like any others.
pub(super) async fn kill_unwanted(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    let name = round.name().to_owned();
    let (cancelled, wished) =
        round.store(move |store| Ok((store.cancelled_campaigns()?, store.wished_submissions(&name)?))).await?;
    let adopted = |s: &&SubmissionRow| matches!(s.state, SubmissionState::Submitted | SubmissionState::Open);
    for submission in view.submissions.iter().filter(adopted) {
        let all = cancelled.contains(&submission.campaign_id);
        let last = memory.kills.get(&submission.id).copied();
        let is_due = last.is_none_or(|at| round.now - at >= AGAIN_MS);
        if (all || wished.contains(&submission.id)) && is_due && kill(round, submission, all).await? {
            memory.kills.insert(submission.id, round.now);
            sweep::soon(memory, round.now);
        }
    }
    memory.kills.retain(|id, _| view.submissions.iter().any(|submission| submission.id == *id));
    Ok(())
}

/// Deletes a chunk of all its live jobs, or of those that somebody wants dead; true when that was the last chunk.
pub(super) async fn kill(round: &Round<'_>, submission: &SubmissionRow, all: bool) -> Result<bool, StepError> {
    let id = submission.id;
    let live: Vec<LiveJob> = round.store(move |store| store.live_jobs(id)).await?;
    let unwanted: Vec<i64> =
        live.iter().filter(|job| all || job.wish.is_some()).filter_map(|job| job.remote_id).collect();
    for remote_id in unwanted.iter().take(CHUNK) {
        round.delete_job(&submission.owner, *remote_id as u64).await?;
    }
    Ok(unwanted.len() <= CHUNK)
}
