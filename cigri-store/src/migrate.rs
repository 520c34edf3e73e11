//! Embedded migrations, one set per database: applied at start, refused when the database is newer than the program.

use diesel::backend::Backend;
use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::pg::Pg;
use diesel::sqlite::Sqlite;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::connection::Database;
use crate::{Result, StoreError};

const SQLITE: EmbeddedMigrations = embed_migrations!("../migrations/sqlite");
const POSTGRESQL: EmbeddedMigrations = embed_migrations!("../migrations/postgresql");

/// Held while migrating, by the session: several servers may start at once. Long migrations are no accident.
const LOCK: &str = "SET statement_timeout = 0; SELECT pg_advisory_lock(5)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(5); SET statement_timeout = '60s'";

/// Applies what is missing.
pub(crate) fn bring_up_to_date(connection: &mut Database) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => {
            run::<Sqlite>(sqlite, MigrationSource::<Sqlite>::migrations(&SQLITE).map_err(failed)?)
        }
        Database::Postgresql(postgresql) => {
            postgresql.batch_execute(LOCK)?;
            run::<Pg>(postgresql, MigrationSource::<Pg>::migrations(&POSTGRESQL).map_err(failed)?)?;
            Ok(postgresql.batch_execute(UNLOCK)?)
        }
    }
}

fn run<DB: Backend>(connection: &mut impl MigrationHarness<DB>, known: Vec<Box<dyn Migration<DB>>>) -> Result<()> {
    let applied = connection.applied_migrations().map_err(failed)?;
    let versions: Vec<MigrationVersion<'_>> = known.iter().map(|migration| version(&**migration)).collect();
    if let Some(newer) = applied.iter().find(|applied| !versions.contains(applied)) {
        return Err(StoreError::Newer(newer.to_string()));
    }
    let mut pending: Vec<_> = known.iter().filter(|migration| !applied.contains(&version(&***migration))).collect();
    pending.sort_by_cached_key(|migration| version(&***migration));
    for migration in pending {
        connection.run_migration(&**migration).map_err(failed)?;
    }
    Ok(())
}

fn version<DB: Backend>(migration: &dyn Migration<DB>) -> MigrationVersion<'static> {
    migration.name().version().as_owned()
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Migrate(error.to_string())
}
