//! The table of events: one row per code says its word, class, severity, how it ends, who may close it, and what to do.

use serde::{Deserialize, Serialize};

use super::{Class, Closer, Closing, Severity};
use Closing::{CampaignEnd, Person, Quiet, Recovery};

/// Declares the codes. A row: word, class, severity (with `to HIGHER at N` it rises with the N-th time), how it ends, who
/// may close it by hand, and advice, in which `{campaign}` and `{cluster}` stand for what it is about.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $class:ident, $severity:ident $(to $higher:ident at $times:literal)?,
       $closing:expr, $closer:ident, $advice:literal;)+) => {
        /// What happened, as a stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code { $($(#[$doc])* $name),+ }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Code] = &[$(Code::$name),+];

            /// The stored and shown word; CiGri 3's where it has one.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $word),+ }
            }

            /// CiGri 3's class.
            pub fn class(self) -> Class {
                match self { $(Code::$name => Class::$class),+ }
            }

            /// How urgent it is by default.
            pub fn severity(self) -> Severity {
                match self { $(Code::$name => Severity::$severity),+ }
            }

            /// From how many times on it is more urgent than that, if ever.
            pub fn rises(self) -> Option<(i64, Severity)> {
                match self { $(Code::$name => None$(.or(Some(($times, Severity::$higher))))?),+ }
            }

            /// How it ends by itself.
            pub fn closing(self) -> Closing {
                match self { $(Code::$name => $closing),+ }
            }

            /// Who may close it by hand.
            pub fn closer(self) -> Closer {
                match self { $(Code::$name => Closer::$closer),+ }
            }

            /// What to do about it, in one sentence.
            pub(super) fn raw_advice(self) -> &'static str {
                match self { $(Code::$name => $advice),+ }
            }
        }
    };
}

codes! {
    /// A program exited with an error.
    ExitError = "EXIT_ERROR", Job, High, CampaignEnd, Owner,
        "see what the failures have in common, mend the program, then `cigri retry {campaign}`";
    /// A program could not be found or executed (exit 126 or 127).
    ProgramMissing = "PROGRAM_MISSING", Job, High, Person("cigri resume {campaign}"), Owner,
        "install the program on {cluster}, executable, then `cigri resume {campaign}`";
    /// A job's working directory is missing or forbidden.
    WorkingDirectory = "WORKING_DIRECTORY_ERROR", Job, High, Person("cigri resume {campaign}"), Owner,
        "create the campaign's exec_directory on {cluster}, then `cigri resume {campaign}`";
    /// A job's output files cannot be written.
    OutputFiles = "OUTPUT_FILES_ERROR", Job, High, Person("cigri resume {campaign}"), Owner,
        "make the campaign's exec_directory on {cluster} writable (permissions, quota), then `cigri resume {campaign}`";
    /// A task ran into its walltime too often.
    Walltime = "WALLTIME_WARNING", Notify, Medium, CampaignEnd, Owner,
        "give the tasks a longer walltime, then `cigri retry {campaign}`";
    /// A campaign's prologue failed on a cluster.
    PrologueFailed = "PROLOG_EXIT_ERROR", Campaign, High, Person("cigri resume {campaign}"), Owner,
        "mend the prologue or what it needs on {cluster}; `cigri resume {campaign}` runs it again";
    /// A campaign's epilogue failed on a cluster.
    EpilogueFailed = "EPILOG_EXIT_ERROR", Campaign, High, Person("cigri resume {campaign}"), Owner,
        "mend the epilogue or what it needs on {cluster}; `cigri resume {campaign}` runs it again";
    /// A campaign's sample has ended.
    TestMode = "TEST_MODE", Notify, Medium, Person("cigri resume {campaign}"), Nobody,
        "look at the sample's results, then `cigri resume {campaign}` sends the rest, or `cigri cancel {campaign}`";
    /// A submission was refused by the cluster.
    SubmitRefused = "RUNNER_SUBMIT_ERROR", Campaign, High, Person("cigri resume {campaign}"), Owner,
        "read why {cluster} refuses: if its admin can help, then `cigri resume {campaign}`, else submit it with other resources";
    /// A submission was abandoned in doubt; its gate stays shut.
    SubmitAbandoned = "RUNNER_SUBMIT_TIMEOUT", Cluster, Low to Medium at 10, Quiet(24), Owner,
        "nothing: its tasks are sent again; if it goes on, ask the admin of {cluster} why submissions get no answer";
    /// The cluster's API failed or was not reached.
    ApiFailure = "CLUSTER_API_SERVER_ERROR", Cluster, Medium to High at 30, Recovery("its API answers again"), Owner,
        "nothing: it is tried again by itself; if it lasts, its admin looks at the API server of {cluster}";
    /// Jobs of ours that the ledger does not know were removed.
    OrphansRemoved = "ORPHANS_REMOVED", Log, Medium, Quiet(24), Owner,
        "nothing, if this database was restored from a backup; else find out who submits under our jobs' names";
    /// This service itself failed while it dealt with the cluster.
    ServiceFailure = "SERVICE_FAILURE", Log, High, Recovery("a round there succeeds; a held campaign waits for `cigri resume`"),
        Owner, "the admin reads the server's log; a campaign that it holds goes on with `cigri resume {campaign}`";
    /// The user's token for the cluster is missing.
    TokenNotFound = "JWT_TOKEN_NOT_FOUND", Notify, High, Recovery("the user adds a token"), Owner,
        "get a token on {cluster}, then `cigri token add {cluster}`";
    /// The cluster refused the user's token.
    PermissionDenied = "PERMISSION_DENIED", Notify, High, Recovery("the user adds a token that it accepts"), Owner,
        "get a new token on {cluster}, then `cigri token add {cluster}`";
    /// A job is known to us and missing on the cluster.
    JobVanished = "JOB_VANISHED", Cluster, Medium, Recovery("the jobs are seen again or given up"), Owner,
        "nothing yet: they are looked for; if it lasts, the admin of {cluster} looks at its database";
    /// A job that its cluster lost for good was given up, or one that had ended there lived again.
    JobLost = "JOB_LOST", Job, Medium, Quiet(72), Owner,
        "look whether the tasks named ran twice, if that matters to what they write";
    /// The cluster's database is not the one we knew: ids are given out twice.
    ClusterReset = "CLUSTER_RESET", Cluster, High, Person("cigri admin accept-reset {cluster} --jobs lost|kept"), Nobody,
        "find out whether our jobs there still exist, then `cigri admin accept-reset {cluster} --jobs lost` or `--jobs kept`";
    /// A shut gate does not stop jobs on the cluster.
    GatesFail = "GATES_FAIL", Cluster, High, Recovery("a later trial finds that gates work"), Owner,
        "the admin of {cluster} looks whether its scheduler keeps to dependencies of jobs";
    /// The user has no account on the cluster.
    NoAccount = "NO_ACCOUNT", Notify, High, Recovery("the account is there"), Owner,
        "ask the admin of {cluster} for an account; it is looked for again by itself";
    /// Jobs bear our name and are not of our making.
    Strangers = "STRANGERS", Log, High, Quiet(1), Owner,
        "find out on {cluster} who submits jobs under our names: they are left alone";
    /// A campaign without an end does nothing but fail.
    OnlyFailures = "ONLY_FAILURES", Campaign, High, Person("cigri resume {campaign}"), Owner,
        "see why its tasks fail, then `cigri resume {campaign}` or `cigri cancel {campaign}`";
    /// The results of grouped tasks cannot be read, or are missing.
    ResultsUnreadable = "RESULTS_UNREADABLE", Job, Medium, Quiet(24), Owner,
        "nothing: their tasks are sent again; if it goes on, look at exec_directory on {cluster} (quota, permissions)";
    /// The sensor of a cluster's file server gives no number.
    SensorFailed = "SENSOR_FAILED", Cluster, Medium, Recovery("it gives a number again"), Owner,
        "the admin looks at the sensor in the configuration of {cluster}";
    /// The stress factor of a cluster, which its admin limits, cannot be read.
    StressUnknown = "STRESS_UNKNOWN", Cluster, Medium, Recovery("it can be read again"), Owner,
        "the admin looks why {cluster} does not tell its stress factor, or sets no limit for it";
    /// Limits changed at run time fit the configuration of a cluster no more.
    LimitsUnfit = "LIMITS_UNFIT", Cluster, High, Recovery("all of them fit, or are changed"), Owner,
        "the admin looks at `cigri admin cluster show {cluster}` and sets what should hold";
    /// The members of a group that has a quota on a cluster cannot be read.
    GroupUnreadable = "GROUP_UNREADABLE", Cluster, Medium, Recovery("they can be read again"), Owner,
        "the admin looks at the group, or names its members under `[groups]` in server.toml";
    /// So many attempts failed that nothing is sent in its scope for a while.
    BreakerOpen = "BREAKER_OPEN", Cluster, Medium, Recovery("a job that tries ends well"), Owner,
        "nothing: one job tries by itself; `cigri failures {campaign}` shows what fails, and closing the event sends the others now";
    /// A node of a cluster fails what it is given: jobs avoid it for a while.
    NodeExcluded = "NODE_EXCLUDED", Cluster, Medium, Recovery("its time is over"), Owner,
        "the admin of {cluster} looks at the node; closing the event uses it again";
    /// More tasks of a campaign failed than its owner allows: it is on hold.
    TooManyFailures = "TOO_MANY_FAILURES", Campaign, High, Person("cigri resume {campaign}"), Owner,
        "see what the failures have in common, mend it, then `cigri resume {campaign}`";
    /// Jobs waited too long on a cluster and were taken back.
    WaitsTooLong = "REMOTE_WAITING_FRAG", Cluster, Low, Quiet(24), Owner,
        "nothing: their tasks go elsewhere";
    /// Jobs ran past their walltime and were deleted.
    OverWalltime = "CIGRI_WALLTIME", Cluster, Medium, Quiet(24), Owner,
        "the admin of {cluster} looks why it does not end jobs at their walltime";
    /// Jobs on a cluster are stuck between two states.
    StuckJobs = "STUCK_JOBS", Cluster, Medium, Quiet(24), Owner,
        "the admin of {cluster} looks at the jobs named";
    /// A job ended in a way that nobody here has heard of.
    UnknownError = "UNKNOWN_ERROR", Job, High, Quiet(72), Owner,
        "read the cluster's own words, and tell the admin of CiGri";
    /// A cluster failed to run a task too often.
    ClusterTrouble = "CLUSTER_TROUBLE", Job, High, CampaignEnd, Owner,
        "ask the admin of {cluster} what is wrong with its nodes, then `cigri retry {campaign}`";
    /// A task's jobs were deleted by a person too often.
    PersonKill = "KILLED_BY_PERSON", Job, High, CampaignEnd, Owner,
        "find out who deletes the jobs on {cluster}, and why, then `cigri retry {campaign}`";
    /// A program asked to be run again too often.
    AskedTooOften = "TOO_MANY_RESUBMIT", Job, High, CampaignEnd, Owner,
        "look why the program ends with 66 or 67 every time, then `cigri retry {campaign}`";
    /// The database was restored from a backup: the cluster may hold jobs that it does not know.
    Restored = "RESTORED", Cluster, High, Recovery("our jobs there were compared with the database"), Nobody,
        "nothing: jobs that the database does not know are removed, then {cluster} is used again";
    /// A user's token for a cluster ends soon.
    TokenExpires = "TOKEN_EXPIRES", Notify, Medium to High at 3, Recovery("the user adds a token, or it is renewed"), Owner,
        "get a new token on {cluster}, then `cigri token add {cluster}`";
    /// A cluster gave no new token for one that ends soon.
    TokenNotRenewed = "TOKEN_NOT_RENEWED", Notify, Medium, Recovery("a token is renewed or added"), Owner,
        "nothing yet: it is tried again; before the token ends, `cigri token add {cluster}` with a new one";
    /// A campaign has ended.
    Finished = "FINISHED_CAMPAIGN", Notify, High, CampaignEnd, Nobody,
        "fetch what it wrote with `cigri results {campaign}`, see what failed with `cigri failures {campaign}`";
    /// Notifications by mail are not taken.
    MailFailed = "MAIL_FAILED", Log, High, Recovery("a mail is taken"), Admin,
        "the admin looks at `[notifications.mail]` in server.toml and at the mail server; what waits is sent later";
    /// Notifications by Jabber are not taken.
    XmppFailed = "XMPP_FAILED", Log, High, Recovery("a message is taken"), Admin,
        "the admin looks at `[notifications.xmpp]` in server.toml and at the Jabber server; what waits is sent later";
    /// Notifications were tried for days in vain, and given up.
    NoticesLost = "NOTIFICATIONS_LOST", Log, High, Quiet(72), Admin,
        "the admin sees why with `cigri notify list --user USER`, and removes addresses that exist no more";
    /// An admin closed the cluster as CiGri 3's clients do.
    ClusterDisabled = "CLUSTER_MANUALLY_DISABLED", Cluster, High, Person("cigri events close"), Admin,
        "an admin closes this event to have {cluster} used again";
}

impl std::str::FromStr for Code {
    type Err = UnknownCode;

    fn from_str(word: &str) -> Result<Code, UnknownCode> {
        let found = Code::ALL.iter().find(|code| code.as_str() == word).copied();
        found.ok_or_else(|| UnknownCode(word.to_owned()))
    }
}

/// A word that is no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no code of an event: docs/EVENTS.md lists them")]
pub struct UnknownCode(String);
