//! Trying tasks again that have ended: those that failed, a list, or all; in a new generation each.
//!
//! Tasks are looked at, and put into the bag, some thousands at a time, each in a transaction of its own: rounds go on
//! meanwhile. A task that waits or lives is left, so a retry that was cut off can be given again.

mod ended;

use cigri_core::ask::Ask;
use cigri_core::condition::{Condition, Subject};
use cigri_core::failure::Class;
use cigri_core::state::{CampaignState, JobState};
use diesel::prelude::*;

use crate::bag::Back;
use crate::campaign::{self, CampaignRow};
use crate::connection::Database;
use crate::schema::progress;
use crate::{NewKey, Result, Store, StoreError, asked, bulk, control, event, idempotency, max_failures, parameters};
use ended::{Cursor, Ended};

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
    /// Only those whose last attempt ended with one of these exit codes, unless there are none.
    pub exits: Vec<i32>,
    /// Only those that meet a condition.
    pub condition: Option<Condition>,
    /// What they ask for in place of what the campaign's file says.
    pub ask: Ask,
}

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

/// A retry's way through a campaign.
struct Way<'a> {
    retry: &'a Retry,
    id: i64,
    cursor: Cursor,
    /// Generation of tasks at least.
    least: i32,
}

impl Way<'_> {
    /// The next tasks that are meant; `None` at the end.
    fn page(&mut self, connection: &mut Database) -> Result<Option<Vec<Ended>>> {
        let Some(mut page) = self.cursor.page(connection, self.id)? else { return Ok(None) };
        let (classes, exits) = (&self.retry.classes, &self.retry.exits);
        page.retain(|task| {
            classes.is_empty() || classes.iter().any(|class| task.class.as_deref() == Some(class.as_str()))
        });
        page.retain(|task| exits.is_empty() || task.exit_code.is_some_and(|code| exits.contains(&code)));
        let Some(condition) = &self.retry.condition else { return Ok(Some(page)) };
        let indices: Vec<i64> = page.iter().map(|task| task.index).collect();
        let texts = parameters::texts(connection, self.id, &indices)?;
        let mut met = Vec::with_capacity(page.len());
        for (task, text) in page.into_iter().zip(texts) {
            if condition.holds(&subject(&task, &text))? {
                met.push(task);
            }
        }
        Ok(Some(met))
    }

    /// Puts tasks into the bag, and opens the campaign again if it had ended.
    fn put(&self, connection: &mut Database, tasks: &[Ended]) -> Result<()> {
        if tasks.is_empty() {
            return Ok(());
        }
        let back = |task: &Ended| Back {
            index: task.index,
            generation: (task.generation + 1).max(self.least),
            attempts: task.attempts,
            place: 1,
            failed_on: None,
            not_before: 0,
            level: 0,
        };
        bulk::insert_returned(connection, self.id, &tasks.iter().map(back).collect::<Vec<_>>())?;
        let number = |state: JobState| tasks.iter().filter(|task| task.state == state).count() as i64;
        diesel::update(progress::table.find(self.id))
            .set((
                progress::done.eq(progress::done - number(JobState::Done)),
                progress::failed.eq(progress::failed - number(JobState::Failed)),
                progress::cancelled.eq(progress::cancelled - number(JobState::Cancelled)),
                progress::pending.eq(progress::pending + tasks.len() as i64),
            ))
            .execute(connection)?;
        let row = campaign::get(connection, self.id)?;
        control::reopen(connection, &row)
    }
}

fn subject<'a>(task: &'a Ended, parameters: &'a str) -> Subject<'a> {
    Subject {
        task: task.index,
        parameters,
        exit: task.exit_code,
        class: task.class.as_deref(),
        node: task.node.as_deref(),
        attempts: task.attempts,
    }
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

    /// What [`Store::retry`] would do now, but for holds.
    pub fn retry_dry(&self, id: i64, retry: &Retry) -> Result<RetriedTasks> {
        Ok(self.survey(id, retry)?.0)
    }

    /// Gives each of the tasks that are meant a new generation, lifts the campaign's holds, and opens it again if it had
    /// ended. `key` makes the key that is kept with what was done.
    pub fn retry(
        &self,
        id: i64,
        retry: &Retry,
        key: Option<&dyn Fn(&RetriedTasks) -> NewKey>,
        now: i64,
    ) -> Result<RetriedTasks> {
        // A condition that cannot be answered for one task leaves all as they are.
        let surveyed = retry.condition.is_some() || !retry.ask.is_empty();
        let (meant, highest) = if surveyed { self.survey(id, retry)? } else { Default::default() };
        let (holds, mut way) = self.write(|connection| {
            refuse_cancelled(&campaign::get(connection, id)?)?;
            let holds = event::lift_holds(connection, id, now)?;
            max_failures::count_anew(connection, id)?;
            let spans = asked::spans(connection, id)?;
            let least = match retry.ask.is_empty() || meant.tasks == 0 {
                true => spans.last().map_or(1, |last| last.from),
                false => asked::begin(connection, id, &retry.ask.after(&asked::of_generation(&spans, highest)))?,
            };
            Ok((holds, Way { retry, id, cursor: Cursor::new(&retry.which), least }))
        })?;
        let mut retried = RetriedTasks { holds, ..RetriedTasks::default() };
        while let Some(page) = self.write(|connection| {
            let page = way.page(connection)?;
            way.put(connection, page.as_deref().unwrap_or_default())?;
            Ok(page)
        })? {
            page.iter().for_each(|task| retried.add(task));
        }
        if let Some(key) = key.map(|key| key(&retried)) {
            self.write(|connection| idempotency::remember(connection, Some(&key), id))?;
        }
        Ok(retried)
    }

    /// The tasks that are meant, and the highest of their generations.
    fn survey(&self, id: i64, retry: &Retry) -> Result<(RetriedTasks, i32)> {
        refuse_cancelled(&self.campaign(id)?)?;
        let mut way = Way { retry, id, cursor: Cursor::new(&retry.which), least: 1 };
        let (mut meant, mut highest) = (RetriedTasks::default(), 1);
        while let Some(page) = self.read(|connection| way.page(connection))? {
            for task in &page {
                meant.add(task);
                highest = highest.max(task.generation);
            }
        }
        Ok((meant, highest))
    }
}
