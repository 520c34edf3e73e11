//! Accounts and the use of clusters on the wire.

use serde::{Deserialize, Serialize};

/// `GET /usage`: what jobs had of clusters, by the day (UTC) on which they ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// What the rows are told apart by: `user`, `campaign`, `cluster` or `day`.
    pub by: String,
    /// Whose accounts these are; absent: everybody's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// First day (`YYYY-MM-DD`), if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Last day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The rows, by user, campaign, cluster or day.
    pub items: Vec<UsageRow>,
    /// All of them together.
    pub sum: UsageRow,
    /// How many rows there are.
    pub total: u64,
}

/// What was had by one user, by one campaign, of one cluster or on one day.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UsageRow {
    /// The user, by user and by campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The campaign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub campaign: Option<i64>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The day (`YYYY-MM-DD`, UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// Time.
    pub core_hours: CoreHours,
    /// Jobs that ended.
    pub jobs: JobCounts,
}

/// Core-hours: cores that jobs asked for, times the hours that they ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct CoreHours {
    /// Of jobs that ended their tasks as done.
    pub useful: f64,
    /// Of jobs that were killed: for normal jobs, by their walltime, by a person, with their node.
    pub lost: f64,
    /// Of jobs whose programs ended without a result.
    pub failed: f64,
    /// Of jobs that their owners ended.
    pub cancelled: f64,
}

impl CoreHours {
    /// All of them.
    pub fn total(&self) -> f64 {
        self.useful + self.lost + self.failed + self.cancelled
    }
}

/// Numbers of jobs that ran and ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobCounts {
    /// Jobs that ended their tasks as done.
    pub done: i64,
    /// Jobs that were killed.
    pub killed: i64,
    /// Jobs whose programs ended without a result.
    pub failed: i64,
    /// Jobs that their owners ended.
    pub cancelled: i64,
    /// Of all these, those whose request does not tell how many cores they had: what is not told counted 1.
    pub guessed: i64,
    /// Of all these, those too short to be seen running: they count no time.
    pub untimed: i64,
}

/// `GET /gridusage`, in CiGri 3's shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridUsage {
    /// By date.
    pub items: Vec<GridUsageItem>,
    /// The range that was asked for, epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    /// Its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<i64>,
    /// How many dates there are.
    pub total: u64,
    /// `self` and `parent`.
    pub links: Vec<Link>,
}

/// A link, in CiGri 3's shape.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What it is to this answer.
    pub rel: String,
    /// A path.
    pub href: String,
}

/// The clusters that were sampled at one time. One that did not answer is not among them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GridUsageItem {
    /// Epoch seconds.
    pub date: i64,
    /// By name.
    pub clusters: Vec<ClusterUse>,
}

/// A cluster at one time, in its own resources (usually cores); means where samples were put together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClusterUse {
    /// Name.
    pub cluster_name: String,
    /// What `GET /clusters/{id}` takes: the name as well.
    pub cluster_id: String,
    /// All that it has.
    pub max_resources: i64,
    /// Of these, what jobs of anybody hold.
    pub used_resources: i64,
    /// Cores that our running jobs asked for.
    pub used_by_cigri: i64,
    /// Absent, suspected or dead.
    pub unavailable_resources: i64,
}
