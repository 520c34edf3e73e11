//! Commands of tokens and of administrators.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::ClusterCommand;

/// `cigri token ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Store a cluster's token, read from standard input or a file (never given as an argument)
    #[command(after_help = "Example:\n  cigri token add dahu --token-file ~/dahu.token\n")]
    Add {
        /// Name of the cluster
        cluster: String,
        /// Read the token from this file [default: standard input]
        #[arg(long, value_name = "FILE")]
        token_file: Option<PathBuf>,
        /// When the server asks for a new one by itself [default: as before, or `needed`]
        #[arg(long, value_enum, value_name = "WHEN")]
        renew: Option<Renewal>,
    },
    /// List your tokens, masked, with the days that are left
    List,
    /// Say when the server asks for a new token by itself, two weeks before it ends
    #[command(after_help = "Example:\n  cigri token set dahu --renew always\n")]
    Set {
        /// Name of the cluster
        cluster: String,
        /// When
        #[arg(long, value_enum, value_name = "WHEN")]
        renew: Renewal,
    },
    /// Forget a cluster's token
    Remove {
        /// Name of the cluster
        cluster: String,
    },
}

/// When a token is renewed by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Renewal {
    /// While campaigns of yours may run there
    Needed,
    /// Always
    Always,
    /// Never
    Never,
}

/// `cigri admin ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Copy the whole database to a file, while it is in use
    ///
    /// The copy is that of one moment; work goes on meanwhile. The key that seals tokens is no part of it.
    #[command(after_help = "Example:\n  cigri --server /run/cigri/cigri.sock admin backup /backup/cigri-monday\n")]
    Backup {
        /// The file to write, readable for you alone; `-` for standard output
        file: PathBuf,
        /// Replace the file if it exists
        #[arg(long)]
        force: bool,
    },
    /// Put a backup in the place of the database, while no server runs
    ///
    /// The database that it replaces is kept aside. Nothing is sent to a cluster then before it was searched for jobs
    /// that the backup does not know.
    #[command(after_help = "Example:\n  cigri admin restore /backup/cigri-monday --config /etc/cigri/server.toml\n")]
    Restore {
        /// A file that `cigri admin backup` wrote
        file: PathBuf,
        /// Configuration file of the server whose database it is [default: the data directory]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
    /// Admission rules
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Limits of clusters: caps, quotas, windows, drain
    #[command(subcommand)]
    Cluster(ClusterCommand),
    /// Use a cluster again whose database was reset or restored
    ///
    /// Such a cluster gives job numbers out twice, so nothing that it shows is believed. Find out whether the jobs of
    /// CiGri still exist there (`oarstat` there), then say so here.
    #[command(after_help = "Example:\n  cigri admin accept-reset dahu --jobs lost\n")]
    AcceptReset {
        /// Name of the cluster
        cluster: String,
        /// What became of our jobs there: lost ones are sent again
        #[arg(long)]
        jobs: JobsThere,
    },
}

/// `cigri admin rules ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check a rules file and its examples, without a server
    ///
    /// For each campaign file given beside it, every effect of every rule is shown. A running server's rules are tried with
    /// `cigri submit --dry-run`.
    #[command(after_help = "Example:\n  cigri admin rules test rules.toml sweep.json --user bob\n")]
    Test {
        /// The rules file (TOML)
        rules: PathBuf,
        /// Campaign files to weigh
        #[arg(requires = "user", value_name = "CAMPAIGN")]
        campaigns: Vec<PathBuf>,
        /// Login of whoever would submit them
        #[arg(long, value_name = "LOGIN")]
        user: Option<String>,
        /// Take the user for an administrator
        #[arg(long)]
        admin: bool,
    },
}

/// What became of our jobs on a cluster.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum JobsThere {
    /// They are gone.
    Lost,
    /// They are there, under their numbers.
    Kept,
}
