//! The meter: how many jobs of a campaign may go to a cluster now, as the minimum of named terms.
//!
//! Every term keeps its value and its reason, so that "why is nothing sent?" has an answer.

use serde::{Deserialize, Serialize};

/// What may bound an allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Term {
    /// Tasks that can be sent there now.
    Pending,
    /// Jobs the cluster should have waiting, from the starts seen.
    Backlog,
    /// The admin's cap on our waiting jobs.
    WaitingCap,
    /// The admin's cap on our live jobs.
    LiveCap,
    /// The campaign's own `max_jobs` on this cluster.
    MaxJobs,
    /// Largest array that is posted at once.
    ArraySize,
    /// The campaign is on hold there.
    Hold,
    /// The cluster is on hold for everybody.
    ClusterHold,
    /// The owner has no usable token there.
    Token,
    /// Submissions of this campaign there are in doubt.
    Doubt,
    /// Its share of the round, beside other campaigns.
    Share,
    /// Its jobs run by night only.
    Calendar,
    /// Its prologue has not succeeded there.
    Prologue,
    /// Its epilogue is due or runs there.
    Epilogue,
    /// Only its sample is sent.
    TestMode,
}

impl Term {
    /// The stored and shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            Term::Pending => "pending",
            Term::Backlog => "backlog",
            Term::WaitingCap => "waiting_cap",
            Term::LiveCap => "live_cap",
            Term::MaxJobs => "max_jobs",
            Term::ArraySize => "array_size",
            Term::Hold => "hold",
            Term::ClusterHold => "cluster_hold",
            Term::Token => "token",
            Term::Doubt => "doubt",
            Term::Share => "share",
            Term::Calendar => "calendar",
            Term::Prologue => "prologue",
            Term::Epilogue => "epilogue",
            Term::TestMode => "test_mode",
        }
    }
}

/// One term of an allowance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// Which one.
    pub term: Term,
    /// Jobs it allows.
    pub allowed: u64,
    /// Why, in words with numbers.
    pub reason: String,
}

impl Bound {
    /// A term with its value and reason.
    pub fn new(term: Term, allowed: u64, reason: impl Into<String>) -> Bound {
        Bound { term, allowed, reason: reason.into() }
    }
}

/// How many jobs may go, and every term behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// The minimum.
    pub allowed: u64,
    /// The first term that reached it.
    pub binding: Bound,
    /// All terms, in the order they were looked at.
    pub terms: Vec<Bound>,
}

/// The minimum of `terms`; the first of equals binds.
pub fn minimum(first: Bound, rest: Vec<Bound>) -> Allowance {
    let binding = rest.iter().fold(&first, |least, term| if term.allowed < least.allowed { term } else { least });
    let (allowed, binding) = (binding.allowed, binding.clone());
    let terms = std::iter::once(first).chain(rest).collect();
    Allowance { allowed, binding, terms }
}

/// Limits of a cluster, set by its admin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterLimits {
    /// Our jobs that may wait there (launching, in doubt, held or waiting).
    pub max_waiting: u64,
    /// Our jobs that may be live there, running ones included.
    pub max_live: u64,
    /// Jobs per submission.
    pub max_array: u64,
    /// Jobs kept waiting before any start was seen.
    pub initial_backlog: u64,
    /// Seconds between two rounds while something of ours is there.
    pub period_s: u64,
    /// Looks ahead that the backlog should feed, as multiples of the starts seen in one.
    pub looks_ahead: u64,
    /// Whether users may send jobs there that are not best-effort: prologues, epilogues and samples are such.
    pub normal_jobs: bool,
}

impl Default for ClusterLimits {
    fn default() -> Self {
        // Half of OAR's window of 1 000 jobs per queue and round; arrays of 500 stay under half a second.
        ClusterLimits {
            max_waiting: 500,
            max_live: 10_000,
            max_array: 500,
            initial_backlog: 10,
            period_s: 15,
            looks_ahead: 2,
            normal_jobs: true,
        }
    }
}

/// The adaptive backlog law of one cluster: how many of our jobs should wait there.
///
/// It doubles when the cluster emptied our queue between two looks and jobs were started, and otherwise follows
/// a multiple of the starts seen; it never asks for less than one probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    target: u64,
}

impl Backlog {
    /// Starts small.
    pub fn new(limits: &ClusterLimits) -> Backlog {
        Backlog { target: limits.initial_backlog.max(1) }
    }

    /// Jobs that should wait.
    pub fn target(self) -> u64 {
        self.target
    }

    /// Jobs to send while `waiting` are there: a queue that is still more than half full can wait for a larger
    /// submission.
    pub fn refill(self, waiting: u64) -> u64 {
        if waiting > self.target / 2 { 0 } else { self.target - waiting }
    }

    /// Moves the law after a look that saw `starts` jobs start (0: no scheduling round seen, nothing learnt)
    /// and left `waiting` of ours in the cluster's queue.
    #[must_use]
    pub fn observe(self, starts: u64, waiting: u64, limits: &ClusterLimits) -> Backlog {
        if starts == 0 {
            return self;
        }
        let follow = starts.saturating_mul(limits.looks_ahead);
        let target = if waiting == 0 { follow.max(self.target.saturating_mul(2)) } else { follow };
        Backlog { target: target.clamp(limits.initial_backlog.max(1), limits.max_waiting.max(1)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_term_binds_and_the_first_of_equals_wins() {
        let allowance = minimum(
            Bound::new(Term::Pending, 10, "10 tasks"),
            vec![Bound::new(Term::Backlog, 3, "b"), Bound::new(Term::MaxJobs, 3, "m")],
        );
        assert_eq!(allowance.allowed, 3);
        assert_eq!(allowance.binding.term, Term::Backlog);
        assert_eq!(allowance.terms.len(), 3);
    }

    #[test]
    fn the_backlog_doubles_on_an_emptied_queue_up_to_the_cap() {
        let limits = ClusterLimits { max_waiting: 60, ..ClusterLimits::default() };
        let mut backlog = Backlog::new(&limits);
        let mut seen = Vec::new();
        for _ in 0..4 {
            backlog = backlog.observe(backlog.target(), 0, &limits);
            seen.push(backlog.target());
        }
        assert_eq!(seen, [20, 40, 60, 60]);
    }

    #[test]
    fn a_queue_is_refilled_when_it_is_half_empty() {
        let backlog = Backlog { target: 10 };
        assert_eq!([0, 5, 6, 10, 12].map(|waiting| backlog.refill(waiting)), [10, 5, 0, 0, 0]);
    }

    #[test]
    fn the_backlog_follows_the_starts_while_jobs_wait_and_keeps_still_without_a_round() {
        let limits = ClusterLimits::default();
        let backlog = Backlog::new(&limits).observe(100, 0, &limits);
        assert_eq!(backlog.target(), 200);
        assert_eq!(backlog.observe(0, 150, &limits), backlog);
        assert_eq!(backlog.observe(30, 120, &limits).target(), 60);
        assert_eq!(backlog.observe(1, 199, &limits).target(), limits.initial_backlog);
    }
}
