//! A run: events of all clusters in order of time, until every task is done.

mod measure;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use chacha20::ChaCha8Rng;
use chacha20::rand_core::SeedableRng;
use cigri_core::meter::law::LawSettings;

use crate::bag::Bag;
use crate::cluster::Cluster;
use crate::duration::unit;
use crate::file_server::SAMPLE_MS;
use crate::loops::{Campaign, EPOCH_MS, Loop, Shares};
use crate::outcome::Outcome;
use crate::scenario::{self, Scenario, Traces};
use crate::steering::Steering;

/// What is played.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// The scenario, parsed.
    pub scenario: &'a Scenario,
    /// Its traces, parsed.
    pub traces: &'a Traces,
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// Instead of the law that the scenario names.
    pub law: Option<&'a LawSettings>,
    /// Whether file servers with settings in the limits are steered.
    pub steered: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Sample,
    Schedule,
    Look,
}

/// All that moves.
struct Grid<'a> {
    run: Run<'a>,
    loops: Vec<Loop>,
    campaigns: Vec<Campaign>,
    shares: Shares,
    events: BinaryHeap<Reverse<(i64, What, usize)>>,
    /// Of each cluster: when its rounds come.
    chance: Vec<ChaCha8Rng>,
    failures: Vec<u32>,
    /// When a job of ours was last anywhere, or a cluster did not answer, or a campaign arrived: milliseconds.
    moved: i64,
}

/// Streams of random numbers that don't depend on each other: one per use and index.
fn chance(seed: u64, stream: u64, index: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&stream.to_le_bytes());
    key[16..24].copy_from_slice(&(index as u64).to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// When nothing was there for so long, nothing will be: every window opens once a week.
const STILL_MS: i64 = 8 * 86_400_000;

const TASKS: u64 = 1;
const OTHERS: u64 = 2;
const ROUNDS: u64 = 3;
const PHASE: u64 = 4;

/// Plays a scenario and measures it. The same run has the same outcome, to the byte.
pub fn run(run: Run<'_>) -> Outcome {
    let mut grid = Grid::new(run);
    let end = grid.play();
    let without = measure::Without::of(&grid, end);
    grid.outcome(end, &without)
}

/// How long other users' jobs wait until `end_ms` where we send nothing: by cluster and job, milliseconds, -1 for one
/// that was not there yet.
pub fn run_without_us(run: Run<'_>, end_ms: i64) -> Vec<Vec<i32>> {
    let mut grid = Grid::new(run);
    grid.events.retain(|Reverse((_, what, _))| *what == What::Schedule);
    while let Some(Reverse((now, _, at))) = grid.events.pop().filter(|Reverse((now, ..))| *now <= end_ms) {
        grid.schedule(now, at);
    }
    grid.loops.iter().map(|one| one.cluster.normal_waits(end_ms)).collect()
}

impl<'a> Grid<'a> {
    fn new(run: Run<'a>) -> Grid<'a> {
        let clusters = &run.scenario.clusters;
        let loops = clusters.iter().enumerate().map(|(at, cluster)| new_loop(run, at, cluster)).collect();
        let campaigns = run.scenario.campaigns.iter().enumerate();
        let mut grid = Grid {
            run,
            loops,
            campaigns: campaigns.map(|(at, campaign)| new_campaign(run, at, campaign)).collect(),
            shares: Shares::new(),
            events: BinaryHeap::new(),
            chance: (0..clusters.len()).map(|at| chance(run.seed, ROUNDS, at)).collect(),
            failures: vec![0; clusters.len()],
            moved: 0,
        };
        grid.moved = grid.campaigns.iter().map(|campaign| campaign.at).max().unwrap_or_default();
        for at in 0..clusters.len() {
            grid.start(at);
        }
        grid
    }

    /// The first events of a cluster; its scheduler and our loop know nothing of each other.
    fn start(&mut self, at: usize) {
        let mut phase = chance(self.run.seed, PHASE, at);
        let first_round = (unit(&mut phase) * self.run.scenario.clusters[at].round_s * 1e3) as i64;
        let first_look = (unit(&mut phase) * self.loops[at].limits.period_s as f64 * 1e3) as i64;
        self.events.push(Reverse((first_round, What::Schedule, at)));
        self.events.push(Reverse((first_look, What::Look, at)));
        if self.loops[at].steering.server.is_some() {
            self.events.push(Reverse((SAMPLE_MS, What::Sample, at)));
        }
    }

    /// Until every task is done, or the run is cut; when that is.
    fn play(&mut self) -> i64 {
        let limit = (self.run.scenario.limit_h * 3.6e6) as i64;
        let mut left = self.campaigns.len();
        while let Some(Reverse((now, what, at))) = self.events.pop() {
            if now > limit {
                break;
            }
            match what {
                What::Sample => self.sample(now, at),
                What::Schedule => self.schedule(now, at),
                What::Look => {
                    self.look(now, at);
                    left = self.campaigns.iter().filter(|campaign| campaign.finished.is_none()).count();
                }
            }
            if left == 0 {
                return now;
            }
        }
        self.loops.iter_mut().for_each(|one| one.cluster.advance(limit));
        limit
    }

    fn schedule(&mut self, now: i64, at: usize) {
        self.loops[at].cluster.schedule(now);
        let cluster = &self.run.scenario.clusters[at];
        let jitter = if cluster.jitter > 0.0 { cluster.jitter * (2.0 * unit(&mut self.chance[at]) - 1.0) } else { 0.0 };
        let next = now + (cluster.round_s * (1.0 + jitter) * 1e3).max(1.0) as i64;
        self.events.push(Reverse((next, What::Schedule, at)));
    }

    /// A cluster whose API does not answer is asked again as the server's loop does: after a third of a period, doubling
    /// up to one and a half.
    fn look(&mut self, now: i64, at: usize) {
        let one = &mut self.loops[at];
        let period = one.limits.period_s as i64 * 1000;
        let is_out = self.run.scenario.clusters[at].outages.iter().any(|span| span.contains(now));
        let pause = if is_out {
            self.failures[at] += 1;
            one.ledger.unanswered();
            ((period / 3) << (self.failures[at] - 1).min(4)).min(period * 3 / 2)
        } else {
            self.failures[at] = 0;
            one.step(now, &mut self.campaigns, &mut self.shares);
            period
        };
        if is_out || one.cluster.live() > 0 {
            self.moved = self.moved.max(now);
        }
        if now - self.moved <= STILL_MS {
            self.events.push(Reverse((now + pause, What::Look, at)));
        }
    }

    fn sample(&mut self, now: i64, at: usize) {
        let one = &mut self.loops[at];
        one.cluster.advance(now);
        let moved = std::mem::replace(&mut one.cluster.moved, vec![0; self.campaigns.len()]);
        let campaigns = self.run.scenario.campaigns.iter();
        let megabytes = moved.iter().zip(campaigns).map(|(jobs, campaign)| *jobs as f64 * campaign.job_mb).sum();
        let counts = one.cluster.live() > 0;
        if let Some(server) = &self.run.scenario.clusters[at].file_server {
            let is_in = |spans: &[scenario::Span]| spans.iter().any(|span| span.contains(now));
            one.steering.sample(EPOCH_MS + now, (megabytes, counts), (is_in(&server.silent), is_in(&server.lies)));
        }
        self.events.push(Reverse((now + SAMPLE_MS, What::Sample, at)));
    }
}

fn new_loop(run: Run<'_>, at: usize, cluster: &scenario::Cluster) -> Loop {
    let trace = match &cluster.others {
        crate::load::Others::Trace { file, .. } => run.traces.get(file).map(Vec::as_slice).unwrap_or_default(),
        _ => &[],
    };
    let until = (run.scenario.limit_h * 3.6e6) as i64;
    let jobs = cluster.others.jobs(cluster.slots, until, (trace, &mut chance(run.seed, OTHERS, at)));
    let model = Cluster::new((cluster.slots, cluster.black_hole), jobs, run.scenario.campaigns.len());
    let mut limits = cluster.resolved.clone();
    if let Some(law) = run.law {
        limits.law = *law;
    }
    if !run.steered {
        limits.file_server = None;
    }
    let mut new = Loop::new(at, model, limits);
    new.steering = Steering::new(cluster.file_server.as_ref());
    new
}

fn new_campaign(run: Run<'_>, at: usize, campaign: &scenario::Campaign) -> Campaign {
    let may = |cluster: &scenario::Cluster| campaign.clusters.is_empty() || campaign.clusters.contains(&cluster.name);
    let places: Vec<bool> = run.scenario.clusters.iter().map(may).collect();
    let max_jobs = |cluster: &scenario::Cluster| campaign.max_jobs_on.get(&cluster.name).copied().or(campaign.max_jobs);
    let count = (places.len(), places.iter().filter(|may| **may).count());
    let draws = (campaign.duration.clone(), chance(run.seed, TASKS, at));
    Campaign {
        owner: campaign.owner.clone(),
        shape: Arc::from(format!("/core={}", campaign.slots)),
        slots: campaign.slots,
        priority: campaign.priority,
        max_jobs: run.scenario.clusters.iter().map(max_jobs).collect(),
        at: (campaign.at_s * 1e3) as i64,
        bag: Bag::new(campaign.tasks, draws, count),
        left: campaign.tasks,
        finished: None,
        places,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A small grid on which everything happens: others, kills, several users and shapes, a cap on jobs, a black hole.
    const BUSY: &str = r#"
        name = "busy"
        limits = { max_waiting = 40, max_per_cycle = 30 }
        cluster = [
            { name = "a", slots = 30, round_s = 20.0, others = { kind = "square", slots = 20, on_s = 300, off_s = 400 } },
            { name = "b", slots = 10, round_s = 45.0, jitter = 0.3, outages = [{ from_s = 200.0, for_s = 100.0 }] },
            { name = "c", slots = 10, black_hole = true },
            { name = "d", slots = 10, limits = { windows = ["Mon 00:10-00:15", "Mon 00:40-00:50"] } },
        ]
        campaign = [
            { owner = "alice", tasks = 300, duration = "lognormal:60s,120s" },
            { owner = "bob", tasks = 200, duration = "60s", at_s = 500.0, slots = 2 },
            { owner = "carol", tasks = 100, duration = "30s", at_s = 600.0, max_jobs = 5 },
        ]"#;

    #[test]
    fn rounds_that_are_not_planned_would_have_sent_nothing() {
        let scenario = Scenario::parse(BUSY).unwrap();
        let traces = Traces::new();
        for name in ["adaptive", "tap-3", "tap-paper", "fixed"] {
            let law: LawSettings = serde_json::from_value(serde_json::json!({ "name": name })).unwrap();
            let play = |thorough| {
                let mut grid =
                    Grid::new(Run { scenario: &scenario, traces: &traces, seed: 3, law: Some(&law), steered: true });
                grid.loops.iter_mut().for_each(|one| one.thorough = thorough);
                let end = grid.play();
                let without = measure::Without::of(&grid, end);
                grid.outcome(end, &without)
            };
            let outcome = play(false);
            assert!(outcome.finished, "{name}: {outcome:?}");
            assert_eq!(outcome, play(true), "{name}");
        }
    }
}
