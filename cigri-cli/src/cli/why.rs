//! Options of `cigri why`.

use clap::Args;

use crate::place::Selector;

/// Shown below its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  cigri why 7             cluster by cluster, with numbers
  cigri why 7 --task 41   where task 41 is, and what it waits for
  cigri why 7 --all       every term that was looked at
  cigri why 7 --history=5
";

/// Options of `cigri why`.
#[derive(Debug, Args)]
pub(crate) struct WhyOptions {
    /// Its number, or `last`
    #[arg(default_value = "last")]
    pub(crate) campaign: Selector,
    /// Say where the task with this index (from 0, as `cigri jobs` shows it) is
    #[arg(long, value_name = "I")]
    pub(crate) task: Option<u64>,
    /// Show every term with what it allows by itself
    #[arg(long)]
    pub(crate) all: bool,
    /// Show the last N decisions that differed from the ones before [default: 20]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "20",
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) history: Option<u64>,
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn read(words: &[&str]) -> Result<(String, Option<u64>), String> {
        let command = WhyOptions::augment_args(Command::new("why"));
        let matches = command.try_get_matches_from([&["why"], words].concat()).map_err(|error| error.to_string())?;
        let options = WhyOptions::from_arg_matches(&matches).map_err(|error| error.to_string())?;
        Ok((format!("{:?}", options.campaign), options.history))
    }

    #[test]
    fn a_number_behind_history_is_the_campaign_unless_it_is_joined() {
        let (seven, _) = read(&["7"]).unwrap();
        assert_eq!(read(&["--history", "7"]), Ok((seven.clone(), Some(20))));
        assert_eq!(read(&["7", "--history=5"]), Ok((seven, Some(5))));
        assert!(read(&["7", "--history=0"]).is_err());
    }
}
