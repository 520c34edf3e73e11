//! Killing what a cancelled campaign still has on a cluster, and single jobs that their owner wants dead, in bounded
//! chunks, until they are seen gone.

use std::collections::BTreeSet;

use cigri_core::state::{JobState, SubmissionState};
use cigri_store::{LiveJob, RoundView, SubmissionRow};
use oar_client::JobQuery;

use super::{Memory, Round, StepError, observe, readings, sweep};

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
    let (mut left, mut is_late) = (CHUNK, false);
    for submission in view.submissions.iter().filter(adopted) {
        let all = cancelled.contains(&submission.campaign_id);
        let last = memory.kills.get(&submission.id).copied();
        let is_due = last.is_none_or(|at| !(0..AGAIN_MS).contains(&(round.now - at)));
        if is_late || left == 0 || !is_due || !all && !wished.contains(&submission.id) {
            continue;
        }
        let killed = kill(round, submission, all, left).await?;
        left -= killed.asked.min(left);
        if killed.is_all {
            memory.kills.insert(submission.id, round.now);
        }
        // What time does not suffice for is asked in the next round.
        is_late = killed.asked > 0 && readings::ends_deletions(round);
        sweep::soon(memory, round.now);
    }
    memory.kills.retain(|id, _| view.submissions.iter().any(|submission| submission.id == *id));
    Ok(())
}

/// What was asked for.
pub(super) struct Killed {
    /// Deletions.
    asked: usize,
    /// None of the submission's is left to ask for.
    is_all: bool,
}

/// Deletes at most `most` of its live jobs, or of those that somebody wants dead, and one at least. Each is looked at
/// first: an id alone may be another's, after a reset that nobody has noticed yet.
pub(super) async fn kill(
    round: &Round<'_>,
    submission: &SubmissionRow,
    all: bool,
    most: usize,
) -> Result<Killed, StepError> {
    let id = submission.id;
    let live: Vec<LiveJob> = round.store(move |store| store.live_jobs(id)).await?;
    let unwanted = live.iter().filter(|job| (all || job.wish.is_some()) && job.state != JobState::Unknown);
    let ids: BTreeSet<u64> = unwanted.filter_map(|job| job.remote_id).map(|id| id as u64).collect();
    let mut killed = Killed { asked: 0, is_all: ids.len() <= most };
    let ids: Vec<u64> = ids.into_iter().take(most).collect();
    if ids.is_empty() {
        return Ok(killed);
    }
    let rows = round.handle.client.list_all(&JobQuery { ids, ..JobQuery::default() }).await?;
    let to_go: Vec<u64> = rows
        .iter()
        .filter(|row| observe::is_ours(submission, row) && !row.state.is_final())
        .map(|row| row.id)
        .collect();
    for remote_id in &to_go {
        if killed.asked > 0 && readings::ends_deletions(round) {
            killed.is_all = false;
            break;
        }
        round.delete_job(&submission.owner, *remote_id).await?;
        killed.asked += 1;
    }
    Ok(killed)
}

/// Deletes all that somebody wants dead of a submission whose gate is still shut. False: there is more.
pub(super) async fn kill_before_opening(round: &Round<'_>, submission: &SubmissionRow) -> Result<bool, StepError> {
    Ok(kill(round, submission, false, CHUNK).await?.is_all)
}
