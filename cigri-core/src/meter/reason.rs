//! The terms of an allowance, and the numbers of each. What they say is in [`super::sentence`], what helps in
//! [`super::remedy`].

use serde::{Deserialize, Serialize};

use crate::breaker::Guards;

/// Declares the terms with their stored words once, for [`Term`] and [`Reason::term`].
macro_rules! terms {
    ($($(#[$doc:meta])* $name:ident $word:literal,)+) => {
        /// What may bound an allowance.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Term { $($(#[$doc])* $name,)+ }

        impl Term {
            /// All of them.
            pub const ALL: &[Term] = &[$(Term::$name,)+];

            /// The stored and shown word.
            pub fn as_str(self) -> &'static str {
                match self { $(Term::$name => $word,)+ }
            }
        }

        impl Reason {
            /// Which term this is a reason of.
            pub fn term(&self) -> Term {
                match self { $(Reason::$name { .. } => Term::$name,)+ }
            }
        }
    };
}

terms! {
    /// Tasks that can be sent there now.
    Pending "pending",
    /// All its tasks that could go there failed before, and wait for their next try.
    Delayed "delayed",
    /// The cluster takes nothing new: it is drained or disabled.
    Mode "mode",
    /// The cluster is on hold for everybody.
    ClusterHold "cluster_hold",
    /// The campaign is on hold there.
    Hold "hold",
    /// The owner has no usable token there.
    Token "token",
    /// None of the cluster's windows is open.
    Window "window",
    /// Its jobs run by night only.
    Calendar "calendar",
    /// Submissions of this campaign there are in doubt.
    Doubt "doubt",
    /// Its last submissions or jobs there failed: it waits, then tries with one job.
    Breaker "breaker",
    /// What is known of the cluster is too old.
    Stale "stale",
    /// Its prologue has not succeeded there.
    Prologue "prologue",
    /// Its epilogue is due or runs there.
    Epilogue "epilogue",
    /// Only its sample is sent.
    TestMode "test_mode",
    /// The admin's cap on our waiting jobs.
    WaitingCap "waiting_cap",
    /// The admin's cap on our running jobs.
    RunningCap "running_cap",
    /// The admin's cap on jobs sent in one period.
    CycleCap "cycle_cap",
    /// The cluster's budget of requests is used up.
    Requests "requests",
    /// The cluster says that it is under stress.
    Stress "stress",
    /// Normal jobs of other people wait there.
    GiveWay "give_way",
    /// The load of the file server that the cluster's jobs use.
    FileServer "file_server",
    /// Jobs the cluster should have waiting, from the starts seen.
    Backlog "backlog",
    /// The admin's quota for the user.
    UserQuota "user_quota",
    /// The admin's quota for a group of the user.
    GroupQuota "group_quota",
    /// The admin's quota for the project.
    ProjectQuota "project_quota",
    /// The campaign's own `max_jobs` on this cluster.
    MaxJobs "max_jobs",
    /// Its owner's share of the round, beside other users.
    Share "share",
    /// The cluster's law serves another campaign first.
    Behind "behind",
    /// Largest array that is posted at once.
    ArraySize "array_size",
}

/// Why a term allows what it allows, with its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "term", rename_all = "snake_case")]
pub enum Reason {
    /// So many tasks wait.
    Pending {
        /// Tasks of the bag that may go there now.
        tasks: u64,
    },
    /// Tasks wait for their next try.
    Delayed {
        /// How many.
        tasks: u64,
        /// When the first of them may go, in words.
        at: String,
    },
    /// The admin drained or disabled the cluster.
    Mode {
        /// `drained` or `disabled`.
        mode: super::Mode,
        /// What the admin said.
        note: String,
    },
    /// An event holds the cluster.
    ClusterHold {
        /// The event, in words.
        text: String,
    },
    /// An event holds the campaign there.
    Hold {
        /// The event, in words.
        text: String,
    },
    /// What is wrong with the token.
    Token {
        /// In words.
        text: String,
    },
    /// When the next window opens.
    Window {
        /// In words.
        text: String,
    },
    /// When the next night begins.
    Calendar {
        /// In words.
        text: String,
    },
    /// Submissions that may or may not have arrived.
    Doubt {
        /// How many.
        submissions: u64,
    },
    /// Submissions in a row got no usable answer, or most of the last jobs failed.
    Breaker {
        /// How many.
        failures: u32,
        /// Seconds until the next try; 0: one job may try now, or does.
        left_s: u64,
        /// What was counted, where jobs failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jobs: Option<FailedJobs>,
    },
    /// The round's picture is old.
    Stale {
        /// Seconds.
        age_s: u64,
        /// Seconds.
        most_s: u64,
    },
    /// How far the prologue is.
    Prologue {
        /// In words.
        text: String,
    },
    /// How far the epilogue is.
    Epilogue {
        /// In words.
        text: String,
    },
    /// How far the sample is.
    TestMode {
        /// In words.
        text: String,
    },
    /// Our waiting jobs there, and the cap.
    WaitingCap {
        /// Jobs.
        waiting: u64,
        /// Jobs.
        most: u64,
    },
    /// Our live jobs there, and the cap: what waits may run any moment.
    RunningCap {
        /// Jobs.
        live: u64,
        /// Jobs.
        most: u64,
    },
    /// Jobs sent within the present period, and the cap.
    CycleCap {
        /// Jobs.
        sent: u64,
        /// Jobs.
        most: u64,
        /// Seconds.
        period_s: u64,
    },
    /// The budget of requests, bytes or time is used up.
    Requests {
        /// Seconds until a request may be sent.
        wait_s: u64,
        /// Which budget, in words.
        text: String,
    },
    /// The cluster's load against its reference.
    Stress {
        /// What the cluster says.
        load: f64,
        /// Above this nothing is sent.
        most: f64,
    },
    /// Other people's normal jobs are kept waiting.
    GiveWay {
        /// Jobs.
        jobs: u64,
        /// Each waits for at least so many seconds.
        after_s: u64,
    },
    /// The file server's load against its reference, or the floor without a reading.
    FileServer {
        /// The last reading; none when it is too old.
        load: Option<f64>,
        /// What the controller steers to.
        reference: f64,
        /// Jobs that may be sent per cycle.
        per_cycle: u64,
    },
    /// Waiting jobs of this kind, and how many should wait.
    Backlog {
        /// Jobs.
        waiting: u64,
        /// Jobs; of a tap, jobs that it lets through at a time.
        target: u64,
        /// Why no more should wait.
        #[serde(default)]
        why: super::law::Enough,
    },
    /// The user's live jobs there, and the quota.
    UserQuota {
        /// Login.
        user: String,
        /// Jobs.
        live: u64,
        /// Jobs.
        most: u64,
    },
    /// The group's live jobs there, and the quota.
    GroupQuota {
        /// Name.
        group: String,
        /// Jobs.
        live: u64,
        /// Jobs.
        most: u64,
    },
    /// The project's live jobs there, and the quota.
    ProjectQuota {
        /// Name.
        project: String,
        /// Jobs.
        live: u64,
        /// Jobs.
        most: u64,
    },
    /// The campaign's live jobs there, and its own limit.
    MaxJobs {
        /// Jobs.
        live: u64,
        /// Jobs.
        most: u64,
    },
    /// Other users take part in the round.
    Share {
        /// Login of the campaign's owner.
        user: String,
        /// Jobs of the round that the user gets.
        jobs: u64,
        /// Jobs of the round for all users' tasks.
        all: u64,
        /// Users with something to send there.
        users: u64,
        /// The user's live jobs and what it had lately, over its weight; over 1 for a weight of 0.
        charge: f64,
        /// The other users' mean charge.
        others: f64,
        /// The user's weight; 0: it gets what others leave.
        weight: f64,
    },
    /// Whom the law serves.
    Behind {
        /// The campaign that is served.
        campaign: i64,
    },
    /// The largest array.
    ArraySize {
        /// Jobs.
        most: u64,
    },
}

/// Jobs that failed, and opened a breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedJobs {
    /// Whose jobs were counted.
    pub of: Guards,
    /// The last ones, of which so many failed.
    pub ends: u32,
    /// Of which kind most of the failures were.
    pub mostly: String,
    /// Whether the job that tries is on its way.
    pub is_trying: bool,
}
