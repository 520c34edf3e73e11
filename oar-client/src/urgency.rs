//! What a request is for: who goes first where requests to one cluster wait for each other.

use std::time::Duration;

/// What a request is for, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Looks for work that may or may not have arrived: everything else about it has to wait for that.
    Doubt,
    /// Ends something: a gate that keeps jobs from starting.
    Release,
    /// Looks at what is there.
    Poll,
    /// Sends new work.
    Submit,
    /// Takes work back.
    Delete,
    /// Reads what jobs left behind.
    Results,
    /// Reads for a person who looks on.
    Logs,
}

impl Urgency {
    /// All of them, the most urgent first.
    pub const ALL: [Urgency; 7] = [
        Urgency::Doubt,
        Urgency::Release,
        Urgency::Poll,
        Urgency::Submit,
        Urgency::Delete,
        Urgency::Results,
        Urgency::Logs,
    ];

    /// One word, for metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Urgency::Doubt => "doubt",
            Urgency::Release => "release",
            Urgency::Poll => "poll",
            Urgency::Submit => "submit",
            Urgency::Delete => "delete",
            Urgency::Results => "results",
            Urgency::Logs => "logs",
        }
    }

    /// How much later than it came a request takes its place among the others, and how many seconds of every budget it
    /// leaves to them until then. Whoever has waited for so long goes before all who came since, whatever they are for.
    pub fn deference(self) -> Duration {
        Duration::from_secs(match self {
            Urgency::Doubt | Urgency::Release => 0,
            Urgency::Poll => 2,
            Urgency::Submit => 4,
            Urgency::Delete => 6,
            Urgency::Results => 8,
            Urgency::Logs => 10,
        })
    }

    /// Goes even when a budget is used up, within [`crate::OWED`], and is made up for later. There are few of
    /// these, and more depends on them.
    pub fn may_owe(self) -> bool {
        matches!(self, Urgency::Doubt | Urgency::Release)
    }
}
