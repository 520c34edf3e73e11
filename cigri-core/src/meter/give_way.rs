//! Giving way: while other people's normal jobs wait for longer than making room for them takes, ours do not go ahead of
//! them.
//!
//! OAR takes a round to kill what is in the way of a normal job, and starts it in the next: to wait for two rounds is
//! normal, more is not. What waits for very long waits for something else than us (its own limits, a node that is
//! gone), and nobody is helped if slots stay empty for it.

use std::collections::BTreeMap;

use super::limits::GiveWay;
use super::{Bound, Reason};

/// Other people's normal jobs that wait on a cluster, and since when they were seen waiting.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Neighbours {
    since: BTreeMap<u64, i64>,
    /// When they were last looked at, epoch milliseconds.
    seen_at: Option<i64>,
}

impl Neighbours {
    /// These jobs, by their numbers, were seen waiting at `now` (epoch milliseconds). A clock that went back makes all
    /// of them new.
    pub fn see(&mut self, now: i64, waiting: impl IntoIterator<Item = u64>) {
        let known = std::mem::take(&mut self.since);
        let since = |job: &u64| known.get(job).copied().filter(|since| *since <= now).unwrap_or(now);
        self.since = waiting.into_iter().map(|job| (job, since(&job))).collect();
        self.seen_at = Some(now);
    }

    /// When they were last looked at, epoch milliseconds.
    pub fn seen_at(&self) -> Option<i64> {
        self.seen_at
    }

    /// Jobs that are given way to.
    pub fn kept_waiting(&self, settings: &GiveWay) -> u64 {
        let Some(now) = self.seen_at else { return 0 };
        let (least, most) = (ms(settings.after_s), ms(settings.most_s));
        let waited = self.since.values().map(|since| now - since);
        waited.filter(|waited| (least..=most).contains(waited)).count() as u64
    }

    /// Nothing goes to the cluster while they wait. What was seen longer than `ttl_s` seconds before `now` (epoch
    /// milliseconds), or after it, says nothing.
    pub fn bound(&self, now: i64, ttl_s: u64, settings: &GiveWay) -> Option<Bound> {
        let is_fresh = self.seen_at.is_some_and(|at| now.abs_diff(at) <= ttl_s.saturating_mul(1000));
        let jobs = if is_fresh { self.kept_waiting(settings) } else { 0 };
        (jobs > 0).then(|| Bound::none(Reason::GiveWay { jobs, after_s: settings.after_s }))
    }
}

fn ms(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAY: GiveWay = GiveWay { after_s: 120, most_s: 600 };

    /// The looks at these seconds, each with the jobs that wait.
    fn seen(looks: &[(i64, &[u64])]) -> Neighbours {
        let mut neighbours = Neighbours::default();
        looks.iter().for_each(|(at, jobs)| neighbours.see(at * 1000, jobs.iter().copied()));
        neighbours
    }

    fn jobs(looks: &[(i64, &[u64])]) -> u64 {
        seen(looks).kept_waiting(&WAY)
    }

    #[test]
    fn a_job_is_given_way_to_once_it_waits_longer_than_making_room_takes() {
        assert_eq!(jobs(&[(0, &[7])]), 0);
        assert_eq!(jobs(&[(0, &[7]), (105, &[7])]), 0);
        assert_eq!(jobs(&[(0, &[7]), (105, &[7]), (120, &[7])]), 1);
        assert_eq!(jobs(&[(0, &[7]), (120, &[])]), 0, "it was started");
        assert_eq!(jobs(&[(0, &[7]), (60, &[8]), (120, &[8, 9])]), 0, "others wait now, none of them long");
        assert_eq!(jobs(&[(0, &[7]), (60, &[]), (120, &[7])]), 0, "it was not there all the time");
        assert_eq!(jobs(&[(0, &[7, 8]), (200, &[7, 8, 9])]), 2);
    }

    #[test]
    fn what_waits_for_very_long_does_not_wait_for_us() {
        assert_eq!(jobs(&[(0, &[7]), (600, &[7])]), 1);
        assert_eq!(jobs(&[(0, &[7]), (601, &[7])]), 0);
        assert_eq!(jobs(&[(0, &[7]), (300, &[7, 8]), (601, &[7, 8])]), 1, "the younger one may");
    }

    #[test]
    fn a_clock_that_went_back_makes_all_of_them_new() {
        assert_eq!(jobs(&[(1000, &[7]), (0, &[7]), (119, &[7])]), 0);
        assert_eq!(jobs(&[(1000, &[7]), (0, &[7]), (120, &[7])]), 1);
    }

    #[test]
    fn nothing_is_sent_meanwhile_unless_the_look_is_too_old() {
        let neighbours = seen(&[(0, &[7]), (150, &[7])]);
        let reason = Reason::GiveWay { jobs: 1, after_s: 120 };
        assert_eq!(neighbours.bound(160_000, 30, &WAY), Some(Bound::none(reason)));
        assert_eq!(neighbours.bound(180_001, 30, &WAY), None);
        assert_eq!(neighbours.bound(119_999, 30, &WAY), None, "the clock was put back");
        assert_eq!(Neighbours::default().bound(0, 30, &WAY), None, "nobody looked");
        assert_eq!(seen(&[(150, &[7])]).bound(150_000, 30, &WAY), None);
    }
}
