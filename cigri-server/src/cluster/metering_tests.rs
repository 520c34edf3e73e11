//! What an admin closes, and what the meter takes back, on a cluster in virtual time.

use std::sync::atomic::Ordering;

use cigri_core::ask::Ask;
use cigri_core::event::{Code, Scope};
use cigri_core::language::{AfterTest, ClusterSpec, TestMode};
use cigri_core::meter::limits::{FileServerSettings, StressLimit};
use cigri_core::meter::{ClusterLimits, Metering, Mode, Reading};
use cigri_core::state::{CampaignState, JobState, Role, Wish};
use cigri_store::{CampaignRow, JobFilter, Retry};
use oar_local::chaos::Plan;
use oar_local::machine::{Query, Request};

use super::virtual_world::VirtualServer;

fn row(server: &VirtualServer, id: i64) -> CampaignRow {
    server.grid.store.campaign(id).unwrap()
}

/// The last decision about a campaign: the term that bound, its reason, and when it was written.
fn decision(server: &VirtualServer, id: i64) -> (String, String, i64) {
    let decision = server.grid.store.decisions(id).unwrap().remove(0);
    (decision.bound_by, decision.reason, decision.decided_at)
}

/// Live jobs of a campaign that wait, and that run, as the ledger has them.
fn live(server: &VirtualServer, id: i64) -> (usize, usize) {
    let filter = JobFilter { limit: 1000, ..JobFilter::default() };
    let jobs = server.grid.store.list_jobs(id, &filter).unwrap();
    let count = |state| jobs.iter().filter(|job| job.state == state).count();
    (count(JobState::Submitted), count(JobState::Running))
}

async fn until(server: &mut VirtualServer, what: &str, mut done: impl FnMut(&VirtualServer) -> bool) {
    for _ in 0..300 {
        if done(server) {
            return;
        }
        server.round(None).await;
    }
    panic!("never: {what}");
}

fn in_mode(mode: Mode) -> impl FnOnce(&mut ClusterLimits) {
    move |limits| (limits.mode, limits.note) = (mode, "disks are replaced".to_owned())
}

#[tokio::test]
async fn a_drained_cluster_gives_back_what_waits_and_ends_what_runs() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign(200);
    until(&mut server, "some wait while others run", |server| {
        let (waiting, running) = live(server, id);
        waiting > 0 && running > 0
    })
    .await;
    let before = row(&server, id);
    server.limit(in_mode(Mode::Drained));
    until(&mut server, "nothing is left there", |server| row(server, id).live == 0).await;
    let (term, reason, _) = decision(&server, id);
    assert_eq!((term.as_str(), reason.as_str()), ("mode", "the cluster is drained: disks are replaced"));
    let drained = row(&server, id);
    assert!(drained.done > before.done, "what ran ended by itself");
    assert_eq!((drained.state, drained.failed), (CampaignState::Active, 0));
    assert_eq!(server.live().len(), 0);
    let filter = JobFilter { state: Some(JobState::Killed), limit: 1000, ..JobFilter::default() };
    let killed = server.grid.store.list_jobs(id, &filter).unwrap();
    assert!(killed.iter().any(|job| job.cause.as_deref() == Some("withdrawn")), "what waited was taken back");
    server.limit(|limits| limits.mode = Mode::Open);
    until(&mut server, "it ends", |server| row(server, id).state == CampaignState::Finished).await;
    assert_eq!(row(&server, id).done, 200);
}

#[tokio::test]
async fn a_disabled_cluster_gets_no_request_and_is_taken_up_again_where_it_was() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign(40);
    until(&mut server, "something runs", |server| live(server, id).1 > 0).await;
    server.limit(in_mode(Mode::Disabled));
    server.round(None).await;
    let (asked, decided) = (server.world.requests.load(Ordering::SeqCst), decision(&server, id));
    assert_eq!((decided.0.as_str(), decided.1.as_str()), ("mode", "the cluster is disabled: disks are replaced"));
    for _ in 0..20 {
        server.round(None).await;
    }
    assert_eq!(server.world.requests.load(Ordering::SeqCst), asked);
    assert_eq!(decision(&server, id), decided, "it is written once");
    let handle = server.grid.cluster("dahu").unwrap();
    assert!(handle.client.probe().await.is_err(), "not even for somebody else's question");
    server.limit(|limits| limits.mode = Mode::Open);
    until(&mut server, "it ends", |server| row(server, id).state == CampaignState::Finished).await;
    assert_eq!(row(&server, id).done, 40);
}

/// The cluster's admin keeps jobs of this walltime from starting.
fn hold_back(server: &VirtualServer, walltime: i64) {
    server.change(|cluster, now| {
        let query = Query { states: vec!["Waiting".to_owned()], ..Query::default() };
        let (_, jobs) = cluster.machine().list(&query, 0, usize::MAX);
        let ids: Vec<u64> = jobs.iter().filter(|job| job.batch.walltime == walltime).map(|job| job.id).collect();
        cluster.change(now, |machine, now| ids.iter().for_each(|id| drop(machine.hold(*id, "root", now))));
    });
}

fn steered() -> FileServerSettings {
    serde_json::from_value(serde_json::json!({"sensor": "https://nas.example/load", "reference": 6, "floor": 2}))
        .unwrap()
}

#[tokio::test]
async fn the_load_of_the_file_server_and_the_floor_without_one_bind() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign(500);
    server.limit(|limits| limits.file_server = Some(steered()));
    server.round(None).await;
    let (term, reason, _) = decision(&server, id);
    assert_eq!((term.as_str(), reason.contains("not known: 2 jobs")), ("file_server", true), "{reason}");
    assert_eq!(row(&server, id).live, 2);
    let handle = server.grid.cluster("dahu").unwrap();
    until(&mut server, "the load is too high", |server| {
        handle.sensor.set(Some(Reading { value: 60.0, at: server.now() }));
        decision(server, id).1.contains("60.0")
    })
    .await;
    let (term, reason, _) = decision(&server, id);
    assert_eq!((term.as_str(), reason.contains("0 jobs per cycle")), ("file_server", true), "{reason}");
    until(&mut server, "it ends on a quiet file server", |server| {
        handle.sensor.set(Some(Reading { value: 0.5, at: server.now() }));
        row(server, id).state == CampaignState::Finished
    })
    .await;
}

#[tokio::test]
async fn a_cluster_under_stress_gets_nothing_and_one_that_tells_no_number_one_job_a_round() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign(30);
    server.limit(|limits| limits.stress = Some(StressLimit { reference: 48.0, limit: 0.5 }));
    *server.world.stress.lock().unwrap() = "24.5";
    server.round(None).await;
    let (term, reason, _) = decision(&server, id);
    assert_eq!((term.as_str(), reason.contains("24.50")), ("stress", true), "{reason}");
    assert_eq!(row(&server, id).live, 0);
    *server.world.stress.lock().unwrap() = "high";
    let open =
        |server: &VirtualServer| server.grid.store.find_message(Code::StressUnknown, &Scope::cluster("dahu")).unwrap();
    until(&mut server, "the last load is too old", |server| decision(server, id).0 == "stale").await;
    assert!(open(&server).unwrap().contains("cannot be read"));
    assert_eq!(row(&server, id).live, 1);
    *server.world.stress.lock().unwrap() = "3.5";
    until(&mut server, "it ends", |server| row(server, id).state == CampaignState::Finished).await;
    assert_eq!(open(&server), None, "and that is closed");
}

#[tokio::test]
async fn outside_its_windows_a_cluster_gets_nothing_new_and_what_waits_stays() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign(60);
    until(&mut server, "some wait", |server| live(server, id).0 > 0).await;
    // Its clock is at 03:33 on a Wednesday.
    server.limit(|limits| limits.windows = vec!["Wed 04:00-05:00".parse().unwrap()]);
    server.round(None).await;
    let before = row(&server, id);
    until(&mut server, "what was there has run", |server| row(server, id).live == 0).await;
    let (term, reason, _) = decision(&server, id);
    assert_eq!((term.as_str(), reason.contains("Wed 04:00")), ("window", true), "{reason}");
    assert_eq!(
        row(&server, id).pending,
        before.pending + row(&server, id).kills - before.kills,
        "nothing was withdrawn"
    );
    until(&mut server, "it ends in the window", |server| row(server, id).state == CampaignState::Finished).await;
}

#[tokio::test]
async fn after_a_storm_of_kills_less_is_sent() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign_with("alice", 500, |spec| {
        spec.clusters.values_mut().for_each(|cluster| cluster.exec_file = "./sim takes_ms=400000".into());
    });
    until(&mut server, "all cores are ours", |server| live(server, id).1 >= 6).await;
    let target = |server: &VirtualServer| {
        let shape = row(server, id).spec.clusters["dahu"].shape();
        let limits = server.grid.store.cluster_limits("dahu").unwrap();
        server.memory.metering.queue(&Metering::key(&limits, id, &shape.into()), &limits).1
    };
    let before = target(&server);
    let others = Request {
        command: "other takes_ms=600000".to_owned(),
        resource: vec!["/core=6,walltime=1:00:00".to_owned()],
        ..Request::default()
    };
    server.change(|cluster, now| cluster.change(now, |machine, now| machine.submit(&others, "carol", now)).unwrap());
    let kills = row(&server, id).kills;
    until(&mut server, "the kills are seen", |server| row(server, id).kills >= kills + 4).await;
    assert!(target(&server) <= before / 2 + 1, "{before} wanted before, {} after", target(&server));
}

#[tokio::test]
async fn a_shape_that_nothing_of_starts_does_not_stop_another() {
    let mut server = VirtualServer::new(5, Plan::default());
    let stuck = server.campaign_with("alice", 500, |spec| {
        spec.clusters.values_mut().for_each(|cluster| cluster.walltime_s = 1200);
    });
    for _ in 0..20 {
        server.round(None).await;
        hold_back(&server, 1200);
    }
    assert_eq!(decision(&server, stuck).0, "backlog", "its own queue is full");
    let id = server.campaign(100);
    until(&mut server, "it ends", |server| {
        hold_back(server, 1200);
        row(server, id).state == CampaignState::Finished
    })
    .await;
    let seen = row(&server, stuck);
    assert!(seen.live > 0 && seen.live <= 20, "few of what does not start are there: {}", seen.live);
    // Releasing a gate makes the cluster schedule: some were faster than its admin.
    assert!(seen.done < 20, "{}", seen.done);
    let withdrawn = |server: &VirtualServer| {
        let filter = JobFilter { state: Some(JobState::Killed), limit: 1000, ..JobFilter::default() };
        let killed = server.grid.store.list_jobs(stuck, &filter).unwrap();
        killed.iter().any(|job| job.cause.as_deref() == Some("withdrawn"))
    };
    until(&mut server, "all but a probe is taken back", |server| {
        hold_back(server, 1200);
        withdrawn(server) && live(server, stuck).0 <= 1
    })
    .await;
}

/// Jobs of a campaign that were taken back.
fn withdrawn(server: &VirtualServer, id: i64) -> usize {
    let filter = JobFilter { state: Some(JobState::Killed), limit: 1000, ..JobFilter::default() };
    let killed = server.grid.store.list_jobs(id, &filter).unwrap();
    killed.iter().filter(|job| job.cause.as_deref() == Some("withdrawn")).count()
}

#[tokio::test]
async fn a_sample_that_does_not_start_is_not_taken_back_and_teaches_no_law() {
    let mut server = VirtualServer::new(5, Plan::default());
    let others = Request {
        command: "other takes_ms=3000000".to_owned(),
        resource: vec!["/core=6,walltime=1:00:00".to_owned()],
        ..Request::default()
    };
    server.change(|cluster, now| cluster.change(now, |machine, now| machine.submit(&others, "carol", now)).unwrap());
    let id = server.campaign_with("alice", 100, |spec| {
        spec.test = Some(TestMode { jobs: 4, then: AfterTest::Wait });
        spec.clusters.values_mut().for_each(|cluster| cluster.walltime_s = 1200);
    });
    // Ten rounds without a start, of 90 s each, are a law's patience.
    for _ in 0..80 {
        server.round(None).await;
    }
    assert_eq!(live(&server, id), (4, 0), "all cores are another's");
    let filter = JobFilter { limit: 1000, ..JobFilter::default() };
    let jobs = server.grid.store.list_jobs(id, &filter).unwrap();
    assert!(jobs.iter().all(|job| job.role == Role::Test), "{jobs:?}");
    assert_eq!((jobs.len(), withdrawn(&server, id)), (4, 0));
    let limits = server.grid.store.cluster_limits("dahu").unwrap();
    let key = Metering::key(&limits, id, &row(&server, id).spec.clusters["dahu"].shape().into());
    assert_eq!(server.memory.metering.queue(&key, &limits), (0, 10), "as before the first job");
    assert_eq!(server.memory.metering.excess(&key), 0);
}

#[tokio::test]
async fn only_jobs_that_were_posted_count_as_sent() {
    let mut server = VirtualServer::new(5, Plan::default());
    // The cluster would refuse the condition: nothing is posted.
    let id = server.campaign_with("alice", 30, |spec| {
        spec.clusters.values_mut().for_each(|cluster| cluster.properties = Some("no_such_column = 1".to_owned()));
    });
    server.round(None).await;
    let hold = server.grid.store.campaign_events(id, &[], false).unwrap();
    assert!(hold.iter().any(|event| event.code == Code::SubmitRefused.as_str()), "{hold:?}");
    assert_eq!(server.memory.metering.sent_in_cycle(), 0);
    let other = server.campaign(30);
    server.round(None).await;
    assert_eq!(row(&server, other).live as u64, server.memory.metering.sent_in_cycle());
    assert!(row(&server, other).live > 0);
}

#[tokio::test]
async fn a_job_that_somebody_wants_dead_in_vain_does_not_keep_the_others_from_being_taken_back() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign_with("alice", 100, |spec| {
        spec.clusters.values_mut().for_each(|cluster| cluster.walltime_s = 1200);
    });
    until(&mut server, "some wait", |server| {
        hold_back(server, 1200);
        live(server, id).0 >= 4
    })
    .await;
    let filter = JobFilter { state: Some(JobState::Submitted), limit: 1, ..JobFilter::default() };
    let job = server.grid.store.list_jobs(id, &filter).unwrap().remove(0);
    server.grid.store.wish(job.id, Wish::Again).unwrap();
    let unwanted = server.grid.store.wished_submissions("dahu").unwrap();
    // The cluster was asked a moment ago.
    let mut rounds = 0;
    while live(&server, id).0 > 1 && rounds < 120 {
        let soon = server.now() + 15_000;
        server.memory.kills.extend(unwanted.iter().map(|id| (*id, soon)));
        server.round(None).await;
        hold_back(&server, 1200);
        rounds += 1;
    }
    assert_eq!(live(&server, id).0, 1, "after {rounds} rounds");
}

#[tokio::test]
async fn tasks_retried_with_more_time_are_of_a_law_of_their_own() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign_with("alice", 100, |spec| {
        spec.clusters.values_mut().for_each(|cluster| cluster.exec_file = "./sim fails=0..100".into());
    });
    until(&mut server, "all failed", |server| row(server, id).failed == 100).await;
    let ask = Ask::parse(Some("0:20:00"), None).unwrap();
    let retry = Retry { ask, ..Retry::default() };
    assert_eq!(server.grid.store.retry(id, &retry, None, server.now()).unwrap().tasks, 100);
    let longer = server.grid.store.campaign(id).unwrap().spec.clusters["dahu"].clone();
    let shape = ClusterSpec { walltime_s: 1200, ..longer }.shape();
    for _ in 0..10 {
        server.round(None).await;
        hold_back(&server, 1200);
    }
    assert_eq!(decision(&server, id).0, "backlog");
    let here = server.grid.store.round_view("dahu").unwrap().here;
    let waiting: i64 = here.iter().filter(|here| here.shape == shape).map(|here| here.waiting).sum();
    assert!((1..=20).contains(&waiting), "nothing of them starts, and more are sent all the same: {here:?}");
}
