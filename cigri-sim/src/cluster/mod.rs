//! A cluster run by OAR, as far as the meter can tell: rounds, normal jobs first, best-effort jobs on what is left.
//!
//! A round starts normal jobs in the order of their submission as far as they fit (first fit over a window of 1 000);
//! for one that fits only where ours run, the youngest of ours are killed, and it starts in the next round. Then ours
//! start, first come, first served, over a window of 1 000.

mod others;
mod ours;
mod used;

use std::sync::Arc;

use others::Normal;
pub(crate) use ours::{Job, Ours};
use used::State;
pub(crate) use used::Used;

use crate::load::OtherJob;

/// Jobs per queue that a round looks at.
const WINDOW: usize = 1000;
/// How long a job lives on a cluster where every job fails, milliseconds.
const FAILURE_MS: i64 = 1000;

/// What happened to our jobs since the last look.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Jobs that left the queue, by campaign.
    pub(crate) starts: Vec<u64>,
    /// Their submissions.
    pub(crate) started: Vec<u32>,
    /// Jobs that ended, each with whether it did its task.
    pub(crate) ended: Vec<(Job, bool)>,
    /// Jobs that were killed.
    pub(crate) killed: Vec<Job>,
}

/// One modelled cluster.
#[derive(Debug)]
pub(crate) struct Cluster {
    slots: u32,
    black_hole: bool,
    now: i64,
    ours: Ours,
    normal: Normal,
    /// Slots kept for normal jobs that start in the next round.
    kept: u32,
    /// Slots that our waiting jobs would need.
    queued: u64,
    /// Slots that tasks in bags would need.
    in_bags: u64,
    pub(crate) used: Used,
    pub(crate) news: News,
    pub(crate) kills: u64,
    /// Slot-milliseconds of killed jobs.
    pub(crate) lost: f64,
    /// Jobs of each campaign that ran to their end since the file server was last looked at.
    pub(crate) moved: Vec<u64>,
    /// Live jobs of each campaign that wait, and that run.
    pub(crate) waiting: Vec<u64>,
    pub(crate) running: Vec<u64>,
}

impl Cluster {
    /// An empty cluster, for jobs of so many campaigns.
    pub(crate) fn new((slots, black_hole): (u32, bool), jobs: Arc<[OtherJob]>, campaigns: usize) -> Cluster {
        Cluster {
            slots,
            black_hole,
            now: 0,
            ours: Ours::default(),
            normal: Normal::new(jobs),
            kept: 0,
            queued: 0,
            in_bags: 0,
            used: Used::default(),
            news: News { starts: vec![0; campaigns], ..News::default() },
            kills: 0,
            lost: 0.0,
            moved: vec![0; campaigns],
            waiting: vec![0; campaigns],
            running: vec![0; campaigns],
        }
    }

    /// A job waits from now on.
    pub(crate) fn submit(&mut self, job: Job) {
        self.waiting[job.campaign as usize] += 1;
        self.queued += u64::from(job.slots);
        self.ours.queue.push_back(job);
    }

    /// Takes back the last of our waiting jobs.
    pub(crate) fn take_back(&mut self) -> Option<Job> {
        let job = self.ours.queue.pop_back()?;
        self.waiting[job.campaign as usize] -= 1;
        self.queued -= u64::from(job.slots);
        Some(job)
    }

    /// Normal jobs that its API lists as waiting, by their numbers: those for which ours are being killed as well.
    pub(crate) fn normal_waiting(&self) -> impl Iterator<Item = u64> {
        self.normal.in_queue(self.now).map(u64::from)
    }

    /// Slots that tasks in bags would need, from now on.
    pub(crate) fn set_in_bags(&mut self, slots: u64) {
        self.in_bags = slots;
    }

    /// Our live jobs.
    pub(crate) fn live(&self) -> u64 {
        (self.ours.queue.len() + self.ours.running()) as u64
    }

    /// How long each normal job waited until `end`, milliseconds; -1: it was not there yet.
    pub(crate) fn normal_waits(&self, end: i64) -> Vec<i32> {
        self.normal.waits(end)
    }

    fn free(&self) -> u32 {
        self.slots - self.normal.slots - self.kept - self.ours.slots
    }

    /// Jobs end until `to`.
    pub(crate) fn advance(&mut self, to: i64) {
        loop {
            let (ours, normal) = (self.ours.next_end(), self.normal.next_end());
            let next = ours.into_iter().chain(normal).min().filter(|at| *at <= to);
            let Some(at) = next else { break };
            self.pass(at);
            if ours == Some(at) {
                self.end_ours();
            } else {
                self.normal.end_next();
            }
        }
        self.pass(to);
    }

    fn pass(&mut self, to: i64) {
        let state = State {
            free: self.slots - self.normal.slots - self.kept,
            ours: self.ours.slots,
            waiting: self.ours.queue.len(),
            idle: self.queued + self.in_bags,
        };
        self.used.add(state, to - self.now);
        self.now = to;
    }

    fn end_ours(&mut self) {
        let Some(job) = self.ours.end_next() else { return };
        let campaign = job.campaign as usize;
        self.running[campaign] -= 1;
        self.moved[campaign] += u64::from(!self.black_hole);
        self.news.ended.push((job, !self.black_hole));
    }

    /// A round of the scheduler.
    pub(crate) fn schedule(&mut self, now: i64) {
        self.advance(now);
        if !self.normal.is_quiet(now) {
            self.schedule_normal(now);
        }
        self.schedule_ours(now);
    }

    fn schedule_normal(&mut self, now: i64) {
        for job in std::mem::take(&mut self.normal.launching) {
            self.kept -= self.normal.slots_of(job);
            self.normal.start(job, now);
        }
        self.normal.arrive(now);
        let waiting = std::mem::take(&mut self.normal.waiting);
        let mut left = Vec::new();
        for (place, job) in waiting.into_iter().enumerate() {
            if place >= WINDOW || !self.place_normal(job, now) {
                left.push(job);
            }
        }
        self.normal.waiting = left;
    }

    /// Whether the job starts, now or in the next round.
    fn place_normal(&mut self, job: u32, now: i64) -> bool {
        let slots = self.normal.slots_of(job);
        if slots <= self.free() {
            self.normal.start(job, now);
            return true;
        }
        if slots > self.free() + self.ours.slots {
            return false;
        }
        while slots > self.free() {
            self.kill(now);
        }
        self.kept += slots;
        self.normal.launching.push(job);
        true
    }

    fn kill(&mut self, now: i64) {
        if let Some((job, since)) = self.ours.kill_youngest() {
            self.running[job.campaign as usize] -= 1;
            self.kills += 1;
            self.lost += (now - since) as f64 * f64::from(job.slots);
            self.news.killed.push(job);
        }
    }

    fn schedule_ours(&mut self, now: i64) {
        let mut left = Vec::new();
        for _ in 0..WINDOW.min(self.ours.queue.len()) {
            if self.free() == 0 {
                break;
            }
            let Some(job) = self.ours.queue.pop_front() else { break };
            if job.slots > self.free() {
                left.push(job);
                continue;
            }
            let run = if self.black_hole { FAILURE_MS } else { i64::from(job.work_ms) };
            let campaign = job.campaign as usize;
            self.waiting[campaign] -= 1;
            self.queued -= u64::from(job.slots);
            self.running[campaign] += 1;
            self.news.starts[campaign] += 1;
            self.news.started.push(job.submission);
            self.ours.start(job, now, now + run);
        }
        for job in left.into_iter().rev() {
            self.ours.queue.push_front(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(slots: u32, others: &[(i64, i64, u32)]) -> Cluster {
        let jobs = others.iter().map(|&(submit_ms, run_ms, slots)| OtherJob { submit_ms, run_ms, slots });
        Cluster::new((slots, false), jobs.collect(), 1)
    }

    fn job(work_ms: u32) -> Job {
        Job { campaign: 0, work_ms, slots: 1, submission: 0 }
    }

    #[test]
    fn ours_start_in_a_round_on_what_is_free() {
        let mut cluster = cluster(2, &[]);
        (0..3).for_each(|_| cluster.submit(job(7_000)));
        assert_eq!(cluster.running, [0]);
        cluster.schedule(10_000);
        assert_eq!((cluster.running[0], cluster.waiting[0], cluster.news.starts[0]), (2, 1, 2));
        cluster.schedule(20_000);
        assert_eq!((cluster.running[0], cluster.waiting[0], cluster.news.ended.len()), (1, 0, 2));
    }

    #[test]
    fn for_a_normal_job_the_youngest_are_killed_and_it_starts_one_round_later() {
        let mut cluster = cluster(3, &[(15_000, 60_000, 2)]);
        cluster.submit(job(100_000));
        cluster.schedule(0);
        (0..2).for_each(|_| cluster.submit(job(50_000)));
        cluster.schedule(10_000);
        cluster.schedule(20_000);
        assert_eq!((cluster.news.killed.clone(), cluster.lost), (vec![job(50_000); 2], 20_000.0));
        cluster.submit(job(1_000));
        cluster.schedule(30_000);
        assert_eq!((cluster.normal_waits(30_000), cluster.running[0], cluster.waiting[0]), (vec![15_000], 1, 1));
    }

    #[test]
    fn normal_jobs_wait_from_their_submission_until_they_run_also_while_ours_are_killed_for_them() {
        let mut cluster = cluster(2, &[(1_000, 60_000, 1), (5_000, 60_000, 2)]);
        (0..3).for_each(|_| cluster.submit(job(100_000)));
        cluster.schedule(0);
        let waiting = |cluster: &Cluster| cluster.normal_waiting().collect::<Vec<u64>>();
        assert_eq!(waiting(&cluster), [] as [u64; 0]);
        cluster.advance(2_000);
        assert_eq!(waiting(&cluster), [0]);
        cluster.schedule(10_000);
        assert_eq!((waiting(&cluster), cluster.kills), (vec![1, 0], 1), "one is killed for, the other is too wide");
        cluster.schedule(20_000);
        assert_eq!(waiting(&cluster), [1]);
        assert_eq!((cluster.take_back(), cluster.waiting[0], cluster.queued), (Some(job(100_000)), 0, 0));
        assert_eq!(cluster.take_back(), None);
    }

    #[test]
    fn a_normal_job_that_fits_goes_at_once_before_one_that_does_not() {
        let in_a_year = 31_536_000_000;
        let mut cluster = cluster(4, &[(0, 60_000, 3), (0, 60_000, 3), (0, 60_000, 1), (in_a_year, 1, 1)]);
        cluster.schedule(10_000);
        assert_eq!(cluster.normal_waits(10_000), [10_000, 10_000, 10_000, -1]);
        assert_eq!(cluster.normal_waits(25_000), [10_000, 25_000, 10_000, -1], "one that did not start waits still");
    }

    #[test]
    fn what_waits_could_use_as_many_slots_as_its_jobs_ask_for() {
        let mut cluster = cluster(10, &[]);
        (0..2).for_each(|_| cluster.submit(Job { slots: 4, ..job(5_000) }));
        cluster.advance(1_000);
        assert_eq!(cluster.used.usable, 8.0 * 1_000.0);
        cluster.schedule(1_000);
        cluster.advance(2_000);
        assert_eq!(cluster.used.usable, 8.0 * 1_000.0, "nothing is left that could use any");
    }
}
