//! What a cluster needs now and then, beside its rounds: a sample of its use, and new tokens for its users.
//!
//! Each cluster has a task of its own for this, and its requests wait behind all others: no round waits for them, and
//! a cluster that hangs delays nobody. Only the leader's tasks run.

mod samples;
mod tokens;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use cigri_core::meter::Mode;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::clock::now_ms;
use crate::grid::{ClusterHandle, Grid, GridError};

/// Between two looks at what is due, at most.
const LONGEST_PAUSE_MS: i64 = 60_000;

/// What a cluster's task remembers. Losing it costs a request.
#[derive(Default)]
struct Memory {
    samples: samples::Taken,
    tokens: tokens::Attempts,
}

/// Looks after a cluster until `stop`.
pub(crate) async fn watch(grid: Arc<Grid>, handle: Arc<ClusterHandle>, stop: CancellationToken) {
    let mut memory = Memory { samples: samples::Taken::since(now_ms()), ..Memory::default() };
    while !stop.is_cancelled() {
        let tended = tokio::select! {
            tended = tend(&grid, &handle, &mut memory, now_ms()) => tended,
            () = stop.cancelled() => return,
        };
        if let Err(error) = tended {
            // A standby that just lost the lead, or a database that is away: rounds tell of it.
            debug!(cluster.name = %handle.row.name, "upkeep failed: {error}");
        }
        tokio::select! {
            () = tokio::time::sleep(pause(&grid, now_ms())) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Until the next sample may be due, or a while.
fn pause(grid: &Grid, now: i64) -> Duration {
    let every = grid.retention.usage_every_ms;
    let left = if every > 0 { every - now.rem_euclid(every) } else { LONGEST_PAUSE_MS };
    Duration::from_millis(left.clamp(1, LONGEST_PAUSE_MS) as u64)
}

/// Does what is due at `now` (epoch milliseconds). Nothing is asked of a disabled cluster.
async fn tend(grid: &Grid, handle: &ClusterHandle, memory: &mut Memory, now: i64) -> Result<(), GridError> {
    let name = handle.row.name.clone();
    let limits = crate::blocking(&grid.store, move |store| store.cluster_limits(&name)).await?;
    let is_open = limits.mode != Mode::Disabled;
    if is_open {
        handle.keep_to(&limits);
        samples::take(grid, handle, &mut memory.samples, now).await?;
    }
    tokens::look_after(grid, handle, &mut memory.tokens, (is_open, now)).await
}
