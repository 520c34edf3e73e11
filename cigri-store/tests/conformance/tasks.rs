//! Where single tasks are, on every database.

use cigri_core::state::JobState;
use cigri_store::{Attempt, JobEnd, Return, Store, StoreError, TaskState};

use super::databases::Fresh;
use super::fixture::*;

fn state(store: &Store, id: i64, task: i64) -> TaskState {
    store.task_state(id, task).unwrap()
}

fn ended(store: &Store, id: i64, task: i64) -> (JobState, Option<Attempt>) {
    match state(store, id, task) {
        TaskState::Ended { state, last } => (state, last),
        other => panic!("{other:?}"),
    }
}

pub(super) fn a_task_is_followed_from_the_bag_to_its_end(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c", "d"]);
    assert_eq!(state(&store, id, 2), TaskState::Untried { before: 2 });
    let submission = submit(&store, id, "dahu", 2);
    let TaskState::Live(attempt) = state(&store, id, 1) else { panic!("live") };
    assert_eq!((attempt.number, attempt.state, attempt.since), (1, JobState::Submitted, 2000));
    assert_eq!((attempt.cluster.as_str(), attempt.remote_id), ("dahu", Some(submission.id as u64 as i64 * 1000 + 2)));
    let live = store.live_jobs(submission.id).unwrap();
    store.record_look(&submission, &look(1, 0, &[live[1].id], &[]), 3500).unwrap();
    let TaskState::Live(attempt) = state(&store, id, 1) else { panic!("live") };
    assert_eq!((attempt.state, attempt.since), (JobState::Running, 3500));
    finish(&store, &submission, &[JobState::Killed, JobState::Done]);
    let (done, last) = ended(&store, id, 1);
    assert_eq!((done, last.unwrap().since), (JobState::Done, 5000));
    let TaskState::InBag { last_of_all, before, attempts, last, .. } = state(&store, id, 0) else { panic!("in bag") };
    assert_eq!((last_of_all, before, attempts), (false, 0, 1));
    assert_eq!(last.unwrap().state, JobState::Killed);
    assert_eq!(state(&store, id, 3), TaskState::Untried { before: 2 }, "the one that came back goes first");
    assert!(matches!(store.task_state(id, 4), Err(StoreError::Missing(_))));
    assert!(matches!(store.task_state(id + 1, 0), Err(StoreError::Missing(_))));
}

pub(super) fn a_task_sent_to_the_end_has_all_others_before_it(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let submission = submit(&store, id, "dahu", 1);
    let live = store.live_jobs(submission.id).unwrap();
    let back = Some(Return { last: true, avoid_cluster: Some("dahu".into()), ..Return::default() });
    let ends = [JobEnd { back, ..end(&live[0], JobState::Killed) }];
    store.record_look(&submission, &look(0, 1, &[], &ends), 6000).unwrap();
    let TaskState::InBag { last_of_all, before, failed_on, .. } = state(&store, id, 0) else { panic!("in bag") };
    assert_eq!((last_of_all, before), (true, 2));
    assert_eq!(failed_on, ["dahu"]);
}

pub(super) fn cancelled_tasks_say_so_tried_or_not(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Killed, JobState::Failed]);
    store.cancel_campaign(id, 7000).unwrap();
    let (killed, last) = ended(&store, id, 0);
    assert_eq!((killed, last.unwrap().state), (JobState::Cancelled, JobState::Killed));
    assert_eq!(ended(&store, id, 1).0, JobState::Failed);
    assert_eq!(ended(&store, id, 2), (JobState::Cancelled, None));
}

pub(super) fn a_retried_task_is_in_the_bag_again(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let submission = submit(&store, id, "dahu", 1);
    finish(&store, &submission, &[JobState::Failed]);
    assert_eq!(ended(&store, id, 0).0, JobState::Failed);
    store.retry_failed(id, 7000).unwrap();
    assert!(matches!(state(&store, id, 0), TaskState::InBag { attempts: 1, .. }));
}
