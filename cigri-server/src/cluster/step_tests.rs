//! Prologues, epilogues and samples on a cluster in virtual time: their order, their failures, and what their owner does.

use std::sync::atomic::Ordering;

use cigri_core::command::{step_of_command, task_of_command};
use cigri_core::language::{AfterTest, CampaignSpec, TestMode};
use cigri_core::state::{CampaignState, JobState, Role, Stage, Wish};
use cigri_store::{CampaignRow, JobFilter, JobRow};
use oar_local::chaos::Plan;

use super::virtual_world::{VirtualServer, spec, spec_with_steps};

fn server() -> VirtualServer {
    VirtualServer::new(7, Plan::default())
}

fn row(server: &VirtualServer, id: i64) -> CampaignRow {
    server.grid.store.campaign(id).unwrap()
}

fn jobs(server: &VirtualServer, id: i64, role: Role) -> Vec<JobRow> {
    let filter = JobFilter { limit: 1000, ..JobFilter::default() };
    let jobs = server.grid.store.list_jobs(id, &filter).unwrap();
    jobs.into_iter().filter(|job| job.role == role).collect()
}

fn states(server: &VirtualServer, id: i64, role: Role) -> Vec<JobState> {
    jobs(server, id, role).iter().map(|job| job.state).collect()
}

/// The hold of the campaign: its code and message.
fn hold(server: &VirtualServer, id: i64) -> Option<(String, String)> {
    let events = server.grid.store.campaign_events(id, &[], false).unwrap();
    events.into_iter().find(|event| event.holds).map(|event| (event.code, event.message))
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

fn is_over(server: &VirtualServer, id: i64) -> bool {
    row(server, id).state == CampaignState::Finished
}

/// How many tasks and steps have started on the cluster.
fn started(server: &VirtualServer) -> (usize, usize) {
    let runs = server.world.face.lock().unwrap().runs();
    let count = |is: fn(&str) -> bool| runs.keys().filter(|command| is(command)).count();
    (count(|command| task_of_command(command).is_some()), count(|command| step_of_command(command).is_some()))
}

#[tokio::test]
async fn tasks_wait_for_the_prologue_in_words_and_the_epilogue_for_the_tasks() {
    let mut server = server();
    let id = server.campaign_like("alice", &spec_with_steps(), 20);
    until(&mut server, "the prologue runs", |server| states(server, id, Role::Prologue) == [JobState::Running]).await;
    let decision = server.grid.store.decisions(id).unwrap().remove(0);
    assert_eq!((decision.bound_by.as_str(), decision.allowed), ("prologue", 0));
    assert!(decision.reason.starts_with("its prologue is there since 2033-05-18"), "{}", decision.reason);
    assert_eq!(row(&server, id).pending, 20);
    until(&mut server, "the epilogue is there", |server| !jobs(server, id, Role::Epilogue).is_empty()).await;
    assert_eq!((row(&server, id).done, row(&server, id).state), (20, CampaignState::Active));
    until(&mut server, "it ends", |server| is_over(server, id)).await;
    assert_eq!(
        started(&server).1,
        states(&server, id, Role::Prologue).len() + states(&server, id, Role::Epilogue).len()
    );
}

#[tokio::test]
async fn a_prologue_goes_before_what_others_wait_for() {
    let mut server = server();
    let crowd = server.campaign(500);
    until(&mut server, "the queue is full", |server| row(server, crowd).live > 10).await;
    let id = server.campaign_like("alice", &spec_with_steps(), 5);
    server.round(None).await;
    assert_eq!(states(&server, id, Role::Prologue), [JobState::Submitted], "in the next round");
}

#[tokio::test]
async fn steps_are_no_best_effort_jobs_where_normal_ones_are_allowed() {
    let mut server = server();
    let id = server.campaign_like("alice", &spec_with_steps(), 5);
    until(&mut server, "it ends", |server| is_over(server, id)).await;
    let face = server.world.face.lock().unwrap();
    let types = |job: &JobRow| {
        let remote = face.cluster().machine().find_job(job.remote_id.unwrap() as u64).unwrap();
        remote.batch.types.join(" ")
    };
    let of = |role: Role| jobs(&server, id, role).iter().map(types).collect::<Vec<_>>();
    assert_eq!((of(Role::Prologue), of(Role::Epilogue)), (vec![String::new()], vec![String::new()]));
    assert!(of(Role::Tasks).iter().all(|types| types == "besteffort"));
}

#[tokio::test]
async fn a_prologue_that_fails_holds_its_campaign_until_it_is_resumed() {
    let mut server = server();
    let id = server.campaign_like("alice", &spec_with_steps(), 5);
    server.world.step_exit.store(3, Ordering::SeqCst);
    until(&mut server, "it is held", |server| hold(server, id).is_some()).await;
    let (code, message) = hold(&server, id).unwrap();
    assert_eq!(code, "PROLOG_EXIT_ERROR");
    assert!(message.contains("exited with code 3") && message.contains(&format!("cigri resume {id}")), "{message}");
    for _ in 0..20 {
        server.round(None).await;
    }
    assert_eq!((states(&server, id, Role::Prologue), started(&server)), (vec![JobState::Failed], (0, 1)));
    server.world.step_exit.store(0, Ordering::SeqCst);
    server.grid.store.resume_campaign(id, server.now()).unwrap();
    until(&mut server, "it ends", |server| is_over(server, id)).await;
    let prologues = jobs(&server, id, Role::Prologue);
    assert_eq!(prologues.iter().map(|job| job.attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((row(&server, id).done, row(&server, id).failed), (5, 0));
}

#[tokio::test]
async fn an_epilogue_that_fails_keeps_its_campaign_open_until_it_is_resumed() {
    let mut server = server();
    let id = server.campaign_like("alice", &spec_with_steps(), 5);
    until(&mut server, "tasks are there", |server| row(server, id).live > 0).await;
    server.world.step_exit.store(1, Ordering::SeqCst);
    until(&mut server, "it is held", |server| hold(server, id).is_some()).await;
    assert_eq!(
        (hold(&server, id).unwrap().0.as_str(), row(&server, id).state),
        ("EPILOG_EXIT_ERROR", CampaignState::Active)
    );
    server.world.step_exit.store(0, Ordering::SeqCst);
    server.grid.store.resume_campaign(id, server.now()).unwrap();
    until(&mut server, "it ends", |server| is_over(server, id)).await;
    assert_eq!(states(&server, id, Role::Epilogue), [JobState::Failed, JobState::Done]);
}

#[tokio::test]
async fn a_prologue_that_its_owner_kills_waits_for_them_or_runs_again_at_once() {
    let mut server = server();
    let id = server.campaign_like("alice", &spec_with_steps(), 5);
    let running = |server: &VirtualServer| {
        jobs(server, id, Role::Prologue).into_iter().find(|job| job.state == JobState::Running).map(|job| job.id)
    };
    until(&mut server, "it runs", |server| running(server).is_some()).await;
    server.grid.store.wish(running(&server).unwrap(), Wish::Again).unwrap();
    until(&mut server, "it runs again", |server| {
        running(server).is_some() && jobs(server, id, Role::Prologue).len() == 2
    })
    .await;
    server.grid.store.wish(running(&server).unwrap(), Wish::Cancel).unwrap();
    until(&mut server, "it is held", |server| hold(server, id).is_some()).await;
    assert!(hold(&server, id).unwrap().1.contains("killed by its owner"));
    assert_eq!(row(&server, id).cancelled, 0);
    server.grid.store.resume_campaign(id, server.now()).unwrap();
    until(&mut server, "it ends", |server| is_over(server, id)).await;
    assert_eq!(row(&server, id).done, 5);
}

#[tokio::test]
async fn cancelling_kills_a_prologue_that_runs() {
    let mut server = server();
    let id = server.campaign_like("alice", &spec_with_steps(), 5);
    until(&mut server, "it runs", |server| states(server, id, Role::Prologue) == [JobState::Running]).await;
    server.grid.store.cancel_campaign(id, server.now()).unwrap();
    until(&mut server, "it is gone", |server| row(server, id).finished_at.is_some()).await;
    assert!(!states(&server, id, Role::Prologue).iter().any(|state| state.is_live()));
    assert_eq!((hold(&server, id), started(&server).0), (None, 0));
    assert_eq!(jobs(&server, id, Role::Epilogue), []);
}

fn tested(then: AfterTest, spec: CampaignSpec) -> CampaignSpec {
    CampaignSpec { test: Some(TestMode { jobs: 2, then }), ..spec }
}

#[tokio::test]
async fn after_its_sample_a_campaign_waits_with_the_outcome_and_goes_on_when_it_is_resumed() {
    let mut server = server();
    let id = server.campaign_like("alice", &tested(AfterTest::Wait, spec_with_steps()), 12);
    until(&mut server, "it waits", |server| row(server, id).state == CampaignState::Paused).await;
    let seen = row(&server, id);
    assert_eq!((seen.stage, seen.done, seen.pending, started(&server)), (Stage::Tested, 2, 10, (2, 1)));
    let events = server.grid.store.campaign_events(id, &[], false).unwrap();
    let event = events.iter().find(|event| event.code == "TEST_MODE").unwrap();
    let words = format!("sample: 2 of 2 tasks succeeded on dahu; `cigri resume {id}` sends the other 10");
    assert_eq!((event.message.as_str(), event.holds), (words.as_str(), false));
    server.grid.store.resume_campaign(id, server.now()).unwrap();
    until(&mut server, "it ends", |server| is_over(server, id)).await;
    assert_eq!(row(&server, id).done, 12);
    assert_eq!(states(&server, id, Role::Prologue).len(), 1, "once for sample and others");
}

#[tokio::test]
async fn a_sample_that_succeeded_goes_on_by_itself_if_it_was_asked_to() {
    let mut server = server();
    let id = server.campaign_like("alice", &tested(AfterTest::Continue, spec()), 12);
    until(&mut server, "it ends", |server| is_over(server, id)).await;
    let sampled = jobs(&server, id, Role::Test).iter().filter(|job| job.state == JobState::Done).count();
    assert_eq!((sampled, row(&server, id).done), (2, 12));
}

#[tokio::test]
async fn a_sample_that_cannot_run_makes_its_campaign_wait_with_the_reason() {
    let mut server = server();
    server.world.step_exit.store(1, Ordering::SeqCst);
    let id = server.campaign_like("alice", &tested(AfterTest::Continue, spec_with_steps()), 12);
    until(&mut server, "it waits", |server| row(server, id).state == CampaignState::Paused).await;
    let events = server.grid.store.campaign_events(id, &[], false).unwrap();
    let message = &events.iter().find(|event| event.code == "TEST_MODE").unwrap().message;
    assert!(
        message.starts_with("sample: no task ran; not all of it could run on dahu (its prologue failed"),
        "{message}"
    );
}
