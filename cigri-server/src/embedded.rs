//! The server inside another process: one data directory, this machine's processes as its clusters.
//!
//! The first process that opens a data directory serves a socket in it; others talk to that. What it needs is made
//! on the way: the database, the key, the local cluster's state.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use cigri_store::{ClusterKind, Store, StoreError};
use oar_local::{LocalCluster, Output};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::cluster::supervise;
use crate::grid::{Grid, GridError, LocalPool};
use crate::secret::{self, Sealer};

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

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another process has the data directory.
    #[error("another cigri process already serves {0}")]
    AlreadyServed(PathBuf),
    /// A file or folder could not be used.
    #[error("cannot use {path}: {source}. Choose another place with --data-dir, or correct its permissions")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The database failed.
    #[error("{error} (in {path})")]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: StoreError,
    },
    /// The local cluster could not start.
    #[error("the local cluster cannot start: {0}")]
    Local(String),
    /// Clusters or keys.
    #[error(transparent)]
    Grid(#[from] GridError),
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
    /// Held as long as this process serves the data directory.
    _lock: std::fs::File,
}

/// Where the server of a data directory listens.
pub fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join("cigri.sock")
}

impl Embedded {
    /// Takes the data directory over, and serves it.
    pub async fn start(config: EmbeddedConfig) -> Result<Embedded, StartError> {
        let lock = take_folder(&config.data_dir)?;
        let grid = Arc::new(open_grid(&config)?);
        let socket = socket_path(&config.data_dir);
        let listener = listen(&socket)?;
        let server = api::serve(Arc::clone(&grid), listener).map_err(io(&socket))?;
        let (handle, server) = (server.handle(), tokio::spawn(server));
        let stop = CancellationToken::new();
        let loops = match config.run_jobs {
            true => tokio::spawn(run(Arc::clone(&grid), stop.clone())),
            false => tokio::spawn(async {}),
        };
        Ok(Embedded { socket, grid, stop, loops, handle, server, _lock: lock })
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

fn io(path: &Path) -> impl Fn(std::io::Error) -> StartError + '_ {
    |source| StartError::Io { path: path.to_owned(), source }
}

/// Makes the folder if needed and locks it. The lock dies with the process.
fn take_folder(folder: &Path) -> Result<std::fs::File, StartError> {
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(io(folder))?;
    let path = folder.join("lock");
    let lock = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::AlreadyServed(folder.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(StartError::Io { path, source }),
    }
}

/// The lock is ours, so a socket file that is still there is a dead process's.
fn listen(socket: &Path) -> Result<UnixListener, StartError> {
    if socket.exists() {
        std::fs::remove_file(socket).map_err(io(socket))?;
    }
    let listener = UnixListener::bind(socket).map_err(io(socket))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600)).map_err(io(socket))?;
    Ok(listener)
}

fn open_grid(config: &EmbeddedConfig) -> Result<Grid, StartError> {
    let path = config.data_dir.join("cigri.sqlite");
    let database = |error| StartError::Database { path: path.clone(), error };
    let name = format!("{:016x}", secret::nonce().map_err(GridError::Secret)?);
    let store = Store::open_sqlite(&path, &name).map_err(database)?;
    store.sweep_received().map_err(database)?;
    let sealer = Sealer::open(&config.data_dir.join("key")).map_err(GridError::Secret)?;
    let pool = local_pool(config, &sealer)?;
    let grid = Grid::new(store, sealer, Vec::new(), Some(pool))?;
    let rows = grid.store.list_clusters().map_err(database)?;
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
