//! A PostgreSQL dump becomes the database: one transaction of `psql` moves the present tables aside and fills new ones.
//!
//! Not `pg_restore --clean`: it drops only what the backup knows, and so leaves the tables of a newer schema in the way.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{ChildStdin, Command, Output, Stdio};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use super::{Earlier, Restored, not_a_backup, settle};
use crate::backup::{ASIDE, BackupError, Connection, Programs, begins_with, complaint, file_error};
use crate::connection::{Database, Link, Place, write_transaction};
use crate::{StoreError, migrate};

const MAGIC: &[u8] = b"PGDMP";
const MIGRATIONS: &str = "__diesel_schema_migrations";

const OTHERS: &str = "SELECT count(*) AS value FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'cigri' AND pid <> pg_backend_pid()";

const HAS_LEASE: &str = "SELECT count(*) AS value FROM pg_tables WHERE schemaname = 'public' AND tablename = 'lease'";

const LEASE_LEFT: &str =
    "SELECT expires_at - (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS value FROM public.lease";

const TABLES: &str = "SELECT count(*) AS value FROM pg_tables WHERE schemaname = 'public'";

const SCHEMAS: &str = "SELECT nspname::text AS name FROM pg_namespace";

/// No server begins while the tables change: it would migrate, or write, in between.
const LOCKS: &str = "SELECT pg_advisory_xact_lock(5);\nSELECT pg_advisory_xact_lock(4);\n";

const MOVE_ASIDE: &str = "CREATE SCHEMA {aside};
DO $move$
DECLARE present record;
BEGIN
  FOR present IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('ALTER TABLE public.%I SET SCHEMA {aside}', present.tablename);
  END LOOP;
END
$move$;
";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Name {
    #[diesel(sql_type = Text)]
    name: String,
}

pub(super) fn restore(url: &str, file: &Path, now: i64) -> Result<Restored, BackupError> {
    let programs = Programs::find()?;
    check(&programs, file)?;
    let place = Place::Postgresql(url.to_owned());
    let mut link = Link::open(&place)?;
    refuse_if_served(&mut link.database)?;
    let earlier = Earlier::read(&mut link.database);
    let aside = aside(&mut link.database)?;
    replace((&programs, &Connection::parse(url)), file, aside.as_deref())?;
    finish(&mut link, earlier, now).map(|restored| Restored { aside, ..restored })
}

/// Reads the whole file before anything is touched.
fn check(programs: &Programs, file: &Path) -> Result<(), BackupError> {
    if !begins_with(file, MAGIC).map_err(file_error(file))? {
        return Err(not_a_backup(file, "a dump by pg_dump in its custom format was expected"));
    }
    let table = format!("--table={MIGRATIONS}");
    let rows = run(programs.command("pg_restore").args(["--file=-", "--data-only", &table]).arg(file))?;
    let text = String::from_utf8_lossy(&rows.stdout).into_owned();
    let rows = text.lines().skip_while(|line| !line.starts_with("COPY ")).skip(1);
    let versions = rows.take_while(|line| *line != "\\.").filter_map(|line| line.split('\t').next());
    let versions: Vec<String> = versions.map(str::to_owned).collect();
    if versions.is_empty() {
        return Err(not_a_backup(file, "it is the database of another program"));
    }
    let read = run(programs.command("pg_restore").args(["--file=/dev/null"]).arg(file))?;
    if !read.status.success() {
        return Err(not_a_backup(file, complaint("pg_restore", &read)));
    }
    Ok(migrate::refuse_newer_backup(&versions)?)
}

fn run(command: &mut Command) -> Result<Output, BackupError> {
    let output = command.stdin(Stdio::null()).output();
    output.map_err(file_error(Path::new(command.get_program())))
}

fn refuse_if_served(connection: &mut Database) -> Result<(), BackupError> {
    let others = asked(connection, OTHERS)?;
    if others > 0 {
        let message = format!("{others} CiGri sessions are open on the database: stop every server of it first");
        return Err(BackupError::InUse(message));
    }
    let left = if asked(connection, HAS_LEASE)? == 0 { 0 } else { asked(connection, LEASE_LEFT)? };
    if left > 0 {
        let message =
            format!("a server leads by a lease of {} s more: stop it, or let the lease run out", left / 1000 + 1);
        return Err(BackupError::InUse(message));
    }
    Ok(())
}

fn asked(connection: &mut Database, query: &str) -> Result<i64, BackupError> {
    Ok(diesel::sql_query(query).get_result::<Count>(connection)?.value)
}

/// A new schema for the present tables, if there are any.
fn aside(connection: &mut Database) -> Result<Option<String>, BackupError> {
    let tables = asked(connection, TABLES)?;
    let taken: Vec<Name> = diesel::sql_query(SCHEMAS).load(connection)?;
    let is_free = |schema: &String| taken.iter().all(|taken| taken.name != *schema);
    Ok((1..).map(|number| format!("{ASIDE}{number}")).find(is_free).filter(|_| tables > 0))
}

/// All or nothing: `psql` commits at the end of its input, which it meets only when the dump was read to its end.
fn replace(
    (programs, connection): (&Programs, &Connection),
    file: &Path,
    aside: Option<&str>,
) -> Result<(), BackupError> {
    let mut psql = programs.command("psql");
    connection.tell(&mut psql).args(["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]);
    psql.arg("--file=-").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut psql = psql.spawn().map_err(file_error(Path::new("psql")))?;
    let input = psql.stdin.take();
    let mut input = input.ok_or_else(|| BackupError::Program("psql has no input".to_owned()))?;
    let fed = feed(&mut input, programs, (file, aside));
    if fed.is_err() {
        // Before its input ends: it would take what came so far for all.
        psql.kill().ok();
    }
    drop(input);
    let output = psql.wait_with_output().map_err(file_error(Path::new("psql")))?;
    match fed {
        Ok(()) if output.status.success() => Ok(()),
        Err(error) if output.stderr.is_empty() => Err(failed(&error)),
        _ => Err(failed(&complaint("psql", &output))),
    }
}

fn failed(reason: &dyn std::fmt::Display) -> BackupError {
    BackupError::Program(format!("nothing was restored, the database is as it was: {reason}"))
}

fn feed(input: &mut ChildStdin, programs: &Programs, (file, aside): (&Path, Option<&str>)) -> io::Result<()> {
    input.write_all(LOCKS.as_bytes())?;
    if let Some(aside) = aside {
        input.write_all(MOVE_ASIDE.replace("{aside}", aside).as_bytes())?;
    }
    let mut dump = programs.command("pg_restore");
    dump.args(["--file=-", "--no-owner", "--no-privileges"]).arg(file);
    let mut dump = dump.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let copied = dump.stdout.take().map(|mut rows| io::copy(&mut rows, input));
    if let Some(Err(error)) = copied {
        dump.kill().ok();
        dump.wait().ok();
        return Err(error);
    }
    let output = dump.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other(complaint("pg_restore", &output)));
    }
    let mark = format!("INSERT INTO public.{MIGRATIONS} (version) VALUES ('{}');\n", migrate::RESTORING);
    input.write_all(mark.as_bytes())
}

/// Brings the tables up to date; the mark that keeps servers away goes with the last change.
fn finish(link: &mut Link, earlier: Earlier, now: i64) -> Result<Restored, BackupError> {
    migrate::finish_restore(&mut link.database)?;
    let settled = write_transaction(link, |connection| {
        let restored = settle(connection, earlier, now)?;
        let unmark = format!("DELETE FROM {MIGRATIONS} WHERE version = '{}'", migrate::RESTORING);
        connection.batch_execute(&unmark)?;
        Ok::<_, StoreError>(restored)
    })?;
    Ok(settled)
}
