//! Options of `cigri failures` and `cigri retry`.

use clap::Args;

use crate::place::Selector;

/// Shown below the help of `cigri failures`.
pub(super) const FAILURES_EXAMPLES: &str = "\
Examples:
  cigri failures 12              what failed for good, in groups, and what helps
  cigri failures 12 --attempts   attempts as well that were followed by another one
";

/// Shown below the help of `cigri retry`.
pub(super) const RETRY_EXAMPLES: &str = "\
Examples:
  cigri retry 12                                  all that failed
  cigri retry 12 --class walltime --walltime x2   with twice the time
  cigri retry 12 --exit 3 --where 'alpha < 0.9'   some of them
  cigri retry 12 --tasks 3,7-20 --dry-run         what would be tried again
  cigri retry 12 --all --yes                      done tasks too

A condition is written in CEL, over the parameters' names (p1, p2... for the words of unnamed ones), task, exit,
class, node and attempts. The same command again leaves what waits or runs already.
";

/// Options of `cigri failures`.
#[derive(Debug, Args)]
pub(crate) struct FailuresOptions {
    /// Its number, or `last`
    #[arg(default_value = "last")]
    pub(crate) campaign: Selector,
    /// Count attempts that were followed by another one as well
    #[arg(long)]
    pub(crate) attempts: bool,
}

/// Options of `cigri retry`.
#[derive(Debug, Args)]
pub(crate) struct RetryOptions {
    /// Its number, or `last`
    pub(crate) campaign: Selector,
    /// Only tasks that failed for this class, as `cigri failures` shows it; several are joined by commas
    #[arg(long = "class", value_name = "CLASS", value_delimiter = ',')]
    pub(crate) classes: Vec<String>,
    /// Only tasks whose last failure was on this cluster; several are joined by commas
    #[arg(long = "cluster", value_name = "CLUSTER", value_delimiter = ',')]
    pub(crate) clusters: Vec<String>,
    /// Only tasks whose last attempt ended with this exit code; several are joined by commas
    #[arg(long = "exit", value_name = "N", value_delimiter = ',')]
    pub(crate) exits: Vec<i32>,
    /// Only tasks that meet this condition, such as 'alpha < 0.9 && name == \"x\"'
    #[arg(long = "where", value_name = "CONDITION")]
    pub(crate) condition: Option<String>,
    /// Tasks with these indices (from 0), done ones too
    #[arg(long, value_name = "3,7-20", conflicts_with = "all")]
    pub(crate) tasks: Option<String>,
    /// All tasks that have ended, done ones too
    #[arg(long)]
    pub(crate) all: bool,
    /// Walltime of their next attempts: x2 for twice as long, or h:m:s
    #[arg(long, value_name = "x2|H:M:S")]
    pub(crate) walltime: Option<String>,
    /// Resources of their next attempts, such as /core=2
    #[arg(long, value_name = "REQUEST")]
    pub(crate) resources: Option<String>,
    /// Tell which tasks these are, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Ask nothing before done tasks are tried again
    #[arg(long)]
    pub(crate) yes: bool,
    /// Carry the same request out once, however often it is given with this key within a week
    #[arg(long, value_name = "KEY", conflicts_with = "dry_run")]
    pub(crate) idempotency_key: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn read(words: &[&str]) -> Result<RetryOptions, String> {
        let command = RetryOptions::augment_args(Command::new("retry"));
        let matches = command.try_get_matches_from([&["retry"], words].concat()).map_err(|error| error.to_string())?;
        RetryOptions::from_arg_matches(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn filters_can_be_repeated_and_joined() {
        let options =
            read(&["12", "--class", "walltime,memory", "--class", "exit", "--exit", "3", "--exit=4"]).unwrap();
        assert_eq!((options.classes.join(" "), options.exits), ("walltime memory exit".to_owned(), vec![3, 4]));
        assert!(read(&["12", "--all", "--tasks", "3"]).is_err());
        assert!(read(&[]).is_err(), "nothing is retried by default");
    }
}
