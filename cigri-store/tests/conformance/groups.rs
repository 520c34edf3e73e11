//! What the store keeps of grouped tasks, on every database.

use cigri_core::group::{MOST_CHARACTERS, Pace};
use cigri_core::language::InTurn;
use cigri_core::state::{JobState, SubmissionState};
use cigri_store::{AdoptedArray, JobEnd, Look, NewCampaign, Return, StoreError};

use super::databases::Fresh;
use super::fixture::*;

/// Array index and place of each.
fn places(tasks: &[(cigri_store::Task, String)]) -> Vec<(i64, i32)> {
    tasks.iter().map(|(task, _)| (task.array_index, task.slot)).collect()
}

pub(super) fn tasks_of_a_group_share_a_remote_job_and_end_each_in_its_own_way(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c", "d", "e"]);
    let (submission, tasks) = intend_group(&store, id, (2, 2));
    assert_eq!(places(&tasks), [(1, 0), (1, 1), (2, 0), (2, 1)]);
    assert_eq!((submission.job_count, submission.remote_count), (4, 2));
    let wrong = AdoptedArray { gate_id: None, array_id: 2, remote_ids: vec![Some(1); 4], directory: None };
    assert!(matches!(store.adopt(submission.id, &wrong, 1), Err(StoreError::Conflict(_))));
    let submission = adopt(&store, &submission);
    let live = store.live_jobs(submission.id).unwrap();
    let first = submission.id * 1000 + 1;
    assert_eq!(live.iter().map(|job| job.remote_id.unwrap()).collect::<Vec<_>>(), [first, first, first + 1, first + 1]);
    let view = store.round_view("dahu").unwrap();
    assert_eq!((view.live(), view.waiting(), view.campaigns[0].live_here), (2, 2, 2), "remote jobs");
    assert_eq!(counters(&store, id), [1, 4, 0, 0, 0, 0, 0], "tasks");
    let started: Vec<i64> = live[..2].iter().map(|job| job.id).collect();
    store.record_look(&submission, &look(1, 0, &started, &[]), 4000).unwrap();
    let view = store.round_view("dahu").unwrap();
    assert_eq!((view.live(), view.waiting()), (2, 1));
    let live = store.live_jobs(submission.id).unwrap();
    assert_eq!(live[0].started_at, Some(4000));
    let not_begun = JobEnd {
        killed: false,
        cause: "not_started".into(),
        back: Some(Return::default()),
        ..end(&live[1], JobState::Killed)
    };
    store.record_look(&submission, &look(1, 1, &[], &[end(&live[0], JobState::Failed), not_begun]), 5000).unwrap();
    assert_eq!(counters(&store, id), [2, 2, 0, 0, 1, 0, 0]);
    assert_eq!(store.round_view("dahu").unwrap().live(), 1);
    finish(&store, &submission, &[JobState::Done, JobState::Done]);
    assert_eq!(store.submission(submission.id).unwrap().state, SubmissionState::Closed);
    let slots = store.list_jobs(id, &cigri_store::JobFilter { limit: 9, ..Default::default() }).unwrap();
    assert_eq!(slots.iter().map(|job| job.slot).collect::<Vec<_>>(), [0, 1, 0, 1]);
    let canaries = store.canaries("dahu", 9);
    assert!(canaries.is_err() || canaries.unwrap().len() == 2, "one for each remote job");
}

pub(super) fn a_group_that_is_too_long_leaves_tasks_in_the_bag(database: &Fresh) {
    let store = database.store();
    let long = "x".repeat(MOST_CHARACTERS / 3);
    let id = campaign(&store, &["dahu"], &[&long, &long, &long, &long, &long]);
    let (submission, tasks) = intend_group(&store, id, (1, 5));
    assert_eq!(places(&tasks), [(1, 0), (1, 1)]);
    assert_eq!((submission.job_count, submission.remote_count), (2, 1));
    assert_eq!(counters(&store, id), [3, 2, 0, 0, 0, 0, 0]);
    let (_, tasks) = intend_group(&store, id, (2, 5));
    let sent: Vec<(i64, i32)> = tasks.iter().map(|(task, _)| (task.index, task.attempt)).collect();
    assert_eq!(sent, [(2, 1), (3, 1), (4, 1)], "the next ones, and untried");
}

pub(super) fn what_does_not_fit_into_a_group_goes_back_to_its_place_in_the_bag(database: &Fresh) {
    let store = database.store();
    let long = "x".repeat(MOST_CHARACTERS / 3);
    let id = campaign(&store, &["dahu"], &[&long, &long, &long, &long]);
    let first = submit(&store, id, "dahu", 1);
    let live = store.live_jobs(first.id).unwrap();
    let back = Some(Return { last: true, avoid_cluster: None, ..Return::default() });
    store.record_look(&first, &look(0, 1, &[], &[JobEnd { back, ..end(&live[0], JobState::Killed) }]), 4000).unwrap();
    let indices = |tasks: &[(cigri_store::Task, String)]| tasks.iter().map(|(task, _)| task.index).collect::<Vec<_>>();
    assert_eq!(indices(&intend_group(&store, id, (1, 5)).1), [1, 2]);
    assert_eq!(indices(&intend_group(&store, id, (1, 5)).1), [3, 0], "it goes after those never tried");
}

pub(super) fn large_groups_are_filled_piece_by_piece(database: &Fresh) {
    let store = database.store();
    let parameters: Vec<String> = (0..3000).map(|task| format!("--seed {task:020}")).collect();
    let id = campaign(&store, &["dahu"], &parameters.iter().map(String::as_str).collect::<Vec<_>>());
    let mut sent = Vec::new();
    for _ in 0..2 {
        let (submission, tasks) = intend_group(&store, id, (6, 1000));
        assert_eq!((submission.remote_count, submission.job_count), (6, tasks.len() as i64));
        assert!(tasks.len() > 1000, "{}: more than one piece, and no more than fits", tasks.len());
        assert!(tasks.iter().all(|(task, text)| *text == parameters[task.index as usize]));
        sent.extend(tasks.iter().map(|(task, _)| task.index));
    }
    assert_eq!(sent, (0..sent.len() as i64).collect::<Vec<_>>());
    assert_eq!(counters(&store, id)[..2], [3000 - sent.len() as i64, sent.len() as i64]);
}

pub(super) fn a_group_that_never_ran_gives_its_tasks_back(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let (submission, _) = intend_group(&store, id, (1, 3));
    store.give_up(submission.id, SubmissionState::Abandoned, "lost", 3000).unwrap();
    assert_eq!(counters(&store, id), [3, 0, 0, 0, 0, 0, 0]);
}

pub(super) fn the_pace_of_groups_adds_up(database: &Fresh) {
    let store = database.store();
    let mut spec = spec(&["dahu"]);
    spec.clusters.get_mut("dahu").unwrap().grouping.in_turn = InTurn::Auto;
    let id = store.begin_campaign(&NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None }, 1000).unwrap();
    store.open_campaign(id, 3, true).unwrap();
    let submission = submit(&store, id, "dahu", 2);
    assert_eq!(store.round_view("dahu").unwrap().campaigns[0].pace, Pace::default());
    let pace = Pace { tasks: 5, busy_ms: 5000, jobs: 2, job_ms: 6000, kills: 1 };
    for _ in 0..2 {
        store.record_look(&submission, &Look { pace, ..Look::default() }, 4000).unwrap();
    }
    assert_eq!(store.round_view("dahu").unwrap().campaigns[0].pace, pace.and(pace));
}

pub(super) fn a_runner_that_cannot_be_installed_is_carried_for_good(database: &Fresh) {
    let store = database.store();
    let has = || store.has_runner("al", "dahu", "run-1").unwrap();
    assert!(!has());
    for works in [true, false, true] {
        store.note_runner("al", "dahu", "run-1", works).unwrap();
        assert_eq!(has(), works);
    }
    assert!(!store.has_runner("al", "dahu", "run-2").unwrap(), "another script");
    assert!(!store.has_runner("bob", "dahu", "run-1").unwrap());
    store.note_runner("al", "dahu", "run-1", false).unwrap();
    store.note_runner("al", "dahu", "run-1", true).unwrap();
    assert!(!has(), "missing twice");
}
