//! One campaign in a round: what it can take by itself, and the terms of what it gets.

use super::room::{Room, Site};
use super::{CampaignView, ClusterView, Decision};
use crate::meter::{Allowance, Bound, Reason};
use crate::turn::Turn;

/// A campaign's part in the round.
pub(super) struct Entry<'a> {
    pub(super) campaign: &'a CampaignView,
    /// Its owner's place.
    pub(super) user: usize,
    pub(super) site: Site,
    /// Why it gets nothing.
    pub(super) blocked: Option<Bound>,
    /// Jobs that its own terms allow.
    pub(super) most: u64,
    /// Jobs that it gets.
    pub(super) given: u64,
}

impl Entry<'_> {
    /// Whether it is a step or a sample that may go.
    pub(super) fn goes_ahead(&self) -> bool {
        self.blocked.is_none() && self.campaign.turn.is_ahead()
    }

    /// Whether it is for its tasks, and not blocked.
    fn shares(&self) -> bool {
        self.blocked.is_none() && !self.campaign.turn.is_ahead()
    }

    /// Whether it would take more, if there were room.
    pub(super) fn wants_more(&self) -> bool {
        self.shares() && self.given < self.most
    }

    /// Jobs of its tasks that it can still take.
    pub(super) fn left(&self, room: &Room<'_>) -> u64 {
        if self.shares() { (self.most - self.given).min(room.left(&self.site)) } else { 0 }
    }

    /// Jobs that it could take if all of the room were there for it.
    fn left_alone(&self, room: &Room<'_>) -> u64 {
        self.most.min(room.left(&self.site))
    }

    /// The decision on it.
    pub(super) fn decision(&self, allowance: Allowance) -> Decision {
        Decision { campaign: self.campaign.id, role: self.campaign.turn.role(), allowance }
    }
}

/// Jobs that a campaign's own terms allow.
pub(super) fn most(cluster: &ClusterView<'_>, campaign: &CampaignView) -> u64 {
    let jobs = campaign.pending.div_ceil(campaign.tasks_at_once.max(1));
    let free = campaign.max_jobs.map_or(u64::MAX, |most| most.saturating_sub(campaign.live_here));
    let probe = campaign.breaker.as_ref().map_or(u64::MAX, |bound| bound.allowed);
    jobs.min(cluster.limits.max_array).min(probe).min(free)
}

/// What a campaign's tasks get, where the room is what it is; the `rival` reason, if they would get more but for others.
pub(super) fn allow(
    cluster: &ClusterView<'_>,
    entry: &Entry<'_>,
    room: &Room<'_>,
    rival: impl Fn() -> Reason,
) -> Allowance {
    let campaign = entry.campaign;
    let mut rest = Vec::with_capacity(10 + cluster.readings.len());
    let jobs = campaign.pending.div_ceil(campaign.tasks_at_once.max(1));
    room.terms(&entry.site, &mut rest);
    if entry.left_alone(room) > entry.given {
        rest.push(Bound::new(entry.given, rival()));
    }
    own(cluster, campaign, &mut rest);
    Allowance::minimum(Bound::new(jobs, Reason::Pending { tasks: campaign.pending }), rest)
}

/// What a step or a sample may send: neither shares nor what waits there bind it.
pub(super) fn allow_ahead(cluster: &ClusterView<'_>, entry: &Entry<'_>, room: &Room<'_>) -> Allowance {
    let mut rest = Vec::new();
    room.terms(&entry.site, &mut rest);
    let first = match entry.campaign.turn {
        Turn::Sample(left) => {
            let tasks = entry.campaign.pending;
            rest.push(Bound::new(tasks, Reason::Pending { tasks }));
            own(cluster, entry.campaign, &mut rest);
            let text = format!("{left} tasks of its sample are to go there");
            Bound::new(left, Reason::TestMode { text })
        }
        Turn::Epilogue => Bound::new(1, Reason::Epilogue { text: "its epilogue goes there".to_owned() }),
        _ => Bound::new(1, Reason::Prologue { text: "its prologue goes there first".to_owned() }),
    };
    Allowance::minimum(first, rest)
}

fn own(cluster: &ClusterView<'_>, campaign: &CampaignView, terms: &mut Vec<Bound>) {
    let most = cluster.limits.max_array;
    terms.push(Bound::new(most, Reason::ArraySize { most }));
    terms.extend(campaign.breaker.clone());
    if let Some(most) = campaign.max_jobs {
        let live = campaign.live_here;
        terms.push(Bound::new(most.saturating_sub(live), Reason::MaxJobs { live, most }));
    }
}
