//! Settling what is unclear: submissions in doubt are looked up by name, gates are opened once all is adopted.

use cigri_core::ledger;
use cigri_core::state::SubmissionState;
use cigri_store::SubmissionRow;
use oar_client::{JobQuery, State};

use super::{Round, StepError, adopt};

/// Jobs ended since the submission are looked for this far before its intent: clusters' clocks differ.
const CLOCK_MARGIN_S: i64 = 600;

/// Looks a submission up by its name. Complete: adopted and opened. Nothing there: given up, for its gate, which only
/// adoption opens, keeps whatever may still arrive from starting.
pub(super) async fn settle(round: &Round<'_>, submission: &SubmissionRow) -> Result<(), StepError> {
    let client = &round.handle.client;
    let window = Some((submission.changed_at / 1000 - CLOCK_MARGIN_S, round.now / 1000 + 60));
    let found = client.find_by_name(&submission.remote_user, &submission.name, window).await?;
    let Some(first) = found.first() else {
        return adopt::abandon(round, submission, "the cluster does not know it").await;
    };
    let gate_name = ledger::gate_name(&submission.name);
    let gates = client.find_by_name(&submission.remote_user, &gate_name, window).await?;
    let array_id = client.job(first.id).await?.map_or(0, |job| job.array_id);
    match gates.first() {
        Some(gate) if array_id != 0 => {
            if adopt::adopt(round, submission, (gate.id, array_id), false).await? {
                let id = submission.id;
                let adopted = round.store(move |store| store.submission(id)).await?;
                open_gate(round, &adopted).await?;
            }
            Ok(())
        }
        _ => adopt::abandon(round, submission, "it is half made").await,
    }
}

/// Deletes the gate of an adopted submission, and believes it only when the cluster shows it gone.
pub(super) async fn open_gate(round: &Round<'_>, submission: &SubmissionRow) -> Result<(), StepError> {
    let Some(gate_id) = submission.gate_id else { return Ok(()) };
    let campaign_id = submission.campaign_id;
    if round.store(move |store| store.is_cancelled(campaign_id)).await? {
        return Ok(());
    }
    if !gate_is_gone(round, gate_id as u64).await? {
        round.delete_job(&submission.owner, gate_id as u64).await?;
        if !gate_is_gone(round, gate_id as u64).await? {
            return Ok(());
        }
    }
    let (id, now) = (submission.id, round.now);
    round.store(move |store| store.gate_opened(id, now)).await
}

async fn gate_is_gone(round: &Round<'_>, gate_id: u64) -> Result<bool, StepError> {
    let query = JobQuery { ids: vec![gate_id], limit: 1, ..JobQuery::default() };
    let listed = round.handle.client.list(&query).await?;
    Ok(listed.items.first().is_some_and(|gate| gate.state == State::Error))
}

/// A gate that was never opened (its campaign was cancelled first) goes once nothing waits behind it.
pub(super) async fn drop_gate_of_ended(round: &Round<'_>, seen: &SubmissionRow) -> Result<(), StepError> {
    if seen.state != SubmissionState::Submitted {
        return Ok(());
    }
    let id = seen.id;
    let now_state = round.store(move |store| store.submission(id)).await?.state;
    match (now_state, seen.gate_id) {
        (SubmissionState::Closed, Some(gate)) => round.delete_job(&seen.owner, gate as u64).await,
        _ => Ok(()),
    }
}
