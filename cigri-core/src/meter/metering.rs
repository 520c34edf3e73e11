//! What the meter of one cluster remembers between rounds. Losing it costs nothing but a slower start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::ClusterLimits;
pub use super::law::Sighting;
use super::law::{Enough, Key, Law, LawSettings, Quiet};

/// A law of which nothing was there for so long is forgotten.
const FORGET_MS: i64 = 3_600_000;

/// The laws of one cluster and what was sent lately.
#[derive(Debug, Clone, Default)]
pub struct Metering {
    seed: u64,
    settings: LawSettings,
    laws: BTreeMap<Key, Kept>,
    /// What the laws leave of the waiting jobs that are allowed.
    left: Option<u64>,
    /// Jobs sent in the present period: when (epoch milliseconds), and how many.
    sent: VecDeque<(i64, u64)>,
}

/// A law, and when something of it was last there.
#[derive(Debug, Clone)]
struct Kept {
    law: Law,
    quiet: Quiet,
    /// Nothing of it was started for so long that one probe is enough.
    given_up: bool,
    waiting: u64,
    seen_at: i64,
    /// Whether the last look saw something of it, or something was sent since.
    is_there: bool,
}

impl Metering {
    /// Nothing is known yet. What is left to chance follows from `seed`: the same seed, the same course.
    pub fn new(seed: u64) -> Metering {
        Metering { seed, ..Metering::default() }
    }

    /// Which law's jobs these are.
    pub fn key(limits: &ClusterLimits, campaign: i64, shape: &Arc<str>) -> Key {
        if limits.law.is_of_campaigns() { Key::Campaign(campaign) } else { Key::Shape(Arc::clone(shape)) }
    }

    /// Moves the laws after a look at `now` (epoch milliseconds) that showed `seen`; what is not in it has nothing there.
    pub fn look(&mut self, now: i64, mut seen: BTreeMap<Key, Sighting>, limits: &ClusterLimits) {
        let period_ms = limits.period_s.saturating_mul(1000).min(i64::MAX as u64) as i64;
        // After a clock went back, what was sent counts as sent now: a cap is never exceeded for it.
        self.sent.iter_mut().for_each(|(at, _)| *at = now.min(*at));
        self.sent.retain(|(at, _)| now.saturating_sub(*at) < period_ms);
        if self.settings != limits.law {
            self.settings = limits.law;
            self.laws.clear();
        }
        for (key, kept) in &mut self.laws {
            let sighting = seen.remove(key);
            kept.see(now, sighting, limits);
        }
        for (key, sighting) in seen {
            let mut kept = self.start(&key, now);
            kept.see(now, Some(sighting), limits);
            self.laws.insert(key, kept);
        }
        self.laws.retain(|_, kept| kept.is_there || (0..FORGET_MS).contains(&now.saturating_sub(kept.seen_at)));
        self.divide(limits.max_waiting);
    }

    /// Jobs were sent at `now` (epoch milliseconds).
    pub fn sent(&mut self, now: i64, key: &Key, jobs: u64) {
        self.sent.push_back((now, jobs));
        if !self.laws.contains_key(key) {
            let kept = self.start(key, now);
            self.laws.insert(key.clone(), kept);
        }
        if let Some(kept) = self.laws.get_mut(key) {
            kept.waiting = kept.waiting.saturating_add(jobs);
            kept.is_there = true;
            kept.law.sent(jobs);
        }
    }

    /// Steps or samples were sent at `now` (epoch milliseconds): they go ahead of all laws.
    pub fn sent_ahead(&mut self, now: i64, jobs: u64) {
        self.sent.push_back((now, jobs));
    }

    /// Jobs sent in the present period.
    pub fn sent_in_cycle(&self) -> u64 {
        self.sent.iter().map(|(_, jobs)| jobs).sum()
    }

    /// Jobs of this kind that wait, and how many should.
    pub fn queue(&self, key: &Key, limits: &ClusterLimits) -> (u64, u64) {
        self.laws.get(key).map_or_else(|| (0, self.new_law(limits).target()), |kept| (kept.waiting, kept.law.target()))
    }

    /// Why no more of this kind should wait.
    pub fn why(&self, key: &Key, limits: &ClusterLimits) -> Enough {
        self.laws.get(key).map_or_else(|| self.new_law(limits).why(), Kept::why)
    }

    /// Jobs of this kind that may be sent now.
    pub fn room(&self, key: &Key, limits: &ClusterLimits) -> u64 {
        self.laws.get(key).map_or_else(|| self.new_law(limits).room(0), |kept| kept.law.room(kept.waiting))
    }

    /// Waiting jobs of this kind that should be taken back: the cluster has started none of them for many rounds, and
    /// they may find another.
    pub fn excess(&self, key: &Key) -> u64 {
        self.laws.get(key).map_or(0, Kept::excess)
    }

    /// Whether campaigns behind the one of this key have to wait as well: its tap closed lately. Only with laws that
    /// serve one campaign at a time.
    pub fn holds_others(&self, key: &Key) -> bool {
        self.laws.get(key).is_some_and(|kept| kept.law.holds_others())
    }

    /// The law of a key that nothing is known of.
    fn new_law(&self, limits: &ClusterLimits) -> Law {
        let mut law = Law::new(&limits.law, 0);
        law.allot(self.left.unwrap_or(limits.max_waiting));
        law
    }

    fn start(&self, key: &Key, now: i64) -> Kept {
        let mut law = Law::new(&self.settings, key.seed(self.seed));
        law.allot(self.left.unwrap_or(u64::MAX));
        Kept { law, quiet: Quiet::default(), given_up: false, waiting: 0, seen_at: now, is_there: true }
    }

    /// All waiting jobs together stay within `most`, but for one probe of each kind: kinds that want little get it, the
    /// others get equal parts. What nothing is there of gets what is left.
    fn divide(&mut self, most: u64) {
        let left = divide(&mut self.laws, true, most);
        self.left = Some(divide(&mut self.laws, false, left));
    }
}

/// Gives the laws of which something, or nothing, `is_there` their parts of `most`; returns what is left.
fn divide(laws: &mut BTreeMap<Key, Kept>, is_there: bool, most: u64) -> u64 {
    let parts = || laws.values().filter(|kept| kept.is_there == is_there);
    let wanted = parts().fold(0u64, |sum, kept| sum.saturating_add(kept.wanted()));
    if wanted <= most {
        laws.values_mut().filter(|kept| kept.is_there == is_there).for_each(|kept| kept.allot(most));
        return most - wanted;
    }
    let mut parts: Vec<&mut Kept> = laws.values_mut().filter(|kept| kept.is_there == is_there).collect();
    parts.sort_by_key(|kept| kept.wanted());
    let mut left = most;
    let count = parts.len() as u64;
    for (at, kept) in parts.into_iter().enumerate() {
        kept.allot(left / (count - at as u64));
        left = left.saturating_sub(kept.law.target());
    }
    left
}

impl Kept {
    /// Jobs that should wait, were there no other law beside it.
    fn wanted(&self) -> u64 {
        if self.given_up { 1 } else { self.law.wanted() }
    }

    fn allot(&mut self, most: u64) {
        self.law.allot(if self.given_up { most.min(1) } else { most });
    }

    fn why(&self) -> Enough {
        if self.given_up { Enough::Probe } else { self.law.why() }
    }

    fn excess(&self) -> u64 {
        if self.given_up { self.waiting.saturating_sub(1) } else { 0 }
    }

    fn see(&mut self, now: i64, sighting: Option<Sighting>, limits: &ClusterLimits) {
        self.is_there = sighting.is_some();
        if self.is_there {
            self.seen_at = now;
        }
        let sighting = sighting.unwrap_or_default();
        self.waiting = sighting.waiting;
        self.law.observe(now, &sighting, limits.max_waiting);
        self.quiet.look(now, &sighting);
        let patience = limits.law.patience();
        self.given_up = patience > 0 && self.quiet.rounds() >= patience;
    }
}

#[cfg(test)]
#[path = "metering_tests.rs"]
mod tests;
