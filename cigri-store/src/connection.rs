//! One connection type for every database, and the few places where they differ.

use std::path::Path;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::StoreError;

/// A connection to whichever database holds the grid.
#[derive(diesel::MultiConnection)]
pub enum Database {
    /// One file, one writer.
    Sqlite(SqliteConnection),
}

/// What a SQLite connection needs before use. Full synchronisation: an intent must survive a power failure
/// before its POST leaves.
const SQLITE_SETUP: &str = "
    PRAGMA busy_timeout = 10000;
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA temp_store = MEMORY;
";

/// Opens a SQLite file, making it if it is missing. `:memory:` gives a database of its own.
pub(crate) fn open_sqlite(path: &Path) -> Result<Database, StoreError> {
    let text = path.to_str().ok_or_else(|| StoreError::Open("its path is not UTF-8".to_owned()))?;
    let mut connection = SqliteConnection::establish(text).map_err(|error| StoreError::Open(error.to_string()))?;
    connection.batch_execute(SQLITE_SETUP).map_err(|error| StoreError::Open(error.to_string()))?;
    Ok(Database::Sqlite(connection))
}

/// Runs `work` in a transaction that holds the right to write from its start.
pub(crate) fn write_transaction<T>(
    connection: &mut Database,
    work: impl FnOnce(&mut Database) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.batch_execute("BEGIN IMMEDIATE")?;
    match work(connection) {
        Ok(value) => {
            connection.batch_execute("COMMIT")?;
            Ok(value)
        }
        Err(error) => {
            connection.batch_execute("ROLLBACK").ok();
            Err(error)
        }
    }
}

/// Writes SQLite's log into the database file and cuts it to nothing.
pub(crate) fn empty_log(connection: &mut Database) -> Result<(), StoreError> {
    match connection {
        Database::Sqlite(sqlite) => Ok(sqlite.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?),
    }
}
