//! Jobs for readers: pages, counts, one at a time.

use cigri_core::state::{JobState, Role};
use diesel::prelude::*;

use crate::schema::{job, submission};
use crate::{Result, Store, StoreError, parameters};

/// A job for readers. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Job id.
    pub id: i64,
    /// Its submission.
    pub submission_id: i64,
    /// Campaign id.
    pub campaign_id: i64,
    /// What it is.
    pub role: Role,
    /// Task index; negative for a step.
    pub task_index: i64,
    /// Generation.
    pub generation: i32,
    /// Attempt.
    pub attempt: i32,
    /// State.
    pub state: JobState,
    /// Cluster name.
    pub cluster: String,
    /// Id on the cluster.
    pub remote_id: Option<i64>,
    /// Exit code.
    pub exit_code: Option<i32>,
    /// Cause of its end.
    pub cause: Option<String>,
    /// Details of its end.
    pub detail: Option<String>,
    /// When it was written down.
    pub submitted_at: i64,
    /// Start on the cluster.
    pub started_at: Option<i64>,
    /// End on the cluster.
    pub stopped_at: Option<i64>,
    /// Its place among the tasks of its remote job, from 0.
    pub slot: i32,
    /// The task's parameter text.
    pub parameters: String,
}

/// Which jobs of a campaign to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Only in this state.
    pub state: Option<JobState>,
    /// Only of this task.
    pub task_index: Option<i64>,
    /// Only ids above this one.
    pub after: i64,
    /// At most this many.
    pub limit: i64,
}

#[derive(Queryable)]
struct Columns {
    id: i64,
    submission_id: i64,
    campaign_id: i64,
    role: String,
    task_index: i64,
    generation: i32,
    attempt: i32,
    state: String,
    cluster: String,
    remote_id: Option<i64>,
    exit_code: Option<i32>,
    cause: Option<String>,
    detail: Option<String>,
    submitted_at: i64,
    started_at: Option<i64>,
    stopped_at: Option<i64>,
    slot: i32,
}

macro_rules! selected {
    () => {
        job::table.inner_join(submission::table.on(submission::id.eq(job::submission_id))).select((
            job::id,
            job::submission_id,
            job::campaign_id,
            submission::role,
            job::task_index,
            job::generation,
            job::attempt,
            job::state,
            submission::cluster,
            job::remote_id,
            job::exit_code,
            job::cause,
            job::detail,
            submission::created_at,
            job::started_at,
            job::stopped_at,
            job::slot,
        ))
    };
}

fn row(columns: Columns, parameters: String) -> Result<JobRow> {
    Ok(JobRow {
        id: columns.id,
        submission_id: columns.submission_id,
        campaign_id: columns.campaign_id,
        role: columns.role.parse().map_err(StoreError::corrupt)?,
        task_index: columns.task_index,
        generation: columns.generation,
        attempt: columns.attempt,
        state: columns.state.parse().map_err(StoreError::corrupt)?,
        cluster: columns.cluster,
        remote_id: columns.remote_id,
        exit_code: columns.exit_code,
        cause: columns.cause,
        detail: columns.detail,
        submitted_at: columns.submitted_at,
        started_at: columns.started_at,
        stopped_at: columns.stopped_at,
        slot: columns.slot,
        parameters,
    })
}

impl Store {
    /// A page of a campaign's jobs by id, each with its parameter.
    pub fn list_jobs(&self, campaign_id: i64, filter: &JobFilter) -> Result<Vec<JobRow>> {
        self.read(|connection| {
            let mut query = selected!()
                .filter(job::campaign_id.eq(campaign_id))
                .filter(job::id.gt(filter.after))
                .order(job::id)
                .limit(filter.limit)
                .into_boxed();
            if let Some(state) = filter.state {
                query = query.filter(job::state.eq(state.as_str()));
            }
            if let Some(index) = filter.task_index {
                query = query.filter(job::task_index.eq(index));
            }
            let found: Vec<Columns> = query.load(connection)?;
            let indices: Vec<i64> = found.iter().map(|columns| columns.task_index).collect();
            let texts = parameters::shown(connection, campaign_id, &indices)?;
            found.into_iter().zip(texts).map(|(columns, text)| row(columns, text)).collect()
        })
    }

    /// How many jobs a filter has in all (its `after` and `limit` aside).
    pub fn count_jobs(&self, campaign_id: i64, filter: &JobFilter) -> Result<i64> {
        self.read(|connection| {
            let mut query = job::table.filter(job::campaign_id.eq(campaign_id)).count().into_boxed();
            if let Some(state) = filter.state {
                query = query.filter(job::state.eq(state.as_str()));
            }
            if let Some(index) = filter.task_index {
                query = query.filter(job::task_index.eq(index));
            }
            Ok(query.get_result(connection)?)
        })
    }

    /// One job.
    pub fn job(&self, id: i64) -> Result<JobRow> {
        self.read(|connection| {
            let found: Option<Columns> = selected!().filter(job::id.eq(id)).first(connection).optional()?;
            let columns = found.ok_or_else(|| StoreError::Missing(format!("job {id}")))?;
            let text = parameters::shown(connection, columns.campaign_id, &[columns.task_index])?;
            row(columns, text.into_iter().next().unwrap_or_default())
        })
    }
}
