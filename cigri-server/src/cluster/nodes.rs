//! Nodes on which almost everything fails: counted, left out of what is sent, and tried again.
//!
//! Failures say their node. Where what ended well ran is only asked for, a few jobs at a time, while a node is suspected.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use cigri_core::breaker::nodes::{self as core, Tally};
use cigri_core::breaker::{Breaker, State, Subject, verdict};
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::language::ClusterSpec;
use cigri_core::state::JobState;
use cigri_store::{BreakerChanges, JobEnd};
use oar_client::JobQuery;
use tracing::warn;

use super::{Memory, Round, StepError};

/// Jobs that ended well whose node is asked for per look.
const ASKED: usize = 20;
/// Ends that are remembered of a node.
const ENDS: usize = 30;
/// A cluster's nodes are counted anew after this long.
const COUNT_EVERY_MS: i64 = 3_600_000;

/// The last ends on the cluster's nodes: when, and whether they were failures.
#[derive(Default)]
pub(super) struct Nodes {
    ends: BTreeMap<String, VecDeque<(i64, bool)>>,
    /// The nodes that the open event tells of.
    told: Option<BTreeSet<String>>,
    /// How many nodes the cluster has, and when they were counted, epoch milliseconds.
    counted: Option<(usize, i64)>,
}

impl Nodes {
    fn push(&mut self, node: &str, at: i64, failed: bool) {
        let ends = self.ends.entry(node.to_owned()).or_default();
        ends.push_back((at, failed));
        ends.drain(..ends.len().saturating_sub(ENDS));
    }

    fn tallies(&mut self, now: i64, window_ms: i64) -> BTreeMap<String, Tally> {
        self.ends.values_mut().for_each(|ends| ends.retain(|(at, _)| (0..=window_ms).contains(&(now - at))));
        self.ends.retain(|_, ends| !ends.is_empty());
        let tally = |ends: &VecDeque<(i64, bool)>| Tally {
            failures: ends.iter().filter(|(_, failed)| *failed).count() as u32,
            ends: ends.len() as u32,
        };
        self.ends.iter().map(|(name, ends)| (name.clone(), tally(ends))).collect()
    }
}

/// Counts ends by node, and leaves out those that are black holes. What the cluster does not tell of its nodes ends no
/// round: less is known then.
pub(super) async fn note(round: &Round<'_>, memory: &mut Memory, ends: &[JobEnd], changes: &mut BreakerChanges) {
    if round.limits.breaker.nodes <= 0.0 {
        return;
    }
    let mut seen: Vec<(String, bool)> = ends.iter().filter_map(failed_on).map(|node| (node, true)).collect();
    if is_watching(round, memory) {
        match went_well_on(round, ends).await {
            Ok(nodes) => seen.extend(nodes.into_iter().map(|node| (node, false))),
            Err(error) => warn!("{}: where jobs ended well is not known: {error}", round.name()),
        }
    }
    let mut tried: BTreeMap<&str, bool> = BTreeMap::new();
    for (node, failed) in &seen {
        match memory.breakers.all.get(&Subject::Node(node.clone())).map(|breaker| breaker.state) {
            Some(State::HalfOpen { .. }) => *tried.entry(node).or_default() |= !failed,
            // What was there before it was left out.
            Some(State::Open { .. }) => {}
            _ => memory.breakers.nodes.push(node, round.now, *failed),
        }
    }
    for (node, is_well) in tried {
        let subject = Subject::Node(node.to_owned());
        if let Some(breaker) = memory.breakers.all.get(&subject).cloned() {
            put(memory, subject, breaker.tried(is_well, round.now, round.limits.breaker.node_pauses()), changes);
        }
    }
    leave_out(round, memory, changes).await;
}

/// The node of what failed; what nobody is to blame for, such as a kill for others, says nothing.
fn failed_on(end: &JobEnd) -> Option<String> {
    let failure = end.failure.as_ref().filter(|failure| verdict(failure.class).is_some())?;
    failure.node.clone()
}

/// Whether some node is suspected, or tried again.
fn is_watching(round: &Round<'_>, memory: &mut Memory) -> bool {
    let is_tried = |(subject, breaker): (&Subject, &Breaker)| {
        matches!((subject, breaker.state), (Subject::Node(_), State::HalfOpen { .. }))
    };
    let window_ms = round.limits.breaker.window_s as i64 * 1000;
    memory.breakers.all.iter().any(is_tried)
        || memory.breakers.nodes.tallies(round.now, window_ms).values().any(core::is_suspect)
}

async fn went_well_on(round: &Round<'_>, ends: &[JobEnd]) -> Result<Vec<String>, oar_client::Error> {
    let well = ends.iter().filter(|end| end.state == JobState::Done);
    let ids: BTreeSet<u64> = well.filter_map(|end| end.job.remote_id).map(|id| id as u64).collect();
    let ids: Vec<u64> = ids.into_iter().take(ASKED).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let found = round.handle.client.details(&JobQuery { ids, ..JobQuery::default() }).await?;
    Ok(found.into_iter().filter_map(|job| job.nodes.into_iter().next()).collect())
}

async fn leave_out(round: &Round<'_>, memory: &mut Memory, changes: &mut BreakerChanges) {
    let settings = &round.limits.breaker;
    let tallies = memory.breakers.nodes.tallies(round.now, settings.window_s as i64 * 1000);
    if core::black_holes(&tallies, core::MOST_NAMES).is_empty() {
        return;
    }
    let room = core::room(count(round, &mut memory.breakers.nodes).await, settings);
    let room = room.saturating_sub(excluded(&memory.breakers.all).len());
    for (node, trip) in core::black_holes(&tallies, room) {
        let subject = Subject::Node(node.clone());
        let new = Breaker::open(memory.breakers.all.get(&subject), trip, round.now, settings.node_pauses());
        memory.breakers.nodes.ends.remove(&node);
        memory.breakers.forget_node(&node);
        put(memory, subject, new, changes);
    }
    tell(round, memory, changes);
}

/// How many nodes there are. A cluster that cannot tell, or whose resources have no such column, has none.
async fn count(round: &Round<'_>, nodes: &mut Nodes) -> usize {
    let known = nodes.counted.filter(|(_, at)| (0..COUNT_EVERY_MS).contains(&(round.now - at)));
    if let Some((count, _)) = known {
        return count;
    }
    let count = match round.handle.client.resources().await {
        Ok(resources) => {
            let names = resources.iter().filter_map(|resource| resource.properties.get("network_address")?.as_str());
            names.collect::<BTreeSet<_>>().len()
        }
        Err(error) => {
            warn!("{}: its nodes are not known, and none is left out: {error}", round.name());
            return 0;
        }
    };
    nodes.counted = Some((count, round.now));
    count
}

/// Time goes on for nodes that are left out. One that nothing was seen to end on is left to the others after a while:
/// where what ends well ran is not always known. Whoever closes the event, or lets none be left out, lifts them all.
pub(super) async fn pass(
    round: &Round<'_>,
    memory: &mut Memory,
    changes: &mut BreakerChanges,
) -> Result<(), StepError> {
    let held: Vec<(Subject, Breaker)> = memory.breakers.all.clone().into_iter().filter(is_held).collect();
    let is_lifted = !held.is_empty() && (round.limits.breaker.nodes <= 0.0 || is_closed_by_hand(round).await?);
    for (subject, breaker) in held {
        if is_lifted {
            memory.breakers.all.remove(&subject);
            changes.breakers.push((subject, None));
        } else if breaker.is_tried_in_vain(round.now, round.limits.breaker.node_pauses()) {
            put(memory, subject, breaker.moved(State::Closed, round.now), changes);
        }
    }
    tell(round, memory, changes);
    Ok(())
}

fn is_held((subject, breaker): &(Subject, Breaker)) -> bool {
    matches!(subject, Subject::Node(_)) && breaker.holds()
}

async fn is_closed_by_hand(round: &Round<'_>) -> Result<bool, StepError> {
    let scope = Scope::cluster(round.name());
    Ok(round.store(move |store| store.find_message(Code::NodeExcluded, &scope)).await?.is_none())
}

/// Whether it is left out now.
pub(super) fn is_left_out(all: &BTreeMap<Subject, Breaker>, node: &str) -> bool {
    let breaker = all.get(&Subject::Node(node.to_owned()));
    breaker.is_some_and(|breaker| matches!(breaker.state, State::Open { .. }))
}

fn put(memory: &mut Memory, subject: Subject, new: Breaker, changes: &mut BreakerChanges) {
    changes.breakers.push((subject.clone(), Some(new.clone())));
    memory.breakers.all.insert(subject, new);
}

/// Nodes that are left out now.
pub(super) fn excluded(all: &BTreeMap<Subject, Breaker>) -> Vec<String> {
    let name = |(subject, breaker): (&Subject, &Breaker)| match (subject, breaker.state) {
        (Subject::Node(name), State::Open { .. }) => Some(name.clone()),
        _ => None,
    };
    all.iter().filter_map(name).collect()
}

/// When the last one was left out: what was sent before may still meet it.
pub(super) fn left_out_since(all: &BTreeMap<Subject, Breaker>) -> Option<i64> {
    let nodes = all.iter().filter(|(subject, _)| matches!(subject, Subject::Node(_)));
    nodes
        .filter(|(_, breaker)| matches!(breaker.state, State::Open { .. }))
        .map(|(_, breaker)| breaker.changed_at)
        .max()
}

/// The same jobs, but not on nodes that are left out.
pub(super) fn avoiding(round: &Round<'_>, memory: &Memory, spec: ClusterSpec) -> ClusterSpec {
    if round.is_local() {
        return spec;
    }
    let properties = core::without(spec.properties.as_deref(), &excluded(&memory.breakers.all));
    ClusterSpec { properties, ..spec }
}

/// One event for all of a cluster's nodes, which ends when all are well again.
fn tell(round: &Round<'_>, memory: &mut Memory, changes: &mut BreakerChanges) {
    let holding = |(subject, breaker): (&Subject, &Breaker)| match subject {
        Subject::Node(name) if breaker.holds() => Some((name.clone(), breaker.trip.clone())),
        _ => None,
    };
    let bad: Vec<(String, cigri_core::breaker::Trip)> = memory.breakers.all.iter().filter_map(holding).collect();
    let names: BTreeSet<String> = bad.iter().map(|(name, _)| name.clone()).collect();
    let told = memory.breakers.nodes.told.replace(names.clone());
    // After a restart what is open is told already; what was closed meanwhile is closed once more.
    if told.as_ref() == Some(&names) || told.is_none() && !names.is_empty() {
        return;
    }
    let scope = Scope::cluster(round.name());
    if names.is_empty() {
        let closed = (Code::NodeExcluded, scope);
        changes.over.push(closed);
        return;
    }
    let counted =
        bad.iter().map(|(name, trip)| format!("{name} ({} of its last {} jobs failed)", trip.failures, trip.ends));
    let message = format!(
        "{}: almost everything fails on {}, while it goes well on others. New jobs are not sent there; it is tried again \
         after {} minutes or more, and at once when this event is closed",
        round.name(),
        counted.collect::<Vec<_>>().join(", "),
        round.limits.breaker.node_pause_s / 60
    );
    changes.events.push(NewEvent::note(scope, Code::NodeExcluded, message));
}
