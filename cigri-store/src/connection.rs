//! One connection type for every database, its transactions, and the few places where databases differ.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel::sqlite::SqliteConnection;

use crate::{Result, StoreError};

/// A connection to whichever database holds the grid.
#[derive(diesel::MultiConnection)]
pub enum Database {
    /// One file, one writer.
    Sqlite(SqliteConnection),
    /// A server, shared with other programs.
    Postgresql(PgConnection),
}

/// Where a database is.
#[derive(Clone)]
pub(crate) enum Place {
    /// A file, or `:memory:`.
    Sqlite(PathBuf),
    /// A `postgres://` URL. It may hold a password: never shown.
    Postgresql(String),
}

/// A connection that knows how to become sound again.
pub(crate) struct Link {
    pub(crate) database: Database,
    place: Place,
    /// Between BEGIN and a COMMIT or ROLLBACK that succeeded. Still set at the next BEGIN after a panic, or when the
    /// connection broke.
    open: bool,
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

/// What a PostgreSQL session needs before use. A server that froze must not keep its locks for long; commits are on
/// disk whatever the server's default says.
const POSTGRESQL_SETUP: &str = "
    SET application_name = 'cigri';
    SET statement_timeout = '60s';
    SET idle_in_transaction_session_timeout = '5s';
    SET synchronous_commit = on;
";

/// How long libpq waits for a silent server, where the URL does not say.
const POSTGRESQL_WAITS: [(&str, &str); 3] =
    [("connect_timeout", "10"), ("tcp_user_timeout", "60000"), ("keepalives_idle", "30")];

/// One writer at a time, as on SQLite: what a transaction read is still true when it writes. Any constant will do;
/// advisory locks belong to one database.
///
/// It also spares trying again: sessions that write run one after the other, at a level that knows no serialization
/// failures, and the only statement beside them (renewing a lease) waits for no second lock, so nothing deadlocks.
const WRITER_LOCK: &str = "SELECT pg_advisory_xact_lock(4)";
const TRY_WRITER_LOCK: &str = "pg_try_advisory_xact_lock(4)";

impl Place {
    /// Tells a PostgreSQL URL from the path of a SQLite file.
    pub(crate) fn parse(text: &str) -> Place {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            Place::Postgresql(text.to_owned())
        } else {
            Place::Sqlite(PathBuf::from(text))
        }
    }

    /// Whether two connections see the same data: a database in memory is its connection's own.
    pub(crate) fn is_shared(&self) -> bool {
        !matches!(self, Place::Sqlite(path) if path == Path::new(":memory:"))
    }
}

impl Link {
    /// Opens a connection and makes it ready; a SQLite file is made if it is missing.
    pub(crate) fn open(place: &Place) -> Result<Link> {
        Ok(Link { database: connect(place)?, place: place.clone(), open: false })
    }

    /// Where it leads.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    fn begin(&mut self, statement: &str) -> Result<()> {
        if self.open {
            self.repair()?;
        }
        self.open = true;
        let begun = match (self.database.batch_execute(statement), &self.place) {
            // Nothing was done yet: the connection broke while it was idle, and a new one is as good.
            (Err(_), Place::Postgresql(_)) => {
                self.repair()?;
                self.open = true;
                self.database.batch_execute(statement)
            }
            (begun, _) => begun,
        };
        self.open = begun.is_ok();
        Ok(begun?)
    }

    /// Runs one statement outside of transactions. After a failure the connection is made sound before its next use.
    pub(crate) fn alone<T>(&mut self, work: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
        if self.open {
            self.repair()?;
        }
        self.open = true;
        let worked = work(&mut self.database);
        self.open = worked.is_err();
        worked
    }

    /// Leaves no transaction open: what an earlier one left undone is dropped.
    fn repair(&mut self) -> Result<()> {
        match &self.place {
            Place::Sqlite(_) => self.rollback(),
            Place::Postgresql(_) => self.database = connect(&self.place)?,
        }
        self.open = false;
        Ok(())
    }

    fn rollback(&mut self) {
        self.open = self.database.batch_execute("ROLLBACK").is_err();
    }

    fn end<T>(&mut self, worked: Result<T>) -> Result<T> {
        let ended = worked.and_then(|value| {
            self.database.batch_execute(match self.database {
                Database::Sqlite(_) => "COMMIT",
                // COMMIT after a failed statement would roll back and report success; SELECT reports the failure.
                Database::Postgresql(_) => "SELECT 1; COMMIT",
            })?;
            Ok(value)
        });
        match ended {
            Ok(_) => self.open = false,
            Err(_) => self.rollback(),
        }
        ended
    }
}

/// What libpq says of `sslmode=require` when it was built without OpenSSL, and what to do about it.
const NO_TLS: &str = "SSL support is not compiled in";
const NO_TLS_ADVICE: &str = "this program was built without TLS to PostgreSQL: build it with `--features postgres-tls`";

fn connect(place: &Place) -> Result<Database> {
    let failed = |error: &dyn std::fmt::Display| {
        let text = error.to_string().trim_end().to_owned();
        StoreError::Open(if text.contains(NO_TLS) { format!("{NO_TLS_ADVICE} ({text})") } else { text })
    };
    let (mut database, setup) = match place {
        Place::Sqlite(path) => {
            let text = path.to_str().ok_or_else(|| failed(&"its path is not UTF-8"))?;
            (SqliteConnection::establish(text).map(Database::Sqlite), SQLITE_SETUP)
        }
        Place::Postgresql(url) => {
            (PgConnection::establish(&with_waits(url)).map(Database::Postgresql), POSTGRESQL_SETUP)
        }
    };
    if let Ok(database) = &mut database {
        database.batch_execute(setup).map_err(|error| failed(&error))?;
    }
    database.map_err(|error| failed(&error))
}

fn with_waits(url: &str) -> String {
    let missing = POSTGRESQL_WAITS.iter().filter(|(name, _)| !url.contains(name));
    missing.fold(url.to_owned(), |url, (name, value)| {
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{name}={value}")
    })
}

/// Runs `work` in a transaction that holds the right to write from its start. Nothing is tried twice: an error of
/// the commit itself leaves open whether it was carried out.
pub(crate) fn write_transaction<T>(link: &mut Link, work: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
    match link.database {
        Database::Sqlite(_) => link.begin("BEGIN IMMEDIATE")?,
        Database::Postgresql(_) => link.begin("BEGIN")?,
    }
    let locked = match &mut link.database {
        Database::Sqlite(_) => Ok(()),
        Database::Postgresql(postgresql) => postgresql.batch_execute(WRITER_LOCK).map_err(StoreError::from),
    };
    let worked = locked.and_then(|()| work(&mut link.database));
    link.end(worked)
}

/// The same, but `None` and nothing done while another session has the right to write.
pub(crate) fn try_write_transaction<T>(
    link: &mut Link,
    work: impl FnOnce(&mut Database) -> Result<T>,
) -> Result<Option<T>> {
    if matches!(link.database, Database::Sqlite(_)) {
        return write_transaction(link, work).map(Some);
    }
    link.begin("BEGIN")?;
    let locked = diesel::select(sql::<Bool>(TRY_WRITER_LOCK)).get_result(&mut link.database);
    let worked = match locked.map_err(StoreError::from) {
        Ok(true) => work(&mut link.database).map(Some),
        Ok(false) => Ok(None),
        Err(error) => Err(error),
    };
    link.end(worked)
}

/// Runs `work` on one unchanging picture of the database.
pub(crate) fn read_transaction<T>(link: &mut Link, work: impl FnOnce(&mut Database) -> Result<T>) -> Result<T> {
    match link.database {
        Database::Sqlite(_) => link.begin("BEGIN")?,
        Database::Postgresql(_) => link.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?,
    }
    let worked = work(&mut link.database);
    link.end(worked)
}

/// Writes SQLite's log into the database file and cuts it to nothing.
pub(crate) fn empty_log(link: &mut Link) -> Result<()> {
    match &mut link.database {
        Database::Sqlite(sqlite) => Ok(sqlite.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")?),
        Database::Postgresql(_) => Ok(()),
    }
}

/// Text from elsewhere as both databases can hold it: PostgreSQL's has no NUL.
pub(crate) fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}
