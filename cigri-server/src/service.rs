//! The server as a service: clusters and admins from the configuration, users on a Unix socket.

use std::sync::Arc;

use cigri_store::{ClusterKind, ClusterRow};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::api;
use crate::cluster::supervise;
use crate::data_dir::{self, DataDir};
use crate::grid::Grid;
use crate::settings::Settings;

pub use crate::data_dir::StartError;

/// Runs until `stop`, then ends every loop after its present step and every request.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), StartError> {
    let folder = DataDir::take(&settings.data_dir)?;
    let grid = Arc::new(open(&settings, &folder)?);
    // Every local user may connect: the kernel says who calls.
    let listener = data_dir::listen(&settings.socket, 0o666)?;
    let server = api::serve(Arc::clone(&grid), listener).map_err(data_dir::io(&settings.socket))?;
    let (handle, server) = (server.handle(), tokio::spawn(server));
    info!(socket = %settings.socket.display(), clusters = settings.clusters.len(), "ready");
    supervise::run_all(grid, stop).await;
    handle.stop(true).await;
    server.await.ok();
    std::fs::remove_file(&settings.socket).ok();
    Ok(())
}

fn open(settings: &Settings, folder: &DataDir) -> Result<Grid, StartError> {
    let grid = Grid::new(folder.store()?, folder.sealer()?, settings.admins.clone(), None)?;
    for (name, cluster) in &settings.clusters {
        let (name, url, limits) = (name.clone(), cluster.url.clone(), cluster.limits());
        grid.add_cluster(ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None })?;
    }
    Ok(grid)
}
