//! How fast a campaign goes just now, and how long it will take at that pace.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The pace is that of the last moments: it follows a campaign whose tasks grow longer.
const WINDOW: Duration = Duration::from_secs(20);
/// Samples closer than this tell nothing new.
const STEP: Duration = Duration::from_millis(200);

/// The recent numbers of ended tasks.
#[derive(Debug, Default)]
pub(super) struct Pace {
    samples: VecDeque<(Instant, u64)>,
}

impl Pace {
    /// Notes how many tasks have ended by now.
    pub(super) fn note(&mut self, now: Instant, ended: u64) {
        if self.samples.back().is_some_and(|(at, _)| now.duration_since(*at) < STEP) {
            return;
        }
        self.samples.push_back((now, ended));
        // The newest sample before the window stays: the window begins there.
        while self.samples.get(1).is_some_and(|(at, _)| now.duration_since(*at) > WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Tasks per second, once there is something to tell it from.
    pub(super) fn rate(&self) -> Option<f64> {
        let ((first, before), (last, now)) = (self.samples.front()?, self.samples.back()?);
        let seconds = last.duration_since(*first).as_secs_f64();
        // Counts far below 2^53: exact as floating point.
        let ended = now.saturating_sub(*before) as f64;
        (seconds > 0.0 && ended > 0.0).then(|| ended / seconds)
    }

    /// Seconds until `left` tasks have ended.
    pub(super) fn seconds_for(&self, left: u64) -> Option<f64> {
        self.rate().map(|rate| left as f64 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_is_that_of_the_last_moments() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert_eq!(pace.seconds_for(10), None);
        for second in 0..100 {
            // One task a second for a minute, then ten a second.
            let ended = if second < 60 { second } else { 60 + (second - 60) * 10 };
            pace.note(start + Duration::from_secs(second), ended);
        }
        let rate = pace.rate().unwrap();
        assert!((9.9..10.1).contains(&rate), "{rate}");
        assert!((9.9..10.1).contains(&pace.seconds_for(100).unwrap()));
    }

    #[test]
    fn no_progress_gives_no_estimate() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.note(start, 5);
        pace.note(start + Duration::from_secs(5), 5);
        assert_eq!(pace.seconds_for(10), None);
    }
}
