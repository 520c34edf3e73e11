//! The server as a service: clusters and admins from the configuration, users on a Unix socket.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cigri_store::{ClusterKind, ClusterRow, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::api;
use crate::cluster::supervise;
use crate::grid::{Grid, GridError};
use crate::secret::{self, Sealer};
use crate::settings::Settings;

/// Why the service could not run.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// A file, folder or socket could not be used.
    #[error("cannot use {path}: {source}")]
    Io {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A server already answers on the socket.
    #[error("another server already answers on {0}")]
    SocketTaken(PathBuf),
    /// A server already has the data directory.
    #[error("another server already uses the data directory {0}")]
    FolderTaken(PathBuf),
    /// The database failed.
    #[error("{error} (in {path})")]
    Database {
        /// The file.
        path: PathBuf,
        /// What it said.
        error: StoreError,
    },
    /// Clusters or keys.
    #[error(transparent)]
    Grid(#[from] GridError),
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> ServiceError + '_ {
    |source| ServiceError::Io { path: path.to_owned(), source }
}

/// Runs until `stop`, then ends every loop after its present step and every request.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), ServiceError> {
    let folder = &settings.data_dir;
    std::fs::create_dir_all(folder).map_err(io(folder))?;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700)).map_err(io(folder))?;
    let _lock = lock(folder)?;
    let grid = Arc::new(open(&settings)?);
    let server = api::serve(Arc::clone(&grid), listen(&settings.socket)?).map_err(io(&settings.socket))?;
    let (handle, server) = (server.handle(), tokio::spawn(server));
    info!(socket = %settings.socket.display(), clusters = settings.clusters.len(), "ready");
    supervise::run_all(grid, stop).await;
    handle.stop(true).await;
    server.await.ok();
    std::fs::remove_file(&settings.socket).ok();
    Ok(())
}

fn lock(folder: &Path) -> Result<std::fs::File, ServiceError> {
    let path = folder.join("lock");
    let lock = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(std::fs::TryLockError::WouldBlock) => Err(ServiceError::FolderTaken(folder.to_owned())),
        Err(std::fs::TryLockError::Error(source)) => Err(ServiceError::Io { path, source }),
    }
}

/// A socket that nobody answers on is a dead server's. Every local user may connect: the kernel says who calls.
fn listen(socket: &Path) -> Result<UnixListener, ServiceError> {
    if let Some(folder) = socket.parent() {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
    }
    if UnixStream::connect(socket).is_ok() {
        return Err(ServiceError::SocketTaken(socket.to_owned()));
    }
    if socket.exists() {
        std::fs::remove_file(socket).map_err(io(socket))?;
    }
    let listener = UnixListener::bind(socket).map_err(io(socket))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o666)).map_err(io(socket))?;
    Ok(listener)
}

fn open(settings: &Settings) -> Result<Grid, ServiceError> {
    let path = settings.data_dir.join("cigri.sqlite");
    let database = |error| ServiceError::Database { path: path.clone(), error };
    let name = format!("{:016x}", secret::nonce().map_err(GridError::Secret)?);
    let store = Store::open_sqlite(&path, &name).map_err(database)?;
    store.sweep_received().map_err(database)?;
    let sealer = Sealer::open(&settings.data_dir.join("key")).map_err(GridError::Secret)?;
    let grid = Grid::new(store, sealer, settings.admins.clone(), None)?;
    for (name, cluster) in &settings.clusters {
        let (name, url, limits) = (name.clone(), cluster.url.clone(), cluster.limits());
        grid.add_cluster(ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None })?;
    }
    Ok(grid)
}
