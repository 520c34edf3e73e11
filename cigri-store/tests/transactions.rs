//! What every database must do when writers meet, panic, are refused or lose their connection.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;
mod fixture;

use std::collections::BTreeSet;

use cigri_core::state::JobState;
use cigri_store::{Store, StoreError};
use databases::{Fresh, on_every_database};
use fixture::{begin, campaign, counters, finish, intend, new_submission, submit};

on_every_database! {
    a_database_is_reopened_with_its_name_and_a_newer_one_is_refused
    the_database_itself_refuses_a_second_live_job_and_a_second_success
    writers_of_one_database_never_get_the_same_ids
    writers_of_one_database_never_take_the_same_task
    a_panic_in_the_middle_of_a_transaction_leaves_nothing_of_it
    a_refused_transaction_changes_nothing_and_the_next_one_works
}

fn a_database_is_reopened_with_its_name_and_a_newer_one_is_refused(database: &Fresh) {
    let id = campaign(&Store::open(&database.url, "first").unwrap(), &["dahu"], &["a"]);
    let store = Store::open(&database.url, "second").unwrap();
    assert_eq!(store.instance().unwrap(), "first");
    assert_eq!(store.campaign(id).unwrap().pending, 1);
    drop(store);
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").unwrap();
    let refused = Store::open(&database.url, "x").err();
    assert!(matches!(refused, Some(StoreError::Newer(version)) if version == "99990101000000"));
}

fn the_database_itself_refuses_a_second_live_job_and_a_second_success(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Done]);
    let insert = |task: i64, state: &str| {
        database.execute(&format!(
            "INSERT INTO job (id, submission_id, array_index, campaign_id, task_index, generation, attempt, state)
             VALUES (99, {}, 9, {id}, {task}, 1, 9, '{state}')",
            submission.id
        ))
    };
    assert!(insert(0, "done").is_err(), "task 0 has its success");
    assert!(insert(1, "launching").is_err(), "task 1 has its live job");
    assert!(insert(1, "done").is_ok());
}

fn writers_of_one_database_never_get_the_same_ids(database: &Fresh) {
    database.store();
    let writer = || {
        let store = database.store();
        (0..20).map(|_| campaign(&store, &["dahu"], &["a", "b"])).collect::<Vec<i64>>()
    };
    let ids: Vec<i64> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|_| scope.spawn(writer)).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let store = database.store();
    let first_tasks = ids.iter().map(|id| store.campaign(*id).unwrap().task_ids.first()).collect::<BTreeSet<_>>();
    assert_eq!(first_tasks, (1..=160).step_by(2).collect(), "each campaign has two task ids of its own");
}

fn writers_of_one_database_never_take_the_same_task(database: &Fresh) {
    let store = database.store();
    let id = begin(&store, &["dahu"]);
    store.open_campaign(id, 200, true).unwrap();
    let taker = || {
        let store = database.store();
        (0..10).flat_map(|_| intend(&store, id, "dahu", 5).unwrap().1).map(|(task, _)| task.index).collect::<Vec<i64>>()
    };
    let mut taken: Vec<i64> = std::thread::scope(|scope| {
        let takers: Vec<_> = (0..4).map(|_| scope.spawn(taker)).collect();
        takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
    });
    taken.sort_unstable();
    assert_eq!(taken, (0..200).collect::<Vec<i64>>());
    assert_eq!(counters(&store, id), [0, 200, 0, 0, 0, 0, 0]);
}

fn a_panic_in_the_middle_of_a_transaction_leaves_nothing_of_it(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let new = new_submission(id, "dahu", 1);
    let panicked =
        std::thread::scope(|scope| scope.spawn(|| store.intend(&new, |_| panic!("on purpose"), 2000)).join());
    assert!(panicked.is_err());
    assert_eq!(counters(&store, id), [2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(intend(&store, id, "dahu", 1).unwrap().1[0].0.index, 0);
    assert_eq!(database.store().campaign(id).unwrap().live, 1, "what came after it is written for others to see");
}

fn a_refused_transaction_changes_nothing_and_the_next_one_works(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    intend(&store, id, "dahu", 1).unwrap();
    let same_name = store.intend(&new_submission(id, "dahu", 1), |_| "cigri.test.1".to_owned(), 2000);
    assert!(matches!(same_name, Err(StoreError::Sql(_))), "{same_name:?}");
    assert_eq!(counters(&store, id), [1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(intend(&store, id, "dahu", 1).unwrap().1[0].0.index, 1);
}

#[test]
fn a_broken_connection_is_replaced_before_the_next_transaction() {
    let Some(database) = Fresh::postgresql() else { return };
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    break_connections(&database);
    assert_eq!(intend(&store, id, "dahu", 1).unwrap().1.len(), 1, "the writer");
    assert_eq!(store.campaign(id).unwrap().live, 1, "and the reader");
}

#[test]
fn a_transaction_that_lost_its_connection_fails_and_leaves_nothing() {
    let Some(database) = Fresh::postgresql() else { return };
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let mut attempts = 0;
    let name = |id: i64| {
        attempts += 1;
        break_connections(&database);
        format!("cigri.test.{id}")
    };
    let lost = store.intend(&new_submission(id, "dahu", 1), name, 2000);
    assert!(matches!(lost, Err(StoreError::Sql(_))), "{lost:?}");
    assert_eq!(attempts, 1, "not tried again behind the caller's back");
    assert_eq!(counters(&store, id), [2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(intend(&store, id, "dahu", 2).unwrap().1.len(), 2);
}

#[test]
fn an_unreachable_server_is_an_error_that_does_not_show_the_password() {
    let Err(error) = Store::open("postgres://cigri:hunter2@127.0.0.1:1/grid", "test") else {
        panic!("nothing is there")
    };
    assert!(matches!(error, StoreError::Open(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
}

/// As a restart of the server does.
fn break_connections(database: &Fresh) {
    let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.execute(others).unwrap();
}
