//! What the ledger keeps about missing, unwanted, resubmitted and lost jobs, on every database.

use cigri_core::event::Code;
use cigri_core::state::{JobState, SubmissionState, Wish};
use cigri_store::{GateTestRow, GateTestState, Look, StoreError};

use super::databases::Fresh;
use super::fixture::*;

pub(super) fn a_missing_job_is_unknown_until_it_is_seen_again(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 2);
    let [first, second] = [0, 1].map(|at| store.live_jobs(submission.id).unwrap()[at].id);
    store.record_look(&submission, &look(1, 0, &[first], &[]), 4000).unwrap();
    let missing = Look { missing: vec![first, second], ..Look::default() };
    store.record_look(&submission, &missing, 5000).unwrap();
    let live = store.live_jobs(submission.id).unwrap();
    assert!(live.iter().all(|job| (job.state, job.missing_since) == (JobState::Unknown, Some(5000))));
    assert_eq!(counters(&store, id), [0, 2, 0, 0, 0, 0, 0], "live, and nobody says that they run");
    let back = Look { started: vec![first], found: vec![second], ..Look::default() };
    store.record_look(&submission, &back, 6000).unwrap();
    let live = store.live_jobs(submission.id).unwrap();
    assert_eq!([live[0].state, live[1].state], [JobState::Running, JobState::Submitted]);
    assert!(live.iter().all(|job| job.missing_since.is_none()));
    assert_eq!(counters(&store, id), [0, 2, 1, 0, 0, 0, 0]);
}

pub(super) fn waiting_jobs_that_are_to_go_are_counted_by_submission(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a", "b", "c", "d"]);
    let here = submit(&store, id, "dahu", 3);
    let _there = submit(&store, id, "luke", 1);
    let jobs: Vec<i64> = store.live_jobs(here.id).unwrap().iter().map(|job| job.id).collect();
    assert!(store.wished_waiting("dahu").unwrap().is_empty());
    store.record_look(&here, &Look { started: vec![jobs[0]], ..Look::default() }, 5000).unwrap();
    store.wish(jobs[0], Wish::Again).unwrap();
    store.wish(jobs[1], Wish::Cancel).unwrap();
    assert_eq!(store.wished_waiting("dahu").unwrap().into_iter().collect::<Vec<_>>(), [(here.id, 1)], "one runs");
    assert!(store.wished_waiting("luke").unwrap().is_empty());
}

pub(super) fn a_wish_for_a_job_that_is_being_sent_ends_its_task_with_its_submission(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let (submission, _) = intend(&store, id, "dahu", 3).unwrap();
    let [first, second] = [0, 1].map(|at| store.live_jobs(submission.id).unwrap()[at].id);
    store.wish(first, Wish::Cancel).unwrap();
    store.wish(second, Wish::Again).unwrap();
    assert_eq!(store.wished_submissions("dahu").unwrap(), [submission.id]);
    store.give_up(submission.id, SubmissionState::Abandoned, "lost", 3000).unwrap();
    assert_eq!(counters(&store, id), [2, 0, 0, 0, 0, 1, 0]);
    assert_eq!(store.wished_submissions("dahu").unwrap(), Vec::<i64>::new());
    assert!(matches!(store.wish(first, Wish::Cancel), Err(StoreError::Conflict(_))));
    assert!(matches!(store.wish(99, Wish::Cancel), Err(StoreError::Missing(_))));
    assert_eq!(store.retry_failed(id, 4000).unwrap().tasks, 1, "a task that was ended by itself can be tried again");
    assert_eq!(counters(&store, id), [3, 0, 0, 0, 0, 0, 0]);
}

pub(super) fn oars_own_resubmissions_are_one_attempt_and_too_many_are_wanted_back(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let submission = submit(&store, id, "dahu", 1);
    let job = store.live_jobs(submission.id).unwrap().remove(0);
    let first = job.remote_id.unwrap();
    for (hop, remote_id) in (1..).zip([first + 10, first + 20, first + 20, first + 30]) {
        store.follow(&[(job.id, remote_id as u64)], 2).unwrap();
        let now = store.live_jobs(submission.id).unwrap().remove(0);
        assert_eq!(now.remote_id, Some(remote_id));
        assert_eq!(now.wish, (hop == 4).then_some(Wish::Again), "hop {hop}");
    }
    assert_eq!(store.followed_from(&submission.name, first + 10).unwrap(), Some(true));
    assert_eq!(store.followed_from(&submission.name, first + 30).unwrap(), None);
    finish(&store, &submission, &[JobState::Done]);
    assert_eq!(store.followed_from(&submission.name, first).unwrap(), Some(false));
}

pub(super) fn a_second_success_is_kept_and_counts_for_nothing(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let first = submit(&store, id, "dahu", 1);
    finish(&store, &first, &[JobState::Done]);
    let second = submit(&store, id, "dahu", 1);
    // No path of ours leads here: a hand in the database does.
    database.execute(&format!("UPDATE job SET task_index = 0 WHERE submission_id = {}", second.id)).unwrap();
    let live = store.live_jobs(second.id).unwrap();
    let look = look(0, 1, &[], &[end(&live[0], JobState::Done)]);
    assert_eq!(store.record_look(&second, &look, 7000).unwrap(), [0]);
    let jobs = store.list_jobs(id, &cigri_store::JobFilter { limit: 9, ..Default::default() }).unwrap();
    assert_eq!(jobs[1].cause.as_deref(), Some("duplicate_success"));
    assert_eq!(store.submission(second.id).unwrap().state, SubmissionState::Closed);
}

pub(super) fn a_task_in_the_bag_whose_job_is_live_does_not_stop_the_others(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    submit(&store, id, "dahu", 1);
    database
        .execute(&format!("INSERT INTO returned_task (campaign_id, task_index, generation, attempts, place, failed_on) VALUES ({id}, 0, 1, 1, 1, NULL); UPDATE progress SET pending = 2"))
        .unwrap();
    let (_, tasks) = intend(&store, id, "dahu", 5).unwrap();
    assert_eq!(tasks.iter().map(|(task, _)| task.index).collect::<Vec<_>>(), [1]);
    assert_eq!(counters(&store, id), [0, 2, 0, 0, 0, 0, 0]);
    let events = store.campaign_events(id, &[], false).unwrap();
    assert!(events[0].message.starts_with("tasks [0] were in the bag"), "{events:?}");
}

pub(super) fn the_watermark_only_rises_and_canaries_are_the_last_jobs_that_ended(database: &Fresh) {
    let store = database.store();
    store.put_cluster(&cluster("dahu")).unwrap();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let first = submit(&store, id, "dahu", 1);
    let second = submit(&store, id, "dahu", 2);
    assert_eq!(store.watermark("dahu").unwrap(), second.id * 1000 + 2);
    finish(&store, &second, &[JobState::Done, JobState::Killed]);
    let canaries = store.canaries("dahu", 5).unwrap();
    assert_eq!(canaries.iter().map(|canary| canary.remote_id as i64).collect::<Vec<_>>(), [second.id * 1000 + 1]);
    assert_eq!((canaries[0].name.as_str(), canaries[0].user.as_str()), (second.name.as_str(), "alice"));
    finish(&store, &first, &[JobState::Failed]);
    assert_eq!(store.canaries("dahu", 1).unwrap()[0].remote_id as i64, second.id * 1000 + 1, "the newest");
    assert_eq!(store.canaries("dahu", 5).unwrap().len(), 2);
}

pub(super) fn after_a_reset_an_admin_keeps_our_jobs_or_gives_them_up(database: &Fresh) {
    let store = database.store();
    store.put_cluster(&cluster("dahu")).unwrap();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let adopted = submit(&store, id, "dahu", 2);
    let running = store.live_jobs(adopted.id).unwrap()[0].id;
    store.record_look(&adopted, &look(1, 0, &[running], &[]), 4000).unwrap();
    intend(&store, id, "dahu", 1).unwrap();
    let hold = cigri_core::event::NewEvent::hold(
        cigri_core::event::Scope::cluster("dahu"),
        Code::ClusterReset,
        "ids are given out twice",
    );
    store.open_events(std::slice::from_ref(&hold), 5000).unwrap();
    store.put_gate_test(&gate_test()).unwrap();
    store.wish(running, Wish::Cancel).unwrap();
    assert_eq!(store.accept_reset("dahu", true, 6000).unwrap(), 3);
    assert_eq!(counters(&store, id), [2, 0, 0, 0, 0, 1, 0], "what its owner wanted dead does not come back");
    assert_eq!(store.submission(adopted.id).unwrap().state, SubmissionState::Closed);
    assert_eq!(store.watermark("dahu").unwrap(), 0);
    assert_eq!(store.cluster_hold("dahu").unwrap(), None);
    assert_eq!(store.find_gate_test("dahu").unwrap(), None, "gates are tried again");
    let again = submit(&store, id, "dahu", 2);
    assert!(matches!(store.accept_reset("dahu", false, 7000), Err(StoreError::Conflict(_))), "nothing to accept");
    store.open_events(&[hold], 7000).unwrap();
    assert_eq!(store.accept_reset("dahu", false, 7000).unwrap(), 0);
    assert_eq!(store.live_jobs(again.id).unwrap().len(), 2);
}

pub(super) fn a_gate_test_is_kept_replaced_and_forgotten(database: &Fresh) {
    let store = database.store();
    assert_eq!(store.find_gate_test("dahu").unwrap(), None);
    store.put_gate_test(&gate_test()).unwrap();
    let works = GateTestRow { state: GateTestState::Works, gate_id: Some(4), job_id: Some(5), ..gate_test() };
    store.put_gate_test(&works).unwrap();
    assert_eq!(store.find_gate_test("dahu").unwrap(), Some(works));
    store.remove_gate_test("dahu").unwrap();
    assert_eq!(store.find_gate_test("dahu").unwrap(), None);
}

fn gate_test() -> GateTestRow {
    GateTestRow {
        cluster: "dahu".into(),
        state: GateTestState::Posted,
        name: "cigri.test.0.1".into(),
        owner: "alice".into(),
        gate_id: None,
        job_id: None,
        control_id: None,
        posted_at: 1,
    }
}
