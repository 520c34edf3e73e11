//! The same core, store, client and round as in production, over a virtual clock and a cluster that loses answers,
//! does work twice as late, fails with and without effect, and forgets rows; the server is killed after any request
//! and after any commit; owners pause, cancel and kill. First safety under faults, then the faults stop and every
//! campaign must end. A scenario is a seed: `CIGRI_CHAOS_SEEDS=1000..2000 cargo test -p cigri-server chaos` runs
//! others, or many more.

mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use cigri_core::command::task_of_command;
use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_core::meter::ClusterLimits;
use cigri_core::state::{CampaignState, JobState, Wish};
use cigri_store::{ClusterKind, ClusterRow, JobFilter, NewCampaign, Store};
use oar_client::Token;
use oar_local::chaos::{Chaos, ChaoticFace, Plan, Run, VirtualCluster};
use world::{Death, Life, Wire, World};

use super::{Memory, Round, step};
use crate::grid::Grid;
use crate::secret::Sealer;

/// Start of the virtual clock, epoch milliseconds; far enough that tokens made then have not expired.
const T0: i64 = 2_000_000_000_000;
/// Virtual time between two rounds.
const PERIOD: i64 = 15_000;
/// Rounds under faults, and rounds that a quiet cluster may take to end every campaign.
const FAULTY_ROUNDS: u64 = 40;
const QUIET_ROUNDS: u64 = 600;
const TASKS: i64 = 30;

/// splitmix64: enough to choose where the server dies, and what owners do.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn death(&mut self) -> Option<Death> {
        match self.roll(8) {
            0 => Some(Death::AfterRequest(self.roll(14) as i64)),
            1 => Some(Death::AfterCommit(self.roll(20) as i64)),
            _ => None,
        }
    }
}

struct Scenario {
    _folder: tempfile::TempDir,
    seed: u64,
    grid: Grid,
    world: Arc<World>,
    memory: Memory,
    /// Two that are left alone but for single jobs, one that is paused and resumed, one that is cancelled.
    campaigns: [i64; 4],
    /// How often the server was killed after a request, and after a commit.
    deaths: [u32; 2],
}

impl Scenario {
    fn new(seed: u64) -> Scenario {
        let folder = tempfile::tempdir().unwrap();
        let life = Arc::new(Life::default());
        life.set(None);
        let store = world::watching_commits(&life, || Store::open_sqlite(Path::new(":memory:"), "chaos").unwrap());
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = Grid::new(store, sealer, Vec::new(), None).unwrap();
        let settings = oar_local::machine::Settings {
            cores: 6,
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
        let ignores_gates = AtomicBool::new(seed % 5 == 4);
        let world = Arc::new(World { face, now: AtomicI64::new(T0), ignores_gates, life });
        let memory = restart(&grid, &world);
        grid.put_token("alice", "dahu", &Token::new(token).unwrap()).unwrap();
        let campaigns = [(); 4].map(|()| campaign(&grid));
        Scenario { _folder: folder, seed, grid, world, memory, campaigns, deaths: [0, 0] }
    }

    /// One round, in which the server may die; then a new one takes its place, knowing only the database.
    async fn round(&mut self, death: Option<Death>) {
        let now = self.world.now.fetch_add(PERIOD, Ordering::SeqCst) + PERIOD;
        self.world.face.lock().unwrap().advance(now);
        self.world.life.set(death);
        let handle = self.grid.cluster("dahu").unwrap();
        let round = Round { grid: &self.grid, handle: &handle, now };
        let alive = tokio::select! {
            biased;
            () = self.world.life.over.notified() => false,
            _ = step::step(&round, &mut self.memory) => true,
        };
        self.world.life.set(None);
        if !alive {
            self.deaths[usize::from(matches!(death, Some(Death::AfterCommit(_))))] += 1;
            self.memory = restart(&self.grid, &self.world);
        }
        self.check();
    }

    /// What owners do in the meantime.
    fn meddle(&self, dice: &mut Dice, round: u64) {
        let (store, now) = (&self.grid.store, self.world.now.load(Ordering::SeqCst));
        match round {
            10 => store.pause_campaign(self.campaigns[2]).unwrap_or_default(),
            25 => drop(store.resume_campaign(self.campaigns[2], now).ok()),
            20 => store.cancel_campaign(self.campaigns[3], now).unwrap_or_default(),
            _ => {}
        }
        if dice.roll(4) == 0 {
            let filter = JobFilter { limit: 1000, ..JobFilter::default() };
            let jobs = store.list_jobs(self.campaigns[1], &filter).unwrap();
            let live: Vec<i64> = jobs.iter().filter(|job| job.state.is_live()).map(|job| job.id).collect();
            let wish = if dice.roll(2) == 0 { Wish::Cancel } else { Wish::Again };
            if let Some(id) = live.get(dice.roll(live.len().max(1) as u64) as usize) {
                store.wish(*id, wish).unwrap();
            }
        }
    }

    /// What must hold after every round: the books add up, and no attempt ran twice but by OAR's own doing.
    fn check(&self) {
        let seed = self.seed;
        for id in &self.campaigns {
            let row = self.grid.store.campaign(*id).unwrap();
            assert_eq!(row.task_count, row.pending + row.live + row.done + row.failed + row.cancelled, "seed {seed}");
        }
        let face = self.world.face.lock().unwrap();
        for (command, runs) in face.runs().into_iter().filter(|(command, _)| task_of_command(command).is_some()) {
            assert!(runs.started <= 1 + runs.copies, "seed {seed}: {command} ran {runs:?}");
        }
    }

    fn is_over(&self) -> bool {
        let over = |id: &i64| self.grid.store.campaign(*id).unwrap().finished_at.is_some();
        self.campaigns.iter().all(over) && self.left().is_empty()
    }

    /// The live jobs of ours on the cluster, but for gates, which stay shut for a month.
    fn left(&self) -> Vec<String> {
        let query = oar_local::machine::Query { user: Some("alice".to_owned()), ..Default::default() };
        let face = self.world.face.lock().unwrap();
        let (_, jobs) = face.cluster().machine().list(&query, 0, usize::MAX);
        jobs.iter().filter_map(|job| job.batch.name.clone()).filter(|name| !name.ends_with(".gate")).collect()
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
        text + &format!("{:?}\nleft {:?}", self.world.face.lock().unwrap().report(), self.left())
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

    /// Each task has exactly one end in the ledger; it ran to its end once if that is a success, and at most once if
    /// it was cancelled.
    fn settle_accounts(&self) {
        let (seed, ended) = (self.seed, self.ended());
        for (at, id) in self.campaigns.iter().enumerate() {
            let row = self.grid.store.campaign(*id).unwrap();
            let filter = JobFilter { limit: 10_000, ..JobFilter::default() };
            let jobs = self.grid.store.list_jobs(*id, &filter).unwrap();
            for index in 0..TASKS {
                let of_task = jobs.iter().filter(|job| job.task_index == index);
                let ends: Vec<JobState> = of_task.map(|job| job.state).filter(|state| is_end(*state)).collect();
                let times = ended.get(&(row.first_task_id as u64 + index as u64)).copied().unwrap_or(0);
                match ends[..] {
                    [JobState::Done] => assert_eq!(times, 1, "seed {seed}: task {index} of {id}"),
                    // Cancelled in the bag, or while it lived.
                    [] | [JobState::Cancelled] if at == 1 || at == 3 => assert!(times <= 1, "seed {seed}: {index}"),
                    _ => panic!("seed {seed}: task {index} of {id} ended as {ends:?}\n{}", self.describe()),
                }
            }
            let state = if at == 3 { CampaignState::Cancelled } else { CampaignState::Finished };
            assert!(row.state == state || row.state == CampaignState::Finished, "seed {seed}: {row:?}");
            assert!(row.cancelled == 0 || at == 1 || at == 3, "seed {seed}: {row:?}");
        }
    }
}

fn is_end(state: JobState) -> bool {
    matches!(state, JobState::Done | JobState::Failed | JobState::Cancelled)
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
    let cluster = ClusterSpec { walltime_s: 600, ..ClusterSpec::new("./sim", "/home/alice") };
    let spec = CampaignSpec { name: "c".into(), clusters: BTreeMap::from([("dahu".to_owned(), cluster)]) };
    let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
    let id = grid.store.begin_campaign(&new, T0).unwrap();
    grid.store.open_campaign(id, TASKS, true).unwrap();
    id
}

async fn run(seed: u64) {
    let mut scenario = Scenario::new(seed);
    let mut dice = Dice(seed);
    for round in 0..FAULTY_ROUNDS {
        scenario.meddle(&mut dice, round);
        scenario.round(dice.death()).await;
    }
    scenario.world.face.lock().unwrap().stop_faults();
    let mut rounds = 0;
    while !scenario.is_over() {
        rounds += 1;
        assert!(rounds < QUIET_ROUNDS, "seed {seed}: it does not end\n{}", scenario.describe());
        scenario.round(None).await;
    }
    scenario.settle_accounts();
    let ([requests, commits], gates) = (scenario.deaths, scenario.memory.gates);
    println!("seed {seed}: killed after {requests} requests and {commits} commits; gates: {gates:?}; quiet {rounds}");
}

#[tokio::test]
async fn chaos_every_task_runs_to_its_end_exactly_once() {
    let seeds = std::env::var("CIGRI_CHAOS_SEEDS").unwrap_or_else(|_| "0..20".to_owned());
    let (first, last) = seeds.split_once("..").expect("CIGRI_CHAOS_SEEDS is FIRST..LAST");
    for seed in first.parse().unwrap()..last.parse().unwrap() {
        run(seed).await;
    }
}
