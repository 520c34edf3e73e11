//! What a client tells of its way to a cluster: how hard it is to get through, and what was sent so far.

use std::time::Duration;

use crate::budget::{Budget, Expense, Which};
use crate::urgency::Urgency;

/// How hard it is to get a request through now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pressure {
    /// For how long the budget keeps a request of this urgency waiting that comes now; zero where none does.
    pub wait: Duration,
    /// The budget that does.
    pub which: Option<Which>,
    /// Since when the one database request at a time is under way, if one is. It may have no caller any more: an
    /// unanswered write is listened to for minutes.
    pub lane_blocked_for: Option<Duration>,
    pub(crate) budget: Budget,
}

impl Pressure {
    /// Which budget is used up and for how long, as a fragment of a sentence; `None` when none is.
    pub fn sentence(&self) -> Option<String> {
        let which = self.which?;
        let seconds = self.wait.as_secs_f64().ceil();
        Some(format!(
            "our budget of {} there is used up: the next request may go in {seconds} s",
            self.budget.words(which)
        ))
    }
}

/// What requests of one urgency took so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counter {
    /// Requests sent.
    pub requests: u64,
    /// Bytes of URLs and bodies, sent and received.
    pub bytes: u64,
    /// Time with one under way.
    pub busy: Duration,
}

impl From<Expense> for Counter {
    fn from(expense: Expense) -> Counter {
        Counter { requests: expense.requests, bytes: expense.bytes, busy: expense.busy }
    }
}

/// What requests took so far, by what they were for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters([Counter; Urgency::ALL.len()]);

impl Counters {
    /// Of one urgency.
    pub fn of(&self, urgency: Urgency) -> Counter {
        self.0[urgency as usize]
    }

    pub(crate) fn add(&mut self, urgency: Urgency, more: Counter) {
        let counter = &mut self.0[urgency as usize];
        counter.requests += more.requests;
        counter.bytes += more.bytes;
        counter.busy += more.busy;
    }
}
