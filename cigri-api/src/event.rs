//! Events on the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Something worth telling. Times are epoch seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Event id.
    pub id: i64,
    /// `campaign`, `cluster`, `job`, `notify`, `log`.
    pub class: String,
    /// CiGri 3's code where it exists (`EXIT_ERROR`, `WORKING_DIRECTORY_ERROR`...).
    pub code: String,
    /// `low`, `medium`, `high`.
    pub severity: String,
    /// `open` or `closed`.
    pub state: String,
    /// Campaign concerned.
    pub campaign_id: Option<i64>,
    /// Cluster concerned.
    pub cluster_name: Option<String>,
    /// User concerned.
    #[serde(default)]
    pub user: Option<String>,
    /// What happened; the last time's words, where it happened several times.
    pub message: String,
    /// The first time's words, where it happened several times.
    #[serde(default)]
    pub first_message: Option<String>,
    /// What to do.
    #[serde(default)]
    pub advice: String,
    /// How it ends: what follows "closes".
    #[serde(default)]
    pub closing: String,
    /// The event that led to it.
    #[serde(default)]
    pub parent: Option<i64>,
    /// Whether nothing is sent in its scope while it is open.
    #[serde(default)]
    pub holds: bool,
    /// How many times it happened.
    pub count: i64,
    /// How often it came back within ten minutes after it was closed.
    #[serde(default)]
    pub reopened: i64,
    /// The first time.
    pub date_open: i64,
    /// The last time.
    #[serde(default)]
    pub date_last: i64,
    /// When it was closed.
    pub date_closed: Option<i64>,
    /// Login of who closed it, or `cigri`.
    #[serde(default)]
    pub closed_by: Option<String>,
    /// Why it was closed.
    #[serde(default)]
    pub closed_why: Option<String>,
}

/// An event that an admin opens, as CiGri 3's clients write it: `CLUSTER_MANUALLY_DISABLED` alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// `CLUSTER_MANUALLY_DISABLED`.
    pub code: String,
    /// CiGri 3's class; it is the code's own whatever is written.
    #[serde(default)]
    pub class: Option<String>,
    /// The cluster.
    #[serde(default)]
    pub cluster_name: Option<String>,
    /// The cluster's name, where CiGri 3 has its number.
    #[serde(default)]
    pub cluster_id: Option<Value>,
    /// Refused.
    #[serde(default)]
    pub campaign_id: Option<i64>,
    /// Refused.
    #[serde(default)]
    pub job_id: Option<i64>,
    /// Why, for who reads it.
    #[serde(default)]
    pub message: Option<String>,
}
