//! The same core, store, client and round as in production, over a virtual clock and a cluster that loses answers,
//! does work twice as late, fails with and without effect, and forgets rows; the server is killed after any request
//! and after any commit; owners pause, cancel, kill and add. First safety under faults, then the faults stop and every
//! campaign must end. Every other scenario has prologues and epilogues, every third a sample. A scenario is a seed:
//! `CIGRI_CHAOS_SEEDS=1000..2000 cargo test -p cigri-server chaos` runs
//! others, or many more.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use cigri_core::command::{step_of_command, task_of_command};
use cigri_core::group::tasks_of_command;
use cigri_core::language::{AfterTest, Grouping, InTurn, TestMode};
use cigri_core::state::{CampaignState, JobState, Role, Wish};
use cigri_store::{JobFilter, JobRow, NewTasks};
use oar_local::chaos::Plan;
use oar_local::machine::Runs;

use super::virtual_world::{self, Death, VirtualServer, spec_with_steps};

/// Rounds under faults, and rounds that a quiet cluster may take to end every campaign.
const FAULTY_ROUNDS: u64 = 40;
const QUIET_ROUNDS: u64 = 600;
const TASKS: i64 = 30;
/// Tasks that are added to a campaign while it is under way.
const ADDED: i64 = 9;

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
    seed: u64,
    server: VirtualServer,
    /// Two that are left alone but for single jobs, one that is paused and resumed, one that is cancelled.
    campaigns: [i64; 4],
    /// How often the server was killed after a request, and after a commit.
    deaths: [u32; 2],
}

impl Scenario {
    fn new(seed: u64) -> Scenario {
        let server = VirtualServer::new(seed, Plan::hostile());
        server.world.ignores_gates.store(seed % 5 == 4, Ordering::SeqCst);
        let mut spec = if seed % 2 == 1 { spec_with_steps() } else { virtual_world::spec() };
        spec.test = (seed % 3 == 2).then_some(TestMode { jobs: 3, then: AfterTest::Continue });
        // In half of the scenarios the tasks of two campaigns run in groups, whose results nobody ever finds.
        let mut grouped = spec.clone();
        let in_turn = if seed % 4 >= 2 { InTurn::AtMost(3) } else { InTurn::One };
        let grouping = Grouping { in_turn, ..Grouping::default() };
        grouped.clusters.values_mut().for_each(|cluster| cluster.grouping = grouping);
        let campaigns = [&grouped, &grouped, &spec, &spec].map(|spec| server.campaign_like("alice", spec, TASKS));
        Scenario { seed, server, campaigns, deaths: [0, 0] }
    }

    async fn round(&mut self, death: Option<Death>) {
        if !self.server.round(death).await {
            self.deaths[usize::from(matches!(death, Some(Death::AfterCommit(_))))] += 1;
        }
        self.check();
    }

    /// What owners do in the meantime.
    fn meddle(&self, dice: &mut Dice, round: u64) {
        let (store, now) = (&self.server.grid.store, self.server.now());
        match round {
            10 => store.pause_campaign(self.campaigns[2]).unwrap_or_default(),
            25 => drop(store.resume_campaign(self.campaigns[2], now).ok()),
            20 => store.cancel_campaign(self.campaigns[3], now).unwrap_or_default(),
            _ => {}
        }
        // Where there are epilogues, tasks that are added later would come after the first of them.
        if round % 12 == 5 && self.seed.is_multiple_of(2) {
            // In turn, so that the ids of each campaign have gaps.
            let added = [(); 3].map(|()| format!("added in round {round}"));
            for id in &self.campaigns[..3] {
                store.add_tasks(*id, NewTasks::Texts(&added), None).unwrap();
            }
        }
        if dice.roll(4) == 0 {
            let filter = JobFilter { limit: 1000, ..JobFilter::default() };
            let jobs = store.list_jobs(self.campaigns[1], &filter).unwrap();
            let is_task = |job: &&JobRow| !job.role.is_step() && job.state.is_live();
            let live: Vec<i64> = jobs.iter().filter(is_task).map(|job| job.id).collect();
            let wish = if dice.roll(2) == 0 { Wish::Cancel } else { Wish::Again };
            if let Some(id) = live.get(dice.roll(live.len().max(1) as u64) as usize) {
                store.wish(*id, wish).unwrap();
            }
        }
    }

    /// Owners go on with what waits for them: a sample of which a task was killed, a step that the cluster failed.
    fn resume(&self) {
        let (store, now) = (&self.server.grid.store, self.server.now());
        for id in self.campaigns {
            let row = store.campaign(id).unwrap();
            let is_held = store.shares(&row).unwrap().values().any(|share| share.hold.is_some());
            if row.state == CampaignState::Paused || row.state == CampaignState::Active && is_held {
                store.resume_campaign(id, now).unwrap();
            }
        }
    }

    /// No task ran before its campaign's prologue had succeeded, and none is left once the epilogue runs.
    fn check_order(&self, runs: &BTreeMap<String, Runs>) {
        let seed = self.seed;
        for id in self.campaigns.iter().filter(|_| seed % 2 == 1) {
            let row = self.server.grid.store.campaign(*id).unwrap();
            let is_its = |task: u64| row.task_ids.index_of(task).is_some();
            let of_task = |command: &&String| task_of_command(command).is_some_and(|(task, _)| is_its(task));
            let has_begun = runs.iter().any(|(command, runs)| of_task(&command) && runs.started > 0);
            let step = |word: &'static str| {
                let of_step = move |command: &str| {
                    step_of_command(command).is_some_and(|(campaign, step, _)| campaign == *id as u64 && step == word)
                };
                runs.iter().filter(move |(command, _)| of_step(command)).map(|(_, runs)| runs)
            };
            assert!(!has_begun || step("prologue").any(|runs| runs.ended > 0), "seed {seed}: {id} has no prologue");
            let is_ending = step("epilogue").any(|runs| runs.started > 0);
            assert!(!is_ending || row.pending + row.live == 0, "seed {seed}: the epilogue of {id} came early");
        }
    }

    /// What must hold after every round: the books add up, and no attempt ran twice but by OAR's own doing.
    fn check(&self) {
        let seed = self.seed;
        for id in &self.campaigns {
            let row = self.server.grid.store.campaign(*id).unwrap();
            assert_eq!(row.task_count, row.pending + row.live + row.done + row.failed + row.cancelled, "seed {seed}");
        }
        let runs = self.server.world.face.lock().unwrap().runs();
        self.check_order(&runs);
        for (command, runs) in runs.into_iter().filter(|(command, _)| is_ours(command)) {
            assert!(runs.started <= 1 + runs.copies, "seed {seed}: {command} ran {runs:?}");
        }
    }

    fn is_over(&self) -> bool {
        let over = |id: &i64| self.server.grid.store.campaign(*id).unwrap().finished_at.is_some();
        self.campaigns.iter().all(over) && self.left().is_empty()
    }

    /// The live jobs of ours on the cluster, but for gates, which stay shut for a month.
    fn left(&self) -> Vec<String> {
        self.server.live().into_iter().map(|(_, name)| name).filter(|name| !name.ends_with(".gate")).collect()
    }

    /// Where things stand, for a failed run.
    fn describe(&self) -> String {
        let store = &self.server.grid.store;
        let mut text = String::new();
        for id in &self.campaigns {
            let events = store.campaign_events(*id, &["dahu".to_owned()], false).unwrap();
            text += &format!("{:?}\n{:?}\n{events:#?}\n", store.campaign(*id), store.decisions(*id));
        }
        let view = store.round_view("dahu").unwrap();
        for submission in &view.submissions {
            text += &format!("{submission:?}\n{:?}\n", store.live_jobs(submission.id));
        }
        let report = self.server.world.face.lock().unwrap().report();
        text + &format!("{report:?}\nleft {:?}", self.left())
    }

    /// How many times each task ran to its end, whatever the attempt: counted on the cluster.
    fn ended(&self) -> BTreeMap<u64, u64> {
        let mut ended = BTreeMap::new();
        for (command, runs) in self.server.world.face.lock().unwrap().runs() {
            for (task, _) in task_of_command(&command).into_iter().chain(tasks_of_command(&command)) {
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
            let row = self.server.grid.store.campaign(*id).unwrap();
            let filter = JobFilter { limit: 10_000, ..JobFilter::default() };
            let jobs = self.server.grid.store.list_jobs(*id, &filter).unwrap();
            let added = if at == 3 || seed % 2 == 1 { 0 } else { ADDED };
            assert_eq!(row.task_count, TASKS + added, "seed {seed}");
            for index in 0..row.task_count {
                let of_task = jobs.iter().filter(|job| job.task_index == index);
                let ends: Vec<JobState> = of_task.map(|job| job.state).filter(|state| is_end(*state)).collect();
                let times = ended.get(&row.task_ids.id_of(index as u64).unwrap()).copied().unwrap_or(0);
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

impl Scenario {
    /// Each step of a campaign that finished succeeded exactly once, and ran to its end no more often than the ledger
    /// knows of; a cancelled one has no epilogue.
    fn settle_steps(&self) {
        let seed = self.seed;
        for id in self.campaigns.iter().filter(|_| seed % 2 == 1) {
            let store = &self.server.grid.store;
            let filter = JobFilter { limit: 10_000, ..JobFilter::default() };
            let jobs = store.list_jobs(*id, &filter).unwrap();
            let done = |role: Role| jobs.iter().filter(|job| job.role == role && job.state == JobState::Done).count();
            let (prologues, epilogues) = (done(Role::Prologue), done(Role::Epilogue));
            if store.campaign(*id).unwrap().state == CampaignState::Finished {
                assert_eq!((prologues, epilogues), (1, 1), "seed {seed}: {id}\n{}", self.describe());
            } else {
                assert!(prologues <= 1 && epilogues == 0, "seed {seed}: {id}\n{}", self.describe());
            }
            for (command, runs) in self.server.world.face.lock().unwrap().runs() {
                if step_of_command(&command).is_some() {
                    assert!(runs.ended <= 1, "seed {seed}: {command} {runs:?}");
                }
            }
        }
    }
}

fn is_ours(command: &str) -> bool {
    let is_single = task_of_command(command).is_some() || step_of_command(command).is_some();
    is_single || !tasks_of_command(command).is_empty()
}

fn is_end(state: JobState) -> bool {
    matches!(state, JobState::Done | JobState::Failed | JobState::Cancelled)
}

async fn run(seed: u64) {
    let mut scenario = Scenario::new(seed);
    let mut dice = Dice(seed);
    for round in 0..FAULTY_ROUNDS {
        scenario.meddle(&mut dice, round);
        scenario.round(dice.death()).await;
    }
    scenario.server.world.face.lock().unwrap().stop_faults();
    let mut rounds = 0;
    while !scenario.is_over() {
        rounds += 1;
        assert!(rounds < QUIET_ROUNDS, "seed {seed}: it does not end\n{}", scenario.describe());
        scenario.resume();
        scenario.round(None).await;
    }
    scenario.settle_accounts();
    scenario.settle_steps();
    let ([requests, commits], gates) = (scenario.deaths, scenario.server.memory.gates);
    println!("seed {seed}: killed after {requests} requests and {commits} commits; gates: {gates:?}; quiet {rounds}");
}

#[test]
fn chaos_every_task_runs_to_its_end_exactly_once() {
    let seeds = std::env::var("CIGRI_CHAOS_SEEDS").unwrap_or_else(|_| "0..20".to_owned());
    let (first, last) = seeds.split_once("..").expect("CIGRI_CHAOS_SEEDS is FIRST..LAST");
    for seed in first.parse().unwrap()..last.parse().unwrap() {
        virtual_world::alone(run(seed));
    }
}
