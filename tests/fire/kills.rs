//! `kill -9` at every step: each run is one campaign on a cluster of its own, killed once or more, then left alone.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cigri_core::state::{JobState, SubmissionState};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::bench::{Bench, Tasks};
use crate::dice::Dice;
use crate::ledger::Ledger;
use crate::plan::{self, Cancel, Late, Plan, Strike};
use crate::proxy::{Side, Trap};
use crate::server::{self, Limits, Server};
use crate::verdict::{self, Verdict};

/// How many runs go on at the same time; they wait more than they work.
const AT_ONCE: usize = 6;
/// Of this many runs, one kills at random instants when there is more to do than the named steps.
const RANDOM_EVERY: u64 = 4;
/// How long a step may take to be reached.
const PATIENCE: Duration = Duration::from_secs(45);

/// How many kills found a row of the ledger in each state.
type Hits = BTreeMap<String, usize>;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kills_at_every_step_lose_nothing_and_run_nothing_twice() {
    let named = plan::named();
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let runs = number("CIGRI_FIRE_RUNS", named.len() as u64 + 8);
    let first = number("CIGRI_FIRE_SEED", 0);
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut going = JoinSet::new();
    for seed in first..first + runs {
        let turns = Arc::clone(&turns);
        let (name, plan) = choose(seed, &named);
        going.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            let result = tokio::spawn(run(seed, plan)).await;
            (seed, name, result)
        });
    }
    let (mut hits, mut steps, mut failed) = (Hits::new(), BTreeMap::<_, usize>::new(), Vec::new());
    while let Some(ended) = going.join_next().await {
        let (seed, name, result) = ended.unwrap();
        match result {
            Ok(found) => {
                println!("seed {seed}: {name}: {} kills, well", found.len());
                *steps.entry(name).or_default() += found.len();
                found.iter().flatten().for_each(|state| *hits.entry(state.clone()).or_default() += 1);
            }
            Err(panic) => {
                println!("seed {seed}: {name}: FAILED: {panic}");
                failed.push(format!("seed {seed} ({name}); repeat: CIGRI_FIRE_SEED={seed} CIGRI_FIRE_RUNS=1"));
            }
        }
    }
    print_table(runs, &steps, &hits);
    assert!(failed.is_empty(), "{failed:#?}");
    if runs >= named.len() as u64 {
        let missed: Vec<String> = every_state().filter(|state| !hits.contains_key(state)).collect();
        assert!(missed.is_empty(), "no kill found the ledger with: {missed:?}");
    }
}

/// The named steps in turn, with random instants between them.
fn choose(seed: u64, named: &[Plan]) -> (&'static str, Plan) {
    let count = named.len() as u64;
    let (lap, place) = (seed / (count + 8), seed % (count + 8));
    let is_random = place >= count || lap > 0 && place % RANDOM_EVERY == lap % RANDOM_EVERY;
    let plan = if is_random { plan::random(&mut Dice::new(seed)) } else { named[place as usize].clone() };
    (plan.name, plan)
}

fn every_state() -> impl Iterator<Item = String> {
    let submissions = SubmissionState::ALL.iter().map(|state| format!("submission {state}"));
    let jobs = JobState::ALL.iter().map(|state| format!("job {state}"));
    submissions.chain(jobs)
}

fn print_table(runs: u64, steps: &BTreeMap<&str, usize>, hits: &Hits) {
    println!("\n{runs} runs, {} kills", steps.values().sum::<usize>());
    println!("| killed at | kills |\n|---|---|");
    steps.iter().for_each(|(step, count)| println!("| {step} | {count} |"));
    println!("\n| ledger at the kill holds a | kills |\n|---|---|");
    for state in every_state() {
        println!("| {state} | {} |", hits.get(&state).unwrap_or(&0));
    }
}

/// One campaign; returns, per kill, the states that the ledger's rows were in.
async fn run(seed: u64, plan: Plan) -> Vec<Vec<String>> {
    let mut dice = Dice::new(seed);
    let (bench, tasks) = prepare(seed, &plan, &mut dice);
    let trap = arm(&bench, plan.strikes[0]);
    let server = bench.serve().await;
    let id = bench.submit(&server, tasks).await;
    if plan.cancel == Cancel::OnceRunning {
        bench.wait_for_two_submissions().await;
        server.delete(&format!("/campaigns/{id}")).await;
    }
    let (server, hits, at_the_end) = strike((&bench, id), &plan, &mut dice, (server, trap)).await;
    let campaign = bench.wait_for_end(&server, id).await;
    for trap in at_the_end {
        trap.carry_out().await;
    }
    verdict::assert_nothing_left(&bench).await;
    judge(&bench, tasks, &campaign, plan.cancel != Cancel::Never);
    hits
}

fn prepare(seed: u64, plan: &Plan, dice: &mut Dice) -> (Bench, Tasks) {
    let sleep = [0.05, 0.1, 0.3, 0.8][dice.roll(4) as usize];
    let sleep = if plan.cancel == Cancel::Never { plan.sleep.unwrap_or(sleep) } else { 60.0 };
    let tasks = Tasks { count: 6 + dice.roll(5), sleep, failing: dice.roll(4) };
    let limits = Limits { max_array: 3 + dice.roll(3), max_waiting: 500, period_s: 1, backlog: Some(10) };
    let bench = Bench::new(1 + dice.roll(3) as u32, (plan.kill_rate, seed), limits);
    for (ask, nth, fault) in &plan.spoil {
        bench.proxy.spoil(*ask, *nth, *fault);
    }
    (bench, tasks)
}

/// Kills one server after the other; returns the last one, and what is still held.
async fn strike(
    (bench, id): (&Bench, i64),
    plan: &Plan,
    dice: &mut Dice,
    (mut server, mut trap): (Server, Option<Trap>),
) -> (Server, Vec<Vec<String>>, Vec<Trap>) {
    let (mut hits, mut at_the_end) = (Vec::new(), Vec::new());
    for (turn, strike) in plan.strikes.iter().enumerate() {
        wait_for(bench, *strike, trap.as_mut()).await;
        if turn == 0 && plan.cancel == Cancel::WhileHeld {
            server.delete(&format!("/campaigns/{id}")).await;
        }
        server.kill();
        hits.push(states(bench));
        let next = plan.strikes.get(turn + 1).and_then(|strike| arm(bench, *strike));
        let late = plan.late.unwrap_or_else(|| choose_late(*strike, dice));
        server = restart(bench, std::mem::replace(&mut trap, next), late, &mut at_the_end).await;
    }
    (server, hits, at_the_end)
}

fn judge(bench: &Bench, tasks: Tasks, campaign: &Value, is_cancelled: bool) {
    let verdict = Verdict::read(bench, tasks);
    if is_cancelled {
        assert_eq!(campaign["state"], "cancelled", "{campaign}");
        assert_eq!((verdict.executed.more, verdict.recorded.more), (0, 0), "{verdict:?}");
        assert_eq!(verdict.executed.once, 0, "a task of a cancelled campaign ran to its end: {verdict:?}");
        return;
    }
    assert_eq!(campaign["state"], "terminated", "{campaign}");
    assert!(verdict.is_exactly_once(tasks), "{tasks:?} {verdict:?}\n{}", bench.tail_of_log());
    let failed = u64::from(tasks.failing < tasks.count);
    assert_eq!((&campaign["failed"], &campaign["done"]), (&failed.into(), &(tasks.count - failed).into()));
}

fn arm(bench: &Bench, strike: Strike) -> Option<Trap> {
    match strike {
        Strike::At(ask, nth, side) => Some(bench.proxy.arm(ask, nth, side)),
        Strike::After(_) => None,
    }
}

async fn wait_for(bench: &Bench, strike: Strike, trap: Option<&mut Trap>) {
    match (strike, trap) {
        (Strike::After(time), _) => tokio::time::sleep(time).await,
        (_, Some(trap)) => {
            let is_caught = trap.caught(PATIENCE).await;
            let seen = || bench.proxy.seen().iter().map(|seen| seen.ask).collect::<Vec<_>>();
            assert!(is_caught, "{strike:?} never came: {:?}\n{}", seen(), bench.tail_of_log());
        }
        (_, None) => unreachable!("a step has its trap"),
    }
}

fn states(bench: &Bench) -> Vec<String> {
    let (submissions, jobs) = Ledger::read(&server::data_dir(bench.folder.path())).states();
    let submissions = submissions.into_keys().map(|state| format!("submission {state}"));
    submissions.chain(jobs.into_keys().map(|state| format!("job {state}"))).collect()
}

/// An answer that was held is simply lost; a request may still reach the cluster, early or late.
fn choose_late(strike: Strike, dice: &mut Dice) -> Late {
    match strike {
        Strike::At(_, _, Side::Request) => {
            [Late::BeforeRestart, Late::Never, Late::AfterRestart, Late::AtTheEnd][dice.roll(4) as usize]
        }
        _ => Late::Never,
    }
}

async fn restart(bench: &Bench, held: Option<Trap>, late: Late, at_the_end: &mut Vec<Trap>) -> Server {
    match (held, late) {
        (None, _) => bench.serve().await,
        (Some(trap), Late::Never) => {
            trap.forget();
            bench.serve().await
        }
        (Some(trap), Late::BeforeRestart) => {
            trap.carry_out().await;
            bench.serve().await
        }
        (Some(trap), Late::AfterRestart) => {
            let server = bench.serve().await;
            trap.carry_out().await;
            server
        }
        (Some(trap), Late::AtTheEnd) => {
            at_the_end.push(trap);
            bench.serve().await
        }
    }
}
