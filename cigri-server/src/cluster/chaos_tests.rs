//! The same core, store, client and round as in production, over a virtual clock and a cluster that loses answers,
//! does work twice as late, fails with and without effect, and forgets rows; the server is killed between any two
//! requests. First safety under faults, then the faults stop and every campaign must end. A scenario is a seed:
//! `CIGRI_CHAOS_SEEDS=1000..2000 cargo test -p cigri-server chaos` runs others, or many more.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cigri_core::command::task_of_command;
use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_core::meter::ClusterLimits;
use cigri_core::state::CampaignState;
use cigri_store::{ClusterKind, ClusterRow, NewCampaign, Store};
use futures_util::future::BoxFuture;
use oar_client::{Token, Transport, TransportError};
use oar_local::chaos::{Chaos, ChaoticFace, Outcome, Plan, Run, VirtualCluster};
use tokio::sync::Notify;

use super::{Memory, Round, step};
use crate::grid::Grid;
use crate::secret::Sealer;

/// Start of the virtual clock, epoch milliseconds; far enough that tokens made then have not expired.
const T0: i64 = 2_000_000_000_000;
/// Virtual time between two rounds.
const PERIOD: i64 = 15_000;
/// Rounds under faults, and rounds that a quiet cluster may take to end every campaign.
const FAULTY_ROUNDS: u64 = 40;
const QUIET_ROUNDS: u64 = 400;
const TASKS: i64 = 30;

/// The cluster behind its faults, and the point at which the server is killed.
struct World {
    face: Mutex<ChaoticFace>,
    now: AtomicI64,
    /// Requests left until the server dies; negative: it lives.
    until_death: AtomicI64,
    died: Notify,
}

struct Wire(Arc<World>);

impl Transport for Wire {
    fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let dies = self.0.until_death.fetch_sub(1, Ordering::SeqCst) == 0;
            let outcome = {
                let mut face = self.0.face.lock().unwrap();
                face.send(request, self.0.now.load(Ordering::SeqCst))
            };
            if dies {
                // What was asked may be done; nobody is there to hear of it.
                self.0.died.notify_one();
                std::future::pending::<()>().await;
            }
            match outcome {
                Outcome::Answered(response) => Ok(response),
                Outcome::Lost => Err(TransportError::Lost("connection reset".to_owned())),
                Outcome::Refused => Err(TransportError::NotSent("connection refused".to_owned())),
                Outcome::TimedOut => {
                    self.0.now.fetch_add(30_000, Ordering::SeqCst);
                    Err(TransportError::TimedOut)
                }
            }
        })
    }
}

/// splitmix64: enough to choose where the server dies.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }
}

struct Scenario {
    _folder: tempfile::TempDir,
    grid: Grid,
    world: Arc<World>,
    memory: Memory,
    campaigns: Vec<i64>,
}

impl Scenario {
    fn new(seed: u64) -> Scenario {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(Path::new(":memory:"), "chaos").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = Grid::new(store, sealer, Vec::new(), None).unwrap();
        let settings = oar_local::machine::Settings {
            cores: 4,
            lenient: false,
            period: Some(60_000),
            kill_rate: 0.1,
            seed,
            home: "/home/alice".to_owned(),
            node: "node1".to_owned(),
            memory: 2048,
        };
        let cluster = VirtualCluster::new(settings, b"secret", Box::new(|_| Run { takes_ms: 20_000, status: 0 }));
        let token = cluster.issue_token("alice", 10 * 365 * 86_400, T0);
        let face = Mutex::new(ChaoticFace::new(cluster, Chaos::new(seed, Plan::hostile())));
        let world =
            Arc::new(World { face, now: AtomicI64::new(T0), until_death: AtomicI64::new(-1), died: Notify::new() });
        let memory = restart(&grid, &world);
        grid.put_token("alice", "dahu", &Token::new(token).unwrap()).unwrap();
        let campaigns = (0..2).map(|_| campaign(&grid)).collect();
        Scenario { _folder: folder, grid, world, memory, campaigns }
    }

    /// One round, in which the server may die; then a new one takes its place, knowing only the database.
    async fn round(&mut self, dies_after: Option<u64>) {
        let now = self.world.now.fetch_add(PERIOD, Ordering::SeqCst) + PERIOD;
        self.world.face.lock().unwrap().advance(now);
        self.world.until_death.store(dies_after.map_or(-1, |requests| requests as i64), Ordering::SeqCst);
        let handle = self.grid.cluster("dahu").unwrap();
        let round = Round { grid: &self.grid, handle: &handle, now };
        let alive = tokio::select! {
            _ = step::step(&round, &mut self.memory) => true,
            () = self.world.died.notified() => false,
        };
        self.world.until_death.store(-1, Ordering::SeqCst);
        if !alive {
            self.memory = restart(&self.grid, &self.world);
        }
        self.check();
    }

    /// What must hold after every round: the books add up, and no attempt ran twice.
    fn check(&self) {
        for id in &self.campaigns {
            let row = self.grid.store.campaign(*id).unwrap();
            assert_eq!(row.task_count, row.pending + row.live + row.done + row.failed + row.cancelled);
        }
        for (command, runs) in self.world.face.lock().unwrap().runs() {
            assert!(runs.started <= 1, "{command} was started {} times", runs.started);
        }
    }

    fn is_over(&self) -> bool {
        self.campaigns.iter().all(|id| self.grid.store.campaign(*id).unwrap().state == CampaignState::Finished)
    }

    /// Where things stand, for a failed run.
    fn describe(&self) -> String {
        let store = &self.grid.store;
        let mut text = String::new();
        for id in &self.campaigns {
            let events = store.campaign_events(*id, &["dahu".to_owned()], false).unwrap();
            text += &format!("{:?}\n{:?}\n{events:#?}\n", store.campaign(*id), store.decisions(*id));
        }
        let view = store.round_view("dahu").unwrap();
        for submission in &view.submissions {
            text += &format!("{submission:?}\n{:?}\n", store.live_jobs(submission.id));
        }
        text + &format!("{:?}", self.world.face.lock().unwrap().report())
    }

    /// How many times each task ran to its end, whatever the attempt: counted on the cluster.
    fn ended(&self) -> BTreeMap<u64, u64> {
        let mut ended = BTreeMap::new();
        for (command, runs) in self.world.face.lock().unwrap().runs() {
            if let Some((task, _)) = task_of_command(&command) {
                *ended.entry(task).or_default() += runs.ended;
            }
        }
        ended
    }
}

/// A new server on the old database.
fn restart(grid: &Grid, world: &Arc<World>) -> Memory {
    let limits = ClusterLimits { max_array: 10, ..ClusterLimits::default() };
    let (name, url) = ("dahu".to_owned(), "http://virtual.test/".to_owned());
    let row = ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None };
    grid.add_with(row, Arc::new(Wire(Arc::clone(world)))).unwrap();
    Memory::new(&grid.cluster("dahu").unwrap())
}

fn campaign(grid: &Grid) -> i64 {
    let cluster = ClusterSpec::new("./sim", "/home/alice");
    let spec = CampaignSpec { name: "c".into(), clusters: BTreeMap::from([("dahu".to_owned(), cluster)]) };
    let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
    let id = grid.store.begin_campaign(&new, T0).unwrap();
    grid.store.open_campaign(id, TASKS, true).unwrap();
    id
}

async fn run(seed: u64) {
    let mut scenario = Scenario::new(seed);
    let mut dice = Dice(seed);
    for _ in 0..FAULTY_ROUNDS {
        let dies_after = (dice.roll(4) == 0).then(|| dice.roll(12));
        scenario.round(dies_after).await;
    }
    scenario.world.face.lock().unwrap().stop_faults();
    let mut rounds = 0;
    while !scenario.is_over() {
        rounds += 1;
        assert!(rounds < QUIET_ROUNDS, "seed {seed}: a campaign does not end\n{}", scenario.describe());
        scenario.round(None).await;
    }
    let ended = scenario.ended();
    assert_eq!(ended.len() as i64, 2 * TASKS, "seed {seed}: a task never ran");
    assert!(ended.values().all(|times| *times == 1), "seed {seed}: {ended:?}");
}

#[tokio::test]
async fn chaos_every_task_runs_to_its_end_exactly_once() {
    let seeds = std::env::var("CIGRI_CHAOS_SEEDS").unwrap_or_else(|_| "0..20".to_owned());
    let (first, last) = seeds.split_once("..").expect("CIGRI_CHAOS_SEEDS is FIRST..LAST");
    for seed in first.parse().unwrap()..last.parse().unwrap() {
        println!("seed {seed}");
        run(seed).await;
    }
}
