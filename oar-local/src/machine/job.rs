//! What the cluster knows about a job: the part shared by its array, and the part of its own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::event::Event;

/// The states of OAR that a job of this cluster can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Not scheduled yet.
    Waiting,
    /// Not to be scheduled before it is resumed.
    Hold,
    /// Scheduled: it has its cores.
    #[serde(rename = "toLaunch")]
    ToLaunch,
    /// Its process is being created.
    Launching,
    /// Its process runs.
    Running,
    /// It ended by itself, whatever its exit code.
    Terminated,
    /// It was killed, or could not start.
    Error,
}

/// Names that OAR accepts in a filter; the cluster has no job in those that [`State`] lacks.
pub const STATE_NAMES: [&str; 12] = [
    "Waiting",
    "Hold",
    "toLaunch",
    "toError",
    "toAckReservation",
    "Launching",
    "Running",
    "Suspended",
    "Resuming",
    "Finishing",
    "Terminated",
    "Error",
];

impl State {
    /// OAR's name of the state.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Hold => "Hold",
            Self::ToLaunch => "toLaunch",
            Self::Launching => "Launching",
            Self::Running => "Running",
            Self::Terminated => "Terminated",
            Self::Error => "Error",
        }
    }

    /// Whether nothing can happen to the job any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Terminated | Self::Error)
    }

    /// Whether the job holds cores.
    #[must_use]
    pub fn holds_cores(self) -> bool {
        matches!(self, Self::ToLaunch | Self::Launching | Self::Running)
    }
}

/// How the jobs of one submission differ from each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Tasks {
    /// This many jobs with the same command.
    Same(u32),
    /// One job per line: the line is added to the command.
    Lines(String),
}

/// One POST: everything that its jobs share. Also the journal's record of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Id of the first job, which is the array's id as well.
    pub first: u64,
    /// The jobs.
    pub tasks: Tasks,
    /// Owner.
    pub user: String,
    /// Name, if one was given.
    pub name: Option<String>,
    /// Project, `default` when none was given.
    pub project: String,
    /// Queue: `default` or `besteffort`.
    pub queue: String,
    /// Types, such as `besteffort`, in the order given.
    pub types: Vec<String>,
    /// Command without the parameters.
    pub command: String,
    /// Launching directory.
    pub directory: String,
    /// Template of the output file's name, if one was given.
    pub stdout: Option<String>,
    /// Template of the error file's name, if one was given.
    pub stderr: Option<String>,
    /// SQL constraint as OAR's admission rules rewrite it.
    pub properties: String,
    /// Cores per job.
    pub cores: u32,
    /// Walltime in seconds.
    pub walltime: i64,
    /// Resource hierarchy as asked for, without walltime.
    pub actual_resources: String,
    /// Jobs that must be over before these may start.
    pub after: Vec<u64>,
    /// Created in Hold.
    pub hold: bool,
    /// Seconds before the walltime, and before a kill for a normal job, at which a signal is sent; 0 for none.
    pub checkpoint: i64,
    /// That signal's number.
    pub checkpoint_signal: i64,
    /// Notification asked for; kept for readers only.
    pub notify: Option<String>,
    /// Submission time, epoch seconds.
    pub submitted: i64,
    /// What its jobs lack, when the submission went wrong in the middle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<super::Damage>,
}

impl Batch {
    /// Whether its jobs may be killed for a normal one.
    #[must_use]
    pub fn is_besteffort(&self) -> bool {
        self.queue == "besteffort"
    }

    /// OAR's line about the submission; `scheduled` selects the scheduler's variant.
    #[must_use]
    pub fn message(&self, scheduled: bool) -> String {
        use std::fmt::Write as _;
        let mut text = format!("R={},W=", self.cores);
        let named = self.name.as_deref();
        if scheduled {
            // OAR's scheduler counts its own security margin of a minute.
            let _ = write!(text, "{},J=P,Q={}", self.walltime + 60, self.queue);
            named.inspect(|name| text.push_str(&format!(",N={name}")));
            return text;
        }
        let (hours, rest) = (self.walltime / 3600, self.walltime % 3600);
        let _ = write!(text, "{hours}:{}:{},J=B", rest / 60, rest % 60);
        named.inspect(|name| text.push_str(&format!(",N={name}")));
        if self.project != "default" {
            let _ = write!(text, ",P={}", self.project);
        }
        if !self.types.is_empty() {
            let _ = write!(text, ",T={}", self.types.join("|"));
        }
        text
    }
}

/// One job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Identifier.
    pub id: u64,
    /// What it shares with its array.
    pub batch: Arc<Batch>,
    /// Place in the array, from 1.
    pub index: u32,
    /// Place of its line in [`Tasks::Lines`]: offset and length.
    pub line: Option<(u32, u32)>,
    /// State.
    pub state: State,
    /// Epoch seconds of the scheduling, 0 before.
    pub start: i64,
    /// Epoch seconds of the end; 0 before it, and for ever if the job never started. A copy has that of its original
    /// until it ends itself.
    pub stop: i64,
    /// Raw wait status of a job that ended by itself.
    pub exit: Option<i32>,
    /// Its cores (resource ids), kept after the end.
    pub cores: Box<[u32]>,
    /// Its events in the order of their ids.
    pub events: Vec<Event>,
    /// Its end was asked for; OAR refuses a second request.
    pub fragged: bool,
    /// The kill signal was sent: whatever the process does now, the job ends in Error.
    pub killing: bool,
    /// Its process and that process's start in clock ticks since boot.
    pub process: Option<(u32, u64)>,
    /// The job that OAR copied it from, 0 normally.
    pub copy_of: u64,
}

impl Job {
    /// The array that OAR shows: 0 for a job that its submission did not put into one.
    #[must_use]
    pub fn array(&self) -> u64 {
        if self.batch.damage == Some(super::Damage::Arrayless) { 0 } else { self.batch.first }
    }

    /// Whether listings show it: a copy that OAR made is in none before it was scheduled.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.copy_of == 0 || self.start != 0
    }

    /// The full command line.
    #[must_use]
    pub fn command(&self) -> String {
        match (self.line, &self.batch.tasks) {
            (Some((offset, length)), Tasks::Lines(text)) => {
                let (offset, length) = (offset as usize, length as usize);
                let line = text.get(offset..offset + length).unwrap_or_default();
                format!("{} {line}", self.batch.command)
            }
            _ => self.batch.command.clone(),
        }
    }

    /// Name of the output file: relative to the launching directory, or absolute.
    #[must_use]
    pub fn stdout_file(&self) -> String {
        self.output_file(self.batch.stdout.as_deref(), "stdout")
    }

    /// Name of the error file.
    #[must_use]
    pub fn stderr_file(&self) -> String {
        self.output_file(self.batch.stderr.as_deref(), "stderr")
    }

    fn output_file(&self, template: Option<&str>, suffix: &str) -> String {
        let name = self.batch.name.as_deref();
        match (template, name) {
            (Some(template), _) => {
                template.replace("%jobid%", &self.id.to_string()).replace("%jobname%", name.unwrap_or_default())
            }
            (None, Some(name)) => format!("OAR.{name}.{}.{suffix}", self.id),
            (None, None) => format!("OAR.{}.{suffix}", self.id),
        }
    }

    /// OAR's free text about the job.
    #[must_use]
    pub fn message(&self) -> String {
        let exterminated = |event: &Event| event.kind == super::EventKind::Exterminate;
        if self.state == State::Error && self.start == 0 {
            return "Job killed by Leon directly".to_owned();
        }
        if self.events.iter().any(exterminated) {
            return "Job exterminated by Leon".to_owned();
        }
        self.batch.message(self.start != 0)
    }
}

/// Absolute path of a job's output file.
#[must_use]
pub fn absolute(directory: &str, file: &str) -> String {
    if file.starts_with('/') { file.to_owned() } else { format!("{}/{file}", directory.trim_end_matches('/')) }
}
