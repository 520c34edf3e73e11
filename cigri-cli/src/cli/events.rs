//! Options of `cigri events`.

use clap::{Args, Subcommand, ValueEnum};

use crate::place::Selector;

/// Shown below its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  cigri events                     your open events, what happened last first
  cigri events 7 --all             everything that happened to campaign 7
  cigri events --severity high --since 2h
  cigri events show 31             one of them in full, and what to do about it
  cigri events close 31 --retry    close it, and try the failed tasks of its campaign again
";

/// Options of `cigri events`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct EventsOptions {
    /// What to do with single ones.
    #[command(subcommand)]
    pub(crate) act: Option<EventsCommand>,
    /// Only those of a campaign: its number, or `last`
    pub(crate) campaign: Option<Selector>,
    /// Closed events as well
    #[arg(long)]
    pub(crate) all: bool,
    /// Those of all users (admins)
    #[arg(long, conflicts_with = "campaign")]
    pub(crate) everybody: bool,
    /// Only about this cluster
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Only of this code (docs/EVENTS.md lists them)
    #[arg(long, value_name = "CODE")]
    pub(crate) code: Option<String>,
    /// Only so urgent or more
    #[arg(long, value_enum)]
    pub(crate) severity: Option<Urgency>,
    /// Only what happened within this time: 90s, 30m, 2h, 3d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub(crate) since: Option<i64>,
    /// At most so many; 0 means all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u64,
    /// Close the open events of the campaign; what was held goes on, no task is dropped
    #[arg(long, requires = "campaign", conflicts_with_all = ["all", "cluster", "code", "severity", "since", "limit"])]
    pub(crate) close: bool,
    /// With --close: try its failed tasks again
    #[arg(long, requires = "close")]
    pub(crate) retry: bool,
}

/// What to do with single events.
#[derive(Debug, Subcommand)]
pub(crate) enum EventsCommand {
    /// Show an event in full: what happened first and last, what to do, how it ends
    Show {
        /// Its number, as `cigri events` gives it
        event: i64,
    },
    /// Close events by hand; what was held goes on, no task is dropped
    Close {
        /// Their numbers, as `cigri events` gives them
        #[arg(required = true, value_name = "EVENT")]
        events: Vec<i64>,
        /// Try the failed tasks of their campaigns again
        #[arg(long)]
        retry: bool,
    },
}

/// How urgent an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Urgency {
    /// For the record.
    Low,
    /// Worth a look.
    Medium,
    /// Needs somebody.
    High,
}

impl Urgency {
    /// The API's word.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Urgency::Low => "low",
            Urgency::Medium => "medium",
            Urgency::High => "high",
        }
    }
}

/// Reads `90s`, `30m`, `2h`, `3d`.
fn seconds(text: &str) -> Result<i64, String> {
    let wrong = || "expected a whole number with s, m, h or d, such as 2h".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let count: u32 = text.trim_end_matches(unit).parse().map_err(|_| wrong())?;
    Ok(i64::from(count) * factor)
}

#[cfg(test)]
mod tests {
    use clap::{Args as _, Command, FromArgMatches as _};

    use super::*;

    fn read(words: &[&str]) -> Result<EventsOptions, String> {
        let command = EventsOptions::augment_args(Command::new("events"));
        let matches = command.try_get_matches_from([&["events"], words].concat()).map_err(|error| error.to_string())?;
        EventsOptions::from_arg_matches(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn a_campaign_is_told_from_what_to_do_with_an_event() {
        assert_eq!(read(&[]).unwrap().campaign, None);
        assert_eq!(read(&["7"]).unwrap().campaign, Some(Selector::Id(7)));
        assert_eq!(read(&["last", "--all"]).unwrap().campaign, Some(Selector::Last));
        assert!(matches!(read(&["show", "31"]).unwrap().act, Some(EventsCommand::Show { event: 31 })));
        let closing = read(&["close", "31", "32", "--retry"]).unwrap().act;
        assert!(matches!(closing, Some(EventsCommand::Close { events, retry: true }) if events == [31, 32]));
        for wrong in
            [&["close"][..], &["--close"], &["7", "--retry"], &["7", "--everybody"], &["7", "--close", "--all"]]
        {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        assert!(read(&["7", "--close", "--retry"]).unwrap().retry);
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(["90s", "30m", "2h", "3d"].map(seconds), [Ok(90), Ok(1800), Ok(7200), Ok(259_200)]);
        for wrong in ["", "h", "2", "-1h", "1.5h", "2w", "é"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
