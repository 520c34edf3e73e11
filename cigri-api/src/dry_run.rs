//! What would become of a campaign, told without taking it in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Answer to `POST /campaigns?dry_run=1`: the campaign would be accepted. Numbers that are given only when it is (its own,
/// its tasks', its jobs') are 0 in here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DryRun {
    /// Number of tasks; absent for a campaign without an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<u64>,
    /// The campaign after defaults, inheritance and rules, without its parameters.
    pub jdl: Value,
    /// Each cluster's part.
    pub clusters: BTreeMap<String, ClusterPreview>,
    /// Seconds within which one of the clusters alone would run all of it, if each job took its whole walltime and as many
    /// ran at a time as may be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_within_s: Option<u64>,
    /// What deserves a look, one sentence each.
    pub warnings: Vec<String>,
    /// What rules changed, and what a single machine cannot honour.
    pub notices: Vec<String>,
}

/// What one cluster would be asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterPreview {
    /// The first command lines, as the job's shell reads them.
    pub first: Vec<CommandLine>,
    /// The last ones, as far as they are not among the first.
    pub last: Vec<CommandLine>,
    /// Resources there, alive or not, that satisfy the campaign's `properties`; absent where it has none or the cluster did
    /// not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matching_resources: Option<u64>,
    /// The first `POST /jobs` requests, with lists of parameters cut.
    pub requests: Vec<RequestPreview>,
}

/// One request that a cluster would get.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RequestPreview {
    /// What it is for: `prologue`, `gate of the sample`, `sample`, `gate`, `tasks` or `epilogue`.
    pub of: String,
    /// Its body.
    pub body: Value,
}

/// The command of one task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandLine {
    /// Index of the task, from 0.
    pub index: u64,
    /// The line.
    pub command: String,
}
