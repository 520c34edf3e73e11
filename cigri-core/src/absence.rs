//! When something missing may be believed gone.
//!
//! Absent is not an answer: a listing may leave rows out, and a POST may be carried out long after it was given up. The
//! figures are those of experiments on a real OAR 3.

use crate::sweep::ROW_PATIENCE_MS;

/// A job that its cluster denies may still be ending: so long after its walltime it is not.
pub const LOST_MARGIN_MS: i64 = 600_000;

/// Whether a job that its cluster has denied since `missing_since` (epoch milliseconds) is lost for good. Had it been
/// running, or been started unseen, its walltime is over.
pub fn is_lost_for_good(missing_since: i64, walltime_s: u64, now: i64) -> bool {
    let walltime_ms = i64::try_from(walltime_s).unwrap_or(i64::MAX / 2000).saturating_mul(1000);
    now.saturating_sub(missing_since) >= walltime_ms.saturating_add(LOST_MARGIN_MS)
}

/// Whether a shut gate really stops jobs on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gates {
    /// Tried: what waits behind a shut gate does not start.
    Work,
    /// Being tried: gates are used, and not relied upon.
    Untested,
    /// Tried: jobs start all the same. None is used.
    Fail,
}

/// Two looks that prove an absence are at least so far apart.
const BETWEEN_LOOKS_MS: i64 = 60_000;
/// Nothing is proved before this long after the last sign of the POST.
const LEAST_WAIT_MS: i64 = 15 * 60_000;

/// What is known of a submission that nobody finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// When its POST was given up, epoch milliseconds.
    pub doubted_at: i64,
    /// When it was first looked for, completely and in vain, once enough time had passed.
    pub first_look: Option<i64>,
    /// The longest that a POST to this cluster was seen to take, milliseconds.
    pub slowest_post_ms: i64,
}

/// Whether a look in vain at `now` may be believed. Behind a gate that works at once: whatever still arrives can never
/// start. Without one no finite wait is a proof; this one makes a second run very unlikely, and it is found and told.
pub fn surely_absent(missing: &Missing, gates: Gates, now: i64) -> bool {
    gates == Gates::Work
        || counts_as_look(missing, now) && missing.first_look.is_some_and(|first| now - first >= BETWEEN_LOOKS_MS)
}

/// Whether a look in vain at `now` counts for the proof: it comes late enough after the POST.
pub fn counts_as_look(missing: &Missing, now: i64) -> bool {
    now - missing.doubted_at >= LEAST_WAIT_MS.max(3 * missing.slowest_post_ms)
}

/// How long an array may stay incomplete before it is given up: its POST may still be making it.
pub fn partial_patience_ms(gates: Gates) -> i64 {
    if gates == Gates::Work { ROW_PATIENCE_MS } else { LEAST_WAIT_MS }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn a_missing_job_is_lost_ten_minutes_after_its_walltime() {
        let lost = |now| is_lost_for_good(1000, 3600, now);
        assert_eq!([1000, 70 * MINUTE + 999, 70 * MINUTE + 1000].map(lost), [false, false, true]);
        assert!(!is_lost_for_good(0, u64::MAX, 1 << 50));
    }

    #[test]
    fn behind_a_gate_that_works_absence_needs_no_proof() {
        let missing = Missing { doubted_at: 0, first_look: None, slowest_post_ms: 0 };
        assert!(surely_absent(&missing, Gates::Work, 1));
        assert_eq!(partial_patience_ms(Gates::Work), 2 * MINUTE);
    }

    #[test]
    fn without_one_it_takes_two_looks_a_minute_apart_after_a_quarter_of_an_hour() {
        for gates in [Gates::Untested, Gates::Fail] {
            let at =
                |first_look, now| surely_absent(&Missing { doubted_at: 0, first_look, slowest_post_ms: 0 }, gates, now);
            assert!(!at(None, 60 * MINUTE), "one look is none");
            assert!(!at(Some(15 * MINUTE), 16 * MINUTE - 1));
            assert!(at(Some(15 * MINUTE), 16 * MINUTE));
            assert_eq!(partial_patience_ms(gates), 15 * MINUTE);
        }
    }

    #[test]
    fn a_cluster_with_slow_posts_is_given_three_times_the_slowest() {
        let missing = Missing { doubted_at: 0, first_look: None, slowest_post_ms: 10 * MINUTE };
        assert!(!counts_as_look(&missing, 30 * MINUTE - 1));
        assert!(counts_as_look(&missing, 30 * MINUTE));
    }
}
