//! A campaign's bag: tasks are drawn as they are taken, and come back when a job was killed or failed.

use chacha20::ChaCha8Rng;

use crate::duration::Duration;

/// Tasks that are nowhere. A task is its duration: the n-th task of a campaign has the same one in every run.
#[derive(Debug)]
pub(crate) struct Bag {
    fresh: u64,
    duration: Duration,
    rng: ChaCha8Rng,
    /// Killed: they may go anywhere.
    returned: Vec<u32>,
    /// Failed, by cluster: they may go anywhere else.
    avoiding: Vec<Vec<u32>>,
    /// Whether it may go to more than one cluster.
    elsewhere: bool,
    /// Tasks in it.
    len: u64,
    /// Milliseconds of all tasks drawn so far, and of the longest.
    pub(crate) drawn: (u64, u32),
}

impl Bag {
    /// All `tasks` of a campaign that may go to `places` of so many `clusters`.
    pub(crate) fn new(tasks: u64, (duration, rng): (Duration, ChaCha8Rng), (clusters, places): (usize, usize)) -> Bag {
        let avoiding = vec![Vec::new(); clusters];
        Bag {
            fresh: tasks,
            duration,
            rng,
            returned: Vec::new(),
            avoiding,
            elsewhere: places > 1,
            len: tasks,
            drawn: (0, 0),
        }
    }

    /// Tasks in it.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Tasks in it that may go to this cluster.
    pub(crate) fn pending(&self, cluster: usize) -> u64 {
        let not_here = if self.elsewhere { self.avoiding[cluster].len() as u64 } else { 0 };
        self.len() - not_here
    }

    /// The duration of a task for this cluster: those that came back first.
    pub(crate) fn take(&mut self, cluster: usize) -> Option<u32> {
        let task = self.take_returned(cluster).or_else(|| self.draw())?;
        self.len -= 1;
        Some(task)
    }

    fn take_returned(&mut self, cluster: usize) -> Option<u32> {
        let elsewhere = self.elsewhere;
        let mut others = self.avoiding.iter_mut().enumerate().filter(|(at, _)| !elsewhere || *at != cluster);
        self.returned.pop().or_else(|| others.find_map(|(_, tasks)| tasks.pop()))
    }

    fn draw(&mut self) -> Option<u32> {
        self.fresh = self.fresh.checked_sub(1)?;
        let task = self.duration.draw(&mut self.rng);
        self.drawn = (self.drawn.0 + u64::from(task), self.drawn.1.max(task));
        Some(task)
    }

    /// A task was killed.
    pub(crate) fn give_back(&mut self, task: u32) {
        self.returned.push(task);
        self.len += 1;
    }

    /// A task failed on this cluster.
    pub(crate) fn give_back_from(&mut self, task: u32, cluster: usize) {
        self.avoiding[cluster].push(task);
        self.len += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::rand_core::SeedableRng;

    fn bag(tasks: u64, places: usize) -> Bag {
        Bag::new(tasks, (Duration::Constant(1.0), ChaCha8Rng::seed_from_u64(1)), (2, places))
    }

    #[test]
    fn a_task_that_failed_goes_elsewhere_if_there_is_a_place() {
        let mut bag = bag(0, 2);
        bag.give_back_from(7, 0);
        assert_eq!((bag.pending(0), bag.pending(1), bag.take(0), bag.take(1)), (0, 1, None, Some(7)));
        let mut alone = self::bag(0, 1);
        alone.give_back_from(7, 0);
        assert_eq!((alone.pending(0), alone.take(0)), (1, Some(7)));
    }

    #[test]
    fn what_came_back_goes_first() {
        let mut bag = bag(1, 2);
        bag.give_back(7);
        assert_eq!([bag.take(0), bag.take(0), bag.take(0)], [Some(7), Some(1000), None]);
    }
}
