//! Why a remote job ended.
//!
//! Causes are read from the final state, the raw wait status and the *whole set* of OAR's events: their order
//! misleads (a walltime kill logs FRAG_JOB_REQUEST first). Misspellings are OAR's own.

mod events;

use events::{NOISE, RESUBMITTING, TROUBLE};

/// One event of a remote job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteEvent {
    /// OAR's type, such as `BESTEFFORT_KILL`.
    pub kind: String,
    /// Free text.
    pub description: String,
    /// True until OAR has treated it.
    pub to_check: bool,
}

/// A remote job in a final state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteEnd {
    /// `Terminated` (the program ended by itself) or `Error`.
    pub terminated: bool,
    /// Raw wait status, where OAR knows it.
    pub wait_status: Option<i32>,
    /// Its events; may be empty for `Terminated`.
    pub events: Vec<RemoteEvent>,
}

/// Why a remote job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// Exit 0.
    Success,
    /// Exit 66: the user's program asks to be run again.
    AskedRetry,
    /// Exit 67: the same, after everything else.
    AskedRetryLast,
    /// The program was not found or not executable (exit 127, 126).
    ProgramMissing(i32),
    /// Any other exit code.
    ExitCode(i32),
    /// The program ended by this signal.
    Signal(i32),
    /// Killed to make room for a normal job.
    BestEffortKill,
    /// Ran into its walltime.
    Walltime,
    /// Killed on the cluster by this person.
    PersonKill(String),
    /// Its working directory could not be entered.
    WorkingDirectory(String),
    /// Its output files could not be created.
    OutputFiles(String),
    /// OAR itself resubmitted it under this new id.
    ResubmittedAs(u64),
    /// OAR may still resubmit it: its event is unchecked.
    Undecided,
    /// It waited in a group that ended before its turn.
    NotStarted,
    /// It ran in a group that was killed for the sake of another of its tasks.
    GroupKill,
    /// The script that runs groups is not installed for this user any more.
    RunnerMissing,
    /// Node, launcher or scheduler trouble: the event's type.
    Infrastructure(String),
    /// The cluster told something that nobody here has heard of: the event's type and its text, verbatim.
    Unrecognised(String, String),
}

impl Cause {
    /// Whether the cluster, not the program, ended the attempt.
    pub fn is_kill(&self) -> bool {
        let by_somebody = matches!(self, Cause::BestEffortKill | Cause::PersonKill(_) | Cause::GroupKill);
        by_somebody || matches!(self, Cause::Walltime | Cause::Infrastructure(_) | Cause::Unrecognised(..))
    }

    /// Why a program ended by itself, from its raw wait status.
    pub fn of_status(status: i32) -> Cause {
        classify_status(status)
    }

    /// Stable word, stored with the job.
    pub fn as_str(&self) -> &'static str {
        match self {
            Cause::Success => "success",
            Cause::AskedRetry => "asked_retry",
            Cause::AskedRetryLast => "asked_retry_last",
            Cause::ProgramMissing(_) => "program_missing",
            Cause::ExitCode(_) => "exit_code",
            Cause::Signal(_) => "signal",
            Cause::BestEffortKill => "best_effort_kill",
            Cause::Walltime => "walltime",
            Cause::PersonKill(_) => "person_kill",
            Cause::WorkingDirectory(_) => "working_directory",
            Cause::OutputFiles(_) => "output_files",
            Cause::ResubmittedAs(_) => "resubmitted",
            Cause::Undecided => "undecided",
            Cause::NotStarted => "not_started",
            Cause::GroupKill => "group_kill",
            Cause::RunnerMissing => "runner_missing",
            Cause::Infrastructure(_) => "infrastructure",
            Cause::Unrecognised(..) => "unrecognised",
        }
    }
}

/// Reads the cause of a remote job's end.
pub fn classify(end: &RemoteEnd) -> Cause {
    match (end.terminated, end.wait_status) {
        (true, Some(status)) => classify_status(status),
        (true, None) => Cause::Infrastructure("terminated without an exit status".to_owned()),
        (false, _) => classify_events(&end.events),
    }
}

fn classify_status(status: i32) -> Cause {
    let signal = status & 0x7f;
    match (signal, (status >> 8) & 0xff) {
        (0, 0) => Cause::Success,
        (0, 66) => Cause::AskedRetry,
        (0, 67) => Cause::AskedRetryLast,
        (0, code @ (126 | 127)) => Cause::ProgramMissing(code),
        (0, code) => Cause::ExitCode(code),
        (signal, _) => Cause::Signal(signal),
    }
}

fn classify_events(events: &[RemoteEvent]) -> Cause {
    let find = |kinds: &[&str]| events.iter().find(|event| kinds.contains(&event.kind.as_str()));
    if let Some(event) = find(&["RESUBMIT_JOB_AUTOMATICALLY"]) {
        return last_number(&event.description).map_or(Cause::Undecided, Cause::ResubmittedAs);
    }
    if events.iter().any(|event| event.to_check && RESUBMITTING.contains(&event.kind.as_str())) {
        return Cause::Undecided;
    }
    if find(&["WALLTIME"]).is_some() {
        return Cause::Walltime;
    }
    if find(&["BESTEFFORT_KILL"]).is_some() {
        return Cause::BestEffortKill;
    }
    if let Some(event) = find(&["WORKING_DIRECTOR", "WORKING_DIRECTORY"]) {
        return Cause::WorkingDirectory(event.description.clone());
    }
    if let Some(event) = find(&["OUTPUT_FILES"]) {
        return Cause::OutputFiles(event.description.clone());
    }
    if let Some(event) = find(&["EXTERMINATE_JOB"]) {
        return Cause::Infrastructure(event.kind.clone());
    }
    classify_rest(events)
}

fn classify_rest(events: &[RemoteEvent]) -> Cause {
    let frag = events.iter().find(|event| event.kind == "FRAG_JOB_REQUEST");
    let is_trouble = |event: &&RemoteEvent| {
        let kind = event.kind.as_str();
        TROUBLE.contains(&kind) || RESUBMITTING.contains(&kind)
    };
    let is_heard_of = |event: &RemoteEvent| event.kind == "FRAG_JOB_REQUEST" || NOISE.contains(&event.kind.as_str());
    let trouble = events.iter().find(is_trouble);
    let other = events.iter().find(|event| !is_heard_of(event));
    match (frag.and_then(|event| requesting_user(&event.description)), trouble, other) {
        (Some(user), ..) if user != "oar" => Cause::PersonKill(user.to_owned()),
        (_, Some(event), _) => Cause::Infrastructure(event.kind.clone()),
        (_, None, Some(event)) => Cause::Unrecognised(event.kind.clone(), event.description.clone()),
        (Some(_), None, None) => Cause::Infrastructure("FRAG_JOB_REQUEST".to_owned()),
        (None, None, None) => Cause::Infrastructure("no event".to_owned()),
    }
}

/// "User alice requested to frag the job 12" names alice.
fn requesting_user(description: &str) -> Option<&str> {
    let after = description.split("User ").nth(1)?;
    after.split(" requested").next().filter(|user| !user.is_empty())
}

/// The new id in OAR's texts is the last number before a closing parenthesis: `((0, ''), 11205)`.
fn last_number(description: &str) -> Option<u64> {
    let mut last = None;
    for part in description.split(')') {
        let digits: String = part.chars().rev().take_while(char::is_ascii_digit).collect();
        if let Ok(number) = digits.chars().rev().collect::<String>().parse() {
            last = Some(number);
        }
    }
    last
}

#[cfg(test)]
mod tests;
