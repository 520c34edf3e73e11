//! A server in virtual time: a cluster behind its faults, a clock, and the points at which the server is killed: after
//! any request and after any commit, which together are all the points at which a round waits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cigri_core::language::{CampaignSpec, ClusterSpec, Step};
use cigri_core::meter::ClusterLimits;
use cigri_store::{ClusterKind, ClusterRow, NewCampaign, Store};
use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use futures_util::future::{BoxFuture, FutureExt};
use oar_client::{Token, Transport, TransportError};
use oar_local::chaos::{Chaos, ChaoticFace, Outcome, Plan, VirtualCluster};
use tokio::sync::Notify;

use super::virtual_tasks::execute;
use super::{Memory, Round, StepError, step};
use crate::grid::Grid;
use crate::secret::Sealer;

/// Start of the virtual clock, epoch milliseconds; far enough that tokens made then have not expired.
pub(super) const T0: i64 = 2_000_000_000_000;
/// Virtual time between two rounds.
const PERIOD: i64 = 15_000;
/// Walltime of every job, seconds.
pub(super) const WALLTIME_S: u64 = 600;

/// A cluster, its clock, and the server's remaining life.
pub(super) struct World {
    pub(super) face: Mutex<ChaoticFace>,
    /// Epoch milliseconds.
    now: AtomicI64,
    /// The exit code of prologues and epilogues that start from now on.
    pub(super) step_exit: Arc<AtomicI32>,
    /// Whether the cluster ignores what jobs wait for: gates don't work there.
    pub(super) ignores_gates: AtomicBool,
    /// What the cluster tells of its stress.
    pub(super) stress: Mutex<&'static str>,
    /// How running jobs are shown.
    pub(super) running_as: Mutex<&'static str>,
    /// Whether the cluster is out of reach.
    pub(super) is_down: AtomicBool,
    /// Requests that reached the cluster.
    pub(super) requests: AtomicU64,
    life: Arc<Life>,
}

/// When the server dies.
#[derive(Default)]
pub(super) struct Life {
    /// Requests left; negative: it lives.
    requests: AtomicI64,
    /// Commits left; negative: it lives.
    commits: AtomicI64,
    /// Rung when it is killed.
    over: Notify,
    /// Set then: nothing that it still tries has an effect.
    is_dead: AtomicBool,
}

/// Where the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    AfterRequest(i64),
    AfterCommit(i64),
}

impl Life {
    fn set(&self, death: Option<Death>) {
        let (requests, commits) = match death {
            None => (-1, -1),
            Some(Death::AfterRequest(number)) => (number, -1),
            Some(Death::AfterCommit(number)) => (-1, number),
        };
        self.requests.store(requests, Ordering::SeqCst);
        self.commits.store(commits, Ordering::SeqCst);
    }

    fn end(&self) {
        self.is_dead.store(true, Ordering::SeqCst);
        self.over.notify_one();
    }

    fn is_over(&self) -> bool {
        self.is_dead.load(Ordering::SeqCst)
    }

    /// Begins the next one.
    fn bury(&self) {
        self.set(None);
        self.over.notified().now_or_never();
        self.is_dead.store(false, Ordering::SeqCst);
    }
}

thread_local! {
    /// Whose database connections are opened by this thread.
    static OPENING: RefCell<Option<Arc<Life>>> = const { RefCell::new(None) };
}

/// Watches the commits of the connections that `open` opens.
fn watching_commits<T>(life: &Arc<Life>, open: impl FnOnce() -> T) -> T {
    OPENING.with(|opening| opening.replace(Some(Arc::clone(life))));
    set_default_instrumentation(watch).unwrap();
    let opened = open();
    OPENING.with(|opening| opening.replace(None));
    opened
}

fn watch() -> Option<Box<dyn Instrumentation>> {
    let life = OPENING.with(|opening| opening.borrow().clone())?;
    let server = std::thread::current().id();
    Some(Box::new(move |event: InstrumentationEvent<'_>| match event {
        // Work that the dead server had handed to another thread.
        InstrumentationEvent::StartQuery { query, .. }
            if life.is_over() && std::thread::current().id() != server && query.to_string().starts_with("BEGIN") =>
        {
            std::panic::resume_unwind(Box::new("the server is dead"));
        }
        InstrumentationEvent::FinishQuery { query, .. }
            if query.to_string().starts_with("COMMIT") && life.commits.fetch_sub(1, Ordering::SeqCst) == 0 =>
        {
            life.end();
        }
        _ => {}
    }))
}

/// Runs a scenario, with one thread for its database's work: what happens depends on nothing but its seed.
pub(super) fn alone<T>(scenario: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().max_blocking_threads(1).build().unwrap().block_on(scenario)
}

/// A small cluster that kills one job in ten.
pub(super) fn settings() -> oar_local::machine::Settings {
    oar_local::machine::Settings {
        cores: 6,
        lenient: false,
        period: Some(60_000),
        kill_rate: 0.1,
        seed: 0,
        home: "/home/alice".to_owned(),
        node: "node1".to_owned(),
        nodes: 1,
        memory: 2048,
    }
}

/// A campaign on the one cluster, without steps and sample.
pub(super) fn spec() -> CampaignSpec {
    let cluster = ClusterSpec { walltime_s: WALLTIME_S, ..ClusterSpec::new("./sim", "/home/alice") };
    CampaignSpec::new("c", BTreeMap::from([("dahu".to_owned(), cluster)]))
}

/// The same with a prologue and an epilogue.
pub(super) fn spec_with_steps() -> CampaignSpec {
    let step = |script: &str| Some(Step { script: script.into(), walltime_s: WALLTIME_S, resources: "/core=1".into() });
    let mut spec = spec();
    for cluster in spec.clusters.values_mut() {
        (cluster.prologue, cluster.epilogue) = (step("mkdir x"), step("rm -r x"));
    }
    spec
}

/// A server with one cluster named `dahu` and a user alice, in virtual time.
pub(super) struct VirtualServer {
    _folder: tempfile::TempDir,
    pub(super) grid: Arc<Grid>,
    pub(super) world: Arc<World>,
    pub(super) memory: Memory,
    /// How old each round's picture is from its beginning.
    pub(super) age: Duration,
}

impl VirtualServer {
    /// `seed` chooses the faults of `plan`, and one job in ten that is killed for others.
    pub(super) fn new(seed: u64, plan: Plan) -> VirtualServer {
        VirtualServer::on(oar_local::machine::Settings { seed, ..settings() }, plan)
    }

    /// The same with another cluster.
    pub(super) fn on(machine: oar_local::machine::Settings, plan: Plan) -> VirtualServer {
        let seed = machine.seed;
        let folder = tempfile::tempdir().unwrap();
        let life = Arc::new(Life::default());
        life.set(None);
        let store = watching_commits(&life, || Store::open_sqlite(Path::new(":memory:"), "virtual").unwrap());
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = Arc::new(Grid::new(store, sealer, Vec::new(), None).unwrap());
        let step_exit = Arc::new(AtomicI32::new(0));
        let cluster = VirtualCluster::new(machine.clone(), b"secret", execute(&step_exit, machine));
        let token = cluster.issue_token("alice", 10 * 365 * 86_400, T0);
        let face = Mutex::new(ChaoticFace::new(cluster, Chaos::new(seed, plan)));
        let (now, ignores_gates) = (AtomicI64::new(T0), AtomicBool::new(false));
        let world = Arc::new(World {
            face,
            now,
            step_exit,
            ignores_gates,
            running_as: Mutex::new(RUNNING),
            is_down: AtomicBool::new(false),
            requests: AtomicU64::new(0),
            stress: Mutex::new(CALM),
            life,
        });
        let memory = restart(&grid, &world);
        grid.put_token("alice", "dahu", &Token::new(token).unwrap()).unwrap();
        VirtualServer { _folder: folder, grid, world, memory, age: Duration::ZERO }
    }

    /// A campaign of alice's.
    pub(super) fn campaign(&self, tasks: i64) -> i64 {
        self.campaign_of("alice", tasks)
    }

    /// A campaign of another's.
    pub(super) fn campaign_of(&self, owner: &str, tasks: i64) -> i64 {
        self.campaign_like(owner, &spec(), tasks)
    }

    /// A campaign that asks for something more.
    pub(super) fn campaign_with(&self, owner: &str, tasks: i64, more: impl FnOnce(&mut CampaignSpec)) -> i64 {
        let mut spec = spec();
        more(&mut spec);
        self.campaign_like(owner, &spec, tasks)
    }

    /// A campaign as described.
    pub(super) fn campaign_like(&self, owner: &str, spec: &CampaignSpec, tasks: i64) -> i64 {
        let new = NewCampaign { owner, spec, jdl: "{}", origin: None };
        let id = self.grid.store.begin_campaign(&new, T0).unwrap();
        self.grid.store.open_campaign(id, tasks, true).unwrap();
        id
    }

    /// One round, in which the server may die: then a new one takes its place, knowing only the database. True if it
    /// lived.
    pub(super) async fn round(&mut self, death: Option<Death>) -> bool {
        self.sleep(PERIOD);
        let now = self.now();
        self.world.face.lock().unwrap().advance(now);
        self.world.life.set(death);
        let ended = self.step(now).await;
        self.world.life.set(None);
        let lived = ended.is_some() && !self.world.life.is_over();
        if !lived {
            // What the dead server had begun in its database is over before the next one starts: there is one thread
            // for such work, and a scenario must repeat.
            tokio::task::spawn_blocking(|| ()).await.unwrap();
            self.world.life.bury();
            self.memory = restart(&self.grid, &self.world);
        }
        lived
    }

    /// `None`: it was killed.
    async fn step(&mut self, now: i64) -> Option<Result<step::Progress, StepError>> {
        let handle = self.grid.cluster("dahu").unwrap();
        let mut round = Round::begin(&self.grid, &handle, now).await.unwrap();
        round.began -= self.age;
        tokio::select! {
            biased;
            () = self.world.life.over.notified() => None,
            ended = step::step(&round, &mut self.memory) => Some(ended),
        }
    }

    /// The admin allows something else from now on.
    pub(super) fn limit(&self, change: impl FnOnce(&mut ClusterLimits)) {
        let mut row = self.grid.cluster("dahu").unwrap().row.clone();
        change(&mut row.limits);
        self.grid.store.put_cluster(&row).unwrap();
    }

    /// Time goes by without a round.
    pub(super) fn sleep(&self, ms: i64) {
        self.world.now.fetch_add(ms, Ordering::SeqCst);
    }

    pub(super) fn now(&self) -> i64 {
        self.world.now.load(Ordering::SeqCst)
    }

    /// Does something to the cluster behind its API.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut VirtualCluster, i64) -> T) -> T {
        change(self.world.face.lock().unwrap().cluster_mut(), self.now())
    }

    /// The live jobs of alice's there: id and name.
    pub(super) fn live(&self) -> Vec<(u64, String)> {
        let query = oar_local::machine::Query { user: Some("alice".to_owned()), ..Default::default() };
        let face = self.world.face.lock().unwrap();
        let (_, jobs) = face.cluster().machine().list(&query, 0, usize::MAX);
        jobs.iter().filter_map(|job| Some((job.id, job.batch.name.clone()?))).collect()
    }
}

/// A new server on the old database.
fn restart(grid: &Grid, world: &Arc<World>) -> Memory {
    // A budget is kept in real time, and requests take none of the virtual one.
    let (requests_per_s, bytes_per_s, busy) = (1e12, 1e12, 1.0);
    let limits = ClusterLimits { max_array: 10, requests_per_s, bytes_per_s, busy, ..ClusterLimits::default() };
    let (name, url) = ("dahu".to_owned(), "http://virtual.test/".to_owned());
    let row = ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None };
    grid.add_with(row, Arc::new(Wire(Arc::clone(world)))).unwrap();
    Memory::new()
}

/// The way to the cluster.
pub(super) struct Wire(pub(super) Arc<World>);

impl Transport for Wire {
    fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let world = &self.0;
            if world.life.is_over() {
                std::future::pending::<()>().await;
            }
            if world.is_down.load(Ordering::SeqCst) {
                return Err(TransportError::NotSent("connection refused".to_owned()));
            }
            world.requests.fetch_add(1, Ordering::SeqCst);
            let dies = world.life.requests.fetch_sub(1, Ordering::SeqCst) == 0;
            let request = if world.ignores_gates.load(Ordering::SeqCst) { without_gate(request) } else { request };
            let asks_stress = request.uri().path().ends_with("/stress_factor");
            let outcome = world.face.lock().unwrap().send(request, world.now.load(Ordering::SeqCst));
            if dies {
                // What was asked may be done; nobody is there to hear of it.
                world.life.end();
                std::future::pending::<()>().await;
            }
            match outcome {
                Outcome::Answered(response) if asks_stress => {
                    Ok(under_stress(&response, *world.stress.lock().unwrap()))
                }
                Outcome::Answered(response) => Ok(shown(response, *world.running_as.lock().unwrap())),
                Outcome::Lost => Err(TransportError::Lost("connection reset".to_owned())),
                Outcome::Refused => Err(TransportError::NotSent("connection refused".to_owned())),
                Outcome::TimedOut => {
                    world.now.fetch_add(30_000, Ordering::SeqCst);
                    Err(TransportError::TimedOut)
                }
            }
        })
    }
}

/// The stress factor of a virtual cluster.
const CALM: &str = "0.00";

/// The state that running jobs are shown in otherwise.
const RUNNING: &str = "Running";

impl World {
    /// From now on listings show running jobs in another state.
    pub(super) fn shows_running_as(&self, state: &'static str) {
        *self.running_as.lock().unwrap() = state;
    }
}

/// The same answer with running jobs in another state.
fn shown(response: http::Response<Bytes>, running_as: &str) -> http::Response<Bytes> {
    if running_as == RUNNING {
        return response;
    }
    response.map(|body| {
        let text = String::from_utf8_lossy(&body).replace("\"Running\"", &format!("\"{running_as}\""));
        Bytes::from(text)
    })
}

/// The same answer with another load.
fn under_stress(response: &http::Response<Bytes>, load: &str) -> http::Response<Bytes> {
    let text = String::from_utf8_lossy(response.body()).replace(CALM, load);
    let mut other = http::Response::new(Bytes::from(text));
    *other.status_mut() = response.status();
    other
}

/// The same submission for a cluster that knows no dependencies.
fn without_gate(request: http::Request<Bytes>) -> http::Request<Bytes> {
    request.map(|body| match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(serde_json::Value::Object(mut job)) => {
            job.remove("after");
            Bytes::from(serde_json::to_vec(&job).unwrap())
        }
        _ => body,
    })
}
