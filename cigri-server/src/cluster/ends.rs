//! Reading the ends of remote jobs: details where they are needed, then cause, reaction and effects.

mod tails;

use std::collections::{BTreeSet, HashMap};

use cigri_core::cause::{self, Cause, RemoteEnd, RemoteEvent};
use cigri_core::event::{self, Code, NewEvent, Scope};
use cigri_core::failure::{Class, Failure};
use cigri_core::group::Pace;
use cigri_core::group::journal::Told;
use cigri_core::reaction::{self, Again, Attempt, History, Place, Reaction, Terms};
use cigri_core::signature;
use cigri_core::state::{CampaignState, JobState, Wish};
use cigri_store::{CampaignRow, JobEnd, LiveJob, Return, SubmissionRow};
use oar_client::{JobDetails, JobQuery, JobSummary, State};
use tails::Tails;

use super::{Memory, Round, StepError, groups, steps, stuck};

/// The cause of a job that was taken back before it started.
pub(super) const WITHDRAWN: &str = "withdrawn";
/// Details of programs that ended by themselves that are asked for in one look, for the node that they ran on: a row
/// of them costs the cluster as much as forty of a listing.
const NODES_PER_LOOK: usize = 100;

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
    memory: &mut Memory,
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
        facts.push(Facts { job, summary, details, cause, told: None, is_at_fault: false });
    }
    if seen.results.is_some() {
        let reader = groups::Reader::new(round, seen, &campaign, token.as_ref());
        facts = groups::tell_apart(reader, &mut memory.doubts, facts, &mut result).await?;
    }
    let none = History::default();
    let mut reader = Reader { campaign: &campaign, everybody, tails: Tails::new(round, seen, token) };
    for facts in facts.into_iter().map(|facts| blamed(&memory.stuck, facts)) {
        let history = histories.get(&(facts.job.task_index, facts.job.generation)).unwrap_or(&none);
        let wanted = reader.react(facts, history).await;
        if seen.role.is_step() && wanted.reaction == Reaction::Cancel && !is_cancelled {
            result.events.push(seen.step_killed());
        }
        let exhausted = result.endless && wanted.facts.cause == Cause::AskedRetryLast;
        let reaction = if exhausted { Reaction::Succeed } else { wanted.reaction.clone() };
        result.exhausted |= exhausted;
        reader.apply(&mut result, Judged { reaction, ..wanted }).await;
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
    let ids = asked(ended.iter().map(|(_, summary)| (*summary, wants_details(round, seen, summary))));
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let found = round.handle.client.details(&JobQuery { ids, ..JobQuery::default() }).await?;
    Ok(found.into_iter().map(|job| (job.id, job)).collect())
}

/// The jobs whose details are asked for: of those wanted all, and of others that failed some, for their nodes.
fn asked<'a>(ended: impl Iterator<Item = (&'a JobSummary, bool)>) -> Vec<u64> {
    // The tasks of a group are one remote job.
    let (mut wanted, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (summary, is_wanted) in ended {
        if is_wanted {
            wanted.insert(summary.id);
        } else if wants_node(summary) {
            others.insert(summary.id);
        }
    }
    wanted.into_iter().chain(others.into_iter().take(NODES_PER_LOOK)).collect()
}

fn wants_details(round: &Round<'_>, seen: &SubmissionRow, summary: &JobSummary) -> bool {
    // Groups of one task are there to be measured.
    let is_sample = seen.results.is_some() && seen.remote_count == seen.job_count;
    round.is_local() || is_sample || summary.state == State::Error || summary.exit_code.is_none()
}

/// Where it ran is kept of what failed.
fn wants_node(summary: &JobSummary) -> bool {
    summary.exit_code.is_some_and(|status| status != 0)
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
    /// We took it back, because its cluster did something wrong with it.
    pub(super) is_at_fault: bool,
}

/// What was taken back because of the cluster is the cluster's failure, whoever ended it.
fn blamed<'a>(stuck: &stuck::Stuck, facts: Facts<'a>) -> Facts<'a> {
    match stuck.fault(facts.job.id).filter(|_| facts.cause.is_kill()) {
        Some(fault) => Facts { cause: Cause::Infrastructure(fault.to_owned()), is_at_fault: true, ..facts },
        None => facts,
    }
}

/// What is decided about one of them.
struct Judged<'a> {
    facts: Facts<'a>,
    class: Option<Class>,
    /// The last lines of its standard error, if they were read.
    tail: Option<String>,
    reaction: Reaction,
}

/// Decides about the ends of a campaign's jobs.
struct Reader<'a> {
    campaign: &'a CampaignRow,
    /// What was asked for all of them.
    everybody: Option<Wish>,
    tails: Tails<'a>,
}

impl Reader<'_> {
    async fn react<'f>(&mut self, facts: Facts<'f>, history: &History) -> Judged<'f> {
        let (round, seen) = (self.tails.round, self.tails.seen);
        // Tried again as often as the cluster's failures are: a wish knows no bound.
        let own = facts.job.wish.filter(|wish| *wish == Wish::Cancel || !facts.is_at_fault);
        let wish = self.everybody.or(own);
        let (class, tail) = match wish {
            // Nobody asks why any more.
            Some(Wish::Cancel) => (Class::of(&facts.cause), None),
            _ => self.tails.class(&facts).await,
        };
        let spec = self.campaign.spec.clusters.get(round.name()).filter(|_| !seen.role.is_step());
        let terms = Terms {
            retries: spec.map(|spec| &spec.retries),
            escalation: spec.and_then(|spec| spec.escalate.as_ref()),
            is_interrupted: round.is_local() && was_killed(facts.details),
            is_alone: self.campaign.spec.clusters.len() < 2,
        };
        let attempt = Attempt { cause: &facts.cause, class, level: seen.level, wish, seed: seed(facts.job) };
        let reaction = steps::reaction(seen.role, reaction::react(&attempt, history, &terms));
        Judged { facts, class, tail, reaction }
    }

    async fn apply(&mut self, result: &mut Ends, mut judged: Judged<'_>) {
        if judged.tail.is_none() && matches!(judged.reaction, Reaction::Fail { .. } | Reaction::Hold { .. }) {
            judged.tail = match self.tails.seen.role.is_step() {
                true => self.tails.read(&judged.facts).await,
                false => self.tails.of(&judged.facts).await,
            };
        }
        if let Some(outcome) = self.outcome(result, &judged) {
            result.ends.push(self.end(judged, outcome));
        }
    }

    /// What becomes of the job and its task, and what is told of it; none while it goes on.
    fn outcome(&self, result: &mut Ends, judged: &Judged<'_>) -> Option<Outcome> {
        let (round, seen) = (self.tails.round, self.tails.seen);
        let scope = || Scope::campaign_on(seen.campaign_id, round.name());
        let Judged { facts, class, tail, reaction } = judged;
        let with_tail = |words: &str| tail.as_deref().map_or(words.to_owned(), |tail| with(words, &tails::shown(tail)));
        Some(match reaction {
            Reaction::Wait => {
                result.undecided = true;
                return None;
            }
            Reaction::Follow(id) => {
                result.followed.push((facts.job.id, *id));
                result.undecided = true;
                return None;
            }
            Reaction::Succeed => (JobState::Done, None, None),
            Reaction::Cancel => (JobState::Cancelled, None, None),
            Reaction::Fail { advice } => {
                let message = format!("task {}: {advice}", facts.job.task_index);
                let code = class.map_or(Code::ExitError, reaction::code_of);
                result.events.push(NewEvent::note(scope(), code, with_tail(&message)));
                (JobState::Failed, Some(with_tail(advice)), None)
            }
            Reaction::Retry(again) => {
                result.events.extend(unheard_of(facts, scope()));
                (JobState::Killed, retry_words(facts, tail.as_deref()), Some(back(round, *again)))
            }
            Reaction::Hold { advice, .. } if seen.role.is_step() => {
                let message = with_tail(advice);
                result.events.push(seen.step_failed(&message));
                (JobState::Failed, Some(message), None)
            }
            Reaction::Hold { code, advice } => {
                let message = with_tail(advice);
                result.events.push(NewEvent::hold(scope(), *code, message.clone()));
                let again = Again { place: Place::Elsewhere, delay_ms: 0, level: seen.level };
                (JobState::Killed, Some(message), Some(back(round, again)))
            }
        })
    }

    fn end(&self, judged: Judged<'_>, (state, detail, back): Outcome) -> JobEnd {
        let facts = &judged.facts;
        // Taken back before it started: nothing was lost, and no budget is touched.
        let never_ran = facts.job.state == JobState::Submitted && facts.cause.is_kill() && !facts.is_at_fault;
        let withdrawn = back.is_some() && never_ran && facts.job.wish == Some(Wish::Again);
        let (started_at, stopped_at) = times(facts);
        let is_failure = !withdrawn && matches!(state, JobState::Failed | JobState::Killed);
        let class = judged.class.filter(|class| is_failure && *class != Class::Preempted);
        JobEnd {
            failure: class.map(|class| failure(facts, class, judged.tail.as_deref())),
            job: facts.job.clone(),
            state,
            exit_code: exit_code(&facts.cause),
            cause: if withdrawn { WITHDRAWN } else { facts.cause.as_str() }.to_owned(),
            killed: back.is_some() && facts.cause.is_kill() && !withdrawn,
            detail,
            started_at,
            stopped_at: stopped_at.or(Some(self.tails.round.now)),
            back,
        }
    }
}

/// Final state, what is told of it, and how its task comes back.
type Outcome = (JobState, Option<String>, Option<Return>);

/// What is kept of an attempt that failed.
fn failure(facts: &Facts<'_>, class: Class, tail: Option<&str>) -> Failure {
    let event = match &facts.cause {
        Cause::Infrastructure(text) | Cause::WorkingDirectory(text) | Cause::OutputFiles(text) => Some(text.clone()),
        Cause::Unrecognised(kind, text) => Some(format!("{kind}: {text}")),
        Cause::PersonKill(who) => Some(format!("deleted by {who}")),
        _ => None,
    };
    let text = tail.map(str::to_owned).or(event.map(|text| signature::readable(text.as_bytes())));
    let node = facts.details.and_then(|details| details.nodes.first().cloned());
    Failure { class, node, signature: text.as_deref().and_then(signature::signature) }
}

/// What is told of an attempt that is tried again, beside its cause.
fn retry_words(facts: &Facts<'_>, tail: Option<&str>) -> Option<String> {
    match &facts.cause {
        Cause::Unrecognised(kind, text) => Some(format!("{kind}: {text}")),
        Cause::Infrastructure(text) => Some(text.clone()),
        _ => tail.map(tails::shown),
    }
}

/// What nobody here has heard of is told at once, word for word.
fn unheard_of(facts: &Facts<'_>, scope: Scope) -> Option<NewEvent> {
    let Cause::Unrecognised(kind, text) = &facts.cause else { return None };
    let message = format!(
        "job {} ended with an event unknown here, {kind}: {text}. Its task {} is tried once more; please report the event",
        facts.summary.id, facts.job.task_index
    );
    Some(NewEvent::note(scope, Code::UnknownError, message))
}

/// Chance that a restart does not change.
fn seed(job: &LiveJob) -> u64 {
    (job.id as u64).rotate_left(17) ^ job.attempt as u64
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
fn was_killed(details: Option<&JobDetails>) -> bool {
    details.is_some_and(|job| job.events.iter().any(|event| event.kind == "SEND_KILL_JOB"))
}

fn back(round: &Round<'_>, again: Again) -> Return {
    let avoid_cluster = (again.place == Place::Elsewhere).then(|| round.name().to_owned());
    let not_before = if again.delay_ms > 0 { round.now.saturating_add(again.delay_ms) } else { 0 };
    Return { last: again.place == Place::Last, avoid_cluster, not_before, level: again.level }
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

fn with(words: &str, tail: &str) -> String {
    format!("{words}\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(id: u64, exit_code: Option<i32>) -> JobSummary {
        JobSummary { id, name: None, state: State::Terminated, user: None, queue_name: None, exit_code }
    }

    #[test]
    fn details_are_asked_for_all_that_need_them_and_the_nodes_of_some_failures() {
        let rows: Vec<JobSummary> = (0..300).map(|id| ended(id, Some(256))).chain([ended(300, Some(0))]).collect();
        let wanted = ended(301, None);
        let asked = asked(rows.iter().map(|row| (row, false)).chain([(&wanted, true), (&wanted, true)]));
        assert_eq!(asked.len(), NODES_PER_LOOK + 1);
        assert!(asked.contains(&301) && !asked.contains(&300), "a success has no node to tell");
    }
}
