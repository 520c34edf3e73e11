//! What failed and why, and which of it is tried again, on the wire.

use serde::{Deserialize, Serialize};

/// `GET /campaigns/{id}/failures`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// Campaign id.
    pub campaign_id: i64,
    /// Whether attempts are counted that were followed by another (`?attempts=1`), or tasks that are failed.
    pub attempts: bool,
    /// How many tasks are failed, of which something is kept.
    pub failed_tasks: u64,
    /// How many attempts failed, of the groups that are meant.
    pub failed_attempts: u64,
    /// Failed tasks of which nothing is kept: they failed before this was written down.
    pub unexplained: u64,
    /// The largest groups of the same failure.
    pub groups: Vec<FailureGroup>,
    /// How many groups there are beside these.
    pub other_groups: u64,
    /// What the parameters of all failures have in common, where there are several groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub common: Vec<CommonTrait>,
    /// The tasks that were compared for this.
    pub sample: Sampled,
}

/// How many tasks were compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampled {
    /// Failures.
    pub failed: u64,
    /// Tasks that are done.
    pub done: u64,
    /// Whether there are more of either: these were drawn by lot, always the same.
    pub is_part: bool,
}

/// The same failure of many attempts: same class, exit code and signature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureGroup {
    /// What kind of trouble it is (`walltime`, `exit`, `memory`...).
    pub class: String,
    /// Exit code of the program, where it ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The telling line of standard error, without what differs from task to task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Tasks that are failed by it.
    pub failed: u64,
    /// Attempts that failed so, these included.
    pub attempts: u64,
    /// Of these, attempts that were followed by another one.
    pub retried: u64,
    /// Clusters where, the most first.
    pub clusters: Vec<Share>,
    /// Hosts where, as far as they are known, the most first; not all of many.
    pub hosts: Vec<Share>,
    /// How many hosts there are in all.
    pub all_hosts: u64,
    /// What the parameters of these tasks have in common.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub common: Vec<CommonTrait>,
    /// One of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<FailureExample>,
    /// What can be done, in words.
    pub advice: String,
    /// What to type then.
    pub command: String,
}

/// A part of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Of a cluster or a host.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// A range of one parameter that has nearly all failures, and few of the tasks that are done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommonTrait {
    /// The parameter (`p1`, `p2`... where they have no names).
    pub parameter: String,
    /// The range, as `cigri retry --where` takes it, where it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Part of the failures, 0 to 1.
    pub of_failed: f64,
    /// Part of the tasks that are done, 0 to 1.
    pub of_done: f64,
    /// The same in words.
    pub sentence: String,
}

/// One failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureExample {
    /// Its job.
    pub job_id: i64,
    /// Index of its task, from 0.
    pub task_index: i64,
    /// Where.
    pub cluster: String,
    /// The task's parameters.
    pub parameters: String,
    /// Advice and the last lines of its standard error, where they were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// `POST /campaigns/{id}/retry`: which tasks are tried again. An empty one means all that failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetryRequest {
    /// All tasks that have ended, done ones too.
    #[serde(skip_serializing_if = "is_false")]
    pub all: bool,
    /// Only tasks with these indices, done ones too (`3,7-20`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tasks: Option<String>,
    /// Only tasks that failed for these classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Only tasks whose last failure was on these clusters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<String>,
    /// Only tasks whose last attempt ended with these exit codes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exits: Vec<i32>,
    /// Only tasks that meet this condition (CEL).
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Walltime from then on: `x2`, or `h:m:s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub walltime: Option<String>,
    /// Resources from then on, without walltime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Answer to a retry; with `?dry_run=1`, what it would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retried {
    /// Tasks that got a new generation.
    pub tasks: u64,
    /// Of these, how many were done.
    #[serde(default)]
    pub done: u64,
    /// Holds of the campaign that were lifted.
    pub holds_lifted: u64,
    /// Which (`3, 7-20`): the first of many.
    #[serde(default)]
    pub which: String,
    /// How many tasks are not in `which`.
    #[serde(default)]
    pub and_more: u64,
    /// What is worth telling, such as a walltime that a cluster does not give.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}
