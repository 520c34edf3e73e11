//! What to do about the end of a remote job: its cause, the task's history and its owner's wish give the reaction.

use crate::cause::Cause;
use crate::event::Code;
use crate::state::Wish;

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

/// Decides. `wish` is what was asked for the job before it ended; a success still counts then.
pub fn react(cause: &Cause, history: &History, budgets: &Budgets, wish: Option<Wish>) -> Reaction {
    match cause {
        Cause::Success => Reaction::Succeed,
        Cause::Undecided => Reaction::Wait,
        Cause::ResubmittedAs(id) => Reaction::Follow(*id),
        _ if wish == Some(Wish::Cancel) => Reaction::Cancel,
        _ if wish == Some(Wish::Again) && cause.is_kill() => Reaction::Retry(Place::First),
        Cause::BestEffortKill | Cause::NotStarted | Cause::GroupKill | Cause::RunnerMissing => {
            Reaction::Retry(Place::First)
        }
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
    use crate::cause::{RemoteEnd, RemoteEvent, classify};

    #[test]
    fn both_spellings_of_the_working_directory_event_hold_the_campaign() {
        for kind in ["WORKING_DIRECTOR", "WORKING_DIRECTORY"] {
            let event = RemoteEvent { kind: kind.into(), description: "Cannot go into /x".into(), to_check: false };
            let cause = classify(&RemoteEnd { terminated: false, wait_status: None, events: vec![event] });
            let reaction = react(&cause, &History::default(), &Budgets::default(), None);
            assert!(matches!(reaction, Reaction::Hold { code: Code::WorkingDirectory, .. }), "{reaction:?}");
        }
    }

    #[test]
    fn best_effort_kills_come_back_without_limit_and_walltimes_do_not() {
        let budgets = Budgets::default();
        let tired = History { walltime: 2, person_kill: 3, infrastructure: 3, asked: 100 };
        let fresh = History::default();
        assert_eq!(react(&Cause::BestEffortKill, &tired, &budgets, None), Reaction::Retry(Place::First));
        assert_eq!(react(&Cause::Walltime, &fresh, &budgets, None), Reaction::Retry(Place::Elsewhere));
        assert!(matches!(react(&Cause::Walltime, &tired, &budgets, None), Reaction::Fail { .. }));
        assert_eq!(react(&Cause::AskedRetryLast, &fresh, &budgets, None), Reaction::Retry(Place::Last));
        assert!(matches!(react(&Cause::AskedRetry, &tired, &budgets, None), Reaction::Fail { .. }));
    }

    #[test]
    fn cancelling_ends_everything_but_a_success() {
        let (history, budgets) = (History::default(), Budgets::default());
        assert_eq!(react(&Cause::Success, &history, &budgets, Some(Wish::Cancel)), Reaction::Succeed);
        for cause in [Cause::BestEffortKill, Cause::PersonKill("alice".into()), Cause::ExitCode(1)] {
            assert_eq!(react(&cause, &history, &budgets, Some(Wish::Cancel)), Reaction::Cancel);
        }
        assert_eq!(react(&Cause::ResubmittedAs(4), &history, &budgets, Some(Wish::Cancel)), Reaction::Follow(4));
    }

    #[test]
    fn a_job_that_was_asked_to_come_back_does_so_without_limit_unless_it_ended_by_itself() {
        let tired = History { walltime: 2, person_kill: 3, infrastructure: 3, asked: 100 };
        let again = |cause: Cause| react(&cause, &tired, &Budgets::default(), Some(Wish::Again));
        assert_eq!(again(Cause::PersonKill("alice".into())), Reaction::Retry(Place::First));
        assert_eq!(again(Cause::Success), Reaction::Succeed);
        assert!(matches!(again(Cause::ExitCode(3)), Reaction::Fail { .. }));
    }
}
