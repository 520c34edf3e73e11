//! What the meter of one cluster remembers between rounds. Losing it costs nothing but a slower start.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::ClusterLimits;
pub use super::law::Sighting;
use super::law::{Key, Law};

/// The laws of one cluster and what was sent lately.
#[derive(Debug, Clone, Default)]
pub struct Metering {
    laws: BTreeMap<Key, Law>,
    waiting: BTreeMap<Key, u64>,
    /// Jobs sent in the present period: when (epoch milliseconds), and how many.
    sent: VecDeque<(i64, u64)>,
}

impl Metering {
    /// Which law's jobs these are.
    pub fn key(limits: &ClusterLimits, campaign: i64, shape: &Arc<str>) -> Key {
        let _ = (limits, campaign);
        Key::Shape(Arc::clone(shape))
    }

    /// Moves the laws after a look at `now` (epoch milliseconds) that showed `seen`; what is not in it has nothing there.
    pub fn look(&mut self, now: i64, seen: BTreeMap<Key, Sighting>, limits: &ClusterLimits) {
        self.sent.retain(|(at, _)| (0..limits.period_s as i64 * 1000).contains(&(now - at)));
        for (key, sighting) in &seen {
            let law = self.laws.entry(key.clone()).or_insert_with(|| Law::new(&limits.law));
            law.observe(now, sighting, limits.max_waiting);
        }
        self.waiting = seen.into_iter().map(|(key, sighting)| (key, sighting.waiting)).collect();
    }

    /// Jobs were sent at `now` (epoch milliseconds).
    pub fn sent(&mut self, now: i64, key: &Key, jobs: u64) {
        self.sent.push_back((now, jobs));
        *self.waiting.entry(key.clone()).or_default() += jobs;
        if let Some(law) = self.laws.get_mut(key) {
            law.sent(now, jobs);
        }
    }

    /// Jobs sent in the present period.
    pub fn sent_in_cycle(&self) -> u64 {
        self.sent.iter().map(|(_, jobs)| jobs).sum()
    }

    /// Jobs of this kind that wait, and how many should.
    pub fn queue(&self, key: &Key, limits: &ClusterLimits) -> (u64, u64) {
        let waiting = self.waiting.get(key).copied().unwrap_or_default();
        (waiting, self.laws.get(key).map_or_else(|| Law::new(&limits.law).target(), Law::target))
    }

    /// Jobs of this kind that may be sent now.
    pub fn room(&self, key: &Key, limits: &ClusterLimits) -> u64 {
        let waiting = self.waiting.get(key).copied().unwrap_or_default();
        self.laws.get(key).map_or_else(|| Law::new(&limits.law).room(waiting), |law| law.room(waiting))
    }
}
