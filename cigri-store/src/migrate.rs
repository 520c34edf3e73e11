//! Embedded migrations: applied at start, refused when the database is newer than the program.

use diesel::migration::{Migration, MigrationSource};
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connection::Database;
use crate::{Result, StoreError};

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");

/// Applies what is missing.
pub(crate) fn bring_up_to_date(connection: &mut Database) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => {
            let known = versions(MigrationSource::<Sqlite>::migrations(&SQLITE).map_err(failed)?);
            let applied = sqlite.applied_migrations().map_err(failed)?;
            if let Some(newer) = applied.iter().map(ToString::to_string).find(|version| !known.contains(version)) {
                return Err(StoreError::Newer(newer));
            }
            sqlite.run_pending_migrations(SQLITE).map_err(failed)?;
        }
    }
    Ok(())
}

fn versions(migrations: Vec<Box<dyn Migration<Sqlite>>>) -> Vec<String> {
    migrations.iter().map(|migration| migration.name().version().to_string()).collect()
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Migrate(error.to_string())
}
