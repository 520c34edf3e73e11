//! Errors as clients see them: a stable code, a sentence, and every problem with its place.

use serde::{Deserialize, Serialize};

/// Stable codes of refusals; scripts may rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The campaign file has problems; they are listed.
    InvalidCampaign,
    /// A rule of the administrator refuses the campaign.
    AdmissionRule,
    /// Limits of a cluster that make no sense; the problems are listed.
    InvalidLimits,
    /// The request itself is wrong (bad number, missing part).
    InvalidRequest,
    /// The body is larger than the server takes.
    TooLarge,
    /// No such campaign, job, cluster or route.
    NotFound,
    /// The peer is not who it would have to be.
    Forbidden,
    /// What is asked does not fit the present state (cancelling a cancelled campaign).
    Conflict,
    /// The `Idempotency-Key` came with another request before, or is none.
    IdempotencyKey,
    /// The cluster did not answer as needed.
    ClusterUnavailable,
    /// The cluster was not asked, our budget of requests there is used up: try again.
    ClusterBusy,
    /// Several servers share the database and none of them takes changes just now: try again.
    NoLeader,
    /// The server failed; its log says more.
    Internal,
}

/// One problem of a campaign file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// JSON path (`clusters.dahu.walltime`), empty for the whole document.
    pub path: String,
    /// What was found there (a short excerpt).
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// A remedy, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Line and column (from 1), where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<(usize, usize)>,
}

/// The body of every answer outside 2xx. `status`, `title`, `message` are CiGri 3's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// HTTP status again.
    pub status: u16,
    /// Two or three words.
    pub title: String,
    /// One sentence for a person.
    pub message: String,
    /// Stable code for programs.
    pub code: ErrorCode,
    /// All problems of a campaign file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}
