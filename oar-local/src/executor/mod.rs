//! Runs jobs as real processes: one worker thread per running job, which takes its next job by itself.

mod environment;
mod launch;
mod leftovers;
mod plain;
mod watch;
mod worker;

#[cfg(test)]
mod tests;

pub(crate) use environment::Surroundings;
pub(crate) use leftovers::kill_leftovers;
pub(crate) use watch::kill_group;
pub(crate) use worker::work;
