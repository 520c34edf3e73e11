//! The events that OAR writes about a job, with its exact type names and texts.
//!
//! Only the kind is kept in memory and in the journal; texts are made when a client asks, because a campaign
//! leaves at least one event per job behind.

use serde::{Deserialize, Serialize};

/// What happened. The serialised names are OAR's own event types.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EventKind {
    /// The job ended by itself.
    #[serde(rename = "SWITCH_INTO_TERMINATE_STATE")]
    IntoTerminated,
    /// The job ended in Error.
    #[serde(rename = "SWITCH_INTO_ERROR_STATE")]
    IntoError,
    /// A user (or `oar` itself) asked for the end of the job.
    #[serde(rename = "FRAG_JOB_REQUEST")]
    Frag(Box<str>),
    /// The kill signal was sent.
    #[serde(rename = "SEND_KILL_JOB")]
    SendKill,
    /// The walltime was over.
    #[serde(rename = "WALLTIME")]
    Walltime,
    /// A normal job needed the place of this best-effort job.
    #[serde(rename = "BESTEFFORT_KILL")]
    BesteffortKill,
    /// The job's checkpoint was asked for.
    #[serde(rename = "CHECKPOINT")]
    Checkpoint(Box<str>),
    /// The signal for it was sent.
    #[serde(rename = "CHECKPOINT_SUCCESS")]
    CheckpointSuccess,
    /// The working directory could not be entered. OAR's own spelling of the type.
    #[serde(rename = "WORKING_DIRECTOR")]
    WorkingDirectory,
    /// The output files could not be created.
    #[serde(rename = "OUTPUT_FILES")]
    OutputFiles,
    /// The job was lost and is ended by force.
    #[serde(rename = "EXTERMINATE_JOB")]
    Exterminate,
    /// A user held the waiting job.
    #[serde(rename = "HOLD_WAITING_JOB")]
    Hold(Box<str>),
    /// A user resumed the held job.
    #[serde(rename = "RESUME_JOB")]
    Resume(Box<str>),
    /// The job's node failed; with what OAR will make of it, until it has.
    #[serde(rename = "TROUBLE")]
    Trouble(Trouble, Option<Treatment>),
    /// OAR made a copy of the job because of its node's trouble: the copy's id.
    #[serde(rename = "RESUBMIT_JOB_AUTOMATICALLY")]
    Resubmitted(u64, Trouble),
}

/// How a node failed. The serialised names are OAR's own event types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trouble {
    /// It does not answer.
    #[serde(rename = "PING_CHECKER_NODE_SUSPECTED")]
    Unreachable,
    /// It could not start the job, whose user it does not know.
    #[serde(rename = "LAUNCHING_OAREXEC_TIMEOUT")]
    LaunchTimeout,
}

/// What OAR will make of a trouble. The event's `to_check` is `YES` until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treatment {
    /// When, in epoch milliseconds.
    pub at: i64,
    /// Whether it makes a copy of the job.
    pub resubmits: bool,
}

impl Trouble {
    /// OAR's name of the event type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "PING_CHECKER_NODE_SUSPECTED",
            Self::LaunchTimeout => "LAUNCHING_OAREXEC_TIMEOUT",
        }
    }
}

/// One event of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Identifier, growing over the whole life of the cluster.
    #[serde(rename = "i")]
    pub id: u64,
    /// What happened.
    #[serde(rename = "k")]
    pub kind: EventKind,
    /// When, in epoch seconds.
    #[serde(rename = "t")]
    pub date: i64,
}

/// What an event's text speaks about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The job's id.
    pub job: u64,
    /// The node that runs it.
    pub node: &'a str,
    /// Its working directory.
    pub directory: &'a str,
    /// Its start, in epoch seconds.
    pub start: i64,
    /// Its walltime, in seconds.
    pub walltime: i64,
}

impl EventKind {
    /// OAR's name of the event type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::IntoTerminated => "SWITCH_INTO_TERMINATE_STATE",
            Self::IntoError => "SWITCH_INTO_ERROR_STATE",
            Self::Frag(_) => "FRAG_JOB_REQUEST",
            Self::SendKill => "SEND_KILL_JOB",
            Self::Walltime => "WALLTIME",
            Self::BesteffortKill => "BESTEFFORT_KILL",
            Self::Checkpoint(_) => "CHECKPOINT",
            Self::CheckpointSuccess => "CHECKPOINT_SUCCESS",
            Self::WorkingDirectory => "WORKING_DIRECTOR",
            Self::OutputFiles => "OUTPUT_FILES",
            Self::Exterminate => "EXTERMINATE_JOB",
            Self::Hold(_) => "HOLD_WAITING_JOB",
            Self::Resume(_) => "RESUME_JOB",
            Self::Trouble(trouble, _) => trouble.name(),
            Self::Resubmitted(..) => "RESUBMIT_JOB_AUTOMATICALLY",
        }
    }

    /// A trouble that OAR has not treated yet, and what it will make of it.
    #[must_use]
    pub fn untreated(&self) -> Option<(Trouble, Treatment)> {
        match self {
            Self::Trouble(trouble, Some(treatment)) => Some((*trouble, *treatment)),
            _ => None,
        }
    }

    /// OAR has treated it.
    pub(super) fn settle(&mut self) {
        if let Self::Trouble(_, treatment) = self {
            *treatment = None;
        }
    }
}

impl Event {
    /// OAR's text of the event.
    #[must_use]
    pub fn description(&self, about: Subject<'_>) -> String {
        let Subject { job, node, directory, start, walltime } = about;
        match &self.kind {
            EventKind::IntoTerminated | EventKind::IntoError => {
                format!("[{job}] Ask to change the job state")
            }
            EventKind::Frag(user) => format!("User {user} requested to frag the job {job}"),
            EventKind::SendKill => {
                format!("Send the kill signal to oarexec on {node} for job {job}")
            }
            EventKind::Walltime => {
                format!("Job: {job} from {start} with {walltime}; current time={} (Elapsed)", self.date)
            }
            EventKind::Checkpoint(user) => format!("User {user} requested a checkpoint on the job {job}"),
            EventKind::CheckpointSuccess => format!("The job {job} was notified to checkpoint itself on {node}."),
            EventKind::BesteffortKill => format!("kill the besteffort job {job}"),
            EventKind::WorkingDirectory => {
                format!("[{job}] Cannot go into the working directory {directory} of the job on node {node}")
            }
            EventKind::OutputFiles => {
                format!("[{job}] Cannot create .stdout and .stderr files in {directory} on the node {node}")
            }
            EventKind::Exterminate => format!("I exterminate the job {job}"),
            EventKind::Hold(user) => format!("User {user} launched oarhold on the job {job}"),
            EventKind::Resume(user) => format!("User {user} launched oarresume on the job {job}"),
            EventKind::Trouble(Trouble::Unreachable, _) => {
                format!("[bipbip] OAR suspects nodes for the job {job}: ['{node}']")
            }
            // Literally: OAR forgets to fill the name in.
            EventKind::Trouble(Trouble::LaunchTimeout, _) => format!(
                "[{job}] launching oarexec timeout, exit value = 50; the job $job_id is in Error and the node \
                 {node}is Suspected"
            ),
            EventKind::Resubmitted(copy, trouble) => format!(
                "Resubmiting job {job} => ((0, ''), {copy}) (due to event {} & job is neither a reservation nor an \
                 interactive job)",
                trouble.name()
            ),
        }
    }
}
