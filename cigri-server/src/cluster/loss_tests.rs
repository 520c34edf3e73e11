//! What clusters lose: their database, single jobs, accounts; and gates that somebody opened by hand. In virtual time.

use cigri_core::event::Code;
use cigri_core::state::{CampaignState, JobState, SubmissionState};
use cigri_store::{CampaignRow, JobFilter, JobRow};
use oar_client::Token;
use oar_local::chaos::{Plan, Run, VirtualCluster};

use super::virtual_world::{Death, T0, VirtualServer, WALLTIME_S, settings};

/// A server whose cluster does nothing wrong by itself.
fn server() -> VirtualServer {
    VirtualServer::new(7, Plan::default())
}

fn row(server: &VirtualServer, id: i64) -> CampaignRow {
    server.grid.store.campaign(id).unwrap()
}

fn jobs(server: &VirtualServer, id: i64, state: JobState) -> Vec<JobRow> {
    let filter = JobFilter { state: Some(state), limit: 1000, ..JobFilter::default() };
    server.grid.store.list_jobs(id, &filter).unwrap()
}

/// The open events of a code about the campaign or its cluster.
fn events(server: &VirtualServer, id: i64, code: Code) -> Vec<String> {
    let events = server.grid.store.campaign_events(id, &["dahu".to_owned()], false).unwrap();
    events.into_iter().filter(|event| event.code == code.as_str()).map(|event| event.message).collect()
}

async fn rounds_until(server: &mut VirtualServer, what: &str, mut done: impl FnMut(&VirtualServer) -> bool) {
    for _ in 0..400 {
        if done(server) {
            return;
        }
        server.round(None).await;
    }
    panic!("never: {what}");
}

fn is_over(server: &VirtualServer, id: i64) -> bool {
    row(server, id).state == CampaignState::Finished
}

/// How many times the tasks of all campaigns ran to their end.
fn ended(server: &VirtualServer) -> u64 {
    let runs = server.world.face.lock().unwrap().runs();
    runs.iter().filter(|(command, _)| command.contains("./sim")).map(|(_, runs)| runs.ended).sum()
}

/// Jobs of somebody else, or made by hand, which take the next ids.
fn strangers(server: &VirtualServer, user: &str, count: i64) {
    let request = oar_local::machine::Request {
        command: "true".to_owned(),
        hold: true,
        name: Some("night".to_owned()),
        array: Some(count),
        ..oar_local::machine::Request::default()
    };
    server.change(|cluster, now| cluster.change(now, |machine, now| machine.submit(&request, user, now))).unwrap();
}

#[tokio::test]
async fn a_reset_database_holds_the_cluster_until_an_admin_has_looked() {
    let mut server = server();
    let id = server.campaign(30);
    rounds_until(&mut server, "some tasks are done, some live", |server| {
        let row = row(server, id);
        row.done >= 5 && row.live > 0
    })
    .await;
    let done = row(&server, id).done;
    server.change(|cluster, now| cluster.reset(1, now));
    strangers(&server, "bob", 40);
    rounds_until(&mut server, "it is noticed", |server| !events(server, id, Code::ClusterReset).is_empty()).await;
    for _ in 0..20 {
        server.round(None).await;
    }
    assert_eq!(row(&server, id).done, done, "strangers' ends are not ours");
    assert_eq!(server.live(), [], "nothing is sent there");
    let reason = server.grid.store.decisions(id).unwrap().remove(0).reason;
    assert!(reason.contains("accept-reset dahu --jobs lost"), "{reason}");
    server.grid.store.accept_reset("dahu", true, server.now()).unwrap();
    rounds_until(&mut server, "it ends", |server| is_over(server, id)).await;
    assert_eq!((row(&server, id).done, ended(&server)), (30, 30));
}

#[tokio::test]
async fn a_database_restored_from_an_older_copy_is_told_by_the_ids_that_it_gives_out_again() {
    let mut server = server();
    let first = server.campaign(3);
    rounds_until(&mut server, "a campaign is over", |server| is_over(server, first)).await;
    let newest = server.grid.store.watermark("dahu").unwrap() as u64;
    let second = server.campaign(30);
    rounds_until(&mut server, "another has live jobs", |server| row(server, second).live > 0).await;
    // All that the canaries are is still there; what came after them is not.
    server.change(|cluster, now| cluster.restore_to(newest, now));
    rounds_until(&mut server, "it is noticed", |server| !events(server, second, Code::ClusterReset).is_empty()).await;
    server.grid.store.accept_reset("dahu", true, server.now()).unwrap();
    rounds_until(&mut server, "it ends", |server| is_over(server, second)).await;
    assert_eq!(row(&server, second).done, 30);
}

#[tokio::test]
async fn jobs_under_our_ids_that_are_not_ours_are_never_deleted() {
    let mut server = server();
    let id = server.campaign(30);
    rounds_until(&mut server, "jobs are live", |server| row(server, id).live >= 4).await;
    server.change(|cluster, now| cluster.reset(1, now));
    // Alice's own jobs: her token could delete them.
    strangers(&server, "alice", 40);
    server.grid.store.cancel_campaign(id, server.now()).unwrap();
    for _ in 0..60 {
        server.round(None).await;
    }
    assert_eq!(server.live().iter().filter(|(_, name)| name == "night").count(), 40);
}

#[tokio::test]
async fn after_a_restore_jobs_that_are_kept_are_followed_and_those_that_are_gone_come_back() {
    let mut server = server();
    let id = server.campaign(30);
    rounds_until(&mut server, "jobs are live", |server| row(server, id).live >= 4).await;
    let newest = server.grid.store.watermark("dahu").unwrap() as u64;
    server.change(|cluster, now| cluster.restore_to(newest - 2, now));
    strangers(&server, "bob", 40);
    rounds_until(&mut server, "it is noticed", |server| !events(server, id, Code::ClusterReset).is_empty()).await;
    server.grid.store.accept_reset("dahu", false, server.now()).unwrap();
    rounds_until(&mut server, "it ends", |server| is_over(server, id)).await;
    assert_eq!((row(&server, id).done, ended(&server)), (30, 30));
    assert!(jobs(&server, id, JobState::Killed).iter().any(|job| job.cause.as_deref() == Some("lost")));
}

#[tokio::test]
async fn a_forgotten_job_is_unknown_until_its_walltime_has_surely_passed() {
    let mut server = server();
    let id = server.campaign(2);
    rounds_until(&mut server, "a job runs", |server| !jobs(server, id, JobState::Running).is_empty()).await;
    let lost = jobs(&server, id, JobState::Running).remove(0);
    let remote_id = lost.remote_id.unwrap() as u64;
    server.change(|cluster, now| cluster.change(now, |machine, now| machine.forget(remote_id, now)));
    rounds_until(&mut server, "it is missed", |server| !jobs(server, id, JobState::Unknown).is_empty()).await;
    let missed_at = server.now();
    assert!(events(&server, id, Code::JobVanished)[0].contains("neither counted as done nor sent again"));
    rounds_until(&mut server, "the campaign ends", |server| is_over(server, id)).await;
    let waited_s = (server.now() - missed_at) / 1000;
    assert!(waited_s >= WALLTIME_S as i64 + 600, "{waited_s} s");
    assert_eq!(row(&server, id).done, 2);
    assert_eq!(events(&server, id, Code::JobLost), Vec::<String>::new(), "it ended with the campaign");
    let all = server.grid.store.campaign_events(id, &[], true).unwrap();
    assert!(all.iter().any(|event| event.code == Code::JobLost.as_str()), "{all:?}");
    assert_eq!(jobs(&server, id, JobState::Killed)[0].cause.as_deref(), Some("lost"));
}

#[tokio::test]
async fn nothing_is_sent_for_a_user_without_account_until_there_is_one() {
    let mut server = server();
    server.change(|cluster, _| cluster.set_unknown_users(&["alice"]));
    let id = server.campaign(5);
    for _ in 0..10 {
        server.round(None).await;
    }
    assert_eq!((row(&server, id).pending, server.live()), (5, vec![]));
    assert!(events(&server, id, Code::NoAccount)[0].starts_with("alice seems to have no account on dahu"));
    let reason = server.grid.store.decisions(id).unwrap().remove(0).reason;
    assert_eq!(reason, "alice has no account on dahu");
    assert_eq!(events(&server, id, Code::TokenNotFound), Vec::<String>::new(), "the token is not what is missing");
    server.change(|cluster, _| cluster.set_unknown_users(&[]));
    rounds_until(&mut server, "it ends", |server| is_over(server, id)).await;
    assert_eq!(events(&server, id, Code::NoAccount), Vec::<String>::new(), "the hold is lifted");
    assert_eq!(ended(&server), 5);
}

#[tokio::test]
async fn one_users_revoked_token_stops_nobody_else() {
    let mut server = server();
    // Signed by nobody that the cluster knows: it answers 401 to whatever is asked with it.
    let elsewhere = VirtualCluster::new(settings(), b"another secret", Box::new(|_| Run { takes_ms: 1, status: 0 }));
    let token = Token::new(elsewhere.issue_token("bob", 86_400, T0)).unwrap();
    server.grid.put_token("bob", "dahu", &token).unwrap();
    let first = server.campaign_of("bob", 5);
    let second = server.campaign(5);
    rounds_until(&mut server, "the other's campaign ends", |server| is_over(server, second)).await;
    assert_eq!(row(&server, first).pending, 5);
    let holds = events(&server, first, Code::PermissionDenied);
    assert!(holds[0].starts_with("dahu refuses the token"), "{holds:?}");
}

#[tokio::test]
async fn where_gates_fail_none_is_posted_any_more() {
    let mut server = server();
    server.world.ignores_gates.store(true, std::sync::atomic::Ordering::SeqCst);
    let id = server.campaign(60);
    rounds_until(&mut server, "it is found out", |server| !events(server, id, Code::GatesFail).is_empty()).await;
    let newest = server.live().iter().map(|(id, _)| *id).max().unwrap_or(0);
    rounds_until(&mut server, "it ends", |server| {
        let gate = server.live().into_iter().find(|(id, name)| *id > newest && name.ends_with(".gate"));
        assert_eq!(gate, None);
        is_over(server, id)
    })
    .await;
    assert_eq!((row(&server, id).done, ended(&server)), (60, 60));
}

#[tokio::test]
async fn what_waits_behind_a_gate_that_somebody_ran_comes_back() {
    // A server that dies between its adoption and its gate's deletion.
    for commits in 0..40 {
        let mut server = server();
        let id = server.campaign(4);
        if server.round(Some(Death::AfterCommit(commits))).await {
            break;
        }
        let view = server.grid.store.round_view("dahu").unwrap();
        let Some(adopted) = view.submissions.iter().find(|row| row.state == SubmissionState::Submitted) else {
            continue;
        };
        let gate = adopted.gate_id.unwrap() as u64;
        server.change(|cluster, now| cluster.change(now, |machine, now| machine.resume(gate, "alice", now)));
        rounds_until(&mut server, "it ends", |server| is_over(server, id)).await;
        assert_eq!((row(&server, id).done, ended(&server)), (4, 4));
        return;
    }
    panic!("the server never died there");
}
