//! What to do about the end of a remote job: its cause, the task's history and its owner's wish give the reaction.

use std::collections::BTreeMap;

use crate::cause::Cause;
use crate::event::Code;
use crate::failure::Class;
use crate::language::Escalation;
pub use crate::policy::Place;
use crate::policy::{self, Retries};
use crate::state::Wish;

/// How often the task's present generation was already tried again, by class of what had ended it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct History(BTreeMap<Class, u32>);

impl History {
    /// Counts one more.
    pub fn count(&mut self, class: Class) {
        *self.0.entry(class).or_default() += 1;
    }

    /// How many of a class there were.
    pub fn of(&self, class: Class) -> u32 {
        self.0.get(&class).copied().unwrap_or_default()
    }
}

/// What the campaign says of retries on the cluster.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    /// Its own words on classes.
    pub retries: Option<&'a Retries>,
    /// What further attempts ask for.
    pub escalation: Option<&'a Escalation>,
    /// Troubles of nodes are the user's own doing, as often as they like: a local cluster's process was ended.
    pub is_interrupted: bool,
    /// It has no other cluster.
    pub is_alone: bool,
}

/// One end of an attempt.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// Why it ended.
    pub cause: &'a Cause,
    /// What kind of trouble that is; none of a success.
    pub class: Option<Class>,
    /// What its resources and walltime were raised to: see [`Escalation`].
    pub level: u32,
    /// What was asked for it before it ended; a success still counts then.
    pub wish: Option<Wish>,
    /// Chance, for delays.
    pub seed: u64,
}

/// How a task is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// Where.
    pub place: Place,
    /// After how long, milliseconds.
    pub delay_ms: i64,
    /// At which level of escalation.
    pub level: u32,
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
    Retry(Again),
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

/// Decides.
pub fn react(attempt: &Attempt<'_>, history: &History, terms: &Terms<'_>) -> Reaction {
    let at_once = Reaction::Retry(Again { place: Place::First, delay_ms: 0, level: attempt.level });
    match attempt.cause {
        Cause::Success => Reaction::Succeed,
        Cause::Undecided => Reaction::Wait,
        Cause::ResubmittedAs(id) => Reaction::Follow(*id),
        _ if attempt.wish == Some(Wish::Cancel) => Reaction::Cancel,
        cause if attempt.wish == Some(Wish::Again) && cause.is_kill() => at_once,
        Cause::BestEffortKill | Cause::NotStarted | Cause::GroupKill | Cause::RunnerMissing => at_once,
        Cause::Infrastructure(_) if terms.is_interrupted => at_once,
        Cause::ProgramMissing(code) => Reaction::Hold { code: Code::ProgramMissing, advice: missing_program(*code) },
        Cause::WorkingDirectory(text) => Reaction::Hold {
            code: Code::WorkingDirectory,
            advice: format!("{text}. Create the directory (exec_directory) there, then resume the campaign"),
        },
        Cause::OutputFiles(text) => Reaction::Hold {
            code: Code::OutputFiles,
            advice: format!("{text}. Make exec_directory writable there, then resume the campaign"),
        },
        cause => within_budget(attempt, attempt.class.or_else(|| Class::of(cause)), history, terms),
    }
}

/// Tries again while the class's budget lasts.
fn within_budget(attempt: &Attempt<'_>, class: Option<Class>, history: &History, terms: &Terms<'_>) -> Reaction {
    let Some(class) = class else { return Reaction::Wait };
    let none = Retries::new();
    let retries = terms.retries.unwrap_or(&none);
    let (mut rule, used) = (policy::rule(retries, class), history.of(class));
    let raised = terms.escalation.filter(|escalation| escalation.answers(class));
    let own = retries.get(&class).copied().unwrap_or_default();
    if terms.is_alone && own.most.is_none() && matches!(class, Class::MissingFile | Class::MissingModule) {
        // What is missing here may be elsewhere; there is no such place.
        rule.most = 0;
    }
    if let Some(escalation) = raised {
        // Each level is tried once, wherever there is room.
        rule.most = own.most.unwrap_or(escalation.levels());
        rule.place = own.place.unwrap_or(Place::First);
    }
    if used >= rule.most {
        return Reaction::Fail { advice: advice(attempt.cause, class, used) };
    }
    let asked_last = *attempt.cause == Cause::AskedRetryLast && own.place.is_none();
    let level = raised.map_or(attempt.level, |escalation| (attempt.level + 1).min(escalation.levels()));
    let place = if asked_last { Place::Last } else { rule.place };
    Reaction::Retry(Again { place, delay_ms: rule.delay_ms(used, attempt.seed), level })
}

/// The event that tells of tasks that failed for good.
pub fn code_of(class: Class) -> Code {
    match class {
        Class::Walltime => Code::Walltime,
        Class::PersonKill => Code::PersonKill,
        Class::Asked => Code::AskedTooOften,
        Class::Node | Class::Lost => Code::ClusterTrouble,
        Class::Unknown => Code::UnknownError,
        _ => Code::ExitError,
    }
}

/// The classes of failures that an event tells of; none where it tells of something else.
pub fn classes_of(code: Code) -> Vec<Class> {
    let held = match code {
        Code::ProgramMissing => Some(Class::Program),
        Code::WorkingDirectory => Some(Class::Directory),
        Code::OutputFiles => Some(Class::Output),
        _ => None,
    };
    held.map_or_else(
        || Class::ALL.iter().copied().filter(|class| code_of(*class) == code).collect(),
        |class| vec![class],
    )
}

/// Why a task failed for good, and what helps.
fn advice(cause: &Cause, class: Class, used: u32) -> String {
    let what = match (cause, class) {
        (Cause::ExitCode(code), Class::Exit) => format!("the program exited with code {code}"),
        (Cause::Signal(signal), Class::Signal) => format!("the program was ended by signal {signal}"),
        (Cause::ExitCode(code), _) => format!("{} (exit {code})", help(class)),
        (Cause::Signal(signal), _) => format!("{} (signal {signal})", help(class)),
        (Cause::Unrecognised(kind, text), _) => format!("{}: {kind}: {text}", help(class)),
        (Cause::Infrastructure(text), _) => format!("{} (last: {text})", help(class)),
        (Cause::PersonKill(who), _) => format!("{} (last: {who})", help(class)),
        _ => help(class).to_owned(),
    };
    if used == 0 { what } else { format!("{what}; it was tried {} times for that", used + 1) }
}

fn help(class: Class) -> &'static str {
    match class {
        Class::Asked => "the program asked to be run again (exit 66 or 67) more often than allowed",
        Class::Walltime => {
            "the task ran into its walltime on every try: give it a longer walltime, or let it `escalate`"
        }
        Class::PersonKill => "the job was deleted on its cluster again and again: ask who deletes it, and why",
        Class::Node => "the cluster failed to run the job again and again: its events say more",
        Class::Memory => "it ran out of memory: ask for more cores or a node, or let it `escalate` with `resources`",
        Class::Disk => "a disk or a quota is full: make room, then retry",
        Class::MissingFile => "a file that it reads is not there: bring it there, then retry",
        Class::MissingModule => "a module or library is not there: install or load it, then retry",
        Class::Licence => {
            "no licence was free: allow more `retries` of `licence`, or run fewer jobs at once (`max_jobs`)"
        }
        Class::Unknown => "the cluster told something unknown here, on every try",
        _ => "it failed",
    }
}

fn missing_program(code: i32) -> String {
    let what = if code == 126 { "is not executable" } else { "was not found" };
    format!("the program (exec_file) {what} there (exit {code}). Install or fix it, then resume the campaign")
}

#[cfg(test)]
mod tests;
