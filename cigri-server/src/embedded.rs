//! The server inside another process: one data directory, this machine's processes as its clusters.
//!
//! The first process that opens a data directory serves a socket in it; others talk to that. What it needs is made
//! on the way: the database, the key, the local cluster's state.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use cigri_store::ClusterKind;
use oar_local::{LocalCluster, Output};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::cluster::supervise;
use crate::data_dir::{self, DataDir};
use crate::grid::{Grid, GridError, LocalPool};
use crate::leadership::Leadership;
use crate::secret::Sealer;

pub use crate::data_dir::StartError;

/// What the embedded server is to be.
#[derive(Debug, Clone)]
pub struct EmbeddedConfig {
    /// Where everything is kept; made if missing.
    pub data_dir: PathBuf,
    /// Slots for local jobs.
    pub cores: u32,
    /// Probability that a best-effort job is killed shortly after its start.
    pub kill_rate: f64,
    /// Seed of that chance.
    pub seed: Option<u64>,
    /// OAR's two files per job instead of one captured log.
    pub output_files: bool,
    /// False: only answer requests, run nothing.
    pub run_jobs: bool,
}

/// A running embedded server. Dropping it without [`Embedded::shutdown`] is like a crash: nothing is lost, jobs
/// that ran are run again.
pub struct Embedded {
    socket: PathBuf,
    grid: Arc<Grid>,
    stop: CancellationToken,
    loops: JoinHandle<()>,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    /// Held as long as this process serves it.
    _folder: DataDir,
}

/// Where the server of a data directory listens.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("cigri.sock")
}

impl Embedded {
    /// Takes the data directory over, and serves it.
    pub async fn start(config: EmbeddedConfig) -> Result<Embedded, StartError> {
        let folder = DataDir::take(&config.data_dir)?;
        let grid = Arc::new(open_grid(&config, &folder)?);
        let socket = socket_path(&config.data_dir);
        let listener = data_dir::listen(&socket, 0o600)?;
        let alone = Arc::new(Leadership::alone());
        let server = api::serve(Arc::clone(&grid), alone, listener).map_err(data_dir::io(&socket))?;
        let (handle, server) = (server.handle(), tokio::spawn(server));
        let stop = CancellationToken::new();
        let loops = match config.run_jobs {
            true => tokio::spawn(run(Arc::clone(&grid), stop.clone())),
            false => tokio::spawn(async {}),
        };
        Ok(Embedded { socket, grid, stop, loops, handle, server, _folder: folder })
    }

    /// The socket's path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Stops: loops end after their present step, running jobs are killed and written down, requests are finished.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.loops.await.ok();
        let grid = self.grid;
        let kill = move || grid.local.iter().for_each(|pool| pool.cluster.shutdown());
        tokio::task::spawn_blocking(kill).await.ok();
        self.handle.stop(true).await;
        self.server.await.ok();
        std::fs::remove_file(&self.socket).ok();
    }
}

fn open_grid(config: &EmbeddedConfig, folder: &DataDir) -> Result<Grid, StartError> {
    let sealer = folder.sealer()?;
    let pool = local_pool(config, &sealer)?;
    let grid = Grid::new(folder.store()?, sealer, Vec::new(), Some(pool))?;
    let rows = grid.store.list_clusters().map_err(GridError::Store)?;
    let names = rows.into_iter().filter(|row| row.kind == ClusterKind::Local).map(|row| row.name);
    names.into_iter().try_for_each(|name| grid.add_cluster(grid.local_row(name)))?;
    Ok(grid)
}

fn local_pool(config: &EmbeddedConfig, sealer: &Sealer) -> Result<LocalPool, StartError> {
    let settings = oar_local::Config {
        state_dir: config.data_dir.join("local"),
        // Without slots nothing starts: a reader must not run jobs.
        cores: if config.run_jobs { config.cores } else { 0 },
        user: api::own_login(),
        secret: sealer.key(),
        output: if config.output_files { Output::Files } else { Output::Captured },
        lenient: true,
        schedule_period: None,
        kill_rate: config.kill_rate,
        seed: config.seed,
        chaos: None,
    };
    let cluster = LocalCluster::open(settings).map_err(|error| StartError::Local(error.to_string()))?;
    Ok(LocalPool { cluster: Arc::new(cluster), cores: config.cores, runs_jobs: config.run_jobs })
}

/// The clusters' loops, and the bell that the local cluster rings when a job changes.
async fn run(grid: Arc<Grid>, stop: CancellationToken) {
    let bell = grid.local.as_ref().map(|pool| pool.cluster.changes());
    let loops = supervise::run_all(Arc::clone(&grid), stop.clone());
    let ring = async {
        let Some(mut bell) = bell else { return stop.cancelled().await };
        while !stop.is_cancelled() {
            tokio::select! {
                changed = bell.changed() => if changed.is_err() { return stop.cancelled().await },
                () = stop.cancelled() => return,
            }
            grid.wake_all();
            // One ring per pause is enough: a round looks at everything.
            tokio::time::sleep(RING_PAUSE).await;
        }
    };
    tokio::join!(loops, ring);
}

/// Pause between two rings of the local cluster's bell.
const RING_PAUSE: Duration = Duration::from_millis(10);
