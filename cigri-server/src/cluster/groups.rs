//! Groups of tasks on a cluster: how they are sent, and what became of each task once its remote job has ended.

use std::collections::{BTreeMap, HashMap};

use cigri_core::cause::Cause;
use cigri_core::command;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::group::journal::{self, Told};
use cigri_core::group::{self, NOT_INSTALLED, Pace, Place, Script, Setup, Times};
use cigri_core::language::ClusterSpec;
use cigri_core::state::CampaignState;
use cigri_core::task_ids::TaskIds;
use cigri_store::{CampaignRow, NewGroup, RoundCampaign, StoreError, SubmissionRow, Task};
use oar_client::{Error as ApiError, Token};

use super::ends::{Ends, Facts};
use super::{Round, StepError};

/// At most this many journals are read per look; the others wait for the next.
const JOURNALS_PER_LOOK: usize = 50;
/// A file server may be late: what a journal leaves open is believed only when it is read again after this long.
const REREAD_MS: i64 = 5_000;

/// At most this many grouped tasks are sent in one submission: the next round sends more.
const MOST_PER_SUBMISSION: i64 = 20_000;

/// At most this many tasks of such jobs are sent at once.
pub(super) fn limit(group: &NewGroup) -> i64 {
    group.jobs.saturating_mul(group.tasks as i64).min(MOST_PER_SUBMISSION)
}

/// How the tasks that may go are grouped; `None` where each is a job of its own. The event says why they cannot be.
pub(super) fn choose(
    round: &Round<'_>,
    campaign: &RoundCampaign,
    spec: &ClusterSpec,
    jobs: u64,
) -> Result<Option<NewGroup>, Box<NewEvent>> {
    if spec.grouping.is_none() {
        return Ok(None);
    }
    let Some(results) = Place::choose(&spec.exec_directory, round.is_local()) else {
        let scope = Scope::campaign_on(campaign.row.id, round.name());
        let message = format!(
            "results of grouped tasks could not be read on {} below exec_directory `{}`: use a path without blanks, `$`, \
             `,` and backquotes, or one that begins with $HOME",
            round.name(),
            spec.exec_directory
        );
        return Err(Box::new(NewEvent::hold(scope, Code::SubmitRefused, message)));
    };
    let pending = campaign.pending_here.max(0) as u64;
    let tasks = group::tasks_per_job(&spec.grouping, &campaign.pace, jobs, pending);
    Ok(Some(NewGroup { jobs: jobs as i64, tasks, results }))
}

/// What a job of the submission asks for.
pub(super) fn request(spec: &ClusterSpec, submission: &SubmissionRow, tasks: &[(Task, String)]) -> ClusterSpec {
    let largest = tasks.iter().map(|(task, _)| task.slot as u64 + 1).max();
    match submission.results {
        None => spec.clone(),
        Some(_) => group::remote_spec(spec, largest.unwrap_or(1)),
    }
}

/// The command of the submission's array, whose jobs ask for `spec`, and each task by itself for `one`.
pub(super) async fn command(
    round: &Round<'_>,
    submission: &SubmissionRow,
    (campaign, spec, one): (&RoundCampaign, &ClusterSpec, &ClusterSpec),
    ids: &TaskIds,
) -> Result<String, StepError> {
    let names = campaign.row.spec.parameter_names();
    let single = command::remote_command(submission.campaign_id as u64, &submission.cluster, ids, spec, names);
    let Some(place) = submission.results else { return Ok(single) };
    let (login, cluster) = (submission.remote_user.clone(), submission.cluster.clone());
    let is_there = round.store(move |store| store.has_runner(&login, &cluster, &group::runner_name())).await?;
    let script = match is_there {
        // There is no other job whose rows could grow, and nothing to leave in anybody's home.
        _ if round.is_local() => Script::Carried,
        true => Script::Named,
        false => Script::Installed,
    };
    let times = Times::of(one, spec);
    let setup = Setup { place, submission: &submission.name, times, script };
    Ok(group::grouped_command(&single, &setup))
}

/// The lines of the array, one for each remote job.
pub(super) fn lines(
    submission: &SubmissionRow,
    ids: &TaskIds,
    tasks: &[(Task, String)],
) -> Result<Vec<String>, StepError> {
    let words = |(task, text): &(Task, String)| {
        let missing = || StoreError::Corrupt(format!("task {} of {} has no id", task.index, submission.name));
        let id = ids.id_of(task.index as u64).ok_or_else(missing)?;
        Ok((id, task.attempt as u32, text.clone()))
    };
    let jobs = tasks.chunk_by(|(one, _), (next, _)| one.array_index == next.array_index);
    let line = |job: &[(Task, String)]| {
        let words = job.iter().map(words).collect::<Result<Vec<_>, StepError>>()?;
        Ok(match (submission.results, words.as_slice()) {
            (None, [(id, attempt, text)]) => command::parameter_line(*id, *attempt, text),
            _ => group::job_line(words.iter().map(|(id, attempt, text)| (*id, *attempt, text.as_str()))),
        })
    };
    jobs.map(line).collect()
}

/// Results that cannot be read for so long are given up: a file that is gone for good must not keep a campaign alive.
const UNREAD_MS: i64 = 3_600_000;

/// What is remembered of remote jobs whose groups are not judged yet.
#[derive(Default)]
pub(super) struct Doubts {
    /// Those that left something open, and when their results were first read, epoch milliseconds.
    open: HashMap<u64, i64>,
    /// Those whose results cannot be read, and since when, epoch milliseconds.
    unread: HashMap<u64, i64>,
}

/// Reads the journals of a submission's remote jobs, within a budget.
pub(super) struct Reader<'a> {
    round: &'a Round<'a>,
    seen: &'a SubmissionRow,
    token: Option<&'a Token>,
    folder: String,
    ids: TaskIds,
    side_by_side: u64,
    left: usize,
    /// Why nothing more is read in this look.
    failure: Option<String>,
    is_cancelled: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        round: &'a Round<'a>,
        seen: &'a SubmissionRow,
        campaign: &CampaignRow,
        token: Option<&'a Token>,
    ) -> Reader<'a> {
        let spec = campaign.spec.clusters.get(round.name());
        Reader {
            round,
            seen,
            token,
            folder: folder(seen, campaign),
            ids: campaign.task_ids.clone(),
            side_by_side: spec.map_or(1, |spec| u64::from(spec.grouping.side_by_side.max(1))),
            left: JOURNALS_PER_LOOK,
            failure: None,
            is_cancelled: campaign.state == CampaignState::Cancelled,
        }
    }

    /// What the runner of a remote job told; `None` if that cannot be learnt now.
    async fn read(&mut self, remote_id: u64, events: &mut Vec<NewEvent>) -> Option<BTreeMap<u64, Told>> {
        if self.failure.is_some() {
            return None;
        }
        let Some(token) = self.token else {
            let failure = format!("there is no token of {}", self.seen.owner);
            events.push(self.unreadable(format!("the results of job {remote_id} cannot be read: {failure}")));
            self.failure = Some(failure);
            return None;
        };
        self.left = self.left.checked_sub(1)?;
        let path = format!("{}/{remote_id}.r", self.folder);
        match self.round.handle.client.media(token, &path, None).await {
            Ok(bytes) => Some(bytes.map(|bytes| journal::read(&bytes)).unwrap_or_default()),
            Err(error) => {
                // Not once more for each of the others.
                self.failure = Some(error.to_string());
                events.push(match error {
                    ApiError::Unauthorized { .. } => self.round.bad_token(&self.seen.owner, &error),
                    _ => self.unreadable(format!("the results of job {remote_id} cannot be read: {error}")),
                });
                None
            }
        }
    }

    /// Whether results that cannot be read are not waited for any more: nobody wants them, or it has been long.
    fn gives_up(&self, unread: &mut HashMap<u64, i64>, remote_id: u64) -> bool {
        let since = *unread.entry(remote_id).or_insert(self.round.now);
        self.is_cancelled || self.round.now - since >= UNREAD_MS
    }

    fn unreadable(&self, what: String) -> NewEvent {
        let scope = Scope::campaign_on(self.seen.campaign_id, self.round.name());
        NewEvent::note(scope, Code::ResultsUnreadable, what)
    }
}

/// Where the results of a submission's grouped tasks are on its cluster.
pub(crate) fn folder(submission: &SubmissionRow, campaign: &CampaignRow) -> String {
    let place = submission.results.unwrap_or(Place::Here);
    let spec = campaign.spec.clusters.get(&submission.cluster);
    let written = spec.map(|spec| command::remote_directory(campaign.id as u64, spec)).unwrap_or_default();
    group::results_folder(place, (&written, &submission.directory), &submission.name)
}

/// Gives each task of a group the cause of its own end. Remote jobs whose results are not known yet are left out.
pub(super) async fn tell_apart<'a>(
    mut reader: Reader<'_>,
    doubts: &mut Doubts,
    facts: Vec<Facts<'a>>,
    result: &mut Ends,
) -> Result<Vec<Facts<'a>>, StepError> {
    let mut known = Vec::with_capacity(facts.len());
    let mut works = None;
    for job in jobs_of(facts) {
        match judge(&mut reader, doubts, &job, &mut result.events).await {
            Verdict::Later => result.undecided = true,
            Verdict::Shared(cause) => {
                works = match &cause {
                    Cause::Success => Some(true),
                    Cause::RunnerMissing => Some(false),
                    _ => works,
                };
                // It goes on, and is counted when it has ended.
                if !matches!(cause, Cause::Undecided | Cause::ResubmittedAs(_)) {
                    result.pace = result.pace.and(pace(&reader, &job, None));
                }
                known.extend(job.into_iter().map(|facts| Facts { cause: cause.clone(), ..facts }));
            }
            Verdict::Told(told) => {
                works = Some(true);
                result.pace = result.pace.and(pace(&reader, &job, Some(&told)));
                known.extend(tell(&reader, job, told));
            }
        }
    }
    if let Some(works) = works {
        note_runner(&reader, works).await?;
    }
    Ok(known)
}

/// The tasks of each remote job: they follow each other.
fn jobs_of(facts: Vec<Facts<'_>>) -> Vec<Vec<Facts<'_>>> {
    let mut jobs: Vec<Vec<Facts<'_>>> = Vec::new();
    for facts in facts {
        match jobs.last_mut().filter(|job| job.first().is_some_and(|one| one.summary.id == facts.summary.id)) {
            Some(job) => job.push(facts),
            None => jobs.push(vec![facts]),
        }
    }
    jobs
}

/// What is known of the tasks of an ended remote job.
enum Verdict {
    /// They all ended in this way.
    Shared(Cause),
    /// The runner told of some.
    Told(BTreeMap<u64, Told>),
    /// Look again.
    Later,
}

async fn judge(reader: &mut Reader<'_>, doubts: &mut Doubts, job: &[Facts<'_>], events: &mut Vec<NewEvent>) -> Verdict {
    let Some(first) = job.first() else { return Verdict::Later };
    let never_started = first.details.is_some_and(|details| details.start_time == 0);
    match &first.cause {
        Cause::Success | Cause::Undecided | Cause::ResubmittedAs(_) => return Verdict::Shared(first.cause.clone()),
        Cause::ExitCode(NOT_INSTALLED) => return Verdict::Shared(Cause::RunnerMissing),
        cause if never_started => return Verdict::Shared(group::cause_without_journal(cause, is_for_another(job))),
        _ => {}
    }
    let id = first.summary.id;
    let told = match reader.read(id, events).await {
        Some(told) => told,
        None => return unread(reader, doubts, job, events),
    };
    doubts.unread.remove(&id);
    let (now, is_local) = (reader.round.now, reader.round.is_local());
    if !is_local && !journal::is_settled(&told, job.len()) && now - *doubts.open.entry(id).or_insert(now) < REREAD_MS {
        return Verdict::Later;
    }
    doubts.open.remove(&id);
    if !told.is_empty() {
        return Verdict::Told(told);
    }
    if !first.cause.is_kill() {
        let text = format!("job {id} left no results ({:?}): its {} tasks are sent again", first.cause, job.len());
        events.push(reader.unreadable(text));
    }
    Verdict::Shared(group::cause_without_journal(&first.cause, is_for_another(job)))
}

/// What is known of a group whose results were not read in this look.
fn unread(reader: &Reader<'_>, doubts: &mut Doubts, job: &[Facts<'_>], events: &mut Vec<NewEvent>) -> Verdict {
    let (Some(first), Some(failure)) = (job.first(), &reader.failure) else { return Verdict::Later };
    let id = first.summary.id;
    if !reader.gives_up(&mut doubts.unread, id) {
        return Verdict::Later;
    }
    doubts.unread.remove(&id);
    doubts.open.remove(&id);
    let text = format!("the results of job {id} and its {} tasks are given up: {failure}", job.len());
    events.push(reader.unreadable(text));
    Verdict::Shared(group::cause_without_journal(&first.cause, is_for_another(job)))
}

/// Whether the remote job was killed because its owner wants one of its tasks dead.
fn is_for_another(job: &[Facts<'_>]) -> bool {
    job.iter().any(|facts| facts.job.wish.is_some())
}

fn tell<'a>(reader: &Reader<'_>, job: Vec<Facts<'a>>, mut told: BTreeMap<u64, Told>) -> Vec<Facts<'a>> {
    let for_another = is_for_another(&job);
    let own = |facts: Facts<'a>| {
        let id = reader.ids.id_of(facts.job.task_index as u64);
        let told = id.and_then(|id| told.remove(&id));
        let cause = group::cause_of(told.as_ref(), &facts.cause, for_another && facts.job.wish.is_none());
        Facts { cause, told, ..facts }
    };
    job.into_iter().map(own).collect()
}

/// What a remote job says about how long tasks and jobs last there.
fn pace(reader: &Reader<'_>, job: &[Facts<'_>], told: Option<&BTreeMap<u64, Told>>) -> Pace {
    let Some(first) = job.first() else { return Pace::default() };
    let times = first.details.map(|details| (details.start_time * 1000, details.stop_time * 1000));
    let exact = times.filter(|(start, stop)| *start > 0 && stop >= start).map(|(start, stop)| stop - start);
    // What was seen from outside is good enough for the rate of kills.
    let seen = first.job.started_at.map(|at| (reader.round.now - at).max(0));
    let Some(job_ms) = exact.or(seen) else { return Pace::default() };
    let (tasks, busy_ms) = match (told, exact) {
        (Some(told), _) => measured(told),
        (None, Some(ms)) if first.cause == Cause::Success => {
            (job.len() as u64, ms as u64 * reader.side_by_side.min(job.len() as u64))
        }
        _ => (0, 0),
    };
    let kills = u64::from(first.cause == Cause::BestEffortKill);
    Pace { tasks, busy_ms, jobs: 1, job_ms: job_ms as u64, kills }
}

fn measured(told: &BTreeMap<u64, Told>) -> (u64, u64) {
    let durations = told.values().filter_map(|told| match told {
        Told::Ended { began_ms, ended_ms, .. } => Some((ended_ms - began_ms).max(0) as u64),
        Told::Began { .. } => None,
    });
    durations.fold((0, 0), |(tasks, sum), duration| (tasks + 1, sum + duration))
}

async fn note_runner(reader: &Reader<'_>, works: bool) -> Result<(), StepError> {
    let (login, cluster) = (reader.seen.remote_user.clone(), reader.seen.cluster.clone());
    let name = group::runner_name();
    reader.round.store(move |store| store.note_runner(&login, &cluster, &name, works)).await
}
