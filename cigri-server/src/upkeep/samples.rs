//! Samples of a cluster: what it has, what is used, by us, and what is out of order.
//!
//! A sample stands for the slot of time in which it was taken, so that those of all clusters have the same dates, and two
//! servers that lead one after the other leave one. A cluster that does not answer leaves a gap.

use cigri_core::usage::{DAY_MS, GridUsage};
use cigri_store::GridUsageRow;
use tracing::debug;

use crate::grid::{ClusterHandle, Grid, GridError};

/// A cluster without jobs of ours is asked once in so many slots.
const IDLE_SLOTS: i64 = 12;

/// What was done so far. Times are epoch milliseconds.
#[derive(Default)]
pub(super) struct Taken {
    /// The slot that was last looked at.
    slot: Option<i64>,
    /// When this began.
    since: i64,
    /// When old samples were last forgotten.
    last_pruned: i64,
}

impl Taken {
    /// Nothing yet, from now on: who starts has other things to ask first.
    pub(super) fn since(now: i64) -> Taken {
        Taken { since: now, ..Taken::default() }
    }

    fn is_new(&self, slot: i64, every: i64) -> bool {
        self.slot.unwrap_or(self.since.div_euclid(every)) != slot
    }
}

/// Takes a sample, if this slot has none and it is worth it.
pub(super) async fn take(grid: &Grid, handle: &ClusterHandle, taken: &mut Taken, now: i64) -> Result<(), GridError> {
    let every = grid.retention.usage_every_ms;
    if every <= 0 || !taken.is_new(now.div_euclid(every), every) {
        return Ok(());
    }
    let slot = now.div_euclid(every);
    taken.slot = Some(slot);
    let name = handle.row.name.clone();
    let ours = crate::blocking(&grid.store, move |store| store.cores_running(&name)).await?;
    if ours.is_none() && slot.rem_euclid(IDLE_SLOTS) != 0 {
        return Ok(());
    }
    let census = match handle.client.census().await {
        Ok(census) => census,
        Err(error) => {
            debug!(cluster.name = %handle.row.name, "no sample: {error}");
            return Ok(());
        }
    };
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let usage = GridUsage {
        total: count(census.total),
        used: count(census.busy),
        ours: ours.unwrap_or_default(),
        unavailable: count(census.unavailable),
    };
    keep(grid, GridUsageRow { cluster: handle.row.name.clone(), at: slot * every, usage }, taken, now).await
}

/// Writes a sample down; once a day old ones are forgotten.
async fn keep(grid: &Grid, sample: GridUsageRow, taken: &mut Taken, now: i64) -> Result<(), GridError> {
    let before = ((now - taken.last_pruned).abs() >= DAY_MS).then_some(now - grid.retention.usage_ms);
    crate::blocking(&grid.store, move |store| {
        store.keep_sample(&sample)?;
        before.map_or(Ok(0), |before| store.prune_samples(&sample.cluster, before))
    })
    .await?;
    if before.is_some() {
        taken.last_pruned = now;
    }
    Ok(())
}
