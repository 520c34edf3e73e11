//! What the campaign language promises: what is accepted and how it is read, what is refused and in which words,
//! and that the generated command does in a real shell what it says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accepted;
mod command;
mod context;
mod expanded;
mod extras;
mod gathering;
mod generated;
mod lines;
mod local;
mod manual;
mod named;
mod properties;
mod refused_extras;
mod refused_fields;
mod refused_parameters;
mod refused_text;
mod retries;
mod samples;
mod schema;
mod sweeps;
mod tables;
