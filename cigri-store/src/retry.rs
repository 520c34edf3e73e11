//! Trying tasks again that have ended: those that failed, a list, or all; in a new generation each.
//!
//! Tasks are looked at, and then put into the bag, some thousands at a time, each in a transaction of its own: rounds go on
//! meanwhile. A task that waits or lives is left, so a retry that was cut off can be given again.

mod ended;
mod meant;

use cigri_core::ask::Ask;
use cigri_core::condition::Condition;
use cigri_core::failure::Class;
use cigri_core::state::{CampaignState, JobState};
use diesel::prelude::*;

use crate::bag::Back;
use crate::campaign::{self, CampaignRow};
use crate::connection::Database;
use crate::schema::progress;
use crate::{NewKey, Result, Store, StoreError, asked, bulk, control, event, idempotency, max_failures};
use ended::Ended;

pub use meant::Meant;

/// Runs of indices that are told one by one.
const MOST_RUNS: usize = 100;

/// Which tasks are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Which {
    /// Those that failed, and those that were ended by themselves.
    #[default]
    Failed,
    /// All that have ended, done ones too.
    All,
    /// Those of these runs of indices (first and last) that have ended.
    Tasks(Vec<(i64, i64)>),
}

/// Which tasks are tried again, and what they ask for then.
#[derive(Default)]
pub struct Retry {
    /// Which are looked at.
    pub which: Which,
    /// Of these, only those that failed for one of these classes, unless there are none.
    pub classes: Vec<Class>,
    /// Only those whose last failure was on one of these clusters, unless there are none.
    pub clusters: Vec<String>,
    /// Only those whose last attempt ended with one of these exit codes, unless there are none.
    pub exits: Vec<i32>,
    /// Only those that meet a condition.
    pub condition: Option<Condition>,
    /// What they ask for in place of what the campaign's file says.
    pub ask: Ask,
}

impl Retry {
    /// Whether only some tasks are asked for.
    pub fn is_narrowed(&self) -> bool {
        let is_any = self.classes.is_empty() && self.clusters.is_empty() && self.exits.is_empty();
        !is_any || self.condition.is_some() || matches!(self.which, Which::Tasks(_))
    }

    /// Whether a task is meant, its condition aside.
    fn admits(&self, task: &Ended) -> bool {
        let class = |class: &Class| task.class.as_deref() == Some(class.as_str());
        let cluster = |cluster: &String| task.cluster.as_ref() == Some(cluster);
        (self.which != Which::Failed || task.state != JobState::Done)
            && (self.classes.is_empty() || self.classes.iter().any(class))
            && (self.clusters.is_empty() || self.clusters.iter().any(cluster))
            && (self.exits.is_empty() || task.exit_code.is_some_and(|code| self.exits.contains(&code)))
    }
}

/// Makes the key that is kept with what a retry did.
pub type MakeKey<'a> = &'a dyn Fn(&RetriedTasks) -> NewKey;

/// What a retry did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetriedTasks {
    /// Tasks that got a new generation.
    pub tasks: usize,
    /// Of these, how many were done.
    pub done: usize,
    /// Holds that were lifted.
    pub holds: usize,
    /// The first of them, in runs of indices (first and last).
    pub runs: Vec<(i64, i64)>,
    /// How many tasks these are.
    pub told: usize,
}

impl RetriedTasks {
    fn add(&mut self, task: &Ended) {
        self.tasks += 1;
        self.done += usize::from(task.state == JobState::Done);
        let is_full = self.runs.len() >= MOST_RUNS;
        match self.runs.last_mut() {
            Some((_, last)) if self.told + 1 == self.tasks && *last + 1 == task.index => *last = task.index,
            _ if is_full => return,
            _ => self.runs.push((task.index, task.index)),
        }
        self.told += 1;
    }
}

/// Puts tasks into the bag, in this generation at least, and opens the campaign again if it had ended.
fn put(connection: &mut Database, id: i64, (tasks, least): (&[Ended], i32)) -> Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let back = |task: &Ended| Back {
        index: task.index,
        generation: (task.generation + 1).max(least),
        attempts: task.attempts,
        place: 1,
        failed_on: None,
        not_before: 0,
        level: 0,
    };
    bulk::insert_returned(connection, id, &tasks.iter().map(back).collect::<Vec<_>>())?;
    let number = |state: JobState| tasks.iter().filter(|task| task.state == state).count() as i64;
    diesel::update(progress::table.find(id))
        .set((
            progress::done.eq(progress::done - number(JobState::Done)),
            progress::failed.eq(progress::failed - number(JobState::Failed)),
            progress::cancelled.eq(progress::cancelled - number(JobState::Cancelled)),
            progress::pending.eq(progress::pending + tasks.len() as i64),
        ))
        .execute(connection)?;
    max_failures::count_less(connection, id, number(JobState::Failed))?;
    let row = campaign::get(connection, id)?;
    control::reopen(connection, &row)
}

/// What was cancelled stays so.
fn refuse_cancelled(row: &CampaignRow) -> Result<()> {
    match row.state {
        CampaignState::Cancelled => {
            Err(StoreError::Conflict(format!("campaign {} is cancelled: its tasks are not tried again", row.id)))
        }
        _ => Ok(()),
    }
}

impl Store {
    /// Gives each failed task, and each that was cancelled by itself, a new generation, lifts the campaign's holds, and
    /// opens it again if it had ended.
    pub fn retry_failed(&self, id: i64, now: i64) -> Result<RetriedTasks> {
        self.retry(id, &Retry::default(), None, now)
    }

    /// Gives each of the tasks that are meant a new generation; see [`Store::retry_meant`].
    pub fn retry(&self, id: i64, retry: &Retry, key: Option<MakeKey<'_>>, now: i64) -> Result<RetriedTasks> {
        let meant = self.survey(id, retry, &|| false)?;
        self.retry_meant(id, (retry, &meant), key, now)
    }

    /// Gives each of the tasks that were found to be meant, and have ended still, a new generation, lifts the campaign's
    /// holds, and opens it again if it had ended. Where only some tasks were asked for and there are none, nothing is
    /// lifted. `key` makes the key that is kept with what was done.
    pub fn retry_meant(
        &self,
        id: i64,
        (retry, meant): (&Retry, &Meant),
        key: Option<MakeKey<'_>>,
        now: i64,
    ) -> Result<RetriedTasks> {
        let is_nothing = meant.tasks.tasks == 0;
        let (holds, least) = self.write(|connection| {
            refuse_cancelled(&campaign::get(connection, id)?)?;
            let mut holds = 0;
            if !(is_nothing && retry.is_narrowed()) {
                holds = event::lift_holds(connection, id, now)?;
                max_failures::count_anew(connection, id)?;
            }
            let least = match retry.ask.is_empty() || is_nothing {
                true => asked::spans(connection, id)?.last().map_or(1, |last| last.from),
                false => asked::begin(connection, id, &meant.ask)?,
            };
            Ok((holds, least))
        })?;
        let mut retried = RetriedTasks { holds, ..RetriedTasks::default() };
        let mut cursor = meant.cursor();
        while let Some(page) = self.write(|connection| {
            let Some(mut page) = cursor.page(connection, id)? else { return Ok(None) };
            page.retain(|task| retry.admits(task));
            put(connection, id, (&page, least))?;
            Ok(Some(page))
        })? {
            page.iter().for_each(|task| retried.add(task));
        }
        if let Some(key) = key.map(|key| key(&retried)) {
            self.write(|connection| idempotency::remember(connection, Some(&key), id))?;
        }
        Ok(retried)
    }
}
