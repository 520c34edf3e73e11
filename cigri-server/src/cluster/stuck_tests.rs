//! Jobs that go neither on nor back, in virtual time.

use std::sync::atomic::Ordering;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::ledger::{TEST_SUBMISSION, parse_name};
use cigri_core::meter::law::LawSettings;
use cigri_core::state::CampaignState;
use cigri_store::{ClusterKind, ClusterRow, EventRow};
use oar_client::Token;
use oar_local::chaos::Plan;
use oar_local::machine::{Query, Settings};

use super::virtual_world::{VirtualServer, settings, spec, spec_with_steps};

const MINUTE: u32 = 4;

fn server(cores: u32) -> VirtualServer {
    VirtualServer::on(Settings { cores, kill_rate: 0.0, seed: 5, ..settings() }, Plan::default())
}

async fn rounds(server: &mut VirtualServer, count: u32) {
    for _ in 0..count {
        server.round(None).await;
    }
}

fn events(server: &VirtualServer, id: i64, code: Code) -> Vec<EventRow> {
    let all = server.grid.store.campaign_events(id, &[], true).unwrap();
    all.into_iter().filter(|event| event.code == code.as_str()).collect()
}

/// Ids of our submissions' jobs in a state, without gates and their tests.
fn jobs(server: &VirtualServer, state: &str) -> Vec<u64> {
    let query = Query { states: vec![state.to_owned()], ..Query::default() };
    let is_task = |name: &str| parse_name(name).is_some_and(|name| !name.gate && name.submission != TEST_SUBMISSION);
    server.change(|cluster, _| {
        let (_, jobs) = cluster.machine().list(&query, 0, usize::MAX);
        jobs.iter().filter(|job| job.batch.name.as_deref().is_some_and(is_task)).map(|job| job.id).collect()
    })
}

/// Another cluster that never answers, but that jobs could go to.
fn add_luke(server: &VirtualServer) {
    let (name, url) = ("luke".to_owned(), "http://luke.test/".to_owned());
    let row = ClusterRow { name, kind: ClusterKind::Oar3, url, limits: Default::default(), last_round_at: None };
    server
        .grid
        .add_with(row, std::sync::Arc::new(super::virtual_world::Wire(std::sync::Arc::clone(&server.world))))
        .unwrap();
    let token = server.world.face.lock().unwrap().cluster().issue_token("alice", 365 * 86_400, server.now());
    server.grid.put_token("alice", "luke", &Token::new(token).unwrap()).unwrap();
}

/// A law that does not take back itself what waits without any start.
fn patient() -> LawSettings {
    serde_json::from_str(r#"{"name": "adaptive", "patience": 0}"#).unwrap()
}

/// One core that somebody else keeps for ever, and a campaign of three tasks that waits for it.
async fn waiting(server: &mut VirtualServer, both: bool) -> i64 {
    server.limit(|limits| {
        limits.law = patient();
        limits.stuck.waiting_s = 1200;
    });
    occupy(server);
    let mut spec = spec();
    if both {
        add_luke(server);
        let cluster = spec.clusters["dahu"].clone();
        spec.clusters.insert("luke".to_owned(), cluster);
    }
    let id = server.campaign_like("alice", &spec, 3);
    rounds(server, 4 * MINUTE).await;
    assert_eq!(jobs(server, "Waiting").len(), 3, "they wait");
    id
}

/// Somebody else's job that takes a core for ever.
fn occupy(server: &VirtualServer) {
    server.change(|cluster, now| {
        let request = oar_local::machine::Request {
            command: "other takes_ms=999999999".to_owned(),
            resource: vec!["/core=1,walltime=300:00:00".to_owned()],
            ..Default::default()
        };
        cluster.change(now, |machine, now| machine.submit(&request, "carol", now)).unwrap();
    });
}

#[tokio::test]
async fn what_waits_too_long_is_taken_back_for_another_cluster() {
    let mut server = server(1);
    let id = waiting(&mut server, true).await;
    rounds(&mut server, 30 * MINUTE).await;
    assert!(jobs(&server, "Waiting").is_empty(), "its tasks are for luke now");
    let row = server.grid.store.campaign(id).unwrap();
    assert_eq!((row.pending, row.live, row.failed), (3, 0, 0));
    let told = events(&server, id, Code::WaitsTooLong);
    assert_eq!((told.len(), told[0].occurrences), (1, 3), "{told:?}");
}

#[tokio::test]
async fn what_waits_long_stays_where_there_is_nowhere_else_to_go() {
    let mut server = server(1);
    let id = waiting(&mut server, false).await;
    rounds(&mut server, 30 * MINUTE).await;
    assert!(!jobs(&server, "Waiting").is_empty());
    assert!(events(&server, id, Code::WaitsTooLong).is_empty());
}

#[tokio::test]
async fn a_job_that_somebody_holds_is_told_and_taken_back_after_a_day() {
    let mut server = server(1);
    let id = waiting(&mut server, false).await;
    let held = jobs(&server, "Waiting")[0];
    server.change(|cluster, now| cluster.change(now, |machine, now| drop(machine.hold(held, "alice", now))));
    rounds(&mut server, 20 * MINUTE).await;
    let told = events(&server, id, Code::StuckJobs);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].message.contains("is held by somebody there"), "{}", told[0].message);
    assert_eq!(told[0].occurrences, 1, "it was held once, however long");
    assert_eq!(jobs(&server, "Hold"), [held], "it is left for now");
    server.limit(|limits| (limits.law, limits.stuck.give_up_s) = (patient(), 1200));
    rounds(&mut server, 20 * MINUTE).await;
    assert!(jobs(&server, "Hold").is_empty());
    assert_eq!(server.grid.store.campaign(id).unwrap().failed, 0);
}

#[tokio::test]
async fn a_clock_that_jumps_makes_nothing_stuck() {
    let mut server = server(4);
    let id = server.campaign_with("alice", 4, |spec| {
        spec.clusters.values_mut().for_each(|cluster| {
            (cluster.exec_file, cluster.walltime_s) = ("./sim takes_ms=3600000".into(), 7200);
        });
    });
    rounds(&mut server, 5 * MINUTE).await;
    // The rounds' own clock runs ahead by a month; the cluster's does not.
    let handle = server.grid.cluster("dahu").unwrap();
    for day in [30, 31] {
        let now = server.now() + day * 86_400_000;
        let round = super::Round::begin(&server.grid, &handle, now).await.unwrap();
        super::step::step(&round, &mut server.memory).await.unwrap();
    }
    rounds(&mut server, 70 * MINUTE).await;
    let row = server.grid.store.campaign(id).unwrap();
    assert_eq!((row.state, row.done, row.kills), (CampaignState::Finished, 4, 0));
    assert!(events(&server, id, Code::OverWalltime).is_empty());
}

#[tokio::test]
async fn an_outage_of_five_hours_makes_nothing_stuck() {
    let mut server = server(1);
    let id = waiting(&mut server, true).await;
    server.limit(|limits| (limits.law, limits.stuck.waiting_s) = (patient(), 4 * 3600));
    server.world.is_down.store(true, Ordering::SeqCst);
    rounds(&mut server, 5 * 60 * MINUTE).await;
    server.world.is_down.store(false, Ordering::SeqCst);
    rounds(&mut server, 10 * MINUTE).await;
    assert_eq!(jobs(&server, "Waiting").len(), 3);
    assert!(events(&server, id, Code::WaitsTooLong).is_empty());
}

#[tokio::test]
async fn what_waits_long_stays_where_its_campaign_is_held_on_the_other_clusters() {
    let mut server = server(1);
    let id = waiting(&mut server, true).await;
    let hold = NewEvent::hold(Scope::campaign_on(id, "luke"), Code::WorkingDirectory, "no such directory");
    server.grid.store.open_events(&[hold], server.now()).unwrap();
    rounds(&mut server, 30 * MINUTE).await;
    assert!(!jobs(&server, "Waiting").is_empty());
    assert!(events(&server, id, Code::WaitsTooLong).is_empty());
}

#[tokio::test]
async fn a_step_that_waits_long_is_left() {
    let mut server = server(1);
    server.limit(|limits| (limits.law, limits.stuck.waiting_s) = (patient(), 1200));
    occupy(&server);
    let mut spec = spec_with_steps();
    add_luke(&server);
    let cluster = spec.clusters["dahu"].clone();
    spec.clusters.insert("luke".to_owned(), cluster);
    let id = server.campaign_like("alice", &spec, 3);
    rounds(&mut server, 4 * MINUTE).await;
    let prologue = jobs(&server, "Waiting");
    assert_eq!(prologue.len(), 1, "it waits");
    rounds(&mut server, 30 * MINUTE).await;
    assert_eq!(jobs(&server, "Waiting"), prologue);
    assert!(events(&server, id, Code::WaitsTooLong).is_empty());
}

#[tokio::test]
async fn what_is_launched_for_ever_again_and_again_fails_its_task_when_the_budget_is_used_up() {
    let mut server = server(4);
    let id = server.campaign_with("alice", 1, |spec| {
        spec.clusters.values_mut().for_each(|cluster| {
            (cluster.exec_file, cluster.walltime_s) = ("./sim takes_ms=864000000".into(), 864_000);
        });
    });
    server.world.shows_running_as("Launching");
    rounds(&mut server, 80 * MINUTE).await;
    let row = server.grid.store.campaign(id).unwrap();
    assert_eq!((row.done, row.failed, row.kills), (0, 1, 3), "three retries");
}

#[tokio::test]
async fn what_does_not_finish_is_told_and_is_lost_after_a_day_never_done() {
    let mut server = server(4);
    server.limit(|limits| limits.stuck.give_up_s = 7200);
    let id = server.campaign_with("alice", 1, |spec| {
        spec.clusters.values_mut().for_each(|cluster| {
            (cluster.exec_file, cluster.walltime_s) = ("./sim takes_ms=864000000".into(), 864_000);
        });
    });
    server.world.shows_running_as("Finishing");
    rounds(&mut server, 60 * MINUTE).await;
    let told = events(&server, id, Code::StuckJobs);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].message.contains("does not finish"), "{}", told[0].message);
    assert_eq!(server.grid.store.campaign(id).unwrap().live, 1);
    rounds(&mut server, 80 * MINUTE).await;
    let row = server.grid.store.campaign(id).unwrap();
    assert_eq!((row.done, row.failed), (0, 0), "neither");
    assert!(row.kills >= 1, "given up, and sent again");
}

#[tokio::test]
async fn what_is_launched_for_ever_is_deleted_and_sent_again() {
    let mut server = server(4);
    let id = server.campaign_with("alice", 1, |spec| {
        spec.clusters.values_mut().for_each(|cluster| {
            (cluster.exec_file, cluster.walltime_s) = ("./sim takes_ms=864000000".into(), 864_000);
        });
    });
    server.world.shows_running_as("Launching");
    rounds(&mut server, 20 * MINUTE).await;
    let told = events(&server, id, Code::StuckJobs);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].message.contains("is being launched and does not start"), "{}", told[0].message);
    let first = jobs(&server, "Running");
    rounds(&mut server, 10 * MINUTE).await;
    let row = server.grid.store.campaign(id).unwrap();
    assert!((row.live, row.failed) == (1, 0) && row.kills >= 1, "{row:?}");
    assert_ne!(jobs(&server, "Running"), first, "another job");
}
