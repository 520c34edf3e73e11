//! The plan of one round on one cluster: which campaigns may send how many jobs, and every refusal's reason.
//!
//! Prologues, epilogues and samples go first: neither shares nor what waits there bind them. Then the round is divided
//! between users as water fills a vessel: whoever stands lowest gets the next job. A user stands at (live jobs + mean of
//! those of late + jobs of this round) / weight; one of weight 0 comes after all others. Of a user's campaigns
//! those with the highest priority go first; among equals the one with the fewest live jobs gets the next job, then the
//! older one, so that a short campaign does not wait for the end of a long one. What one cannot take (its `max_jobs`, a
//! quota, the backlog of its shape, the largest array) is there for the next.
//!
//! **Nobody starves.** A user who has something to send, in a round with room for it, and gets nothing, is counted
//! ([`Plan::starved`]). Who comes to [`crate::fair::patience`] such rounds gets one job before the division; who waited
//! longest is first. So a user of weight w > 0 among n users of total weight W gets a job in every max(20, W/w) + n rounds
//! with room for one, whatever the others had, have and do: who is served begins to count anew, behind all who still wait.
//! The bound is for users, and for rounds in which steps and samples leave room; a user's own campaigns of one priority
//! fill up to the same number of live jobs.
//!
//! Under a law that serves one campaign in a round (CiGri 3's), campaigns go by their owner's weight, then the owner's
//! age, then as their owner orders them. The first whose tap is open is served, and all others get nothing. A closed tap is
//! passed over, but for the time after its closing in which the law looks at none behind it.

mod blocked;
mod entry;
mod one;
mod room;
mod share;
#[cfg(test)]
mod tests;
mod users;

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::meter::{Allowance, Bound, ClusterLimits, Metering, Reason};
use crate::state::Role;
use crate::turn::Turn;
use entry::Entry;
use room::Room;
use users::User;

/// The cluster as the round sees it. Counts come from the ledger, never from a listing alone.
#[derive(Debug, Clone)]
pub struct ClusterView<'a> {
    /// Epoch milliseconds.
    pub now: i64,
    /// Limits set by the admin.
    pub limits: &'a ClusterLimits,
    /// What its meter remembers.
    pub metering: &'a Metering,
    /// Our jobs launching, in doubt, held or waiting there.
    pub waiting: u64,
    /// Our live jobs there, waiting ones included.
    pub live: u64,
    /// Live jobs there by user.
    pub live_of_user: BTreeMap<String, u64>,
    /// Live jobs there by project.
    pub live_of_project: BTreeMap<String, u64>,
    /// Members of the groups that have quotas.
    pub groups: &'a BTreeMap<String, Vec<String>>,
    /// What users had there lately: see [`crate::fair`].
    pub usage: BTreeMap<String, f64>,
    /// Rounds with room that users, with something to send, got nothing of: the last plan's [`Plan::starved`].
    pub starved: BTreeMap<String, u32>,
    /// Why nothing may be sent there by anybody.
    pub hold: Option<String>,
    /// Terms of the whole cluster that depend on readings: window, age of the picture, stress, file server, requests.
    pub readings: Vec<Bound>,
}

/// A campaign with something to send there.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignView {
    /// Campaign id; a smaller one is older.
    pub id: i64,
    /// Owner's login.
    pub owner: String,
    /// What its jobs ask for.
    pub shape: Arc<str>,
    /// The project that its jobs there are accounted to.
    pub project: Option<String>,
    /// Among its owner's campaigns, a higher one goes first.
    pub priority: i32,
    /// What it would send: tasks, its sample, a step.
    pub turn: Turn,
    /// Tasks in the bag that may go to this cluster now.
    pub pending: u64,
    /// Tasks that one of its jobs there runs side by side, from 1.
    pub tasks_at_once: u64,
    /// Its live jobs there.
    pub live_here: u64,
    /// Its `max_jobs` there.
    pub max_jobs: Option<u64>,
    /// Why it may not be sent there.
    pub hold: Option<String>,
    /// Why the owner's token can't be used there.
    pub token_problem: Option<String>,
    /// Its submissions there that are in doubt.
    pub in_doubt: u64,
    /// Why its jobs may not start there at this hour.
    pub calendar: Option<String>,
    /// Its last submissions or jobs there failed: nothing may go, or one job that tries.
    pub breaker: Option<Bound>,
}

/// What one campaign may send this round.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Campaign id.
    pub campaign: i64,
    /// What they are.
    pub role: Role,
    /// Jobs, and the terms behind the number.
    pub allowance: Allowance,
}

/// What a round does.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plan {
    /// One for each campaign, in the order in which they are to be sent.
    pub decisions: Vec<Decision>,
    /// What [`ClusterView::starved`] is in the next round.
    pub starved: BTreeMap<String, u32>,
}

/// Plans a round, as the module says, in O((campaigns + jobs given) log campaigns), whatever the order of `campaigns`.
pub fn plan(cluster: &ClusterView<'_>, campaigns: &[CampaignView]) -> Plan {
    let mut order: Vec<&CampaignView> = campaigns.iter().collect();
    order.sort_unstable_by_key(|campaign| (campaign.owner.as_str(), Reverse(campaign.priority), campaign.id));
    let mut users = users::of(cluster, &order);
    let mut room = Room::new(cluster, &users);
    let mut entries = entries(cluster, &order, &users, &mut room);
    let mut decisions = Vec::with_capacity(entries.len());
    send_ahead(cluster, &mut users, (&entries, &mut room), &mut decisions);
    let serves_one = cluster.limits.law.serves_one_campaign();
    let head = match serves_one {
        true => one::serve(&users, &mut entries, &room),
        false => share::divide(&mut users, &mut entries, &mut room),
    };
    let round = share::Round::of(&users, &entries);
    for (at, user) in share::ranked(&users).into_iter().map(|at| (at, &users[at])) {
        let rival = || head.map_or_else(|| round.share(user), |campaign| Reason::Behind { campaign });
        // What others took is gone, where nobody else would take more: as if it had been there before.
        let gone = if round.only_wants(at) { others(&entries, at) } else { Vec::new() };
        gone.iter().for_each(|entry| room.take(&entry.site, entry.given));
        decide(cluster, &entries[user.campaigns.clone()], &mut room, rival, &mut decisions);
        gone.iter().for_each(|entry| room.give_back(&entry.site, entry.given));
    }
    let starved = if serves_one { BTreeMap::new() } else { share::starved(&users) };
    Plan { decisions, starved }
}

fn entries<'a>(
    cluster: &ClusterView<'_>,
    order: &[&'a CampaignView],
    users: &[User<'_>],
    room: &mut Room<'_>,
) -> Vec<Entry<'a>> {
    let of_user = |(user, at): (usize, &User<'_>)| order[at.campaigns.clone()].iter().map(move |one| (user, *one));
    let all = users.iter().enumerate().flat_map(of_user);
    all.map(|(user, campaign)| {
        let (site, blocked) = (room.site(campaign, user), blocked::blocked(cluster, campaign));
        Entry { campaign, user, site, blocked, most: entry::most(cluster, campaign), given: 0 }
    })
    .collect()
}

/// What is not of this user.
fn others<'e, 'a>(entries: &'e [Entry<'a>], user: usize) -> Vec<&'e Entry<'a>> {
    entries.iter().filter(|entry| entry.user != user).collect()
}

/// Steps and samples, those of the user that stands lowest first.
fn send_ahead(
    cluster: &ClusterView<'_>,
    users: &mut [User<'_>],
    (entries, room): (&[Entry<'_>], &mut Room<'_>),
    decisions: &mut Vec<Decision>,
) {
    let mut ahead: Vec<&Entry<'_>> = entries.iter().filter(|entry| entry.goes_ahead()).collect();
    ahead.sort_by(|a, b| {
        let stood = |entry: &Entry<'_>| users[entry.user].stood();
        stood(a).total_cmp(&stood(b)).then(a.campaign.id.cmp(&b.campaign.id))
    });
    for entry in ahead {
        let allowance = entry::allow_ahead(cluster, entry, room);
        room.take(&entry.site, allowance.allowed);
        users[entry.user].ahead += allowance.allowed;
        decisions.push(entry.decision(allowance));
    }
}

/// What the campaigns of one user get, and why not more: each beside what the user's campaigns before it get. Where that
/// would leave more, others are the `rival` reason.
fn decide(
    cluster: &ClusterView<'_>,
    entries: &[Entry<'_>],
    room: &mut Room<'_>,
    rival: impl Fn() -> Reason,
    decisions: &mut Vec<Decision>,
) {
    for entry in entries.iter().filter(|entry| !entry.goes_ahead()) {
        let allowance = match entry.blocked.clone() {
            Some(bound) => Allowance::minimum(bound, []),
            None => entry::allow(cluster, entry, room, &rival),
        };
        room.take(&entry.site, entry.given);
        decisions.push(entry.decision(allowance));
    }
    entries.iter().for_each(|entry| room.give_back(&entry.site, entry.given));
}
