//! Consistent copies of a database that is in use, as streams of bytes. The way back is in `restore`.
//!
//! SQLite is copied by itself into a file (`VACUUM INTO`, one reading transaction beside the writer); PostgreSQL by its
//! own `pg_dump`. A copy is whole only when its reader has met its end without an error.

mod dump;
mod programs;

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::connection::{Link, Place};
use crate::{Store, StoreError};
use dump::Dump;

pub(crate) use dump::ASIDE;
pub(crate) use programs::{Connection, Programs, begins_with, complaint};

/// Why a backup was not made, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file could not be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is something else, or only a part.
    #[error("{} is not a whole backup of a CiGri database: {reason}", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// How that shows.
        reason: String,
    },
    /// Somebody uses the database that would be replaced.
    #[error("{0}")]
    InUse(String),
    /// One of PostgreSQL's programs is missing or failed.
    #[error("{0}")]
    Program(String),
    /// The database did not do as asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a failure around `path` becomes.
pub(crate) fn file_error(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    |source| BackupError::File { path: path.to_owned(), source }
}

/// A copy on its way out. Dropped before its end, it leaves nothing behind.
pub struct Backup(Source);

enum Source {
    /// A file that has no name any more.
    Sqlite(File, u64),
    Postgresql(Dump),
}

impl Backup {
    /// How many bytes it has, where that is known before its end.
    pub fn length(&self) -> Option<u64> {
        match &self.0 {
            Source::Sqlite(_, length) => Some(*length),
            Source::Postgresql(_) => None,
        }
    }
}

impl Read for Backup {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Source::Sqlite(file, _) => file.read(buffer),
            Source::Postgresql(dump) => dump.read(buffer),
        }
    }
}

impl Store {
    /// Begins a copy of the whole database as it is now. Writers go on meanwhile; what they write later is not in it.
    pub fn backup(&self) -> Result<Backup, BackupError> {
        let place = self.place();
        match &place {
            Place::Sqlite(path) if place.is_shared() => copy_sqlite(path).map(Backup),
            Place::Sqlite(_) => Err(StoreError::Conflict("a database in memory has no backup".to_owned()).into()),
            Place::Postgresql(url) => Ok(Backup(Source::Postgresql(Dump::begin(url)?))),
        }
    }
}

/// The copy is made beside the database, where there is room for it if anywhere, and is nobody's once it is open.
fn copy_sqlite(path: &Path) -> Result<Source, BackupError> {
    remove_leftovers(path);
    let copy = copy_path(path);
    // SQLite takes an empty file as it is, with the rights it has.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy).map_err(file_error(&copy))?;
    let copied = vacuum_into(path, &copy).and_then(|()| {
        let file = File::open(&copy).map_err(file_error(&copy))?;
        let length = file.metadata().map_err(file_error(&copy))?.len();
        Ok(Source::Sqlite(file, length))
    });
    std::fs::remove_file(&copy).ok();
    copied
}

fn vacuum_into(path: &Path, copy: &Path) -> Result<(), BackupError> {
    let text = copy.to_str().ok_or_else(|| StoreError::Open("its path is not UTF-8".to_owned()))?;
    let mut link = Link::open(&Place::Sqlite(path.to_owned()))?;
    let copied = diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(text).execute(&mut link.database);
    copied.map_err(StoreError::from)?;
    Ok(())
}

/// `path` with more after its name.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    PathBuf::from(text)
}

const COPY: &str = ".backup-";

fn copy_path(path: &Path) -> PathBuf {
    static COPIES: AtomicU64 = AtomicU64::new(0);
    beside(path, &format!("{COPY}{}-{}", std::process::id(), COPIES.fetch_add(1, Ordering::Relaxed)))
}

/// Removes what a process that died while it copied has left; one process at a time has a database file.
fn remove_leftovers(path: &Path) {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
    let prefix = format!("{}{COPY}", name.to_string_lossy());
    let own = format!("{prefix}{}-", std::process::id());
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && !name.starts_with(&own) {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}
