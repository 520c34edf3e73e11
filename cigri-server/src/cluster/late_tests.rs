//! What rounds do for which there is not time enough: requests to the cluster are slow, or few.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cigri_core::meter::{Allowance, Bound, Reason};
use cigri_core::plan::Decision;
use cigri_core::state::{CampaignState, Role, SubmissionState, Wish};
use oar_local::chaos::Plan;

use super::virtual_world::VirtualServer;
use super::{Round, step};

/// At the usual period a picture holds for 30 s: looks have 15 of them, deletions may go on for 7.5 more.
const NO_LOOKS: Duration = Duration::from_secs(16);
const NO_DELETIONS: Duration = Duration::from_secs(23);

/// A server on whose cluster so many submissions of ten long tasks are.
async fn crowded(campaigns: usize) -> VirtualServer {
    let mut server = VirtualServer::new(5, Plan::default());
    for _ in 0..campaigns {
        server.campaign_with("alice", 5, |spec| {
            spec.clusters.values_mut().for_each(|cluster| cluster.exec_file = "./sim takes_ms=500000".into());
        });
        server.round(None).await;
        server.round(None).await;
    }
    assert!(open(&server).len() >= campaigns, "{}", open(&server).len());
    server
}

fn open(server: &VirtualServer) -> Vec<i64> {
    let submissions = server.grid.store.round_view("dahu").unwrap().submissions;
    submissions.iter().filter(|one| one.state == SubmissionState::Open).map(|one| one.id).collect()
}

#[tokio::test]
async fn without_time_for_all_looks_each_submission_has_its_turn() {
    let mut server = crowded(4).await;
    // All are listed again, whatever their counts say.
    server.memory.listed.clear();
    server.memory.turns.clear();
    server.age = NO_LOOKS;
    let mut listed = BTreeSet::new();
    for round in 1..=open(&server).len() {
        server.round(None).await;
        listed.extend(server.memory.listed.keys().copied());
        assert_eq!(listed.len(), round, "one look a round");
    }
}

#[tokio::test]
async fn a_server_that_is_always_late_gets_its_work_done() {
    let mut server = VirtualServer::new(5, Plan::default());
    let id = server.campaign(30);
    server.age = NO_DELETIONS;
    for _ in 0..300 {
        server.round(None).await;
    }
    assert_eq!(server.grid.store.campaign(id).unwrap().state, CampaignState::Finished);
}

#[tokio::test]
async fn without_time_for_deletions_one_is_asked_for_in_each_round() {
    let mut server = crowded(2).await;
    let there = server.live().len();
    for id in open(&server) {
        server.grid.store.wish_all(id, Wish::Cancel).unwrap();
    }
    server.age = NO_DELETIONS;
    let mut left = vec![there];
    while server.live().len() > 1 && left.len() < 30 {
        server.round(None).await;
        left.push(server.live().len());
    }
    // A few may have been killed for others meanwhile.
    assert!((there - 3..30).contains(&left.len()), "{left:?}");
}

/// Sends one job for each campaign, in a round whose picture is as old; returns who starves then.
async fn send(server: &mut VirtualServer, age: Duration, ids: &[i64]) -> BTreeMap<String, u32> {
    let view = server.grid.store.round_view("dahu").unwrap();
    let handle = server.grid.cluster("dahu").unwrap();
    let mut round = Round::begin(&server.grid, &handle, server.now()).await.unwrap();
    round.began -= age;
    let one = || Allowance::minimum(Bound::new(1, Reason::Pending { tasks: 1 }), []);
    let decisions: Vec<Decision> =
        ids.iter().map(|id| Decision { campaign: *id, role: Role::Tasks, allowance: one() }).collect();
    step::send(&round, &mut server.memory, &view, (&decisions, BTreeMap::new())).await.unwrap();
    server.memory.starved.clone()
}

#[tokio::test]
async fn who_was_sent_starves_no_more_and_who_was_not_reached_one_round_more() {
    let mut server = VirtualServer::new(5, Plan::default());
    let ids = [server.campaign(5), server.campaign(5)];
    server.memory.starved.insert("alice".to_owned(), 7);
    let late = send(&mut server, Duration::from_secs(31), &ids).await;
    assert_eq!(late, BTreeMap::from([("alice".to_owned(), 8)]), "there was no time for any of hers");
    let in_time = send(&mut server, Duration::ZERO, &ids).await;
    assert_eq!(in_time, BTreeMap::new());
}
