//! Builds a machine from the facts of its journal.

use std::sync::Arc;

use super::event::EventKind;
use super::job::{Batch, Tasks};
use super::life::Ending;
use super::record::{Copied, Record};
use super::{Job, Machine, Settings};

/// A job that held cores when the journal stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted {
    /// The job.
    pub id: u64,
    /// Its process and that process's start in clock ticks since boot, when they were known.
    pub process: Option<(u32, u64)>,
}

impl Machine {
    /// Replays facts. Jobs that wait or are held still are; those that ran must be given to [`Machine::lost`].
    #[must_use]
    pub fn replay(settings: Settings, records: impl IntoIterator<Item = Record>) -> Self {
        let mut machine = Self::new(settings);
        records.into_iter().for_each(|record| machine.apply(record));
        let arrays: Vec<u64> = machine.arrays.keys().copied().collect();
        for array in arrays {
            machine.admit_live(array);
        }
        let ended = machine.jobs.values().filter(|job| job.state.is_final()).map(|job| job.id);
        for id in ended.collect::<Vec<_>>() {
            machine.retire_live(id);
            machine.expect_treatment(id);
        }
        machine
    }

    /// The jobs that held cores when the journal stopped.
    #[must_use]
    pub fn interrupted(&self) -> Vec<Interrupted> {
        let jobs = self.live.iter().filter_map(|id| self.jobs.get(id));
        let held = jobs.filter(|job| job.state.holds_cores());
        held.map(|job| Interrupted { id: job.id, process: job.process }).collect()
    }

    /// Ends an interrupted job, whose processes are gone, as OAR ends one that it lost.
    pub fn lost(&mut self, id: u64, now: i64) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.state.holds_cores()) else { return };
        // A replayed job holds no core of this life: nothing may be given back.
        job.killing = false;
        let cores = std::mem::take(&mut job.cores);
        let why = [EventKind::SendKill, EventKind::Exterminate, EventKind::IntoError];
        self.finish(id, Ending::Error, &why, now);
        if let Some(job) = self.jobs.get_mut(&id) {
            job.cores = cores;
        }
    }

    /// Schedules what waits, after a replay.
    pub fn resume_scheduling(&mut self, now: i64) {
        self.rounds.wake(now);
        self.react(now);
    }

    /// The facts that make up the present state, without arrays whose jobs all ended before `before` (epoch
    /// seconds): the head of a new journal. `None` when nothing would be dropped. No job may hold cores.
    #[must_use]
    pub fn compacted(&self, before: i64) -> Option<Vec<Record>> {
        let mut records = Vec::new();
        let (mut copies, mut dropped) = (Vec::new(), false);
        for (&array, &count) in &self.arrays {
            let jobs: Vec<_> = self.rows(array).collect();
            let is_old = |job: &&Job| job.state.is_final() && job.stop.max(job.batch.submitted) < before;
            if jobs.iter().all(is_old) {
                dropped = true;
                continue;
            }
            let Some(first) = jobs.first() else { continue };
            records.push(Record::Submitted(Arc::clone(&first.batch)));
            if made_by(&first.batch) > count {
                let after = array + count - 1;
                records.push(Record::Cut { after, next_job: after + 1 });
            }
            let (of_array, more): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.copy_of == 0);
            of_array.into_iter().for_each(|job| restate(job, &mut records));
            copies.extend(more);
        }
        self.restate_copies(copies, &mut records);
        records.push(Record::Opened { next_job: self.next_job, next_event: self.next_event });
        dropped.then_some(records)
    }

    /// The facts that make copies, and those that remove the rows that are gone while others of their array are not.
    fn restate_copies(&self, mut copies: Vec<&Job>, records: &mut Vec<Record>) {
        copies.sort_unstable_by_key(|job| job.id);
        for job in copies {
            let row = job.batch.first + u64::from(job.index) - 1;
            let copied = Copied { id: job.id, row, stop: job.stop };
            records.push(Record::Treated(job.copy_of, Some(copied), Vec::new()));
            restate(job, records);
        }
        for (&array, &count) in &self.arrays {
            let gone = (array..array + count).filter(|id| !self.jobs.contains_key(id));
            records.extend(gone.map(Record::Gone));
        }
    }
}

/// The facts that bring a fresh job to the state of `job`, which holds no cores.
fn restate(job: &Job, records: &mut Vec<Record>) {
    let events = job.events.clone();
    if job.start != 0 {
        records.push(Record::Start(job.id, job.start, job.cores.clone()));
    }
    if job.fragged {
        records.push(Record::Frag(job.id, false, Vec::new()));
    }
    if job.state.is_final() {
        records.push(Record::End(job.id, job.state, job.stop, job.exit, events));
    } else if !events.is_empty() {
        records.push(Record::Hold(job.id, job.state, events));
    }
}

/// How many rows a submission made, whatever became of them.
fn made_by(batch: &Batch) -> u64 {
    match &batch.tasks {
        Tasks::Same(count) => u64::from(*count),
        Tasks::Lines(text) => text.split('\n').count() as u64,
    }
}
