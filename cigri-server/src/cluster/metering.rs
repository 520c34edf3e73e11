//! What the meter is told in a round: what waits and started, by shape, and what the plan starts from.

use std::collections::BTreeMap;
use std::sync::Arc;

use cigri_core::meter::law::Key;
use cigri_core::meter::{Metering, Sighting};
use cigri_core::plan::ClusterView;
use cigri_store::{RoundCampaign, RoundView, SubmissionRow};

use super::observe::Moved;
use super::{Memory, Round, readings, step};

/// What a campaign's jobs ask for there.
pub(super) fn shape(round: &Round<'_>, campaign: &RoundCampaign) -> Arc<str> {
    campaign.row.spec.clusters.get(round.name()).map(|spec| spec.shape()).unwrap_or_default().into()
}

/// Which law's jobs a submission holds. `view` is the picture in which it was live.
fn key_of(round: &Round<'_>, view: &RoundView, submission: &SubmissionRow) -> Option<Key> {
    let here = view.here.iter().find(|here| here.campaign == submission.campaign_id)?;
    Some(Metering::key(&round.limits, here.campaign, &here.shape.as_str().into()))
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

/// Moves the laws by what was seen since the last time; true if anything started.
pub(super) fn look(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> bool {
    let mut seen: BTreeMap<Key, Sighting> = BTreeMap::new();
    for (key, moved) in std::mem::take(&mut memory.moved) {
        let sighting = seen.entry(key).or_default();
        (sighting.starts, sighting.kills) = (moved.starts, moved.kills);
    }
    let started = seen.values().any(|sighting| sighting.starts > 0);
    for here in &view.here {
        let key = Metering::key(&round.limits, here.campaign, &here.shape.as_str().into());
        seen.entry(key).or_default().waiting += here.waiting.max(0) as u64;
    }
    memory.metering.look(round.now, seen, &round.limits);
    started
}

/// Jobs of a campaign are about to be sent.
pub(super) fn sent(round: &Round<'_>, memory: &mut Memory, campaign: &RoundCampaign, jobs: u64) {
    let key = Metering::key(&round.limits, campaign.row.id, &shape(round, campaign));
    memory.metering.sent(round.now, &key, jobs);
}

/// The cluster as the plan sees it.
pub(super) fn cluster_view<'a>(round: &'a Round<'_>, memory: &'a Memory, view: &RoundView) -> ClusterView<'a> {
    let mut live_of_user: BTreeMap<String, u64> = BTreeMap::new();
    let mut live_of_project: BTreeMap<String, u64> = BTreeMap::new();
    for here in &view.here {
        let live = (here.waiting + here.running).max(0) as u64;
        *live_of_user.entry(here.owner.clone()).or_default() += live;
        if let Some(project) = &here.project {
            *live_of_project.entry(project.clone()).or_default() += live;
        }
    }
    ClusterView {
        now: round.now,
        limits: &round.limits,
        metering: &memory.metering,
        waiting: view.waiting().max(0) as u64,
        live: view.live().max(0) as u64,
        live_of_user,
        live_of_project,
        groups: &round.grid.groups,
        usage: BTreeMap::new(),
        hold: step::find_hold(&view.holds, None, None),
        readings: readings::of(round),
    }
}
