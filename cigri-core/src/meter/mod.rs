//! The meter: how many jobs of a campaign may go to a cluster now, as the minimum of named terms.
//!
//! Every term keeps its value and its reason, so that "why is nothing sent?" has an answer. [`law`] says how many jobs
//! should wait in a cluster's queue; [`metering`] is what a cluster's meter remembers between rounds.

pub mod file_server;
pub mod give_way;
pub mod law;
pub mod limits;
pub mod metering;
pub mod reason;
mod remedy;
pub mod sensor;
mod sentence;
pub mod stress;
pub mod window;

use serde::{Deserialize, Serialize};

pub use file_server::FileServer;
pub use give_way::Neighbours;
pub use limits::{ClusterLimits, FileServerSettings, GiveWay, Mode};
pub use metering::{Metering, Sighting};
pub use reason::{FailedJobs, Reason, Term};
pub use sensor::Reading;

/// One term of an allowance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// Jobs it allows.
    pub allowed: u64,
    /// Which term it is, and why, with its numbers.
    pub reason: Reason,
}

impl Bound {
    /// A term with its value and reason.
    pub fn new(allowed: u64, reason: Reason) -> Bound {
        Bound { allowed, reason }
    }

    /// Nothing at all, for this reason.
    pub fn none(reason: Reason) -> Bound {
        Bound { allowed: 0, reason }
    }

    /// Which term it is.
    pub fn term(&self) -> Term {
        self.reason.term()
    }
}

/// How many jobs may go, and every term behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Allowance {
    /// The minimum.
    pub allowed: u64,
    /// The first term that reached it: its place in `terms`.
    binding: usize,
    /// All terms, in the order they were looked at; never empty.
    pub terms: Vec<Bound>,
}

impl Allowance {
    /// The minimum of `first` and `rest`; the first of equals binds.
    pub fn minimum(first: Bound, rest: impl IntoIterator<Item = Bound>) -> Allowance {
        let terms: Vec<Bound> = std::iter::once(first).chain(rest).collect();
        let least = terms.iter().enumerate().min_by_key(|(_, term)| term.allowed);
        let (binding, allowed) = least.map_or((0, 0), |(at, term)| (at, term.allowed));
        Allowance { allowed, binding, terms }
    }

    /// The term that bound.
    pub fn binding(&self) -> &Bound {
        &self.terms[self.binding]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_term_binds_and_the_first_of_equals_wins() {
        let allowance = Allowance::minimum(
            Bound::new(10, Reason::Pending { tasks: 10 }),
            [Bound::new(3, Reason::ArraySize { most: 3 }), Bound::new(3, Reason::MaxJobs { live: 0, most: 3 })],
        );
        assert_eq!(allowance.allowed, 3);
        assert_eq!(allowance.binding().term(), Term::ArraySize);
        assert_eq!(allowance.terms.len(), 3);
    }
}
