//! Jobs that go neither on nor back: how long each state of a remote job may last, and what is done then.
//!
//! Times are ours: how long the rounds of this process saw a job in one state, on a clock ([`Ticks`]) that neither jumps
//! nor counts the hours in which nobody looked. A restart begins anew, and so does a job that moved.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// Where a remote job stands, as far as it may be stuck there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// In the queue.
    Waiting,
    /// Held by somebody: our own rows are never held, but for gates.
    Held,
    /// Chosen by the scheduler, not started.
    Launching,
    /// Running.
    Running,
    /// Its program is over, its end is not written down.
    Finishing,
}

/// How long each may last, as an admin may set it for a cluster. Seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StuckLimits {
    /// What waits longer is taken back, if its campaign can go elsewhere.
    pub waiting_s: u64,
    /// What is being launched for longer is deleted, and sent elsewhere.
    pub launching_s: u64,
    /// What runs on for longer than its walltime and this is deleted, and sent elsewhere.
    pub over_walltime_s: u64,
    /// What is held by somebody for longer is told.
    pub held_s: u64,
    /// What does not finish for longer is told.
    pub finishing_s: u64,
    /// What is held for longer is taken back; what does not finish, or does not die, for longer is given up as lost.
    pub give_up_s: u64,
}

impl Default for StuckLimits {
    fn default() -> Self {
        StuckLimits {
            waiting_s: 4 * 3600,
            launching_s: 600,
            over_walltime_s: 1800,
            held_s: 600,
            finishing_s: 1800,
            give_up_s: 86_400,
        }
    }
}

/// What is done about a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Its owner is told.
    Tell,
    /// It is deleted, and its task goes elsewhere where it can.
    TakeBack,
    /// The same, if its task can go elsewhere; otherwise it is left.
    Move,
    /// It is lost: neither a success nor a failure of its program.
    GiveUp,
}

/// What is done about a job that stood so for `for_s` seconds; `None`: nothing yet. `walltime_s` is its own.
pub fn remedy(stand: Stand, for_s: u64, walltime_s: u64, limits: &StuckLimits) -> Option<Remedy> {
    let over = |limit_s: u64| for_s >= limit_s;
    match stand {
        Stand::Waiting => over(limits.waiting_s).then_some(Remedy::Move),
        Stand::Launching if over(limits.launching_s.saturating_add(limits.give_up_s)) => Some(Remedy::GiveUp),
        Stand::Launching => over(limits.launching_s).then_some(Remedy::TakeBack),
        Stand::Running => {
            let limit_s = walltime_s.saturating_add(limits.over_walltime_s);
            let in_vain = over(limit_s.saturating_add(limits.give_up_s)).then_some(Remedy::GiveUp);
            in_vain.or_else(|| over(limit_s).then_some(Remedy::TakeBack))
        }
        Stand::Held if over(limits.give_up_s) => Some(Remedy::TakeBack),
        Stand::Held => over(limits.held_s).then_some(Remedy::Tell),
        Stand::Finishing if over(limits.give_up_s) => Some(Remedy::GiveUp),
        Stand::Finishing => over(limits.finishing_s).then_some(Remedy::Tell),
    }
}

/// Two rounds that are farther apart count as this much, milliseconds: nobody looked, or the clock was set.
const LONGEST_TICK_MS: i64 = 600_000;

/// A clock that only goes on while rounds look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ticks {
    passed_ms: i64,
    last: Option<i64>,
}

impl Ticks {
    /// A round that saw its cluster at `now`, epoch milliseconds.
    pub fn tick(&mut self, now: i64) {
        let step = self.last.map_or(0, |last| now.saturating_sub(last));
        self.passed_ms += step.clamp(0, LONGEST_TICK_MS);
        self.last = Some(now);
    }
}

/// Since when jobs stand where they do, by our id of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watch(HashMap<i64, (Stand, i64)>);

impl Watch {
    /// Jobs as a listing shows them, at this time; the others are forgotten. Returns for how many seconds each has stood so.
    pub fn see(&mut self, jobs: &[(i64, Stand)], ticks: Ticks) -> Vec<(i64, Stand, u64)> {
        let since = |(id, stand): &(i64, Stand)| {
            let known = self.0.get(id).filter(|(before, _)| before == stand);
            (*id, (*stand, known.map_or(ticks.passed_ms, |(_, since)| *since)))
        };
        self.0 = jobs.iter().map(since).collect();
        let for_s = |(_, since): &(Stand, i64)| ((ticks.passed_ms - since) / 1000).max(0) as u64;
        jobs.iter().filter_map(|(id, stand)| Some((*id, *stand, for_s(self.0.get(id)?)))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_has_its_limit_and_its_remedy() {
        let limits = StuckLimits::default();
        let of = |stand, for_s| remedy(stand, for_s, 3600, &limits);
        assert_eq!((of(Stand::Waiting, 14_399), of(Stand::Waiting, 14_400)), (None, Some(Remedy::Move)));
        assert_eq!((of(Stand::Launching, 599), of(Stand::Launching, 600)), (None, Some(Remedy::TakeBack)));
        assert_eq!((of(Stand::Running, 5399), of(Stand::Running, 5400)), (None, Some(Remedy::TakeBack)));
        assert_eq!((of(Stand::Held, 599), of(Stand::Held, 600)), (None, Some(Remedy::Tell)));
        assert_eq!(of(Stand::Held, 86_400), Some(Remedy::TakeBack));
        assert_eq!((of(Stand::Finishing, 1799), of(Stand::Finishing, 1800)), (None, Some(Remedy::Tell)));
        assert_eq!(of(Stand::Finishing, 86_400), Some(Remedy::GiveUp));
        // What was deleted for a day, and does not die.
        assert_eq!(
            (of(Stand::Launching, 600 + 86_399), of(Stand::Launching, 600 + 86_400)),
            (Some(Remedy::TakeBack), Some(Remedy::GiveUp))
        );
        assert_eq!(
            (of(Stand::Running, 5400 + 86_399), of(Stand::Running, 5400 + 86_400)),
            (Some(Remedy::TakeBack), Some(Remedy::GiveUp))
        );
    }

    #[test]
    fn time_counts_while_somebody_looks_and_clocks_may_jump() {
        let mut ticks = Ticks::default();
        for now in [1_000_000, 1_015_000, 90_000_000, 2_000, 17_000] {
            ticks.tick(now);
        }
        // 15 s, a jump forward that counts for ten minutes, one back that counts for nothing, 15 s.
        assert_eq!(ticks.passed_ms, 15_000 + 600_000 + 15_000);
    }

    #[test]
    fn a_job_that_moved_begins_anew() {
        let (mut watch, mut ticks) = (Watch::default(), Ticks::default());
        let mut see = |at: i64, jobs: &[(i64, Stand)]| {
            ticks.tick(at * 1000);
            watch.see(jobs, ticks)
        };
        see(0, &[(1, Stand::Waiting), (2, Stand::Waiting)]);
        let seen = see(60, &[(1, Stand::Waiting), (2, Stand::Launching)]);
        assert_eq!(seen, [(1, Stand::Waiting, 60), (2, Stand::Launching, 0)]);
        see(120, &[(2, Stand::Launching)]);
        assert_eq!(
            see(180, &[(1, Stand::Waiting), (2, Stand::Launching)]),
            [(1, Stand::Waiting, 0), (2, Stand::Launching, 120)]
        );
    }
}
