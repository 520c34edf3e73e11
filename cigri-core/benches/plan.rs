//! What planning one round of one cluster costs: `cargo bench -p cigri-core --bench plan` prints a table in Markdown.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use cigri_core::meter::law::{AdaptiveSettings, LawSettings};
use cigri_core::meter::{ClusterLimits, Metering};
use cigri_core::plan::{CampaignView, ClusterView, plan};
use cigri_core::turn::Turn;

/// Timed rounds of each line, after as many for nothing.
const ROUNDS: usize = 1000;

/// What a line of the table is about.
struct Case {
    campaigns: usize,
    users: usize,
    shapes: usize,
    has_quotas: bool,
    /// Most jobs of a round.
    room: u64,
}

fn main() {
    println!(
        "| campaigns | users | shapes | quotas | jobs given | median µs | p99 µs |\n|---|---|---|---|---|---|---|"
    );
    let small = Case { campaigns: 20, users: 5, shapes: 2, has_quotas: false, room: 40 };
    let large = Case { campaigns: 500, users: 50, shapes: 10, has_quotas: true, room: 500 };
    measure(&small);
    measure(&Case { room: 0, ..small });
    measure(&Case { room: 1000, ..small });
    measure(&large);
    measure(&Case { users: 500, ..large });
    measure(&Case { room: 0, ..large });
    measure(&Case { room: 1_000_000, ..large });
}

fn measure(case: &Case) {
    let user = |at: usize| format!("user{:03}", at % case.users);
    let limits = limits(case);
    let groups = BTreeMap::from([("all".to_owned(), (0..case.users).map(user).collect())]);
    let live_of_user: BTreeMap<String, u64> = (0..case.users).map(|at| (user(at), (at * 7 % 40) as u64)).collect();
    let metering = Metering::default();
    let cluster = ClusterView {
        now: 0,
        limits: &limits,
        metering: &metering,
        waiting: 0,
        live: 0,
        usage: live_of_user.iter().map(|(user, live)| (user.clone(), *live as f64 * 1.5)).collect(),
        live_of_user,
        live_of_project: BTreeMap::new(),
        groups: &groups,
        starved: BTreeMap::new(),
        hold: None,
        readings: Vec::new(),
    };
    let campaigns: Vec<CampaignView> = (0..case.campaigns).map(|at| campaign(case, at, user(at))).collect();
    let mut times = Vec::with_capacity(ROUNDS);
    let mut jobs = 0;
    for round in 0..2 * ROUNDS {
        let begun = Instant::now();
        let plan = black_box(plan(black_box(&cluster), black_box(&campaigns)));
        if round >= ROUNDS {
            times.push(begun.elapsed().as_secs_f64() * 1e6);
        }
        jobs = plan.decisions.iter().map(|decision| decision.allowance.allowed).sum::<u64>();
    }
    times.sort_by(f64::total_cmp);
    let Case { campaigns, users, shapes, has_quotas, .. } = case;
    let (median, late) = (times[ROUNDS / 2], times[ROUNDS * 99 / 100]);
    println!("| {campaigns} | {users} | {shapes} | {has_quotas} | {jobs} | {median:.1} | {late:.1} |");
}

fn limits(case: &Case) -> ClusterLimits {
    let quotas =
        |name: &str, most| if case.has_quotas { BTreeMap::from([(name.to_owned(), most)]) } else { BTreeMap::new() };
    ClusterLimits {
        max_waiting: case.room,
        max_running: 1_000_000,
        max_per_cycle: 1_000_000,
        law: LawSettings::Adaptive(AdaptiveSettings { initial: 1_000_000, ..AdaptiveSettings::default() }),
        user_quotas: quotas("*", 100_000),
        group_quotas: quotas("all", 1_000_000),
        project_quotas: quotas("ice", 100_000),
        ..ClusterLimits::default()
    }
}

fn campaign(case: &Case, at: usize, owner: String) -> CampaignView {
    CampaignView {
        id: at as i64,
        owner,
        shape: format!("/nodes=1/core={}", at % case.shapes).into(),
        project: case.has_quotas.then(|| "ice".to_owned()),
        priority: 0,
        turn: Turn::Tasks,
        pending: 20_000,
        tasks_at_once: 1,
        live_here: 0,
        max_jobs: None,
        hold: None,
        token_problem: None,
        in_doubt: 0,
        calendar: None,
        breaker: None,
    }
}
