//! Reading the ends of remote jobs: details where they are needed, then cause, reaction and effects.

use std::collections::HashMap;

use cigri_core::cause::{self, Cause, RemoteEnd, RemoteEvent};
use cigri_core::event::{self, Code, NewEvent, Scope};
use cigri_core::failure::{Class, Failure};
use cigri_core::group::Pace;
use cigri_core::group::journal::Told;
use cigri_core::reaction::{self, Budgets, Place, Reaction};
use cigri_core::state::{CampaignState, JobState, Wish};
use cigri_store::{JobEnd, LiveJob, Return, SubmissionRow};
use oar_client::{JobDetails, JobQuery, JobSummary, State, Token};

use super::{Round, StepError, groups, steps};
use crate::output::Stream;

/// At most this many stderr tails are read per look: a campaign that fails as a whole must not flood the cluster.
const TAILS_PER_LOOK: usize = 50;
/// Lines of stderr kept with a failed job.
const TAIL_LINES: u32 = 5;
/// The cause of a job that was taken back before it started.
pub(super) const WITHDRAWN: &str = "withdrawn";
/// Characters of stderr kept with a failed job.
const TAIL_CHARS: usize = 2000;

/// What a look's ended jobs mean.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) ends: Vec<JobEnd>,
    /// Jobs that go on under another remote id.
    pub(super) followed: Vec<(i64, u64)>,
    pub(super) events: Vec<NewEvent>,
    /// What grouped tasks say about their pace.
    pub(super) pace: Pace,
    /// Some job must be looked at again.
    pub(super) undecided: bool,
    /// The campaign has no end.
    pub(super) endless: bool,
    /// A task of it said that nothing is left to do.
    pub(super) exhausted: bool,
}

/// Reads causes and decides about every ended job.
pub(super) async fn read_ends(
    round: &Round<'_>,
    doubts: &mut groups::Doubts,
    seen: &SubmissionRow,
    ended: Vec<(&LiveJob, &JobSummary)>,
) -> Result<Ends, StepError> {
    if ended.is_empty() {
        return Ok(Ends::default());
    }
    let details = fetch_details(round, seen, &ended).await?;
    let campaign_id = seen.campaign_id;
    let jobs: Vec<LiveJob> = ended.iter().map(|(job, _)| (*job).clone()).collect();
    let (histories, campaign) = round
        .store(move |store| {
            let histories = store.histories(campaign_id, &jobs.iter().collect::<Vec<_>>())?;
            Ok((histories, store.campaign(campaign_id)?))
        })
        .await?;
    let everybody = (campaign.state == CampaignState::Cancelled).then_some(Wish::Cancel);
    let token = round.grid.token(&seen.owner, round.handle)?.ok().map(|(token, _)| token);
    let is_cancelled = everybody.is_some();
    let endless = campaign.spec.endless.is_some() && !seen.role.is_step();
    let mut result = Ends { endless, ..Ends::default() };
    let mut facts = Vec::with_capacity(ended.len());
    for (job, summary) in ended {
        let details = details.get(&summary.id);
        if details.is_none() && wants_details(round, seen, summary) {
            // A listing may leave rows out: without its events an Error says nothing.
            result.undecided = true;
            continue;
        }
        let cause = cause::classify(&remote_end(summary, details));
        facts.push(Facts { job, summary, details, cause, told: None });
    }
    if seen.results.is_some() {
        let reader = groups::Reader::new(round, seen, &campaign, token.as_ref());
        facts = groups::tell_apart(reader, doubts, facts, &mut result).await?;
    }
    let mut tails = Tails { round, seen, token, left: TAILS_PER_LOOK, last: None };
    for facts in facts {
        let job = facts.job;
        let history = histories.get(&(job.task_index, job.generation)).copied().unwrap_or_default();
        let wish = everybody.or(job.wish);
        let reaction = reaction::react(&facts.cause, &history, &budgets(round, facts.details), wish);
        let reaction = steps::reaction(seen.role, reaction);
        if seen.role.is_step() && reaction == Reaction::Cancel && !is_cancelled {
            result.events.push(seen.step_killed());
        }
        let exhausted = result.endless && facts.cause == Cause::AskedRetryLast;
        let reaction = if exhausted { Reaction::Succeed } else { reaction };
        result.exhausted |= exhausted;
        apply(round, &mut result, facts, reaction, &mut tails).await?;
    }
    result.events = event::merge(std::mem::take(&mut result.events));
    Ok(result)
}

/// Details are asked for where the short row does not say enough: on failures, and everywhere on a local cluster,
/// where they cost nothing and give true times.
async fn fetch_details(
    round: &Round<'_>,
    seen: &SubmissionRow,
    ended: &[(&LiveJob, &JobSummary)],
) -> Result<HashMap<u64, JobDetails>, StepError> {
    let wanted = ended.iter().filter(|(_, summary)| wants_details(round, seen, summary));
    let mut ids: Vec<u64> = wanted.map(|(_, summary)| summary.id).collect();
    // The tasks of a group are one remote job.
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = round.handle.client.details(&JobQuery { ids, ..JobQuery::default() }).await?;
    Ok(found.into_iter().map(|job| (job.id, job)).collect())
}

fn wants_details(round: &Round<'_>, seen: &SubmissionRow, summary: &JobSummary) -> bool {
    // Groups of one task are there to be measured.
    let is_sample = seen.results.is_some() && seen.remote_count == seen.job_count;
    round.is_local() || is_sample || summary.state == State::Error || summary.exit_code.is_none()
}

fn remote_end(summary: &JobSummary, details: Option<&JobDetails>) -> RemoteEnd {
    let told = |event: &oar_client::JobEvent| RemoteEvent {
        kind: event.kind.clone(),
        description: event.description.clone(),
        to_check: event.to_check,
    };
    RemoteEnd {
        terminated: summary.state == State::Terminated,
        wait_status: summary.exit_code.or_else(|| details.and_then(|job| job.exit_code)),
        events: details.map(|job| job.events.iter().map(told).collect()).unwrap_or_default(),
    }
}

/// What is known about the end of one job.
pub(super) struct Facts<'a> {
    pub(super) job: &'a LiveJob,
    pub(super) summary: &'a JobSummary,
    pub(super) details: Option<&'a JobDetails>,
    pub(super) cause: Cause,
    /// What the runner of its group told of it.
    pub(super) told: Option<Told>,
}

async fn apply(
    round: &Round<'_>,
    result: &mut Ends,
    facts: Facts<'_>,
    reaction: Reaction,
    tails: &mut Tails<'_>,
) -> Result<(), StepError> {
    let scope = || Scope::campaign_on(tails.seen.campaign_id, round.name());
    let (state, detail, back) = match reaction {
        Reaction::Wait => {
            result.undecided = true;
            return Ok(());
        }
        Reaction::Follow(id) => {
            result.followed.push((facts.job.id, id));
            result.undecided = true;
            return Ok(());
        }
        Reaction::Succeed => (JobState::Done, None, None),
        Reaction::Cancel => (JobState::Cancelled, None, None),
        Reaction::Fail { advice } => {
            let tail = tails.of(&facts).await;
            let message = format!("task {}: {advice}", facts.job.task_index);
            let code = if facts.cause == Cause::Walltime { Code::Walltime } else { Code::ExitError };
            result.events.push(NewEvent::note(scope(), code, with_tail(&message, tail.as_deref())));
            (JobState::Failed, Some(with_tail(&advice, tail.as_deref())), None)
        }
        Reaction::Retry(place) => (JobState::Killed, None, Some(back(round, place))),
        Reaction::Hold { advice, .. } if tails.seen.role.is_step() => {
            let tail = tails.read(&facts).await;
            let message = with_tail(&advice, tail.as_deref());
            result.events.push(tails.seen.step_failed(&message));
            (JobState::Failed, Some(message), None)
        }
        Reaction::Hold { code, advice } => {
            let tail = tails.of(&facts).await;
            let message = with_tail(&advice, tail.as_deref());
            result.events.push(NewEvent::hold(scope(), code, message.clone()));
            (JobState::Killed, Some(message), Some(back(round, Place::Elsewhere)))
        }
    };
    // Taken back before it started: nothing was lost, and no budget is touched.
    let never_ran = facts.job.state == JobState::Submitted && facts.cause.is_kill();
    let withdrawn = back.is_some() && never_ran && facts.job.wish == Some(Wish::Again);
    let (started_at, stopped_at) = times(&facts);
    let class = Class::of(&facts.cause).filter(|class| *class != Class::Preempted && !withdrawn);
    result.ends.push(JobEnd {
        failure: class.map(|class| Failure { class, node: None, signature: None }),
        job: facts.job.clone(),
        state,
        exit_code: exit_code(&facts.cause),
        cause: if withdrawn { WITHDRAWN } else { facts.cause.as_str() }.to_owned(),
        killed: back.is_some() && facts.cause.is_kill() && !withdrawn,
        detail,
        started_at,
        stopped_at: stopped_at.or(Some(round.now)),
        back,
    });
    Ok(())
}

/// When a job started and stopped, epoch milliseconds, as far as its runner or its cluster tells.
fn times(facts: &Facts<'_>) -> (Option<i64>, Option<i64>) {
    let seconds = |time: i64| (time > 0).then_some(time * 1000);
    let of_job = |time: fn(&JobDetails) -> i64| facts.details.and_then(|job| seconds(time(job)));
    match &facts.told {
        Some(Told::Ended { began_ms, ended_ms, .. }) => (Some(*began_ms), Some(*ended_ms)),
        Some(Told::Began { at_ms }) => (Some(*at_ms), of_job(|job| job.stop_time)),
        None => (of_job(|job| job.start_time), of_job(|job| job.stop_time)),
    }
}

/// A local job that was sent a kill signal was interrupted by the end of its cluster's own process: the user's doing,
/// as often as they like.
fn budgets(round: &Round<'_>, details: Option<&JobDetails>) -> Budgets {
    let was_killed = details.is_some_and(|job| job.events.iter().any(|event| event.kind == "SEND_KILL_JOB"));
    let usual = Budgets::default();
    let infrastructure = if round.is_local() && was_killed { u32::MAX } else { usual.infrastructure };
    Budgets { infrastructure, ..usual }
}

fn back(round: &Round<'_>, place: Place) -> Return {
    let avoid_cluster = (place == Place::Elsewhere).then(|| round.name().to_owned());
    Return { last: place == Place::Last, avoid_cluster }
}

fn exit_code(cause: &Cause) -> Option<i32> {
    match cause {
        Cause::Success => Some(0),
        Cause::AskedRetry => Some(66),
        Cause::AskedRetryLast => Some(67),
        Cause::ExitCode(code) | Cause::ProgramMissing(code) => Some(*code),
        _ => None,
    }
}

fn with_tail(message: &str, tail: Option<&str>) -> String {
    tail.map_or_else(|| message.to_owned(), |tail| format!("{message}\n{tail}"))
}

/// Reads the last lines of stderr, within a budget.
struct Tails<'a> {
    round: &'a Round<'a>,
    seen: &'a SubmissionRow,
    token: Option<Token>,
    left: usize,
    /// The remote job read last: tasks of a group share one.
    last: Option<(u64, Option<String>)>,
}

impl Tails<'_> {
    /// The runner of a group has brought its tasks' with its results.
    async fn of(&mut self, facts: &Facts<'_>) -> Option<String> {
        match &facts.told {
            Some(Told::Ended { tail, .. }) => (!tail.is_empty()).then(|| tail.clone()),
            _ => self.read(facts).await,
        }
    }

    async fn read(&mut self, facts: &Facts<'_>) -> Option<String> {
        let id = facts.summary.id;
        if let Some((_, text)) = self.last.as_ref().filter(|(last, _)| *last == id) {
            return text.clone();
        }
        let text = self.fetch(id).await;
        self.last = Some((id, text.clone()));
        text
    }

    /// `None` when there is nothing, or it cannot be read: a missing tail must not hide the failure itself.
    async fn fetch(&mut self, remote_id: u64) -> Option<String> {
        let token = self.token.as_ref()?;
        self.left = self.left.checked_sub(1)?;
        let path = crate::output::path(&self.seen.directory, &self.seen.name, remote_id, Stream::Err);
        let answer = self.round.handle.client.media(token, &path, Some(TAIL_LINES)).await;
        if answer.as_ref().is_err_and(oar_client::Error::is_doubt) {
            // It hangs or fails: not once more for each of the others.
            self.left = 0;
        }
        let bytes = answer.ok()??;
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end();
        let start = text.char_indices().rev().nth(TAIL_CHARS - 1).map_or(0, |(at, _)| at);
        (!text.is_empty()).then(|| text[start..].to_owned())
    }
}
