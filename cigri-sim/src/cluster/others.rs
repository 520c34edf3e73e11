//! Other users' normal jobs on a modelled cluster, and how long each waited.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::load::OtherJob;

/// Normal jobs: to come, waiting, about to start, running.
#[derive(Debug)]
pub(super) struct Normal {
    jobs: Arc<[OtherJob]>,
    next: usize,
    pub(super) waiting: Vec<u32>,
    /// Jobs that wait for slots which were cleared of ours in the last round.
    pub(super) launching: Vec<u32>,
    ends: BinaryHeap<Reverse<(i64, u32)>>,
    /// Slots of those that run.
    pub(super) slots: u32,
    /// How long each job waited, milliseconds; -1 until it starts.
    waits: Vec<i32>,
}

impl Normal {
    pub(super) fn new(jobs: Arc<[OtherJob]>) -> Normal {
        let waits = vec![-1; jobs.len()];
        Normal { jobs, next: 0, waiting: Vec::new(), launching: Vec::new(), ends: BinaryHeap::new(), slots: 0, waits }
    }

    /// Jobs that were submitted until `now` wait.
    pub(super) fn arrive(&mut self, now: i64) {
        while self.jobs.get(self.next).is_some_and(|job| job.submit_ms <= now) {
            self.waiting.push(self.next as u32);
            self.next += 1;
        }
    }

    /// Nothing of theirs waits, nor will by `now`.
    pub(super) fn is_quiet(&self, now: i64) -> bool {
        let none_comes = self.jobs.get(self.next).is_none_or(|job| job.submit_ms > now);
        none_comes && self.waiting.is_empty() && self.launching.is_empty()
    }

    /// Jobs that do not run at `now`, whether or not a round has seen them.
    pub(super) fn in_queue(&self, now: i64) -> impl Iterator<Item = u32> {
        let is_there = move |job: &u32| self.jobs.get(*job as usize).is_some_and(|job| job.submit_ms <= now);
        let new = (self.next as u32..).take_while(is_there);
        self.waiting.iter().chain(&self.launching).copied().chain(new)
    }

    pub(super) fn slots_of(&self, job: u32) -> u32 {
        self.jobs[job as usize].slots
    }

    pub(super) fn start(&mut self, job: u32, now: i64) {
        let OtherJob { submit_ms, run_ms, slots } = self.jobs[job as usize];
        self.waits[job as usize] = i32::try_from(now - submit_ms).unwrap_or(i32::MAX);
        self.slots += slots;
        self.ends.push(Reverse((now + run_ms, slots)));
    }

    /// How long each waited until `end`, started or not; -1: it was not submitted by then.
    pub(super) fn waits(&self, end: i64) -> Vec<i32> {
        let until_end = |job: &OtherJob| (end - job.submit_ms).clamp(-1, i64::from(i32::MAX)) as i32;
        let wait = |(job, wait): (&OtherJob, &i32)| if *wait < 0 { until_end(job) } else { *wait };
        self.jobs.iter().zip(&self.waits).map(wait).collect()
    }

    pub(super) fn next_end(&self) -> Option<i64> {
        self.ends.peek().map(|Reverse((at, _))| *at)
    }

    pub(super) fn end_next(&mut self) {
        if let Some(Reverse((_, slots))) = self.ends.pop() {
            self.slots -= slots;
        }
    }
}
