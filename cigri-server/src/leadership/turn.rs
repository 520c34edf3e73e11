//! A server's turns at leading: makes ready, runs the clusters' loops while the lease is held, and stands by again.

use std::sync::Arc;
use std::time::Duration;

use cigri_store::{ClusterRow, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{Leadership, Phase};
use crate::clock::now_ms;
use crate::cluster::supervise;
use crate::grid::Grid;

/// Pause after a turn that could not begin.
const PAUSE: Duration = Duration::from_secs(1);

/// Leads whenever the lease is held, until `stop`; then lets every loop end its present step.
pub(crate) async fn lead(
    grid: Arc<Grid>,
    leadership: Arc<Leadership>,
    clusters: Vec<ClusterRow>,
    stop: CancellationToken,
) {
    let clusters = Arc::new(clusters);
    while !stop.is_cancelled() {
        tokio::select! {
            () = leadership.taken() => {}
            () = stop.cancelled() => return,
        }
        let rows = Arc::clone(&clusters);
        match crate::blocking(&grid.store, move |store| prepare(store, &rows)).await {
            Ok(()) => run(&grid, &leadership, &stop).await,
            Err(error) => {
                warn!("cannot take over the lead, it is tried again: {error}");
                leadership.advance(&[Phase::Prepares], Phase::Leaves);
                tokio::time::sleep(PAUSE).await;
            }
        }
        if stop.is_cancelled() {
            return;
        }
        leadership.advance(&[Phase::Prepares, Phase::Acts, Phase::Leaves], Phase::Follows);
    }
}

/// What an earlier leader was receiving when it ended goes, and the configuration's clusters come.
fn prepare(store: &Store, clusters: &[ClusterRow]) -> Result<(), StoreError> {
    store.sweep_received()?;
    for cluster in clusters {
        store.put_cluster(cluster)?;
        let unfit = store.tell_unfit(&cluster.name, now_ms())?;
        for problem in unfit {
            warn!(cluster.name = %cluster.name, "a limit changed at run time has no effect any more: {problem}");
        }
    }
    let names: Vec<String> = clusters.iter().map(|cluster| cluster.name.clone()).collect();
    store.close_of_other_clusters(&names, now_ms())?;
    Ok(())
}

async fn run(grid: &Arc<Grid>, leadership: &Leadership, stop: &CancellationToken) {
    leadership.advance(&[Phase::Prepares], Phase::Acts);
    let Some(epoch) = leadership.epoch() else { return };
    info!(epoch, "leads");
    let turn = stop.child_token();
    let loops = tokio::spawn(supervise::run_all(Arc::clone(grid), turn.clone()));
    tokio::select! {
        () = leadership.lost() => {
            leadership.advance(&[Phase::Acts], Phase::Leaves);
            warn!(epoch, "lost the lead, stands by: its lease could not be renewed in time, or was taken over");
        }
        // The lease is kept until the loops have ended.
        () = stop.cancelled() => {}
    }
    turn.cancel();
    loops.await.ok();
}
