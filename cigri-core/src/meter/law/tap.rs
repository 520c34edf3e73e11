//! The taps: CiGri 3's production law, and the simpler one that the papers about it describe.
//!
//! A tap lets `rate` jobs of one campaign through at a time. CiGri 3 closes it when a look sees one of them wait.

use serde::{Deserialize, Serialize};

use super::{Enough, Sighting, checked};
use crate::language::Problem;

/// Settings of CiGri 3's tap; the defaults are those it ships.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tap3Settings {
    /// Jobs of the first submission, and the least ever after.
    pub initial: u64,
    /// The rate is multiplied and divided by this.
    pub factor: f64,
    /// Jobs per submission at most.
    pub max: u64,
    /// For so many seconds after it closed, the rate is not lowered and campaigns behind are not served.
    pub grace_s: u64,
}

impl Default for Tap3Settings {
    fn default() -> Self {
        Tap3Settings { initial: 3, factor: 1.5, max: 100, grace_s: 60 }
    }
}

impl Tap3Settings {
    /// What is wrong with them, in words.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = check_rates(self.initial, self.factor, self.max);
        problems.extend(checked("grace_s", self.grace_s as f64, 0.0, 86_400.0));
        problems
    }
}

/// Settings of the papers' tap.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TapPaperSettings {
    /// Jobs of the first submission.
    pub initial: u64,
    /// By which the rate grows with each submission.
    pub factor: f64,
    /// Jobs per submission at most.
    pub max: u64,
}

impl Default for TapPaperSettings {
    fn default() -> Self {
        TapPaperSettings { initial: 3, factor: 1.5, max: 100 }
    }
}

impl TapPaperSettings {
    /// What is wrong with them, in words.
    pub fn check(&self) -> Vec<Problem> {
        check_rates(self.initial, self.factor, self.max)
    }
}

fn check_rates(initial: u64, factor: f64, max: u64) -> Vec<Problem> {
    let mut problems = checked("initial", initial as f64, 1.0, 100_000.0);
    problems.extend(checked("factor", factor, 1.01, 10.0));
    problems.extend(checked("max", max as f64, initial as f64, 1_000_000.0));
    problems
}

/// CiGri 3's tap of one campaign.
#[derive(Debug, Clone, PartialEq)]
pub struct Tap3 {
    settings: Tap3Settings,
    rate: u64,
    open: bool,
    /// Whether the last look found nothing that closes it.
    may_open: bool,
    /// When it was last closed, epoch milliseconds: kept while it is open.
    closed_at: Option<i64>,
    /// Whether it was served since the last look.
    served: bool,
    now: i64,
}

impl Tap3 {
    /// Open, at the initial rate.
    pub fn new(settings: Tap3Settings) -> Tap3 {
        let rate = settings.initial.max(1);
        Tap3 { settings, rate, open: true, may_open: true, closed_at: None, served: false, now: 0 }
    }

    /// Jobs per submission.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// Jobs to send now.
    pub fn room(&self) -> u64 {
        if self.open && !self.served { self.rate } else { 0 }
    }

    /// Why no more should wait.
    pub fn why(&self) -> Enough {
        if self.open { Enough::Tap } else { Enough::TapClosed }
    }

    /// Whether it closed so lately that even the campaigns behind it have to wait.
    pub fn holds_others(&self) -> bool {
        !self.open && self.in_grace()
    }

    /// One look is one cycle: the rate falls if the last cycle closed it; this one closes or opens it.
    pub fn observe(&mut self, now: i64, seen: &Sighting) {
        if now < self.now {
            self.closed_at = self.closed_at.map(|_| now);
        }
        self.now = now;
        self.served = false;
        if !self.may_open && !self.in_grace() {
            let lowered = (self.rate as f64 / self.settings.factor) as u64;
            self.rate = lowered.max(self.settings.initial).max(1);
        }
        self.may_open = seen.waiting == 0;
        if self.open && !self.may_open {
            self.closed_at = Some(now);
        }
        self.open = self.may_open;
    }

    /// The rate grows with submissions that nearly use it up.
    pub fn sent(&mut self, jobs: u64) {
        self.served = true;
        if self.open && (self.rate as f64) < jobs as f64 * self.settings.factor + 1.0 {
            self.rate = grown(self.rate, self.settings.factor, self.settings.max);
        }
    }

    fn in_grace(&self) -> bool {
        let grace_ms = self.settings.grace_s.saturating_mul(1000);
        self.closed_at.is_some_and(|at| (self.now.saturating_sub(at).max(0) as u64) < grace_ms)
    }
}

/// The papers' tap: a submission, then the next and larger one when none of its jobs is left, waiting or running.
#[derive(Debug, Clone, PartialEq)]
pub struct TapPaper {
    settings: TapPaperSettings,
    rate: u64,
    left: u64,
}

impl TapPaper {
    /// At the initial rate.
    pub fn new(settings: TapPaperSettings) -> TapPaper {
        TapPaper { settings, rate: settings.initial.max(1), left: 0 }
    }

    /// Jobs per submission.
    pub fn rate(&self) -> u64 {
        self.rate
    }

    /// Jobs to send now.
    pub fn room(&self) -> u64 {
        if self.left == 0 { self.rate } else { 0 }
    }

    /// Why no more should wait.
    pub fn why(&self) -> Enough {
        if self.left == 0 { Enough::Tap } else { Enough::TapLive { live: self.left } }
    }

    /// Counts what is left.
    pub fn observe(&mut self, seen: &Sighting) {
        self.left = seen.waiting.saturating_add(seen.running);
    }

    /// Grows.
    pub fn sent(&mut self, jobs: u64) {
        self.left = self.left.saturating_add(jobs);
        self.rate = grown(self.rate, self.settings.factor, self.settings.max);
    }
}

fn grown(rate: u64, factor: f64, max: u64) -> u64 {
    ((rate as f64 * factor) as u64).min(max).max(1)
}

#[cfg(test)]
#[path = "tap_tests.rs"]
mod tests;
