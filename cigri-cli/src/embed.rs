//! The server inside this process: what `cigri run` is made of, and how other commands read a data directory that
//! nobody serves.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

pub(crate) use cigri_server::backup::Done;
use cigri_server::backup::{self, Target};
use cigri_server::embedded::{Embedded, EmbeddedConfig, StartError, socket_path};
use tracing_subscriber::EnvFilter;

use crate::cli::RunOptions;
use crate::exit::Failure;

/// Environment variable that says what is logged, in the words of `RUST_LOG`.
const LOG_FILTER: &str = "CIGRI_LOG";
/// The log of servers inside `cigri`, beside the database.
const LOG_FILE: &str = "cigri.log";

/// What a server inside this process is to do.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    cores: u32,
    kill_rate: f64,
    seed: Option<u64>,
    output_files: bool,
    run_jobs: bool,
}

impl Engine {
    /// Runs jobs, as the options of `cigri run` say.
    pub(crate) fn running(options: &RunOptions) -> Self {
        Self {
            cores: options.cores.unwrap_or_else(all_cores),
            kill_rate: options.kill_rate,
            seed: options.seed,
            output_files: options.output_files,
            run_jobs: true,
        }
    }

    /// Only answers requests.
    pub(crate) fn idle() -> Self {
        Self { cores: all_cores(), kill_rate: 0.0, seed: None, output_files: false, run_jobs: false }
    }

    /// True when jobs are to be run.
    pub(crate) fn runs_jobs(&self) -> bool {
        self.run_jobs
    }

    fn config(&self, data_dir: PathBuf) -> EmbeddedConfig {
        EmbeddedConfig {
            data_dir,
            cores: self.cores,
            kill_rate: self.kill_rate,
            seed: self.seed,
            output_files: self.output_files,
            run_jobs: self.run_jobs,
        }
    }
}

/// Starts a server on a data directory.
pub(crate) async fn start(data_dir: &Path, engine: &Engine) -> Result<Embedded, StartError> {
    let embedded = Embedded::start(engine.config(data_dir.to_owned())).await?;
    log_to(&data_dir.join(LOG_FILE));
    Ok(embedded)
}

/// The socket of whoever serves a data directory.
pub(crate) fn socket(data_dir: &Path) -> PathBuf {
    socket_path(data_dir)
}

/// Puts a backup in the place of a database that no server uses: of a data directory, or of the server that a
/// configuration file describes.
pub(crate) fn restore(file: &Path, data_dir: &Path, config: Option<&Path>) -> Result<Done, Failure> {
    let data_dir = || Target::DataDir(data_dir.to_owned());
    let target = config.map_or_else(data_dir, |config| Target::Config(config.to_owned()));
    backup::restore(&target, file).map_err(|error| {
        let advice = format!("nothing was restored: {error}");
        if error.is_refusal() { Failure::Refused(advice) } else { Failure::Environment(advice) }
    })
}

fn all_cores() -> u32 {
    std::thread::available_parallelism().ok().and_then(|n| u32::try_from(n.get()).ok()).unwrap_or(1)
}

/// The terminal belongs to the progress line, so the server's warnings go to a file. Without one, jobs run all the same.
fn log_to(path: &Path) {
    let Ok(file) = OpenOptions::new().create(true).append(true).mode(0o600).open(path) else { return };
    let filter = EnvFilter::try_from_env(LOG_FILTER).unwrap_or_else(|_| EnvFilter::new("warn"));
    // Fails when this process has a log already: a server that was handed over and taken back.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(std::sync::Mutex::new(file))
        .try_init();
}
