//! Fair share: what users had of a cluster lately, where they stand by it, and how long one may be left out.

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

/// Rounds with room for a user's jobs after which one goes first, for equal users: five minutes of rounds.
pub const PATIENCE: u32 = 20;

/// Where a user with so many jobs stands: the lowest gets the next one. One of weight 0 is compared with its like alone,
/// by jobs.
pub fn standing(jobs: f64, weight: f64) -> f64 {
    jobs / divisor(weight)
}

/// Jobs that bring a user of this weight from one standing up to another.
pub fn jobs_between(standing: f64, other: f64, weight: f64) -> u64 {
    ((other - standing) * divisor(weight)) as u64
}

/// What a user's jobs are divided by.
pub(crate) fn divisor(weight: f64) -> f64 {
    if weight > 0.0 { weight } else { 1.0 }
}

/// Rounds with room that a user may go without a job: those in which one of each weight's share is due, at least
/// [`PATIENCE`]. None for weight 0: it waits until others leave something.
pub fn patience(weight: f64, all_weights: f64) -> Option<u32> {
    // A number that is too large becomes the largest.
    (weight > 0.0).then(|| PATIENCE.max((all_weights / weight).ceil() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_divides_what_one_has_and_multiplies_what_one_may_get() {
        assert_eq!(standing(30.0, 2.0), 15.0);
        assert_eq!(jobs_between(15.0, 20.0, 2.0), 10);
        assert_eq!(standing(30.0, 0.0), 30.0);
    }

    #[test]
    fn a_small_weight_waits_for_its_share_and_none_for_ever() {
        assert_eq!([patience(1.0, 2.0), patience(1.0, 101.0), patience(0.0, 5.0)], [Some(20), Some(101), None]);
        assert_eq!(patience(f64::MIN_POSITIVE, 1.0), Some(u32::MAX));
    }

    #[test]
    fn after_a_half_life_half_is_new_and_a_clock_that_went_back_changes_nothing() {
        let usage = Usage { jobs: 100.0, at: 1_000 };
        assert_eq!(usage.after(61_000, 20, 60.0).jobs, 60.0);
        assert_eq!(usage.after(0, 20, 60.0).jobs, 100.0);
    }
}
