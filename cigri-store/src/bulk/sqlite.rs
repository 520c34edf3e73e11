//! Many rows on SQLite: one prepared statement, once per row; one over many rows where that is much faster.

use cigri_core::failure::Failure;
use cigri_core::state::JobState;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Double, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;
use diesel::sqlite::SqliteConnection;

use super::NewJobs;
use crate::bag::Back;
use crate::connection::storable;
use crate::job::JobEnd;
use crate::schema::{failure, job, parameter_chunk, returned_task};
use crate::submission::SubmissionRow;
use crate::{DecisionRow, Result};

pub(super) fn insert_jobs(connection: &mut SqliteConnection, jobs: &NewJobs<'_>) -> Result<()> {
    for (at, (task, _)) in (0i64..).zip(jobs.tasks) {
        diesel::insert_into(job::table)
            .values((
                (
                    job::id.eq(jobs.first + at),
                    job::submission_id.eq(jobs.submission),
                    job::array_index.eq(task.array_index),
                ),
                (job::campaign_id.eq(jobs.campaign), job::task_index.eq(task.index)),
                (job::generation.eq(task.generation), job::attempt.eq(task.attempt)),
                (job::state.eq(JobState::Launching.as_str()), job::slot.eq(task.slot)),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// Jobs that one statement changes: SQLite joins its rows by the jobs' own index. A statement per job takes four times
/// as long.
const ROWS: usize = 100;

const SUBMIT_JOBS: [&str; 2] = [
    "UPDATE job SET state = 'submitted', remote_id = new.column2 FROM (VALUES ",
    ") AS new WHERE job.id = new.column1",
];

pub(super) fn submit_jobs(connection: &mut SqliteConnection, adopted: &[(i64, i64)]) -> Result<()> {
    for adopted in adopted.chunks(ROWS) {
        let rows = vec!["(?, ?)"; adopted.len()].join(", ");
        let mut update = sql_query(SUBMIT_JOBS.join(&rows)).into_boxed::<Sqlite>();
        for (job, remote_id) in adopted {
            update = update.bind::<BigInt, _>(*job).bind::<BigInt, _>(*remote_id);
        }
        update.execute(connection)?;
    }
    Ok(())
}

pub(super) fn start_jobs(connection: &mut SqliteConnection, jobs: &[i64], now: i64) -> Result<usize> {
    let mut changed = 0;
    for id in jobs {
        changed += diesel::update(job::table.find(id))
            .filter(job::state.eq(JobState::Submitted.as_str()).or(job::state.eq(JobState::Unknown.as_str())))
            .set((
                (job::state.eq(JobState::Running.as_str()), job::missing_since.eq(None::<i64>)),
                job::started_at.eq(Some(now)),
            ))
            .execute(connection)?;
    }
    Ok(changed)
}

/// What was seen of a start stands where the cluster does not say better.
const END_JOBS: [&str; 2] = [
    "UPDATE job SET state = new.column2, exit_code = new.column3, cause = new.column4, detail = new.column5,
       started_at = coalesce(new.column6, job.started_at), stopped_at = new.column7
     FROM (VALUES ",
    ") AS new
     WHERE job.id = new.column1 AND job.submission_id = ? AND job.state IN ('submitted', 'running', 'unknown')",
];

pub(super) fn end_jobs(connection: &mut SqliteConnection, submission: i64, ends: &[JobEnd]) -> Result<usize> {
    let mut changed = 0;
    for ends in ends.chunks(ROWS) {
        let rows = vec!["(?, ?, ?, ?, ?, ?, ?)"; ends.len()].join(", ");
        let mut update = sql_query(END_JOBS.join(&rows)).into_boxed::<Sqlite>();
        for end in ends {
            update = update
                .bind::<BigInt, _>(end.job.id)
                .bind::<Text, _>(end.state.as_str())
                .bind::<Nullable<Integer>, _>(end.exit_code)
                .bind::<Text, _>(&end.cause)
                .bind::<Nullable<Text>, _>(end.detail.as_deref().map(storable))
                .bind::<Nullable<BigInt>, _>(end.started_at)
                .bind::<Nullable<BigInt>, _>(end.stopped_at);
        }
        changed += update.bind::<BigInt, _>(submission).execute(connection)?;
    }
    Ok(changed)
}

pub(super) fn insert_failures(
    connection: &mut SqliteConnection,
    seen: &SubmissionRow,
    (found, now): (&[(&JobEnd, &Failure)], i64),
) -> Result<()> {
    for (end, found) in found {
        diesel::insert_into(failure::table)
            .values((
                (failure::job_id.eq(end.job.id), failure::campaign_id.eq(seen.campaign_id)),
                failure::cluster.eq(&seen.cluster),
                (failure::task_index.eq(end.job.task_index), failure::generation.eq(end.job.generation)),
                failure::is_final.eq(end.state == JobState::Failed),
                (failure::class.eq(found.class.as_str()), failure::exit_code.eq(end.exit_code)),
                failure::node.eq(found.node.as_deref().map(storable)),
                failure::signature.eq(found.signature.as_deref().map(storable)),
                failure::at.eq(end.stopped_at.unwrap_or(now)),
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn insert_returned(connection: &mut SqliteConnection, campaign: i64, tasks: &[Back]) -> Result<()> {
    for back in tasks {
        diesel::insert_into(returned_task::table)
            .values((
                (returned_task::campaign_id.eq(campaign), returned_task::task_index.eq(back.index)),
                (returned_task::generation.eq(back.generation), returned_task::attempts.eq(back.attempts)),
                returned_task::place.eq(back.place),
                returned_task::failed_on.eq(back.failed_on.as_deref()),
                (returned_task::not_before.eq(back.not_before), returned_task::level.eq(back.level)),
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn delete_returned(connection: &mut SqliteConnection, campaign: i64, indices: &[i64]) -> Result<()> {
    for index in indices {
        diesel::delete(returned_task::table.find((campaign, index))).execute(connection)?;
    }
    Ok(())
}

pub(super) fn insert_chunks(connection: &mut SqliteConnection, campaign: i64, chunks: &[(i64, String)]) -> Result<()> {
    for (first_index, body) in chunks {
        diesel::insert_into(parameter_chunk::table)
            .values((
                parameter_chunk::campaign_id.eq(campaign),
                parameter_chunk::first_index.eq(first_index),
                parameter_chunk::body.eq(body),
            ))
            .execute(connection)?;
    }
    Ok(())
}

/// What is kept of a decision.
const DECISION: &str = "campaign_id, cluster, decided_at, allowed, bound_by, reason, terms, inputs";

pub(super) fn put_decisions(
    connection: &mut SqliteConnection,
    (decisions, texts): (&[DecisionRow], &[[String; 2]]),
    first: i64,
) -> Result<()> {
    let mut first = first;
    for (decisions, texts) in decisions.chunks(ROWS).zip(texts.chunks(ROWS)) {
        let rows = vec!["(?, ?, ?, ?, ?, ?, ?, ?, ?)"; decisions.len()].join(", ");
        let logged = format!("INSERT INTO decision_log (id, {DECISION}) VALUES {rows}");
        let mut insert = sql_query(logged).into_boxed::<Sqlite>();
        for (id, (row, [terms, inputs])) in (first..).zip(decisions.iter().zip(texts)) {
            insert = insert
                .bind::<BigInt, _>(id)
                .bind::<BigInt, _>(row.campaign_id)
                .bind::<Text, _>(&row.cluster)
                .bind::<BigInt, _>(row.decided_at)
                .bind::<BigInt, _>(row.allowed)
                .bind::<Text, _>(&row.bound_by)
                .bind::<Text, _>(storable(&row.reason))
                .bind::<Text, _>(terms)
                .bind::<Text, _>(inputs);
        }
        insert.execute(connection)?;
        let last =
            format!("INSERT OR REPLACE INTO decision ({DECISION}) SELECT {DECISION} FROM decision_log WHERE id >= ?");
        sql_query(last).bind::<BigInt, _>(first).execute(connection)?;
        first += decisions.len() as i64;
    }
    Ok(())
}

pub(super) fn insert_usage(
    connection: &mut SqliteConnection,
    cluster: &str,
    (usage, now): (&[(String, f64)], i64),
) -> Result<()> {
    for usage in usage.chunks(ROWS) {
        let rows = vec!["(?, ?, ?, ?)"; usage.len()].join(", ");
        let insert = format!("INSERT INTO usage_share (cluster, owner, jobs, at) VALUES {rows}");
        let mut insert = sql_query(insert).into_boxed::<Sqlite>();
        for (owner, jobs) in usage {
            insert =
                insert.bind::<Text, _>(cluster).bind::<Text, _>(owner).bind::<Double, _>(jobs).bind::<BigInt, _>(now);
        }
        insert.execute(connection)?;
    }
    Ok(())
}
