//! Fair share: what users had of a cluster lately.

/// A user's mean number of live jobs on a cluster, older times counting less and less.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Jobs.
    pub jobs: f64,
    /// When it was brought up to date, epoch milliseconds.
    pub at: i64,
}

impl Usage {
    /// The usage at `now`, after `live` jobs lived since the last time: after one half-life, half of it is new. A clock
    /// that went back counts as no time.
    #[must_use]
    pub fn after(self, now: i64, live: u64, half_life_s: f64) -> Usage {
        let passed_s = (now - self.at).max(0) as f64 / 1000.0;
        let old = (-passed_s / half_life_s.max(1.0)).exp2();
        Usage { jobs: self.jobs * old + live as f64 * (1.0 - old), at: now }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_half_life_half_is_new_and_a_clock_that_went_back_changes_nothing() {
        let usage = Usage { jobs: 100.0, at: 1_000 };
        assert_eq!(usage.after(61_000, 20, 60.0).jobs, 60.0);
        assert_eq!(usage.after(0, 20, 60.0).jobs, 100.0);
    }
}
