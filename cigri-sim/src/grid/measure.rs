//! The outcome of a run that is over.

use super::{Grid, run_without_us};
use crate::loops::{Campaign, Loop};
use crate::outcome::{CampaignOutcome, ClusterOutcome, NormalWaits, Outcome, Overload, jain};
use crate::table;

const HOUR_MS: f64 = 3.6e6;
/// Shorter times than this are not told apart by slowdowns, seconds.
const SHORT_S: f64 = 60.0;

/// Other users' waits without us, where there are any.
pub(super) struct Without(Vec<Vec<i32>>);

impl Without {
    pub(super) fn of(grid: &Grid<'_>, end: i64) -> Without {
        let alone = grid.loops.iter().all(|one| one.cluster.normal_waits(end).is_empty());
        Without(if alone { Vec::new() } else { run_without_us(grid.run, end) })
    }
}

impl Grid<'_> {
    pub(super) fn outcome(&self, end: i64, without: &Without) -> Outcome {
        let scenario = self.run.scenario;
        let law = self.loops.first().map(|one| table::law_name(&one.limits.law, one.limits.file_server.is_some()));
        let clusters: Vec<ClusterOutcome> =
            self.loops.iter().map(|one| cluster(&scenario.clusters[one.at].name, one)).collect();
        let campaigns: Vec<CampaignOutcome> = self
            .campaigns
            .iter()
            .enumerate()
            .map(|(at, one)| self.campaign(scenario.campaigns[at].tasks, one))
            .collect();
        let sum = |of: fn(&Loop) -> f64| self.loops.iter().map(of).sum::<f64>();
        let (usable, calls) = (sum(|one| one.cluster.used.usable), sum(|one| one.ledger.calls() as f64));
        let shares: Vec<f64> = self.shares.values().map(|(slots, time)| slots / time.max(1.0)).collect();
        let slowdowns = campaigns.iter().map(|one| one.slowdown);
        let first = self.campaigns.iter().map(|one| one.at).min().unwrap_or_default();
        Outcome {
            scenario: scenario.name.clone(),
            law: law.unwrap_or_default(),
            seed: self.run.seed,
            finished: self.campaigns.iter().all(|one| one.finished.is_some()),
            makespan_s: (end - first) as f64 / 1e3,
            utilisation: ratio(sum(|one| one.cluster.used.ours), usable),
            free_core_h: usable / HOUR_MS,
            waiting_mean: ratio(clusters.iter().map(|one| one.waiting_mean).sum(), clusters.len() as f64),
            waiting_p95: clusters.iter().map(|one| one.waiting_p95).max().unwrap_or_default(),
            kills: clusters.iter().map(|one| one.kills).sum(),
            lost_core_h: sum(|one| one.cluster.lost) / HOUR_MS,
            jain: jain(&shares),
            slowdown_mean: ratio(slowdowns.clone().sum(), campaigns.len() as f64),
            slowdown_max: slowdowns.fold(1.0, f64::max),
            calls_per_job: ratio(calls, sum(|one| one.ledger.sent as f64)),
            file_server: self.overload(),
            normal: self.normal(end, without),
            clusters,
            campaigns,
        }
    }

    fn campaign(&self, tasks: u64, campaign: &Campaign) -> CampaignOutcome {
        let all = self.run.scenario.clusters.iter().zip(&campaign.places).filter(|(_, may)| **may);
        let slots: f64 = all.map(|(cluster, _)| f64::from(cluster.slots)).sum();
        let (work, longest) = campaign.bag.drawn;
        let least = (work as f64 * f64::from(campaign.slots) / slots).max(f64::from(longest)) / 1e3;
        let took_s = campaign.finished.map(|at| (at - campaign.at) as f64 / 1e3);
        let slowdown = took_s.map_or(f64::INFINITY, |took| (took / least.max(SHORT_S)).max(1.0));
        CampaignOutcome { owner: campaign.owner.clone(), tasks, done: tasks - campaign.left, took_s, slowdown }
    }

    fn overload(&self) -> Option<Overload> {
        let servers = self.loops.iter().filter_map(|one| one.steering.server.as_ref()).map(|server| server.overload());
        let worst = servers.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Overload { time_over: worst.0, excess: worst.1 })
    }

    /// Of all clusters together, against the shortest of their rounds.
    fn normal(&self, end: i64, without: &Without) -> Option<NormalWaits> {
        let with: Vec<i32> = self.loops.iter().flat_map(|one| one.cluster.normal_waits(end)).collect();
        let round_s = self.run.scenario.clusters.iter().map(|cluster| cluster.round_s).reduce(f64::min);
        NormalWaits::new(&with, &without.0.concat(), round_s.unwrap_or(1.0))
    }
}

fn cluster(name: &str, one: &Loop) -> ClusterOutcome {
    let used = &one.cluster.used;
    let (waiting_mean, waiting_p95) = used.waiting();
    ClusterOutcome {
        name: name.to_owned(),
        utilisation: ratio(used.ours, used.usable),
        free_core_h: used.usable / HOUR_MS,
        waiting_mean,
        waiting_p95,
        jobs: one.ledger.sent,
        calls: one.ledger.calls(),
        kills: one.cluster.kills,
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 0.0 }
}
