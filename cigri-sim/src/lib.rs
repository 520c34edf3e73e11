//! CiGri's meter and plan on a virtual clock, against modelled clusters: the core is the server's own, unchanged.
//!
//! A [`Scenario`] says what there is; [`run`] plays it under a law and a seed and measures it; [`compare`] holds laws
//! against each other; [`predict`] asks when a campaign would end. Nothing here reads a file or a clock.

mod bag;
mod cluster;
pub mod compare;
pub mod duration;
mod file_server;
mod grid;
mod ledger;
pub mod load;
mod loops;
pub mod outcome;
pub mod predict;
pub mod scenario;
mod steering;
pub mod table;

pub use cigri_core::meter::ClusterLimits;
pub use cigri_core::meter::law::LawSettings;
pub use grid::{Run, run, run_without_us};
pub use outcome::Outcome;
pub use scenario::{Scenario, ScenarioError, Traces};
