//! Fresh databases of both kinds for tests, and raw statements on them.
#![allow(dead_code, unused_macros, unused_imports, unreachable_pub, clippy::unwrap_used, clippy::panic)]

pub mod server;

use cigri_store::Store;
use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use tempfile::TempDir;

/// An empty database, known by what [`Store::open`] takes. A SQLite one goes with the value.
pub struct Fresh {
    pub url: String,
    folder: Option<TempDir>,
}

impl Fresh {
    pub fn sqlite() -> Fresh {
        let folder = tempfile::tempdir().unwrap();
        Fresh { url: folder.path().join("grid.sqlite").display().to_string(), folder: Some(folder) }
    }

    /// `None`, said loudly, on machines without PostgreSQL.
    pub fn postgresql() -> Option<Fresh> {
        server::fresh_database(false).map(Fresh::at)
    }

    /// A PostgreSQL database that is there.
    pub fn at(url: String) -> Fresh {
        Fresh { url, folder: None }
    }

    pub fn is_sqlite(&self) -> bool {
        self.folder.is_some()
    }

    pub fn store(&self) -> Store {
        Store::open(&self.url, "test").unwrap()
    }

    /// Runs statements beside the store.
    pub fn execute(&self, statements: &str) -> diesel::QueryResult<()> {
        if self.is_sqlite() {
            SqliteConnection::establish(&self.url).unwrap().batch_execute(statements)
        } else {
            PgConnection::establish(&self.url).unwrap().batch_execute(statements)
        }
    }
}

/// Makes two tests, `sqlite::NAME` and `postgresql::NAME`, of each `fn NAME(database: &Fresh)`.
macro_rules! on_every_database {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&super::Fresh::sqlite()); })*
        }
        mod postgresql {
            $(#[test] fn $name() { if let Some(database) = super::Fresh::postgresql() { super::$name(&database); } })*
        }
    };
}
pub(crate) use on_every_database;
