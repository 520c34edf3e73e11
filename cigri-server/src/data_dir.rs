//! The data directory of a server: its lock, its database, its key; and the socket on which it is asked.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use cigri_store::{Store, StoreError};

use crate::grid::GridError;
use crate::secret::{self, Sealer};

/// Why a server could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error(transparent)]
    Settings(#[from] crate::settings::SettingsError),
    /// Another process has the data directory.
    #[error("another cigri process already serves {0}")]
    AlreadyServed(PathBuf),
    /// Another server answers on the socket.
    #[error("another server already answers on {0}")]
    SocketTaken(PathBuf),
    /// A file or folder could not be used.
    #[error("cannot use {path}: {source}. Choose another place, or correct its permissions")]
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
    /// The database that servers share failed.
    #[error("the database of `database`: {0}")]
    Shared(StoreError),
    /// The servers of one database have different keys.
    #[error(
        "{0} is not the key that this database's tokens were sealed with: copy the key file of a server that already \
         runs on it"
    )]
    WrongKey(PathBuf),
    /// The address for the other servers cannot be used.
    #[error("cannot take passed requests on {0}. Correct `standby.listen` and `standby.advertise`")]
    Standby(String),
    /// The admission rules cannot be used.
    #[error("admission rules: {0}")]
    Rules(String),
    /// The local cluster could not start.
    #[error("the local cluster cannot start: {0}")]
    Local(String),
    /// Clusters or keys.
    #[error(transparent)]
    Grid(#[from] GridError),
}

/// What a failure around `path` becomes.
pub(crate) fn io(path: &Path) -> impl Fn(std::io::Error) -> StartError + '_ {
    |source| StartError::Io { path: path.to_owned(), source }
}

/// A data directory that is this process's alone, as long as the value lives.
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: std::fs::File,
}

impl DataDir {
    /// Makes the folder (mode 0700) if needed and locks it. The lock dies with the process.
    pub(crate) fn take(path: &Path) -> Result<DataDir, StartError> {
        std::fs::create_dir_all(path).map_err(io(path))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(io(path))?;
        let file = path.join("lock");
        let lock =
            std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&file).map_err(io(&file))?;
        match lock.try_lock() {
            Ok(()) => Ok(DataDir { path: path.to_owned(), _lock: lock }),
            Err(std::fs::TryLockError::WouldBlock) => Err(StartError::AlreadyServed(path.to_owned())),
            Err(std::fs::TryLockError::Error(source)) => Err(StartError::Io { path: file, source }),
        }
    }

    /// Where the database is.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("cigri.sqlite")
    }

    /// The database, without what an earlier process was receiving when it ended.
    pub(crate) fn store(&self) -> Result<Store, StartError> {
        let path = self.database();
        let name = format!("{:016x}", secret::nonce().map_err(GridError::Secret)?);
        let store = Store::open_sqlite(&path, &name).map_err(|error| StartError::Database { path, error })?;
        // Nobody sees what is left over; and who cannot write, on a full disk, can still read.
        if let Err(error) = store.sweep_received() {
            tracing::warn!(%error, "what was being received when the last server ended cannot be removed");
        }
        Ok(store)
    }

    /// What seals tokens.
    pub(crate) fn sealer(&self) -> Result<Sealer, StartError> {
        Ok(Sealer::open(&self.path.join("key")).map_err(GridError::Secret)?)
    }
}

/// Listens on a socket that only those whom `mode` admits may connect to. A socket file that nobody answers on is a
/// dead server's.
pub(crate) fn listen(socket: &Path, mode: u32) -> Result<UnixListener, StartError> {
    if let Some(folder) = socket.parent() {
        std::fs::create_dir_all(folder).map_err(io(folder))?;
    }
    if UnixStream::connect(socket).is_ok() {
        return Err(StartError::SocketTaken(socket.to_owned()));
    }
    if socket.exists() {
        std::fs::remove_file(socket).map_err(io(socket))?;
    }
    let listener = UnixListener::bind(socket).map_err(io(socket))?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(mode)).map_err(io(socket))?;
    Ok(listener)
}
