//! The number of statements that a round sends to the database does not grow with the number of campaigns, clusters or
//! decisions.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;
mod fixture;

use std::cell::Cell;
use std::collections::BTreeMap;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::language::{AfterTest, CampaignSpec, ClusterSpec, InTurn, Step, TestMode};
use cigri_core::state::JobState;
use cigri_store::{DecisionRow, JobEnd, NewCampaign, Return, Store};
use databases::{Fresh, on_every_database};
use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use fixture::{end, look, spec, submit};

thread_local! {
    /// Statements that this thread began; a test reads through its own store on its own thread.
    static BEGUN: Cell<u64> = const { Cell::new(0) };
}

fn count_statements() {
    set_default_instrumentation(|| {
        let count = |event: InstrumentationEvent<'_>| {
            if matches!(event, InstrumentationEvent::StartQuery { .. }) {
                BEGUN.set(BEGUN.get() + 1);
            }
        };
        let count: Box<dyn Instrumentation> = Box::new(count);
        Some(count)
    })
    .unwrap();
}

fn statements(work: impl FnOnce()) -> u64 {
    let before = BEGUN.get();
    work();
    BEGUN.get() - before
}

on_every_database! {
    a_round_reads_fifty_campaigns_with_the_statements_of_one
    decisions_and_usage_are_written_for_fifty_campaigns_with_the_statements_of_one
}

/// Clusters of every campaign.
const NAMES: [&str; 4] = ["dahu", "luke", "yeti", "zion"];

/// A campaign with all that a round looks up: a sample, grouped tasks that came back from a failure, holds, jobs.
fn busy_campaign(store: &Store, is_over: bool) -> i64 {
    let step = Some(Step { script: "true".into(), walltime_s: 60, resources: "/core=1".into() });
    let mut asked = spec(&NAMES);
    for cluster in asked.clusters.values_mut() {
        cluster.epilogue.clone_from(&step);
        cluster.grouping.in_turn = InTurn::Auto;
    }
    let id = open(store, &asked, if is_over { 1 } else { 10 });
    let submission = submit(store, id, "dahu", 1);
    let live = store.live_jobs(submission.id).unwrap();
    let state = if is_over { JobState::Done } else { JobState::Killed };
    let back = (!is_over).then(|| Return { last: false, avoid_cluster: Some("dahu".to_owned()), ..Return::default() });
    store.record_look(&submission, &look(0, 1, &[], &[JobEnd { back, ..end(&live[0], state) }]), 6000).unwrap();
    let holds = [NewEvent::hold(Scope::campaign_on(id, "luke"), Code::SubmitRefused, "no")];
    store.open_events(&holds, 1).unwrap();
    if !is_over {
        submit(store, id, "dahu", 2);
    }
    id
}

fn open(store: &Store, asked: &CampaignSpec, tasks: i64) -> i64 {
    let new = NewCampaign { owner: "alice", spec: asked, jdl: "{}", origin: None };
    let id = store.begin_campaign(&new, 1000).unwrap();
    store.open_campaign(id, tasks, true).unwrap();
    id
}

/// One that sends its sample, and its prologue before that.
fn tested_campaign(store: &Store) -> i64 {
    let cluster = ClusterSpec {
        prologue: Some(Step { script: "true".into(), walltime_s: 60, resources: "/core=1".into() }),
        ..ClusterSpec::new("./sim", "/home/alice")
    };
    let clusters = NAMES.iter().map(|name| ((*name).to_owned(), cluster.clone())).collect();
    let test = Some(TestMode { jobs: 2, then: AfterTest::Wait });
    open(store, &CampaignSpec { test, ..CampaignSpec::new("tested", clusters) }, 5)
}

fn add(store: &Store, each: usize) {
    for _ in 0..each {
        busy_campaign(store, false);
        busy_campaign(store, true);
        tested_campaign(store);
    }
}

fn a_round_reads_fifty_campaigns_with_the_statements_of_one(database: &Fresh) {
    count_statements();
    let store = database.store();
    add(&store, 1);
    let view = |expected: usize| {
        statements(|| {
            let view = store.round_view("dahu").unwrap();
            assert_eq!(view.campaigns.len(), 3 * expected);
            assert_eq!(view.live(), 2 * expected as i64);
            assert!(view.campaigns.iter().any(|campaign| campaign.pending_here < campaign.row.pending));
            assert_eq!(view.campaigns[0].open_elsewhere(), ["yeti", "zion"]);
        })
    };
    view(1);
    let again = view(1);
    assert!((8..=17).contains(&again), "{again} statements");
    add(&store, 49);
    assert_eq!((view(50), view(50)), (again + 1, again), "what they ask for is read once");
}

fn decisions_and_usage_are_written_for_fifty_campaigns_with_the_statements_of_one(database: &Fresh) {
    count_statements();
    let store = database.store();
    let rows: Vec<DecisionRow> = (0..50).map(|at| decision(tested_campaign(&store), at)).collect();
    let written = |rows: &[DecisionRow]| statements(|| store.record_decisions(rows).unwrap());
    assert_eq!(written(&rows[..1]), written(&rows));
    let charged = |users: usize| {
        let live: BTreeMap<String, u64> = (0..users).map(|user| (format!("user{user}"), 3)).collect();
        statements(|| store.charge("dahu", &live, 1, 60.0).unwrap())
    };
    assert_eq!(charged(1), charged(50));
}

fn decision(campaign_id: i64, at: i64) -> DecisionRow {
    DecisionRow {
        campaign_id,
        cluster: "dahu".to_owned(),
        decided_at: at,
        allowed: 0,
        bound_by: "pending".to_owned(),
        reason: "no task waits".to_owned(),
        terms: Vec::new(),
        inputs: serde_json::json!({}),
    }
}
