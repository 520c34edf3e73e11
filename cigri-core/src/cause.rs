//! Why a remote job ended.
//!
//! Causes are read from the final state, the raw wait status and the *whole set* of OAR's events: their order
//! misleads (a walltime kill logs FRAG_JOB_REQUEST first). Misspellings are OAR's own.

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
}

impl Cause {
    /// Whether the cluster, not the program, ended the attempt.
    pub fn is_kill(&self) -> bool {
        let by_somebody = matches!(self, Cause::BestEffortKill | Cause::PersonKill(_) | Cause::GroupKill);
        by_somebody || matches!(self, Cause::Walltime | Cause::Infrastructure(_))
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
        }
    }
}

/// Events after which OAR makes a copy of the job by itself, even of one that is not idempotent.
const RESUBMITTING: &[&str] = &[
    "PING_CHECKER_NODE_SUSPECTED",
    "CPUSET_ERROR",
    "PROLOGUE_ERROR",
    "CANNOT_WRITE_NODE_FILE",
    "CANNOT_WRITE_PID_FILE",
    "USER_SHELL",
    "LAUNCHING_OAREXEC_TIMEOUT",
    "SERVER_PROLOGUE_TIMEOUT",
    "SERVER_PROLOGUE_ERROR",
    "SERVER_PROLOGUE_EXIT_CODE_ERROR",
    "SERVER_EPILOGUE_TIMEOUT",
];

/// Events that say nothing about why a job ended.
const NOISE: &[&str] = &[
    "SCHEDULER_PRIORITY_UPDATED_START",
    "SCHEDULER_PRIORITY_UPDATED_STOP",
    "SWITCH_INTO_ERROR_STATE",
    "SWITCH_INTO_TERMINATE_STATE",
    "SEND_KILL_JOB",
    "CHECKPOINT",
    "CHECKPOINT_SUCCESS",
    "CHECKPOINT_ERROR",
];

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
    let other = events.iter().find(|event| event.kind != "FRAG_JOB_REQUEST" && !NOISE.contains(&event.kind.as_str()));
    match (frag.and_then(|event| requesting_user(&event.description)), other) {
        (Some(user), _) if user != "oar" => Cause::PersonKill(user.to_owned()),
        (_, Some(event)) => Cause::Infrastructure(event.kind.clone()),
        (Some(_), None) => Cause::Infrastructure("FRAG_JOB_REQUEST".to_owned()),
        (None, None) => Cause::Infrastructure("no event".to_owned()),
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
mod tests {
    use super::*;

    fn event(kind: &str, description: &str) -> RemoteEvent {
        RemoteEvent { kind: kind.into(), description: description.into(), to_check: false }
    }

    fn error(kinds: &[(&str, &str)]) -> Cause {
        let events = kinds.iter().map(|(kind, text)| event(kind, text)).collect();
        classify(&RemoteEnd { terminated: false, wait_status: None, events })
    }

    fn exit(status: i32) -> Cause {
        classify(&RemoteEnd { terminated: true, wait_status: Some(status), events: Vec::new() })
    }

    #[test]
    fn exit_statuses_are_raw_wait_statuses() {
        assert_eq!(exit(0), Cause::Success);
        assert_eq!(exit(256), Cause::ExitCode(1));
        assert_eq!(exit(16896), Cause::AskedRetry);
        assert_eq!(exit(17152), Cause::AskedRetryLast);
        assert_eq!(exit(32512), Cause::ProgramMissing(127));
        assert_eq!(exit(32256), Cause::ProgramMissing(126));
        assert_eq!(exit(9), Cause::Signal(9));
        assert_eq!(exit(65280), Cause::ExitCode(255));
    }

    #[test]
    fn a_walltime_kill_is_not_taken_for_a_plain_kill() {
        let events = [
            ("FRAG_JOB_REQUEST", "User oar requested to frag the job 11184"),
            ("WALLTIME", "Job: 11184 from 1 with 30; current time=31 (Elapsed)"),
            ("SEND_KILL_JOB", ""),
            ("SWITCH_INTO_ERROR_STATE", ""),
        ];
        assert_eq!(error(&events), Cause::Walltime);
    }

    #[test]
    fn a_preemption_is_a_best_effort_kill() {
        let events = [("BESTEFFORT_KILL", ""), ("FRAG_JOB_REQUEST", "User oar requested to frag the job 3")];
        assert_eq!(error(&events), Cause::BestEffortKill);
    }

    #[test]
    fn a_person_is_told_from_oar() {
        let by = |who: &str| error(&[("FRAG_JOB_REQUEST", &format!("User {who} requested to frag the job 3"))]);
        assert_eq!(by("alice"), Cause::PersonKill("alice".into()));
        assert_eq!(by("oar"), Cause::Infrastructure("FRAG_JOB_REQUEST".into()));
    }

    #[test]
    fn oars_own_resubmission_is_followed_by_its_new_id() {
        let text = "Resubmiting job 11187 => ((0, ''), 11205) (due to event X & job is neither a reservation)";
        assert_eq!(error(&[("RESUBMIT_JOB_AUTOMATICALLY", text)]), Cause::ResubmittedAs(11205));
        let text =
            "[11187] The job 11187 is a besteffort and idempotent job so we resubmit it (new id = ((0, ''), 11197)";
        assert_eq!(
            error(&[("RESUBMIT_JOB_AUTOMATICALLY", text), ("BESTEFFORT_KILL", "")]),
            Cause::ResubmittedAs(11197)
        );
    }

    #[test]
    fn an_unchecked_resubmitting_event_decides_nothing() {
        let mut unchecked = event("LAUNCHING_OAREXEC_TIMEOUT", "");
        unchecked.to_check = true;
        let end = RemoteEnd { terminated: false, wait_status: None, events: vec![unchecked] };
        assert_eq!(classify(&end), Cause::Undecided);
        assert_eq!(
            error(&[("LAUNCHING_OAREXEC_TIMEOUT", "")]),
            Cause::Infrastructure("LAUNCHING_OAREXEC_TIMEOUT".into())
        );
    }
}
