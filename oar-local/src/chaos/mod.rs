//! Seeded faults in front of the cluster: what a client must survive, programmable and repeatable.
//!
//! * [`Plan`] says how much of what, [`Chaos`] draws from it what happens to each request;
//! * [`ChaoticFace`] does it to a cluster in virtual time ([`VirtualCluster`]), for deterministic tests;
//! * the program does it over HTTP with `--chaos SEED`: no answer is a closed connection, a late one a late answer.
//!
//! Nothing here reads a clock or any other chance than the seed: a scenario is a seed. What the faults do is what
//! was seen on a real OAR 3 (answers lost, API killed within a submission, its database session broken), or what
//! networks do.

mod chaotic_face;
mod decision;
mod dice;
mod listing;
mod outcome;
mod plan;
mod virtual_cluster;

pub use chaotic_face::ChaoticFace;
pub use decision::{Chaos, Fault, Report};
pub use outcome::Outcome;
pub use plan::{Kind, Plan, PlanError, Span};
pub use virtual_cluster::{EmptyWorld, Execute, Run, VirtualCluster};

pub(crate) use outcome::{Cluster, array_of, carry_out};

/// The faults of a cluster that is served over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct ChaosConfig {
    /// Source of all chance.
    pub seed: u64,
    /// What may go wrong.
    pub plan: Plan,
}
