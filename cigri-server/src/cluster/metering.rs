//! What the meter is told in a round: which tasks wait and started, by shape, and what the plan starts from. Steps and
//! samples go ahead of all laws, and teach them nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cigri_core::meter::law::Key;
use cigri_core::meter::{Metering, Sighting};
use cigri_core::plan::{CampaignView, ClusterView, Decision};
use cigri_core::state::Role;
use cigri_store::{Here, RoundCampaign, RoundView, SubmissionRow};
use serde_json::{Value, json};

use super::observe::Moved;
use super::{Memory, Round, raise, readings, step};
use crate::metrics::Queue;

/// What its jobs of a level of escalation ask for there.
fn raised_shape(round: &Round<'_>, campaign: &RoundCampaign, level: u32) -> Arc<str> {
    if level == 0 {
        return Arc::clone(&campaign.shape);
    }
    raise::spec(round, campaign, level).map(|spec| spec.shape().into()).unwrap_or_default()
}

/// How many more jobs of a level of escalation, above 0, should wait there: they are of a shape, and a law, of their own.
pub(super) fn room(
    round: &Round<'_>,
    memory: &Memory,
    (view, campaign): (&RoundView, &RoundCampaign),
    level: u32,
) -> u64 {
    let key = Metering::key(&round.limits, campaign.row.id, &raised_shape(round, campaign, level));
    let is_same = |here: &&Here| here.role == Role::Tasks && key_of_here(round, here) == key;
    let waiting: i64 = view.here.iter().filter(is_same).map(|here| here.waiting).sum();
    memory.metering.queue(&key, &round.limits).1.max(1).saturating_sub(waiting.max(0) as u64)
}

/// Which law's jobs a submission holds: those of steps and samples are no law's. `view` is the picture in which it was
/// live.
pub(super) fn key_of(round: &Round<'_>, view: &RoundView, submission: &SubmissionRow) -> Option<Key> {
    let is_same = |here: &&Here| here.submissions.binary_search(&submission.id).is_ok();
    let here = view.here.iter().filter(|here| here.role == Role::Tasks).find(is_same)?;
    Some(key_of_here(round, here))
}

pub(super) fn key_of_here(round: &Round<'_>, here: &Here) -> Key {
    Metering::key(&round.limits, here.campaign, &here.shape.as_str().into())
}

/// Keeps what a look at a submission showed, until the next [`look`]: a round that is cut short loses nothing.
pub(super) fn saw(
    round: &Round<'_>,
    memory: &mut Memory,
    (view, submission): (&RoundView, &SubmissionRow),
    moved: Moved,
) {
    if moved == Moved::default() {
        return;
    }
    if let Some(key) = key_of(round, view, submission) {
        let seen = memory.moved.entry(key).or_default();
        seen.starts += moved.starts;
        seen.kills += moved.kills;
    }
}

/// A kill for others may be one of many: what runs there of the same kind is looked at in the next round at the latest,
/// however quiet it was.
pub(super) fn look_at_others(round: &Round<'_>, memory: &mut Memory, (view, killed): (&RoundView, &SubmissionRow)) {
    let Some(key) = key_of(round, view, killed) else { return };
    for other in view.submissions.iter().filter(|other| other.id != killed.id) {
        if key_of(round, view, other).as_ref() == Some(&key)
            && let Some((changed, looked)) = memory.looked_at.get_mut(&other.id)
            && *looked < round.now
        {
            // As if it had been looked at only when it last changed.
            *looked = *changed;
        }
    }
}

/// Moves the laws by what was seen since the last time; true if anything started.
pub(super) fn look(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> bool {
    let mut seen: BTreeMap<Key, Sighting> = BTreeMap::new();
    for (key, moved) in std::mem::take(&mut memory.moved) {
        let sighting = seen.entry(key).or_default();
        (sighting.starts, sighting.kills) = (moved.starts, moved.kills);
    }
    let started = seen.values().any(|sighting| sighting.starts > 0);
    for here in view.here.iter().filter(|here| here.role == Role::Tasks) {
        let sighting = seen.entry(key_of_here(round, here)).or_default();
        sighting.waiting += here.waiting.max(0) as u64;
        sighting.running += here.running.max(0) as u64;
    }
    memory.metering.look(round.now, seen, &round.limits);
    started
}

/// Tells monitoring what was decided, and what is there.
pub(super) fn publish(round: &Round<'_>, memory: &Memory, (view, decisions): (&RoundView, &[Decision])) {
    let tasks = view.here.iter().filter(|here| here.role == Role::Tasks);
    let keys: BTreeSet<Key> = tasks.map(|here| key_of_here(round, here)).collect();
    let target = keys.iter().map(|key| memory.metering.queue(key, &round.limits).1).sum();
    let (waiting, live) = (view.waiting().max(0) as u64, view.live().max(0) as u64);
    let metrics = &round.grid.metrics;
    metrics.seen(round.name(), Queue { waiting, live, target });
    metrics.asked(round.name(), &round.handle.client.counters());
    metrics.decided(round.name(), decisions.iter().map(|decision| decision.allowance.binding().term()));
}

/// A submission of a campaign was answered so: unless it is certain that nothing came of it, its jobs were sent.
pub(super) fn posted(
    round: &Round<'_>,
    memory: &mut Memory,
    campaign: &RoundCampaign,
    submission: &SubmissionRow,
    answer: &Result<u64, oar_client::Error>,
) {
    if answer.as_ref().is_err_and(|error| !error.is_doubt()) {
        return;
    }
    let jobs = submission.remote_count.max(0) as u64;
    if submission.role == Role::Tasks {
        let shape = raised_shape(round, campaign, submission.level);
        let key = Metering::key(&round.limits, campaign.row.id, &shape);
        memory.metering.sent(round.now, &key, jobs);
    } else {
        memory.metering.sent_ahead(round.now, jobs);
    }
    memory.file_server.sent(jobs);
}

/// Live jobs there by user.
pub(super) fn live_of_users(view: &RoundView) -> BTreeMap<String, u64> {
    let mut live: BTreeMap<String, u64> = BTreeMap::new();
    for here in &view.here {
        *live.entry(here.owner.clone()).or_default() += (here.waiting + here.running).max(0) as u64;
    }
    live
}

/// What the decision about a campaign is made from, for people: what is on the cluster, of its shape, of itself and of
/// its user.
pub(super) fn inputs(cluster: &ClusterView<'_>, campaign: &CampaignView) -> Value {
    let key = Metering::key(cluster.limits, campaign.id, &campaign.shape);
    let (waiting, target) = cluster.metering.queue(&key, cluster.limits);
    let owner = &campaign.owner;
    json!({
        "cluster": { "waiting": cluster.waiting, "live": cluster.live, "sent": cluster.metering.sent_in_cycle() },
        "shape": { "name": &*campaign.shape, "waiting": waiting, "target": target },
        "campaign": { "pending": campaign.pending, "live": campaign.live_here, "priority": campaign.priority },
        "user": {
            "live": cluster.live_of_user.get(owner).copied().unwrap_or_default(),
            "usage": cluster.usage.get(owner).copied().unwrap_or_default(),
            "starved": cluster.starved.get(owner).copied().unwrap_or_default(),
        },
    })
}

/// The cluster as the plan sees it.
pub(super) fn cluster_view<'a>(round: &'a Round<'_>, memory: &'a Memory, view: &RoundView) -> ClusterView<'a> {
    let mut live_of_project: BTreeMap<String, u64> = BTreeMap::new();
    for here in &view.here {
        if let Some(project) = &here.project {
            let live = (here.waiting + here.running).max(0) as u64;
            *live_of_project.entry(project.clone()).or_default() += live;
        }
    }
    ClusterView {
        now: round.now,
        limits: &round.limits,
        metering: &memory.metering,
        waiting: view.waiting().max(0) as u64,
        live: view.live().max(0) as u64,
        live_of_user: live_of_users(view),
        live_of_project,
        groups: &round.groups,
        usage: view.usage.clone(),
        starved: memory.starved.clone(),
        hold: step::find_hold(&view.holds, None, None),
        readings: readings::of(round, memory),
    }
}
