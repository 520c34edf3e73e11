//! What a cluster's slots were used for, summed over time.

/// Sums over the time in which we had work for the cluster that did not run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Used {
    /// Slot-milliseconds of our jobs.
    pub(crate) ours: f64,
    /// Slot-milliseconds that were free for us, as far as we had work for them.
    pub(crate) usable: f64,
    /// Milliseconds of each number of our waiting jobs.
    waiting: Vec<i64>,
}

/// What holds between two events.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// Slots that others don't use.
    pub(super) free: u32,
    /// Slots that our jobs use.
    pub(super) ours: u32,
    /// Our jobs that wait there.
    pub(super) waiting: usize,
    /// Slots that would be needed by what waits there, and by what is in bags.
    pub(super) idle: u64,
}

impl Used {
    pub(super) fn add(&mut self, state: State, milliseconds: i64) {
        if state.idle == 0 || milliseconds == 0 {
            return;
        }
        let time = milliseconds as f64;
        self.ours += f64::from(state.ours) * time;
        self.usable += (f64::from(state.free)).min(f64::from(state.ours) + state.idle as f64) * time;
        if self.waiting.len() <= state.waiting {
            self.waiting.resize(state.waiting + 1, 0);
        }
        self.waiting[state.waiting] += milliseconds;
    }

    /// Mean of our waiting jobs over that time, and the number that is not exceeded for 95 % of it.
    pub(crate) fn waiting(&self) -> (f64, u64) {
        let total: i64 = self.waiting.iter().sum();
        let sum: f64 = self.waiting.iter().enumerate().map(|(jobs, time)| jobs as f64 * *time as f64).sum();
        let mut left = total - total * 95 / 100;
        let p95 = self.waiting.iter().enumerate().rev().find(|(_, time)| {
            left -= **time;
            left < 0
        });
        (if total > 0 { sum / total as f64 } else { 0.0 }, p95.map_or(0, |(jobs, _)| jobs as u64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slots_that_we_had_work_for_count() {
        let mut used = Used::default();
        used.add(State { free: 100, ours: 10, waiting: 5, idle: 20 }, 1000);
        used.add(State { free: 100, ours: 10, waiting: 0, idle: 0 }, 1000);
        assert_eq!((used.ours, used.usable), (10_000.0, 30_000.0));
    }

    #[test]
    fn waiting_jobs_are_weighed_by_time() {
        let mut used = Used::default();
        let state = |waiting| State { free: 1, ours: 1, waiting, idle: 9 };
        used.add(state(0), 900);
        used.add(state(10), 90);
        used.add(state(50), 10);
        assert_eq!(used.waiting(), (1.4, 10));
    }
}
