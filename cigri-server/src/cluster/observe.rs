//! Observing a submission: two counts tell whether anything changed; only then its rows are listed.

use std::collections::HashMap;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::JobState;
use cigri_store::{LiveJob, Look, SubmissionRow};
use oar_client::{JobQuery, JobSummary, State};

use super::{Round, StepError, ends};

/// States of a job that has not started.
const WAITING: &[State] = &[State::Waiting, State::Hold, State::ToLaunch, State::ToAckReservation];
/// States of a job that has ended.
const FINAL: &[State] = &[State::Terminated, State::Error];

/// Looks at a submission and writes down what changed. Returns how many jobs started since the last look.
pub(super) async fn observe(round: &Round<'_>, seen: &SubmissionRow) -> Result<u64, StepError> {
    let Some(array_id) = seen.array_id else { return Ok(0) };
    let client = &round.handle.client;
    let array = JobQuery { array: Some(array_id as u64), ..JobQuery::default() };
    let finals = client.count(&JobQuery { states: FINAL.to_vec(), ..array.clone() }).await? as i64;
    let waiting = client.count(&JobQuery { states: WAITING.to_vec(), ..array.clone() }).await? as i64;
    if (waiting, finals) == (seen.seen_waiting, seen.seen_final) {
        return Ok(0);
    }
    let limit = seen.job_count as u64 + 100;
    let mut listed = client.list_all(&JobQuery { limit, ..array }).await?;
    let id = seen.id;
    let live = round.store(move |store| store.live_jobs(id)).await?;
    listed.extend(second_look(round, &compare(&live, &listed).vanished).await?);
    let found = compare(&live, &listed);
    report_vanished(round, seen, &found).await?;
    let ended = ends::read_ends(round, seen, found.ended).await?;
    let starts = starts(seen, waiting);
    record(round, seen, (waiting, finals), (found.started, ended)).await?;
    Ok(starts)
}

/// What a listing says about the live jobs.
struct Found<'a> {
    started: Vec<i64>,
    ended: Vec<(&'a LiveJob, &'a JobSummary)>,
    vanished: Vec<&'a LiveJob>,
}

fn compare<'a>(live: &'a [LiveJob], listed: &'a [JobSummary]) -> Found<'a> {
    let by_id: HashMap<u64, &JobSummary> = listed.iter().map(|job| (job.id, job)).collect();
    let mut found = Found { started: Vec::new(), ended: Vec::new(), vanished: Vec::new() };
    for job in live {
        let row = job.remote_id.and_then(|id| by_id.get(&(id as u64)));
        match row {
            None => found.vanished.push(job),
            Some(row) if row.state.is_final() => found.ended.push((job, row)),
            Some(row) if !WAITING.contains(&row.state) && job.state != JobState::Running => found.started.push(job.id),
            Some(_) => {}
        }
    }
    found
}

/// Missing jobs asked for one by one per look.
const SECOND_LOOKS: usize = 20;

/// Asks for missing jobs themselves: a copy that OAR made by its own resubmission is in no list before it is
/// scheduled, but answers under its id. A 500 there is OAR's way to say that it knows no such job.
async fn second_look(round: &Round<'_>, vanished: &[&LiveJob]) -> Result<Vec<JobSummary>, StepError> {
    let mut found = Vec::new();
    for remote_id in vanished.iter().filter_map(|job| job.remote_id).take(SECOND_LOOKS) {
        match round.handle.client.job_direct(remote_id as u64).await {
            Ok(job) => found.push(JobSummary {
                id: job.id,
                name: job.name,
                state: job.state,
                user: job.user,
                exit_code: job.exit_code,
            }),
            Err(oar_client::Error::Server { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// Jobs that left the queue since the last look.
fn starts(seen: &SubmissionRow, waiting: i64) -> u64 {
    let before = if seen.seen_waiting < 0 { seen.job_count } else { seen.seen_waiting };
    (before - waiting).max(0) as u64
}

/// A known job that is missing in its array's listing is no answer: it stays as it was, and somebody is told.
async fn report_vanished(round: &Round<'_>, seen: &SubmissionRow, found: &Found<'_>) -> Result<(), StepError> {
    let Some(first) = found.vanished.first() else { return Ok(()) };
    let scope = Scope::campaign_on(seen.campaign_id, round.name());
    let message = format!(
        "{} known jobs are missing in the listing of array {} (first: job {}, task {}). They are neither counted as \
         done nor sent again",
        found.vanished.len(),
        seen.array_id.unwrap_or_default(),
        first.id,
        first.task_index
    );
    let (event, now) = (NewEvent::note(scope, Code::JobVanished, message), round.now);
    round.store(move |store| store.open_events(&[event], now)).await
}

async fn record(
    round: &Round<'_>,
    seen: &SubmissionRow,
    (waiting, finals): (i64, i64),
    (started, ended): (Vec<i64>, ends::Ends),
) -> Result<(), StepError> {
    let (submission, now) = (seen.clone(), round.now);
    // A job left undecided must be looked at again although the counts stay.
    let finals = if ended.undecided { -1 } else { finals };
    let (events, followed) = (ended.events, ended.followed);
    let look = Look { waiting, finals, started, ends: ended.ends };
    round
        .store(move |store| {
            followed.iter().try_for_each(|(job, remote_id)| store.follow(*job, *remote_id as i64))?;
            store.record_look(&submission, &look, now)?;
            store.open_events(&events, now)
        })
        .await?;
    super::settle::drop_gate_of_ended(round, seen).await
}
