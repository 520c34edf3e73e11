//! The two sets of migrations belong together, and each can be taken back and made again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;
mod fixture;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::ledger;
use cigri_core::state::{JobState, SubmissionState};
use cigri_store::{CampaignFilter, CampaignRow, Here, JobEnd, JobFilter, JobRow, NewKey, NewTasks, Return};
use databases::Fresh;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use fixture::{campaign, end, finish, look, submit};

/// Everything that SQLite knows of the schema.
const SQLITE_SCHEMA: &str =
    "SELECT coalesce(sql, name) AS line FROM sqlite_master WHERE name NOT LIKE '%diesel%' ORDER BY name";

/// Columns with type, collation, default and nullability; constraints; indexes.
const POSTGRESQL_SCHEMA: &str = "
    SELECT line FROM (
      SELECT format('%s.%s %s %s %s %s %s', table_name, ordinal_position, column_name, data_type, collation_name,
                    column_default, is_nullable) AS line
      FROM information_schema.columns WHERE table_schema = 'public'
      UNION ALL
      SELECT format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid))
      FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      UNION ALL
      SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
    ) AS lines WHERE line NOT LIKE '%diesel%' ORDER BY line";

#[derive(Debug, PartialEq, QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

fn folder(database: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(database)
}

/// Migration files, as `name/up.sql`.
fn files(database: &str) -> BTreeSet<String> {
    let entries = |folder: &Path| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let all = entries(&folder(database)).flat_map(|migration| entries(&migration).collect::<Vec<_>>());
    all.map(|path| path.strip_prefix(folder(database)).unwrap().display().to_string()).collect()
}

fn key(campaign: i64) -> NewKey {
    let digest = "d".to_owned();
    NewKey { owner: "alice".into(), key: campaign.to_string(), digest, answer: String::new(), now: 1 }
}

/// A row in every table that the store writes.
fn write_samples(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    store.add_tasks(id, NewTasks::Texts(&["d".to_owned()]), Some(&key(id))).unwrap();
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Done, JobState::Killed]);
    store.open_events(&[NewEvent::hold(Scope::cluster("dahu"), Code::SubmitRefused, "no")], 1).unwrap();
}

/// Takes every migration back and makes them again; gives the schema before, in between and after.
macro_rules! down_and_up {
    ($connection:expr, $folder:expr, $schema:expr) => {{
        let migrations = FileBasedMigrations::from_path(folder($folder)).unwrap();
        let mut schemas = Vec::new();
        schemas.push(diesel::sql_query($schema).load::<Line>(&mut $connection).unwrap());
        $connection.revert_all_migrations(migrations.clone()).unwrap();
        schemas.push(diesel::sql_query($schema).load::<Line>(&mut $connection).unwrap());
        $connection.run_pending_migrations(migrations).unwrap();
        schemas.push(diesel::sql_query($schema).load::<Line>(&mut $connection).unwrap());
        schemas
    }};
}

fn assert_proved(schemas: &[Vec<Line>]) {
    let [before, between, after] = schemas else { panic!("three looks: {schemas:#?}") };
    assert!(before.iter().any(|line| line.line.contains("job_one_live")), "{before:#?}");
    assert_eq!(*between, [], "nothing is left behind");
    assert_eq!(before, after);
}

#[test]
fn both_databases_have_the_same_migrations_with_a_way_back() {
    let sqlite = files("sqlite");
    assert_eq!(sqlite, files("postgresql"));
    let ups = sqlite.iter().filter(|file| file.ends_with("/up.sql")).count();
    let downs = sqlite.iter().filter(|file| file.ends_with("/down.sql")).count();
    assert_eq!((ups, downs), (sqlite.len() / 2, sqlite.len() / 2));
}

#[test]
fn sqlite_goes_down_with_data_and_up_again() {
    let database = Fresh::sqlite();
    write_samples(&database);
    let mut connection = SqliteConnection::establish(&database.url).unwrap();
    assert_proved(&down_and_up!(connection, "sqlite", SQLITE_SCHEMA));
    write_samples(&database);
}

/// What the first migration's tables hold, as the store reads it.
fn books(database: &Fresh) -> (Vec<CampaignRow>, Vec<JobRow>) {
    let store = database.store();
    let campaigns = store.list_campaigns(&CampaignFilter { ended_too: true, ..CampaignFilter::default() }).unwrap();
    let all = JobFilter { limit: 100, ..JobFilter::default() };
    let jobs = campaigns.iter().flat_map(|campaign| store.list_jobs(campaign.id, &all).unwrap()).collect();
    (campaigns, jobs)
}

/// Takes all migrations but the first back and makes them again, over rows.
macro_rules! later_ones_again {
    ($connection:expr, $folder:expr) => {{
        let migrations = FileBasedMigrations::from_path(folder($folder)).unwrap();
        while $connection.applied_migrations().unwrap().len() > 1 {
            $connection.revert_last_migration(migrations.clone()).unwrap();
        }
        $connection.run_pending_migrations(migrations).unwrap();
    }};
}

#[test]
fn migrations_keep_what_earlier_programs_wrote() {
    for database in [Some(Fresh::sqlite()), Fresh::postgresql()].into_iter().flatten() {
        write_samples(&database);
        let before = books(&database);
        assert_eq!((before.0.len(), before.1.len()), (1, 2));
        if database.is_sqlite() {
            let mut connection = SqliteConnection::establish(&database.url).unwrap();
            later_ones_again!(connection, "sqlite");
        } else {
            let mut connection = PgConnection::establish(&database.url).unwrap();
            later_ones_again!(connection, "postgresql");
        }
        assert_eq!(books(&database), before);
    }
}

/// What a round finds on each of two clusters.
fn rounds(database: &Fresh) -> Vec<(Vec<i64>, Vec<Here>)> {
    let store = database.store();
    let views = ["dahu", "luke"].map(|name| store.round_view(name).unwrap());
    views.map(|view| (view.campaigns.iter().map(|campaign| campaign.pending_here).collect(), view.here)).to_vec()
}

#[test]
fn tasks_go_on_avoiding_the_cluster_they_failed_on_and_live_jobs_keep_their_shape() {
    for database in [Some(Fresh::sqlite()), Fresh::postgresql()].into_iter().flatten() {
        let store = database.store();
        let id = campaign(&store, &["dahu", "luke"], &["a", "b", "c"]);
        let submission = submit(&store, id, "dahu", 2);
        let live = store.live_jobs(submission.id).unwrap();
        let back = Some(Return { last: false, avoid_cluster: Some("dahu".to_owned()), ..Return::default() });
        let ends = [JobEnd { back, ..end(&live[0], JobState::Killed) }];
        store.record_look(&submission, &look(1, 1, &[], &ends), 6000).unwrap();
        let before = rounds(&database);
        assert_eq!(before.iter().map(|(pending, here)| (pending[0], here.len())).collect::<Vec<_>>(), [(1, 1), (2, 0)]);
        if database.is_sqlite() {
            let mut connection = SqliteConnection::establish(&database.url).unwrap();
            later_ones_again!(connection, "sqlite");
        } else {
            let mut connection = PgConnection::establish(&database.url).unwrap();
            later_ones_again!(connection, "postgresql");
        }
        assert_eq!(rounds(&database), before);
    }
}

/// How a campaign's last submissions to dahu went: abandoned ones in a row and when the last was, and unanswered ones.
fn setback(database: &Fresh) -> ((u32, i64), u32) {
    let campaign = database.store().round_view("dahu").unwrap().campaigns.remove(0);
    (campaign.abandoned, campaign.unanswered)
}

#[test]
fn submissions_that_came_to_nothing_go_on_counting() {
    let no_answer = format!("{}: timeout", ledger::GATE_LOST);
    let (abandoned, lost) = ((SubmissionState::Abandoned, "in doubt"), (SubmissionState::Refused, no_answer.as_str()));
    let refused = (SubmissionState::Refused, "no such queue");
    for ends in [&[refused, lost, abandoned, abandoned][..], &[abandoned, lost], &[abandoned, refused], &[abandoned]] {
        for database in [Some(Fresh::sqlite()), Fresh::postgresql()].into_iter().flatten() {
            let store = database.store();
            let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
            for (at, (state, reason)) in (1..).zip(ends) {
                let (submission, _) = fixture::intend(&store, id, "dahu", 1).unwrap();
                store.give_up(submission.id, *state, reason, at * 1000).unwrap();
            }
            let before = setback(&database);
            if database.is_sqlite() {
                let mut connection = SqliteConnection::establish(&database.url).unwrap();
                later_ones_again!(connection, "sqlite");
            } else {
                let mut connection = PgConnection::establish(&database.url).unwrap();
                later_ones_again!(connection, "postgresql");
            }
            assert_eq!(setback(&database), before, "{ends:?}");
        }
    }
}

#[test]
fn postgresql_goes_down_with_data_and_up_again() {
    let Some(database) = Fresh::postgresql() else { return };
    write_samples(&database);
    let mut connection = PgConnection::establish(&database.url).unwrap();
    assert_proved(&down_and_up!(connection, "postgresql", POSTGRESQL_SCHEMA));
    write_samples(&database);
}
