//! Our jobs on a modelled cluster: the queue, what runs, and which of them is killed first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// A job of ours, as small as it can be: a month has millions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Job {
    /// Index of its campaign.
    pub(crate) campaign: u32,
    /// How long it runs, milliseconds.
    pub(crate) work_ms: u32,
    /// Slots it takes.
    pub(crate) slots: u32,
    /// The submission it came with.
    pub(crate) submission: u32,
}

#[derive(Debug, Clone, Copy)]
struct Running {
    job: Job,
    started_ms: i64,
    /// Distinguishes the jobs that had this place one after the other.
    generation: u32,
    alive: bool,
}

/// Jobs of ours that wait and run.
#[derive(Debug, Default)]
pub(crate) struct Ours {
    pub(super) queue: VecDeque<Job>,
    places: Vec<Running>,
    vacant: Vec<u32>,
    ends: BinaryHeap<Reverse<(i64, u32, u32)>>,
    /// Places by start, the youngest last; ended ones are dropped when they surface.
    by_start: Vec<(u32, u32)>,
    /// Slots that they take.
    pub(super) slots: u32,
    running: usize,
}

impl Ours {
    /// Jobs that run.
    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// When the next of them ends.
    pub(super) fn next_end(&self) -> Option<i64> {
        self.ends.peek().map(|Reverse((at, ..))| *at)
    }

    /// Starts a job that ends at `end`.
    pub(super) fn start(&mut self, job: Job, now: i64, end: i64) {
        let running = Running { job, started_ms: now, generation: 0, alive: true };
        let place = match self.vacant.pop() {
            Some(place) => {
                let generation = self.places[place as usize].generation + 1;
                self.places[place as usize] = Running { generation, ..running };
                place
            }
            None => {
                self.places.push(running);
                self.places.len() as u32 - 1
            }
        };
        let generation = self.places[place as usize].generation;
        self.ends.push(Reverse((end, place, generation)));
        self.by_start.push((place, generation));
        self.slots += job.slots;
        self.running += 1;
        if self.by_start.len() > 2 * self.running + 64 {
            let places = &self.places;
            self.by_start.retain(|(place, generation)| is_alive(places, *place, *generation));
        }
    }

    /// The job whose end is next, if it still runs then.
    pub(super) fn end_next(&mut self) -> Option<Job> {
        let Reverse((_, place, generation)) = self.ends.pop()?;
        is_alive(&self.places, place, generation).then(|| self.vacate(place).job)
    }

    /// Kills the youngest; the job, and since when it ran.
    pub(super) fn kill_youngest(&mut self) -> Option<(Job, i64)> {
        while let Some((place, generation)) = self.by_start.pop() {
            if is_alive(&self.places, place, generation) {
                let killed = self.vacate(place);
                return Some((killed.job, killed.started_ms));
            }
        }
        None
    }

    fn vacate(&mut self, place: u32) -> Running {
        let running = &mut self.places[place as usize];
        running.alive = false;
        self.vacant.push(place);
        self.slots -= running.job.slots;
        self.running -= 1;
        *running
    }
}

fn is_alive(places: &[Running], place: u32, generation: u32) -> bool {
    let running = &places[place as usize];
    running.alive && running.generation == generation
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(work_ms: u32) -> Job {
        Job { campaign: 0, work_ms, slots: 1, submission: 0 }
    }

    #[test]
    fn the_youngest_is_killed_and_its_end_is_forgotten() {
        let mut ours = Ours::default();
        ours.start(job(10), 0, 10);
        ours.start(job(20), 1, 21);
        assert_eq!(ours.kill_youngest(), Some((job(20), 1)));
        ours.start(job(30), 2, 32);
        assert_eq!(ours.end_next(), Some(job(10)));
        assert_eq!(ours.end_next(), None);
        assert_eq!((ours.next_end(), ours.running(), ours.slots), (Some(32), 1, 1));
        assert_eq!(ours.kill_youngest(), Some((job(30), 2)));
        assert_eq!(ours.kill_youngest(), None);
    }
}
