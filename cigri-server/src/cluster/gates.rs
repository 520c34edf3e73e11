//! Trying whether a shut gate stops jobs on a cluster: a held job, one behind it, and one that waits for nothing; they
//! do nothing. When the last has started and the one behind the gate has not, gates work; when that starts, they don't.

use cigri_core::absence::Gates;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::ledger::{self, TEST_SUBMISSION};
use cigri_store::{GateTestRow, GateTestState, RoundView};
use oar_client::{JobQuery, JobSummary, NewJob, State, Token};
use tracing::{info, warn};

use super::{Memory, Round, StepError, account, nights, sweep};
use crate::grid::GridError;
use crate::secret;

/// Jobs of a test that are missing for so long are gone: it is made again.
const GIVE_UP_MS: i64 = 600_000;
/// A test that failed or told nothing is made again after so long.
const AGAIN_MS: i64 = 60_000;

/// Whether gates work there, as far as is known.
pub(super) async fn state(round: &Round<'_>, memory: &mut Memory) -> Result<Gates, StepError> {
    if round.is_local() {
        return Ok(Gates::Work);
    }
    if let Some(known) = memory.gates {
        return Ok(known);
    }
    let name = round.name().to_owned();
    let test = round.store(move |store| store.find_gate_test(&name)).await?;
    let gates = match test.map(|test| test.state) {
        Some(GateTestState::Works) => Gates::Work,
        Some(GateTestState::Fails) => Gates::Fail,
        _ => Gates::Untested,
    };
    memory.gates = Some(gates);
    Ok(gates)
}

/// Goes on with a test until it has an answer; begins one when there is something to send.
pub(super) async fn try_out(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    if state(round, memory).await? != Gates::Untested {
        return Ok(());
    }
    let name = round.name().to_owned();
    if let Some(test) = round.store(move |store| store.find_gate_test(&name)).await? {
        return look(round, memory, test).await;
    }
    if round.now - memory.tested_at < AGAIN_MS {
        return Ok(());
    }
    let sending =
        view.campaigns.iter().map(|campaign| (&campaign.row.owner, campaign.row.spec.clusters.get(round.name())));
    for (owner, spec) in sending {
        let Ok((token, login)) = round.grid.token(owner, round.handle)? else { continue };
        let types = spec.map(|spec| spec.types(nights::is_best_effort(round, spec, round.now))).unwrap_or_default();
        if account::is_there(round, memory, (owner, &login), &token).await? {
            memory.tested_at = round.now;
            return match begin(round, (owner, &token), &types).await {
                // A trial that fails stops nothing. The submissions themselves will be told why.
                Err(StepError::Api(error)) => {
                    warn!(cluster.name = %round.name(), "gates cannot be tried: {error}");
                    sweep::soon(memory, round.now);
                    Ok(())
                }
                other => other,
            };
        }
    }
    Ok(())
}

/// Posts the jobs. When that fails, the sweep removes what is left, and the test is made again.
async fn begin(round: &Round<'_>, (owner, token): (&str, &Token), types: &[String]) -> Result<(), StepError> {
    let nonce = secret::nonce().map_err(GridError::Secret)?;
    let name = ledger::submission_name(&round.grid.instance, TEST_SUBMISSION, nonce);
    let client = &round.handle.client;
    let job = NewJob { command: "true".into(), types: types.to_vec(), name: Some(name.clone()), ..NewJob::default() };
    let gate = NewJob { hold: true, name: Some(ledger::gate_name(&name)), ..job.clone() };
    let gate_id = client.submit(token, &gate).await?;
    let cluster = round.name().to_owned();
    round.store(move |store| store.note_id(&cluster, gate_id as i64)).await?;
    let job_id = client.submit(token, &NewJob { after: vec![gate_id], ..job.clone() }).await?;
    let control_id = client.submit(token, &job).await?;
    let test = GateTestRow {
        cluster: round.name().to_owned(),
        state: GateTestState::Posted,
        name,
        owner: owner.to_owned(),
        gate_id: Some(gate_id as i64),
        job_id: Some(job_id as i64),
        control_id: Some(control_id as i64),
        posted_at: round.now,
    };
    round.store(move |store| store.put_gate_test(&test)).await
}

/// Looks how a test goes.
async fn look(round: &Round<'_>, memory: &mut Memory, test: GateTestRow) -> Result<(), StepError> {
    let ids = [test.gate_id, test.job_id, test.control_id].into_iter().flatten().map(|id| id as u64).collect();
    let listed = round.handle.client.list_all(&JobQuery { ids, ..JobQuery::default() }).await?;
    let state_of = |id: Option<i64>| {
        let row = listed.iter().find(|row| Some(row.id as i64) == id).filter(|row| is_of(row, &test));
        row.map(|row| row.state.clone())
    };
    match (state_of(test.gate_id), state_of(test.job_id), state_of(test.control_id)) {
        (Some(State::Hold), Some(State::Waiting), Some(State::Waiting | State::Hold)) => Ok(()),
        (Some(State::Hold), Some(State::Waiting), Some(state)) if state != State::Error => {
            conclude(round, memory, test, GateTestState::Works).await
        }
        (Some(State::Hold), Some(state), _) if !matches!(state, State::Waiting | State::Hold | State::Error) => {
            conclude(round, memory, test, GateTestState::Fails).await
        }
        // A listing may leave rows out for once.
        (None, _, _) | (_, None, _) | (_, _, None) if round.now - test.posted_at < GIVE_UP_MS => Ok(()),
        // Somebody meddled with it: it tells nothing.
        _ => {
            let name = test.cluster.clone();
            round.store(move |store| store.remove_gate_test(&name)).await
        }
    }
}

fn is_of(row: &JobSummary, test: &GateTestRow) -> bool {
    row.name.as_deref().is_some_and(|name| name.starts_with(&test.name))
}

async fn conclude(
    round: &Round<'_>,
    memory: &mut Memory,
    test: GateTestRow,
    state: GateTestState,
) -> Result<(), StepError> {
    let works = state == GateTestState::Works;
    memory.gates = Some(if works { Gates::Work } else { Gates::Fail });
    let concluded = GateTestRow { state, ..test.clone() };
    round.store(move |store| store.put_gate_test(&concluded)).await?;
    info!(cluster.name = %round.name(), works, "gates tried");
    if works {
        let (scope, now) = (Scope::cluster(round.name()), round.now);
        round.store(move |store| store.close_event(Code::GatesFail, &scope, now)).await?;
    } else {
        let message = format!(
            "{} starts jobs whose gate is shut. Submissions without an answer are looked for there for half an hour \
             before their tasks are sent again",
            round.name()
        );
        round.tell(NewEvent::note(Scope::cluster(round.name()), Code::GatesFail, message)).await?;
    }
    // The gate last: the job behind it need not run. What is left of them is swept.
    for id in [test.job_id, test.control_id, test.gate_id].into_iter().flatten() {
        round.delete_job(&test.owner, id as u64).await?;
    }
    Ok(())
}
