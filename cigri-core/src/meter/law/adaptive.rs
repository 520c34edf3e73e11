//! The adaptive law: enough jobs wait for the starts really seen, counted in scheduling rounds, not in seconds.
//!
//! A scheduling round shows as starts; looks with starts that are close together show one round. After each round the
//! target is a multiple of the most starts of the last rounds, and twice what waited if the round emptied our queue, three
//! times while starts grow. It
//! may fall to one job: what waits without need is, for a scheduler that goes by age, ahead of what others send next.

use serde::{Deserialize, Serialize};

use super::{Enough, PATIENCE, Quiet, Sighting, checked, mixed};
use crate::language::Problem;

/// Settings of the adaptive law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveSettings {
    /// Jobs kept waiting before any start was seen.
    pub initial: u64,
    /// Waiting jobs per start seen in a round.
    pub ahead: f64,
    /// The shortest time between two of the cluster's scheduling rounds, seconds: starts seen within it are of one
    /// round; 0: every look shows a round of its own.
    pub round_s: f64,
    /// Rounds without a start after which what waits is taken back, but for one probe; 0: never.
    pub patience: u32,
}

impl Default for AdaptiveSettings {
    fn default() -> Self {
        // OAR's scheduler runs at most every 5 s.
        AdaptiveSettings { initial: 10, ahead: 2.0, round_s: 5.0, patience: PATIENCE }
    }
}

impl AdaptiveSettings {
    /// What is wrong with them, in words.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = checked("initial", self.initial as f64, 1.0, 100_000.0);
        problems.extend(checked("ahead", self.ahead, 1.0, 100.0));
        problems.extend(checked("round_s", self.round_s, 0.0, 3600.0));
        problems.extend(checked("patience", f64::from(self.patience), 0.0, 10_000.0));
        problems
    }
}

/// Rounds whose starts are remembered.
const ROUNDS: usize = 3;
/// A queue is filled up when no more than this part of its target waits: against a half it saves a tenth of the
/// submissions for a tenth of a point of the slots' time.
const LOW: f64 = 0.4;
/// A round that empties our queue and starts so many times as much as those before it would have started far more...
const GREW: f64 = 1.5;
/// ... and is offered so many times as much: with slow rounds on large clusters, doubling takes minutes.
const SLOW_START: u64 = 3;
/// As many kills in one look are a storm, if fewer jobs were started.
const STORM: u64 = 4;
/// Rounds after a storm in which the target does not rise.
const BARRED_ROUNDS: u32 = 2;
/// After a storm nothing is sent for a time up to so many of the shortest rounds.
const PAUSE_ROUNDS: f64 = 6.0;

/// One shape's backlog.
#[derive(Debug, Clone, PartialEq)]
pub struct Adaptive {
    settings: AdaptiveSettings,
    /// Jobs that should wait, were this the only shape.
    wanted: u64,
    /// What other shapes leave of that.
    allotted: u64,
    /// Jobs that wait, as far as is known.
    waiting: u64,
    /// Starts of the last round, kills left aside.
    started: u64,
    /// Whether the queue is being filled up: it then is until the target is reached.
    filling: bool,
    /// Starts less kills of the last rounds, the newest first.
    rounds: [u64; ROUNDS],
    /// When the last round began, epoch milliseconds.
    began: Option<i64>,
    /// Rounds without a start.
    quiet: Quiet,
    /// Rounds to come in which the target does not rise.
    barred: u32,
    /// Nothing is sent before, epoch milliseconds.
    paused: Option<i64>,
    now: i64,
    seed: u64,
}

impl Adaptive {
    /// Starts small. The seed decides how long it pauses after storms.
    pub fn new(settings: AdaptiveSettings, seed: u64) -> Adaptive {
        let wanted = settings.initial.max(1);
        Adaptive {
            settings,
            wanted,
            allotted: u64::MAX,
            waiting: 0,
            started: 0,
            filling: true,
            rounds: [0; ROUNDS],
            began: None,
            quiet: Quiet::default(),
            barred: 0,
            paused: None,
            now: 0,
            seed,
        }
    }

    /// Jobs that should wait, were this the only shape.
    pub fn wanted(&self) -> u64 {
        self.wanted
    }

    /// Jobs that should wait, beside other shapes.
    pub fn target(&self) -> u64 {
        self.wanted.min(self.allotted).max(1)
    }

    /// What this shape may have waiting at most.
    pub fn allot(&mut self, most: u64) {
        self.allotted = most;
        self.filling = self.waiting < self.target() && (self.filling || self.waiting <= self.low());
    }

    /// Jobs to send while `waiting` are there. A queue that is not low yet can wait for a larger submission.
    pub fn room(&self, waiting: u64) -> u64 {
        if self.filling && self.paused.is_none() { self.target().saturating_sub(waiting) } else { 0 }
    }

    /// Why no more should wait.
    pub fn why(&self) -> Enough {
        if let Some(until) = self.paused {
            return Enough::Storm { left_s: until.abs_diff(self.now).div_ceil(1000) };
        }
        if !self.filling && self.waiting < self.target() {
            return Enough::UntilLow { low: self.low() };
        }
        match self.began {
            _ if self.allotted < self.wanted => Enough::Part,
            None => Enough::UntilStarts,
            Some(_) => Enough::ForStarts,
        }
    }

    /// Jobs were sent.
    pub fn sent(&mut self, jobs: u64) {
        self.waiting = self.waiting.saturating_add(jobs);
        self.filling &= self.waiting < self.target();
    }

    /// Moves after a look at `now` (epoch milliseconds); at most `most` jobs may wait.
    pub fn observe(&mut self, now: i64, seen: &Sighting, most: u64) {
        self.turn_clock(now);
        self.waiting = seen.waiting;
        let storm = seen.kills >= STORM && seen.kills > seen.starts;
        if storm {
            self.weather(seen.kills);
        }
        let is_empty_round = self.quiet.look(now, seen);
        if seen.starts > 0 {
            self.see_round(seen);
        } else if is_empty_round {
            self.see_nothing();
        }
        self.wanted = self.wanted.clamp(1, most.max(1));
        self.allot(self.allotted);
    }

    /// Waiting jobs from which on the queue is filled up.
    fn low(&self) -> u64 {
        (self.target() as f64 * LOW) as u64
    }

    /// A clock that went back takes all moments with it.
    fn turn_clock(&mut self, now: i64) {
        if now < self.now {
            self.began = None;
            self.paused = None;
        }
        self.paused = self.paused.filter(|until| now < *until);
        self.now = now;
    }

    /// Many more were killed than started: others need the place.
    fn weather(&mut self, kills: u64) {
        self.wanted /= 2;
        self.rounds = self.rounds.map(|starts| starts / 2);
        self.barred = BARRED_ROUNDS + 1;
        self.seed = mixed(self.seed ^ kills);
        let longest_ms = (self.settings.round_s * 1000.0 * PAUSE_ROUNDS) as u64;
        let pause_ms = self.seed.checked_rem(longest_ms).unwrap_or_default();
        self.paused = Some(self.now.saturating_add_unsigned(pause_ms));
    }

    fn see_round(&mut self, seen: &Sighting) {
        let length_ms = (self.settings.round_s * 1000.0) as i64;
        if self.began.is_none_or(|began| self.now.saturating_sub(began) >= length_ms) {
            self.began = Some(self.now);
            self.started = 0;
            self.push_round();
            self.barred = self.barred.saturating_sub(1);
        }
        self.rounds[0] = self.rounds[0].saturating_add(seen.starts.saturating_sub(seen.kills));
        self.started = self.started.saturating_add(seen.starts);
        let offered = seen.waiting.saturating_add(self.started);
        let emptied = seen.waiting <= offered / 10;
        let mut wanted = self.follow();
        if emptied {
            wanted = wanted.max(offered.saturating_mul(self.growth()));
        }
        self.wanted = if self.barred > 0 { wanted.min(self.wanted) } else { wanted };
    }

    /// How many times as much is offered after a round that emptied our queue.
    fn growth(&self) -> u64 {
        let before = self.rounds[1..].iter().max().copied().unwrap_or_default();
        if self.started as f64 >= before as f64 * GREW { SLOW_START } else { 2 }
    }

    /// A round without a start.
    fn see_nothing(&mut self) {
        self.barred = self.barred.saturating_sub(1);
        self.push_round();
        let is_new = self.began.is_none() && (self.quiet.rounds() as usize) < ROUNDS;
        let least = if is_new { self.settings.initial } else { 1 };
        self.wanted = self.follow().max(least).min(self.wanted);
    }

    fn push_round(&mut self) {
        self.rounds.rotate_right(1);
        self.rounds[0] = 0;
    }

    fn follow(&self) -> u64 {
        let most = self.rounds.iter().max().copied().unwrap_or_default();
        (most as f64 * self.settings.ahead) as u64
    }
}

#[cfg(test)]
#[path = "adaptive_tests.rs"]
mod tests;
