//! What it costs to plan a round: its picture from the database, and the plan, for 500 active campaigns on each of 20
//! clusters with ten million tasks in their bags, live jobs on every cluster and a history of submissions.
//! `cargo bench -p cigri-store --bench planning` prints a table in Markdown: CPU of this process for one cluster's round,
//! and for those of all clusters; the time; PostgreSQL's own work is in the time only.
#![allow(clippy::unwrap_used)]

#[path = "../tests/databases/mod.rs"]
mod databases;
#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_core::meter::{ClusterLimits, Metering};
use cigri_core::plan::{CampaignView, ClusterView, Decision, plan};
use cigri_core::state::JobState;
use cigri_core::turn;
use cigri_store::{JobEnd, NewCampaign, NewSubmission, Return, RoundCampaign, RoundView, Store};
use databases::Fresh;
use fixture::{adopt, end, finish, look, new_submission};

const CLUSTERS: usize = 20;
const CAMPAIGNS: i64 = 500;
const TASKS: i64 = 20_000;
/// Submissions of each campaign that have ended, on each of some clusters.
const ENDED: usize = 2;
/// Campaigns with live jobs, on each cluster.
const LIVE: usize = 50;
const ROUNDS: u32 = 20;

fn main() {
    println!("| database | part | CPU a cluster | CPU of all {CLUSTERS} | time a cluster |\n|---|---|---|---|---|");
    let databases = [Some(Fresh::sqlite()), databases::server::fresh_database(false).map(Fresh::at)];
    for database in databases.into_iter().flatten() {
        let store = database.store();
        fill(&store);
        if !database.is_sqlite() {
            // As autovacuum does by itself, in time.
            database.execute("VACUUM ANALYZE").unwrap();
        }
        measure(if database.is_sqlite() { "SQLite" } else { "PostgreSQL" }, &store);
    }
}

fn names() -> Vec<String> {
    (0..CLUSTERS).map(|at| format!("cluster{at}")).collect()
}

fn fill(store: &Store) {
    let names = names();
    let cluster = ClusterSpec::new("./sim", "/home/alice");
    let clusters: BTreeMap<String, ClusterSpec> = names.iter().map(|name| (name.clone(), cluster.clone())).collect();
    let asked = CampaignSpec::new("sweep", clusters);
    let ids: Vec<i64> = (0..CAMPAIGNS)
        .map(|at| {
            let new = NewCampaign { owner: &format!("user{}", at % 50), spec: &asked, jdl: "{}", origin: None };
            let id = store.begin_campaign(&new, 1000).unwrap();
            store.open_campaign(id, TASKS, true).unwrap();
            id
        })
        .collect();
    for (at, id) in ids.iter().enumerate() {
        for turn in 0..ENDED {
            let submission = submit(store, *id, &names[(at + turn) % CLUSTERS], 10);
            finish(store, &submission, &[JobState::Done; 10]);
        }
        fail(store, *id, &names[at % CLUSTERS]);
    }
    for (at, name) in names.iter().enumerate() {
        for id in ids.iter().cycle().skip(at).step_by(ids.len() / LIVE).take(LIVE) {
            submit(store, *id, name, 10);
        }
    }
}

fn submit(store: &Store, id: i64, cluster: &str, limit: i64) -> cigri_store::SubmissionRow {
    let new: NewSubmission<'_> = new_submission(id, cluster, limit);
    adopt(store, &store.intend(&new, |id| format!("cigri.bench.{id}"), 2000).unwrap().unwrap().0)
}

/// A task that should go elsewhere.
fn fail(store: &Store, id: i64, cluster: &str) {
    let submission = submit(store, id, cluster, 1);
    let live = store.live_jobs(submission.id).unwrap();
    let back = Some(Return { last: true, avoid_cluster: Some(cluster.to_owned()), ..Return::default() });
    store
        .record_look(&submission, &look(0, 1, &[], &[JobEnd { back, ..end(&live[0], JobState::Killed) }]), 6000)
        .unwrap();
}

fn measure(database: &str, store: &Store) {
    let names = names();
    let view = |name: &String| {
        let view = store.round_view(name).unwrap();
        assert_eq!((view.campaigns.len() as i64, view.live()), (CAMPAIGNS, 10 * LIVE as i64));
        view
    };
    // Once for all: what campaigns ask for is read then.
    let (cold, _) = timed(|| view(&names[0]));
    let rounds = || (0..ROUNDS).flat_map(|_| &names);
    let (read, _) = timed(|| rounds().for_each(|name| drop(view(name))));
    let kept: Vec<RoundView> = names.iter().map(view).collect();
    let planned = |view: &RoundView| assert_eq!(planned(view).len() as i64, CAMPAIGNS);
    let (plan, ()) = timed(|| (0..ROUNDS).for_each(|_| kept.iter().for_each(planned)));
    let line = |part: &str, (cpu, time): Spent, rounds: u32| {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let (cpu, time) = (cpu / rounds, time / rounds);
        println!(
            "| {database} | {part} | {:.2} ms | {:.1} ms | {:.2} ms |",
            ms(cpu),
            ms(cpu) * CLUSTERS as f64,
            ms(time)
        );
    };
    let rounds = ROUNDS * CLUSTERS as u32;
    line("picture, the first one", cold, 1);
    line("picture", read, rounds);
    line("plan", plan, rounds);
    line("both", (read.0 + plan.0, read.1 + plan.1), rounds);
}

fn planned(view: &RoundView) -> Vec<Decision> {
    let (limits, metering, groups) = (ClusterLimits::default(), Metering::default(), BTreeMap::new());
    let mut live_of_user: BTreeMap<String, u64> = BTreeMap::new();
    for here in &view.here {
        *live_of_user.entry(here.owner.clone()).or_default() += (here.waiting + here.running) as u64;
    }
    let cluster = ClusterView {
        now: 0,
        limits: &limits,
        metering: &metering,
        waiting: view.waiting() as u64,
        live: view.live() as u64,
        live_of_user,
        live_of_project: BTreeMap::new(),
        groups: &groups,
        starved: BTreeMap::new(),
        usage: view.usage.clone(),
        hold: None,
        readings: Vec::new(),
    };
    let campaigns: Vec<CampaignView> = view.campaigns.iter().map(campaign_view).collect();
    plan(&cluster, &campaigns).decisions
}

fn campaign_view(campaign: &RoundCampaign) -> CampaignView {
    CampaignView {
        id: campaign.row.id,
        owner: campaign.row.owner.clone(),
        shape: campaign.shape.clone(),
        project: None,
        priority: 0,
        turn: turn::turn(&campaign.facts),
        pending: campaign.pending_here as u64,
        tasks_at_once: 1,
        live_here: campaign.live_here as u64,
        max_jobs: None,
        hold: None,
        token_problem: None,
        in_doubt: campaign.in_doubt as u64,
        calendar: None,
        breaker: None,
    }
}

/// CPU of this thread, and time.
type Spent = (Duration, Duration);

fn timed<T>(work: impl FnOnce() -> T) -> (Spent, T) {
    let (cpu, started) = (cpu(), Instant::now());
    let done = work();
    ((self::cpu() - cpu, started.elapsed()), done)
}

/// What this thread has used: the first number there, in nanoseconds. It lags by a tick: only long work is measured.
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}
