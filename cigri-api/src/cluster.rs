//! Clusters and tokens on the wire.

use serde::{Deserialize, Serialize};

/// A cluster as users see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cluster {
    /// Name, as campaign files use it.
    pub name: String,
    /// `oar3` or `local`.
    pub kind: String,
    /// Base URL of its API, without credentials.
    pub url: String,
    /// Why nothing is sent there, while it is on hold.
    pub hold: Option<String>,
    /// When its last round ended well, epoch seconds.
    pub last_round: Option<i64>,
    /// `open`, `drained` or `disabled`, as an admin set it; [`Cluster::GONE`].
    #[serde(default)]
    pub mode: String,
    /// What the admin said about the mode.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// Our jobs that wait there: launching, in doubt, held or waiting.
    #[serde(default)]
    pub waiting: u64,
    /// All our jobs there that have not ended.
    #[serde(default)]
    pub live: u64,
    /// The cap on waiting jobs.
    #[serde(default)]
    pub max_waiting: u64,
    /// The cap on live jobs.
    #[serde(default)]
    pub max_running: u64,
    /// The law that says how many should wait.
    #[serde(default)]
    pub law: String,
}

impl Cluster {
    /// The mode of a cluster that the configuration no longer names.
    pub const GONE: &str = "gone";
}

/// `POST /clusters/{name}/reset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptReset {
    /// What became of our jobs there.
    pub jobs: JobsThere,
}

/// What became of our jobs on a cluster whose database was reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobsThere {
    /// They are gone: their tasks are sent again.
    Lost,
    /// They are there, under their ids.
    Kept,
}

/// `POST /tokens`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// Cluster name.
    pub cluster: String,
    /// The JWT. Stored encrypted, never shown again.
    pub token: String,
    /// When the server asks for a new one by itself; as it was before, or `needed`, if this is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew: Option<Renew>,
}

/// When the server asks a cluster for a new token by itself, before the old one ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renew {
    /// While campaigns of its user may run there.
    #[default]
    Needed,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// `PATCH /tokens/{cluster}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenChange {
    /// When it is renewed from now on.
    pub renew: Renew,
}

impl std::fmt::Debug for NewToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewToken {{ cluster: {:?}, token: **** }}", self.cluster)
    }
}

/// A stored token, masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Cluster name.
    pub cluster: String,
    /// The user whom the cluster will see: the token's `user` claim.
    pub login: String,
    /// `Bearer ****`.
    pub token: String,
    /// Epoch seconds, if the token says so.
    pub expires_at: Option<i64>,
    /// Whole days that are left; negative once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days_left: Option<i64>,
    /// When the server asks for a new one by itself.
    #[serde(default)]
    pub renew: Renew,
    /// When it last did, epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed_at: Option<i64>,
}
