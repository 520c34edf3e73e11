//! A backup in the place of a database, so that nothing is sent on the word of a copy that is behind the clusters.
//!
//! The file is looked through first: whatever is wrong with it changes nothing. Then one step puts it in place, and what
//! was there is kept aside. A restored database knows less than the clusters do, therefore each cluster is held until
//! its orphans are swept, and no id is given out that an id of the lost time may have had.

mod postgresql;
mod sqlite;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cigri_core::event::{Code, NewEvent, Scope};
use diesel::prelude::*;

use crate::backup::BackupError;
use crate::connection::{Database, Place};
use crate::schema::{campaign, cluster, lease, sequence, token};
use crate::{StoreError, event};

/// What is in place now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Campaigns in it.
    pub campaigns: u64,
    /// Tokens in it; they open only with the key that sealed them.
    pub tokens: u64,
    /// Clusters on hold until they were swept.
    pub clusters: Vec<String>,
    /// Where the database that was replaced is now: a file, or a schema of the same PostgreSQL database.
    pub aside: Option<String>,
}

/// Puts the backup `file` in the place of the database at `url` (as [`crate::Store::open`] takes it), which nobody may
/// be using. `now` in epoch milliseconds.
pub fn restore(url: &str, file: &Path, now: i64) -> Result<Restored, BackupError> {
    match Place::parse(url) {
        Place::Sqlite(path) => sqlite::restore(&path, file, now),
        Place::Postgresql(url) => postgresql::restore(&url, file, now),
    }
}

/// Ids that may have been given out since the backup, by kind. Tasks and jobs come in millions.
fn margin(kind: &str) -> i64 {
    match kind {
        "task" | "job" => 1_000_000_000,
        _ => 1_000_000,
    }
}

/// What the database that is replaced still tells.
#[derive(Default)]
struct Earlier {
    next: BTreeMap<String, i64>,
    clusters: BTreeSet<String>,
    epoch: i64,
}

impl Earlier {
    /// As much as can be read: it may be the damaged one.
    fn read(connection: &mut Database) -> Earlier {
        let next: Vec<(String, i64)> = sequence::table.load(connection).unwrap_or_default();
        let clusters: Vec<String> = cluster::table.select(cluster::name).load(connection).unwrap_or_default();
        let epoch = lease::table.select(lease::epoch).first(connection).unwrap_or_default();
        Earlier { next: next.into_iter().collect(), clusters: clusters.into_iter().collect(), epoch }
    }
}

/// What must be true of a restored database before anybody opens it; in the caller's transaction.
fn settle(connection: &mut Database, earlier: Earlier, now: i64) -> crate::Result<Restored> {
    raise_ids(connection, &earlier.next)?;
    raise_epoch(connection, earlier.epoch)?;
    let mut clusters = earlier.clusters;
    clusters.extend(cluster::table.select(cluster::name).load::<String>(connection)?);
    for name in &clusters {
        let message = format!(
            "the database was restored from a backup: nothing is sent to {name} until it was searched for jobs that \
             the backup does not know"
        );
        event::open(connection, &NewEvent::hold(Scope::cluster(name), Code::Restored, message), now)?;
    }
    let campaigns: i64 = campaign::table.count().get_result(connection)?;
    let tokens: i64 = token::table.count().get_result(connection)?;
    let clusters = clusters.into_iter().collect();
    Ok(Restored { campaigns: campaigns as u64, tokens: tokens as u64, clusters, aside: None })
}

/// An id never means two things: the next ones are beyond all that can have been given out.
fn raise_ids(connection: &mut Database, earlier: &BTreeMap<String, i64>) -> crate::Result<()> {
    let present: Vec<(String, i64)> = sequence::table.load(connection)?;
    for (kind, next) in present {
        let (margin, known) = (margin(&kind), earlier.get(&kind).copied().unwrap_or_default().max(next));
        let raised = known.saturating_add(2 * margin - 1) / margin * margin;
        diesel::update(sequence::table.find(&kind)).set(sequence::next.eq(raised)).execute(connection)?;
    }
    Ok(())
}

/// More take-overs than can happen while a restore runs.
const EPOCHS: i64 = 1000;

/// A leader that sleeps since before the restore must find a higher epoch than its own when it wakes.
fn raise_epoch(connection: &mut Database, earlier: i64) -> crate::Result<()> {
    let present: i64 = lease::table.select(lease::epoch).first(connection)?;
    diesel::update(lease::table)
        .set((lease::epoch.eq(present.max(earlier) + EPOCHS), lease::expires_at.eq(0i64)))
        .execute(connection)?;
    Ok(())
}

/// Tells what was asked of a file from what is wrong with it.
fn not_a_backup(file: &Path, reason: impl std::fmt::Display) -> BackupError {
    BackupError::NotABackup { path: file.to_owned(), reason: reason.to_string() }
}

impl From<diesel::result::Error> for BackupError {
    fn from(error: diesel::result::Error) -> BackupError {
        StoreError::from(error).into()
    }
}
