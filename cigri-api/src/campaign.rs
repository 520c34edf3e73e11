//! Campaigns on the wire.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Problem;

/// State of a campaign, in CiGri 3's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CampaignState {
    /// Parameters are still being received.
    Receiving,
    /// Tasks are being sent and followed.
    InTreatment,
    /// No new submissions; what runs goes on.
    Paused,
    /// Every task has ended.
    Terminated,
    /// Ended by its owner.
    Cancelled,
}

/// A campaign and its counters. `total = pending + live + done + failed + cancelled`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Campaign {
    /// Campaign id.
    pub id: i64,
    /// Name given by the user.
    pub name: String,
    /// Owner's login.
    pub user: String,
    /// State.
    pub state: CampaignState,
    /// When it was accepted, epoch seconds.
    pub submission_time: i64,
    /// When its last task ended, epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<i64>,
    /// Number of tasks.
    pub total_jobs: u64,
    /// Names of its parameters, in the order of a task's words; none where they have none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameter_names: Vec<String>,
    /// Tasks that wait in the bag (never tried, or back from a failed attempt).
    pub pending: u64,
    /// Tasks with a live job (being sent, waiting remotely, or running).
    pub live: u64,
    /// Of the live ones, those seen running.
    pub running: u64,
    /// Tasks that succeeded.
    pub done: u64,
    /// Tasks that failed for good.
    pub failed: u64,
    /// Tasks ended by a cancel.
    pub cancelled: u64,
    /// Attempts killed on a cluster and brought back.
    pub kills: u64,
    /// Per cluster: name to share.
    pub clusters: BTreeMap<String, ClusterShare>,
    /// True when nothing is live and every cluster of the campaign is on hold until a person acts.
    pub stalled: bool,
    /// How far it is with its sample (`test_mode`), in words: while only that is sent, and while the campaign is paused
    /// after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// What ends it, if it does not end by itself. While its bag is open `total_jobs` and `pending` say nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endless: Option<Endless>,
    /// The file it came from, for campaigns sent by `cigri run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
}

/// What ends a campaign that does not end by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endless {
    /// When, epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// After how many successes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successes: Option<u64>,
    /// `open` while tasks are sent; then what ended it: `until`, `successes`, `exhausted` (a task's exit 67),
    /// `cancelled`.
    pub bag: String,
}

/// What a campaign has on one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterShare {
    /// Live jobs there.
    pub active_jobs: u64,
    /// Why nothing is sent there, while the campaign is on hold there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Its prologue there, if the campaign has one: `due`, `live`, `done`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prologue: Option<String>,
    /// Its epilogue there, likewise; `unneeded` where nothing has run. It is sent when every task has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epilogue: Option<String>,
}

/// Where a campaign came from: lets the same file be run again and resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Canonical path of the campaign file.
    pub path: String,
    /// SHA-256 (hex) over the campaign file and its parameter file.
    pub digest: String,
}

/// The `options` part of a multipart submission.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitOptions {
    /// The file it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// `exec_directory` where the file gives none (absolute path).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_directory: Option<String>,
    /// Make each cluster that the file names a local one (single-machine mode only).
    #[serde(default)]
    pub local: bool,
}

/// Answer to an accepted submission.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// The new campaign.
    #[serde(flatten)]
    pub campaign: Campaign,
    /// What was accepted but deserves a look.
    #[serde(default)]
    pub warnings: Vec<Problem>,
    /// What a single machine cannot honour, said once each.
    #[serde(default)]
    pub notices: Vec<String>,
}

/// Answer to tasks that were added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Added {
    /// The campaign with them.
    #[serde(flatten)]
    pub campaign: Campaign,
    /// How many tasks this request added.
    pub added: u64,
    /// What was accepted but deserves a look.
    #[serde(default)]
    pub warnings: Vec<Problem>,
}

/// Answer to an accepted change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// 202.
    pub status: u16,
    /// "Accepted".
    pub title: String,
    /// One sentence.
    pub message: String,
}
