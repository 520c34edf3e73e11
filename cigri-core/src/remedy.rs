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

/// What helps against failures of a class in a campaign, with this exit code, of tasks that asked for these resources, if
/// that is known.
pub fn remedy(campaign: i64, class: Class, (exit_code, asked): (Option<i32>, Option<&str>)) -> Remedy {
    let retry = |options: &str| format!("cigri retry {campaign} --class {class}{options}");
    let command = match (class, exit_code) {
        (Class::Exit, Some(code)) => retry(&format!(" --exit {code}")),
        (Class::Walltime, _) => retry(" --walltime x2"),
        (Class::Memory, _) => {
            retry(&asked.and_then(doubled).map(|more| format!(" --resources {more}")).unwrap_or_default())
        }
        _ => retry(""),
    };
    Remedy { advice: advice(class), command }
}

/// Twice as many cores, where the request ends with their number.
fn doubled(resources: &str) -> Option<String> {
    let (rest, cores) = resources.rsplit_once("/core=")?;
    let more = cores.parse::<u32>().ok()?.checked_mul(2)?;
    // What has other signs is nothing to type without thought.
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "/=_".contains(sign);
    rest.chars().all(is_plain).then(|| format!("{rest}/core={more}"))
}

fn advice(class: Class) -> &'static str {
    match class {
        Class::Preempted => "nothing is wrong with them",
        Class::PersonKill => "somebody deleted the jobs on the cluster: ask its admins why before you try again",
        Class::Walltime => "they need more time than they asked for",
        Class::Asked => "the program asked to be run again more often than is allowed: see what it waits for",
        Class::Exit => "the program reports an error: read what it wrote, correct it, then try again",
        Class::Signal => "the program crashed: read what it wrote, correct it, then try again",
        Class::Memory => "they need more memory: ask for more cores with `--resources`, or for a node with more",
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
    fn who_needs_memory_is_never_told_to_ask_for_less() {
        let typed = |asked: Option<&str>| remedy(12, Class::Memory, (Some(137), asked)).command;
        assert_eq!(typed(Some("/core=4")), "cigri retry 12 --class memory --resources /core=8");
        assert_eq!(typed(Some("/nodes=2/core=1")), "cigri retry 12 --class memory --resources /nodes=2/core=2");
        for unclear in [None, Some("/nodes=1"), Some("/core=ALL"), Some("{mem > 4}/core=1"), Some("/core=2/thread=1")] {
            assert_eq!(typed(unclear), "cigri retry 12 --class memory", "{unclear:?}");
        }
    }

    #[test]
    fn every_class_has_advice_and_a_command_that_selects_it() {
        for class in Class::ALL {
            let remedy = remedy(12, *class, (None, None));
            assert!(!remedy.advice.is_empty());
            assert!(remedy.command.starts_with(&format!("cigri retry 12 --class {class}")), "{remedy:?}");
        }
        assert_eq!(
            remedy(12, Class::Walltime, (None, Some("/core=1"))).command,
            "cigri retry 12 --class walltime --walltime x2"
        );
        assert_eq!(remedy(12, Class::Exit, (Some(3), None)).command, "cigri retry 12 --class exit --exit 3");
    }
}
