//! The command line of `oar-local`, and what it makes of it.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser, Subcommand, ValueEnum};
use oar_local::chaos::{ChaosConfig, Plan};
use oar_local::face::Auth;
use oar_local::{Config, Output};

/// A one-machine cluster that speaks OAR 3's REST API.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) action: Option<Action>,
    #[command(flatten)]
    pub(crate) serve: Serve,
}

/// What else it can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Print a token for a user
    Token(Token),
}

/// Options of the server.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port to listen on (port 0 takes a free one)
    #[arg(long, default_value = "127.0.0.1:6668")]
    pub(crate) listen: SocketAddr,
    /// Directory of the cluster's journal and captured output
    #[arg(long, default_value = "oar-local.state")]
    state_dir: PathBuf,
    /// Cores, that is jobs that run at once [default: those of this machine]
    #[arg(long)]
    cores: Option<u32>,
    /// File with the secret that signs tokens [default: a new one, in the state directory]
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Login whose home directory the jobs have [default: yours]
    #[arg(long)]
    user: Option<String>,
    /// Where the output of jobs goes
    #[arg(long, value_enum, default_value = "files")]
    output: OutputChoice,
    /// Seconds between scheduling rounds, 60 on a real OAR; 0 schedules at once
    #[arg(long, default_value_t = 0)]
    period: u64,
    /// Probability for each best-effort job to be killed right after its start
    #[arg(long, default_value_t = 0.0)]
    kill_rate: f64,
    /// Seed of that chance
    #[arg(long)]
    seed: Option<u64>,
    /// Make the API fail in ways that this seed chooses; SIGUSR1 ends it, a report comes at the end
    #[arg(long, value_name = "SEED")]
    chaos: Option<u64>,
    /// JSON file that says how much of what fails [default: a mild plan]
    ///
    /// For example: {"chances": {"lost_after": 0.05, "resubmit": 0.02}, "trouble_ms": {"least": 5000, "most": 60000}}.
    /// A chance is that of one request. The kinds are:
    /// answers: lost_after, lost_before, failed_after, failed_before, late, reset;
    /// the API: outage, restart, poison;
    /// submissions: partial, arrayless, unfinished, skew;
    /// best-effort jobs: preempt, resubmit (its node fails, and OAR mostly makes a copy of it), forget (it is gone);
    /// listings: vanish, duplicate.
    /// Lengths: late_ms, outage_ms, skew_s, trouble_ms (until OAR treats the failure of a node).
    #[arg(long, value_name = "FILE", requires = "chaos")]
    chaos_plan: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OutputChoice {
    /// Two files per job, as OAR writes them
    Files,
    /// One log in the state directory
    Captured,
}

/// Options of `token`.
#[derive(Debug, Args)]
pub(crate) struct Token {
    /// The user that the token stands for
    #[arg(long)]
    user: String,
    /// Directory of the cluster
    #[arg(long, default_value = "oar-local.state")]
    state_dir: PathBuf,
    /// File with the secret [default: the one in the state directory]
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Days that the token is good for
    #[arg(long, default_value_t = 364)]
    days: u32,
}

impl Token {
    pub(crate) fn issue(&self) -> Result<String, String> {
        let secret = secret(self.secret_file.as_deref(), &self.state_dir)?;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
        Ok(Auth::new(&secret).issue(&self.user, i64::from(self.days) * 86_400, now))
    }
}

impl Serve {
    pub(crate) fn config(&self) -> Result<Config, String> {
        let own = std::thread::available_parallelism().map_or(1, |cores| u32::try_from(cores.get()).unwrap_or(1));
        let cores = self.cores.unwrap_or(own);
        if cores == 0 {
            return Err("the number of cores must be at least 1".to_owned());
        }
        Ok(Config {
            state_dir: self.state_dir.clone(),
            cores,
            user: self.user.clone().or_else(login).ok_or("your login is unknown: give --user")?,
            secret: secret(self.secret_file.as_deref(), &self.state_dir)?,
            output: match self.output {
                OutputChoice::Files => Output::Files,
                OutputChoice::Captured => Output::Captured,
            },
            lenient: false,
            schedule_period: (self.period > 0).then(|| Duration::from_secs(self.period)),
            kill_rate: self.kill_rate,
            seed: self.seed,
            chaos: self.chaos()?,
        })
    }

    fn chaos(&self) -> Result<Option<ChaosConfig>, String> {
        let Some(seed) = self.chaos else { return Ok(None) };
        let plan = match &self.chaos_plan {
            None => Plan::mild(),
            Some(path) => {
                let complain = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
                let text = std::fs::read_to_string(path).map_err(|error| complain(&error))?;
                Plan::parse(&text).map_err(|error| complain(&error))?
            }
        };
        Ok(Some(ChaosConfig { seed, plan }))
    }
}

fn login() -> Option<String> {
    let account = nix::unistd::User::from_uid(nix::unistd::Uid::current()).ok().flatten();
    account.map(|account| account.name).or_else(|| std::env::var("USER").ok())
}

/// The secret of a file that must exist, or that of the state directory, made at its first use.
fn secret(file: Option<&Path>, state_dir: &Path) -> Result<Vec<u8>, String> {
    let own = state_dir.join("secret");
    let path = file.unwrap_or(&own);
    let complain = |error: std::io::Error| format!("cannot use the secret in {}: {error}", path.display());
    match std::fs::read(path) {
        Ok(text) if text.trim_ascii().is_empty() => Err(format!("the secret in {} is empty", path.display())),
        Ok(text) => Ok(text.trim_ascii().to_vec()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => {
            create_secret(state_dir, path).map_err(complain)
        }
        Err(error) => Err(complain(error)),
    }
}

fn create_secret(state_dir: &Path, path: &Path) -> std::io::Result<Vec<u8>> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(std::io::Error::other)?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::create_dir_all(state_dir)?;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(text.into_bytes())
}
