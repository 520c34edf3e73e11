//! What a user can do about a class of failures: in words, and as the command to type.

use crate::failure::Class;

/// Advice for a group of failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// In words.
    pub advice: &'static str,
    /// What to type, once that is done.
    pub command: String,
}

/// What helps against failures of a class in a campaign.
pub fn remedy(campaign: i64, class: Class, exit_code: Option<i32>) -> Remedy {
    let retry = |options: &str| format!("cigri retry {campaign} --class {class}{options}");
    let command = match (class, exit_code) {
        (Class::Exit, Some(code)) => format!("cigri retry {campaign} --exit {code}"),
        (Class::Walltime, _) => retry(" --walltime x2"),
        (Class::Memory, _) => retry(" --resources /core=2"),
        _ => retry(""),
    };
    Remedy { advice: advice(class), command }
}

fn advice(class: Class) -> &'static str {
    match class {
        Class::Preempted => "nothing is wrong with them",
        Class::PersonKill => "somebody deleted the jobs on the cluster: ask its admins why before you try again",
        Class::Walltime => "they need more time than they asked for",
        Class::Asked => "the program asked to be run again more often than is allowed: see what it waits for",
        Class::Exit => "the program reports an error: read what it wrote, correct it, then try again",
        Class::Signal => "the program crashed: read what it wrote, correct it, then try again",
        Class::Memory => "they need more memory: ask for more cores, or for a node with more",
        Class::Disk => "a disk or a quota is full: make room, then try again",
        Class::MissingFile => "a file is missing: bring it to the cluster, then try again",
        Class::MissingModule => "a module or library is missing: install or load it on the cluster, then try again",
        Class::Licence => "no licence was free: try again later, or with fewer jobs at a time",
        Class::Program => "the program is not there or not executable: correct that on the cluster, then try again",
        Class::Directory => "the working directory cannot be entered: create it on the cluster, then try again",
        Class::Output => "output files cannot be written: make the folder writable, then try again",
        Class::Node => "the cluster failed, not the tasks: try again",
        Class::Lost => "the cluster lost them: try again",
        Class::Unknown => "the cluster says something that CiGri does not know: read it, then try again",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_advice_and_a_command_that_selects_it() {
        for class in Class::ALL {
            let remedy = remedy(12, *class, None);
            assert!(!remedy.advice.is_empty());
            assert!(remedy.command.starts_with(&format!("cigri retry 12 --class {class}")), "{remedy:?}");
        }
        assert_eq!(remedy(12, Class::Walltime, None).command, "cigri retry 12 --class walltime --walltime x2");
        assert_eq!(remedy(12, Class::Exit, Some(3)).command, "cigri retry 12 --exit 3");
    }
}
