//! What happens to campaigns when their jobs, a cluster or a node go bad, in virtual time.

use cigri_core::breaker::{Breaker, State, Subject, Trip};
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::CampaignState;
use cigri_store::{BreakerChanges, EventRow};
use oar_local::chaos::Plan;
use oar_local::machine::{Query, Settings};

use super::Memory;
use super::virtual_world::{VirtualServer, settings};

/// A cluster of 40 cores on so many nodes that kills nobody.
fn cluster(nodes: u32) -> VirtualServer {
    let server =
        VirtualServer::on(Settings { cores: 40, nodes, kill_rate: 0.0, seed: 5, ..settings() }, Plan::default());
    server.limit(|limits| limits.max_array = 100);
    server
}

fn campaign(server: &VirtualServer, tasks: i64, program: &str) -> i64 {
    server.campaign_with("alice", tasks, |spec| {
        spec.clusters.values_mut().for_each(|cluster| cluster.exec_file = program.into());
    })
}

/// Rounds until a campaign is over, at most so many; returns how many it took.
async fn run(server: &mut VirtualServer, id: i64, most: u32) -> Option<u32> {
    for round in 1..=most {
        server.round(None).await;
        if server.grid.store.campaign(id).unwrap().state == CampaignState::Finished {
            return Some(round);
        }
    }
    None
}

fn events(server: &VirtualServer, id: i64, code: Code) -> Vec<EventRow> {
    let all = server.grid.store.campaign_events(id, &["dahu".to_owned()], true).unwrap();
    all.into_iter().filter(|event| event.code == code.as_str()).collect()
}

/// The scheduler kills everything that runs, for no reason that it tells.
fn kill_all(server: &VirtualServer) {
    server.change(|cluster, now| {
        let running = Query { states: vec!["Running".to_owned()], ..Query::default() };
        let ids: Vec<u64> = cluster.machine().list(&running, 0, usize::MAX).1.iter().map(|job| job.id).collect();
        cluster.change(now, |machine, now| ids.into_iter().for_each(|id| drop(machine.delete(id, "oar", now))));
    });
}

#[tokio::test]
async fn a_campaign_of_which_a_part_fails_for_good_finishes_the_rest() {
    let mut server = cluster(1);
    let id = campaign(&server, 1000, "./sim fails=3/10");
    assert!(run(&mut server, id, 400).await.is_some());
    let row = server.grid.store.campaign(id).unwrap();
    assert_eq!((row.done, row.failed), (700, 300));
    assert!(events(&server, id, Code::BreakerOpen).is_empty());
}

#[tokio::test]
async fn a_campaign_whose_first_third_fails_finishes_the_rest_after_a_few_trials() {
    let mut server = cluster(1);
    let id = campaign(&server, 3000, "./sim fails=0..900");
    assert!(run(&mut server, id, 1500).await.is_some(), "{:?}", server.grid.store.campaign(id).unwrap());
    let row = server.grid.store.campaign(id).unwrap();
    assert_eq!((row.done, row.failed), (2100, 900));
    let told = events(&server, id, Code::BreakerOpen);
    assert!(told.iter().all(|event| event.closed_at.is_some()), "{told:?}");
}

#[tokio::test]
async fn a_campaign_of_which_everything_fails_is_slowed_to_trials_with_growing_pauses() {
    let mut server = cluster(1);
    let id = campaign(&server, 100_000, "./sim fails=0..100000");
    // Six hours.
    run(&mut server, id, 6 * 240).await;
    let row = server.grid.store.campaign(id).unwrap();
    assert!((100..600).contains(&row.failed), "{} burnt", row.failed);
    let told = events(&server, id, Code::BreakerOpen);
    assert_eq!(told.len(), 1, "one event that counts: {told:?}");
    assert!(told[0].closed_at.is_none() && told[0].occurrences >= 5, "{told:?}");
    assert!(told[0].message.contains("failed (exit 1)"), "{}", told[0].message);
    let decision = server.grid.store.decisions(id).unwrap().remove(0);
    assert_eq!((decision.bound_by.as_str(), decision.allowed), ("breaker", 0), "{}", decision.reason);
    assert!(decision.reason.contains("jobs there failed (exit 1): one job tries again in"), "{}", decision.reason);
}

#[tokio::test]
async fn a_cluster_that_fails_everybodys_jobs_is_left_alone_until_a_trial_succeeds_there() {
    let mut server = cluster(4);
    let ids = [campaign(&server, 400, "./sim takes_ms=60000"), campaign(&server, 400, "./sim takes_ms=60000")];
    let mut rounds = 0;
    while events(&server, ids[0], Code::BreakerOpen).is_empty() {
        server.round(None).await;
        kill_all(&server);
        rounds += 1;
        assert!(rounds < 60, "it opens");
    }
    let told = events(&server, ids[0], Code::BreakerOpen);
    assert!(told[0].campaign_id.is_none() && told[0].message.contains("everybody's last"), "{told:?}");
    // What waits there is taken back, and nothing more is sent while the pause lasts.
    for _ in 0..12 {
        server.round(None).await;
        kill_all(&server);
    }
    assert!(server.live().len() <= 2, "{:?}", server.live());
    // The server starts again, and the cluster is well.
    server.memory = Memory::new();
    for id in ids {
        assert!(run(&mut server, id, 600).await.is_some());
        let row = server.grid.store.campaign(id).unwrap();
        assert_eq!((row.done, row.failed), (400, 0));
    }
    assert!(events(&server, ids[0], Code::BreakerOpen).iter().all(|event| event.closed_at.is_some()));
}

#[tokio::test]
async fn a_trial_is_one_job() {
    let mut server = cluster(1);
    let id = campaign(&server, 10_000, "./sim fails=0..10000");
    let subject = Subject::Campaign(id);
    let is_open = |server: &VirtualServer| {
        server.memory.breakers.all.get(&subject).is_some_and(|breaker| matches!(breaker.state, State::Open { .. }))
    };
    while !is_open(&server) {
        server.round(None).await;
    }
    // What was there has ended or was taken back.
    for _ in 0..15 {
        server.round(None).await;
    }
    let before = server.grid.store.campaign(id).unwrap().failed;
    let mut rounds = 0;
    while server.grid.store.campaign(id).unwrap().failed == before {
        server.round(None).await;
        rounds += 1;
        assert!(rounds < 60, "it tries");
    }
    assert_eq!(server.grid.store.campaign(id).unwrap().failed, before + 1);
    assert!(is_open(&server));
}

#[tokio::test]
async fn closing_its_event_by_hand_lets_jobs_go_again() {
    let mut server = cluster(1);
    let id = campaign(&server, 10_000, "./sim fails=0..10000");
    while events(&server, id, Code::BreakerOpen).is_empty() {
        server.round(None).await;
    }
    let scope = Scope::campaign_on(id, "dahu");
    server.grid.store.close_event(Code::BreakerOpen, &scope, server.now()).unwrap();
    server.round(None).await;
    let (_, breaker) = server.grid.store.breakers("dahu").unwrap().remove(0);
    assert_eq!(breaker.state, State::Exempt);
    // A restart does not forget what its owner wants.
    server.memory = Memory::new();
    let before = server.grid.store.campaign(id).unwrap().failed;
    for _ in 0..60 {
        server.round(None).await;
    }
    assert!(server.grid.store.campaign(id).unwrap().failed > before + 200, "nothing slows it any more");
    assert!(events(&server, id, Code::BreakerOpen).iter().all(|event| event.closed_at.is_some()));
}

fn exclude(server: &mut VirtualServer) -> Subject {
    let node = Subject::Node("node1-3".to_owned());
    let trip = Trip { failures: 9, ends: 10, mostly: "node".to_owned() };
    let pauses = cigri_core::breaker::BreakerSettings::default().node_pauses();
    let changes = BreakerChanges {
        breakers: vec![(node.clone(), Some(Breaker::open(None, trip, server.now(), pauses)))],
        events: vec![NewEvent::note(Scope::cluster("dahu"), Code::NodeExcluded, "node1-3")],
        over: Vec::new(),
    };
    server.grid.store.change_breakers("dahu", &changes, server.now()).unwrap();
    server.memory = Memory::new();
    node
}

fn state_of(server: &VirtualServer, subject: &Subject) -> Option<State> {
    server.memory.breakers.all.get(subject).map(|breaker| breaker.state)
}

#[tokio::test]
async fn a_node_that_is_left_out_is_used_again_when_its_event_is_closed_or_an_admin_lets_none_be_left_out() {
    let mut server = cluster(5);
    let node = exclude(&mut server);
    server.round(None).await;
    assert!(matches!(state_of(&server, &node), Some(State::Open { .. })));
    server.grid.store.close_event(Code::NodeExcluded, &Scope::cluster("dahu"), server.now()).unwrap();
    server.round(None).await;
    assert_eq!((state_of(&server, &node), server.grid.store.breakers("dahu").unwrap().len()), (None, 0));
    let node = exclude(&mut server);
    server.limit(|limits| limits.breaker.nodes = 0.0);
    server.round(None).await;
    assert_eq!(state_of(&server, &node), None);
    assert_eq!(server.grid.store.find_message(Code::NodeExcluded, &Scope::cluster("dahu")).unwrap(), None);
}

#[tokio::test]
async fn a_node_on_which_nothing_is_seen_to_end_is_not_watched_for_ever() {
    let mut server = cluster(5);
    let node = exclude(&mut server);
    server.round(None).await;
    server.sleep(3_600_000);
    server.round(None).await;
    assert!(matches!(state_of(&server, &node), Some(State::HalfOpen { .. })));
    server.sleep(3_600_000);
    server.round(None).await;
    assert_eq!(state_of(&server, &node), Some(State::Closed));
    assert_eq!(server.grid.store.find_message(Code::NodeExcluded, &Scope::cluster("dahu")).unwrap(), None);
}

#[tokio::test]
async fn a_cluster_with_nothing_of_anybody_has_no_open_breaker() {
    let mut server = cluster(1);
    let trip = Trip { failures: 10, ends: 10, mostly: "node".to_owned() };
    let pauses = cigri_core::breaker::BreakerSettings::default().pauses();
    let changes = BreakerChanges {
        breakers: vec![(Subject::Cluster, Some(Breaker::open(None, trip, server.now(), pauses)))],
        events: vec![NewEvent::note(Scope::cluster("dahu"), Code::BreakerOpen, "10 of 10")],
        over: Vec::new(),
    };
    server.grid.store.change_breakers("dahu", &changes, server.now()).unwrap();
    server.round(None).await;
    assert_eq!(state_of(&server, &Subject::Cluster), Some(State::Closed));
    assert_eq!(server.grid.store.find_message(Code::BreakerOpen, &Scope::cluster("dahu")).unwrap(), None);
}

#[tokio::test]
async fn a_black_hole_is_left_out_and_the_campaign_goes_on() {
    let mut server = cluster(5);
    let id = campaign(&server, 1000, "./sim takes_ms=120000 hole=node1-3");
    let ended = run(&mut server, id, 600).await;
    let row = server.grid.store.campaign(id).unwrap();
    let decision = server.grid.store.decisions(id).unwrap();
    assert!(ended.is_some(), "{row:?} {decision:?} {:?}", server.memory.breakers.all);
    assert!(row.failed < 150, "{} of 1000 failed", row.failed);
    assert_eq!(row.done + row.failed, 1000);
    let told = events(&server, id, Code::NodeExcluded);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].message.contains("node1-3 (") && !told[0].message.contains("node1-2"), "{}", told[0].message);
    // Before anything had succeeded elsewhere, all that was known was that everything fails.
    assert!(events(&server, id, Code::BreakerOpen).iter().all(|event| event.closed_at.is_some()));
}
