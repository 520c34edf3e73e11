//! The adaptive law: enough jobs wait for the starts really seen.

use serde::{Deserialize, Serialize};

use super::Sighting;

/// Settings of the adaptive law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptiveSettings {
    /// Jobs kept waiting before any start was seen, and the least ever after.
    pub initial: u64,
    /// Waiting jobs per start seen in a round.
    pub ahead: f64,
}

impl Default for AdaptiveSettings {
    fn default() -> Self {
        AdaptiveSettings { initial: 10, ahead: 2.0 }
    }
}

/// It doubles when the cluster emptied our queue between two looks and jobs were started, and otherwise follows a
/// multiple of the starts seen; it never asks for less than one probe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adaptive {
    settings: AdaptiveSettings,
    target: u64,
}

impl Adaptive {
    /// Starts small.
    pub fn new(settings: AdaptiveSettings) -> Adaptive {
        Adaptive { settings, target: settings.initial.max(1) }
    }

    /// Jobs that should wait.
    pub fn target(&self) -> u64 {
        self.target
    }

    /// Jobs to send while `waiting` are there: a queue that is still more than half full can wait for a larger
    /// submission.
    pub fn room(&self, waiting: u64) -> u64 {
        if waiting > self.target / 2 { 0 } else { self.target - waiting }
    }

    /// No starts: no scheduling round was seen, nothing is learnt.
    pub fn observe(&mut self, _now: i64, seen: &Sighting, most: u64) {
        if seen.starts == 0 {
            return;
        }
        let follow = (seen.starts as f64 * self.settings.ahead) as u64;
        let target = if seen.waiting == 0 { follow.max(self.target.saturating_mul(2)) } else { follow };
        self.target = target.clamp(self.settings.initial.max(1), most.max(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(starts: u64, waiting: u64) -> Sighting {
        Sighting { starts, waiting, kills: 0 }
    }

    #[test]
    fn it_doubles_on_an_emptied_queue_up_to_the_cap() {
        let mut law = Adaptive::new(AdaptiveSettings::default());
        law.observe(0, &seen(2, 0), 60);
        assert_eq!(law.target(), 20);
        law.observe(1, &seen(100, 0), 60);
        assert_eq!(law.target(), 60);
    }

    #[test]
    fn it_follows_the_starts_while_jobs_wait_and_keeps_still_without_a_round() {
        let mut law = Adaptive::new(AdaptiveSettings::default());
        law.observe(0, &seen(100, 0), 500);
        assert_eq!(law.target(), 200);
        law.observe(1, &seen(0, 150), 500);
        assert_eq!(law.target(), 200);
        law.observe(2, &seen(30, 120), 500);
        assert_eq!(law.target(), 60);
    }

    #[test]
    fn a_queue_is_refilled_when_it_is_half_empty() {
        let law = Adaptive::new(AdaptiveSettings::default());
        assert_eq!([0, 5, 6, 10, 12].map(|waiting| law.room(waiting)), [10, 5, 0, 0, 0]);
    }
}
