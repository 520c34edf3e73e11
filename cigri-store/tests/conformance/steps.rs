//! Prologues, epilogues and samples: when each is due, that no counter knows a step, and when a campaign is over.

use cigri_core::event::{Code, Scope};
use cigri_core::language::{AfterTest, CampaignSpec, Step, TestMode};
use cigri_core::state::{CampaignState, JobState, Role, Stage, SubmissionState, Wish};
use cigri_core::turn::{Facts, Sampling, StepState};
use cigri_store::{AdoptedArray, Intent, JobEnd, JobFilter, NewCampaign, NewSubmission, Return, Store, SubmissionRow};

use crate::databases::Fresh;
use crate::fixture::{counters, end, finish, look, new_submission, spec};

fn step(script: &str) -> Option<Step> {
    Some(Step { script: script.into(), walltime_s: 60, resources: "/core=1".into() })
}

/// A campaign on these clusters with a prologue and an epilogue on each.
fn with_steps(clusters: &[&str]) -> CampaignSpec {
    let mut spec = spec(clusters);
    for cluster in spec.clusters.values_mut() {
        (cluster.prologue, cluster.epilogue) = (step("mkdir x"), step("rm -r x"));
    }
    spec
}

fn open(store: &Store, spec: &CampaignSpec, tasks: i64) -> i64 {
    let new = NewCampaign { owner: "alice", spec, jdl: "{}", origin: None };
    let id = store.begin_campaign(&new, 1000).unwrap();
    store.open_campaign(id, tasks, true).unwrap();
    id
}

fn intend(store: &Store, id: i64, cluster: &str, (role, limit): (Role, i64)) -> Option<Intent> {
    let new = NewSubmission { role, ..new_submission(id, cluster, limit) };
    store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap()
}

/// Intends, adopts and opens.
fn send(store: &Store, id: i64, cluster: &str, (role, limit): (Role, i64)) -> SubmissionRow {
    let (row, tasks) = intend(store, id, cluster, (role, limit)).unwrap();
    assert_eq!(row.role, role);
    let remote_ids = (1..=tasks.len() as u64).map(|at| Some(row.id as u64 * 1000 + at)).collect();
    store.adopt(row.id, &AdoptedArray { gate_id: Some(1), array_id: 2, remote_ids, directory: None }, 3000).unwrap();
    store.gate_opened(row.id, 3000).unwrap();
    store.submission(row.id).unwrap()
}

fn run(store: &Store, id: i64, cluster: &str, (role, limit): (Role, i64), state: JobState) {
    let sent = send(store, id, cluster, (role, limit));
    finish(store, &sent, &vec![state; limit as usize]);
}

fn facts(store: &Store, id: i64, cluster: &str) -> Facts {
    let row = store.campaign(id).unwrap();
    store.turn_facts(&row).unwrap().into_iter().find(|(name, _)| name == cluster).unwrap().1
}

fn steps(store: &Store, id: i64, cluster: &str) -> (StepState, StepState) {
    let facts = facts(store, id, cluster);
    (facts.prologue, facts.epilogue)
}

pub(super) fn a_step_is_in_no_counter_whatever_happens_to_it(database: &Fresh) {
    let store = database.store();
    let id = open(&store, &with_steps(&["dahu"]), 3);
    let untouched = [3, 0, 0, 0, 0, 0, 0];
    assert_eq!(steps(&store, id, "dahu"), (StepState::Due, StepState::Unneeded));
    let sent = send(&store, id, "dahu", (Role::Prologue, 1));
    let live = store.live_jobs(sent.id).unwrap();
    assert_eq!(live.iter().map(|job| (job.task_index, job.generation, job.attempt)).collect::<Vec<_>>(), [(-1, 1, 1)]);
    assert!(intend(&store, id, "dahu", (Role::Prologue, 1)).is_none(), "one at a time");
    assert!(matches!(steps(&store, id, "dahu").0, StepState::Live { job, since: 2000 } if job == live[0].id));
    let view = store.round_view("dahu").unwrap();
    assert_eq!((view.live(), view.waiting(), view.campaigns[0].live_here), (1, 1, 1), "the cluster has it, though");
    store.record_look(&sent, &look(0, 0, &[live[0].id], &[]), 4000).unwrap();
    assert_eq!(counters(&store, id), untouched);
    let missing = cigri_store::Look { missing: vec![live[0].id], ..look(0, 0, &[], &[]) };
    store.record_look(&sent, &missing, 4500).unwrap();
    assert_eq!(counters(&store, id), untouched);
    finish(&store, &sent, &[JobState::Killed]);
    assert_eq!((counters(&store, id), steps(&store, id, "dahu").0), (untouched, StepState::Due));
    let (given_up, _) = intend(&store, id, "dahu", (Role::Prologue, 1)).unwrap();
    assert_eq!(store.live_jobs(given_up.id).unwrap()[0].attempt, 2);
    store.give_up(given_up.id, SubmissionState::Refused, "no", 5000).unwrap();
    assert_eq!((counters(&store, id), steps(&store, id, "dahu").0), (untouched, StepState::Due));
    run(&store, id, "dahu", (Role::Prologue, 1), JobState::Failed);
    assert_eq!(steps(&store, id, "dahu").0, StepState::Due, "it is for the events to hold it");
    assert_eq!(store.retry_failed(id, 6000).unwrap().tasks, 0, "a step is no failed task");
    run(&store, id, "dahu", (Role::Prologue, 1), JobState::Done);
    assert_eq!((counters(&store, id), steps(&store, id, "dahu").0), (untouched, StepState::Done));
    assert!(intend(&store, id, "dahu", (Role::Prologue, 1)).is_none(), "once");
    let jobs = store.list_jobs(id, &JobFilter { limit: 10, ..JobFilter::default() }).unwrap();
    assert!(jobs.iter().all(|job| job.role == Role::Prologue && job.parameters.is_empty()), "{jobs:?}");
}

pub(super) fn a_campaign_ends_with_its_epilogues_where_it_ran(database: &Fresh) {
    let store = database.store();
    let id = open(&store, &with_steps(&["dahu", "luke", "froggy"]), 2);
    run(&store, id, "dahu", (Role::Prologue, 1), JobState::Done);
    run(&store, id, "luke", (Role::Prologue, 1), JobState::Failed);
    assert!(intend(&store, id, "dahu", (Role::Epilogue, 1)).is_none(), "tasks are left");
    run(&store, id, "dahu", (Role::Tasks, 2), JobState::Done);
    let row = store.campaign(id).unwrap();
    assert_eq!((row.state, row.done), (CampaignState::Active, 2));
    let epilogue = |cluster| steps(&store, id, cluster).1;
    assert_eq!(
        [epilogue("dahu"), epilogue("luke"), epilogue("froggy")],
        [StepState::Due, StepState::Unneeded, StepState::Unneeded]
    );
    assert_eq!(store.round_view("dahu").unwrap().campaigns[0].facts.left, 0);
    run(&store, id, "dahu", (Role::Epilogue, 1), JobState::Failed);
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Active);
    run(&store, id, "dahu", (Role::Epilogue, 1), JobState::Done);
    let row = store.campaign(id).unwrap();
    assert_eq!((row.state, counters(&store, id)), (CampaignState::Finished, [0, 0, 0, 2, 0, 0, 0]));
    assert!(store.round_view("dahu").unwrap().campaigns.is_empty());
}

pub(super) fn after_a_retry_the_epilogue_runs_again_and_the_prologue_does_not(database: &Fresh) {
    let store = database.store();
    let id = open(&store, &with_steps(&["dahu"]), 2);
    run(&store, id, "dahu", (Role::Prologue, 1), JobState::Done);
    let sent = send(&store, id, "dahu", (Role::Tasks, 2));
    finish(&store, &sent, &[JobState::Done, JobState::Failed]);
    run(&store, id, "dahu", (Role::Epilogue, 1), JobState::Done);
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Finished);
    assert_eq!(store.retry_failed(id, 7000).unwrap().tasks, 1);
    let while_tasks_are_left = (StepState::Done, StepState::Unneeded);
    assert_eq!(steps(&store, id, "dahu"), while_tasks_are_left);
    run(&store, id, "dahu", (Role::Tasks, 1), JobState::Done);
    assert_eq!(steps(&store, id, "dahu").1, StepState::Due);
    let again = send(&store, id, "dahu", (Role::Epilogue, 1));
    let job = &store.live_jobs(again.id).unwrap()[0];
    assert_eq!((job.task_index, job.generation, job.attempt), (-2, 2, 2));
    finish(&store, &again, &[JobState::Done]);
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Finished);
}

pub(super) fn a_cancelled_campaign_kills_its_prologue_and_has_no_epilogue(database: &Fresh) {
    let store = database.store();
    let id = open(&store, &with_steps(&["dahu", "luke"]), 2);
    run(&store, id, "luke", (Role::Prologue, 1), JobState::Done);
    let live = send(&store, id, "dahu", (Role::Prologue, 1));
    store.cancel_campaign(id, 4000).unwrap();
    assert_eq!(store.campaign(id).unwrap().finished_at, None, "a job of it lives");
    assert_eq!(store.cancelled_campaigns().unwrap(), [id]);
    finish(&store, &live, &[JobState::Cancelled]);
    assert!(store.campaign(id).unwrap().finished_at.is_some());
    assert!(store.cancelled_campaigns().unwrap().is_empty());
    assert!(intend(&store, id, "luke", (Role::Epilogue, 1)).is_none());
    assert_eq!(counters(&store, id), [0, 0, 0, 0, 0, 2, 0]);
}

pub(super) fn a_step_that_its_owner_killed_before_it_was_sent_waits_for_them(database: &Fresh) {
    let store = database.store();
    let id = open(&store, &with_steps(&["dahu"]), 2);
    let (sent, _) = intend(&store, id, "dahu", (Role::Prologue, 1)).unwrap();
    store.wish(store.live_jobs(sent.id).unwrap()[0].id, Wish::Cancel).unwrap();
    store.give_up(sent.id, SubmissionState::Abandoned, "lost", 3000).unwrap();
    assert_eq!(counters(&store, id), [2, 0, 0, 0, 0, 0, 0]);
    let hold = store.round_view("dahu").unwrap().holds.remove(0);
    assert_eq!((hold.code.as_str(), hold.campaign_id), ("PROLOG_EXIT_ERROR", Some(id)));
    assert_eq!(store.resume_campaign(id, 4000).unwrap(), 1);
    assert!(intend(&store, id, "dahu", (Role::Prologue, 1)).is_some());
}

pub(super) fn a_cluster_that_lost_its_jobs_lost_its_step_too(database: &Fresh) {
    let store = database.store();
    let id = open(&store, &with_steps(&["dahu"]), 2);
    let sent = send(&store, id, "dahu", (Role::Prologue, 1));
    store.record_look(&sent, &look(0, 0, &[store.live_jobs(sent.id).unwrap()[0].id], &[]), 4000).unwrap();
    let hold = cigri_core::event::NewEvent::hold(Scope::cluster("dahu"), Code::ClusterReset, "reset");
    store.open_events(&[hold], 5000).unwrap();
    store.put_cluster(&crate::fixture::cluster("dahu")).unwrap();
    assert_eq!(store.accept_reset("dahu", true, 6000).unwrap(), 1);
    assert_eq!((counters(&store, id), steps(&store, id, "dahu").0), ([2, 0, 0, 0, 0, 0, 0], StepState::Due));
}

fn tested(store: &Store, jobs: u32, tasks: i64) -> i64 {
    let test = Some(TestMode { jobs, then: AfterTest::Wait });
    open(store, &CampaignSpec { test, ..spec(&["dahu", "luke"]) }, tasks)
}

pub(super) fn a_sample_is_counted_by_cluster_and_ends_for_good_only(database: &Fresh) {
    let store = database.store();
    let id = tested(&store, 2, 10);
    assert!(intend(&store, id, "dahu", (Role::Tasks, 5)).is_none(), "only the sample goes");
    let sampling = |taken| Some(Sampling { wanted: 2, taken });
    let sent = send(&store, id, "dahu", (Role::Test, 2));
    assert_eq!(facts(&store, id, "dahu").sampling, sampling(2));
    assert_eq!(facts(&store, id, "luke").sampling, sampling(0));
    let live = store.live_jobs(sent.id).unwrap();
    let ends = [end(&live[0], JobState::Failed), end(&live[1], JobState::Killed)];
    store.record_look(&sent, &look(0, 2, &[], &ends), 4000).unwrap();
    assert_eq!(facts(&store, id, "dahu").sampling, sampling(1), "a killed one goes again");
    run(&store, id, "dahu", (Role::Test, 1), JobState::Done);
    let sampled = store.sampled(id).unwrap();
    let ended: Vec<_> = sampled.iter().map(|task| (task.cluster.as_str(), task.task, task.done)).collect();
    assert_eq!(ended, [("dahu", 0, false), ("dahu", 1, true)]);
    assert_eq!(counters(&store, id), [8, 0, 0, 1, 1, 0, 1]);
}

pub(super) fn a_sample_does_not_wait_for_tasks_that_should_go_elsewhere(database: &Fresh) {
    let store = database.store();
    let id = tested(&store, 2, 2);
    let sent = send(&store, id, "dahu", (Role::Test, 2));
    let live = store.live_jobs(sent.id).unwrap();
    let elsewhere = Some(Return { last: false, avoid_cluster: Some("dahu".into()), ..Return::default() });
    let ends = [JobEnd { back: elsewhere, ..end(&live[0], JobState::Killed) }, end(&live[1], JobState::Done)];
    store.record_look(&sent, &look(0, 2, &[], &ends), 4000).unwrap();
    assert_eq!((facts(&store, id, "dahu").pending, facts(&store, id, "luke").pending), (0, 1));
}

pub(super) fn after_its_sample_a_campaign_waits_until_it_is_resumed(database: &Fresh) {
    let store = database.store();
    let id = tested(&store, 1, 10);
    let live = send(&store, id, "dahu", (Role::Test, 1));
    assert!(!store.end_sample(id, (false, "early"), 4000).unwrap(), "some of it lives");
    finish(&store, &live, &[JobState::Done]);
    assert!(store.end_sample(id, (false, "1 of 1 succeeded"), 5000).unwrap());
    assert!(!store.end_sample(id, (true, "again"), 5000).unwrap());
    let row = store.campaign(id).unwrap();
    assert_eq!((row.state, row.stage), (CampaignState::Paused, Stage::Tested));
    let words = |store: &Store| store.find_message(Code::TestMode, &Scope::campaign(id)).unwrap();
    assert_eq!(words(&store).as_deref(), Some("1 of 1 succeeded"));
    store.resume_campaign(id, 6000).unwrap();
    let row = store.campaign(id).unwrap();
    assert_eq!((row.state, row.stage, words(&store)), (CampaignState::Active, Stage::Open, None));
    assert!(intend(&store, id, "dahu", (Role::Test, 1)).is_none());
    run(&store, id, "dahu", (Role::Tasks, 9), JobState::Done);
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Finished);
}

pub(super) fn a_sample_can_be_the_whole_campaign_or_go_on_or_be_cut_short(database: &Fresh) {
    let store = database.store();
    let whole = tested(&store, 3, 3);
    run(&store, whole, "dahu", (Role::Test, 3), JobState::Done);
    let row = store.campaign(whole).unwrap();
    assert_eq!((row.state, row.stage), (CampaignState::Finished, Stage::Open));
    let going = tested(&store, 1, 3);
    run(&store, going, "dahu", (Role::Test, 1), JobState::Done);
    assert!(store.end_sample(going, (true, "well"), 5000).unwrap());
    let row = store.campaign(going).unwrap();
    assert_eq!((row.state, row.stage), (CampaignState::Active, Stage::Open));
    let short = tested(&store, 1, 3);
    store.pause_campaign(short).unwrap();
    store.resume_campaign(short, 5000).unwrap();
    assert_eq!(store.campaign(short).unwrap().stage, Stage::Testing, "it goes on with its sample");
    store.resume_campaign(short, 5000).unwrap();
    assert!(intend(&store, short, "dahu", (Role::Tasks, 3)).is_some());
}
