//! What every database must do when it is copied while it is used, and when a copy takes its place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod databases;
mod fixture;

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use cigri_core::meter::ClusterLimits;
use cigri_core::state::JobState;
use cigri_core::token::Renewal;
use cigri_store::{
    BackupError, CampaignFilter, ClusterKind, ClusterRow, JobFilter, JobRow, Restored, Store, StoreError, TokenRow,
    restore,
};
use databases::{Fresh, on_every_database};
use diesel::backend::Backend;
use diesel::connection::Connection as _;
use diesel::pg::PgConnection;
use diesel::sqlite::SqliteConnection;
use diesel_migrations::{FileBasedMigrations, MigrationHarness};
use fixture::{campaign, counters, finish, intend, submit};
use tempfile::TempDir;

on_every_database! {
    the_books_of_a_copy_made_while_others_write_add_up
    a_restored_database_is_the_one_that_was_copied
    what_a_restore_replaced_is_kept_aside
    nothing_is_sent_after_a_restore_until_each_cluster_was_swept
    an_id_never_means_two_things
    a_leader_of_the_time_before_a_restore_finds_a_higher_epoch
    a_file_that_is_no_whole_backup_changes_nothing
    a_backup_of_a_newer_program_changes_nothing
    a_backup_of_an_older_program_is_brought_up_to_date
    a_backup_can_be_restored_where_nothing_was
}

/// Writes a copy to a file, as the command does.
fn back_up(store: &Store, folder: &TempDir) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let path = folder.path().join(format!("backup-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
    let mut copy = store.backup().unwrap();
    let mut bytes = Vec::new();
    copy.read_to_end(&mut bytes).unwrap();
    if let Some(length) = copy.length() {
        assert_eq!(length, bytes.len() as u64);
    }
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A second database of the same kind.
fn another(database: &Fresh) -> Fresh {
    if database.is_sqlite() { Fresh::sqlite() } else { Fresh::postgresql().unwrap() }
}

fn put_back(database: &Fresh, file: &Path) -> Restored {
    restore(&database.url, file, 9000).unwrap()
}

fn jobs(store: &Store, id: i64) -> Vec<JobRow> {
    store.list_jobs(id, &JobFilter { limit: 10_000, ..JobFilter::default() }).unwrap()
}

fn campaigns(store: &Store) -> Vec<i64> {
    let filter = CampaignFilter { ended_too: true, ..CampaignFilter::default() };
    store.list_campaigns(&filter).unwrap().iter().map(|row| row.id).collect()
}

fn put_cluster(store: &Store, name: &str) {
    let (name, url) = (name.to_owned(), "http://a".to_owned());
    let limits = ClusterLimits::default();
    store.put_cluster(&ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None }).unwrap();
}

/// Campaigns one after the other, each through all that can happen to its tasks, until told to stop.
fn keep_writing(store: &Store, stop: &AtomicBool, written: &AtomicUsize) {
    let parameters: Vec<String> = (0..50).map(|at| format!("parameter {at}")).collect();
    let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
    while !stop.load(Ordering::Relaxed) {
        let id = campaign(store, &["dahu"], &parameters);
        for _ in 0..3 {
            let submission = submit(store, id, "dahu", 10);
            finish(store, &submission, &[JobState::Done, JobState::Failed, JobState::Killed, JobState::Done]);
        }
        store.cancel_campaign(id, 7000).unwrap();
        written.fetch_add(1, Ordering::Relaxed);
    }
}

fn the_books_of_a_copy_made_while_others_write_add_up(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let (stop, written) = (AtomicBool::new(false), AtomicUsize::new(0));
    let files: Vec<PathBuf> = std::thread::scope(|scope| {
        let writer = scope.spawn(|| keep_writing(&store, &stop, &written));
        let wait_for = |count: usize| {
            while written.load(Ordering::Relaxed) < count {
                assert!(!writer.is_finished(), "the writer goes on until it is told to stop");
                std::thread::yield_now();
            }
        };
        let files = (1..=4).map(|round| {
            wait_for(round * 5);
            back_up(&store, &folder)
        });
        let files = files.collect();
        wait_for(written.load(Ordering::Relaxed) + 1);
        stop.store(true, Ordering::Relaxed);
        files
    });
    let mut sizes = Vec::new();
    for file in files {
        let other = another(database);
        put_back(&other, &file);
        let copy = other.store();
        let ids = campaigns(&copy);
        for id in &ids {
            let [pending, live, _, done, failed, cancelled, _] = counters(&copy, *id);
            let count = |state: JobState| jobs(&copy, *id).iter().filter(|job| job.state == state).count() as i64;
            assert_eq!(
                (done, failed),
                (count(JobState::Done), count(JobState::Failed)),
                "counters are those of the rows"
            );
            assert_eq!(live, jobs(&copy, *id).iter().filter(|job| job.state.is_live()).count() as i64);
            assert_eq!(pending + live + done + failed + cancelled, 50);
            assert_eq!(copy.parameters(*id, 49, 1).unwrap(), ["parameter 49"]);
        }
        sizes.push(ids.len());
    }
    assert!(sizes.is_sorted() && sizes[0] >= 5, "each copy is of its own moment: {sizes:?}");
}

fn a_restored_database_is_the_one_that_was_copied(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let id = campaign(&store, &["dahu"], &["a \"quoted\"", "b\tc", "é"]);
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Done, JobState::Failed]);
    intend(&store, id, "dahu", 1).unwrap();
    let secret = vec![0, 1, 255, b'\\', b'\n'];
    let token = TokenRow {
        owner: "a".into(),
        cluster: "dahu".into(),
        login: "al".into(),
        secret,
        expires_at: None,
        issued_at: None,
        renewal: Renewal::Needed,
        renewed_at: None,
    };
    store.put_token(&token).unwrap();
    let before = (store.campaign(id).unwrap(), jobs(&store, id), store.parameters(id, 0, 9).unwrap());
    let file = back_up(&store, &folder);

    store.cancel_campaign(id, 8000).unwrap();
    let lost = campaign(&store, &["dahu"], &["x"]);
    drop(store);
    let restored = put_back(database, &file);
    assert_eq!((restored.campaigns, restored.tokens), (1, 1));
    let store = database.store();
    assert_eq!((store.campaign(id).unwrap(), jobs(&store, id), store.parameters(id, 0, 9).unwrap()), before);
    assert_eq!(store.list_tokens("a").unwrap(), [token]);
    assert_eq!(store.instance().unwrap(), "test", "remote jobs bear the old name");
    assert!(matches!(store.campaign(lost), Err(StoreError::Missing(_))));
}

fn what_a_restore_replaced_is_kept_aside(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let file = back_up(&store, &folder);
    let lost = campaign(&store, &["dahu"], &["x"]);
    drop(store);
    let asides: Vec<String> = (0..2).map(|_| put_back(database, &file).aside.unwrap()).collect();
    assert_ne!(asides[0], asides[1], "each in its own place");
    if database.is_sqlite() {
        assert_eq!(campaigns(&Store::open(&asides[0], "x").unwrap()), [lost]);
        assert!(campaigns(&Store::open(&asides[1], "x").unwrap()).is_empty());
    } else {
        database.execute(&format!("SELECT 1 / count(*) FROM {}.campaign WHERE id = {lost}", asides[0])).unwrap();
        let second = back_up(&database.store(), &folder);
        let other = another(database);
        put_back(&other, &second);
        assert!(other.execute(&format!("SELECT 1 FROM {}.campaign", asides[0])).is_err(), "no part of later backups");
    }
}

fn nothing_is_sent_after_a_restore_until_each_cluster_was_swept(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    put_cluster(&store, "dahu");
    let file = back_up(&store, &folder);
    put_cluster(&store, "luke");
    drop(store);
    let restored = put_back(database, &file);
    assert_eq!(restored.clusters, ["dahu", "luke"], "those that came after the backup hold jobs as well");
    let store = database.store();
    for name in ["dahu", "luke"] {
        assert!(store.cluster_hold(name).unwrap().unwrap().contains("restored from a backup"));
        let event = &store.round_view(name).unwrap().holds[0];
        assert_eq!((event.code.as_str(), event.severity.as_str(), event.opened_at), ("RESTORED", "high", 9000));
    }
}

fn an_id_never_means_two_things(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let file = back_up(&store, &folder);
    let lost = campaign(&store, &["dahu"], &["x"]);
    let (lost_submission, _) = intend(&store, lost, "dahu", 1).unwrap();
    let lost_job = store.live_jobs(lost_submission.id).unwrap()[0].id;
    // More than any margin: what was in place tells.
    database.execute("UPDATE sequence SET next = 2500000 WHERE name = 'campaign'").unwrap();
    drop(store);
    put_back(database, &file);
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["y"]);
    assert_eq!(id, 4_000_000);
    let (submission, _) = intend(&store, id, "dahu", 1).unwrap();
    let job = store.live_jobs(submission.id).unwrap()[0].id;
    assert_eq!((submission.id, job), (2_000_000, 2_000_000_000));
    assert!(submission.id > lost_submission.id && job > lost_job);
}

fn a_leader_of_the_time_before_a_restore_finds_a_higher_epoch(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let file = back_up(&store, &folder);
    drop(store);
    database.execute("UPDATE lease SET epoch = 7").unwrap();
    put_back(database, &file);
    let row = Store::open_shared(&database.url, "x").unwrap().1.look().unwrap();
    assert_eq!(row.epoch, 1_007);
    assert!(row.left_ms <= 0, "anybody may lead at once");
}

fn a_file_that_is_no_whole_backup_changes_nothing(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let id = campaign(&store, &["dahu"], &["x"]);
    let whole = std::fs::read(back_up(&store, &folder)).unwrap();
    let file = folder.path().join("bad");
    drop(store);
    let mut damaged = whole.clone();
    damaged[4096..12_288].fill(b'x');
    let bad: [&[u8]; 6] = [b"", b"this is text", &[0; 9000], &whole[..50], &whole[..whole.len() - 40], &damaged];
    for (at, content) in bad.iter().enumerate() {
        std::fs::write(&file, content).unwrap();
        let refused = restore(&database.url, &file, 9000);
        assert!(matches!(refused, Err(BackupError::NotABackup { .. })), "{at}: {refused:?}");
    }
    let missing = restore(&database.url, &folder.path().join("missing"), 9000);
    assert!(matches!(missing, Err(BackupError::File { .. })), "{missing:?}");
    let store = database.store();
    assert_eq!(counters(&store, id), [1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(store.cluster_hold("dahu").unwrap(), None);
    if database.is_sqlite() {
        let names = files_of(database);
        assert!(names.iter().all(|name| !name.contains("restor")), "{names:?}");
    }
}

fn a_backup_of_a_newer_program_changes_nothing(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')").unwrap();
    let file = back_up(&store, &folder);
    database.execute("DELETE FROM __diesel_schema_migrations WHERE version = '99990101000000'").unwrap();
    let id = campaign(&store, &["dahu"], &["x"]);
    drop(store);
    let refused = restore(&database.url, &file, 9000);
    let is_newer =
        matches!(&refused, Err(BackupError::Store(StoreError::Newer(version))) if version == "99990101000000");
    assert!(is_newer, "{refused:?}");
    assert_eq!(campaigns(&database.store()), [id]);
}

fn a_backup_of_an_older_program_is_brought_up_to_date(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let id = campaign(&store, &["dahu"], &["x"]);
    if database.is_sqlite() {
        back_to_the_first(&mut SqliteConnection::establish(&database.url).unwrap(), "sqlite");
    } else {
        back_to_the_first(&mut PgConnection::establish(&database.url).unwrap(), "postgresql");
    }
    let file = back_up(&store, &folder);
    let other = another(database);
    put_back(&other, &file);
    let store = other.store();
    assert_eq!(counters(&store, id), [1, 0, 0, 0, 0, 0, 0]);
    submit(&store, id, "dahu", 1);
}

fn back_to_the_first<DB: Backend>(connection: &mut impl MigrationHarness<DB>, name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations").join(name);
    while connection.applied_migrations().unwrap().len() > 1 {
        connection.revert_last_migration(FileBasedMigrations::from_path(&folder).unwrap()).unwrap();
    }
}

fn a_backup_can_be_restored_where_nothing_was(database: &Fresh) {
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let id = campaign(&store, &["dahu"], &["x"]);
    let file = back_up(&store, &folder);
    let other = another(database);
    assert_eq!(put_back(&other, &file).aside, None);
    assert_eq!(campaigns(&other.store()), [id]);
}

/// The names in the folder of a SQLite database.
fn files_of(database: &Fresh) -> Vec<String> {
    let folder = Path::new(&database.url).parent().unwrap();
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_copy_of_a_file_leaves_nothing_beside_it_and_removes_what_a_crash_left() {
    let database = Fresh::sqlite();
    let store = database.store();
    std::fs::write(format!("{}.backup-1-0", database.url), "half a copy").unwrap();
    drop(store.backup().unwrap());
    let names = files_of(&database);
    assert!(names.iter().all(|name| !name.contains("backup")), "{names:?}");
}

#[test]
fn a_log_that_a_killed_server_left_goes_with_its_database() {
    let (database, folder) = (Fresh::sqlite(), tempfile::tempdir().unwrap());
    let file = back_up(&database.store(), &folder);
    let store = database.store();
    let lost = campaign(&store, &["dahu"], &["x"]);
    let wal = std::fs::read(format!("{}-wal", database.url)).unwrap();
    assert!(!wal.is_empty(), "the campaign is in the log alone");
    let (copy, before) = (Fresh::sqlite(), std::fs::read(&database.url).unwrap());
    std::fs::write(&copy.url, before).unwrap();
    std::fs::write(format!("{}-wal", copy.url), wal).unwrap();
    let aside = put_back(&copy, &file).aside.unwrap();
    assert_eq!(campaigns(&Store::open(&aside, "x").unwrap()), [lost]);
    assert!(campaigns(&copy.store()).is_empty());
}

#[test]
fn a_present_file_that_is_damaged_is_kept_as_it_is() {
    let (database, folder) = (Fresh::sqlite(), tempfile::tempdir().unwrap());
    let file = back_up(&database.store(), &folder);
    std::fs::write(&database.url, "damaged beyond reading").unwrap();
    std::fs::write(format!("{}-wal", database.url), "its log").unwrap();
    let aside = put_back(&database, &file).aside.unwrap();
    assert_eq!(std::fs::read_to_string(&aside).unwrap(), "damaged beyond reading");
    assert!(campaigns(&database.store()).is_empty());
}

#[test]
fn a_postgresql_that_a_server_uses_is_not_replaced() {
    let Some(database) = Fresh::postgresql() else { return };
    let (store, folder) = (database.store(), tempfile::tempdir().unwrap());
    let file = back_up(&store, &folder);
    let refused = restore(&database.url, &file, 9000);
    assert!(
        matches!(&refused, Err(BackupError::InUse(message)) if message.contains("stop every server")),
        "{refused:?}"
    );
}

#[test]
fn a_postgresql_whose_leader_may_be_alive_is_not_replaced() {
    let Some(database) = Fresh::postgresql() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = back_up(&database.store(), &folder);
    let until = |until: &str| database.execute(&format!("UPDATE lease SET expires_at = {until}")).unwrap();
    until("(extract(epoch FROM clock_timestamp()) * 1000)::bigint + 60000");
    let refused = restore(&database.url, &file, 9000);
    assert!(matches!(&refused, Err(BackupError::InUse(message)) if message.contains("lease")), "{refused:?}");
    until("0");
    put_back(&database, &file);
}

#[test]
fn a_postgresql_whose_restore_was_cut_off_serves_nobody_until_it_is_restored() {
    let Some(database) = Fresh::postgresql() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = back_up(&database.store(), &folder);
    database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('restoring')").unwrap();
    let refused = Store::open(&database.url, "x").err().unwrap().to_string();
    assert!(refused.contains("run `cigri admin restore` again"), "{refused}");
    put_back(&database, &file);
    assert!(campaigns(&database.store()).is_empty());
}

#[test]
fn a_postgresql_that_refuses_the_new_tables_keeps_the_old_ones() {
    let Some(database) = Fresh::postgresql() else { return };
    let folder = tempfile::tempdir().unwrap();
    let store = database.store();
    let file = back_up(&store, &folder);
    let id = campaign(&store, &["dahu"], &["x"]);
    drop(store);
    // The name of a table that the backup makes late is taken by something that is no table.
    database.execute("ALTER TABLE token RENAME TO kept; CREATE VIEW token AS SELECT 1 AS one").unwrap();
    let refused = restore(&database.url, &file, 9000);
    assert!(matches!(&refused, Err(BackupError::Program(message)) if message.contains("as it was")), "{refused:?}");
    database.execute("DROP VIEW token; ALTER TABLE kept RENAME TO token").unwrap();
    assert_eq!(campaigns(&database.store()), [id]);
}

#[test]
fn a_dump_that_fails_is_no_backup() {
    let Some(database) = Fresh::postgresql() else { return };
    let store = database.store();
    // Enough that the dump is still under way when its session ends.
    let texts: Vec<String> = (0..200_000).map(|at| format!("{}", at * 7_919 % 1_000_003)).collect();
    let id = fixture::begin(&store, &["dahu"]);
    store.append_parameters(id, 0, &texts).unwrap();
    let mut copy = store.backup().unwrap();
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'pg_dump'";
    database.execute(end).unwrap();
    let error = copy.read_to_end(&mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("pg_dump"), "{error}");
}
