//! A cluster's limits on the wire: what applies there and who says so, changes at run time, and their audit.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `GET /clusters/{name}/limits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterLimits {
    /// Cluster name.
    pub cluster: String,
    /// `oar3` or `local`.
    pub kind: String,
    /// Base URL of its API, without credentials.
    pub url: String,
    /// Every key with its value. Entries of maps (`user_quotas.alice`) are keys of their own.
    pub items: Vec<Limit>,
    /// Changes made at run time that the configuration no longer fits; they are without effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// One limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    /// Its key in the configuration file; of a map's entry, the map's key, a dot, and the entry's name.
    pub key: String,
    /// What applies. A `file_server.sensor` is told to admins alone.
    pub value: Value,
    /// What applies without configuration; null: nothing.
    pub default: Value,
    /// Who says so.
    pub from: LimitSource,
}

/// Who says what a limit is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitSource {
    /// Nobody: the program's own default.
    Default,
    /// The configuration file.
    Configuration,
    /// An admin, while the server ran.
    RunTime,
}

impl LimitSource {
    /// The word on the wire, with a blank where it has two.
    pub fn in_words(self) -> &'static str {
        match self {
            LimitSource::Default => "default",
            LimitSource::Configuration => "configuration",
            LimitSource::RunTime => "run time",
        }
    }
}

/// Answer to `PATCH /clusters/{name}/limits`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitsChanged {
    /// Cluster name.
    pub cluster: String,
    /// True when nothing was stored (`?dry_run=1`).
    pub dry_run: bool,
    /// What differs now; empty when nothing does.
    pub changes: Vec<LimitChange>,
    /// Keys of the change that win over the configuration until they are taken back; what it says as well is not kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
}

/// A limit before and after.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitChange {
    /// As in [`Limit::key`].
    pub key: String,
    /// Null: there was none.
    pub before: Value,
    /// Null: there is none.
    pub after: Value,
}

/// What an admin did to a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its number; later ones are higher.
    pub id: i64,
    /// Epoch seconds.
    pub at: i64,
    /// The admin's login.
    pub who: String,
    /// What was done (`change_limits`).
    pub action: String,
    /// Cluster name, where it concerns one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What differs since.
    pub changes: Vec<LimitChange>,
}
