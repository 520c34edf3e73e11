//! Trying whether a shut gate stops jobs on a cluster: a held job, and one behind it that does nothing. When a job of
//! ours that was submitted later has started and that one has not, gates work; when it starts, they don't.

use cigri_core::absence::Gates;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::ledger::{self, TEST_SUBMISSION};
use cigri_store::{GateTestRow, GateTestState, RoundView, SubmissionRow};
use oar_client::{Error as ApiError, JobQuery, JobSummary, NewJob, State, Token};
use tracing::info;

use super::{Memory, Round, StepError};
use crate::grid::GridError;
use crate::secret;

/// A test that tells nothing is made again after this long: its jobs may be gone.
const GIVE_UP_MS: i64 = 24 * 3_600_000;

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

/// The same, before a submission: a test is begun if there was none.
pub(super) async fn ready(
    round: &Round<'_>,
    memory: &mut Memory,
    owner: &str,
    token: &Token,
    types: &[String],
) -> Result<Gates, StepError> {
    let gates = state(round, memory).await?;
    if gates != Gates::Untested {
        return Ok(gates);
    }
    let name = round.name().to_owned();
    if round.store(move |store| store.find_gate_test(&name)).await?.is_none() {
        match begin(round, owner, token, types).await {
            // The submission itself will be told why, and tells its owner.
            Err(StepError::Api(ApiError::Refused { .. } | ApiError::Unauthorized { .. })) => {}
            other => other?,
        }
    }
    Ok(gates)
}

/// Posts the pair. When that fails, the sweep removes what is left, and the test is made again.
async fn begin(round: &Round<'_>, owner: &str, token: &Token, types: &[String]) -> Result<(), StepError> {
    let nonce = secret::nonce().map_err(GridError::Secret)?;
    let name = ledger::submission_name(&round.grid.instance, TEST_SUBMISSION, nonce);
    let mut test = GateTestRow {
        cluster: round.name().to_owned(),
        state: GateTestState::Posted,
        name: name.clone(),
        owner: owner.to_owned(),
        gate_id: None,
        job_id: None,
        posted_at: round.now,
    };
    let client = &round.handle.client;
    let gate = NewJob { command: "false".into(), hold: true, types: types.to_vec(), ..NewJob::default() };
    let gate_id = client.submit(token, &NewJob { name: Some(ledger::gate_name(&name)), ..gate.clone() }).await?;
    let job = NewJob { command: "true".into(), hold: false, after: vec![gate_id], name: Some(name), ..gate };
    test.job_id = Some(client.submit(token, &job).await? as i64);
    test.gate_id = Some(gate_id as i64);
    round.store(move |store| store.put_gate_test(&test)).await
}

/// Looks at a test. `started` are submissions of which jobs started in this round.
pub(super) async fn follow(
    round: &Round<'_>,
    memory: &mut Memory,
    view: &RoundView,
    started: &[i64],
) -> Result<(), StepError> {
    if state(round, memory).await? != Gates::Untested {
        return Ok(());
    }
    let name = round.name().to_owned();
    let Some(test) = round.store(move |store| store.find_gate_test(&name)).await? else { return Ok(()) };
    let (Some(gate_id), Some(job_id)) = (test.gate_id, test.job_id) else { return Ok(()) };
    let ids = vec![gate_id as u64, job_id as u64];
    let listed = round.handle.client.list_all(&JobQuery { ids, ..JobQuery::default() }).await?;
    let find = |id: i64| listed.iter().find(|row| row.id == id as u64).filter(|row| is_of(row, &test));
    let (Some(gate), Some(job)) = (find(gate_id), find(job_id)) else {
        return give_up(round, &test).await;
    };
    let later = |s: &&SubmissionRow| started.contains(&s.id) && s.array_id.is_some_and(|array| array > job_id);
    let overtaken = view.submissions.iter().any(|submission| later(&submission));
    match (&gate.state, &job.state) {
        (State::Hold, State::Waiting) if overtaken => conclude(round, memory, test, GateTestState::Works).await,
        (State::Hold, State::Waiting) => Ok(()),
        (State::Hold, State::Hold | State::Error) => give_up(round, &test).await,
        (State::Hold, _) => conclude(round, memory, test, GateTestState::Fails).await,
        // Somebody opened the gate: it tells nothing.
        _ => give_up(round, &test).await,
    }
}

fn is_of(row: &JobSummary, test: &GateTestRow) -> bool {
    row.name.as_deref().is_some_and(|name| name.starts_with(&test.name))
}

/// The pair is gone, or was meddled with; a listing may also have left it out for once.
async fn give_up(round: &Round<'_>, test: &GateTestRow) -> Result<(), StepError> {
    if round.now - test.posted_at < GIVE_UP_MS {
        return Ok(());
    }
    let name = test.cluster.clone();
    round.store(move |store| store.remove_gate_test(&name)).await
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
    if !works {
        let message = format!(
            "{} starts jobs whose gate is shut. Submissions without an answer are looked for there for a quarter of an \
             hour before their tasks are sent again",
            round.name()
        );
        round.tell(NewEvent::note(Scope::cluster(round.name()), Code::GatesFail, message)).await?;
    }
    // The job first: it must not run. What is left of the pair is swept.
    for id in [test.job_id, test.gate_id].into_iter().flatten() {
        round.delete_job(&test.owner, id as u64).await?;
    }
    Ok(())
}
