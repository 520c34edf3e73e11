//! Who takes part in a round, and where each user stands.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::{CampaignView, ClusterView};
use crate::fair;

/// A user with campaigns in the round.
pub(super) struct User<'a> {
    /// Login.
    pub(super) name: &'a str,
    /// What the admin gave; 1 by default.
    pub(super) weight: f64,
    /// Live jobs there, and the mean of those of late.
    pub(super) had: f64,
    /// Rounds with room without a job.
    pub(super) starved: u32,
    /// Its campaigns, in the round's order.
    pub(super) campaigns: Range<usize>,
    /// Those of them that may still take jobs.
    pub(super) queue: BinaryHeap<Reverse<Standing>>,
    /// Something of it is to be sent, and there is room for it.
    pub(super) takes_part: bool,
    /// It was left out for too many rounds.
    pub(super) is_overdue: bool,
    /// Id of the oldest.
    pub(super) oldest: i64,
    /// Jobs of tasks that it gets.
    pub(super) tasks: u64,
    /// Jobs of steps and samples that it gets.
    pub(super) ahead: u64,
}

/// Where a campaign stands among its owner's: the least is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Standing {
    pub(super) priority: Reverse<i32>,
    /// Live jobs, those of this round included.
    pub(super) jobs: u64,
    /// The older one first.
    pub(super) id: i64,
    /// Its place in the round.
    pub(super) entry: usize,
}

fn standing(campaign: &CampaignView, entry: usize) -> Standing {
    Standing { priority: Reverse(campaign.priority), jobs: campaign.live_here, id: campaign.id, entry }
}

impl User<'_> {
    /// Where it stands now: the lowest gets the next job.
    pub(super) fn standing(&self) -> f64 {
        fair::standing(self.had + (self.tasks + self.ahead) as f64, self.weight)
    }

    /// Where it stood before the division.
    pub(super) fn stood(&self) -> f64 {
        fair::standing(self.had + self.ahead as f64, self.weight)
    }
}

/// The users of campaigns that are sorted by owner; sorted by name.
pub(super) fn of<'a>(cluster: &ClusterView<'_>, order: &[&'a CampaignView]) -> Vec<User<'a>> {
    let mut users: Vec<User<'a>> = Vec::new();
    for (at, campaign) in order.iter().enumerate() {
        match users.last_mut().filter(|user| user.name == campaign.owner) {
            Some(user) => {
                user.campaigns.end = at + 1;
                user.queue.push(Reverse(standing(campaign, at)));
                user.oldest = user.oldest.min(campaign.id);
            }
            None => users.push(user(cluster, campaign, at)),
        }
    }
    users
}

fn user<'a>(cluster: &ClusterView<'_>, campaign: &'a CampaignView, at: usize) -> User<'a> {
    let name = campaign.owner.as_str();
    let live = cluster.live_of_user.get(name).copied().unwrap_or_default();
    User {
        name,
        weight: cluster.limits.weights.get(name).copied().unwrap_or(1.0),
        had: live as f64 + cluster.usage.get(name).copied().unwrap_or_default(),
        starved: cluster.starved.get(name).copied().unwrap_or_default(),
        campaigns: at..at + 1,
        queue: BinaryHeap::from([Reverse(standing(campaign, at))]),
        takes_part: false,
        is_overdue: false,
        oldest: campaign.id,
        tasks: 0,
        ahead: 0,
    }
}
