//! Which tasks a retry means, and what they will ask for. Conditions are answered here, outside of all transactions: they
//! are users' own, and may take long.

use cigri_core::ask::Ask;
use cigri_core::condition::{Condition, ConditionError, Subject};

use super::ended::{Cursor, Ended};
use super::{RetriedTasks, Retry, Which, refuse_cancelled};
use crate::connection::Database;
use crate::{Result, Store, asked, parameters};

/// Tasks that a retry means.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Meant {
    /// What it would do now, but for holds.
    pub tasks: RetriedTasks,
    /// What they will ask for: a factor counts from what they asked for last. Empty if the retry asks for nothing.
    pub ask: Ask,
    /// All of them, in runs of indices.
    runs: Vec<(i64, i64)>,
}

impl Meant {
    pub(super) fn cursor(&self) -> Cursor {
        Cursor::new(&Which::Tasks(self.runs.clone()))
    }

    fn add(&mut self, task: &Ended) {
        self.tasks.add(task);
        match self.runs.last_mut() {
            Some((_, last)) if *last + 1 == task.index => *last = task.index,
            _ => self.runs.push((task.index, task.index)),
        }
    }
}

/// Answers a condition for one task after another, for as long as it may take.
struct Answers<'a> {
    condition: &'a Condition,
    is_over: &'a dyn Fn() -> bool,
    /// How many tasks it was answered for.
    answered: u64,
}

impl Answers<'_> {
    fn met(&mut self, page: Vec<Ended>, texts: &[String]) -> Result<Vec<Ended>> {
        let mut met = Vec::new();
        for (task, text) in page.into_iter().zip(texts) {
            if (self.is_over)() {
                return Err(ConditionError::Long { answered: self.answered }.into());
            }
            if self.condition.holds(&subject(&task, text))? {
                met.push(task);
            }
            self.answered += 1;
        }
        Ok(met)
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

impl Store {
    /// The tasks that a retry means now, and what they would ask for. A condition that cannot be answered for one of them
    /// is an error, as is one that is not answered for all when `is_over` says that it took long enough.
    pub fn survey(&self, id: i64, retry: &Retry, is_over: &dyn Fn() -> bool) -> Result<Meant> {
        refuse_cancelled(&self.campaign(id)?)?;
        let mut answers = retry.condition.as_ref().map(|condition| Answers { condition, is_over, answered: 0 });
        let (mut cursor, mut meant, mut highest) = (Cursor::new(&retry.which), Meant::default(), 1);
        while let Some((mut page, texts)) = self.read(|connection| look(connection, (id, retry), &mut cursor))? {
            if let Some(answers) = &mut answers {
                page = answers.met(page, &texts)?;
            }
            for task in &page {
                meant.add(task);
                highest = highest.max(task.generation);
            }
        }
        if !retry.ask.is_empty() {
            let spans = self.read(|connection| asked::spans(connection, id))?;
            meant.ask = retry.ask.after(&asked::of_generation(&spans, highest));
        }
        Ok(meant)
    }
}

/// The next tasks, and their parameters if a condition asks for them; `None` at the end.
fn look(
    connection: &mut Database,
    (id, retry): (i64, &Retry),
    cursor: &mut Cursor,
) -> Result<Option<(Vec<Ended>, Vec<String>)>> {
    let Some(mut page) = cursor.page(connection, id)? else { return Ok(None) };
    page.retain(|task| retry.admits(task));
    if retry.condition.is_none() {
        return Ok(Some((page, Vec::new())));
    }
    let indices: Vec<i64> = page.iter().map(|task| task.index).collect();
    let texts = parameters::texts(connection, id, &indices)?;
    Ok(Some((page, texts)))
}
