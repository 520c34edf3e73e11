//! Giving way to other people's waiting normal jobs, on a cluster in virtual time that they fill.

use std::sync::atomic::Ordering;

use cigri_core::meter::GiveWay;
use cigri_core::state::JobState;
use cigri_store::{JobFilter, JobRow};
use oar_local::chaos::Plan;
use oar_local::machine::Request;

use super::virtual_world::VirtualServer;

const WAY: GiveWay = GiveWay { after_s: 60, most_s: 600 };
/// Cores of the virtual cluster.
const CORES: u32 = 6;

fn job(cores: u32, takes_s: u32) -> Request {
    Request {
        command: format!("other takes_ms={}", takes_s * 1000),
        resource: vec![format!("/core={cores},walltime=10:00:00")],
        ..Request::default()
    }
}

/// A job of carol's, who knows nothing of us; its number.
fn submit(server: &VirtualServer, request: Request) -> u64 {
    server.change(|cluster, now| cluster.change(now, |machine, now| machine.submit(&request, "carol", now)).unwrap())
}

/// Jobs of ours in this state, as the ledger has them.
fn ours(server: &VirtualServer, id: i64, state: JobState) -> Vec<JobRow> {
    let filter = JobFilter { state: Some(state), limit: 1000, ..JobFilter::default() };
    server.grid.store.list_jobs(id, &filter).unwrap()
}

fn waiting(server: &VirtualServer, id: i64) -> usize {
    ours(server, id, JobState::Submitted).len()
}

fn bound_by(server: &VirtualServer, id: i64) -> (String, String) {
    let decision = server.grid.store.decisions(id).unwrap().remove(0);
    (decision.bound_by, decision.reason)
}

async fn until(server: &mut VirtualServer, what: &str, mut done: impl FnMut(&VirtualServer) -> bool) {
    for _ in 0..200 {
        if done(server) {
            return;
        }
        server.round(None).await;
    }
    panic!("never: {what}");
}

/// A cluster full of carol's jobs, of which another waits, beside a campaign of ours.
fn crowded(way: Option<GiveWay>) -> (VirtualServer, i64) {
    let server = VirtualServer::new(5, Plan::default());
    server.limit(|limits| limits.give_way = way);
    submit(&server, job(CORES, 300));
    submit(&server, job(CORES, 30));
    let id = server.campaign(200);
    (server, id)
}

#[tokio::test]
async fn ours_that_wait_are_taken_back_for_others_and_go_again_when_these_have_started() {
    let (mut server, id) = crowded(Some(WAY));
    until(&mut server, "some wait", |server| waiting(server, id) > 0).await;
    until(&mut server, "they are taken back", |server| waiting(server, id) == 0).await;
    let sentence = "a normal job of others waits there for over 60 s: ours give way";
    assert_eq!(bound_by(&server, id), ("give_way".to_owned(), sentence.to_owned()));
    let jobs = ours(&server, id, JobState::Killed);
    assert!(!jobs.is_empty() && jobs.iter().all(|job| job.cause.as_deref() == Some("withdrawn")));
    until(&mut server, "it ends", |server| server.grid.store.campaign(id).unwrap().done == 200).await;
}

#[tokio::test]
async fn what_waits_for_very_long_does_not_wait_for_us() {
    let mut server = VirtualServer::new(5, Plan::default());
    server.limit(|limits| limits.give_way = Some(WAY));
    let held = submit(&server, Request { hold: true, ..job(1, 30) });
    submit(&server, Request { after: vec![held], ..job(1, 30) });
    let id = server.campaign(200);
    let gives_way = |server: &VirtualServer| bound_by(server, id).0 == "give_way";
    server.round(None).await;
    until(&mut server, "it is given way to", gives_way).await;
    let began = server.now();
    until(&mut server, "no longer", |server| !gives_way(server)).await;
    let most = i64::try_from(WAY.most_s - WAY.after_s).unwrap();
    assert!((most..most + 60).contains(&((server.now() - began) / 1000)));
    until(&mut server, "ours run beside it", |server| !ours(server, id, JobState::Running).is_empty()).await;
}

#[tokio::test]
async fn best_effort_jobs_of_others_are_given_no_way() {
    let mut server = VirtualServer::new(5, Plan::default());
    server.limit(|limits| limits.give_way = Some(WAY));
    for _ in 0..2 {
        submit(&server, Request { types: vec!["besteffort".to_owned()], ..job(CORES, 300) });
    }
    let id = server.campaign(200);
    for _ in 0..15 {
        server.round(None).await;
        assert_ne!(
            server.grid.store.decisions(id).unwrap().first().map(|one| one.bound_by.clone()),
            Some("give_way".into())
        );
    }
}

#[tokio::test]
async fn they_are_asked_for_once_in_a_period_and_only_where_the_admin_wants_it() {
    let mut requests = Vec::new();
    for way in [None, Some(WAY)] {
        let (mut server, _) = crowded(way);
        for _ in 0..3 {
            server.round(None).await;
        }
        let before = server.world.requests.load(Ordering::SeqCst);
        server.round(None).await;
        requests.push(server.world.requests.load(Ordering::SeqCst) - before);
    }
    assert_eq!(requests[1], requests[0] + 1);
}
