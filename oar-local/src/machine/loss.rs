//! Jobs that are gone without a trace: rows that an admin purged, a database that was reset, or restored from an old
//! copy. Their processes die first, so that nothing runs of which nobody knows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::job::{Job, State};
use super::mishap::pick;
use super::record::Record;
use super::select::end_of;
use super::trouble::Suspicion;
use super::{Command, Machine};

/// Why a job's process is destroyed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Doom {
    /// The job is to be gone.
    Forgotten,
    /// Its node failed.
    Suspected(Suspicion),
}

/// An earlier state of the database.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    /// The last job that it has.
    after: u64,
    next_job: u64,
}

/// How often one command line ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// Jobs that got their cores.
    pub started: u64,
    /// Of these, copies that OAR made by itself of jobs whose node failed.
    #[serde(default)]
    pub copies: u64,
    /// Those that ended by themselves, with whatever exit code.
    pub ended: u64,
}

impl Machine {
    /// A job is gone for good: in no listing, no answer to its id. False when there is none. One that holds cores is
    /// gone as soon as its process is.
    pub fn forget(&mut self, id: u64, now: i64) -> bool {
        let Some(job) = self.jobs.get(&id) else { return false };
        if job.state.holds_cores() {
            self.destroy(id, Doom::Forgotten);
            return true;
        }
        self.erase(id);
        self.rounds.wake(now);
        self.react(now);
        true
    }

    /// As [`Machine::forget`], for one of the best-effort jobs that wait or run, chosen by `draw`. Answers which.
    pub fn forget_any(&mut self, draw: u64, now: i64) -> Option<u64> {
        let hidden = self.copies.values().flatten().filter(|id| !self.live.contains(id));
        let can_go = |job: &&Job| {
            let is_there = job.state == State::Waiting || job.state.holds_cores() && !job.killing;
            is_there && job.batch.is_besteffort()
        };
        let jobs = self.live.iter().chain(hidden).filter_map(|id| self.jobs.get(id)).filter(can_go);
        let jobs: Vec<u64> = jobs.map(|job| job.id).collect();
        let id = pick(&jobs, draw)?;
        self.forget(id, now).then_some(id)
    }

    /// The database is reset: no job is left, and ids start from `first`.
    pub fn reset(&mut self, first: u64, now: i64) {
        self.begin_cut(Cut { after: 0, next_job: first.max(1) }, now);
    }

    /// The database is one from before all jobs after `last`: these are gone, and their ids are given again.
    pub fn restore_to(&mut self, last: u64, now: i64) {
        let last = last.min(self.next_job - 1);
        self.begin_cut(Cut { after: last, next_job: last + 1 }, now);
    }

    fn begin_cut(&mut self, cut: Cut, now: i64) {
        let holds = |id: &u64| self.jobs.get(id).is_some_and(|job| job.state.holds_cores());
        let running: Vec<u64> = self.live.range(cut.after + 1..).copied().filter(holds).collect();
        running.into_iter().for_each(|id| self.destroy(id, Doom::Forgotten));
        self.cut = Some(cut);
        self.try_cut();
        self.rounds.wake(now);
        self.react(now);
    }

    /// Goes back to the earlier state that is wanted, once nothing runs that it does not know.
    pub(super) fn try_cut(&mut self) {
        let Some(cut) = self.cut else { return };
        let first = cut.after + 1;
        let holds = |id: &u64| self.jobs.get(id).is_some_and(|job| job.state.holds_cores());
        if self.live.range(first..).any(holds) {
            return;
        }
        self.cut = None;
        for index in
            [&mut self.live, &mut self.normal, &mut self.besteffort].into_iter().chain(self.live_of.values_mut())
        {
            index.split_off(&first);
        }
        self.ended.retain(|(_, id)| *id < first);
        self.alarms.retain(|(_, id, _)| *id < first);
        self.record(Record::Cut { after: cut.after, next_job: cut.next_job });
        let mut gates: Vec<u64> = self.gates.keys().copied().filter(|gate| *gate >= first).collect();
        gates.sort_unstable();
        gates.into_iter().for_each(|gate| self.release(gate));
    }

    /// Kills the process of a job that holds cores; what becomes of the job is decided when it is gone.
    pub(super) fn destroy(&mut self, id: u64, doom: Doom) {
        self.begin_kill(id);
        self.doomed.insert(id, doom);
        self.commands.push(Command::Destroy(id));
    }

    /// Removes a job without process.
    pub(super) fn erase(&mut self, id: u64) {
        self.free(id);
        let Some(job) = self.jobs.get(&id) else { return };
        self.ended.remove(&(end_of(job), id));
        if let Some(ids) = self.live_of.get_mut(&job.batch.user) {
            ids.remove(&id);
        }
        for index in [&mut self.live, &mut self.normal, &mut self.besteffort] {
            index.remove(&id);
        }
        self.record(Record::Gone(id));
        // Who waits for a job that does not exist waits no longer.
        self.release(id);
    }

    /// Applies [`Record::Gone`].
    pub(super) fn drop_row(&mut self, id: u64) {
        let Some(job) = self.jobs.remove(&id) else { return };
        if let Some(copies) = self.copies.get_mut(&job.batch.first) {
            copies.remove(&id);
        }
        count(&mut self.past_runs, &job);
    }

    /// Applies [`Record::Cut`].
    pub(super) fn drop_rows(&mut self, after: u64, next_job: u64) {
        let first = after + 1;
        let gone = self.jobs.split_off(&first);
        gone.values().for_each(|job| count(&mut self.past_runs, job));
        self.arrays.retain(|array, rows| {
            *rows = (*rows).min(first.saturating_sub(*array));
            *rows > 0
        });
        self.copies.values_mut().for_each(|copies| drop(copies.split_off(&first)));
        let events = self.jobs.values().flat_map(|job| &job.events).map(|event| event.id);
        self.next_event = events.max().unwrap_or(0) + 1;
        self.next_job = next_job;
    }

    /// How often each command line was started and ran to its end, also by jobs that are gone.
    #[must_use]
    pub fn runs(&self) -> BTreeMap<String, Runs> {
        let mut runs = self.past_runs.clone();
        self.jobs.values().for_each(|job| count(&mut runs, job));
        runs
    }
}

fn count(runs: &mut BTreeMap<String, Runs>, job: &Job) {
    if job.start == 0 {
        return;
    }
    let of_command = runs.entry(job.command()).or_default();
    of_command.started += 1;
    of_command.copies += u64::from(job.copy_of != 0);
    of_command.ended += u64::from(job.state == State::Terminated);
}
