//! A backup in the place of a server's database. Done by the command itself, since no server may run meanwhile.

use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use cigri_store::{BackupError, Restored};

use crate::clock::now_ms;
use crate::data_dir::{DataDir, StartError, io};
use crate::settings::{self, Settings, SettingsError};

/// Whose database is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// That of a data directory.
    DataDir(PathBuf),
    /// That of the server with this configuration file.
    Config(PathBuf),
}

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The configuration cannot be read.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The data directory is in use, or cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The backup or the database.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

impl RestoreError {
    /// True when what was asked does not fit what is there: another file, or a server to be stopped, helps.
    pub fn is_refusal(&self) -> bool {
        use cigri_store::StoreError::{Conflict, Newer};
        matches!(
            self,
            RestoreError::Start(StartError::AlreadyServed(_))
                | RestoreError::Backup(BackupError::NotABackup { .. } | BackupError::InUse(_))
                | RestoreError::Backup(BackupError::Store(Newer(_) | Conflict(_)))
        )
    }
}

/// A restored database, and the key that its tokens need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// What is in place now.
    pub restored: Restored,
    /// Where the key file must be.
    pub key: PathBuf,
}

/// Puts the backup `file` in the place of the target's database. Whatever goes wrong, the database stays as it was.
pub fn restore(target: &Target, file: &Path) -> Result<Done, RestoreError> {
    let settings = match target {
        Target::DataDir(data_dir) => Settings { data_dir: data_dir.clone(), ..Settings::default() },
        Target::Config(config) => settings::read(Some(config))?,
    };
    // Before the folder is made, or touched.
    std::fs::File::open(file).map_err(|source| BackupError::File { path: file.to_owned(), source })?;
    let folder = DataDir::take(&settings.data_dir)?;
    let restored = cigri_store::restore(&database(&settings, &folder), file, now_ms())?;
    give_to_owner(&settings.data_dir, &folder.database())?;
    Ok(Done { restored, key: settings.key_path() })
}

/// The database as the store takes it.
fn database(settings: &Settings, folder: &DataDir) -> String {
    let shared = &settings.database.0;
    if shared.is_empty() { folder.database().display().to_string() } else { shared.clone() }
}

/// What root makes in a server's folder is the server's.
fn give_to_owner(folder: &Path, database: &Path) -> Result<(), StartError> {
    let owner = folder.metadata().map_err(io(folder))?;
    for path in [&folder.join("lock"), database] {
        let Ok(present) = path.metadata() else { continue };
        if (present.uid(), present.gid()) != (owner.uid(), owner.gid()) {
            chown(path, Some(owner.uid()), Some(owner.gid())).map_err(io(path))?;
        }
    }
    Ok(())
}
