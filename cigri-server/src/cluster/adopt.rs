//! Adoption: an array on the cluster becomes part of the ledger, or the submission is given up behind its gate.

use cigri_core::absence::{self, Gates};
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::ledger::{self, Adoption, ListedRow, Posted};
use cigri_core::state::SubmissionState;
use cigri_core::sweep::ROW_PATIENCE_MS;
use cigri_store::{AdoptedArray, SubmissionRow};
use oar_client::{JobDetails, JobQuery, State};

use super::{Round, StepError, steps};

/// Checks the array and, if it is ours and complete, writes its remote ids down. True once that is committed. `answered`
/// tells an array whose POST came back with its id from one that was found by name.
pub(super) async fn adopt(
    round: &Round<'_>,
    submission: &SubmissionRow,
    (gate_id, array_id): (Option<u64>, u64),
    (gates, answered): (Gates, bool),
) -> Result<bool, StepError> {
    // One page beyond what is expected: rows that OAR resubmitted count as well.
    let query = JobQuery { array: Some(array_id), limit: submission.remote_count as u64 + 100, ..JobQuery::default() };
    let rows = round.handle.client.details(&query).await?;
    let listed: Vec<ListedRow> = rows.iter().map(listed_row).collect();
    let posted = Posted {
        name: &submission.name,
        user: &submission.remote_user,
        count: submission.remote_count as u64,
        answered,
    };
    match ledger::check_adoption(&posted, &listed) {
        Adoption::Complete(ids) => {
            let remote_ids = ids.into_iter().map(Some).collect();
            write_down(round, submission, (gate_id, array_id), (remote_ids, &rows)).await
        }
        // Behind a gate that works none of it ran, and a new one is as good. Elsewhere what is there may run: it is
        // followed, and the rest is missing.
        Adoption::Incomplete(remote_ids) if gates != Gates::Work && is_old(round, submission) => {
            write_down(round, submission, (gate_id, array_id), (remote_ids, &rows)).await
        }
        Adoption::Incomplete(ids) => {
            let found = ids.iter().flatten().count() as u64;
            partial(round, submission, found, gates).await.map(|()| false)
        }
        Adoption::Partial { found } => partial(round, submission, found, gates).await.map(|()| false),
        Adoption::Foreign(why) => {
            abandon(round, submission, &why).await?;
            Ok(false)
        }
    }
}

/// Looks for the rows that were not there when their array was adopted.
pub(super) async fn complete(round: &Round<'_>, submission: &SubmissionRow) -> Result<(), StepError> {
    let Some(array_id) = submission.array_id else { return Ok(()) };
    let limit = submission.remote_count as u64 + 100;
    let query = JobQuery { array: Some(array_id as u64), limit, ..JobQuery::default() };
    let rows = round.handle.client.details(&query).await?;
    let ours = rows.iter().filter(|row| row.resubmit_job_id == 0 && row.name.as_deref() == Some(&submission.name));
    let found: Vec<(u64, u64)> = ours.map(|row| (row.array_index, row.id)).collect();
    let id = submission.id;
    round.store(move |store| store.complete_adoption(id, &found)).await
}

/// Whether a listing that leaves rows out for once has had time to be right.
fn is_old(round: &Round<'_>, submission: &SubmissionRow) -> bool {
    round.now - submission.changed_at > ROW_PATIENCE_MS
}

async fn write_down(
    round: &Round<'_>,
    submission: &SubmissionRow,
    (gate_id, array_id): (Option<u64>, u64),
    (remote_ids, rows): (Vec<Option<u64>>, &[JobDetails]),
) -> Result<bool, StepError> {
    let (id, now) = (submission.id, round.now);
    // Where the cluster really runs them: `$HOME` is replaced there.
    let directory = rows.first().and_then(|row| row.launching_directory.clone());
    let gate_id = gate_id.map(|id| id as i64);
    let array = AdoptedArray { gate_id, array_id: array_id as i64, remote_ids, directory };
    round.store(move |store| store.adopt(id, &array, now)).await?;
    Ok(true)
}

/// An array that is not whole is waited for, then given up.
pub(super) async fn partial(
    round: &Round<'_>,
    submission: &SubmissionRow,
    found: u64,
    gates: Gates,
) -> Result<(), StepError> {
    if round.now - submission.changed_at <= absence::partial_patience_ms(gates) {
        return doubt(round, submission).await;
    }
    let reason = format!("only {found} of {} jobs are there", submission.remote_count);
    abandon(round, submission, &reason).await
}

fn listed_row(job: &JobDetails) -> ListedRow {
    ListedRow {
        id: job.id,
        array_id: job.array_id,
        array_index: job.array_index,
        name: job.name.clone().unwrap_or_default(),
        user: job.user.clone().unwrap_or_default(),
        resubmit_of: job.resubmit_job_id,
        held: job.state == State::Hold,
    }
}

/// Notes that nobody knows; the next round looks it up.
pub(super) async fn doubt(round: &Round<'_>, submission: &SubmissionRow) -> Result<(), StepError> {
    if submission.state != SubmissionState::Intent {
        return Ok(());
    }
    let (id, now) = (submission.id, round.now);
    round.store(move |store| store.doubt(id, now)).await
}

/// Gives a submission up. Its gate stays shut, so that nothing of it can ever start, whatever still arrives.
pub(super) async fn abandon(round: &Round<'_>, submission: &SubmissionRow, reason: &str) -> Result<(), StepError> {
    let scope = Scope::campaign_on(submission.campaign_id, round.name());
    let message = format!(
        "submission {} was given up ({reason}); its gate stays shut and its {} sent again under another name",
        submission.name,
        steps::count_words(submission)
    );
    let event = NewEvent::note(scope, Code::SubmitAbandoned, message);
    let event = event.because(Code::ApiFailure, Scope::cluster(round.name()));
    let (id, now, reason) = (submission.id, round.now, reason.to_owned());
    round
        .store(move |store| {
            store.give_up(id, SubmissionState::Abandoned, &reason, now)?;
            store.open_events(&[event], now)
        })
        .await
}
