//! Wire types and error codes of CiGri's REST API: shared by the server, the command line and, later, web pages.
//!
//! Times are seconds since the epoch (UTC) unless a field says otherwise. Campaign states keep
//! CiGri 3's words (`in_treatment`, `paused`, `terminated`, `cancelled`) so that its clients go on working.
//!
//! | method and path | body | answer |
//! |---|---|---|
//! | GET /health | | [`Health`] |
//! | GET /campaigns?all=0/1&origin=PATH | | [`List`] of [`Campaign`] (open ones unless `all=1`) |
//! | POST /campaigns | JDL (JSON), or multipart: `jdl`, `options` ([`SubmitOptions`]), `parameters` (text, one task a line) | 201 [`Submitted`] |
//! | POST /campaigns?dry_run=1 | the same | [`DryRun`]: what would become of it; nothing is stored |
//! | GET /campaigns/{id} | | [`Campaign`] |
//! | DELETE /campaigns/{id} (`?hold=1`, `?resume=1`) | | 202 [`Accepted`]: cancel, pause, resume |
//! | POST /campaigns/{id}/retry (`?dry_run=1`) | [`RetryRequest`] or none | 202 [`Retried`]: failed tasks, or those that are meant, start a new generation |
//! | GET /campaigns/{id}/failures (`?attempts=1`) | | [`Failures`]: what failed, in groups, and what helps |
//! | GET /campaigns/{id}/jdl (`?written=1`) | | the JDL without its parameter lists, every default filled in and rewritten as the rules say; or as written |
//! | GET /campaigns/{id}/parameters?offset&limit | | [`List`] of strings |
//! | GET /campaigns/{id}/jobs?state&task&after&limit | | [`List`] of [`Job`] (attempts, by id; `next` is the `after` of the next page) |
//! | POST /campaigns/{id}/jobs | a list of parameters (JSON), or multipart: `parameters` (text, one task a line) | 201 [`Added`]: tasks for a campaign that is not cancelled |
//! | GET /campaigns/{id}/results?after&limit | | [`Results`]: the files of the tasks that are done |
//! | GET /campaigns/{id}/events?all=0/1&cluster&code&severity&since&offset&limit | | [`List`] of [`Event`] (open ones unless `all=1`; so urgent or more; that happened since; `next` is the `offset` of the next page) |
//! | DELETE /campaigns/{id}/events (`?resubmit=1`) | | 202 [`Accepted`]: close its open events, and try its failed tasks again |
//! | GET /events (the same, and `everybody=1`) | | [`List`] of [`Event`]: the caller's, or all |
//! | POST /events ([`NewEvent`]) | | 201 [`Event`]: close a cluster until the event is closed |
//! | GET /events/{id}, DELETE /events/{id} (`?resubmit=1`) | | [`Event`]; 202 [`Accepted`]: close it, and try its campaign's failed tasks again |
//! | GET /campaigns/{id}/why (`?task=N`, `?history=N`) | | [`Why`]: why nothing more is sent now, where one task is, the last N changes of mind |
//! | GET /jobs/{id} | | [`Job`] |
//! | DELETE /jobs/{id} (`?again=1`) | | 202 [`Accepted`]: kill it, ending its task or sending it again |
//! | GET /jobs/{id}/stdout, /jobs/{id}/stderr (`?tail=N` lines) | | [`Output`] |
//! | GET /jobs/{id}/output | | the file that its program wrote (bytes, at most 64 MB) |
//! | GET /clusters | | [`List`] of [`Cluster`] |
//! | GET /clusters/{name} | | [`Cluster`] |
//! | GET /clusters/{name}/limits | | [`ClusterLimits`]: every limit, and who says so |
//! | PATCH /clusters/{name}/limits (`?dry_run=1`) | changes (JSON merge patch, RFC 7396; null: back to the configuration) | [`LimitsChanged`]; all or nothing |
//! | GET /admin/audit?cluster&limit&before | | [`List`] of [`AuditEntry`], the newest first (`next` is the `before` of the next page) |
//! | POST /clusters/{name}/reset ([`AcceptReset`]) | | 202 [`Accepted`]: use a cluster again whose database was reset |
//! | GET /metrics | | figures for monitoring: OpenMetrics' text form |
//! | GET /admin/backup | | a copy of the database as it is now (bytes; whole only if the answer ends well) |
//! | GET /tokens, POST /tokens ([`NewToken`]), DELETE /tokens/{cluster} | | [`List`] of [`TokenInfo`], 201, 202 |
//! | GET /notifications | | [`List`] of [`Subscription`]: the caller's own |
//! | POST /notifications/{mail,jabber,webhook,log} ([`NewSubscription`]) | | 201 [`Subscription`]; 409 if it is there |
//! | DELETE /notifications/{mail,jabber,webhook,log}?identity= | | 202 [`Accepted`]; 404 if there is none |
//! | POST /notifications/test | | [`List`] of [`Tested`]: a test message to each of them, now |
//! | PUT, DELETE /campaigns/{id}/mute | | 202 [`Accepted`]: the caller is told no more of a campaign, or again |
//! | PATCH /tokens/{cluster} ([`TokenChange`]) | | [`TokenInfo`] |
//! | GET /usage?by=user/campaign/cluster/day&from&to&user&campaign&cluster&format | | [`Usage`]: what was had of clusters, in core-hours; with `format=csv` or `Accept: text/csv` a table |
//! | GET /gridusage?from&to&step&cluster&format | | [`GridUsage`]: what clusters have and what is used of it; likewise. Without `from` and `to` the last sample of each |
//!
//! POST /campaigns, /campaigns/{id}/jobs and /campaigns/{id}/retry take a header `Idempotency-Key` (at most 255 printable ASCII characters,
//! the caller's own choice): the same request under the same key has no second effect within a week, and is answered
//! 201 with the same campaign as it is then; another request under it is answered 422 `idempotency_key`. A request that
//! failed leaves no key.
//!
//! Every error is an [`ErrorBody`].

mod campaign;
mod cluster;
mod dry_run;
mod error;
mod event;
mod failures;
mod job;
mod limits;
mod notification;
mod usage;
mod why;

pub use campaign::{Accepted, Added, Campaign, CampaignState, ClusterShare, Endless, Origin, SubmitOptions, Submitted};
pub use cluster::{AcceptReset, Cluster, JobsThere, NewToken, Renew, TokenChange, TokenInfo};
pub use dry_run::{ClusterPreview, CommandLine, DryRun, RequestPreview};
pub use error::{ErrorBody, ErrorCode, Problem};
pub use event::{Event, NewEvent};
pub use failures::{CommonTrait, FailureExample, FailureGroup, Failures, Retried, RetryRequest, Sampled, Share};
pub use job::{Job, Output, ResultFile, Results};
pub use limits::{AuditEntry, ClusterLimits, Limit, LimitChange, LimitSource, LimitsChanged};
pub use notification::{NewSubscription, Subscription, Tested};
pub use usage::{ClusterUse, CoreHours, GridUsage, GridUsageItem, JobCounts, Link, Usage, UsageRow};
pub use why::{PastAttempt, Refusal, TaskPlace, TermShown, Why};

use serde::{Deserialize, Serialize};

/// A page of items, in CiGri 3's envelope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct List<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// How many there are in all (of this filter).
    pub total: u64,
    /// Where the next page starts (`after=`), absent on the last page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<i64>,
}

/// What `GET /health` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The program's version.
    pub version: String,
    /// "ok" when the database answers.
    pub status: String,
    /// Process id of the server.
    pub pid: u32,
    /// False for a process that only answers requests and will soon be gone.
    pub runs_jobs: bool,
    /// Whether this server leads; the only server of a database always does.
    #[serde(default = "yes")]
    pub leader: bool,
    /// Who leads, where several servers share a database and one of them does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub led_by: Option<String>,
    /// How often the lead was taken over, the present one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<i64>,
}

fn yes() -> bool {
    true
}
