//! The real `cigri-server` program over a cluster that speaks OAR 3's API on a real port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adding;
mod bad_bodies;
mod bed;
mod budget;
mod dry_runs;
mod fail_over;
mod holding;
mod limits;
mod notifications;
#[path = "../../../cigri-store/tests/databases/server.rs"]
mod postgresql;
mod restore;
mod rules;
mod single;
mod standby;
mod steps;
mod sweeps;
mod terms;
mod troubled;
mod usage;
