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

/// Stands among the applied migrations from the moment a PostgreSQL database is replaced by a backup until that is
/// over: no server may use it meanwhile, nor after a restore that was cut off.
pub(crate) const RESTORING: &str = "restoring";

/// Applies what is missing.
pub(crate) fn bring_up_to_date(connection: &mut Database) -> Result<()> {
    apply(connection, None)
}

/// The same in a database that is being restored, and stays marked so.
pub(crate) fn finish_restore(connection: &mut Database) -> Result<()> {
    apply(connection, Some(RESTORING))
}

fn apply(connection: &mut Database, tolerated: Option<&str>) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => {
            run::<Sqlite>(sqlite, MigrationSource::<Sqlite>::migrations(&SQLITE).map_err(failed)?, tolerated)
        }
        Database::Postgresql(postgresql) => {
            postgresql.batch_execute(LOCK)?;
            run::<Pg>(postgresql, MigrationSource::<Pg>::migrations(&POSTGRESQL).map_err(failed)?, tolerated)?;
            Ok(postgresql.batch_execute(UNLOCK)?)
        }
    }
}

fn run<DB: Backend>(
    connection: &mut impl MigrationHarness<DB>,
    known: Vec<Box<dyn Migration<DB>>>,
    tolerated: Option<&str>,
) -> Result<()> {
    let mut applied = connection.applied_migrations().map_err(failed)?;
    applied.retain(|version| tolerated != Some(version.to_string().as_str()));
    refuse_unknown(&known, &applied)?;
    let mut pending: Vec<_> = known.iter().filter(|migration| !applied.contains(&version(&***migration))).collect();
    pending.sort_by_cached_key(|migration| version(&***migration));
    for migration in pending {
        connection.run_migration(&**migration).map_err(failed)?;
    }
    Ok(())
}

fn refuse_unknown<DB: Backend>(known: &[Box<dyn Migration<DB>>], applied: &[MigrationVersion<'_>]) -> Result<()> {
    let known: Vec<MigrationVersion<'_>> = known.iter().map(|migration| version(&**migration)).collect();
    match applied.iter().find(|applied| !known.contains(applied)) {
        Some(newer) if newer.to_string() == RESTORING => Err(StoreError::Conflict(
            "a restore of this database was not finished: run `cigri admin restore` again".to_owned(),
        )),
        Some(newer) => Err(StoreError::Newer(newer.to_string())),
        None => Ok(()),
    }
}

/// Refuses the migrations of a PostgreSQL backup that this program does not know.
pub(crate) fn refuse_newer_backup(applied: &[String]) -> Result<()> {
    let known = MigrationSource::<Pg>::migrations(&POSTGRESQL).map_err(failed)?;
    let applied: Vec<MigrationVersion<'_>> = applied.iter().map(|version| version.as_str().into()).collect();
    refuse_unknown(&known, &applied)
}

fn version<DB: Backend>(migration: &dyn Migration<DB>) -> MigrationVersion<'static> {
    migration.name().version().as_owned()
}

fn failed(error: impl std::fmt::Display) -> StoreError {
    StoreError::Migrate(error.to_string())
}
