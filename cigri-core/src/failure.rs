//! Failures by class: what kind of trouble ended an attempt, whatever the cluster calls it.
//!
//! A [`Cause`](crate::cause::Cause) is what was read; its class decides about another try ([`crate::reaction`]), is what
//! breakers count, and what users see failures grouped by.

use serde::{Deserialize, Serialize};

use crate::cause::Cause;
use crate::signature;

/// Declares the classes with their stored words once.
macro_rules! classes {
    ($($(#[$doc:meta])* $name:ident $word:literal,)+) => {
        /// What kind of trouble ended an attempt.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Class { $($(#[$doc])* $name,)+ }

        impl Class {
            /// All of them.
            pub const ALL: &[Class] = &[$(Class::$name,)+];

            /// The stored and shown word.
            pub fn as_str(self) -> &'static str {
                match self { $(Class::$name => $word,)+ }
            }
        }
    };
}

classes! {
    /// The cluster needed the place, or we took the job back: nobody's failure.
    Preempted "preempted",
    /// A person deleted the job on its cluster.
    PersonKill "person_kill",
    /// It ran into its walltime.
    Walltime "walltime",
    /// The program asked to be run again (exit 66, 67).
    Asked "asked",
    /// The program exited with an error.
    Exit "exit",
    /// The program was ended by a signal.
    Signal "signal",
    /// It ran out of memory.
    Memory "memory",
    /// A disk or quota was full.
    Disk "disk",
    /// A file that it reads is not there.
    MissingFile "missing_file",
    /// A module or library that it loads is not there.
    MissingModule "missing_module",
    /// No licence was free.
    Licence "licence",
    /// The program is not there, or cannot be executed.
    Program "program",
    /// Its working directory cannot be entered.
    Directory "directory",
    /// Its output files cannot be written.
    Output "output",
    /// A node, the launcher or the scheduler failed.
    Node "node",
    /// The cluster lost the job.
    Lost "lost",
    /// The cluster told something that nobody here has heard of.
    Unknown "unknown",
}

impl Class {
    /// The class of a cause by itself; `None` for a success, and for what is not over.
    pub fn of(cause: &Cause) -> Option<Class> {
        Some(match cause {
            Cause::Success | Cause::Undecided | Cause::ResubmittedAs(_) => return None,
            Cause::BestEffortKill | Cause::NotStarted | Cause::GroupKill | Cause::RunnerMissing => Class::Preempted,
            Cause::AskedRetry | Cause::AskedRetryLast => Class::Asked,
            Cause::PersonKill(_) => Class::PersonKill,
            Cause::Walltime => Class::Walltime,
            Cause::ProgramMissing(_) => Class::Program,
            Cause::ExitCode(_) => Class::Exit,
            Cause::Signal(_) => Class::Signal,
            Cause::WorkingDirectory(_) => Class::Directory,
            Cause::OutputFiles(_) => Class::Output,
            Cause::Infrastructure(_) => Class::Node,
            Cause::Unrecognised(..) => Class::Unknown,
        })
    }

    /// The class of a cause, when the last lines of the program's standard error are known as well: they say more about
    /// a program that ended by itself, and nothing about one that somebody else ended.
    pub fn seen(cause: &Cause, stderr: Option<&str>) -> Option<Class> {
        let told = stderr.filter(|_| matches!(cause, Cause::ExitCode(_) | Cause::Signal(_)));
        told.and_then(signature::class_of).or_else(|| Class::of(cause))
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a class of failures")]
pub struct UnknownClass(String);

impl std::str::FromStr for Class {
    type Err = UnknownClass;
    fn from_str(word: &str) -> Result<Self, UnknownClass> {
        let class = Class::ALL.iter().find(|class| class.as_str() == word).copied();
        class.ok_or_else(|| UnknownClass(word.to_owned()))
    }
}

/// What is kept of an attempt that failed. Preempted ones are not kept: they are as many as the cluster likes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind of trouble it was.
    pub class: Class,
    /// Host that it ran on, where known.
    pub node: Option<String>,
    /// The telling line of its standard error or the cluster's event, without what differs from task to task.
    pub signature: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_read_back_from_its_word() {
        for class in Class::ALL {
            assert_eq!(class.as_str().parse(), Ok(*class));
        }
        assert!("bad luck".parse::<Class>().is_err());
    }

    #[test]
    fn what_ended_well_or_has_not_ended_is_no_failure() {
        assert_eq!(Class::of(&Cause::Success), None);
        assert_eq!(Class::of(&Cause::Undecided), None);
        assert_eq!(Class::of(&Cause::Walltime), Some(Class::Walltime));
    }

    #[test]
    fn standard_error_speaks_for_programs_that_ended_by_themselves_only() {
        let full = Some("write: No space left on device");
        assert_eq!(Class::seen(&Cause::ExitCode(1), full), Some(Class::Disk));
        assert_eq!(Class::seen(&Cause::Signal(9), Some("oom-kill: task 3")), Some(Class::Memory));
        assert_eq!(Class::seen(&Cause::ExitCode(1), Some("boom")), Some(Class::Exit));
        assert_eq!(Class::seen(&Cause::Signal(9), None), Some(Class::Signal));
        assert_eq!(Class::seen(&Cause::Success, full), None);
        for cause in [Cause::Walltime, Cause::AskedRetry, Cause::ProgramMissing(127), Cause::BestEffortKill] {
            assert_eq!(Class::seen(&cause, full), Class::of(&cause), "{cause:?}");
        }
    }
}
