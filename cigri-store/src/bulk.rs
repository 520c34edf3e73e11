//! Writes of many rows at once. Each database has its fastest form: a prepared statement per row on SQLite, where a
//! statement is a function call; one statement for all on PostgreSQL, where it is a journey.

mod postgresql;
mod sqlite;

use cigri_core::failure::Failure;

use crate::bag::{Back, Task};
use crate::connection::Database;
use crate::job::JobEnd;
use crate::submission::SubmissionRow;
use crate::{DecisionRow, Result, StoreError};

/// The jobs of one submission, about to be inserted.
pub(crate) struct NewJobs<'a> {
    pub(crate) submission: i64,
    pub(crate) campaign: i64,
    /// Id of the first; the others follow.
    pub(crate) first: i64,
    /// With their parameters, which are stored elsewhere.
    pub(crate) tasks: &'a [(Task, String)],
}

/// Inserts launching jobs.
pub(crate) fn insert_jobs(connection: &mut Database, jobs: &NewJobs<'_>) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::insert_jobs(sqlite, jobs),
        Database::Postgresql(postgresql) => postgresql::insert_jobs(postgresql, jobs),
    }
}

/// Makes launching jobs submitted ones, each with its remote id.
pub(crate) fn submit_jobs(connection: &mut Database, adopted: &[(i64, i64)]) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::submit_jobs(sqlite, adopted),
        Database::Postgresql(postgresql) => postgresql::submit_jobs(postgresql, adopted),
    }
}

/// Makes submitted and unknown jobs running ones, started by `now`; returns how many were.
pub(crate) fn start_jobs(connection: &mut Database, jobs: &[i64], now: i64) -> Result<usize> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::start_jobs(sqlite, jobs, now),
        Database::Postgresql(postgresql) => postgresql::start_jobs(postgresql, jobs, now),
    }
}

/// Ends jobs of a submission that are live on the cluster; returns how many were.
pub(crate) fn end_jobs(connection: &mut Database, submission: i64, ends: &[JobEnd]) -> Result<usize> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::end_jobs(sqlite, submission, ends),
        Database::Postgresql(postgresql) => postgresql::end_jobs(postgresql, submission, ends),
    }
}

/// Writes down failures among the ends of a submission's jobs, at `now` where a cluster does not say when.
pub(crate) fn insert_failures(
    connection: &mut Database,
    seen: &SubmissionRow,
    (found, now): (&[(&JobEnd, &Failure)], i64),
) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::insert_failures(sqlite, seen, (found, now)),
        Database::Postgresql(postgresql) => postgresql::insert_failures(postgresql, seen, (found, now)),
    }
}

/// Puts tasks of a campaign back into the bag.
pub(crate) fn insert_returned(connection: &mut Database, campaign: i64, tasks: &[Back]) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::insert_returned(sqlite, campaign, tasks),
        Database::Postgresql(postgresql) => postgresql::insert_returned(postgresql, campaign, tasks),
    }
}

/// Takes tasks of a campaign, by index, out of those that came back.
pub(crate) fn delete_returned(connection: &mut Database, campaign: i64, indices: &[i64]) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::delete_returned(sqlite, campaign, indices),
        Database::Postgresql(postgresql) => postgresql::delete_returned(postgresql, campaign, indices),
    }
}

/// Inserts chunks of a campaign's parameters, each with the index of its first.
pub(crate) fn insert_chunks(connection: &mut Database, campaign: i64, chunks: &[(i64, String)]) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::insert_chunks(sqlite, campaign, chunks),
        Database::Postgresql(postgresql) => postgresql::insert_chunks(postgresql, campaign, chunks),
    }
}

/// Puts decisions in place of the last ones of their campaigns and clusters, and into the history under ids from `first`.
pub(crate) fn put_decisions(connection: &mut Database, decisions: &[DecisionRow], first: i64) -> Result<()> {
    let texts: Vec<[String; 2]> = decisions.iter().map(texts).collect::<Result<_>>()?;
    match connection {
        Database::Sqlite(sqlite) => sqlite::put_decisions(sqlite, (decisions, &texts), first),
        Database::Postgresql(postgresql) => postgresql::put_decisions(postgresql, (decisions, &texts), first),
    }
}

/// Terms and inputs as stored. PostgreSQL's texts have no NUL, and JSON writes it as an escape.
fn texts(row: &DecisionRow) -> Result<[String; 2]> {
    let terms = serde_json::to_string(&row.terms).map_err(StoreError::corrupt)?;
    Ok([terms, row.inputs.to_string()])
}

/// Inserts the usage of a cluster by user, as it is at a moment.
pub(crate) fn insert_usage(
    connection: &mut Database,
    cluster: &str,
    (usage, now): (&[(String, f64)], i64),
) -> Result<()> {
    match connection {
        Database::Sqlite(sqlite) => sqlite::insert_usage(sqlite, cluster, (usage, now)),
        Database::Postgresql(postgresql) => postgresql::insert_usage(postgresql, cluster, (usage, now)),
    }
}
