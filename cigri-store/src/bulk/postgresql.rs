//! Many rows on PostgreSQL: one statement over arrays, whatever their length.

use std::borrow::Cow;

use cigri_core::failure::Failure;
use cigri_core::state::JobState;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text};

use super::NewJobs;
use crate::bag::Back;
use crate::connection::storable;
use crate::job::JobEnd;
use crate::submission::SubmissionRow;
use crate::{DecisionRow, Result};

const INSERT_JOBS: &str = "
    INSERT INTO job (id, submission_id, array_index, campaign_id, task_index, generation, attempt, state, slot)
    SELECT $1 + at - 1, $2, array_index, $3, task_index, generation, attempt, 'launching', slot
    FROM unnest($4, $5, $6, $7, $8) WITH ORDINALITY
      AS new (task_index, generation, attempt, array_index, slot, at)";

const SUBMIT_JOBS: &str = "
    UPDATE job SET state = 'submitted', remote_id = new.remote_id
    FROM unnest($1, $2) AS new (id, remote_id) WHERE job.id = new.id";

const START_JOBS: &str = "
    UPDATE job SET state = 'running', started_at = $2, missing_since = NULL
    WHERE id = ANY($1) AND state IN ('submitted', 'unknown')";

const END_JOBS: &str = "
    UPDATE job SET state = new.state, exit_code = new.exit_code, cause = new.cause, detail = new.detail,
      started_at = coalesce(new.started_at, job.started_at), stopped_at = new.stopped_at
    FROM unnest($2, $3, $4, $5, $6, $7, $8) AS new (id, state, exit_code, cause, detail, started_at, stopped_at)
    WHERE job.id = new.id AND job.submission_id = $1 AND job.state IN ('submitted', 'running', 'unknown')";

const INSERT_FAILURES: &str = "
    INSERT INTO failure (campaign_id, cluster, job_id, task_index, generation, is_final, class, exit_code, node,
      signature, at)
    SELECT $1, $2, new.* FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11) AS new";

const INSERT_RETURNED: &str = "
    INSERT INTO returned_task (campaign_id, task_index, generation, attempts, place, failed_on, not_before, level)
    SELECT $1, new.* FROM unnest($2, $3, $4, $5, $6, $7, $8) AS new";

const DELETE_RETURNED: &str = "DELETE FROM returned_task WHERE campaign_id = $1 AND task_index = ANY($2)";

const INSERT_CHUNKS: &str = "
    INSERT INTO parameter_chunk (campaign_id, first_index, body) SELECT $1, new.* FROM unnest($2, $3) AS new";

const LOG_DECISIONS: &str = "
    INSERT INTO decision_log (id, campaign_id, cluster, decided_at, allowed, bound_by, reason, terms, inputs)
    SELECT $1 + new.at - 1, new.campaign_id, new.cluster, new.decided_at, new.allowed, new.bound_by, new.reason,
      new.terms, new.inputs
    FROM unnest($2, $3, $4, $5, $6, $7, $8, $9) WITH ORDINALITY
      AS new (campaign_id, cluster, decided_at, allowed, bound_by, reason, terms, inputs, at)";

const PUT_DECISIONS: &str = "
    INSERT INTO decision (campaign_id, cluster, decided_at, allowed, bound_by, reason, terms, inputs)
    SELECT campaign_id, cluster, decided_at, allowed, bound_by, reason, terms, inputs FROM decision_log WHERE id >= $1
    ON CONFLICT (campaign_id, cluster) DO UPDATE SET decided_at = excluded.decided_at, allowed = excluded.allowed,
      bound_by = excluded.bound_by, reason = excluded.reason, terms = excluded.terms, inputs = excluded.inputs";

const INSERT_USAGE: &str =
    "INSERT INTO usage_share (cluster, at, owner, jobs) SELECT $1, $2, new.* FROM unnest($3, $4) AS new";

type Maybe<T> = Array<Nullable<T>>;

/// One column of many rows.
fn column<'a, R, T>(rows: &'a [R], value: impl Fn(&'a R) -> T) -> Vec<T> {
    rows.iter().map(value).collect()
}

pub(super) fn insert_jobs(connection: &mut PgConnection, jobs: &NewJobs<'_>) -> Result<()> {
    sql_query(INSERT_JOBS)
        .bind::<BigInt, _>(jobs.first)
        .bind::<BigInt, _>(jobs.submission)
        .bind::<BigInt, _>(jobs.campaign)
        .bind::<Array<BigInt>, _>(column(jobs.tasks, |(task, _)| task.index))
        .bind::<Array<Integer>, _>(column(jobs.tasks, |(task, _)| task.generation))
        .bind::<Array<Integer>, _>(column(jobs.tasks, |(task, _)| task.attempt))
        .bind::<Array<BigInt>, _>(column(jobs.tasks, |(task, _)| task.array_index))
        .bind::<Array<Integer>, _>(column(jobs.tasks, |(task, _)| task.slot))
        .execute(connection)?;
    Ok(())
}

pub(super) fn submit_jobs(connection: &mut PgConnection, adopted: &[(i64, i64)]) -> Result<()> {
    sql_query(SUBMIT_JOBS)
        .bind::<Array<BigInt>, _>(column(adopted, |(job, _)| *job))
        .bind::<Array<BigInt>, _>(column(adopted, |(_, remote_id)| *remote_id))
        .execute(connection)?;
    Ok(())
}

pub(super) fn start_jobs(connection: &mut PgConnection, jobs: &[i64], now: i64) -> Result<usize> {
    Ok(sql_query(START_JOBS).bind::<Array<BigInt>, _>(jobs).bind::<BigInt, _>(now).execute(connection)?)
}

pub(super) fn end_jobs(connection: &mut PgConnection, submission: i64, ends: &[JobEnd]) -> Result<usize> {
    let detail = |end: &'_ JobEnd| end.detail.as_deref().map(storable).map(Cow::into_owned);
    Ok(sql_query(END_JOBS)
        .bind::<BigInt, _>(submission)
        .bind::<Array<BigInt>, _>(column(ends, |end| end.job.id))
        .bind::<Array<Text>, _>(column(ends, |end| end.state.as_str()))
        .bind::<Maybe<Integer>, _>(column(ends, |end| end.exit_code))
        .bind::<Array<Text>, _>(column(ends, |end| end.cause.as_str()))
        .bind::<Maybe<Text>, _>(column(ends, detail))
        .bind::<Maybe<BigInt>, _>(column(ends, |end| end.started_at))
        .bind::<Maybe<BigInt>, _>(column(ends, |end| end.stopped_at))
        .execute(connection)?)
}

pub(super) fn insert_failures(
    connection: &mut PgConnection,
    seen: &SubmissionRow,
    (found, now): (&[(&JobEnd, &Failure)], i64),
) -> Result<()> {
    let text = |text: &Option<String>| text.as_deref().map(storable).map(Cow::into_owned);
    sql_query(INSERT_FAILURES)
        .bind::<BigInt, _>(seen.campaign_id)
        .bind::<Text, _>(&seen.cluster)
        .bind::<Array<BigInt>, _>(column(found, |(end, _)| end.job.id))
        .bind::<Array<BigInt>, _>(column(found, |(end, _)| end.job.task_index))
        .bind::<Array<Integer>, _>(column(found, |(end, _)| end.job.generation))
        .bind::<Array<Bool>, _>(column(found, |(end, _)| end.state == JobState::Failed))
        .bind::<Array<Text>, _>(column(found, |(_, failure)| failure.class.as_str()))
        .bind::<Maybe<Integer>, _>(column(found, |(end, _)| end.exit_code))
        .bind::<Maybe<Text>, _>(column(found, |(_, failure)| text(&failure.node)))
        .bind::<Maybe<Text>, _>(column(found, |(_, failure)| text(&failure.signature)))
        .bind::<Array<BigInt>, _>(column(found, |(end, _)| end.stopped_at.unwrap_or(now)))
        .execute(connection)?;
    Ok(())
}

pub(super) fn insert_returned(connection: &mut PgConnection, campaign: i64, tasks: &[Back]) -> Result<()> {
    sql_query(INSERT_RETURNED)
        .bind::<BigInt, _>(campaign)
        .bind::<Array<BigInt>, _>(column(tasks, |back| back.index))
        .bind::<Array<Integer>, _>(column(tasks, |back| back.generation))
        .bind::<Array<Integer>, _>(column(tasks, |back| back.attempts))
        .bind::<Array<Integer>, _>(column(tasks, |back| back.place))
        .bind::<Maybe<Text>, _>(column(tasks, |back| back.failed_on.as_deref()))
        .bind::<Array<BigInt>, _>(column(tasks, |back| back.not_before))
        .bind::<Array<Integer>, _>(column(tasks, |back| back.level))
        .execute(connection)?;
    Ok(())
}

pub(super) fn delete_returned(connection: &mut PgConnection, campaign: i64, indices: &[i64]) -> Result<()> {
    sql_query(DELETE_RETURNED).bind::<BigInt, _>(campaign).bind::<Array<BigInt>, _>(indices).execute(connection)?;
    Ok(())
}

pub(super) fn insert_chunks(connection: &mut PgConnection, campaign: i64, chunks: &[(i64, String)]) -> Result<()> {
    sql_query(INSERT_CHUNKS)
        .bind::<BigInt, _>(campaign)
        .bind::<Array<BigInt>, _>(column(chunks, |(first_index, _)| *first_index))
        .bind::<Array<Text>, _>(column(chunks, |(_, body)| body.as_str()))
        .execute(connection)?;
    Ok(())
}

pub(super) fn put_decisions(
    connection: &mut PgConnection,
    (decisions, texts): (&[DecisionRow], &[[String; 2]]),
    first: i64,
) -> Result<()> {
    sql_query(LOG_DECISIONS)
        .bind::<BigInt, _>(first)
        .bind::<Array<BigInt>, _>(column(decisions, |row| row.campaign_id))
        .bind::<Array<Text>, _>(column(decisions, |row| row.cluster.as_str()))
        .bind::<Array<BigInt>, _>(column(decisions, |row| row.decided_at))
        .bind::<Array<BigInt>, _>(column(decisions, |row| row.allowed))
        .bind::<Array<Text>, _>(column(decisions, |row| row.bound_by.as_str()))
        .bind::<Array<Text>, _>(column(decisions, |row| storable(&row.reason).into_owned()))
        .bind::<Array<Text>, _>(column(texts, |[terms, _]| terms.as_str()))
        .bind::<Array<Text>, _>(column(texts, |[_, inputs]| inputs.as_str()))
        .execute(connection)?;
    sql_query(PUT_DECISIONS).bind::<BigInt, _>(first).execute(connection)?;
    Ok(())
}

pub(super) fn insert_usage(
    connection: &mut PgConnection,
    cluster: &str,
    (usage, now): (&[(String, f64)], i64),
) -> Result<()> {
    sql_query(INSERT_USAGE)
        .bind::<Text, _>(cluster)
        .bind::<BigInt, _>(now)
        .bind::<Array<Text>, _>(column(usage, |(owner, _)| owner.as_str()))
        .bind::<Array<Double>, _>(column(usage, |(_, jobs)| *jobs))
        .execute(connection)?;
    Ok(())
}
