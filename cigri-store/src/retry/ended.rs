//! Tasks that have ended, page by page.

use std::collections::{BTreeMap, HashSet};

use cigri_core::state::JobState;
use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::Which;
use crate::connection::Database;
use crate::schema::{self, failure, job, returned_task};
use crate::{Result, StoreError};

/// Tasks that are looked at in one transaction.
const PAGE: i64 = 5_000;
/// In the words of the index on these jobs.
const UNLUCKY: &str = "job.state IN ('failed', 'cancelled')";

/// A task that has ended, by the last attempt of its last generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) index: i64,
    pub(super) generation: i32,
    pub(super) attempts: i32,
    /// Done, failed or cancelled.
    pub(super) state: JobState,
    pub(super) exit_code: Option<i32>,
    pub(super) class: Option<String>,
    /// Where it failed.
    pub(super) cluster: Option<String>,
    pub(super) node: Option<String>,
}

/// How far a retry is.
pub(super) enum Cursor {
    /// Failed tasks, those cancelled by themselves too, above an index.
    Unlucky { after: i64 },
    /// Runs of indices that are left, the next one last.
    Runs(Vec<(i64, i64)>),
}

type Columns = (i64, i32, i32, String, Option<i32>, Option<String>, Option<String>, Option<String>);

impl Cursor {
    pub(super) fn new(which: &Which) -> Cursor {
        match which {
            Which::Failed => Cursor::Unlucky { after: -1 },
            Which::All => Cursor::Runs(vec![(0, i64::MAX)]),
            Which::Tasks(runs) => Cursor::Runs(merged(runs)),
        }
    }

    /// The next tasks that have ended, by index; `None` when all were looked at.
    pub(super) fn page(&mut self, connection: &mut Database, id: i64) -> Result<Option<Vec<Ended>>> {
        match self {
            Cursor::Unlucky { after } => {
                let page = unlucky(connection, id, *after)?;
                let Some(last) = page.last() else { return Ok(None) };
                *after = last.index;
                Ok(Some(page))
            }
            Cursor::Runs(left) => {
                let tried = last_tried(connection, id)? + 1;
                let indices = next(left, tried);
                if indices.is_empty() { Ok(None) } else { among(connection, id, &indices).map(Some) }
            }
        }
    }
}

/// The first indices of runs, below `tried`, as many as a page has; the runs are what is left then.
fn next(left: &mut Vec<(i64, i64)>, tried: i64) -> Vec<i64> {
    let mut indices = Vec::new();
    while let Some((first, last)) = left.pop_if(|(first, _)| *first < tried) {
        let end = last.min(tried - 1).min(first + PAGE - 1 - indices.len() as i64);
        indices.extend(first..=end);
        if end < last {
            left.push((end + 1, last));
        }
        if indices.len() as i64 >= PAGE {
            break;
        }
    }
    indices
}

/// The highest index of the tasks that were tried; -1: none. The cursor of a bag that is closed is below it.
fn last_tried(connection: &mut Database, id: i64) -> Result<i64> {
    let last: Option<i64> =
        job::table.filter(job::campaign_id.eq(id)).select(max(job::task_index)).first(connection)?;
    Ok(last.unwrap_or(-1))
}

/// Runs in order that do not meet, the first one last.
fn merged(runs: &[(i64, i64)]) -> Vec<(i64, i64)> {
    let mut sorted: Vec<(i64, i64)> = runs.iter().copied().filter(|(first, last)| first <= last).collect();
    sorted.sort_unstable();
    let mut all: Vec<(i64, i64)> = Vec::new();
    for (first, last) in sorted {
        match all.last_mut() {
            Some((_, end)) if first <= *end => *end = last.max(*end),
            _ => all.push((first.max(0), last)),
        }
    }
    all.reverse();
    all
}

/// Tasks that nothing newer was made of, and that do not wait.
fn unlucky(connection: &mut Database, id: i64, after: i64) -> Result<Vec<Ended>> {
    let newer = diesel::alias!(schema::job as newer_job);
    let found: Vec<Columns> = job::table
        .left_join(failure::table.on(failure::job_id.eq(job::id)))
        .filter(job::campaign_id.eq(id))
        .filter(sql::<Bool>(UNLUCKY))
        .filter(job::task_index.gt(after))
        .filter(diesel::dsl::not(diesel::dsl::exists(
            newer
                .filter(newer.field(job::campaign_id).eq(id))
                .filter(newer.field(job::task_index).eq(job::task_index))
                .filter(newer.field(job::generation).gt(job::generation)),
        )))
        .filter(diesel::dsl::not(diesel::dsl::exists(
            returned_task::table
                .filter(returned_task::campaign_id.eq(id))
                .filter(returned_task::task_index.eq(job::task_index)),
        )))
        .select((
            job::task_index,
            job::generation,
            job::attempt,
            job::state,
            job::exit_code,
            failure::class.nullable(),
            failure::cluster.nullable(),
            failure::node.nullable(),
        ))
        .order(job::task_index)
        .limit(PAGE)
        .load(connection)?;
    found.into_iter().map(ended).collect()
}

/// Which of these tasks have ended; those that wait or live have not.
fn among(connection: &mut Database, id: i64, indices: &[i64]) -> Result<Vec<Ended>> {
    let waiting: Vec<i64> = returned_task::table
        .filter(returned_task::campaign_id.eq(id))
        .filter(returned_task::task_index.eq_any(indices))
        .select(returned_task::task_index)
        .load(connection)?;
    let found: Vec<Columns> = job::table
        .left_join(failure::table.on(failure::job_id.eq(job::id)))
        .filter(job::campaign_id.eq(id))
        .filter(job::task_index.eq_any(indices))
        .select((
            job::task_index,
            job::generation,
            job::attempt,
            job::state,
            job::exit_code,
            failure::class.nullable(),
            failure::cluster.nullable(),
            failure::node.nullable(),
        ))
        .order((job::task_index, job::generation, job::id))
        .load(connection)?;
    let mut left: HashSet<i64> = waiting.into_iter().collect();
    let mut last_of: BTreeMap<i64, Ended> = BTreeMap::new();
    for columns in found {
        let task = ended(columns)?;
        if task.state.is_live() {
            left.insert(task.index);
        }
        let decided = last_of.get(&task.index).filter(|known| known.generation == task.generation);
        // A second success counts for nothing.
        if !decided.is_some_and(|known| known.has_verdict()) {
            last_of.insert(task.index, task);
        }
    }
    Ok(last_of.into_values().filter(|task| task.has_verdict() && !left.contains(&task.index)).collect())
}

impl Ended {
    /// A campaign without an end forgets the tasks that had none when its bag was closed.
    fn has_verdict(&self) -> bool {
        matches!(self.state, JobState::Done | JobState::Failed | JobState::Cancelled)
    }
}

fn ended((index, generation, attempts, state, exit_code, class, cluster, node): Columns) -> Result<Ended> {
    let state = state.parse().map_err(StoreError::corrupt)?;
    Ok(Ended { index, generation, attempts, state, exit_code, class, cluster, node })
}
