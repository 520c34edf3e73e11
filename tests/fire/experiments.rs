//! The trials of CiGri 3, against ours: the same faults, counted in the same way, printed beside its figures. The short
//! set scales CiGri 3's 60 s with cycles of 3 s down to 10 s with cycles of 1 s; the long one has its own figures.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::ask::Ask;
use crate::bad_tasks;
use crate::bench::{Bench, Tasks};
use crate::proxy::{Seen, Side, Trap};
use crate::scenario::{self, From, Scenario, Trial};
use crate::server::{Limits, Server};
use crate::verdict::{self, Verdict};

/// Work must go on this many cycles after the fault ended.
const MOST_CYCLES: f64 = 2.0;
/// What a busy machine may add, in seconds: sixteen clusters and servers share it. The long run measures; the short one
/// only tells whether work goes on at all by itself.
const SLACK_S: [f64; 2] = [10.0, 3.0];

/// What came out of one trial.
pub(crate) struct Row {
    pub(crate) outcome: String,
    pub(crate) executed: String,
    pub(crate) recorded: String,
    pub(crate) attempts: usize,
    pub(crate) given_up: usize,
    /// From the end of the fault until work went on.
    pub(crate) recovery: Option<Duration>,
    /// What should not be.
    pub(crate) wrong: Vec<String>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn experiments_of_cigri_3_end_by_themselves_and_exactly_once() {
    let is_long = std::env::var("CIGRI_FIRE").is_ok_and(|length| length == "long");
    let only = std::env::var("CIGRI_FIRE_ONLY").ok();
    let period = if is_long { 3 } else { 1 };
    let mut going = JoinSet::new();
    let all = [scenario::kills(), scenario::first_posts(), scenario::killed_jobs(), scenario::outages()].concat();
    for (place, scenario) in all.into_iter().enumerate() {
        if only.as_ref().is_none_or(|only| only == scenario.name) {
            going.spawn(async move { (place, scenario, run(&scenario, is_long, period).await) });
        }
    }
    for (place, (scenario, bad)) in bad_tasks::all().into_iter().enumerate() {
        if only.as_ref().is_none_or(|only| only == scenario.name) {
            going.spawn(async move { (100 + place, scenario, bad_tasks::run(bad, period).await) });
        }
    }
    if only.as_ref().is_none_or(|only| only == "R7") {
        going.spawn(async move { (usize::MAX, r7(), cancel_on_two_clusters(period).await) });
    }
    if only.as_ref().is_none_or(|only| only == "R6") {
        going.spawn(async move { (usize::MAX - 1, r6(), group_tasks(period).await) });
    }
    let mut rows = going.join_all().await;
    rows.sort_by_key(|(place, ..)| *place);
    print_table(&rows, period);
    let wrong: Vec<String> = rows
        .iter()
        .flat_map(|(_, scenario, row)| row.wrong.iter().map(|text| format!("{}: {text}", scenario.name)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn print_table(rows: &[(usize, Scenario, Row)], period: u64) {
    println!("\ncycles of {period} s; executed and recorded: once / more / never; in brackets CiGri 3");
    println!("| exp. | what | params | outcome | executed | recorded | attempts | given up | recovery |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for (_, scenario, row) in rows {
        let [outcome, executed, recorded] = scenario.cigri3;
        let recovery = row.recovery.map_or("-".to_owned(), |time| {
            let seconds = time.as_secs_f64();
            format!("{seconds:.1} s = {:.1} cycles", seconds / period as f64)
        });
        println!(
            "| {} | {} | {} | {} ({outcome}) | {} ({executed}) | {} ({recorded}) | {} | {} | {recovery} |",
            scenario.name,
            scenario.what,
            scenario.params,
            row.outcome,
            row.executed,
            row.recorded,
            row.attempts,
            row.given_up
        );
    }
}

async fn run(scenario: &Scenario, is_long: bool, period_s: u64) -> Row {
    let kill_rate = if let Trial::BestEffort(rate) = scenario.trial { rate } else { 0.0 };
    let limits = Limits { max_array: 500, max_waiting: 10, period_s, backlog: None };
    let bench = Bench::new(4, (kill_rate, 1), limits);
    let tasks = scenario.tasks();
    let (server, id, fault_ended) = go_through(&bench, scenario, tasks, is_long).await;
    let campaign = bench.wait_for_end(&server, id).await;
    verdict::assert_nothing_left(&bench).await;
    let verdict = Verdict::read(&bench, tasks);
    let recovery = fault_ended.map(|at| first_work(&bench, scenario.back, at));
    let mut wrong = Vec::new();
    if !verdict.is_exactly_once(tasks) || campaign["done"] != tasks.count {
        wrong.push(format!("not exactly once: {verdict:?}, {campaign}"));
    }
    let most = Duration::from_secs_f64(MOST_CYCLES * period_s as f64 + SLACK_S[usize::from(is_long)]);
    if let Some(time) = recovery.filter(|time| *time > most) {
        wrong.push(format!("work went on {time:?} after the fault, {most:?} allowed"));
    }
    Row {
        outcome: campaign["state"].as_str().unwrap().to_owned(),
        executed: verdict.executed.to_string(),
        recorded: verdict.recorded.to_string(),
        attempts: verdict.attempts,
        given_up: verdict.given_up,
        recovery,
        wrong,
    }
}

/// From the end of the fault to the first request of a kind that came and was answered after it.
fn first_work(bench: &Bench, back: &[Ask], fault_ended: Instant) -> Duration {
    // What went wrong last may have ended after the fault itself.
    let fault_ended = bench.proxy.spoiled_until().map_or(fault_ended, |at| at.max(fault_ended));
    let seen = bench.proxy.seen();
    let worked = |seen: &&Seen| seen.answered.is_some_and(|(at, status)| status == 200 && at >= fault_ended);
    let first = seen.iter().filter(|seen| back.contains(&seen.ask)).find(worked);
    first.and_then(|seen| seen.answered).map_or(Duration::MAX, |(at, _)| at - fault_ended)
}

/// Puts the server through the trial; returns it, the campaign, and when the fault ended.
async fn go_through(bench: &Bench, scenario: &Scenario, tasks: Tasks, is_long: bool) -> (Server, i64, Option<Instant>) {
    match scenario.trial {
        Trial::BestEffort(_) => {
            let server = bench.serve().await;
            let id = bench.submit(&server, tasks).await;
            (server, id, None)
        }
        Trial::DeletedByHand(count) => {
            let server = bench.serve().await;
            let id = bench.submit(&server, tasks).await;
            delete_by_hand(bench, count).await;
            (server, id, None)
        }
        Trial::Kills { times, at, pause } => {
            let (server, id) = kill_at(bench, tasks, (times, at, pause)).await;
            (server, id, Some(Instant::now()))
        }
        Trial::Outage { from, weather, seconds } => {
            let set = |on: bool| bench.proxy.set_weather(on.then_some(weather));
            let seconds = if is_long { seconds.long } else { seconds.short };
            outage(bench, tasks, (from, seconds), set).await
        }
        Trial::Refusal { from, seconds } => {
            let set = |on: bool| bench.proxy.set_door(!on);
            let seconds = if is_long { seconds.long } else { seconds.short };
            outage(bench, tasks, (from, seconds), set).await
        }
    }
}

async fn outage(
    bench: &Bench,
    tasks: Tasks,
    (from, seconds): (From, u64),
    set: impl Fn(bool),
) -> (Server, i64, Option<Instant>) {
    let server = bench.serve().await;
    bench.give_tokens(&server).await;
    set(from == From::Beginning);
    let mut first_post = (from == From::FirstPost).then(|| bench.proxy.arm(Ask::Gate, 1, Side::Request));
    let id = bench.submit_campaign(&server, tasks).await;
    if let Some(trap) = &mut first_post {
        assert!(trap.caught(Duration::from_secs(60)).await, "nothing is sent");
    }
    if from == From::MidCampaign {
        bench.wait_for_starts(tasks.count as usize / 5).await;
    }
    set(true);
    first_post.into_iter().for_each(Trap::forget);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    set(false);
    (server, id, Some(Instant::now()))
}

async fn kill_at(
    bench: &Bench,
    tasks: Tasks,
    (times, (ask, side), pause): (usize, (Ask, Side), Duration),
) -> (Server, i64) {
    let mut trap = bench.proxy.arm(ask, 1, side);
    let mut server = bench.serve().await;
    let id = bench.submit(&server, tasks).await;
    for _ in 0..times {
        assert!(trap.caught(Duration::from_secs(60)).await, "{ask:?} never came");
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.kill();
        std::mem::replace(&mut trap, bench.proxy.arm(ask, 1, side)).forget();
        tokio::time::sleep(pause).await;
        server = bench.serve().await;
    }
    bench.proxy.disarm();
    (server, id)
}

/// Deletes running jobs until `count` of them were hit.
async fn delete_by_hand(bench: &Bench, count: usize) {
    bench.wait_for_starts(1).await;
    let mut deleted = std::collections::BTreeSet::new();
    let deadline = Instant::now() + Duration::from_secs(60);
    while deleted.len() < count {
        assert!(Instant::now() < deadline, "nothing runs");
        let live = bench.oar.live().await;
        let running = live.iter().find(|job| job.state == oar_client::State::Running && !deleted.contains(&job.id));
        if let Some(job) = running {
            bench.oar.delete(job.id).await;
            deleted.insert(job.id);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn r6() -> Scenario {
    Scenario {
        name: "R6",
        what: "`temporal_grouping`: 24 tasks in groups",
        trial: Trial::BestEffort(0.0),
        params: 24,
        back: &[],
        cigri3: ["terminated", "24 / 0 / 0", "5 / 0 / 19"],
    }
}

async fn group_tasks(period_s: u64) -> Row {
    let bench = Bench::new(4, (0.0, 0), Limits { max_array: 500, max_waiting: 10, period_s, backlog: None });
    let tasks = Tasks { count: 24, sleep: 0.2, failing: u64::MAX };
    let server = bench.serve().await;
    bench.give_tokens(&server).await;
    let mut jdl = bench.campaign(tasks);
    jdl["temporal_grouping"] = 12.into();
    let id = server.post("/campaigns", &jdl).await["id"].as_i64().unwrap();
    let campaign = bench.wait_for_end(&server, id).await;
    verdict::assert_nothing_left(&bench).await;
    let verdict = Verdict::read(&bench, tasks);
    let submissions = bench.proxy.seen().iter().filter(|seen| seen.ask == Ask::Array).count();
    let mut wrong = Vec::new();
    if !verdict.is_exactly_once(tasks) || campaign["done"] != tasks.count || bench.started().len() != 24 {
        wrong.push(format!("not exactly once: {verdict:?}, {campaign}"));
    }
    Row {
        outcome: format!("{} after {submissions} submissions", campaign["state"].as_str().unwrap()),
        executed: verdict.executed.to_string(),
        recorded: verdict.recorded.to_string(),
        attempts: verdict.attempts,
        given_up: verdict.given_up,
        recovery: None,
        wrong,
    }
}

fn r7() -> Scenario {
    Scenario {
        name: "R7",
        what: "cancelled with 20 jobs running on each of 2 clusters",
        trial: Trial::BestEffort(0.0),
        params: 40,
        back: &[],
        cigri3: ["cancelled, 38 of 40 jobs go on", "-", "38 rows stay `running`"],
    }
}

async fn cancel_on_two_clusters(period_s: u64) -> Row {
    let bench =
        Bench::new(20, (0.0, 0), Limits { max_array: 500, max_waiting: 10, period_s, backlog: None }).with_second(20);
    let tasks = Tasks { count: 40, sleep: 600.0, failing: u64::MAX };
    let server = bench.serve().await;
    let id = bench.submit(&server, tasks).await;
    bench.wait_for_starts(40).await;
    server.delete(&format!("/campaigns/{id}")).await;
    let cancelled = Instant::now();
    let campaign = bench.wait_for_end(&server, id).await;
    let (oar, _) = bench.second.as_ref().unwrap();
    let left = [bench.oar.live().await, oar.live().await].concat();
    let running = left.iter().filter(|job| job.state == oar_client::State::Running).count();
    let recovery = Some(cancelled.elapsed());
    let mut wrong = Vec::new();
    if running > 0 || campaign["cancelled"] != 40 {
        wrong.push(format!("{running} jobs go on: {campaign}"));
    }
    Row {
        outcome: format!("{}, {running} jobs go on", campaign["state"].as_str().unwrap()),
        executed: "-".to_owned(),
        recorded: format!("{} cancelled", campaign["cancelled"]),
        attempts: 40,
        given_up: 0,
        recovery,
        wrong,
    }
}
