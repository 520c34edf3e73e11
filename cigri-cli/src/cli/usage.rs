//! Options of `cigri usage`.

use clap::{Args, ValueEnum};

use crate::place::Selector;

/// Shown below its help.
pub(super) const EXAMPLES: &str = "\
Examples:
  cigri usage                          your campaigns, in core-hours
  cigri usage --by day --from 2026-11-01
  cigri usage --by cluster             what all users together had of each
  cigri usage --grid                   how clusters are used now
  cigri usage --grid --from 2026-11-01 --csv > usage.csv
";

/// Options of `cigri usage`.
#[derive(Debug, Args)]
pub(crate) struct UsageOptions {
    /// How clusters are used, instead of what campaigns had of them
    #[arg(long, conflicts_with_all = ["by", "user", "campaign"])]
    pub(crate) grid: bool,
    /// What a line is about
    #[arg(long, value_enum, default_value_t = By::Campaign)]
    pub(crate) by: By,
    /// Only this user's campaigns [default: your own; by cluster, and for admins, everybody's]
    #[arg(long, value_name = "USER")]
    pub(crate) user: Option<String>,
    /// Only this campaign: its number, or `last`
    #[arg(long, value_name = "ID")]
    pub(crate) campaign: Option<Selector>,
    /// Only this cluster
    #[arg(long, value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// From this day on (YYYY-MM-DD, UTC)
    #[arg(long, value_name = "DATE")]
    pub(crate) from: Option<String>,
    /// Until the end of this day
    #[arg(long, value_name = "DATE")]
    pub(crate) to: Option<String>,
    /// With --grid: means over this many seconds instead of every sample
    #[arg(long, value_name = "SECONDS", requires = "grid")]
    pub(crate) step: Option<u64>,
    /// Print a table for spreadsheets (CSV)
    #[arg(long, conflicts_with = "json")]
    pub(crate) csv: bool,
}

/// What a line of `cigri usage` is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    /// A user
    User,
    /// A campaign
    Campaign,
    /// A cluster
    Cluster,
    /// A day
    Day,
}

impl By {
    /// The word of the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            By::User => "user",
            By::Campaign => "campaign",
            By::Cluster => "cluster",
            By::Day => "day",
        }
    }
}
