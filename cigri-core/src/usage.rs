//! Accounts: what jobs had of clusters, in core-milliseconds, and what became of it.
//!
//! A job is charged whole to the day (UTC) on which it ended. Its cores are those that it asked for: what a cluster gave
//! beyond that is not ours to know.

use std::collections::BTreeMap;

use crate::group;
use crate::language::ClusterSpec;
use crate::state::Role;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;
/// Core-milliseconds of a core-hour.
pub const CORE_HOUR_MS: f64 = 3_600_000.0;

/// What accounts are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Whose campaigns they are of.
    User,
    /// The campaign.
    Campaign,
    /// The cluster.
    Cluster,
    /// The day (UTC).
    Day,
}

impl By {
    /// The word of a query.
    pub fn parse(word: &str) -> Option<By> {
        [By::User, By::Campaign, By::Cluster, By::Day].into_iter().find(|by| by.as_str() == word)
    }

    /// The shown word.
    pub fn as_str(self) -> &'static str {
        match self {
            By::User => "user",
            By::Campaign => "campaign",
            By::Cluster => "cluster",
            By::Day => "day",
        }
    }
}

/// What became of the time of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ended its task as done.
    Useful,
    /// It was killed, or its success was not needed: the time is lost.
    Lost,
    /// Its program ended without a result.
    Failed,
    /// It was ended by its owner.
    Cancelled,
}

/// A job that ended. Times are epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// What became of its time.
    pub outcome: Outcome,
    /// Whether its program is known to have run, though nobody saw when.
    pub ran: bool,
    /// When it started, as its cluster says.
    pub started_at: Option<i64>,
    /// When it was first seen running.
    pub seen_at: Option<i64>,
    /// When it stopped, or was seen to have stopped.
    pub stopped_at: i64,
    /// How many tasks of its remote job are known by the same times, at least 1.
    pub sharing: i64,
}

/// What a job is charged for each moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Cores that it asks for; what the request does not tell counts 1.
    pub cores: u32,
    /// Whether the request tells them.
    pub is_told: bool,
    /// Its walltime, milliseconds: what was only seen cannot have lasted longer.
    pub walltime_ms: i64,
    /// How many tasks of a remote job run at once: more of them that lasted as long as each other shared their time.
    pub side_by_side: i64,
}

impl Rate {
    /// That of one task of a campaign on a cluster, or of a step. Tasks of a group ask for as much as single ones: a job
    /// that runs several side by side has as many times the cores.
    pub fn of(spec: &ClusterSpec, role: Role) -> Rate {
        let walltime_s = spec.step_of(role).map_or(spec.walltime_s, |step| step.walltime_s);
        let (cores, is_told) = spec.cores_for(role);
        let walltime_ms = i64::try_from(walltime_s).unwrap_or(i64::MAX).saturating_mul(1000);
        Rate { cores, is_told, walltime_ms, side_by_side: 1 }
    }

    /// That of each of so many tasks, at most, that share a remote job.
    pub fn of_grouped(spec: &ClusterSpec, tasks: u64) -> Rate {
        let whole = Rate::of(&group::remote_spec(spec, tasks), Role::Tasks);
        let side_by_side = i64::from(spec.grouping.side_by_side.max(1));
        Rate { walltime_ms: whole.walltime_ms, side_by_side, ..Rate::of(spec, Role::Tasks) }
    }
}

/// What was charged: core-milliseconds, and numbers of jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Account {
    /// Core-milliseconds of jobs that ended their tasks as done.
    pub useful_ms: i64,
    /// Core-milliseconds of jobs that were killed.
    pub lost_ms: i64,
    /// Core-milliseconds of jobs whose programs ended without a result.
    pub failed_ms: i64,
    /// Core-milliseconds of jobs that their owners ended.
    pub cancelled_ms: i64,
    /// Jobs that ended their tasks as done.
    pub done: i64,
    /// Jobs that were killed while they ran.
    pub killed: i64,
    /// Jobs whose programs ended without a result.
    pub failed: i64,
    /// Jobs that their owners ended while they ran.
    pub cancelled: i64,
    /// Of all these, jobs whose request does not tell how many cores they had.
    pub guessed: i64,
    /// Of all these, jobs too short to be seen running: they are charged no time.
    pub untimed: i64,
}

impl Account {
    /// Both together.
    #[must_use]
    pub fn and(self, more: Account) -> Account {
        Account {
            useful_ms: self.useful_ms.saturating_add(more.useful_ms),
            lost_ms: self.lost_ms.saturating_add(more.lost_ms),
            failed_ms: self.failed_ms.saturating_add(more.failed_ms),
            cancelled_ms: self.cancelled_ms.saturating_add(more.cancelled_ms),
            done: self.done + more.done,
            killed: self.killed + more.killed,
            failed: self.failed + more.failed,
            cancelled: self.cancelled + more.cancelled,
            guessed: self.guessed + more.guessed,
            untimed: self.untimed + more.untimed,
        }
    }

    /// All core-milliseconds.
    pub fn total_ms(&self) -> i64 {
        [self.useful_ms, self.lost_ms, self.failed_ms, self.cancelled_ms]
            .iter()
            .fold(0, |sum, ms| sum.saturating_add(*ms))
    }

    /// One job; `None` if it never ran.
    fn of(job: &Ended, rate: Rate) -> Option<Account> {
        let span_ms = job.span_ms(rate.walltime_ms);
        if span_ms.is_none() && !job.ran {
            return None;
        }
        let whole_ms = span_ms.unwrap_or_default().saturating_mul(i64::from(rate.cores));
        let charged = match job.sharing > rate.side_by_side {
            true => (i128::from(whole_ms) * i128::from(rate.side_by_side) / i128::from(job.sharing)) as i64,
            false => whole_ms,
        };
        let account =
            Account { guessed: i64::from(!rate.is_told), untimed: i64::from(span_ms.is_none()), ..Account::default() };
        Some(match job.outcome {
            Outcome::Useful => Account { useful_ms: charged, done: 1, ..account },
            Outcome::Lost => Account { lost_ms: charged, killed: 1, ..account },
            Outcome::Failed => Account { failed_ms: charged, failed: 1, ..account },
            Outcome::Cancelled => Account { cancelled_ms: charged, cancelled: 1, ..account },
        })
    }
}

impl Ended {
    /// How long it ran; clocks may differ, nothing lasts less than no time.
    fn span_ms(&self, walltime_ms: i64) -> Option<i64> {
        let since = |start: i64| self.stopped_at.saturating_sub(start).max(0);
        self.started_at.map(since).or(self.seen_at.map(|start| since(start).min(walltime_ms)))
    }
}

/// The day (UTC) of a moment (epoch milliseconds), counted from the epoch.
pub fn day(at: i64) -> i64 {
    at.div_euclid(DAY_MS)
}

/// What jobs of one kind are charged, by day (UTC, counted from the epoch).
pub fn by_day(ended: impl Iterator<Item = Ended>, rate: Rate) -> BTreeMap<i64, Account> {
    let mut days: BTreeMap<i64, Account> = BTreeMap::new();
    for job in ended {
        if let Some(account) = Account::of(&job, rate) {
            let known = days.entry(day(job.stopped_at)).or_default();
            *known = known.and(account);
        }
    }
    days
}

/// A sample of a cluster at one moment, in OAR's resources (usually cores).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GridUsage {
    /// All that it has.
    pub total: i64,
    /// Of these, what jobs of anybody hold.
    pub used: i64,
    /// Cores that our running jobs asked for.
    pub ours: i64,
    /// Of all, what is absent, suspected or dead.
    pub unavailable: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Step;

    const RATE: Rate = Rate { cores: 4, is_told: true, walltime_ms: 60_000, side_by_side: 1 };

    fn ended(outcome: Outcome, started_at: i64, stopped_at: i64) -> Ended {
        Ended { outcome, ran: true, started_at: Some(started_at), seen_at: None, stopped_at, sharing: 1 }
    }

    #[test]
    fn cores_times_time_is_kept_apart_by_what_became_of_it() {
        let jobs = [Outcome::Useful, Outcome::Lost, Outcome::Failed, Outcome::Cancelled, Outcome::Useful];
        let days = by_day(jobs.into_iter().map(|outcome| ended(outcome, 1000, 3000)), RATE);
        let account = Account {
            useful_ms: 16_000,
            lost_ms: 8_000,
            failed_ms: 8_000,
            cancelled_ms: 8_000,
            done: 2,
            killed: 1,
            failed: 1,
            cancelled: 1,
            ..Account::default()
        };
        assert_eq!(days, BTreeMap::from([(0, account)]));
        assert_eq!(account.total_ms(), 40_000);
    }

    #[test]
    fn a_job_is_charged_whole_to_the_day_on_which_it_ended() {
        let jobs = [ended(Outcome::Useful, DAY_MS - 5000, DAY_MS - 1), ended(Outcome::Useful, DAY_MS - 5000, DAY_MS)];
        let days = by_day(jobs.into_iter(), RATE);
        assert_eq!(days.iter().map(|(day, one)| (*day, one.useful_ms)).collect::<Vec<_>>(), [(0, 19_996), (1, 20_000)]);
        assert_eq!(day(-1), -1);
    }

    #[test]
    fn what_was_only_seen_lasted_no_longer_than_its_walltime() {
        let seen = Ended { started_at: None, seen_at: Some(0), ..ended(Outcome::Useful, 0, 3_600_000) };
        assert_eq!(by_day([seen].into_iter(), RATE)[&0].useful_ms, 240_000, "the server was down for an hour");
        let told = ended(Outcome::Useful, 0, 3_600_000);
        assert_eq!(by_day([told].into_iter(), RATE)[&0].useful_ms, 14_400_000, "as the cluster says");
    }

    #[test]
    fn tasks_known_by_the_times_of_their_remote_job_share_its_time() {
        let tasks = [Ended { sharing: 5, ..ended(Outcome::Useful, 0, 10_000) }; 5];
        let pairs = Rate { side_by_side: 2, ..RATE };
        assert_eq!(by_day(tasks.into_iter(), pairs)[&0].useful_ms, 80_000, "two at a time, on four cores each");
        assert_eq!(by_day(tasks.into_iter(), RATE)[&0].useful_ms, 40_000, "one after the other");
        let few = [Ended { sharing: 2, ..tasks[0] }; 2];
        assert_eq!(by_day(few.into_iter(), pairs)[&0].useful_ms, 80_000, "both all the time");
        let mut spec =
            ClusterSpec { resources: "/core=4".into(), walltime_s: 60, ..ClusterSpec::new("./sim", "/home") };
        (spec.grouping.batch_s, spec.grouping.side_by_side) = (900, 2);
        assert_eq!(Rate::of_grouped(&spec, 5), Rate { walltime_ms: 180_000, ..pairs });
    }

    #[test]
    fn what_never_ran_is_not_there_and_what_nobody_saw_is_charged_no_time() {
        let unseen = Ended { started_at: None, ..ended(Outcome::Useful, 0, 5000) };
        let account = by_day([unseen].into_iter(), RATE)[&0];
        assert_eq!((account.done, account.untimed, account.total_ms()), (1, 1, 0));
        assert_eq!(by_day([Ended { ran: false, ..unseen }].into_iter(), RATE), BTreeMap::new());
    }

    #[test]
    fn clocks_that_differ_charge_nothing_less_than_nothing() {
        assert_eq!(by_day([ended(Outcome::Lost, 9000, 5000)].into_iter(), RATE)[&0].lost_ms, 0);
        let ages = ended(Outcome::Lost, i64::MIN, i64::MAX);
        assert_eq!(by_day([ages, ages].into_iter(), RATE).values().next().unwrap().lost_ms, i64::MAX);
    }

    #[test]
    fn cores_are_those_of_the_request() {
        let rate = |resources: &str| {
            let spec = ClusterSpec { resources: resources.into(), ..ClusterSpec::new("./sim", "/home/alice") };
            let rate = Rate::of(&spec, Role::Tasks);
            (rate.cores, rate.is_told)
        };
        assert_eq!(rate("/nodes=2/core=4"), (8, true));
        assert_eq!(rate("/core=1"), (1, true));
        assert_eq!(rate("{mem > 16}/core=3/licence=1"), (3, true));
        assert_eq!(rate("/nodes=1/core=4+/nodes=2/core=1"), (6, true));
        assert_eq!(rate("/nodes=2"), (2, false), "a node's cores are not known: each node counts 1");
        assert_eq!(rate("/core=ALL"), (1, false));
        assert_eq!(rate("/licence=1"), (1, false));
        assert_eq!(rate("/nodes=2+/core=1"), (3, false));
    }

    #[test]
    fn a_step_is_charged_for_what_it_asks_for_itself() {
        let step = Step { script: "true".into(), walltime_s: 60, resources: "/core=3".into() };
        let spec = ClusterSpec { prologue: Some(step), ..ClusterSpec::new("./sim", "/home/alice") };
        let rate = Rate::of(&spec, Role::Prologue);
        assert_eq!(rate, Rate { cores: 3, ..RATE });
        assert_eq!(Rate::of(&spec, Role::Epilogue).cores, 1);
    }
}
