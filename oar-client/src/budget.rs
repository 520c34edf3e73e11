//! What a cluster's administrator grants us there: requests, bytes, and time with a request under way.
//!
//! Three leaky buckets. Each is counted in seconds of its own allowance: it gains one second a second up to [`BURST`],
//! and an expense takes as many seconds as the budget needs to grant it. So buckets of different things compare, and a
//! budget that changes keeps its place. Whatever is spent is known afterwards only: a bucket may go below zero, and the
//! next request waits for it. The time is a parameter, counted from any fixed moment.

use std::fmt;
use std::time::Duration;

use crate::urgency::Urgency;

/// What may be saved up for a round that has much to do: two periods of 15 s, at the default budget 300 requests, 150 MB
/// and 6 s under way.
pub const BURST: Duration = Duration::from_secs(30);

/// Nobody is asked to wait longer than this for what was spent before: a request, which is given at least 30 s, never
/// fails only because one before it was large.
pub const LARGEST_DEBT: Duration = Duration::from_secs(25);

/// What is most urgent goes while the debt is no longer than this, and waits like all others beyond. At the smallest
/// budget a request costs 10 s: no request is ever forgiven.
pub const OWED: Duration = Duration::from_secs(15);

/// No request is charged more time under way than this. One that takes longer waits for a cluster that hangs for reasons
/// of its own, and that is looked at again soon after it is back.
pub const LONGEST_CHARGED: Duration = Duration::from_secs(2);

/// Averages that requests to one cluster keep to. What is no number, or too small to work with, counts as the smallest
/// that works: one request in 10 s, 1 kB/s, 1 % of the time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Requests per second.
    pub requests_per_s: f64,
    /// Bytes per second, of URLs and bodies, sent and received.
    pub bytes_per_s: f64,
    /// Part of the time with a request under way, up to 1; two at once count twice.
    pub busy: f64,
}

impl Default for Budget {
    fn default() -> Budget {
        Budget { requests_per_s: 10.0, bytes_per_s: 5e6, busy: 0.2 }
    }
}

impl Budget {
    fn rate(&self, which: Which) -> f64 {
        // `max` also turns what is no number into the smallest.
        match which {
            Which::Requests => self.requests_per_s.max(0.1),
            Which::Bytes => self.bytes_per_s.max(1000.0),
            Which::Busy => self.busy.max(0.01),
        }
    }

    /// The budget in words: `10 requests per second`.
    pub fn words(&self, which: Which) -> String {
        let rate = self.rate(which);
        match which {
            Which::Requests => format!("{rate} requests per second"),
            Which::Bytes => format!("{rate} bytes per second"),
            Which::Busy => format!("{} % of the time", (rate * 1000.0).round() / 10.0),
        }
    }
}

/// One of the three budgets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Requests per second.
    Requests,
    /// Bytes per second.
    Bytes,
    /// Part of the time.
    Busy,
}

impl Which {
    const ALL: [Which; 3] = [Which::Requests, Which::Bytes, Which::Busy];

    /// One word, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Which::Requests => "requests",
            Which::Bytes => "bytes",
            Which::Busy => "busy",
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one request took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Expense {
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    pub(crate) busy: Duration,
}

/// The three buckets.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    budget: Budget,
    /// Seconds of allowance in each bucket, in the order of [`Which::ALL`].
    levels: [f64; 3],
    /// When they were last filled.
    filled_at: Duration,
}

impl Account {
    /// Full buckets.
    pub(crate) fn new(budget: Budget) -> Account {
        Account { budget, levels: [BURST.as_secs_f64(); 3], filled_at: Duration::ZERO }
    }

    pub(crate) fn budget(&self) -> Budget {
        self.budget
    }

    /// Another budget from now on. Debts and savings keep their length in time.
    pub(crate) fn set(&mut self, budget: Budget) {
        self.budget = budget;
    }

    /// Takes what one request took. A clock that went back fills nothing, and takes nothing away.
    pub(crate) fn spend(&mut self, now: Duration, expense: Expense) {
        self.fill(now);
        let amounts = [expense.requests as f64, expense.bytes as f64, expense.busy.min(LONGEST_CHARGED).as_secs_f64()];
        for ((level, which), amount) in self.levels.iter_mut().zip(Which::ALL).zip(amounts) {
            *level = (*level - amount / self.budget.rate(which)).max(-LARGEST_DEBT.as_secs_f64());
        }
    }

    /// How long a request that has `waited` already still has to wait; zero: it may go.
    pub(crate) fn ready_in(&mut self, now: Duration, urgency: Urgency, waited: Duration) -> Duration {
        self.fill(now);
        let (level, _) = self.least();
        if urgency.may_owe() {
            let wait = Duration::from_secs_f64((-OWED.as_secs_f64() - level).max(0.0));
            // Rounded up, as below.
            return if wait.is_zero() { wait } else { wait + Duration::from_millis(1) };
        }
        let left_to_others = urgency.deference().saturating_sub(waited).as_secs_f64();
        if level >= left_to_others {
            return Duration::ZERO;
        }
        // The bucket fills while what is left to others shrinks, both by a second a second, until nothing is.
        let meet = (left_to_others - level) / 2.0;
        let wait = if meet <= left_to_others { meet } else { -level };
        // Rounded up: whoever sleeps for so long finds it done.
        Duration::from_secs_f64(wait) + Duration::from_millis(1)
    }

    /// The budget that is nearest to its end.
    pub(crate) fn scarcest(&self) -> Which {
        self.least().1
    }

    fn fill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.filled_at).as_secs_f64();
        self.filled_at = self.filled_at.max(now);
        for level in &mut self.levels {
            *level = (*level + passed).min(BURST.as_secs_f64());
        }
    }

    fn least(&self) -> (f64, Which) {
        let pairs = self.levels.into_iter().zip(Which::ALL);
        pairs.min_by(|(a, _), (b, _)| a.total_cmp(b)).unwrap_or((0.0, Which::Requests))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BUDGET: Budget = Budget { requests_per_s: 10.0, bytes_per_s: 1e6, busy: 0.2 };

    fn s(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    fn request(bytes: u64, busy: f64) -> Expense {
        Expense { requests: 1, bytes, busy: s(busy) }
    }

    #[test]
    fn a_burst_passes_and_then_the_average_counts() {
        let mut account = Account::new(Budget { requests_per_s: 8.0, ..BUDGET });
        let mut sent = 0;
        while account.ready_in(s(0.0), Urgency::Poll, s(60.0)).is_zero() {
            account.spend(s(0.0), request(0, 0.0));
            sent += 1;
        }
        assert_eq!(sent, 241, "30 s of 8 a second, and the one that owes");
        assert_eq!(account.ready_in(s(0.0), Urgency::Poll, s(60.0)), s(0.126));
        assert_eq!(account.ready_in(s(0.126), Urgency::Poll, s(60.0)), Duration::ZERO);
    }

    #[test]
    fn bytes_and_time_count_as_requests_do_and_the_scarcest_is_told() {
        let mut account = Account::new(BUDGET);
        account.spend(s(0.0), request(31_000_000, 0.1));
        assert_eq!((account.scarcest(), account.ready_in(s(0.0), Urgency::Poll, s(9.0))), (Which::Bytes, s(1.001)));
        for _ in 0..4 {
            account.spend(s(0.0), request(0, 1.975));
        }
        assert_eq!((account.scarcest(), account.ready_in(s(0.0), Urgency::Poll, s(9.0))), (Which::Busy, s(10.001)));
    }

    #[test]
    fn less_urgent_requests_leave_something_to_others_until_they_have_waited() {
        let mut account = Account::new(BUDGET);
        account.spend(s(0.0), Expense { requests: 270, ..Expense::default() });
        assert_eq!(account.ready_in(s(0.0), Urgency::Poll, s(0.0)), Duration::ZERO, "3 s are left");
        assert_eq!(account.ready_in(s(0.0), Urgency::Logs, s(0.0)), s(3.501));
        assert_eq!(account.ready_in(s(0.0), Urgency::Logs, s(7.0)), Duration::ZERO);
    }

    #[test]
    fn what_is_most_urgent_goes_first_and_is_made_up_for() {
        let mut account = Account::new(BUDGET);
        account.spend(s(0.0), Expense { requests: 310, ..Expense::default() });
        for urgency in [Urgency::Doubt, Urgency::Release] {
            assert_eq!(account.ready_in(s(0.0), urgency, s(0.0)), Duration::ZERO);
            account.spend(s(0.0), request(0, 0.0));
        }
        assert_eq!(account.ready_in(s(0.0), Urgency::Poll, s(9.0)), s(1.201));
    }

    #[test]
    fn what_is_most_urgent_owes_no_more_than_a_budget_makes_up_for() {
        for requests_per_s in [0.1, 2.0, 10.0] {
            let mut account = Account::new(Budget { requests_per_s, ..BUDGET });
            let mut sent = 0.0;
            for now in 0..6000 {
                while account.ready_in(s(now.into()), Urgency::Doubt, s(0.0)).is_zero() {
                    account.spend(s(now.into()), request(0, 0.0));
                    sent += 1.0;
                }
            }
            let granted = requests_per_s * (6000.0 + (BURST + OWED).as_secs_f64());
            assert!(sent <= granted + 1.0, "{sent} of {granted}");
            assert!(account.ready_in(s(5999.0), Urgency::Poll, s(9.0)) <= LARGEST_DEBT + s(0.001));
        }
    }

    #[test]
    fn a_hanging_cluster_is_charged_little_and_nobody_waits_longer_than_the_largest_debt() {
        let mut account = Account::new(BUDGET);
        account.spend(s(600.0), request(0, 600.0));
        assert_eq!(account.ready_in(s(600.0), Urgency::Logs, s(0.0)), Duration::ZERO);
        account.spend(s(600.0), Expense { bytes: 1 << 40, ..request(0, 0.0) });
        assert_eq!(account.ready_in(s(600.0), Urgency::Poll, s(9.0)), LARGEST_DEBT + s(0.001));
    }

    #[test]
    fn a_clock_that_goes_back_or_jumps_is_harmless() {
        let mut account = Account::new(BUDGET);
        account.spend(s(100.0), Expense { requests: 301, ..Expense::default() });
        assert_eq!(account.ready_in(s(0.0), Urgency::Poll, s(9.0)), s(0.101), "nothing was gained");
        assert_eq!(account.ready_in(s(100.2), Urgency::Poll, s(9.0)), Duration::ZERO);
        account.spend(Duration::MAX, request(0, 0.0));
        assert!(account.levels.iter().all(|level| *level <= 30.0));
    }

    #[test]
    fn absurd_budgets_count_as_the_smallest_that_works() {
        for bad in [f64::NAN, -1.0, 0.0, f64::NEG_INFINITY] {
            let mut account = Account::new(Budget { requests_per_s: bad, bytes_per_s: bad, busy: bad });
            for _ in 0..4 {
                account.spend(s(0.0), request(0, 0.0));
            }
            assert_eq!(account.ready_in(s(0.0), Urgency::Poll, s(9.0)), s(10.001));
            assert_eq!(account.budget().words(Which::Requests), "0.1 requests per second");
        }
        let mut free = Account::new(Budget { requests_per_s: f64::INFINITY, bytes_per_s: 1e300, busy: 1.0 });
        free.spend(s(0.0), Expense { requests: u64::MAX, bytes: u64::MAX, busy: s(2.0) });
        assert_eq!(free.ready_in(s(0.0), Urgency::Poll, s(9.0)), Duration::ZERO);
    }

    #[test]
    fn another_budget_holds_at_once() {
        let mut account = Account::new(BUDGET);
        account.spend(s(0.0), Expense { requests: 320, ..Expense::default() });
        account.set(Budget { requests_per_s: 1.0, ..BUDGET });
        assert_eq!(account.ready_in(s(0.0), Urgency::Poll, s(9.0)), s(2.001), "the debt is as long as before");
        account.spend(s(2.0), request(0, 0.0));
        assert_eq!(account.ready_in(s(2.0), Urgency::Poll, s(9.0)), s(1.001));
    }

    fn urgency() -> impl Strategy<Value = Urgency> {
        prop::sample::select(Urgency::ALL.to_vec())
    }

    proptest! {
        /// Whoever sleeps as long as it is told to may go then; and it is never told to sleep for longer than the
        /// largest debt.
        #[test]
        fn the_wait_that_is_told_is_right(
            spent in 0u64..2000, bytes in 0u64..100_000_000, busy in 0.0f64..20.0,
            urgency in urgency(), waited in 0.0f64..20.0,
        ) {
            let mut account = Account::new(BUDGET);
            account.spend(s(50.0), Expense { requests: spent, bytes, busy: s(busy) });
            let wait = account.ready_in(s(50.0), urgency, s(waited));
            prop_assert!(wait <= LARGEST_DEBT + s(0.001), "{wait:?}");
            prop_assert_eq!(account.clone().ready_in(s(50.0) + wait, urgency, s(waited) + wait), Duration::ZERO);
            if wait > s(0.01) {
                let early = wait - s(0.01);
                prop_assert!(account.ready_in(s(50.0) + early, urgency, s(waited) + early) > Duration::ZERO);
            }
        }

        /// Over any time, what passes without owing is at most the burst, the average, and one request.
        #[test]
        fn the_average_is_kept(steps in prop::collection::vec((0.0f64..2.0, 0.0f64..2.0, urgency()), 1..300)) {
            let mut account = Account::new(BUDGET);
            let (mut now, mut sent, mut busy, mut longest) = (0.0, 0u64, 0.0, 0.0f64);
            for (pause, takes, urgency) in steps {
                now += pause;
                if !urgency.may_owe() && account.ready_in(s(now), urgency, s(0.0)).is_zero() {
                    account.spend(s(now), request(0, takes));
                    (sent, busy, longest) = (sent + 1, busy + takes, longest.max(takes));
                }
            }
            prop_assert!(sent as f64 <= 300.0 + 10.0 * now + 1.001);
            prop_assert!(busy <= 6.0 + 0.2 * now + longest + 0.001);
        }
    }
}
