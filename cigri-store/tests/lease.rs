//! Several servers on one database: one leads, and whoever does not changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;
mod fixture;

use std::time::{Duration, Instant};

use cigri_store::{Candidate, Lease, Store, StoreError};
use databases::{Fresh, on_every_database};
use diesel::connection::{Connection as _, SimpleConnection as _};
use diesel::pg::PgConnection;
use fixture::{campaign, counters, intend, new_submission, spec};

on_every_database! {
    one_leads_and_the_others_read
    a_lease_that_ran_out_is_taken_over_with_a_higher_epoch
    who_was_overtaken_changes_nothing_and_knows_it_at_its_next_renewal
    a_lease_given_back_is_free_at_once
    what_a_leader_publishes_is_read_by_the_others
    of_many_candidates_one_leads
    the_first_key_check_is_kept
    a_store_that_is_alone_needs_no_lease
}

const LONG: i64 = 600_000;

fn server(database: &Fresh) -> (Store, Lease) {
    Store::open_shared(&database.url, "test").unwrap()
}

fn candidate(name: &str) -> Candidate {
    let (certificate, secret) = (vec![0, 1, 255], vec![7]);
    Candidate { holder: name.to_owned(), address: format!("{name}:4"), certificate, secret }
}

/// As the passing of time does.
fn run_out(database: &Fresh) {
    database.execute("UPDATE lease SET expires_at = 1").unwrap();
}

fn is_refused<T>(result: Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::NotLeader))
}

fn one_leads_and_the_others_read(database: &Fresh) {
    let ((first, mut lease), (second, mut standby)) = (server(database), server(database));
    assert!(is_refused(first.sweep_received()), "nobody leads at first");
    assert_eq!(lease.take(&candidate("a"), LONG).unwrap(), Some(1));
    assert_eq!(standby.take(&candidate("b"), LONG).unwrap(), None);
    assert!(!standby.renew(LONG).unwrap(), "who never led has nothing to renew");
    let id = campaign(&first, &["dahu"], &["a", "b"]);
    assert_eq!(counters(&second, id)[0], 2);
    assert!(is_refused(second.pause_campaign(id)));
    assert!(lease.renew(LONG).unwrap());
}

fn a_lease_that_ran_out_is_taken_over_with_a_higher_epoch(database: &Fresh) {
    let ((_, mut lease), (second, mut standby)) = (server(database), server(database));
    let begun = Instant::now();
    lease.take(&candidate("a"), 300).unwrap();
    assert_eq!(standby.take(&candidate("b"), LONG).unwrap(), None, "it still lasts");
    while standby.take(&candidate("b"), LONG).unwrap().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never runs out");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(begun.elapsed() >= Duration::from_millis(300), "the database's clock says when");
    let look = standby.look().unwrap();
    assert_eq!((look.epoch, look.leader.holder.as_str()), (2, "b"));
    campaign(&second, &["dahu"], &["a"]);
}

fn who_was_overtaken_changes_nothing_and_knows_it_at_its_next_renewal(database: &Fresh) {
    let ((first, mut lease), (second, mut standby)) = (server(database), server(database));
    lease.take(&candidate("a"), LONG).unwrap();
    let id = campaign(&first, &["dahu"], &["a", "b"]);
    run_out(database);
    assert!(first.pause_campaign(id).is_ok(), "as long as nobody took over, nobody is hurt");
    assert!(first.resume_campaign(id, 1).is_ok());
    standby.take(&candidate("b"), LONG).unwrap().unwrap();
    let new = new_submission(id, "dahu", 1);
    assert!(is_refused(first.intend(&new, |id| format!("cigri.test.{id}"), 2000)));
    assert!(is_refused(first.cancel_campaign(id, 3000)));
    assert_eq!(counters(&second, id), [2, 0, 0, 0, 0, 0, 0]);
    assert!(!lease.renew(LONG).unwrap());
    assert_eq!(standby.look().unwrap().leader.holder, "b", "a late renewal takes nothing back");
    assert_eq!(intend(&second, id, "dahu", 1).unwrap().1.len(), 1);
}

fn a_lease_given_back_is_free_at_once(database: &Fresh) {
    let ((first, mut lease), (_, mut standby)) = (server(database), server(database));
    lease.take(&candidate("a"), LONG).unwrap();
    lease.give_back().unwrap();
    assert!(is_refused(first.sweep_received()), "who gave it back does not write");
    assert!(standby.look().unwrap().left_ms <= 0);
    assert_eq!(standby.take(&candidate("b"), LONG).unwrap(), Some(2));
    lease.give_back().unwrap();
    assert!(standby.renew(LONG).unwrap(), "what was given back is another's now");
}

fn what_a_leader_publishes_is_read_by_the_others(database: &Fresh) {
    let ((_, mut lease), (_, mut standby)) = (server(database), server(database));
    assert_eq!(standby.look().unwrap().epoch, 0);
    lease.take(&candidate("a"), LONG).unwrap();
    let look = standby.look().unwrap();
    assert_eq!(
        (look.leader.address, look.leader.certificate, look.leader.secret),
        ("a:4".into(), vec![0, 1, 255], vec![7])
    );
    assert!(look.left_ms > 0 && look.left_ms <= LONG);
}

fn of_many_candidates_one_leads(database: &Fresh) {
    let mut servers: Vec<(Store, Lease)> = (0..6).map(|_| server(database)).collect();
    let taken: Vec<Option<i64>> = std::thread::scope(|scope| {
        let tries = servers.iter_mut().map(|(_, lease)| scope.spawn(|| lease.take(&candidate("x"), LONG).unwrap()));
        tries.collect::<Vec<_>>().into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(taken.iter().flatten().collect::<Vec<_>>(), [&1]);
    let writers = servers.iter().filter(|(store, _)| store.sweep_received().is_ok()).count();
    assert_eq!(writers, 1);
}

fn the_first_key_check_is_kept(database: &Fresh) {
    let (store, _lease) = server(database);
    assert_eq!(store.key_check(b"one").unwrap(), b"one");
    assert_eq!(server(database).0.key_check(b"two").unwrap(), b"one");
}

fn a_store_that_is_alone_needs_no_lease(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    assert_eq!(*store.campaign(id).unwrap().spec, spec(&["dahu"]));
}

#[test]
fn a_leader_that_sleeps_in_a_transaction_is_ended_by_who_takes_over() {
    let Some(database) = Fresh::postgresql() else { return };
    let ((_, mut lease), (second, mut standby)) = (server(&database), server(&database));
    lease.take(&candidate("a"), LONG).unwrap();
    let mut sleeper = PgConnection::establish(&database.url).unwrap();
    sleeper.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(4)").unwrap();
    assert_eq!(standby.take(&candidate("b"), LONG).unwrap(), None, "its lease lasts: nobody touches it");
    sleeper.batch_execute("UPDATE cluster SET url = url").unwrap();
    run_out(&database);
    assert_eq!(standby.take(&candidate("b"), LONG).unwrap(), Some(2));
    assert!(sleeper.batch_execute("COMMIT").is_err(), "its session is gone");
    campaign(&second, &["dahu"], &["a"]);
}

#[test]
fn a_transaction_that_waited_out_a_take_over_is_refused() {
    let Some(database) = Fresh::postgresql() else { return };
    let (store, mut lease) = server(&database);
    lease.take(&candidate("a"), LONG).unwrap();
    let id = campaign(&store, &["dahu"], &["a"]);
    let mut other = PgConnection::establish(&database.url).unwrap();
    other.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(4); UPDATE lease SET epoch = epoch + 1").unwrap();
    let paused = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| store.pause_campaign(id));
        let somebody_waits = "DO $$ BEGIN ASSERT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory'
            AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())); END $$";
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = database.execute(somebody_waits) {
            assert!(Instant::now() < deadline, "nobody waits: {error}");
        }
        other.batch_execute("COMMIT").unwrap();
        waiting.join().unwrap()
    });
    assert!(is_refused(paused));
}

#[test]
fn a_lease_survives_the_loss_of_its_connection() {
    let Some(database) = Fresh::postgresql() else { return };
    let (store, mut lease) = server(&database);
    lease.take(&candidate("a"), LONG).unwrap();
    let others = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid()";
    database.execute(others).unwrap();
    assert!(matches!(lease.renew(LONG), Err(StoreError::Sql(_))), "a lost connection says nothing about the lease");
    assert!(lease.renew(LONG).unwrap());
    store.sweep_received().unwrap();
}
