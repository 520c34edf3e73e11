//! What a cluster's administrator allows there: in the configuration, and changed at run time.

mod check;
mod merge;
mod misread;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::law::LawSettings;
use super::window::Window;
use crate::breaker::BreakerSettings;
use crate::stuck::StuckLimits;
pub use merge::{Fitting, configured, fitting, keep, merge, without_configured};

/// Limits of a cluster, set by its admin: in the configuration, and changed at run time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClusterLimits {
    /// Whether anything may be sent there.
    pub mode: Mode,
    /// Why the mode is what it is, for users.
    pub note: String,
    /// Our jobs that may wait there (launching, in doubt, held or waiting).
    pub max_waiting: u64,
    /// Our jobs that may run there at one time. What waits may run any moment: it counts as well.
    pub max_running: u64,
    /// Jobs per submission.
    pub max_array: u64,
    /// Jobs sent within one period.
    pub max_per_cycle: u64,
    /// Seconds between two rounds while something of ours is there: the meter's period.
    pub period_s: u64,
    /// Whether users may send jobs there that are not best-effort: prologues, epilogues and samples are such.
    pub normal_jobs: bool,
    /// Most retries of a task for one class of failures that a campaign may ask for there.
    pub max_retries: u64,
    /// How many of our jobs should wait there.
    pub law: LawSettings,
    /// Live jobs of a user there; `*` is everybody who is not named.
    pub user_quotas: BTreeMap<String, u64>,
    /// Live jobs there of all members of a group.
    pub group_quotas: BTreeMap<String, u64>,
    /// Live jobs there of a project, as campaigns name it.
    pub project_quotas: BTreeMap<String, u64>,
    /// Users' weights in the share of the cluster; who is not named has 1.
    pub weights: BTreeMap<String, f64>,
    /// When jobs may be sent there; always, without any.
    pub windows: Vec<Window>,
    /// Requests that may reach it, per second on average.
    pub requests_per_s: f64,
    /// Bytes sent and received, per second on average.
    pub bytes_per_s: f64,
    /// Part of the time in which a request of ours may be under way there, 0 to 1.
    pub busy: f64,
    /// Above which load nothing is sent; none: it is not asked.
    pub stress: Option<StressLimit>,
    /// When other people's normal jobs are given way to; none: they are not asked for.
    pub give_way: Option<GiveWay>,
    /// The file server that jobs there use; none: it is not watched.
    pub file_server: Option<FileServerSettings>,
    /// When so many jobs fail there that nothing more is sent for a while.
    pub breaker: BreakerSettings,
    /// How long jobs may stay in one state there.
    pub stuck: StuckLimits,
}

/// Whether jobs may be sent to a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// They may.
    Open,
    /// Nothing new is sent, what waits is taken back, what runs ends.
    Drained,
    /// No request of ours reaches it; jobs that are there are left alone.
    Disabled,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Mode::Open => "open",
            Mode::Drained => "drained",
            Mode::Disabled => "disabled",
        })
    }
}

/// The load that a cluster tells, and how much of it is too much.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StressLimit {
    /// The load of a cluster that is full: OAR's own script tells a load average, not a fraction.
    pub reference: f64,
    /// The fraction of it from which on nothing is sent.
    #[serde(default = "stress_limit")]
    pub limit: f64,
}

/// CiGri 3's.
fn stress_limit() -> f64 {
    0.8
}

/// When nothing is sent, and what waits is taken back, for normal jobs of other people that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GiveWay {
    /// Seconds that a normal job is seen waiting before it is given way to: two rounds of the cluster's scheduler, which
    /// it takes to make room.
    pub after_s: u64,
    /// Seconds after which it is given way to no longer: what still waits then does not wait for us.
    pub most_s: u64,
}

impl Default for GiveWay {
    fn default() -> Self {
        GiveWay { after_s: 120, most_s: 3600 }
    }
}

/// A file server whose load is steered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileServerSettings {
    /// What prints its load, a number: a URL (`http...`), or a command line.
    pub sensor: String,
    /// The load that is steered to.
    pub reference: f64,
    /// Megabytes that one job moves: the larger, the more careful. Rather too many than too few.
    #[serde(default = "file_mb")]
    pub job_mb: f64,
    /// Cycles until the load is where it should be, 1 to 15.
    #[serde(default = "settling")]
    pub settling: f64,
    /// Seconds between two readings: the cycle.
    #[serde(default = "cycle_s")]
    pub period_s: u64,
    /// Seconds for which a reading is good.
    #[serde(default = "ttl_s")]
    pub ttl_s: u64,
    /// Jobs per cycle without a good reading.
    #[serde(default = "floor")]
    pub floor: u64,
}

fn file_mb() -> f64 {
    100.0
}

/// With 10 the load overshoots a limit a third above the reference for about 1 % of the time, with 12 it does not.
fn settling() -> f64 {
    12.0
}

fn cycle_s() -> u64 {
    30
}

fn ttl_s() -> u64 {
    90
}

fn floor() -> u64 {
    1
}

impl Default for ClusterLimits {
    fn default() -> Self {
        ClusterLimits {
            mode: Mode::Open,
            note: String::new(),
            // Half of OAR's window of 1 000 jobs per queue and round; arrays of 500 stay under half a second.
            max_waiting: 500,
            max_running: 10_000,
            max_array: 500,
            max_per_cycle: 1000,
            period_s: 15,
            normal_jobs: true,
            max_retries: 100,
            law: LawSettings::default(),
            user_quotas: BTreeMap::new(),
            group_quotas: BTreeMap::new(),
            project_quotas: BTreeMap::new(),
            weights: BTreeMap::new(),
            windows: Vec::new(),
            requests_per_s: 10.0,
            bytes_per_s: 5e6,
            busy: 0.2,
            stress: None,
            give_way: None,
            file_server: None,
            breaker: BreakerSettings::default(),
            stuck: StuckLimits::default(),
        }
    }
}
