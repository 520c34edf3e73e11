//! What the client does with a server that is scripted in memory: pages, look-ups, the lane.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod budget;
mod changes;
mod lane;
mod moving_lists;
mod order;
mod reading;
mod scripted;
