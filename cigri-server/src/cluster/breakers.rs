//! Breakers of a cluster and of its campaigns: they count the ends that looks read, hold back what would fail as well, and
//! let one job try. `cigri_core::breaker` decides; what changes is written down at once, with the event that tells it.
//!
//! Local clusters have none: nobody else needs what a failing program uses there, and no pause is shorter than its tasks.

mod judging;
mod words;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cigri_core::breaker::{Breaker, End, Guards, Pauses, State, Subject, Trip, Verdict, Window};
use cigri_core::cause::Cause;
use cigri_core::event::{Code, Scope};
use cigri_core::meter::{Bound, FailedJobs, Reason};
use cigri_core::state::{CampaignState, JobState, Role};
use cigri_store::{BreakerChanges, JobEnd, RoundView, SubmissionRow};

use super::nodes::{self, Nodes};
use super::{Memory, Round, StepError, withdraw};

/// Tasks that a campaign of which nothing succeeds puts behind all others when its next one is to try: at most this part
/// of those never tried, and at most so many.
const PUT_BEHIND: (i64, i64) = (10, 1000);

/// What a loop knows of its cluster's breakers.
#[derive(Default)]
pub(super) struct Breakers {
    is_loaded: bool,
    pub(super) all: BTreeMap<Subject, Breaker>,
    of_campaigns: HashMap<i64, Window>,
    whole: Window,
    pub(super) nodes: Nodes,
    /// Those whose job that tries is on its way.
    trying: BTreeSet<Subject>,
    /// Campaigns of which something was counted since they were judged last.
    news: BTreeSet<i64>,
}

impl Breakers {
    /// What a breaker allows; `None`: it is closed.
    pub(super) fn bound(&self, subject: &Subject, now: i64) -> Option<Bound> {
        let breaker = self.all.get(subject)?;
        let is_trying = self.trying.contains(subject);
        let (allowed, left_s) = match breaker.state {
            State::Closed | State::Exempt => return None,
            State::Open { until } => (0, ((until - now).max(1) as u64).div_ceil(1000)),
            State::HalfOpen { .. } => (u64::from(!is_trying), 0),
        };
        let of = if *subject == Subject::Cluster { Guards::Cluster } else { Guards::Campaign };
        let Trip { failures, ends, mostly } = breaker.trip.clone();
        let jobs = Some(FailedJobs { of, ends, mostly, is_trying });
        Some(Bound::new(allowed, Reason::Breaker { failures, left_s, jobs }))
    }

    fn holds(&self, subject: &Subject) -> bool {
        self.all.get(subject).is_some_and(Breaker::holds)
    }

    /// Forgets what happened on a node that is left out from now on.
    pub(super) fn forget_node(&mut self, node: &str) {
        self.whole.forget_node(node);
        self.of_campaigns.values_mut().for_each(|window| window.forget_node(node));
    }
}

/// Counts what a look at a submission showed, and writes down what that changes.
pub(super) async fn note(
    round: &Round<'_>,
    memory: &mut Memory,
    seen: &SubmissionRow,
    ends: &[JobEnd],
) -> Result<(), StepError> {
    if round.is_local() || seen.role != Role::Tasks || ends.is_empty() {
        return Ok(());
    }
    load(round, memory).await?;
    let mut changes = BreakerChanges::default();
    let mut read: Vec<End> = ends.iter().filter_map(|end| read(round, seen, end)).collect();
    // What still ends on a node that is left out says what is known.
    read.retain(|end| !end.node.as_deref().is_some_and(|node| nodes::is_left_out(&memory.breakers.all, node)));
    let tried = judge_trials(round, memory, seen, &read, &mut changes);
    count(round, memory, (seen.campaign_id, &tried), &read);
    nodes::note(round, memory, ends, &mut changes).await;
    write(round, changes).await
}

async fn load(round: &Round<'_>, memory: &mut Memory) -> Result<(), StepError> {
    if !memory.breakers.is_loaded {
        let name = round.name().to_owned();
        memory.breakers.all = round.store(move |store| store.breakers(&name)).await?.into_iter().collect();
        memory.breakers.is_loaded = true;
    }
    Ok(())
}

async fn write(round: &Round<'_>, changes: BreakerChanges) -> Result<(), StepError> {
    if changes.is_empty() {
        return Ok(());
    }
    let (name, now) = (round.name().to_owned(), round.now);
    round.store(move |store| store.change_breakers(&name, &changes, now)).await
}

/// What an end says; `None`: nothing.
fn read(round: &Round<'_>, seen: &SubmissionRow, end: &JobEnd) -> Option<End> {
    let class = match (end.state, &end.failure) {
        (JobState::Done, _) => None,
        (JobState::Cancelled, _) => return None,
        (_, failure) => Some(failure.as_ref()?.class),
    };
    let end = End {
        at: round.now,
        campaign: seen.campaign_id,
        owner: seen.owner.as_str().into(),
        class,
        exit_code: end.exit_code,
        node: end.failure.as_ref().and_then(|failure| failure.node.as_deref()).map(Into::into),
        by_itself: [Cause::ExitCode(1), Cause::Signal(1)].iter().any(|cause| end.cause == cause.as_str()),
    };
    end.verdict().is_some().then_some(end)
}

fn pauses(round: &Round<'_>, subject: &Subject) -> Pauses {
    match subject {
        Subject::Node(_) => round.limits.breaker.node_pauses(),
        _ => round.limits.breaker.pauses(),
    }
}

/// Moves the breakers whose job that tried this submission held; returns them.
fn judge_trials(
    round: &Round<'_>,
    memory: &mut Memory,
    seen: &SubmissionRow,
    ends: &[End],
    changes: &mut BreakerChanges,
) -> BTreeSet<Subject> {
    let mut tried = BTreeSet::new();
    for subject in [Subject::Cluster, Subject::Campaign(seen.campaign_id)] {
        let Some(breaker) = memory.breakers.all.get(&subject) else { continue };
        let is_trial = matches!(breaker.state, State::HalfOpen { since } if seen.created_at >= since);
        if !is_trial || ends.is_empty() {
            continue;
        }
        let by_cluster = subject == Subject::Cluster || breaker.trip.is_by_cluster();
        let verdict = |end: &End| match subject {
            Subject::Cluster => end.verdict_on_cluster(),
            _ => end.verdict(),
        };
        let is_well = |end: &End| match verdict(end) {
            Some(Verdict::Program) => by_cluster,
            verdict => verdict == Some(Verdict::Well),
        };
        let new = breaker.clone().tried(ends.iter().any(is_well), round.now, pauses(round, &subject));
        tried.insert(subject.clone());
        put(round, memory, (subject, new), changes);
    }
    tried
}

/// What is held back already is not counted again.
fn count(round: &Round<'_>, memory: &mut Memory, (campaign, tried): (i64, &BTreeSet<Subject>), ends: &[End]) {
    let (breakers, settings) = (&mut memory.breakers, &round.limits.breaker);
    let is_free = |breakers: &Breakers, subject: Subject| !breakers.holds(&subject) && !tried.contains(&subject);
    if !is_free(breakers, Subject::Cluster) {
        return;
    }
    ends.iter().for_each(|end| breakers.whole.push(end.clone(), settings));
    breakers.whole.age(round.now, settings);
    breakers.news.insert(campaign);
    if is_free(breakers, Subject::Campaign(campaign)) {
        let window = breakers.of_campaigns.entry(campaign).or_default();
        ends.iter().for_each(|end| window.push(end.clone(), settings));
        window.age(round.now, settings);
        let rate = window.rate(settings.least).map(|rate| (rate, round.now));
        round.grid.board.tell_rate(campaign, round.name(), rate);
    }
}

fn open(round: &Round<'_>, memory: &mut Memory, (subject, trip): (Subject, Trip), changes: &mut BreakerChanges) {
    let before = memory.breakers.all.get(&subject);
    let new = Breaker::open(before, trip, round.now, pauses(round, &subject));
    put(round, memory, (subject, new), changes);
}

/// Notes where a breaker stands from now on, and what is to be told of it.
fn put(round: &Round<'_>, memory: &mut Memory, (subject, new): (Subject, Breaker), changes: &mut BreakerChanges) {
    if let Some(scope) = scope_of(round, &subject) {
        match new.state {
            State::Open { .. } => changes.events.push(words::opened(round, scope, &subject, &new)),
            State::Closed | State::Exempt => changes.over.push((Code::BreakerOpen, scope)),
            State::HalfOpen { .. } => {}
        }
        forget_ends(round, &mut memory.breakers, &subject);
    }
    changes.breakers.push((subject.clone(), Some(new.clone())));
    memory.breakers.all.insert(subject, new);
}

/// From now on it is counted anew.
fn forget_ends(round: &Round<'_>, breakers: &mut Breakers, subject: &Subject) {
    match subject {
        Subject::Cluster => breakers.whole.clear(),
        Subject::Campaign(id) => {
            breakers.of_campaigns.remove(id);
            round.grid.board.tell_rate(*id, round.name(), None);
        }
        Subject::Node(_) => {}
    }
}

/// The scope of its event; nodes have an event together.
fn scope_of(round: &Round<'_>, subject: &Subject) -> Option<Scope> {
    match subject {
        Subject::Cluster => Some(Scope::cluster(round.name())),
        Subject::Campaign(id) => Some(Scope::campaign_on(*id, round.name())),
        Subject::Node(_) => None,
    }
}

/// Time goes on: pauses end, what waits there of what is held back is taken back, and what is over is forgotten.
pub(super) async fn pass(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    if round.is_local() {
        return Ok(());
    }
    load(round, memory).await?;
    let there = judging::there(view);
    let mut changes = BreakerChanges::default();
    let known: Vec<(Subject, Breaker)> = memory.breakers.all.clone().into_iter().collect();
    for (subject, breaker) in known {
        move_on(round, memory, (&subject, breaker), &mut changes);
        end_if_over(round, memory, (subject, &there), &mut changes).await?;
    }
    judging::judge(round, memory, view, &mut changes).await?;
    memory.breakers.trying = trying(&memory.breakers, view);
    publish(round, &memory.breakers);
    memory.breakers.of_campaigns.retain(|id, _| there.contains(id));
    round.grid.board.keep(round.name(), &there);
    nodes::pass(round, memory, &mut changes).await?;
    let hopeless = hopeless(&changes, &memory.breakers);
    write(round, changes).await?;
    for id in hopeless {
        round.store(move |store| store.put_behind(id, PUT_BEHIND)).await?;
    }
    take_back(round, memory, view).await
}

fn move_on(
    round: &Round<'_>,
    memory: &mut Memory,
    (subject, before): (&Subject, Breaker),
    changes: &mut BreakerChanges,
) {
    let pauses = pauses(round, subject);
    let memory_ms = pauses.longest_s as i64 * 1000;
    let is_forgotten = before.state == State::Closed && !(0..memory_ms).contains(&(round.now - before.changed_at));
    if is_forgotten {
        memory.breakers.all.remove(subject);
        changes.breakers.push((subject.clone(), None));
        return;
    }
    let new = before.clone().at(round.now, pauses);
    if new != before {
        changes.breakers.push((subject.clone(), Some(new.clone())));
        memory.breakers.all.insert(subject.clone(), new);
    }
}

/// Ends what is about nothing any more, and what somebody wants ended.
async fn end_if_over(
    round: &Round<'_>,
    memory: &mut Memory,
    (subject, there): (Subject, &BTreeSet<i64>),
    changes: &mut BreakerChanges,
) -> Result<(), StepError> {
    let Some(breaker) = memory.breakers.all.get(&subject).cloned() else { return Ok(()) };
    let is_deserted = subject == Subject::Cluster && there.is_empty();
    if is_deserted && breaker.holds() {
        // Nobody is left to try; one that opens soon again goes on where it was.
        put(round, memory, (subject, breaker.moved(State::Closed, round.now)), changes);
        return Ok(());
    }
    let is_over = is_over(round, &subject, there).await?;
    if !is_over && !is_closed_by_hand(round, memory, &subject).await? {
        return Ok(());
    }
    if !is_over && matches!(subject, Subject::Campaign(_)) {
        put(round, memory, (subject, breaker.moved(State::Exempt, round.now)), changes);
        return Ok(());
    }
    forget(round, &mut memory.breakers, subject, changes);
    Ok(())
}

/// Forgets a breaker, and closes its event.
fn forget(round: &Round<'_>, breakers: &mut Breakers, subject: Subject, changes: &mut BreakerChanges) {
    forget_ends(round, breakers, &subject);
    breakers.all.remove(&subject);
    let closed = scope_of(round, &subject).map(|scope| (Code::BreakerOpen, scope));
    changes.over.extend(closed);
    changes.breakers.push((subject, None));
}

/// Whether its campaign has ended.
async fn is_over(round: &Round<'_>, subject: &Subject, there: &BTreeSet<i64>) -> Result<bool, StepError> {
    let Subject::Campaign(id) = *subject else { return Ok(false) };
    if there.contains(&id) {
        return Ok(false);
    }
    let row = round.store(move |store| store.campaign(id)).await?;
    Ok(matches!(row.state, CampaignState::Finished | CampaignState::Cancelled))
}

/// Whoever closes the event wants jobs to go again.
async fn is_closed_by_hand(round: &Round<'_>, memory: &Memory, subject: &Subject) -> Result<bool, StepError> {
    let Some(scope) = scope_of(round, subject).filter(|_| memory.breakers.holds(subject)) else {
        return Ok(false);
    };
    Ok(round.store(move |store| store.find_message(Code::BreakerOpen, &scope)).await?.is_none())
}

fn trying(breakers: &Breakers, view: &RoundView) -> BTreeSet<Subject> {
    let is_trying = |(subject, breaker): &(&Subject, &Breaker)| {
        let State::HalfOpen { since } = breaker.state else { return false };
        let is_its = |seen: &&SubmissionRow| match subject {
            Subject::Cluster => true,
            Subject::Campaign(id) => seen.campaign_id == *id && seen.role == Role::Tasks,
            Subject::Node(_) => false,
        };
        view.submissions.iter().filter(is_its).any(|seen| seen.created_at >= since)
    };
    breakers.all.iter().filter(is_trying).map(|(subject, _)| subject.clone()).collect()
}

/// What other clusters' loops need to know: tasks that failed there need not wait for this cluster.
fn publish(round: &Round<'_>, breakers: &Breakers) {
    let held = breakers.all.iter().filter(|(_, breaker)| breaker.holds()).filter_map(|(subject, _)| match subject {
        Subject::Cluster => Some(None),
        Subject::Campaign(id) => Some(Some(*id)),
        Subject::Node(_) => None,
    });
    round.grid.board.tell_shut(round.name(), held.collect());
}

/// Campaigns of which one is to try now, and that failed by themselves: the next of their tasks may be as bad as the last
/// ones, and another part of them good.
fn hopeless(changes: &BreakerChanges, breakers: &Breakers) -> Vec<i64> {
    let tries = |(subject, new): &(Subject, Option<Breaker>)| match (subject, new) {
        (Subject::Campaign(id), Some(Breaker { state: State::HalfOpen { .. }, trip, .. })) if !trip.is_by_cluster() => {
            breakers.all.contains_key(subject).then_some(*id)
        }
        _ => None,
    };
    changes.breakers.iter().filter_map(tries).collect()
}

/// What waits there would fail as the others did, or meet the bad node: its tasks go elsewhere, or wait here.
async fn take_back(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    let is_open = |subject: &Subject| {
        memory.breakers.all.get(subject).is_some_and(|breaker| matches!(breaker.state, State::Open { .. }))
    };
    let node_since = nodes::left_out_since(&memory.breakers.all);
    let is_doomed = |seen: &&SubmissionRow| {
        let meets_node = node_since.is_some_and(|since| seen.created_at < since);
        is_open(&Subject::Cluster) || is_open(&Subject::Campaign(seen.campaign_id)) || meets_node
    };
    let tasks = view.submissions.iter().rev().filter(|seen| seen.role == Role::Tasks && seen.seen_waiting > 0);
    let doomed: Vec<&SubmissionRow> = tasks.filter(|seen| withdraw::is_adopted(seen)).filter(is_doomed).collect();
    let mut left = withdraw::CHUNK;
    for seen in doomed {
        left -= withdraw::take_back(round, memory, seen, left).await?;
    }
    Ok(())
}
