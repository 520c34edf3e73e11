//! What the end of a remote job means (its cause), and what to do about it (the reaction).
//!
//! Causes are read from the final state, the raw wait status and the *whole set* of OAR's events: their order
//! misleads (a walltime kill logs FRAG_JOB_REQUEST first). Misspellings are OAR's own.

use crate::event::Code;

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
    /// Node, launcher or scheduler trouble: the event's type.
    Infrastructure(String),
}

impl Cause {
    /// Whether the cluster, not the program, ended the attempt.
    pub fn is_kill(&self) -> bool {
        matches!(self, Cause::BestEffortKill | Cause::Walltime | Cause::PersonKill(_) | Cause::Infrastructure(_))
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

/// How often the task's present generation already ended for causes that have a budget.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    /// Walltime kills.
    pub walltime: u32,
    /// Kills by a person.
    pub person_kill: u32,
    /// Node and scheduler troubles.
    pub infrastructure: u32,
    /// Retries asked by the program itself (exit 66, 67).
    pub asked: u32,
}

/// Upper bounds of retries per task generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budgets {
    /// Walltime kills.
    pub walltime: u32,
    /// Kills by a person.
    pub person_kill: u32,
    /// Node and scheduler troubles.
    pub infrastructure: u32,
    /// Retries asked by the program.
    pub asked: u32,
}

impl Default for Budgets {
    fn default() -> Self {
        Budgets { walltime: 2, person_kill: 3, infrastructure: 3, asked: 100 }
    }
}

/// Where in the bag a task comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before tasks never tried, on any cluster.
    First,
    /// Before tasks never tried, on another cluster where there is one.
    Elsewhere,
    /// After all others.
    Last,
}

/// What to do about a cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// The task is done.
    Succeed,
    /// The task failed for good.
    Fail {
        /// What to tell its owner.
        advice: String,
    },
    /// The attempt is over; the task goes back to the bag.
    Retry(Place),
    /// The same, and the campaign gets nothing more on this cluster until a person acts.
    Hold {
        /// The event's code.
        code: Code,
        /// What to tell the owner.
        advice: String,
    },
    /// The campaign is cancelled, so is the task.
    Cancel,
    /// OAR runs it again under another id: the same attempt goes on.
    Follow(u64),
    /// Look again next round.
    Wait,
}

/// Decides. `cancelled` says that the campaign was cancelled; a success still counts then.
pub fn react(cause: &Cause, history: &History, budgets: &Budgets, cancelled: bool) -> Reaction {
    match cause {
        Cause::Success => Reaction::Succeed,
        Cause::Undecided => Reaction::Wait,
        Cause::ResubmittedAs(id) => Reaction::Follow(*id),
        _ if cancelled => Reaction::Cancel,
        Cause::BestEffortKill => Reaction::Retry(Place::First),
        Cause::AskedRetry => within(history.asked, budgets.asked, Place::First, ASKED_TOO_OFTEN),
        Cause::AskedRetryLast => within(history.asked, budgets.asked, Place::Last, ASKED_TOO_OFTEN),
        Cause::Walltime => within(history.walltime, budgets.walltime, Place::Elsewhere, WALLTIME_TOO_SHORT),
        Cause::PersonKill(_) => within(history.person_kill, budgets.person_kill, Place::First, KILLED_TOO_OFTEN),
        Cause::Infrastructure(_) => {
            within(history.infrastructure, budgets.infrastructure, Place::Elsewhere, CLUSTER_TROUBLE)
        }
        Cause::ExitCode(code) => Reaction::Fail { advice: format!("the program exited with code {code}") },
        Cause::Signal(signal) => Reaction::Fail { advice: format!("the program was ended by signal {signal}") },
        Cause::ProgramMissing(code) => Reaction::Hold { code: Code::ProgramMissing, advice: missing_program(*code) },
        Cause::WorkingDirectory(text) => Reaction::Hold {
            code: Code::WorkingDirectory,
            advice: format!("{text}. Create the directory (exec_directory) there, then resume the campaign"),
        },
        Cause::OutputFiles(text) => Reaction::Hold {
            code: Code::OutputFiles,
            advice: format!("{text}. Make exec_directory writable there, then resume the campaign"),
        },
    }
}

const ASKED_TOO_OFTEN: &str = "the program asked to be run again (exit 66 or 67) more often than allowed";
const WALLTIME_TOO_SHORT: &str = "the task ran into its walltime on every try: give it a longer walltime";
const KILLED_TOO_OFTEN: &str = "the job was deleted on its cluster again and again: ask who deletes it, and why";
const CLUSTER_TROUBLE: &str = "the cluster failed to run the job again and again: its events say more";

fn within(used: u32, budget: u32, place: Place, advice: &str) -> Reaction {
    if used < budget { Reaction::Retry(place) } else { Reaction::Fail { advice: advice.to_owned() } }
}

fn missing_program(code: i32) -> String {
    let what = if code == 126 { "is not executable" } else { "was not found" };
    format!("the program (exec_file) {what} there (exit {code}). Install or fix it, then resume the campaign")
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

    #[test]
    fn both_spellings_of_the_working_directory_event_hold_the_campaign() {
        for kind in ["WORKING_DIRECTOR", "WORKING_DIRECTORY"] {
            let cause = error(&[("SWITCH_INTO_ERROR_STATE", ""), (kind, "Cannot go into /x")]);
            let reaction = react(&cause, &History::default(), &Budgets::default(), false);
            assert!(matches!(reaction, Reaction::Hold { code: Code::WorkingDirectory, .. }), "{reaction:?}");
        }
    }

    #[test]
    fn best_effort_kills_come_back_without_limit_and_walltimes_do_not() {
        let budgets = Budgets::default();
        let tired = History { walltime: 2, person_kill: 3, infrastructure: 3, asked: 100 };
        let fresh = History::default();
        assert_eq!(react(&Cause::BestEffortKill, &tired, &budgets, false), Reaction::Retry(Place::First));
        assert_eq!(react(&Cause::Walltime, &fresh, &budgets, false), Reaction::Retry(Place::Elsewhere));
        assert!(matches!(react(&Cause::Walltime, &tired, &budgets, false), Reaction::Fail { .. }));
        assert_eq!(react(&Cause::AskedRetryLast, &fresh, &budgets, false), Reaction::Retry(Place::Last));
        assert!(matches!(react(&Cause::AskedRetry, &tired, &budgets, false), Reaction::Fail { .. }));
    }

    #[test]
    fn cancelling_ends_everything_but_a_success() {
        let (history, budgets) = (History::default(), Budgets::default());
        assert_eq!(react(&Cause::Success, &history, &budgets, true), Reaction::Succeed);
        for cause in [Cause::BestEffortKill, Cause::PersonKill("alice".into()), Cause::ExitCode(1)] {
            assert_eq!(react(&cause, &history, &budgets, true), Reaction::Cancel);
        }
        assert_eq!(react(&Cause::ResubmittedAs(4), &history, &budgets, true), Reaction::Follow(4));
    }
}
