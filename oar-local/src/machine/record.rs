//! The facts that change jobs. The machine changes a job only by applying a record, and hands each one to its
//! owner for the journal: replaying them gives the same jobs again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Machine;
use super::event::Event;
use super::job::{Batch, Job, State, Tasks};

/// One fact. Serialised with short names: a campaign writes about three per job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Record {
    /// Identifiers not to be used again (end of a compacted journal).
    #[serde(rename = "open")]
    Opened {
        /// Next job id.
        next_job: u64,
        /// Next event id.
        next_event: u64,
    },
    /// A submission, whole.
    #[serde(rename = "sub")]
    Submitted(Arc<Batch>),
    /// A job got its cores: id, epoch seconds, cores.
    #[serde(rename = "start")]
    Start(u64, i64, Box<[u32]>),
    /// Its process exists: id, pid, start of the process in clock ticks since boot.
    #[serde(rename = "run")]
    Run(u64, u32, u64),
    /// Something was asked of a job: id, whether the kill signal was sent, events.
    #[serde(rename = "frag")]
    Frag(u64, bool, Vec<Event>),
    /// Something was told about a job: id, events.
    #[serde(rename = "note")]
    Noted(u64, Vec<Event>),
    /// A job was held or resumed: id, new state, event.
    #[serde(rename = "hold")]
    Hold(u64, State, Vec<Event>),
    /// A submission that had stopped half-way went on to its end: array.
    #[serde(rename = "done")]
    Completed(u64),
    /// A job ended: id, final state, stop time in epoch seconds, raw wait status, events.
    #[serde(rename = "end")]
    End(u64, State, i64, Option<i32>, Vec<Event>),
    /// The trouble of a job's node was treated: id, the copy that was made of the job, events.
    #[serde(rename = "treat")]
    Treated(u64, Option<Copied>, Vec<Event>),
    /// A job is gone without a trace.
    #[serde(rename = "gone")]
    Gone(u64),
    /// The database is an earlier one: the jobs after a given one are gone, and ids go on from another.
    #[serde(rename = "cut")]
    Cut {
        /// The last job that is kept.
        after: u64,
        /// Next job id.
        next_job: u64,
    },
}

/// A copy that OAR made of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copied {
    /// Its id.
    pub id: u64,
    /// The row of its submission that it stands for.
    pub row: u64,
    /// The stop time that it has from its original.
    pub stop: i64,
}

impl Machine {
    /// Applies a fact without telling anybody; indexes are the caller's business.
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::Opened { next_job, next_event } => {
                self.next_job = self.next_job.max(next_job);
                self.next_event = self.next_event.max(next_event);
            }
            Record::Submitted(batch) => self.insert(&batch),
            Record::Start(id, at, cores) => self.change(id, |job| {
                (job.state, job.start, job.cores) = (State::ToLaunch, at, cores);
            }),
            Record::Run(id, pid, born) => self.change(id, |job| {
                (job.state, job.process) = (State::Running, Some((pid, born)));
            }),
            Record::Frag(id, killing, events) => self.change_with(id, events, |job| {
                job.fragged = true;
                job.killing |= killing;
            }),
            Record::Noted(id, events) => self.change_with(id, events, |_| ()),
            Record::Hold(id, state, events) => {
                self.change_with(id, events, |job| job.state = state);
            }
            Record::Completed(array) => self.describe(array),
            Record::End(id, state, at, exit, events) => self.change_with(id, events, |job| {
                (job.state, job.stop, job.exit) = (state, at, exit);
                (job.process, job.killing) = (None, false);
            }),
            Record::Treated(id, copied, events) => {
                self.change_with(id, events, |job| job.events.iter_mut().for_each(|event| event.kind.settle()));
                copied.into_iter().for_each(|copied| self.insert_copy(id, copied));
            }
            Record::Gone(id) => self.drop_row(id),
            Record::Cut { after, next_job } => self.drop_rows(after, next_job),
        }
    }

    fn change(&mut self, id: u64, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.jobs.get_mut(&id) {
            change(job);
        }
    }

    fn change_with(&mut self, id: u64, events: Vec<Event>, change: impl FnOnce(&mut Job)) {
        if let Some(last) = events.last() {
            self.next_event = self.next_event.max(last.id + 1);
        }
        self.change(id, |job| {
            // Most jobs have one event in their life: no room is wasted for more.
            job.events.reserve_exact(events.len());
            job.events.extend(events);
            change(job);
        });
    }

    fn insert(&mut self, batch: &Arc<Batch>) {
        let mut id = batch.first;
        let mut add = |line: Option<(u32, u32)>| {
            let index = u32::try_from(id - batch.first + 1).unwrap_or(u32::MAX);
            self.jobs.insert(id, fresh(id, batch, index, line));
            id += 1;
        };
        match &batch.tasks {
            Tasks::Same(count) => (0..*count).for_each(|_| add(None)),
            Tasks::Lines(text) => {
                let mut offset = 0u32;
                for line in text.split('\n') {
                    let length = u32::try_from(line.len()).unwrap_or(u32::MAX);
                    add(Some((offset, length)));
                    offset = offset.saturating_add(length).saturating_add(1);
                }
            }
        }
        self.next_job = self.next_job.max(id);
        self.arrays.insert(batch.first, id - batch.first);
    }

    fn insert_copy(&mut self, copy_of: u64, copied: Copied) {
        let Some(model) = self.jobs.get(&copy_of).or_else(|| self.jobs.get(&copied.row)) else { return };
        let fresh = fresh(copied.id, &model.batch, model.index, model.line);
        let copy = Job { copy_of, state: State::Waiting, stop: copied.stop, ..fresh };
        self.copies.entry(copy.batch.first).or_default().insert(copied.id);
        self.next_job = self.next_job.max(copied.id + 1);
        self.jobs.insert(copied.id, copy);
    }
}

fn fresh(id: u64, batch: &Arc<Batch>, index: u32, line: Option<(u32, u32)>) -> Job {
    Job {
        id,
        batch: Arc::clone(batch),
        index,
        line,
        state: batch.first_state(),
        start: 0,
        stop: 0,
        exit: None,
        cores: Box::default(),
        events: Vec::new(),
        fragged: false,
        killing: false,
        process: None,
        copy_of: 0,
    }
}
