//! What to submit, and its exact form on the wire.

use serde::Serialize;

/// A job, or an array of jobs when `parameters` is given. Empty and `None` fields are not sent.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Command line, run by `bash -c`; OAR's API replaces a literal `$HOME`.
    pub command: String,
    /// Resource requests such as `/nodes=1/core=4,walltime=1:0:0`; several are alternatives (moldable).
    pub resources: Vec<String>,
    /// Job types, such as `besteffort`.
    pub types: Vec<String>,
    /// SQL condition on the resources; check its columns first ([`crate::check_property`]).
    pub property: Option<String>,
    /// One job per entry: command, a blank, the entry, all read by the shell.
    pub parameters: Option<Vec<String>>,
    /// Name: at most 100 characters of `A-Za-z0-9_.-`.
    pub name: Option<String>,
    /// Project, at most 255 characters.
    pub project: Option<String>,
    /// Working directory; default: the user's home.
    pub directory: Option<String>,
    /// Queue.
    pub queue: Option<String>,
    /// Keep the job in Hold.
    pub hold: bool,
    /// Jobs that must be over before this one may start.
    pub after: Vec<u64>,
    /// Seconds before the walltime at which the job gets its checkpoint signal.
    pub checkpoint: Option<u32>,
    /// That signal's number; OAR's own is 12 (SIGUSR2).
    pub signal: Option<u8>,
    /// Output file; `%jobid%` and `%jobname%` are replaced by OAR.
    pub stdout: Option<String>,
    /// Error output file, likewise.
    pub stderr: Option<String>,
}

impl NewJob {
    /// The body of `POST /jobs`, for eyes: [`crate::request::submit`] checks what it sends.
    pub fn body(&self) -> serde_json::Value {
        // Texts, numbers and lists always have a JSON form.
        serde_json::to_value(self.to_wire()).unwrap_or_default()
    }

    /// The body of `POST /jobs`.
    pub(crate) fn to_wire(&self) -> Wire<'_> {
        Wire {
            command: &self.command,
            resource: &self.resources,
            types: &self.types,
            property: self.property.as_deref(),
            // No final newline: OAR would make one more job of it.
            param_file: self.parameters.as_ref().map(|lines| lines.join("\n")),
            name: self.name.as_deref(),
            project: self.project.as_deref(),
            directory: self.directory.as_deref(),
            queue: self.queue.as_deref(),
            hold: self.hold,
            after: &self.after,
            checkpoint: self.checkpoint,
            signal: self.signal,
            stdout: self.stdout.as_deref(),
            stderr: self.stderr.as_deref(),
        }
    }
}

/// OAR silently ignores keys it does not know, so these spellings matter.
#[derive(Serialize)]
pub(crate) struct Wire<'a> {
    command: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    resource: &'a [String],
    #[serde(rename = "type", skip_serializing_if = "<[String]>::is_empty")]
    types: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    property: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    param_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    directory: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    hold: bool,
    #[serde(skip_serializing_if = "<[u64]>::is_empty")]
    after: &'a [u64],
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoint: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stderr: Option<&'a str>,
}
