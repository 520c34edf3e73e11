//! Where one task is: why has it not run yet?

use cigri_core::state::JobState;
use diesel::prelude::*;

use crate::campaign::{self, CampaignRow};
use crate::connection::Database;
use crate::schema::{job, progress, returned_task, submission};
use crate::{Result, Store, StoreError, failed_on};

/// The last attempt of a task. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Job id.
    pub job: i64,
    /// Its number, from 1.
    pub number: i32,
    /// State.
    pub state: JobState,
    /// Cluster name.
    pub cluster: String,
    /// Id on the cluster.
    pub remote_id: Option<i64>,
    /// When it came into this state, as far as that is known: its end, its start, or when it was written down.
    pub since: i64,
    /// Cause of its end.
    pub cause: Option<String>,
    /// Details of its end.
    pub detail: Option<String>,
}

/// Where a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState {
    /// It ended for good. No attempt: it was cancelled before its first.
    Ended {
        /// `Done`, `Failed` or `Cancelled`.
        state: JobState,
        /// The last attempt.
        last: Option<Attempt>,
    },
    /// A job of it is under way.
    Live(Attempt),
    /// It came back to the bag.
    InBag {
        /// Whether it goes after the tasks never tried.
        last_of_all: bool,
        /// Tasks that go before it, whatever cluster they go to.
        before: i64,
        /// Attempts so far.
        attempts: i32,
        /// It waits until then, epoch milliseconds; 0: not at all.
        not_before: i64,
        /// What it will ask for: a level of its campaign's escalation, from 0.
        level: u32,
        /// Clusters that it failed on, which leave it to others of its campaign while they are open.
        failed_on: Vec<String>,
        /// The last attempt.
        last: Option<Attempt>,
    },
    /// It was never tried.
    Untried {
        /// Tasks that go before it.
        before: i64,
    },
}

impl Store {
    /// Where the task with this index is; an error if the campaign has no such task.
    pub fn task_state(&self, campaign: i64, index: i64) -> Result<TaskState> {
        self.read(|connection| {
            let row = campaign::get(connection, campaign)?;
            if !(0..row.task_count).contains(&index) {
                return Err(StoreError::Missing(format!("task {index} in campaign {campaign}")));
            }
            let last = last_attempt(connection, campaign, index)?;
            if let Some(live) = last.as_ref().filter(|last| last.state.is_live()) {
                return Ok(TaskState::Live(live.clone()));
            }
            if let Some(state) = in_bag(connection, &row, index, &last)? {
                return Ok(state);
            }
            let next: i64 = progress::table.find(campaign).select(progress::next_index).first(connection)?;
            if last.is_none() && index >= next {
                let before = returned(connection, campaign, 1, i64::MAX)? + index - next;
                return Ok(TaskState::Untried { before });
            }
            let ended = last.as_ref().map(|last| last.state);
            let ended = ended.filter(|state| matches!(state, JobState::Done | JobState::Failed));
            Ok(TaskState::Ended { state: ended.unwrap_or(JobState::Cancelled), last })
        })
    }
}

fn last_attempt(connection: &mut Database, campaign: i64, index: i64) -> Result<Option<Attempt>> {
    type Columns =
        ((i64, i32, String, Option<i64>, Option<String>, Option<String>), (Option<i64>, Option<i64>, String, i64));
    let found: Option<Columns> = job::table
        .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
        .filter(job::campaign_id.eq(campaign))
        .filter(job::task_index.eq(index))
        .select((
            (job::id, job::attempt, job::state, job::remote_id, job::cause, job::detail),
            (job::started_at, job::stopped_at, submission::cluster, submission::created_at),
        ))
        .order((job::generation.desc(), job::id.desc()))
        .first(connection)
        .optional()?;
    let Some(((job, number, state, remote_id, cause, detail), (started_at, stopped_at, cluster, created_at))) = found
    else {
        return Ok(None);
    };
    let state: JobState = state.parse().map_err(StoreError::corrupt)?;
    let since = match state {
        JobState::Launching | JobState::Submitted => None,
        JobState::Running | JobState::Unknown => started_at,
        _ => stopped_at.or(started_at),
    };
    let since = since.unwrap_or(created_at);
    Ok(Some(Attempt { job, number, state, cluster, remote_id, since, cause, detail }))
}

/// Place, attempts, clusters that it failed on, and not before when at which level.
type Row = (i32, i32, Option<String>, (i64, i32));

/// Its place in the bag, if it came back there.
fn in_bag(
    connection: &mut Database,
    row: &CampaignRow,
    index: i64,
    last: &Option<Attempt>,
) -> Result<Option<TaskState>> {
    let times = (returned_task::not_before, returned_task::level);
    let columns = (returned_task::place, returned_task::attempts, returned_task::failed_on, times);
    let found: Option<Row> = returned_task::table.find((row.id, index)).select(columns).first(connection).optional()?;
    let Some((place, attempts, failed, (not_before, level))) = found else { return Ok(None) };
    let level = level.max(0) as u32;
    let next: i64 = progress::table.find(row.id).select(progress::next_index).first(connection)?;
    let ahead = match place {
        0 => returned(connection, row.id, 1, i64::MAX)? + (row.task_count - next).max(0),
        _ => 0,
    };
    let before = ahead + returned(connection, row.id, place, index)?;
    let failed_on = failed.as_deref().map(failed_on::parse).transpose()?.unwrap_or_default().into_iter().collect();
    let (last_of_all, last) = (place == 0, last.clone());
    Ok(Some(TaskState::InBag { last_of_all, before, attempts, not_before, level, failed_on, last }))
}

/// Tasks that came back to a place, with indices below this one.
fn returned(connection: &mut Database, campaign: i64, place: i32, index: i64) -> Result<i64> {
    Ok(returned_task::table
        .filter(returned_task::campaign_id.eq(campaign))
        .filter(returned_task::place.eq(place))
        .filter(returned_task::task_index.lt(index))
        .count()
        .get_result(connection)?)
}
