//! The laws against each other on a toy cluster: one queue, first come first served, a scheduler with slow rounds.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use super::{AdaptiveSettings, FixedSettings, Key, LawSettings, Sighting, Tap3Settings, mixed};
use crate::meter::{ClusterLimits, Metering};

/// Whole seconds; a look comes 3 s after each full period.
const LOOK_AT: u64 = 3;

#[derive(Clone, Copy)]
enum Tasks {
    Constant(u64),
    Uniform(u64, u64),
    /// Median 63 s, mean 283 s: Gricad's short tasks.
    LogNormal,
}

#[derive(Clone, Copy)]
struct Scene {
    slots: u64,
    round_s: u64,
    tasks: u64,
    length: Tasks,
    /// Slots that others take every other period, and the period in seconds.
    others: (u64, u64),
}

#[derive(Debug, Default, Clone, Copy)]
struct Outcome {
    /// Part of the free slots' time that was used until the last task started, in per cent.
    used: f64,
    posts: u64,
    /// Mean of our waiting jobs.
    waiting: f64,
    kills: u64,
    makespan_s: u64,
}

struct Chance(u64);

impl Chance {
    fn unit(&mut self) -> f64 {
        self.0 = mixed(self.0);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn length(&mut self, tasks: Tasks) -> u64 {
        match tasks {
            Tasks::Constant(seconds) => seconds,
            Tasks::Uniform(least, most) => least + (self.unit() * (most - least) as f64) as u64,
            Tasks::LogNormal => {
                let (u, v) = (self.unit().max(1e-12), self.unit());
                let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
                let sigma = (2.0 * (283f64 / 63.0).ln()).sqrt();
                (63.0 * (sigma * normal).exp()).clamp(1.0, 100_000.0) as u64
            }
        }
    }
}

struct Toy {
    scene: Scene,
    chance: Chance,
    waiting: u64,
    /// When running jobs end, and their numbers.
    ends: BinaryHeap<Reverse<(u64, u64)>>,
    /// Running jobs by number: the largest is the youngest.
    running: BTreeMap<u64, u64>,
    next: u64,
    starts: u64,
    kills: u64,
    killed: u64,
}

impl Toy {
    fn new(scene: Scene, seed: u64) -> Toy {
        Toy {
            scene,
            chance: Chance(seed),
            waiting: 0,
            ends: BinaryHeap::new(),
            running: BTreeMap::new(),
            next: 0,
            starts: 0,
            kills: 0,
            killed: 0,
        }
    }

    fn free(&self, now: u64) -> u64 {
        let (slots, period) = self.scene.others;
        if period > 0 && (now / period) % 2 == 1 { self.scene.slots - slots } else { self.scene.slots }
    }

    fn end(&mut self, now: u64) {
        while self.ends.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            if let Some(Reverse((_, job))) = self.ends.pop() {
                self.running.remove(&job);
            }
        }
    }

    /// Returns the tasks of killed jobs.
    fn schedule(&mut self, now: u64) -> u64 {
        let free = self.free(now);
        let mut killed = 0;
        while self.running.len() as u64 > free {
            self.running.pop_last();
            killed += 1;
        }
        self.kills += killed;
        self.killed += killed;
        let starts = self.waiting.min(free - self.running.len() as u64);
        for _ in 0..starts {
            let end = now + self.chance.length(self.scene.length);
            self.ends.push(Reverse((end, self.next)));
            self.running.insert(self.next, end);
            self.next += 1;
        }
        self.waiting -= starts;
        self.starts += starts;
        killed
    }
}

fn limits(law: LawSettings, (per_cycle, waiting): (u64, u64)) -> ClusterLimits {
    ClusterLimits { law, max_per_cycle: per_cycle, max_waiting: waiting, ..ClusterLimits::default() }
}

fn play(scene: Scene, limits: &ClusterLimits, seed: u64) -> Outcome {
    let mut toy = Toy::new(scene, seed);
    let mut metering = Metering::new(seed);
    let key = Metering::key(limits, 1, &"/core=1".into());
    let mut bag = scene.tasks;
    let (mut used, mut free, mut waited) = (0u64, 0u64, 0u64);
    let mut outcome = Outcome::default();
    let mut now = 0;
    while (bag > 0 || toy.waiting > 0 || !toy.running.is_empty()) && now < 500_000 {
        now += 1;
        toy.end(now);
        if now % scene.round_s == 0 {
            bag += toy.schedule(now);
        }
        if now % limits.period_s == LOOK_AT {
            let sent = look(&mut metering, (&mut toy, now), limits, (&key, bag));
            bag -= sent;
            outcome.posts += u64::from(sent > 0);
        }
        if bag + toy.waiting > 0 {
            used += (toy.running.len() as u64).min(toy.free(now));
            free += toy.free(now);
            waited += toy.waiting;
            outcome.makespan_s = now;
        }
    }
    outcome.used = 100.0 * used as f64 / free as f64;
    outcome.waiting = waited as f64 / outcome.makespan_s as f64;
    outcome.kills = toy.killed;
    outcome.makespan_s = now;
    outcome
}

fn look(metering: &mut Metering, (toy, now): (&mut Toy, u64), limits: &ClusterLimits, (key, bag): (&Key, u64)) -> u64 {
    let (waiting, running) = (toy.waiting, toy.running.len() as u64);
    let seen =
        Sighting { waiting, running, starts: std::mem::take(&mut toy.starts), kills: std::mem::take(&mut toy.kills) };
    let now = now as i64 * 1000;
    metering.look(now, BTreeMap::from([(key.clone(), seen)]), limits);
    let caps = limits.max_waiting.saturating_sub(waiting).min(limits.max_per_cycle - metering.sent_in_cycle());
    let sent = metering.room(key, limits).min(caps).min(bag);
    if sent > 0 {
        metering.sent(now, key, sent);
        toy.waiting += sent;
    }
    sent
}

fn adaptive() -> LawSettings {
    LawSettings::Adaptive(AdaptiveSettings::default())
}

fn taps() -> [LawSettings; 3] {
    [100, 300, 1000].map(|max| LawSettings::Tap3(Tap3Settings { max, ..Tap3Settings::default() }))
}

fn best(scene: Scene, laws: &[LawSettings], caps: (u64, u64)) -> Outcome {
    let outcomes = laws.iter().map(|law| play(scene, &limits(*law, caps), 1));
    outcomes.max_by(|a, b| a.used.total_cmp(&b.used)).unwrap_or_default()
}

const C2: Scene = Scene { slots: 3000, round_s: 15, tasks: 60_000, length: Tasks::LogNormal, others: (0, 0) };

/// Points of the free slots' time that the adaptive law gains on the tap with the best cap.
fn gain(scene: Scene, caps: (u64, u64)) -> f64 {
    best(scene, &[adaptive()], caps).used - best(scene, &taps(), caps).used
}

#[test]
fn with_slow_rounds_on_many_slots_it_gains_fifteen_points_on_the_best_tap() {
    for round_s in [30, 60] {
        let gain = gain(Scene { round_s, ..C2 }, (300, 1500));
        assert!(gain >= 15.0, "{gain:.1} points with rounds of {round_s} s");
    }
}

#[test]
fn it_is_never_a_point_worse_than_the_best_tap() {
    let free = |slots, tasks, length| Scene { slots, round_s: 15, tasks, length, others: (0, 0) };
    let scenes = [
        free(100, 5000, Tasks::Constant(60)),
        free(100, 5000, Tasks::Uniform(170, 310)),
        free(100, 500, Tasks::LogNormal),
        free(1000, 20_000, Tasks::LogNormal),
        Scene { others: (200, 7200), ..free(300, 10_000, Tasks::Uniform(170, 310)) },
        Scene { others: (200, 900), ..free(300, 10_000, Tasks::Uniform(170, 310)) },
    ];
    for (number, scene) in scenes.into_iter().enumerate() {
        for round_s in [5, 15, 60] {
            let gain = gain(Scene { round_s, ..scene }, (300, 500));
            assert!(gain >= -1.0, "{gain:.1} points in scene {number} with rounds of {round_s} s");
        }
    }
}

#[test]
fn it_needs_no_more_submissions_than_a_fixed_queue_and_keeps_fewer_jobs_waiting() {
    let fixed = LawSettings::Fixed(FixedSettings { waiting: 500 });
    let scene = Scene { slots: 1000, tasks: 20_000, ..C2 };
    let [ours, fixed] = [adaptive(), fixed].map(|law| play(scene, &limits(law, (1000, 500)), 1));
    assert!(ours.posts < fixed.posts && ours.waiting < fixed.waiting / 2.0, "{ours:?} {fixed:?}");
    assert!(ours.used > fixed.used - 2.0, "{ours:?} {fixed:?}");
}

#[test]
fn others_who_come_and_go_cost_it_no_more_than_they_take() {
    let scene = Scene { slots: 300, others: (200, 7200), tasks: 10_000, length: Tasks::Uniform(170, 310), ..C2 };
    let [ours, tap] = [adaptive(), taps()[0]].map(|law| play(scene, &limits(law, (300, 500)), 1));
    assert!(ours.makespan_s < tap.makespan_s && ours.kills <= 200, "others came once: {ours:?} {tap:?}");
}

#[test]
fn where_every_look_shows_many_rounds_all_slots_stay_busy() {
    let here = AdaptiveSettings { initial: 64, ahead: 10.0, round_s: 0.0, patience: 0 };
    let limits = ClusterLimits { period_s: 4, ..limits(LawSettings::Adaptive(here), (1_000_000, 4000)) };
    let scene = Scene { slots: 16, round_s: 1, tasks: 20_000, length: Tasks::Uniform(1, 6), others: (0, 0) };
    let outcome = play(scene, &limits, 1);
    assert!(outcome.used > 99.5, "{outcome:?}");
}
