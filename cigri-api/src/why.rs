//! Why no more of a campaign is sent, on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `GET /campaigns/{id}/why`: a [`List`](crate::List) of refusals, and what else there is to say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Why {
    /// Cluster by cluster: its last round.
    pub items: Vec<Refusal>,
    /// How many items there are.
    pub total: u64,
    /// What concerns the campaign as a whole: it is paused, it has ended, none of its clusters exists any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Where the task is that was asked for (`?task=N`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<TaskPlace>,
    /// Earlier decisions, the newest first (`?history=N`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Refusal>,
}

/// Why a campaign gets no more jobs on one cluster right now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Cluster name.
    pub cluster: String,
    /// When the round was held, epoch seconds. A decision is kept as long as it does not change.
    pub at: i64,
    /// How many jobs the meter allowed.
    pub allowed: u64,
    /// Tasks that could go there then.
    #[serde(default)]
    pub of: u64,
    /// The term that bound (`waiting_cap`, `hold`, `max_jobs`...).
    pub bound_by: String,
    /// The same in words.
    pub reason: String,
    /// Who could change that, and how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Why this may no longer hold: no round has ended well there since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outdated: Option<String>,
    /// What the decision was made from: the numbers of the cluster, of the jobs of its shape, of the campaign and of its
    /// user, as they were then. Null: nothing was decided.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub inputs: Value,
    /// Every term that was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub terms: Vec<TermShown>,
}

/// One term of a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermShown {
    /// Its word.
    pub term: String,
    /// Jobs that it allows by itself.
    pub allowed: u64,
    /// Why, in words with numbers.
    pub reason: String,
}

/// Where one task is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskPlace {
    /// Index of the task in its campaign, from 0.
    pub index: i64,
    /// `pending`, the state of its live job, or how it ended: `done failed cancelled`.
    pub state: String,
    /// The same in a sentence, with what it waits for.
    pub sentence: String,
    /// Tasks of its campaign that are sent before it, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// Its live job, else its last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<i64>,
    /// Where that is or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Since when the state is what it is, epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
    /// Attempts so far.
    pub attempts: u64,
    /// Clusters that it avoids, because it failed there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub avoids: Vec<String>,
    /// Its last attempts, in their order: 100 at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<PastAttempt>,
}

/// One attempt of a task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastAttempt {
    /// Its job.
    pub job_id: i64,
    /// Generation of the task: 1, then one more for each user's retry.
    pub generation: i32,
    /// Its number, from 1.
    pub attempt: i32,
    /// State of its job.
    pub state: String,
    /// Cluster name.
    pub cluster: String,
    /// Host on which it failed, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// What it asked for, as `/core=1,walltime=02:00:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<String>,
    /// Class of its failure, else the cause of its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The first line of the details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What came next: `tried again`, `retried`, `waits for its next try`, `over`; none while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}
