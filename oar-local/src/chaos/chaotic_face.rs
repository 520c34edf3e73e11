//! A cluster in virtual time behind an API that fails: what a deterministic test sends its requests to.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use http::Request;

use super::decision::{Chaos, Fault, Report};
use super::outcome::{Cluster, Outcome, array_of, carry_out};
use super::virtual_cluster::VirtualCluster;
use crate::machine::Runs;

/// Work that the API still has to do.
#[derive(Debug)]
enum Later {
    /// A whole request.
    Request(Box<Request<Bytes>>),
    /// The rest of a submission.
    Submission(u64),
}

/// A cluster, the faults of its API, and what is late.
#[derive(Debug)]
pub struct ChaoticFace {
    inner: VirtualCluster,
    chaos: Chaos,
    /// By time, epoch milliseconds; equal times in the order of the requests.
    late: BTreeMap<i64, VecDeque<Later>>,
}

impl ChaoticFace {
    /// `inner` behind the faults of `chaos`.
    #[must_use]
    pub fn new(inner: VirtualCluster, chaos: Chaos) -> Self {
        Self { inner, chaos, late: BTreeMap::new() }
    }

    /// Sends a request at `now` (epoch milliseconds), which never goes back. First happens what is due until then.
    ///
    /// A timed-out request takes no time here: the caller moves its clock by the time-out that it has.
    pub fn send(&mut self, request: Request<Bytes>, now: i64) -> Outcome {
        self.advance(now);
        let fault = self.chaos.meet(&request, now);
        let outcome = carry_out(&mut self.inner, fault, &request, now);
        match (fault, outcome) {
            (Fault::Late { by_ms }, _) => self.postpone(now, by_ms, Later::Request(Box::new(request))),
            (Fault::Unfinished { by_ms }, Outcome::Answered(response)) => match array_of(&response) {
                Some(array) => self.postpone(now, by_ms, Later::Submission(array)),
                None => Outcome::Answered(response),
            },
            (Fault::Restart { .. }, outcome) => {
                self.late.clear();
                outcome
            }
            (_, outcome) => outcome,
        }
    }

    /// Lets everything happen that is due until `now`, each at its time: late requests, ends of jobs, rounds.
    pub fn advance(&mut self, now: i64) {
        while let Some(first) = self.late.first_entry().filter(|first| *first.key() <= now) {
            let (at, works) = first.remove_entry();
            for work in works {
                match work {
                    Later::Request(request) => drop(Cluster::respond(&mut self.inner, &request, None, at)),
                    Later::Submission(array) => self.inner.change(at, |machine, now| machine.complete(array, now)),
                }
            }
        }
        self.inner.advance(now);
    }

    /// When something happens next by itself, epoch milliseconds.
    #[must_use]
    pub fn next_wake(&self) -> Option<i64> {
        self.late.first_key_value().map(|(at, _)| *at).into_iter().chain(self.inner.next_wake()).min()
    }

    /// Lets nothing go wrong any more. What is late already still comes.
    pub fn stop_faults(&mut self) {
        self.chaos.stop_faults();
    }

    /// Whether late requests are still to come.
    #[must_use]
    pub fn owes_work(&self) -> bool {
        !self.late.is_empty()
    }

    /// What has gone wrong so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.chaos.report()
    }

    /// How often each command line ran.
    #[must_use]
    pub fn runs(&self) -> BTreeMap<String, Runs> {
        self.inner.machine().runs()
    }

    /// The cluster behind the faults.
    #[must_use]
    pub fn cluster(&self) -> &VirtualCluster {
        &self.inner
    }

    /// The same, to look at it through its sound API or to change it.
    pub fn cluster_mut(&mut self) -> &mut VirtualCluster {
        &mut self.inner
    }

    fn postpone(&mut self, now: i64, by_ms: i64, work: Later) -> Outcome {
        self.late.entry(now.saturating_add(by_ms)).or_default().push_back(work);
        Outcome::TimedOut
    }
}
