//! Settling what is unclear: submissions in doubt are looked up by name, gates are opened once all is adopted.

use cigri_core::absence::{self, Gates, Missing};
use cigri_core::ledger;
use cigri_core::state::{SubmissionState, Wish};
use cigri_store::SubmissionRow;
use oar_client::{JobQuery, JobSummary, State, Urgency};

use super::{Memory, Round, StepError, adopt, gates, kill};

/// Jobs ended since the submission are looked for this far before its intent: clusters' clocks differ.
const CLOCK_MARGIN_S: i64 = 600;
/// How long after it was written down a submission's POST may still be on its way: two minutes until we give it up, ten
/// more while its connection stays open.
const POST_LIFE_MS: i64 = 12 * 60_000;
/// Ids per request of a scan: a longer URL may not pass a proxy.
const SCAN: u64 = 450;

/// Looks a submission up by its name. Complete: adopted and opened. Nothing there: given up, at once where its gate,
/// which only adoption opens, keeps whatever may still arrive from starting; elsewhere when its absence is proved.
pub(super) async fn settle(
    round: &Round<'_>,
    memory: &mut Memory,
    submission: &SubmissionRow,
) -> Result<(), StepError> {
    let gates = gates::state(round, memory).await?;
    let found = look_up(round, submission, gates).await?;
    let Some(first) = found.first() else { return missing(round, memory, submission, gates).await };
    memory.looked.remove(&submission.id);
    let gate_id = find_gate(round, submission).await?;
    let array_id = round.handle.client.at(Urgency::Doubt).job(first.id).await?.map_or(0, |job| job.array_id);
    if array_id == 0 {
        return adopt::partial(round, submission, found.len() as u64, gates).await;
    }
    // Without its gate it may have been opened, by us before our database was restored, or by somebody's hand: whole, it
    // is followed. A gate that was only overlooked is swept once the adoption is written down.
    if adopt::adopt(round, submission, (gate_id, array_id), (gates, false)).await? {
        let id = submission.id;
        let adopted = round.store(move |store| store.submission(id)).await?;
        open_gate(round, &adopted).await?;
    }
    Ok(())
}

async fn look_up(round: &Round<'_>, submission: &SubmissionRow, gates: Gates) -> Result<Vec<JobSummary>, StepError> {
    let client = &round.handle.client;
    let found = client.find_by_name(&submission.remote_user, &submission.name, window(round, submission)).await?;
    if found.is_empty() && gates != Gates::Work {
        return scan(round, submission).await;
    }
    Ok(found)
}

async fn find_gate(round: &Round<'_>, submission: &SubmissionRow) -> Result<Option<u64>, StepError> {
    let name = ledger::gate_name(&submission.name);
    let window = window(round, submission);
    let gates = round.handle.client.find_by_name(&submission.remote_user, &name, window).await?;
    Ok(gates.first().map(|gate| gate.id))
}

fn window(round: &Round<'_>, submission: &SubmissionRow) -> Option<(i64, i64)> {
    Some((submission.created_at / 1000 - CLOCK_MARGIN_S, round.now / 1000 + 60))
}

/// Looks at every id above the highest that was known before it was sent, whatever clocks say, until two chunks beyond
/// the newest live job are empty.
async fn scan(round: &Round<'_>, submission: &SubmissionRow) -> Result<Vec<JobSummary>, StepError> {
    let client = round.handle.client.at(Urgency::Doubt);
    let newest = client.list_all(&JobQuery::default()).await?.last().map_or(0, |job| job.id);
    let mut from = submission.watermark as u64 + 1;
    let (mut empty, mut found) = (0, Vec::new());
    while empty < 2 {
        let ids: Vec<u64> = (from..from + SCAN).collect();
        let rows = client.list_all(&JobQuery { ids, ..JobQuery::default() }).await?;
        from += SCAN;
        empty = if rows.is_empty() && from > newest { empty + 1 } else { 0 };
        let ours = |row: &JobSummary| row.name.as_deref() == Some(&submission.name);
        found.extend(rows.into_iter().filter(ours));
    }
    Ok(found)
}

/// Nobody finds it.
async fn missing(
    round: &Round<'_>,
    memory: &mut Memory,
    submission: &SubmissionRow,
    gates: Gates,
) -> Result<(), StepError> {
    adopt::doubt(round, submission).await?;
    let missing = Missing {
        doubted_at: submission.changed_at + POST_LIFE_MS,
        first_look: memory.looked.get(&submission.id).copied(),
        slowest_post_ms: memory.slowest_post_ms,
    };
    if absence::surely_absent(&missing, gates, round.now) {
        memory.looked.remove(&submission.id);
        return adopt::abandon(round, submission, "the cluster does not know it").await;
    }
    if absence::counts_as_look(&missing, round.now) {
        memory.looked.entry(submission.id).or_insert(round.now);
    }
    Ok(())
}

/// Deletes the gate of an adopted submission, and believes it only when the cluster shows it gone. Jobs that somebody
/// wants dead go first: they never start.
pub(super) async fn open_gate(round: &Round<'_>, submission: &SubmissionRow) -> Result<(), StepError> {
    let (id, campaign_id, name) = (submission.id, submission.campaign_id, round.name().to_owned());
    let (cancelled, wished) = round
        .store(move |store| Ok((store.is_cancelled(campaign_id)?, store.wished_submissions(&name)?.contains(&id))))
        .await?;
    if cancelled {
        return Ok(());
    }
    if wished && !kill::kill_before_opening(round, submission).await? {
        return Ok(());
    }
    if let Some(gate_id) = submission.gate_id
        && !is_open(round, submission, gate_id as u64).await?
    {
        return Ok(());
    }
    let now = round.now;
    round.store(move |store| store.gate_opened(id, now)).await
}

async fn is_open(round: &Round<'_>, submission: &SubmissionRow, gate_id: u64) -> Result<bool, StepError> {
    match gate_state(round, submission, gate_id).await? {
        Some(State::Error) => return Ok(true),
        // Not shown, or not ours: nothing is deleted by its bare id.
        None => return Ok(false),
        Some(_) => round.release(&submission.owner, gate_id).await?,
    }
    match gate_state(round, submission, gate_id).await? {
        // Somebody let it run: what waits for a job that failed waits for ever. The rows go, their tasks come back.
        Some(State::Terminated) => {
            let id = submission.id;
            round.store(move |store| store.wish_all(id, Wish::Again)).await?;
            Ok(true)
        }
        state => Ok(state == Some(State::Error)),
    }
}

async fn gate_state(round: &Round<'_>, submission: &SubmissionRow, gate_id: u64) -> Result<Option<State>, StepError> {
    let query = JobQuery { ids: vec![gate_id], limit: 1, ..JobQuery::default() };
    let listed = round.handle.client.at(Urgency::Release).list(&query).await?;
    let name = ledger::gate_name(&submission.name);
    Ok(listed.items.into_iter().find(|gate| gate.name.as_deref() == Some(&name)).map(|gate| gate.state))
}

/// A gate that was never opened (its campaign was cancelled first) goes once nothing waits behind it.
pub(super) async fn drop_gate_of_ended(round: &Round<'_>, seen: &SubmissionRow) -> Result<(), StepError> {
    if seen.state != SubmissionState::Submitted {
        return Ok(());
    }
    let id = seen.id;
    let now_state = round.store(move |store| store.submission(id)).await?.state;
    match (now_state, seen.gate_id) {
        (SubmissionState::Closed, Some(gate)) if gate_state(round, seen, gate as u64).await?.is_some() => {
            round.delete_job(&seen.owner, gate as u64).await
        }
        _ => Ok(()),
    }
}
