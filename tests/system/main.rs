//! Whole-system tests: the real `cigri` program with real processes, each test in a data directory of its own.
//!
//! What is counted is counted in files that the tasks themselves write, never in CiGri's database alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod adding;
mod backup;
mod bad_input;
mod changed;
mod commands;
mod dry_run;
mod environment;
mod events;
mod example;
mod failures;
mod gathering;
mod groups;
mod interruption;
mod kills;
mod limits;
mod lint;
mod long_lived;
mod notify;
mod retries;
mod sandbox;
mod simulate;
mod single_jobs;
mod steps;
mod stored;
mod sweeps;
mod tasks;
mod terminals;
mod usage;
