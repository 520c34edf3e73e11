//! Killing what a cancelled campaign still has on a cluster, and single jobs that their owner wants dead, in bounded
//! chunks, until they are seen gone.

use std::collections::BTreeSet;

use cigri_core::state::{JobState, SubmissionState};
use cigri_store::{LiveJob, RoundView, SubmissionRow};
use oar_client::JobQuery;

use super::{Memory, Round, StepError, observe, sweep};

/// Deletions per round: OAR schedules nobody while it deletes.
const CHUNK: usize = 100;
/// A deletion is an intention; it is asked again after this long.
const AGAIN_MS: i64 = 30_000;

/// Asks the cluster to delete the live jobs that are to go. Their ends are observed like any others.
pub(super) async fn kill_unwanted(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    let name = round.name().to_owned();
    let (cancelled, wished) =
        round.store(move |store| Ok((store.cancelled_campaigns()?, store.wished_submissions(&name)?))).await?;
    let adopted = |s: &&SubmissionRow| matches!(s.state, SubmissionState::Submitted | SubmissionState::Open);
    let mut left = CHUNK;
    for submission in view.submissions.iter().filter(adopted) {
        let all = cancelled.contains(&submission.campaign_id);
        let last = memory.kills.get(&submission.id).copied();
        let is_due = last.is_none_or(|at| round.now - at >= AGAIN_MS);
        if left == 0 || !is_due || !all && !wished.contains(&submission.id) {
            continue;
        }
        let asked = kill(round, submission, all, left).await?;
        left -= asked.min(left);
        if left > 0 {
            memory.kills.insert(submission.id, round.now);
        }
        sweep::soon(memory, round.now);
    }
    memory.kills.retain(|id, _| view.submissions.iter().any(|submission| submission.id == *id));
    Ok(())
}

/// Deletes at most `most` of its live jobs, or of those that somebody wants dead; returns how many. Each is looked at
/// first: an id alone may be another's, after a reset that nobody has noticed yet.
pub(super) async fn kill(
    round: &Round<'_>,
    submission: &SubmissionRow,
    all: bool,
    most: usize,
) -> Result<usize, StepError> {
    let id = submission.id;
    let live: Vec<LiveJob> = round.store(move |store| store.live_jobs(id)).await?;
    let unwanted = live.iter().filter(|job| (all || job.wish.is_some()) && job.state != JobState::Unknown);
    let ids: BTreeSet<u64> = unwanted.filter_map(|job| job.remote_id).map(|id| id as u64).collect();
    let ids: Vec<u64> = ids.into_iter().take(most).collect();
    if ids.is_empty() {
        return Ok(0);
    }
    let rows = round.handle.client.list_all(&JobQuery { ids, ..JobQuery::default() }).await?;
    let to_go: Vec<u64> = rows
        .iter()
        .filter(|row| observe::is_ours(submission, row) && !row.state.is_final())
        .map(|row| row.id)
        .collect();
    for remote_id in &to_go {
        round.delete_job(&submission.owner, *remote_id).await?;
    }
    Ok(to_go.len())
}

/// Deletes all that somebody wants dead of a submission whose gate is still shut. False: there is more.
pub(super) async fn kill_before_opening(round: &Round<'_>, submission: &SubmissionRow) -> Result<bool, StepError> {
    Ok(kill(round, submission, false, CHUNK).await? < CHUNK)
}
