//! Submissions that go wrong in the middle. OAR makes the rows of an array in several commits, and its API can die
//! or be stopped between any two of them: what is there then stays there.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::job::{Batch, State, Tasks};
use super::record::Record;
use super::{Machine, Refusal};

/// What goes wrong inside a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Only the first rows are made (at least one); they stay in Hold, without a description.
    Partial {
        /// How many.
        rows: u32,
    },
    /// As [`Mishap::Partial`], and the rows have no array yet: their `array_id` is 0.
    Arrayless {
        /// How many.
        rows: u32,
    },
    /// All rows are there, in Hold, until [`Machine::complete`].
    Unfinished,
    /// The rows are right, but for a submission time in the past.
    Skewed {
        /// By how many seconds.
        seconds: i64,
    },
}

/// What the rows of a submission lack. None of them can be launched, even when it is resumed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// Their description, for ever or until the submission goes on.
    Undescribed,
    /// Their array as well: they show array 0, and no listing or deletion of their array finds them.
    Arrayless,
}

impl Mishap {
    pub(super) fn apply(self, batch: &mut Batch) {
        match self {
            Self::Partial { rows } => batch.tear(rows, Damage::Undescribed),
            Self::Arrayless { rows } => batch.tear(rows, Damage::Arrayless),
            Self::Unfinished => batch.damage = Some(Damage::Undescribed),
            Self::Skewed { seconds } => batch.submitted -= seconds,
        }
    }
}

impl Batch {
    fn tear(&mut self, rows: u32, damage: Damage) {
        let rows = rows.max(1);
        self.damage = Some(damage);
        match &mut self.tasks {
            Tasks::Same(count) => *count = rows.min(*count),
            Tasks::Lines(text) => {
                let cut = text.match_indices('\n').nth(rows as usize - 1).map(|(place, _)| place);
                text.truncate(cut.unwrap_or(text.len()));
            }
        }
    }

    /// The state of a row that was just made.
    pub(super) fn first_state(&self) -> State {
        if self.hold || self.damage.is_some() { State::Hold } else { State::Waiting }
    }
}

impl Machine {
    /// Submits as [`Machine::submit`], and lets a mishap happen in the middle of it.
    ///
    /// # Errors
    /// A [`Refusal`], without any effect, when OAR would not create the jobs.
    pub fn submit_with(
        &mut self,
        request: &super::Request,
        user: &str,
        mishap: Option<Mishap>,
        now: i64,
    ) -> Result<u64, Refusal> {
        let mut batch = super::admission::admit(self, request, user, now.div_euclid(1000))?;
        mishap.into_iter().for_each(|mishap| mishap.apply(&mut batch));
        let first = batch.first;
        self.record(Record::Submitted(batch.into()));
        self.admit_live(first);
        self.rounds.submitted(now);
        self.react(now);
        Ok(first)
    }

    /// The next submission through the face meets this.
    pub fn expect_mishap(&mut self, mishap: Option<Mishap>) {
        self.mishap = mishap;
    }

    /// The submission of an [`Mishap::Unfinished`] array goes on to its end. As measured on OAR, it does not look at
    /// what became of its rows meanwhile: one that was deleted waits again, and cannot be deleted a second time.
    pub fn complete(&mut self, array: u64, now: i64) {
        let damage = self.jobs.get(&array).and_then(|job| job.batch.damage);
        if damage != Some(Damage::Undescribed) {
            return;
        }
        let count = self.arrays.get(&array).copied().unwrap_or(0);
        self.ended.retain(|(_, id)| !(array..array + count).contains(id));
        self.record(Record::Completed(array));
        self.admit_live(array);
        self.rounds.submitted(now);
        self.react(now);
    }

    /// Applies [`Record::Completed`].
    pub(super) fn describe(&mut self, array: u64) {
        let Some(first) = self.jobs.get(&array) else { return };
        let batch = Arc::new(Batch { damage: None, ..Batch::clone(&first.batch) });
        let count = self.arrays.get(&array).copied().unwrap_or(0);
        for (_, job) in self.jobs.range_mut(array..array + count) {
            job.batch = Arc::clone(&batch);
            job.state = batch.first_state();
        }
    }

    /// Kills one of the best-effort jobs that hold cores, chosen by `draw`, as for a normal job. Answers which.
    pub fn preempt_any(&mut self, draw: u64, now: i64) -> Option<u64> {
        let id = self.pick_running(draw)?;
        self.preempt(id, now);
        Some(id)
    }

    /// One of the best-effort jobs that hold cores and are not being killed.
    pub(super) fn pick_running(&self, draw: u64) -> Option<u64> {
        let can_die = |id: &u64| self.jobs.get(id).is_some_and(|job| job.state.holds_cores() && !job.killing);
        let jobs: Vec<u64> = self.preemptible.iter().map(|(_, id)| *id).filter(can_die).collect();
        pick(&jobs, draw)
    }
}

/// One of some jobs, chosen by `draw`.
pub(super) fn pick(jobs: &[u64], draw: u64) -> Option<u64> {
    let place = draw % u64::try_from(jobs.len()).ok().filter(|count| *count > 0)?;
    jobs.get(usize::try_from(place).ok()?).copied()
}
