//! The ledger under fire: the real `cigri-server` is killed with `kill -9` at every step of a submission's life and at
//! random instants, and meets the outages that CiGri 3 was tried with. Between it and a real `oar-local` stands a proxy
//! that holds requests back, loses answers and fails. What is believed is counted on the cluster's side.
//!
//! `CIGRI_FIRE_RUNS=200 cargo test -p cigri-server --test fire -- --nocapture kills` runs the long set of kills,
//! `CIGRI_FIRE=long cargo test -p cigri-server --test fire -- --nocapture experiments` the outages at full length.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod ask;
mod bad_tasks;
mod bench;
mod dice;
mod experiments;
mod groups;
mod kills;
mod ledger;
mod oar;
mod plan;
mod proxy;
mod scenario;
mod server;
mod verdict;
mod wire;
