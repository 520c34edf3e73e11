//! Observing a submission: two counts tell whether anything changed; only then its rows are listed.

use std::collections::HashMap;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::JobState;
use cigri_store::{LiveJob, Look, SubmissionRow};
use oar_client::{JobQuery, JobSummary, State};

use super::{Memory, Round, StepError, ends};

/// States of a job that has not started.
const WAITING: &[State] = &[State::Waiting, State::Hold, State::ToLaunch, State::ToAckReservation];
/// States of a job that has ended.
const FINAL: &[State] = &[State::Terminated, State::Error];

/// Equal counts may hide a change; a submission is listed whole at least this often.
const LIST_EVERY_MS: i64 = 300_000;

/// Looks at a submission and writes down what changed. Returns how many jobs started since the last look.
pub(super) async fn observe(round: &Round<'_>, memory: &mut Memory, seen: &SubmissionRow) -> Result<u64, StepError> {
    let Some(array_id) = seen.array_id else { return Ok(0) };
    let client = &round.handle.client;
    let array = JobQuery { array: Some(array_id as u64), ..JobQuery::default() };
    let finals = client.count(&JobQuery { states: FINAL.to_vec(), ..array.clone() }).await? as i64;
    let waiting = client.count(&JobQuery { states: WAITING.to_vec(), ..array.clone() }).await? as i64;
    let due = memory.listed.get(&seen.id).is_none_or(|at| round.now - at >= LIST_EVERY_MS);
    if !due && (waiting, finals) == (seen.seen_waiting, seen.seen_final) {
        return Ok(0);
    }
    memory.listed.insert(seen.id, round.now);
    let limit = seen.job_count as u64 + 100;
    let mut listed = client.list_all(&JobQuery { limit, ..array }).await?;
    let id = seen.id;
    let live = round.store(move |store| store.live_jobs(id)).await?;
    listed.extend(second_look(round, &compare(seen, &live, &listed).vanished).await?);
    let found = compare(seen, &live, &listed);
    report_vanished(round, seen, &found).await?;
    let mut ended = ends::read_ends(round, seen, found.ended).await?;
    if round.is_local() {
        // The local cluster's journal is the only other witness: what it does not know does not run.
        ended.ends.extend(found.vanished.iter().map(|job| ends::vanished(job, round.now)));
    }
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

/// Matches by remote id, name and user: after a cluster's database was reset or restored, an id alone may be another's.
fn compare<'a>(seen: &SubmissionRow, live: &'a [LiveJob], listed: &'a [JobSummary]) -> Found<'a> {
    let is_ours = |job: &JobSummary| {
        job.name.as_deref() == Some(&seen.name) && job.user.as_deref().is_none_or(|user| user == seen.remote_user)
    };
    let by_id: HashMap<u64, &JobSummary> = listed.iter().filter(|job| is_ours(job)).map(|job| (job.id, job)).collect();
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

#[cfg(test)]
mod tests {
    use cigri_core::state::SubmissionState;

    use super::*;

    #[test]
    fn a_row_under_our_id_with_anothers_name_or_user_is_not_believed() {
        let seen = SubmissionRow {
            id: 1,
            campaign_id: 1,
            cluster: "dahu".into(),
            owner: "alice".into(),
            remote_user: "al".into(),
            state: SubmissionState::Open,
            name: "cigri.x.1.0".into(),
            gate_id: Some(1),
            array_id: Some(2),
            directory: "/".into(),
            job_count: 1,
            seen_waiting: 0,
            seen_final: 0,
            changed_at: 0,
        };
        let live = [LiveJob {
            id: 5,
            remote_id: Some(2),
            task_index: 0,
            generation: 1,
            attempt: 1,
            state: JobState::Submitted,
        }];
        let row = |name: &str, user: &str| {
            let (name, user) = (Some(name.to_owned()), Some(user.to_owned()));
            [JobSummary { id: 2, name, state: State::Terminated, user, exit_code: Some(0) }]
        };
        assert_eq!(compare(&seen, &live, &row("cigri.x.1.0", "al")).ended.len(), 1);
        for other in [row("cigri.x.9.0", "al"), row("cigri.x.1.0", "bob")] {
            let found = compare(&seen, &live, &other);
            assert_eq!((found.ended.len(), found.vanished.len()), (0, 1), "{other:?}");
        }
    }
}
