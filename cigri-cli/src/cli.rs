//! The command line of `cigri`: every command and option, with the help that users read.

mod admin;
mod events;
mod limits;
mod notify;
mod retry;
mod simulate;
mod usage;
mod why;

use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

pub(crate) use admin::{AdminCommand, JobsThere, Renewal, RulesCommand, TokenCommand};
pub(crate) use events::{EventsCommand, EventsOptions};
pub(crate) use limits::{ClusterCommand, Entry, ModeOptions, SetOptions};
pub(crate) use notify::{AddNotification, NotificationKind, NotifyCommand};
pub(crate) use retry::{FailuresOptions, RetryOptions};
pub(crate) use simulate::SimulateOptions;
pub(crate) use usage::{By, UsageOptions};
pub(crate) use why::WhyOptions;

use crate::exit::EXIT_CODES;
use crate::place::Selector;
use crate::run::axes::{Axis, parse_axis};

const EXAMPLES: &str = "\
Examples:
  cigri run sweep.json                 run a campaign on this machine, and follow it
  cigri run sweep.json --retry-failed  try its failed tasks again
  cigri status                         how the newest campaign goes, from another terminal
  cigri failures last                  what failed, and what helps
  cigri logs 42 --err                  what job 42 wrote to standard error
";

/// Campaigns of many independent tasks, on this machine or on the idle resources of clusters.
#[derive(Debug, Parser)]
#[command(name = "cigri", version, max_term_width = 100, propagate_version = true, infer_subcommands = false)]
#[command(after_help = EXIT_CODES, after_long_help = format!("{EXAMPLES}\n{EXIT_CODES}"))]
pub(crate) struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: Global,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Where campaigns of this machine are kept [default: $XDG_DATA_HOME/cigri, else ~/.local/share/cigri]
    #[arg(long, global = true, env = "CIGRI_DATA_DIR", value_name = "DIR", hide_env_values = true)]
    pub(crate) data_dir: Option<PathBuf>,
    /// Socket of a CiGri server to work with, instead of a data directory
    #[arg(long, global = true, env = "CIGRI_SERVER", value_name = "SOCKET", hide_env_values = true)]
    pub(crate) server: Option<PathBuf>,
    /// Print JSON, as the API gives it
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but errors and warnings
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// No colours (the same as the environment variable NO_COLOR)
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
}

/// What `cigri` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a campaign on this machine, and follow it to its end
    ///
    /// Each cluster that the file names becomes a local one, so that a campaign can be tried before it is sent. The same
    /// file run again goes on where it was; Ctrl-C pauses it.
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunOptions),
    /// Submit a campaign, without following it
    #[command(after_help = "Example:\n  cigri --server /run/cigri/cigri.sock submit sweep.json\n")]
    Submit(SubmitOptions),
    /// Add tasks to a campaign, all of them or none
    ///
    /// A finished campaign goes on with them; a cancelled one takes none.
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddOptions),
    /// Check campaign files and the parameter files that they name, without a server
    ///
    /// Each problem and warning is a line of its own: FILE: place: what was found, what was expected. Whether a cluster
    /// exists and has such resources only a server knows.
    #[command(after_help = "Example:\n  cigri lint *.json\n  cigri lint --schema > campaign.schema.json\n")]
    Lint(LintOptions),
    /// Predict when a campaign would end, on modelled clusters, without a server
    ///
    /// The server's own meter is played on a virtual clock, under many seeds. What is not given is assumed, and told.
    #[command(after_help = simulate::EXAMPLES)]
    Simulate(SimulateOptions),
    /// Fetch the files that the tasks of a campaign wrote (`output_file`), as far as they are done
    ///
    /// Each done task's file comes into one folder. The same command again fetches what is not there yet.
    #[command(after_help = "Example:\n  cigri results last --to pi-results\n")]
    Results(ResultsOptions),
    /// Tokens of clusters
    #[command(subcommand)]
    Token(TokenCommand),
    /// Be told of what happens: by mail, Jabber, webhook
    #[command(subcommand, after_help = notify::EXAMPLES)]
    Notify(NotifyCommand),
    /// What admins do: limits of clusters, backup and restore, admission rules
    #[command(subcommand)]
    Admin(AdminCommand),
    /// Everything that looks at campaigns or steers them.
    #[command(flatten)]
    Show(ShowCommand),
}

const RUN_EXAMPLES: &str = "\
Examples:
  cigri run sweep.json --cores 4
  cigri run sweep.json --kill-rate 0.3   kill three attempts in ten, and watch them come back
  cigri run sweep.json --new             start afresh, whatever was done before
";

const ADD_EXAMPLES: &str = "\
Examples:
  cigri add 7 more.txt
  cigri add last --params 'alpha 1' 'alpha 2'
  seq 1000 1999 | cigri add 7 -
";

/// Options of `cigri add`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("tasks").required(true).args(["file", "params"]))]
pub(crate) struct AddOptions {
    /// Its number, or `last`
    pub(crate) campaign: Selector,
    /// A file with one parameter a line, `-` for standard input
    pub(crate) file: Option<PathBuf>,
    /// The parameters themselves, one task each
    #[arg(long, value_name = "PARAMETER", num_args = 1..)]
    pub(crate) params: Vec<String>,
    /// Carry the same request out once, however often it is given with this key within a week
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
}

/// Options of `cigri run`.
#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The campaign file (JSON)
    pub(crate) file: PathBuf,
    /// How many cores to use [default: all of this machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) cores: Option<u32>,
    /// Kill each best-effort attempt with this probability, as a busy cluster would
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub(crate) kill_rate: f64,
    /// Seed of the kills, to have the same ones again
    #[arg(long, value_name = "S")]
    pub(crate) seed: Option<u64>,
    /// Tell what would be run, and run nothing
    #[arg(long, conflicts_with_all = ["new", "retry_failed"])]
    pub(crate) dry_run: bool,
    /// Write two files per job, as OAR does, instead of keeping output for `cigri logs`
    #[arg(long)]
    pub(crate) output_files: bool,
    /// Parameters in place of the file's own.
    #[command(flatten)]
    pub(crate) sweep: SweepOptions,
    /// What to do with an earlier campaign of the same file.
    #[command(flatten)]
    pub(crate) again: Again,
}

/// Options of `cigri submit`.
#[derive(Debug, Args)]
pub(crate) struct SubmitOptions {
    /// The campaign file (JSON)
    pub(crate) file: PathBuf,
    /// Carry the same request out once, however often it is given with this key within a week
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Parameters in place of the file's own.
    #[command(flatten)]
    pub(crate) sweep: SweepOptions,
    /// Tell what would be sent, and send nothing
    #[arg(long, conflicts_with_all = ["new", "retry_failed"])]
    pub(crate) dry_run: bool,
    /// What to do with an earlier campaign of the same file.
    #[command(flatten)]
    pub(crate) again: Again,
}

/// Options of `cigri lint`.
#[derive(Debug, Args)]
pub(crate) struct LintOptions {
    /// Campaign files (JSON)
    #[arg(required_unless_present = "schema", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Print the JSON Schema of campaign files instead, for editors
    #[arg(long, conflicts_with = "files")]
    pub(crate) schema: bool,
}

/// Parameters in place of the file's own.
#[derive(Debug, Clone, Args)]
pub(crate) struct SweepOptions {
    /// Values of a parameter (A,B,C or FROM:TO:STEP), in place of the file's own; several make a grid
    #[arg(short, long = "parameter", value_name = "NAME=VALUES", value_parser = parse_axis)]
    pub(crate) parameters: Vec<Axis>,
}

/// Options of `cigri results`.
#[derive(Debug, Args)]
pub(crate) struct ResultsOptions {
    /// Its number, or `last`
    #[arg(default_value = "last")]
    pub(crate) campaign: Selector,
    /// The folder for the files [default: the campaign's `output_destination`, else ./cigri-results-ID]
    #[arg(long, value_name = "DIR")]
    pub(crate) to: Option<PathBuf>,
    /// Replace files that are in the way
    #[arg(long)]
    pub(crate) force: bool,
    /// Fetch what the tasks printed to standard output instead
    #[arg(long)]
    pub(crate) stdout: bool,
}

/// What to do with an earlier campaign of the same file.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Again {
    /// Start afresh, even if a campaign of this file exists
    #[arg(long)]
    pub(crate) new: bool,
    /// Try the failed tasks of this file's campaign again
    #[arg(long, conflicts_with = "new")]
    pub(crate) retry_failed: bool,
}

/// Commands about campaigns that exist.
#[derive(Debug, Subcommand)]
pub(crate) enum ShowCommand {
    /// How a campaign goes
    Status {
        /// Its number, or `last`
        #[arg(default_value = "last")]
        campaign: Selector,
    },
    /// List the campaigns that are not finished
    List {
        /// Finished and cancelled ones as well
        #[arg(long)]
        all: bool,
    },
    /// List the jobs of a campaign: one line per attempt to run a task
    #[command(after_help = "Example:\n  cigri jobs last --state failed --limit 0\n")]
    Jobs {
        /// Its number, or `last`
        #[arg(default_value = "last")]
        campaign: Selector,
        /// Only jobs in this state (running, done, failed, killed...)
        #[arg(long)]
        state: Option<String>,
        /// Only jobs of the task with this index (from 0)
        #[arg(long, value_name = "I")]
        task: Option<u64>,
        /// At most so many; 0 means all
        #[arg(long, value_name = "N", default_value_t = 100)]
        limit: u64,
    },
    /// Show what a job wrote
    #[command(after_help = "Example:\n  cigri logs 42 --err --tail 20\n")]
    Logs {
        /// Number of the job, as `cigri jobs` gives it
        job: i64,
        /// Standard error instead of standard output
        #[arg(long)]
        err: bool,
        /// Only the last N lines
        #[arg(long, value_name = "N")]
        tail: Option<u64>,
    },
    /// List what happened and may need you; close what is mended
    #[command(after_help = events::EXAMPLES)]
    Events(EventsOptions),
    /// Say what failed, in groups: where, with which parameters, and what helps
    #[command(after_help = retry::FAILURES_EXAMPLES)]
    Failures(FailuresOptions),
    /// Say why nothing more of a campaign is sent now, and who can change that
    #[command(after_help = why::EXAMPLES)]
    Why(WhyOptions),
    /// End a campaign: what runs is killed, what waits is dropped
    Cancel {
        /// Its number, or `last`
        campaign: Selector,
    },
    /// Send nothing more of a campaign; what runs goes on
    Pause {
        /// Its number, or `last`
        campaign: Selector,
    },
    /// Go on with a paused or held campaign
    Resume {
        /// Its number, or `last`
        campaign: Selector,
    },
    /// Try the failed tasks of a campaign again, or those that are meant
    #[command(after_help = retry::RETRY_EXAMPLES)]
    Retry(RetryOptions),
    /// Kill single jobs; their tasks end as cancelled
    ///
    /// A job that is just being sent is killed once its cluster has answered, before it starts. `cigri retry` tries
    /// cancelled tasks again.
    #[command(after_help = "Example:\n  cigri kill 42 43 --again\n")]
    Kill {
        /// Numbers of the jobs, as `cigri jobs` gives them
        #[arg(required = true, value_name = "JOB")]
        jobs: Vec<i64>,
        /// Send their tasks again instead
        #[arg(long)]
        again: bool,
    },
    /// List the clusters
    Clusters,
    /// What campaigns had of clusters, in core-hours; how clusters are used
    ///
    /// A job counts the cores that it asked for, on the day (UTC) on which it ended: as useful, lost to a kill, failed, or
    /// cancelled.
    #[command(after_help = usage::EXAMPLES)]
    Usage(UsageOptions),
}

/// Reads the command line; ends the program itself for help and mistakes.
pub(crate) fn parse() -> Arguments {
    let matches = Arguments::command().get_matches();
    let given = |name| matches.value_source(name) == Some(ValueSource::CommandLine);
    let (data_dir, server) = (given("data_dir"), given("server"));
    let mut arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => error.exit(),
    };
    // What is typed wins over what the environment says.
    match (data_dir, server) {
        (true, true) => Arguments::command()
            .error(clap::error::ErrorKind::ArgumentConflict, "`--server` and `--data-dir` cannot be used together")
            .exit(),
        (true, false) => arguments.global.server = None,
        _ => {}
    }
    arguments
}

fn probability(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if (0.0..1.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to less than 1, such as 0.3".into()),
    }
}

#[cfg(test)]
mod tests;
