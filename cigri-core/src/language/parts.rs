//! The parts of a resolved campaign that have a shape of their own: what runs before and after its tasks, how tasks are
//! packed into jobs, what happens to their output, and when an endless one ends.

use serde::{Deserialize, Serialize};

use crate::failure::Class;

/// A sample of tasks that is run before all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestMode {
    /// Tasks per cluster, from 1.
    pub jobs: u32,
    /// What comes after the sample.
    pub then: AfterTest,
}

/// What a campaign does when its sample has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterTest {
    /// It waits for its owner.
    Wait,
    /// It goes on by itself if every task of the sample succeeded, and waits otherwise.
    Continue,
}

/// A bag without an end: one command, started again and again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endless {
    /// No job is sent after this moment, epoch milliseconds.
    pub until: Option<i64>,
    /// No job is sent after so many successes.
    pub successes: Option<u64>,
}

impl Endless {
    /// Tasks that such a campaign begins with: more than it will ever try.
    pub const TASKS: u64 = 1_000_000_000;
}

/// A prologue or an epilogue: one job of a campaign on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Shell lines, joined by newlines. `{CAMPAIGN_ID}` and `{OAR_JOB_ID}` are still in it.
    pub script: String,
    /// Its longest duration, in seconds.
    pub walltime_s: u64,
    /// Its resource request, without walltime.
    pub resources: String,
}

/// How tasks are packed into remote jobs. Without grouping a job runs one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouping {
    /// Tasks that run one after the other.
    pub in_turn: InTurn,
    /// How long a group of tasks should take, in seconds; no task of it begins later than that.
    pub batch_s: u64,
    /// Tasks that run side by side on one node, from 1. The job then asks for one node with so many times the
    /// cores of one task.
    pub side_by_side: u32,
}

/// Tasks of a group that run one after the other (on each of its places, if several run side by side).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InTurn {
    /// One.
    One,
    /// As many as the measured durations suggest.
    Auto,
    /// So many at most, from 2.
    AtMost(u32),
}

impl Grouping {
    /// CiGri 3's own length of a batch, in seconds.
    pub const BATCH_S: u64 = 900;

    /// Whether a job of it is a plain one: one task, no runner.
    pub fn is_none(&self) -> bool {
        self.in_turn == InTurn::One && self.side_by_side == 1
    }
}

impl Default for Grouping {
    fn default() -> Self {
        Self { in_turn: InTurn::One, batch_s: Self::BATCH_S, side_by_side: 1 }
    }
}

/// OAR's signal to the program before its job is ended at its walltime or for a normal job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Seconds that the program gets, from 1.
    pub before_s: u32,
    /// Signal number; OAR's own is 12 (SIGUSR2).
    pub signal: u8,
}

/// What further attempts ask for, after a task ran into its walltime or out of memory: each such failure raises it by one
/// level, from 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Escalation {
    /// Factor from the walltime of one level to that of the next, from 1.
    pub walltime: f64,
    /// What each level asks for, from the first attempt's on; what comes after the last asks for the last. Empty: what
    /// the first attempt asks for.
    pub resources: Vec<String>,
    /// The last level.
    pub most: u32,
}

impl Escalation {
    /// The last level.
    pub fn levels(&self) -> u32 {
        self.most
    }

    /// Whether a failure of this class has the next attempt ask for more: time helps against walltimes, resources help
    /// against both.
    pub fn answers(&self, class: Class) -> bool {
        match class {
            Class::Walltime => true,
            Class::Memory => !self.resources.is_empty(),
            _ => false,
        }
    }
}

/// Failures for good after which a campaign goes on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxFailures {
    /// So many tasks.
    Tasks(u64),
    /// So many of a hundred of all its tasks, once some have ended.
    Percent(u8),
}

impl MaxFailures {
    /// Tasks that have to have ended before a share is asked for.
    pub const FIRST: u64 = 20;

    /// Whether `failed` of `tasks`, of which `ended` have ended, are too many.
    pub fn is_passed(self, failed: u64, (tasks, ended): (u64, u64)) -> bool {
        match self {
            MaxFailures::Tasks(most) => failed > most,
            MaxFailures::Percent(share) => {
                let few = ended < MaxFailures::FIRST.min(tasks);
                !few && u128::from(failed) * 100 > u128::from(tasks) * u128::from(share)
            }
        }
    }
}

impl std::fmt::Display for MaxFailures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MaxFailures::Tasks(most) => write!(f, "{most}"),
            MaxFailures::Percent(share) => write!(f, "{share}%"),
        }
    }
}

/// What becomes of a file that each task writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Path of the file below the working directory. `{CAMPAIGN_ID}`, `{TASK_ID}`, `{TASK_INDEX}`, `{OAR_JOB_ID}` and
    /// named parameters are still in it.
    pub file: String,
    /// Who brings it where.
    pub method: Gathering,
}

/// How a task's file is gathered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gathering {
    /// The client fetches it, into this folder where the campaign names one.
    Collector(Option<String>),
    /// The job itself copies it with `scp`, as the user: `host:folder`.
    Scp(String),
    /// The job itself copies it with `iput`, as the user: an iRODS collection.
    Irods(String),
}
