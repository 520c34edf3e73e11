//! Observing a submission: a count of what ended, and one of what waits unless nothing did, tell whether anything changed;
//! only then its rows are listed. Where nothing waits and nothing changes, looks become rarer.

use std::collections::{HashMap, HashSet};

use cigri_core::canary::{self, Canary};
use cigri_core::cause::Cause;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::ledger;
use cigri_core::state::JobState;
use cigri_store::{JobEnd, LiveJob, Look, SubmissionRow};
use oar_client::{JobQuery, JobSummary, State};

use super::{Memory, Round, StepError, absent, adopt, breakers, endless, ends, reset, stuck};

/// States of a job that has not started.
const WAITING: &[State] = &[State::Waiting, State::Hold, State::ToLaunch, State::ToAckReservation];
/// States of a job that has ended.
const FINAL: &[State] = &[State::Terminated, State::Error];

/// Equal counts may hide a change; a submission is listed whole at least this often.
const LIST_EVERY_MS: i64 = 300_000;

/// Looks at a submission and writes down what changed. Returns what moved since the last look; an error if the cluster
/// turned out to be another than the one we knew.
pub(super) async fn observe(round: &Round<'_>, memory: &mut Memory, seen: &SubmissionRow) -> Result<Moved, StepError> {
    let Some(array_id) = seen.array_id else { return Ok(Moved::default()) };
    // After a reset that an admin accepted, others' rows under our ids are no news.
    let is_older = seen.created_at < memory.ids_since;
    let client = &round.handle.client;
    let array = JobQuery { array: Some(array_id as u64), ..JobQuery::default() };
    let due = is_listing_due(round, memory, seen);
    let (finals, waiting) = counts(round, seen, (&array, due)).await?;
    let is_quiet = (waiting, finals) == (seen.seen_waiting, seen.seen_final);
    if !due && is_quiet {
        looked(round, memory, seen, is_quiet);
        return Ok(Moved::default());
    }
    let limit = seen.remote_count as u64 + 100;
    let mut listed = client.list_all(&JobQuery { limit, ..array }).await?;
    let id = seen.id;
    let mut live = round.store(move |store| store.live_jobs(id)).await?;
    if live.iter().any(|job| job.remote_id.is_none()) {
        adopt::complete(round, seen).await?;
        live = round.store(move |store| store.live_jobs(id)).await?;
    }
    let (there, denied) = second_look(round, seen, &compare(seen, &live, &listed).vanished).await?;
    listed.extend(there);
    let found = compare(seen, &live, &listed);
    if let Some(evidence) = found.anothers.filter(|_| !is_older) {
        reset::hold(round, &evidence).await?;
        return Err(StepError::Reset);
    }
    let given_up = stuck::look(round, memory, seen, (&live, &listed)).await?;
    let missing = absent::weigh(round, seen, &found.vanished, &denied).await?;
    let mut ended = ends::read_ends(round, memory, seen, found.ended).await?;
    ended.undecided |= !found.vanished.is_empty() && !missing.is_settled;
    if seen.role.is_step() && missing.lost.iter().any(|end| end.state == JobState::Cancelled) {
        let id = seen.campaign_id;
        if !round.store(move |store| store.is_cancelled(id)).await? {
            ended.events.push(seen.step_killed());
        }
    }
    stuck::send_elsewhere(round, memory, &mut ended.ends);
    ended.ends.extend(missing.lost);
    ended.ends.extend(given_up);
    if ended.endless {
        ended.events.extend(endless::count_failures(round, memory, seen, &ended.ends));
    }
    let moved = Moved::of(&live, &found.started, &ended.ends);
    let (ends, exhausted, pace) = (ended.ends, ended.exhausted, ended.pace);
    let (started, back) = (found.started, found.back);
    let look = Look { waiting, finals, started, missing: missing.new, found: back, ends, exhausted, pace };
    let settled = live.iter().any(|job| job.state == JobState::Unknown) && found.vanished.is_empty();
    let ends = look.ends.clone();
    record(round, seen, look, (ended.undecided, ended.followed, ended.events)).await?;
    breakers::note(round, memory, seen, &ends).await?;
    if settled {
        absent::forget(round, seen).await?;
    }
    memory.listed.insert(seen.id, round.now);
    looked(round, memory, seen, is_quiet);
    Ok(moved)
}

/// How many jobs of the array have ended, and how many wait. Where none waited and no more have ended, none waits now.
async fn counts(
    round: &Round<'_>,
    seen: &SubmissionRow,
    (array, due): (&JobQuery, bool),
) -> Result<(i64, i64), StepError> {
    let client = &round.handle.client;
    let finals = client.count(&JobQuery { states: FINAL.to_vec(), ..array.clone() }).await? as i64;
    if !due && (0, finals) == (seen.seen_waiting, seen.seen_final) {
        return Ok((finals, 0));
    }
    let waiting = client.count(&JobQuery { states: WAITING.to_vec(), ..array.clone() }).await? as i64;
    Ok((finals, waiting))
}

/// Notes a look that went well.
fn looked(round: &Round<'_>, memory: &mut Memory, seen: &SubmissionRow, is_quiet: bool) {
    let known = memory.looked_at.get(&seen.id).filter(|_| is_quiet);
    let changed = known.map_or(round.now, |(changed, _)| *changed);
    memory.looked_at.insert(seen.id, (changed, round.now));
}

/// Equal counts are no longer enough. A clock that went back makes everything due.
fn is_listing_due(round: &Round<'_>, memory: &Memory, seen: &SubmissionRow) -> bool {
    memory.listed.get(&seen.id).is_none_or(|at| !(0..LIST_EVERY_MS).contains(&(round.now - at)))
}

/// Whether this look can be left out. What somebody wants dead is followed closely, and asking a local cluster costs
/// nothing.
pub(super) fn can_wait(round: &Round<'_>, memory: &Memory, seen: &SubmissionRow) -> bool {
    let is_followed = memory.kills.contains_key(&seen.id) || is_listing_due(round, memory, seen);
    let is_quiet = seen.seen_waiting == 0 && seen.seen_final >= 0 && !is_followed;
    let Some((changed, looked)) = memory.looked_at.get(&seen.id).copied().filter(|_| is_quiet && !round.is_local())
    else {
        return false;
    };
    (0..ledger::next_look_ms(looked - changed)).contains(&(round.now - looked))
}

/// What a listing says about the live jobs.
struct Found<'a> {
    started: Vec<i64>,
    /// Jobs that were missing and wait there.
    back: Vec<i64>,
    ended: Vec<(&'a LiveJob, &'a JobSummary)>,
    vanished: Vec<&'a LiveJob>,
    /// A row under one of our ids is somebody else's: in words.
    anothers: Option<String>,
}

/// Matches by remote id, name and user: after a cluster's database was reset or restored, an id alone may be another's.
fn compare<'a>(seen: &SubmissionRow, live: &'a [LiveJob], listed: &'a [JobSummary]) -> Found<'a> {
    let by_id: HashMap<u64, &JobSummary> = listed.iter().map(|job| (job.id, job)).collect();
    let mut found =
        Found { started: Vec::new(), back: Vec::new(), ended: Vec::new(), vanished: Vec::new(), anothers: None };
    for job in live {
        let row = job.remote_id.and_then(|id| by_id.get(&(id as u64)));
        match row {
            None => found.vanished.push(job),
            Some(row) if !is_ours(seen, row) => {
                found.anothers = Some(whose(seen, row));
                found.vanished.push(job);
            }
            Some(row) if row.state.is_final() => found.ended.push((job, row)),
            // Its end says whether it had started.
            Some(row) if row.state == State::ToError => {}
            Some(row) if !WAITING.contains(&row.state) => {
                if job.state != JobState::Running {
                    found.started.push(job.id);
                }
            }
            Some(_) if job.state == JobState::Unknown => found.back.push(job.id),
            Some(_) => {}
        }
    }
    found
}

pub(super) fn is_ours(seen: &SubmissionRow, row: &JobSummary) -> bool {
    row.name.as_deref() == Some(&seen.name) && row.user.as_deref().is_none_or(|user| user == seen.remote_user)
}

fn whose(seen: &SubmissionRow, row: &JobSummary) -> String {
    let canary = Canary { remote_id: row.id, name: seen.name.clone(), user: seen.remote_user.clone() };
    canary::another(&canary, row.name.as_deref().unwrap_or_default(), row.user.as_deref().unwrap_or_default())
}

/// Missing jobs asked for one by one per look.
const SECOND_LOOKS: usize = 20;

/// Asks for missing jobs themselves: a copy that OAR made by its own resubmission is in no list before it is
/// scheduled, but answers under its id. A 500 there, between two healthy answers, is OAR's way to say that it knows no
/// such job. Returns what is there all the same, and our ids of the jobs that the cluster denies.
async fn second_look(
    round: &Round<'_>,
    seen: &SubmissionRow,
    vanished: &[&LiveJob],
) -> Result<(Vec<JobSummary>, Vec<i64>), StepError> {
    let mut asked: Vec<&&LiveJob> = vanished.iter().collect();
    // Those that were not asked for yet come first; then the one that has been missing longest.
    asked.sort_by_key(|job| job.missing_since);
    // The tasks of a group are one remote job.
    let mut once = HashSet::new();
    asked.retain(|job| job.remote_id.is_some_and(|id| once.insert(id)));
    let same = |remote_id: i64| vanished.iter().filter(move |job| job.remote_id == Some(remote_id)).map(|job| job.id);
    // What was not there when its array was adopted, and is not now, is denied without a question.
    let mut denied: Vec<i64> = vanished.iter().filter(|job| job.remote_id.is_none()).map(|job| job.id).collect();
    let mut there = Vec::new();
    for remote_id in asked.into_iter().take(SECOND_LOOKS).filter_map(|job| job.remote_id) {
        match round.handle.client.job_direct(remote_id as u64).await {
            Ok(found) => {
                let row = JobSummary {
                    id: found.id,
                    name: found.name,
                    state: found.state,
                    user: found.user,
                    queue_name: None,
                    exit_code: found.exit_code,
                };
                if !is_ours(seen, &row) {
                    denied.extend(same(remote_id));
                }
                there.push(row);
            }
            Err(oar_client::Error::Server { .. }) => denied.extend(same(remote_id)),
            Err(error) => return Err(error.into()),
        }
    }
    if !denied.is_empty() {
        round.handle.client.probe().await?;
    }
    Ok((there, denied))
}

/// Remote jobs of a submission that moved since the last look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// They left the queue, and not because they were taken out of it.
    pub(super) starts: u64,
    /// They were killed for others.
    pub(super) kills: u64,
}

impl Moved {
    /// `started` are those of the `live` jobs that run now. What was taken out of the queue, by whomever, did not start.
    fn of(live: &[LiveJob], started: &[i64], ends: &[JobEnd]) -> Moved {
        let is_new = |job: &LiveJob| job.state != JobState::Running && job.started_at.is_none();
        let started: HashSet<i64> = started.iter().copied().collect();
        let running = live.iter().filter(|job| started.contains(&job.id));
        let ran = ends.iter().filter(|end| !was_taken_out(end)).map(|end| &end.job);
        // The tasks of a group are one remote job.
        let starts: HashSet<Option<i64>> =
            running.chain(ran).filter(|job| is_new(job)).map(|job| job.remote_id).collect();
        let killed = ends.iter().filter(|end| end.cause == Cause::BestEffortKill.as_str());
        let kills: HashSet<Option<i64>> = killed.map(|end| end.job.remote_id).collect();
        Moved { starts: starts.len() as u64, kills: kills.len() as u64 }
    }
}

/// Whether it was still in the queue when somebody ended it.
fn was_taken_out(end: &JobEnd) -> bool {
    let by_somebody = end.killed || end.cause == ends::WITHDRAWN || end.state == JobState::Cancelled;
    by_somebody && end.started_at.is_none()
}

/// What a look changes, and what it says beside that: whether to look again whatever the counts say, jobs that go on
/// under another remote id, events.
async fn record(
    round: &Round<'_>,
    seen: &SubmissionRow,
    look: Look,
    (again, followed, events): (bool, Vec<(i64, u64)>, Vec<NewEvent>),
) -> Result<(), StepError> {
    let (submission, now) = (seen.clone(), round.now);
    let look = Look { finals: if again { -1 } else { look.finals }, ..look };
    let twice = round
        .store(move |store| {
            store.follow(&followed, ledger::MOST_HOPS)?;
            let twice = store.record_look(&submission, &look, now)?;
            store.open_events(&events, now)?;
            Ok(twice)
        })
        .await?;
    if !twice.is_empty() {
        let message = format!("tasks {twice:?} succeeded a second time: the first result counts, look at both");
        round.tell(NewEvent::note(Scope::campaign_on(seen.campaign_id, round.name()), Code::JobLost, message)).await?;
    }
    super::settle::drop_gate_of_ended(round, seen).await
}

#[cfg(test)]
mod tests {
    use cigri_core::state::{Role, SubmissionState};

    use super::*;

    fn seen() -> SubmissionRow {
        SubmissionRow {
            id: 1,
            campaign_id: 1,
            cluster: "dahu".into(),
            owner: "alice".into(),
            remote_user: "al".into(),
            role: Role::Tasks,
            state: SubmissionState::Open,
            name: "cigri.x.1.0".into(),
            gate_id: Some(1),
            array_id: Some(2),
            directory: "/".into(),
            job_count: 1,
            remote_count: 1,
            results: None,
            seen_waiting: 0,
            seen_final: 0,
            created_at: 0,
            changed_at: 0,
            watermark: 0,
            level: 0,
        }
    }

    fn live_job(id: i64, remote_id: i64) -> LiveJob {
        LiveJob {
            id,
            remote_id: Some(remote_id),
            task_index: 0,
            generation: 1,
            attempt: 1,
            state: JobState::Submitted,
            missing_since: None,
            wish: None,
            started_at: None,
        }
    }

    fn end(job: LiveJob, (state, cause): (JobState, &str), started_at: Option<i64>) -> JobEnd {
        JobEnd {
            job,
            state,
            exit_code: None,
            cause: cause.to_owned(),
            detail: None,
            started_at,
            stopped_at: Some(9),
            killed: state == JobState::Killed && cause != ends::WITHDRAWN,
            back: None,
            failure: None,
        }
    }

    #[test]
    fn only_what_ran_has_started_however_it_left_the_queue() {
        let of = |ends: &[JobEnd]| Moved::of(&[], &[], ends);
        let starts = |count| Moved { starts: count, kills: 0 };
        let killed = |cause, started_at| of(&[end(live_job(5, 2), (JobState::Killed, cause), started_at)]);
        for cause in ["person_kill", "withdrawn", "lost"] {
            assert_eq!(killed(cause, None), starts(0), "{cause}: it waited");
        }
        assert_eq!(killed("person_kill", Some(3)), starts(1), "it had started since the last look");
        assert_eq!(killed("best_effort_kill", Some(3)), Moved { starts: 1, kills: 1 });
        assert_eq!(of(&[end(live_job(5, 2), (JobState::Cancelled, "person_kill"), None)]), starts(0));
        assert_eq!(of(&[end(live_job(5, 2), (JobState::Done, "success"), None)]), starts(1));
        let ran = LiveJob { state: JobState::Running, started_at: Some(1), ..live_job(5, 2) };
        assert_eq!(of(&[end(ran, (JobState::Done, "success"), Some(1))]), starts(0), "its start was seen before");
    }

    #[test]
    fn the_tasks_of_a_group_start_as_one_job_and_what_was_missing_does_not_start_again() {
        let found_again = LiveJob { state: JobState::Unknown, started_at: Some(1), ..live_job(8, 4) };
        let live = [live_job(5, 2), live_job(6, 2), live_job(7, 3), found_again];
        assert_eq!(Moved::of(&live, &[5, 6, 8], &[]), Moved { starts: 1, kills: 0 });
    }

    #[test]
    fn what_is_about_to_be_an_error_tells_nothing_yet() {
        let (seen, live) = (seen(), [live_job(5, 2)]);
        let (name, user) = (Some(seen.name.clone()), Some(seen.remote_user.clone()));
        let rows = |state| {
            [JobSummary { id: 2, name: name.clone(), state, user: user.clone(), queue_name: None, exit_code: None }]
        };
        assert!(compare(&seen, &live, &rows(State::ToError)).started.is_empty());
        assert_eq!(compare(&seen, &live, &rows(State::Launching)).started, [5]);
    }

    #[test]
    fn a_row_under_our_id_with_anothers_name_or_user_is_not_believed() {
        let (seen, live) = (seen(), [live_job(5, 2)]);
        let row = |name: &str, user: &str| {
            let (name, user) = (Some(name.to_owned()), Some(user.to_owned()));
            [JobSummary { id: 2, name, state: State::Terminated, user, queue_name: None, exit_code: Some(0) }]
        };
        assert_eq!(compare(&seen, &live, &row("cigri.x.1.0", "al")).ended.len(), 1);
        for other in [row("cigri.x.9.0", "al"), row("cigri.x.1.0", "bob")] {
            let found = compare(&seen, &live, &other);
            assert_eq!((found.ended.len(), found.vanished.len()), (0, 1), "{other:?}");
            assert!(found.anothers.unwrap().starts_with("job 2 was `cigri.x.1.0` of al and is now"));
        }
    }
}
