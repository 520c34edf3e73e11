//! Events: things worth telling, with CiGri 3's codes where they exist.

use serde::{Deserialize, Serialize};

/// How urgent an event is for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Low,
    /// Worth a look.
    Medium,
    /// Needs somebody.
    High,
}

impl Severity {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
        }
    }
}

/// What happened, as a stable code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Code {
    /// A program exited with an error.
    ExitError,
    /// A program could not be found or executed (exit 126 or 127).
    ProgramMissing,
    /// A job's working directory is missing or forbidden.
    WorkingDirectory,
    /// A job's output files cannot be written.
    OutputFiles,
    /// A task ran into its walltime too often.
    Walltime,
    /// A campaign's prologue failed on a cluster.
    PrologueFailed,
    /// A campaign's epilogue failed on a cluster.
    EpilogueFailed,
    /// A campaign's sample has ended.
    TestMode,
    /// A submission was refused by the cluster.
    SubmitRefused,
    /// A submission was abandoned in doubt; its gate stays shut.
    SubmitAbandoned,
    /// The cluster's API failed or was not reached.
    ApiFailure,
    /// Jobs of ours that the ledger does not know were removed.
    OrphansRemoved,
    /// This service itself failed while it dealt with the cluster.
    ServiceFailure,
    /// The user's token for the cluster is missing.
    TokenNotFound,
    /// The cluster refused the user's token.
    PermissionDenied,
    /// A job is known to us and missing on the cluster.
    JobVanished,
    /// A job that its cluster lost for good was given up, or one that had ended there lived again.
    JobLost,
    /// The cluster's database is not the one we knew: ids are given out twice.
    ClusterReset,
    /// A shut gate does not stop jobs on the cluster.
    GatesFail,
    /// The user has no account on the cluster.
    NoAccount,
    /// Jobs bear our name and are not of our making.
    Strangers,
    /// A campaign without an end does nothing but fail.
    OnlyFailures,
    /// The results of grouped tasks cannot be read, or are missing.
    ResultsUnreadable,
    /// The sensor of a cluster's file server gives no number.
    SensorFailed,
    /// The stress factor of a cluster, which its admin limits, cannot be read.
    StressUnknown,
    /// Limits changed at run time fit the configuration of a cluster no more.
    LimitsUnfit,
    /// The members of a group that has a quota on a cluster cannot be read.
    GroupUnreadable,
    /// So many attempts failed that nothing is sent in its scope for a while.
    BreakerOpen,
    /// A node of a cluster fails what it is given: jobs avoid it for a while.
    NodeExcluded,
    /// More tasks of a campaign failed than its owner allows: it is on hold.
    TooManyFailures,
    /// Jobs waited too long on a cluster and were taken back.
    WaitsTooLong,
    /// Jobs ran past their walltime and were deleted.
    OverWalltime,
    /// Jobs on a cluster are stuck between two states.
    StuckJobs,
    /// A job ended in a way that nobody here has heard of.
    UnknownError,
    /// A cluster failed to run a task too often.
    ClusterTrouble,
    /// A task's jobs were deleted by a person too often.
    PersonKill,
    /// A program asked to be run again too often.
    AskedTooOften,
    /// The database was restored from a backup: the cluster may hold jobs that it does not know.
    Restored,
}

impl Code {
    /// The stored and shown word; CiGri 3's where it has one.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::ExitError => "EXIT_ERROR",
            Code::ProgramMissing => "PROGRAM_MISSING",
            Code::WorkingDirectory => "WORKING_DIRECTORY_ERROR",
            Code::OutputFiles => "OUTPUT_FILES_ERROR",
            Code::Walltime => "WALLTIME_WARNING",
            Code::PrologueFailed => "PROLOG_EXIT_ERROR",
            Code::EpilogueFailed => "EPILOG_EXIT_ERROR",
            Code::TestMode => "TEST_MODE",
            Code::SubmitRefused => "RUNNER_SUBMIT_ERROR",
            Code::SubmitAbandoned => "RUNNER_SUBMIT_TIMEOUT",
            Code::ApiFailure => "CLUSTER_API_SERVER_ERROR",
            Code::OrphansRemoved => "ORPHANS_REMOVED",
            Code::ServiceFailure => "SERVICE_FAILURE",
            Code::TokenNotFound => "JWT_TOKEN_NOT_FOUND",
            Code::PermissionDenied => "PERMISSION_DENIED",
            Code::JobVanished => "JOB_VANISHED",
            Code::JobLost => "JOB_LOST",
            Code::ClusterReset => "CLUSTER_RESET",
            Code::GatesFail => "GATES_FAIL",
            Code::NoAccount => "NO_ACCOUNT",
            Code::Strangers => "STRANGERS",
            Code::OnlyFailures => "ONLY_FAILURES",
            Code::ResultsUnreadable => "RESULTS_UNREADABLE",
            Code::SensorFailed => "SENSOR_FAILED",
            Code::StressUnknown => "STRESS_UNKNOWN",
            Code::LimitsUnfit => "LIMITS_UNFIT",
            Code::GroupUnreadable => "GROUP_UNREADABLE",
            Code::BreakerOpen => "BREAKER_OPEN",
            Code::NodeExcluded => "NODE_EXCLUDED",
            Code::TooManyFailures => "TOO_MANY_FAILURES",
            Code::WaitsTooLong => "REMOTE_WAITING_FRAG",
            Code::OverWalltime => "CIGRI_WALLTIME",
            Code::StuckJobs => "STUCK_JOBS",
            Code::UnknownError => "UNKNOWN_ERROR",
            Code::ClusterTrouble => "CLUSTER_TROUBLE",
            Code::PersonKill => "KILLED_BY_PERSON",
            Code::AskedTooOften => "TOO_MANY_RESUBMIT",
            Code::Restored => "RESTORED",
        }
    }

    /// How urgent it is by default.
    pub fn severity(self) -> Severity {
        match self {
            Code::SubmitAbandoned | Code::WaitsTooLong => Severity::Low,
            Code::ApiFailure
            | Code::BreakerOpen
            | Code::NodeExcluded
            | Code::OverWalltime
            | Code::StuckJobs
            | Code::TestMode
            | Code::Walltime
            | Code::JobVanished
            | Code::JobLost
            | Code::OrphansRemoved
            | Code::ResultsUnreadable
            | Code::SensorFailed
            | Code::StressUnknown
            | Code::GroupUnreadable => Severity::Medium,
            _ => Severity::High,
        }
    }
}

/// Whom or what an event is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Campaign concerned, if one.
    pub campaign: Option<i64>,
    /// Cluster concerned, if one.
    pub cluster: Option<String>,
    /// User concerned, if one.
    pub user: Option<String>,
}

impl Scope {
    /// A campaign as a whole.
    pub fn campaign(campaign: i64) -> Scope {
        Scope { campaign: Some(campaign), cluster: None, user: None }
    }

    /// A cluster as a whole.
    pub fn cluster(cluster: &str) -> Scope {
        Scope { campaign: None, cluster: Some(cluster.to_owned()), user: None }
    }

    /// A campaign on a cluster.
    pub fn campaign_on(campaign: i64, cluster: &str) -> Scope {
        Scope { campaign: Some(campaign), ..Scope::cluster(cluster) }
    }

    /// A user on a cluster.
    pub fn user_on(user: &str, cluster: &str) -> Scope {
        Scope { user: Some(user.to_owned()), ..Scope::cluster(cluster) }
    }

    /// The scope as one text, under which repetitions are counted.
    pub fn key(&self) -> String {
        let campaign = self.campaign.map(|id| id.to_string()).unwrap_or_default();
        let part = |text: &Option<String>| text.clone().unwrap_or_default();
        format!("{campaign}@{}/{}", part(&self.cluster), part(&self.user))
    }
}

/// An event to be told. The same (scope, code) while still open is counted, not repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// Whom it is about.
    pub scope: Scope,
    /// What happened.
    pub code: Code,
    /// In words, with advice.
    pub message: String,
    /// Whether submissions in this scope stop until it is closed.
    pub holds: bool,
    /// How many times it happened just now.
    pub times: i64,
}

impl NewEvent {
    /// Something that happened once and holds nothing.
    pub fn note(scope: Scope, code: Code, message: impl Into<String>) -> NewEvent {
        NewEvent { scope, code, message: message.into(), holds: false, times: 1 }
    }

    /// Something that stops submissions in its scope.
    pub fn hold(scope: Scope, code: Code, message: impl Into<String>) -> NewEvent {
        NewEvent { holds: true, ..NewEvent::note(scope, code, message) }
    }
}
