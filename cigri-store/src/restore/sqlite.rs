//! A SQLite backup becomes the database file: prepared beside it, put in place by one renaming.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;

use super::{Earlier, Restored, not_a_backup, settle};
use crate::backup::{BackupError, beside, file_error};
use crate::connection::{Link, Place, empty_log, write_transaction};
use crate::{StoreError, migrate};

const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER: usize = 100;
/// What may stand beside a database file, and belongs to it.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Tables that only a CiGri database has together.
const OURS: &str = "SELECT count(*) AS value FROM sqlite_master WHERE type = 'table'
    AND name IN ('__diesel_schema_migrations', 'instance', 'sequence', 'submission')";
const OURS_COUNT: i64 = 4;

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = Text)]
    quick_check: String,
}

pub(super) fn restore(path: &Path, file: &Path, now: i64) -> Result<Restored, BackupError> {
    check_length(file)?;
    let prepared = beside(path, ".restoring");
    remove(&prepared);
    let replaced = copy(file, &prepared).and_then(|()| {
        check_content(&prepared).map_err(|reason| not_a_backup(file, reason))?;
        let restored = prepare(&prepared, earlier(path), now)?;
        Ok(Restored { aside: replace(path, &prepared)?.map(|aside| aside.display().to_string()), ..restored })
    });
    remove(&prepared);
    replaced
}

/// The file's first page tells how many there are.
fn check_length(file: &Path) -> Result<(), BackupError> {
    let mut header = Vec::new();
    let opened = File::open(file).map_err(file_error(file))?;
    let length = opened.metadata().map_err(file_error(file))?.len();
    opened.take(HEADER as u64).read_to_end(&mut header).map_err(file_error(file))?;
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        return Err(not_a_backup(file, "a SQLite database was expected"));
    }
    let page = match u16::from_be_bytes([header[16], header[17]]) {
        1 => 65_536,
        size => u64::from(size),
    };
    let pages = u64::from(u32::from_be_bytes([header[28], header[29], header[30], header[31]]));
    if length != page * pages {
        return Err(not_a_backup(file, format!("it has {length} of {} bytes", page * pages)));
    }
    Ok(())
}

fn copy(file: &Path, to: &Path) -> Result<(), BackupError> {
    let mut source = File::open(file).map_err(file_error(file))?;
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to).map_err(file_error(to))?;
    std::io::copy(&mut source, &mut target).map_err(file_error(to))?;
    Ok(())
}

fn check_content(path: &Path) -> Result<(), String> {
    let text = path.to_str().ok_or("its path is not UTF-8")?;
    let mut connection = SqliteConnection::establish(text).map_err(|error| error.to_string())?;
    let ours: Count = diesel::sql_query(OURS).get_result(&mut connection).map_err(|error| error.to_string())?;
    if ours.value != OURS_COUNT {
        return Err("it is the database of another program".to_owned());
    }
    let check: Check =
        diesel::sql_query("PRAGMA quick_check(1)").get_result(&mut connection).map_err(|error| error.to_string())?;
    if check.quick_check == "ok" { Ok(()) } else { Err(check.quick_check) }
}

/// What the present database tells, if there is one that can be read.
fn earlier(path: &Path) -> Earlier {
    let present = path.exists().then(|| Link::open(&Place::Sqlite(path.to_owned())));
    present.and_then(Result::ok).map(|mut link| Earlier::read(&mut link.database)).unwrap_or_default()
}

/// Brings the copy up to date, and leaves all of it in one file on the disk.
fn prepare(path: &Path, earlier: Earlier, now: i64) -> Result<Restored, BackupError> {
    let mut link = Link::open(&Place::Sqlite(path.to_owned()))?;
    migrate::bring_up_to_date(&mut link.database)?;
    let restored = write_transaction(&mut link, |connection| settle(connection, earlier, now))?;
    empty_log(&mut link)?;
    drop(link);
    if beside(path, "-wal").exists() {
        return Err(StoreError::Open("its log cannot be closed".to_owned()).into());
    }
    File::open(path).and_then(|file| file.sync_all()).map_err(file_error(path))?;
    Ok(restored)
}

/// Puts the prepared file in place; returns where the present one is kept.
fn replace(path: &Path, prepared: &Path) -> Result<Option<PathBuf>, BackupError> {
    fold_log(path);
    let aside = (1..).map(|number| beside(path, &format!(".before-restore-{number}"))).find(|aside| !aside.exists());
    let aside = aside.filter(|_| path.exists());
    // A log that could not be folded in must not meet the new file: it would be taken for its own.
    for suffix in COMPANIONS {
        let companion = beside(path, suffix);
        match &aside {
            _ if !companion.exists() => {}
            Some(aside) => std::fs::rename(&companion, beside(aside, suffix)).map_err(file_error(&companion))?,
            None => std::fs::remove_file(&companion).map_err(file_error(&companion))?,
        }
    }
    if let Some(aside) = &aside {
        // A second name first, so that there is a database at every moment; some file systems have no second names.
        std::fs::hard_link(path, aside).or_else(|_| std::fs::rename(path, aside)).map_err(file_error(aside))?;
    }
    std::fs::rename(prepared, path).map_err(file_error(path))?;
    if let Some(folder) = path.parent() {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(file_error(folder))?;
    }
    Ok(aside)
}

/// Moves a log that a killed process left into the present file; one that is damaged stays as it is.
fn fold_log(path: &Path) {
    if let (true, Some(text)) = (path.exists(), path.to_str()) {
        let opened = SqliteConnection::establish(text);
        opened.map(|mut connection| connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").ok()).ok();
    }
}

fn remove(path: &Path) {
    std::fs::remove_file(path).ok();
    COMPANIONS.iter().for_each(|suffix| drop(std::fs::remove_file(beside(path, suffix))));
}
