//! Replays exchanges recorded from a real OAR 3: what we build is what was sent then, and what was
//! answered then is understood now.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod cluster;
mod commands;
mod exchange;
mod lists;
mod refusals;
mod submissions;
