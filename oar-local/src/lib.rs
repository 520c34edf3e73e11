//! A one-machine cluster that behaves like OAR 3: it speaks OAR's REST API, in-process or over HTTP, and runs the
//! jobs as real processes of the user who started it.
//!
//! * [`machine`] is the scheduler: synchronous, deterministic, without I/O or clock;
//! * [`face`] is the REST API as a function from a request to a response;
//! * [`chaos`] makes the API fail, by a seed, for those who test its clients;
//! * [`LocalCluster`] joins them with real processes, a journal that survives the death of the program, and the
//!   captured output of the jobs.
//!
//! What it leaves out of OAR: advance reservations, moldable jobs (the first alternative is taken), suspension,
//! OAR's own resubmission of idempotent jobs, checkpoints asked for by users, several nodes.

mod capture;
pub mod chaos;
mod cluster;
mod executor;
pub mod face;
mod faulty_server;
mod journal;
pub mod machine;
mod server;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::sync::watch;

pub use journal::OpenError;

use capture::Capture;
use chaos::{ChaosConfig, Report};
use cluster::{Inner, Shared};
use executor::{Surroundings, kill_leftovers};
use face::{Auth, Face};
use faulty_server::Faults;
use journal::Journal;
use machine::{Machine, Mishap, Runs, Settings};
use world::World;

/// Network address of the one node.
const NODE: &str = "localhost";
/// Ended jobs are forgotten at a start after this many seconds.
const KEPT: i64 = 7 * 24 * 3600;

/// Where the output of jobs goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// OAR's two files per job, in its launching directory.
    Files,
    /// One log in the state directory; `/media` answers from it under the names that the files would have.
    Captured,
}

/// What a cluster is.
#[derive(Clone)]
pub struct Config {
    /// Its directory, created if need be: journal, captured output. One process at a time can use it.
    pub state_dir: PathBuf,
    /// Number of cores, that is of jobs of one core that run at once. Without any, nothing starts: a cluster to read.
    pub cores: u32,
    /// Unix login whose home directory replaces `$HOME` in submissions.
    pub user: String,
    /// Secret that signs tokens (HS256).
    pub secret: Vec<u8>,
    /// Where output goes.
    pub output: Output,
    /// Clamp or ignore resources, properties, queues and types that the machine does not have, and let root submit,
    /// instead of refusing them as OAR does.
    pub lenient: bool,
    /// Time between scheduling rounds, as OAR has it (60 s); `None` schedules at once when something changes.
    pub schedule_period: Option<Duration>,
    /// Probability (0 to 1) for each started best-effort job to be killed within 50 ms, as for a normal job.
    pub kill_rate: f64,
    /// Seed of that chance; `None` takes a new one.
    pub seed: Option<u64>,
    /// Faults of the API over HTTP; requests in-process meet none.
    pub chaos: Option<ChaosConfig>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("state_dir", &self.state_dir).field("cores", &self.cores).finish_non_exhaustive()
    }
}

/// A running cluster. Dropping it is [`LocalCluster::shutdown`].
#[derive(Debug)]
pub struct LocalCluster {
    core: Arc<Core>,
}

/// The part that the HTTP server holds on to as well.
#[derive(Debug)]
pub(crate) struct Core {
    shared: Arc<Shared>,
    world: World,
    faults: Option<Faults>,
}

impl LocalCluster {
    /// Opens a cluster: reads its journal, kills and ends what a dead predecessor left running, and goes on with
    /// what waits. Blocking. There is no HTTP before [`LocalCluster::serve`].
    ///
    /// # Errors
    /// When the directory is unusable or in use, its journal is damaged, or the configuration makes no sense.
    pub fn open(config: Config) -> Result<Self, OpenError> {
        check(&config)?;
        let (mut journal, records) = Journal::open(&config.state_dir)?;
        let state_dir = std::fs::canonicalize(&config.state_dir).map_err(|error| in_file(&config.state_dir, error))?;
        let settings = settings(&config)?;
        let surroundings = Surroundings::new(std::env::vars_os(), state_dir.join("nodes"), &settings.home, NODE);
        let mut machine = Machine::replay(settings.clone(), records);
        let now = epoch_milliseconds();
        recover(&mut machine, &surroundings, now);
        journal.append(&machine.take_records()).map_err(|error| in_file(&state_dir, error))?;
        if let Some(records) = machine.compacted(now.div_euclid(1000) - KEPT) {
            journal.replace(&records)?;
            machine = Machine::replay(settings, records);
        }
        let capture = match config.output {
            Output::Files => None,
            Output::Captured => {
                let capture = Capture::open(&state_dir, |job| machine.find_job(job).is_some());
                Some(Arc::new(capture.map_err(|error| in_file(&state_dir, error))?))
            }
        };
        let auth = Auth::new(&config.secret);
        let world = World { capture: capture.clone() };
        let shared = Arc::new(Shared::new(Inner::new(machine, journal), auth, surroundings, capture));
        let cluster = Self { core: Arc::new(Core { shared, world, faults: config.chaos.map(Faults::new) }) };
        cluster.start()?;
        Ok(cluster)
    }

    fn start(&self) -> Result<(), OpenError> {
        let shared = Arc::clone(&self.core.shared);
        let clock = std::thread::Builder::new().name("oar-local clock".to_owned());
        let clock = clock.spawn(move || shared.keep_time()).map_err(OpenError::Thread)?;
        let shared = &self.core.shared;
        shared.add_thread(clock);
        let now = shared.now();
        let mut inner = shared.lock();
        inner.machine.resume_scheduling(now);
        shared.settle(&mut inner, now);
        Ok(())
    }

    /// A token as OAR makes them, for `user`.
    #[must_use]
    pub fn issue_token(&self, user: &str, lifetime: Duration) -> String {
        let seconds = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
        self.core.shared.auth.issue(user, seconds, self.core.shared.now())
    }

    /// Answers a request in-process, exactly as over HTTP. Blocking, for as long as reading a file takes.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a transport hands its request over")]
    pub fn respond(&self, request: Request<Bytes>) -> Response<Bytes> {
        self.core.respond(&request)
    }

    /// An HTTP server for the cluster on `listener`. The caller awaits it, or spawns it, on its tokio runtime, and
    /// stops it through its handle; signals are the caller's as well.
    ///
    /// # Errors
    /// When the listener cannot be used.
    pub fn serve(&self, listener: std::net::TcpListener) -> std::io::Result<actix_web::dev::Server> {
        server::serve(Arc::clone(&self.core), listener)
    }

    /// A counter that moves whenever jobs change state; several changes may move it once.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.core.shared.changes()
    }

    /// Lets nothing go wrong any more over HTTP. What is late already still comes.
    pub fn stop_faults(&self) {
        self.core.faults.iter().for_each(Faults::stop);
    }

    /// What has gone wrong over HTTP, if anything may.
    #[must_use]
    pub fn chaos_report(&self) -> Option<Report> {
        self.core.faults.as_ref().map(Faults::report)
    }

    /// How often each command line ran, by all the jobs that the cluster remembers, and those that it was made to
    /// forget since it was opened or its journal was last compacted.
    #[must_use]
    pub fn runs(&self) -> BTreeMap<String, Runs> {
        self.core.runs()
    }

    /// The cluster's database is reset: no job is left, as soon as their processes are dead, and ids start from `first`.
    pub fn reset(&self, first: u64) {
        self.core.change(|machine, now| machine.reset(first, now));
    }

    /// The cluster's database is one from before all jobs after `last`: these are gone, as soon as their processes are
    /// dead, and their ids are given again.
    pub fn restore_to(&self, last: u64) {
        self.core.change(|machine, now| machine.restore_to(last, now));
    }

    /// Kills what runs, as `oar` would, records it, and stops. Waiting jobs stay for the next start. Blocking, for
    /// at most some seconds. Requests that change something answer 500 afterwards.
    pub fn shutdown(&self) {
        self.core.shared.stop();
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Core {
    /// Changes the machine in another way than by a request.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Machine, i64) -> T) -> T {
        let now = self.shared.now();
        let mut inner = self.shared.lock();
        let result = change(&mut inner.machine, now);
        self.shared.settle(&mut inner, now);
        result
    }

    pub(crate) fn respond(&self, request: &Request<Bytes>) -> Response<Bytes> {
        self.respond_with(request, None)
    }

    /// As `respond`; a submission meets `mishap`.
    pub(crate) fn respond_with(&self, request: &Request<Bytes>, mishap: Option<Mishap>) -> Response<Bytes> {
        let now = self.shared.now();
        let face = Face { auth: &self.shared.auth, outside: &self.world };
        if face::is_media(request) {
            let located = face::locate(&self.shared.lock().machine, request, &face, now);
            return face::fetch(located, &self.world);
        }
        let mut inner = self.shared.lock();
        inner.machine.expect_mishap(mishap);
        let response = face::respond(&mut inner.machine, request, &face, now);
        inner.machine.expect_mishap(None);
        self.shared.settle(&mut inner, now);
        if inner.journal.is_sound() || request.method() == http::Method::GET {
            return response;
        }
        // Not written down, so not promised: as with a real OAR after such an answer, the jobs may exist.
        let mut response = Response::new(Bytes::from_static(b"Internal Server Error"));
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    }
}

fn check(config: &Config) -> Result<(), OpenError> {
    let complain = |text: &str| Err(OpenError::Configuration(text.to_owned()));
    if config.cores > 100_000 {
        return complain("the number of cores must be at most 100000");
    }
    if !(0.0..=1.0).contains(&config.kill_rate) {
        return complain("the kill rate must be between 0 and 1");
    }
    if config.secret.is_empty() {
        return complain("the secret is empty");
    }
    if let Some(Err(error)) = config.chaos.as_ref().map(|chaos| chaos.plan.check()) {
        return complain(&error.to_string());
    }
    Ok(())
}

fn settings(config: &Config) -> Result<Settings, OpenError> {
    let seed = match config.seed {
        Some(seed) => seed,
        None => getrandom::u64().map_err(|error| OpenError::Configuration(format!("no random seed: {error}")))?,
    };
    let period = config.schedule_period.map(|period| i64::try_from(period.as_millis()).unwrap_or(i64::MAX));
    Ok(Settings {
        cores: config.cores,
        lenient: config.lenient,
        period,
        kill_rate: config.kill_rate,
        seed,
        home: home_of(&config.user),
        node: NODE.to_owned(),
        nodes: 1,
        memory: memory().unwrap_or(0),
    })
}

fn home_of(user: &str) -> String {
    let account = nix::unistd::User::from_name(user).ok().flatten();
    let home = account.map(|account| account.dir.into_os_string()).or_else(|| std::env::var_os("HOME"));
    home.and_then(|home| home.into_string().ok()).unwrap_or_else(|| "/".to_owned())
}

/// Memory of the machine in megabytes.
fn memory() -> Option<u64> {
    let about = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = about.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = total.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes / 1024)
}

/// Ends what the predecessor left running.
fn recover(machine: &mut Machine, surroundings: &Surroundings, now: i64) {
    let interrupted = machine.interrupted();
    kill_leftovers(&interrupted, surroundings.node_folder());
    interrupted.iter().for_each(|job| machine.lost(job.id, now));
}

fn in_file(path: &Path, source: std::io::Error) -> OpenError {
    OpenError::File { path: path.to_owned(), source }
}

fn epoch_milliseconds() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
