//! The loop of one cluster, as the server's goes: look, move the meter, plan, submit; without a store.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;
use cigri_core::fair::Usage;
use cigri_core::meter::law::Key;
use cigri_core::meter::{Bound, ClusterLimits, Metering, Neighbours, Reason, Sighting, window};
use cigri_core::plan::{CampaignView, ClusterView, Decision, plan};
use cigri_core::turn::Turn;

use crate::bag::Bag;
use crate::cluster::{Cluster, Job};
use crate::ledger::Ledger;
use crate::steering::Steering;

/// The time of the run's beginning for the core, which counts from the epoch: a Monday, at midnight on all clocks.
pub(crate) const EPOCH_MS: i64 = 1_767_571_200_000;

/// A campaign on the run.
#[derive(Debug)]
pub(crate) struct Campaign {
    pub(crate) owner: String,
    pub(crate) shape: Arc<str>,
    pub(crate) slots: u32,
    pub(crate) priority: i32,
    /// On each cluster.
    pub(crate) max_jobs: Vec<Option<u64>>,
    /// When it arrives, milliseconds.
    pub(crate) at: i64,
    pub(crate) bag: Bag,
    /// Tasks that are not done.
    pub(crate) left: u64,
    /// When the last one was seen done, milliseconds.
    pub(crate) finished: Option<i64>,
    /// Whether it may go to each cluster.
    pub(crate) places: Vec<bool>,
}

/// How users shared the clusters while more than one of them had tasks in the bag.
pub(crate) type Shares = BTreeMap<String, (f64, f64)>;

/// One cluster with its loop's memory.
#[derive(Debug)]
pub(crate) struct Loop {
    pub(crate) at: usize,
    pub(crate) cluster: Cluster,
    pub(crate) limits: ClusterLimits,
    pub(crate) ledger: Ledger,
    /// What its jobs do to a file server, and the meter about it.
    pub(crate) steering: Steering,
    metering: Metering,
    neighbours: Neighbours,
    usage: BTreeMap<String, Usage>,
    starved: BTreeMap<String, u32>,
    groups: BTreeMap<String, Vec<String>>,
    looked_at: i64,
    /// Whether rounds are planned in which the meter has no room anyway.
    pub(crate) thorough: bool,
}

/// Waiting jobs that are taken back per look, as the server does.
const TAKEN_BACK: usize = 100;

/// Hours after which what a user had counts half.
const HALF_LIFE_S: f64 = 24.0 * 3600.0;

impl Loop {
    /// The `at`-th cluster.
    pub(crate) fn new(at: usize, cluster: Cluster, limits: ClusterLimits) -> Loop {
        Loop {
            at,
            cluster,
            ledger: Ledger::new(limits.period_s),
            limits,
            steering: Steering::default(),
            starved: BTreeMap::new(),
            metering: Metering::new(at as u64 + 1),
            neighbours: Neighbours::default(),
            usage: BTreeMap::new(),
            groups: BTreeMap::new(),
            looked_at: 0,
            thorough: false,
        }
    }

    /// A round of the loop at `now`, the cluster's API answering.
    pub(crate) fn step(&mut self, now: i64, campaigns: &mut [Campaign], shares: &mut Shares) {
        self.cluster.advance(now);
        let sightings = self.sightings(campaigns);
        self.settle(now, campaigns);
        self.ledger.looked();
        self.metering.look(EPOCH_MS + now, sightings, &self.limits);
        self.give_way(now, campaigns);
        self.note_use(now, campaigns, shares);
        self.steering.read(EPOCH_MS + now, &self.limits);
        if self.thorough || self.has_room(now, campaigns) {
            let decisions = self.plan(now, campaigns);
            self.submit(now, &decisions, campaigns);
        } else {
            let owners = contending(self.at, now, campaigns);
            self.starved.retain(|owner, _| owners.contains(&owner.as_str()));
        }
        self.cluster.set_in_bags(in_bags(self.at, now, campaigns));
    }

    /// What the look shows, by the meter's keys.
    fn sightings(&self, campaigns: &[Campaign]) -> BTreeMap<Key, Sighting> {
        let mut seen: BTreeMap<Key, Sighting> = BTreeMap::new();
        let cluster = &self.cluster;
        let mut kills = vec![0; campaigns.len()];
        cluster.news.killed.iter().for_each(|job| kills[job.campaign as usize] += 1);
        for (at, campaign) in campaigns.iter().enumerate() {
            let (waiting, starts) = (cluster.waiting[at], cluster.news.starts[at]);
            if waiting + cluster.running[at] + starts + kills[at] > 0 {
                let sighting = seen.entry(self.key(at, campaign)).or_default();
                sighting.waiting += waiting;
                sighting.running += cluster.running[at];
                sighting.starts += starts;
                sighting.kills += kills[at];
            }
        }
        seen
    }

    fn key(&self, at: usize, campaign: &Campaign) -> Key {
        Metering::key(&self.limits, at as i64 + 1, &campaign.shape)
    }

    /// Tasks are done, or back in their bags.
    fn settle(&mut self, now: i64, campaigns: &mut [Campaign]) {
        let news = &mut self.cluster.news;
        news.starts.fill(0);
        for submission in news.started.drain(..) {
            self.ledger.job_started(submission);
        }
        for (job, done) in news.ended.drain(..) {
            self.ledger.job_ended(job.submission);
            let campaign = &mut campaigns[job.campaign as usize];
            if !done {
                campaign.bag.give_back_from(job.work_ms, self.at);
                continue;
            }
            campaign.left -= 1;
            if campaign.left == 0 {
                campaign.finished = Some(now);
            }
        }
        for job in news.killed.drain(..) {
            self.ledger.job_ended(job.submission);
            campaigns[job.campaign as usize].bag.give_back(job.work_ms);
        }
    }

    /// Looks at other people's waiting jobs, and takes ours back for them.
    fn give_way(&mut self, now: i64, campaigns: &mut [Campaign]) {
        if self.limits.give_way.is_none() {
            return;
        }
        self.neighbours.see(EPOCH_MS + now, self.cluster.normal_waiting());
        self.ledger.listed();
        if self.kept_waiting(now).is_none() {
            return;
        }
        for job in (0..TAKEN_BACK).map_while(|_| self.cluster.take_back()) {
            self.ledger.job_taken_back(job.submission);
            campaigns[job.campaign as usize].bag.give_back(job.work_ms);
        }
    }

    /// Other people's jobs that are given way to.
    fn kept_waiting(&self, now: i64) -> Option<Bound> {
        self.neighbours.bound(EPOCH_MS + now, self.limits.period_s, self.limits.give_way.as_ref()?)
    }

    /// What users have there, for the fair share and for its measure.
    fn note_use(&mut self, now: i64, campaigns: &[Campaign], shares: &mut Shares) {
        let elapsed = (now - self.looked_at) as f64;
        self.looked_at = now;
        let contending = contending(self.at, now, campaigns);
        let contended = contending.len() > 1;
        let mut live: BTreeMap<&str, (u64, f64)> = BTreeMap::new();
        for (at, campaign) in campaigns.iter().enumerate() {
            let (waiting, running) = (self.cluster.waiting[at], self.cluster.running[at]);
            if waiting + running > 0 || contending.contains(&campaign.owner.as_str()) {
                let of = live.entry(&campaign.owner).or_default();
                of.0 += waiting + running;
                of.1 += running as f64 * f64::from(campaign.slots);
            }
        }
        for (owner, (live, slots)) in live {
            let usage = self.usage.entry(owner.to_owned()).or_insert(Usage { jobs: 0.0, at: EPOCH_MS + now });
            *usage = usage.after(EPOCH_MS + now, live, HALF_LIFE_S);
            if contended && contending.contains(&owner) {
                let share = shares.entry(owner.to_owned()).or_default();
                share.0 += slots * elapsed;
                share.1 += elapsed;
            }
        }
    }

    /// Whether any campaign may send anything: if not, the plan would grant nothing, as these terms are in every
    /// allowance of tasks, and nobody would be counted as left out.
    fn has_room(&self, now: i64, campaigns: &[Campaign]) -> bool {
        let limits = &self.limits;
        let is_open = |window: &window::Window| window.is_open(Tz::UTC, EPOCH_MS + now);
        if !limits.windows.is_empty() && !limits.windows.iter().any(is_open) {
            return false;
        }
        if self.kept_waiting(now).is_some() {
            return false;
        }
        let waiting: u64 = self.cluster.waiting.iter().sum();
        if waiting >= limits.max_waiting || self.cluster.live() >= limits.max_running {
            return false;
        }
        let could = |(_, campaign): &(usize, &Campaign)| pending(self.at, now, campaign) > 0;
        campaigns
            .iter()
            .enumerate()
            .filter(could)
            .any(|(at, campaign)| self.metering.room(&self.key(at, campaign), limits) > 0)
    }

    fn plan(&mut self, now: i64, campaigns: &[Campaign]) -> Vec<Decision> {
        let views = campaigns.iter().enumerate().filter_map(|(at, campaign)| self.view(at, campaign, now));
        let views: Vec<CampaignView> = views.collect();
        if views.is_empty() {
            return Vec::new();
        }
        let mut live_of_user: BTreeMap<String, u64> = BTreeMap::new();
        for (at, campaign) in campaigns.iter().enumerate() {
            let live = self.cluster.waiting[at] + self.cluster.running[at];
            if live > 0 {
                *live_of_user.entry(campaign.owner.clone()).or_default() += live;
            }
        }
        let view = ClusterView {
            now: EPOCH_MS + now,
            limits: &self.limits,
            metering: &self.metering,
            waiting: self.cluster.waiting.iter().sum(),
            live: self.cluster.live(),
            live_of_user,
            live_of_project: BTreeMap::new(),
            groups: &self.groups,
            usage: self.usage.iter().map(|(owner, usage)| (owner.clone(), usage.jobs)).collect(),
            hold: None,
            starved: std::mem::take(&mut self.starved),
            readings: [self.steering.bound(&self.limits), self.closed(now), self.kept_waiting(now)]
                .into_iter()
                .flatten()
                .collect(),
        };
        let plan = plan(&view, &views);
        self.starved = plan.starved;
        plan.decisions
    }

    /// None of its windows is open.
    fn closed(&self, now: i64) -> Option<Bound> {
        let text = window::problem(&self.limits.windows, Tz::UTC, EPOCH_MS + now)?;
        Some(Bound::none(Reason::Window { text }))
    }

    fn view(&self, at: usize, campaign: &Campaign, now: i64) -> Option<CampaignView> {
        let pending = pending(self.at, now, campaign);
        (pending > 0).then(|| CampaignView {
            id: at as i64 + 1,
            owner: campaign.owner.clone(),
            shape: Arc::clone(&campaign.shape),
            project: None,
            priority: campaign.priority,
            turn: Turn::Tasks,
            pending,
            tasks_at_once: 1,
            live_here: self.cluster.waiting[at] + self.cluster.running[at],
            max_jobs: campaign.max_jobs[self.at],
            hold: None,
            token_problem: None,
            in_doubt: 0,
            calendar: None,
            breaker: None,
        })
    }

    fn submit(&mut self, now: i64, decisions: &[Decision], campaigns: &mut [Campaign]) {
        for decision in decisions.iter().filter(|decision| decision.allowance.allowed > 0) {
            let at = decision.campaign as usize - 1;
            let jobs = decision.allowance.allowed;
            let key = self.key(at, &campaigns[at]);
            self.metering.sent(EPOCH_MS + now, &key, jobs);
            self.steering.sent(jobs);
            let campaign = &mut campaigns[at];
            let submission = self.ledger.submit(jobs as u32);
            for _ in 0..jobs {
                if let Some(work_ms) = campaign.bag.take(self.at) {
                    self.cluster.submit(Job { campaign: at as u32, work_ms, slots: campaign.slots, submission });
                }
            }
        }
    }
}

/// Tasks of a campaign that may go to this cluster now.
fn pending(cluster: usize, now: i64, campaign: &Campaign) -> u64 {
    if campaign.at > now || !campaign.places[cluster] { 0 } else { campaign.bag.pending(cluster) }
}

fn in_bags(cluster: usize, now: i64, campaigns: &[Campaign]) -> u64 {
    campaigns.iter().map(|campaign| pending(cluster, now, campaign) * u64::from(campaign.slots)).sum()
}

/// Users with tasks that could go there.
fn contending(cluster: usize, now: i64, campaigns: &[Campaign]) -> Vec<&str> {
    let mut owners = Vec::new();
    for campaign in campaigns {
        if pending(cluster, now, campaign) > 0 && !owners.contains(&campaign.owner.as_str()) {
            owners.push(campaign.owner.as_str());
        }
    }
    owners
}
