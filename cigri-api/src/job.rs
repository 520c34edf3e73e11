//! Jobs (attempts) and their output on the wire.

use serde::{Deserialize, Serialize};

/// One attempt to run a task on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Job id (one per attempt).
    pub id: i64,
    /// Campaign id.
    pub campaign_id: i64,
    /// What it is: `tasks`, `test` (a task of the campaign's sample), `prologue`, `epilogue`.
    #[serde(default)]
    pub role: String,
    /// Global task id (0 for a prologue or an epilogue), as CiGri 3's clients know parameters.
    pub task_id: i64,
    /// Index of the task in its campaign, from 0; negative for a prologue or an epilogue.
    pub task_index: i64,
    /// Generation of the task: 1, then one more for each user's retry.
    pub generation: i32,
    /// Attempt number within the task, from 1.
    pub attempt: i32,
    /// `launching submitted running unknown done failed killed returned cancelled`.
    pub state: String,
    /// Cluster name.
    pub cluster: String,
    /// Id on the cluster, once known.
    pub remote_id: Option<i64>,
    /// Exit code of the program (0-255), when it ended by itself.
    pub exit_code: Option<i32>,
    /// Why it ended (`success exit_code best_effort_kill walltime ...`).
    pub cause: Option<String>,
    /// Details: last lines of stderr, or the cluster's own words.
    pub detail: Option<String>,
    /// Epoch seconds.
    pub submit_time: i64,
    /// Epoch seconds.
    pub start_time: Option<i64>,
    /// Epoch seconds.
    pub stop_time: Option<i64>,
    /// Its place among the tasks that share its remote job, from 0.
    #[serde(default)]
    pub slot: i32,
    /// The task's parameter text.
    pub parameters: String,
}

/// Output of a job, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// Text; bytes that are not UTF-8 are replaced.
    pub output: String,
}

/// What the tasks of a campaign wrote, as far as they are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Results {
    /// The local folder that the campaign names for it; its owner alone is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
    /// The files of this page.
    pub items: Vec<ResultFile>,
    /// How many tasks of the campaign are done.
    pub done: u64,
    /// The `after` of the next page, absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// A file that a task wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFile {
    /// The job that wrote it.
    pub job_id: i64,
    /// Index of its task.
    pub task_index: i64,
    /// Cluster where it is.
    pub cluster: String,
    /// What it is called where all files of the campaign are together: no path.
    pub name: String,
    /// Why it cannot be fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}
