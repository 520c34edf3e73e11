//! What the store's largest writes cost beside bare SQL on the same rows, in one run on both databases, synchronised to
//! the disk; and what a million tasks take on it.
//! `cargo bench -p cigri-store --bench floors` prints tables in Markdown. Floors: one transaction that writes the same
//! chunk rows (prepared inserts on SQLite, COPY on PostgreSQL); one UPDATE that gives all the jobs the same values.
#![allow(clippy::unwrap_used)]

#[path = "../tests/databases/mod.rs"]
mod databases;
#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use cigri_core::meter::ClusterLimits;
use cigri_core::state::JobState;
use cigri_store::{CHUNK, ClusterKind, ClusterRow, JobEnd, Look, Store, SubmissionRow};
use databases::Fresh;
use diesel::connection::SimpleConnection as _;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use fixture::{begin, end, submit};
use schema::parameter_chunk;

const TASKS: usize = 1_000_000;
/// As many as the server writes in one transaction.
const PORTION: usize = 20 * CHUNK;
const INTAKES: usize = 7;
const ARRAY: i64 = 1000;
const CHANGES: usize = 31;

/// The table as diesel sees it, apart from the store's own.
#[allow(missing_docs)]
mod schema {
    diesel::table! {
        parameter_chunk (campaign_id, first_index) { campaign_id -> BigInt, first_index -> BigInt, body -> Text, }
    }
}

#[derive(QueryableByName)]
struct Size {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    bytes: i64,
}

fn main() {
    println!("| what | floor | ours | x floor (least-most) |\n|---|---|---|---|");
    let databases = [Some(Fresh::sqlite()), databases::server::fresh_database(true).map(Fresh::at)];
    let databases: Vec<Fresh> = databases.into_iter().flatten().collect();
    databases.iter().for_each(intake);
    databases.iter().for_each(change);
    println!("\n| database | what | |\n|---|---|---|");
    sizes(&Fresh::sqlite());
    if let Some(url) = databases::server::fresh_database(true) {
        sizes(&Fresh::at(url));
    }
}

fn name(database: &Fresh) -> &'static str {
    if database.is_sqlite() { "SQLite" } else { "PostgreSQL" }
}

/// 32 characters each.
fn parameters() -> Vec<String> {
    (0..TASKS).map(|at| format!("--seed {at:07} --temperature 293.1")).collect()
}

/// Prints the medians, and the ratio of the rounds with its spread.
fn print(what: &str, database: &Fresh, rounds: &[(Duration, Duration)]) {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (values[values.len() / 2], values[0], values[values.len() - 1])
    };
    let ms = |pick: fn(&(Duration, Duration)) -> Duration| {
        median(rounds.iter().map(|round| pick(round).as_secs_f64() * 1e3).collect()).0
    };
    let (ratio, least, most) = median(rounds.iter().map(|(f, o)| o.as_secs_f64() / f.as_secs_f64()).collect());
    let (floor, ours) = (ms(|round| round.0), ms(|round| round.1));
    println!("| {what}, {} | {floor:.1} ms | {ours:.1} ms | {ratio:.2} ({least:.2}-{most:.2}) |", name(database));
}

fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn intake(database: &Fresh) {
    let (store, texts) = (database.store(), parameters());
    let bodies: Vec<String> = texts.chunks(CHUNK).map(|chunk| chunk.join("\n")).collect();
    let round = |_| {
        let bare = begin(&store, &["dahu"]);
        let rows: Vec<(i64, &str)> =
            bodies.iter().enumerate().map(|(at, body)| ((at * CHUNK) as i64, body.as_str())).collect();
        (insert_bare(database, bare, &rows), timed(|| take_in(&store, &texts)))
    };
    print("1 000 000 parameters taken in", database, &(0..INTAKES).map(round).collect::<Vec<_>>());
}

fn take_in(store: &Store, texts: &[String]) -> i64 {
    let id = begin(store, &["dahu"]);
    for (at, portion) in texts.chunks(PORTION).enumerate() {
        store.append_parameters(id, (at * PORTION) as i64, portion).unwrap();
    }
    store.open_campaign(id, texts.len() as i64, false).unwrap();
    id
}

fn insert_bare(database: &Fresh, campaign: i64, rows: &[(i64, &str)]) -> Duration {
    if database.is_sqlite() {
        let mut connection = sqlite(database);
        return timed(|| connection.transaction(|connection| insert_rows(connection, campaign, rows)).unwrap());
    }
    let mut connection = PgConnection::establish(&database.url).unwrap();
    let line = |(first, body): &(i64, &str)| format!("{campaign}\t{first}\t{}\n", body.replace('\n', "\\n"));
    let lines: Vec<String> = rows.iter().map(line).collect();
    timed(|| {
        let copy = diesel::copy_from(parameter_chunk::table).from_raw_data(parameter_chunk::table, |copy| {
            lines
                .iter()
                .try_for_each(|line| copy.write_all(line.as_bytes()))
                .map_err(|error| diesel::result::Error::SerializationError(error.into()))
        });
        copy.execute(&mut connection).unwrap();
    })
}

fn insert_rows(connection: &mut SqliteConnection, campaign: i64, rows: &[(i64, &str)]) -> QueryResult<()> {
    use schema::parameter_chunk::dsl;
    for (first, body) in rows {
        let row = (dsl::campaign_id.eq(campaign), dsl::first_index.eq(first), dsl::body.eq(body));
        diesel::insert_into(dsl::parameter_chunk).values(row).execute(connection)?;
    }
    Ok(())
}

/// As durable as the store's own connection.
fn sqlite(database: &Fresh) -> SqliteConnection {
    let mut connection = SqliteConnection::establish(&database.url).unwrap();
    connection
        .batch_execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 10000")
        .unwrap();
    connection
}

fn change(database: &Fresh) {
    let store = database.store();
    let id = begin(&store, &["dahu"]);
    store.open_campaign(id, TASKS as i64, true).unwrap();
    let round = |_| {
        let (bare, ours) = (submit(&store, id, "dahu", ARRAY), submit(&store, id, "dahu", ARRAY));
        let look = all_done(&store, &ours);
        let update = format!(
            "UPDATE job SET state = 'done', exit_code = 0, cause = 'success', started_at = 1, stopped_at = 2
             WHERE submission_id = {}",
            bare.id
        );
        (update_bare(database, &update), timed(|| store.record_look(&ours, &look, 6000).unwrap()))
    };
    print("1 000 jobs done", database, &(0..CHANGES).map(round).collect::<Vec<_>>());
}

fn update_bare(database: &Fresh, update: &str) -> Duration {
    if database.is_sqlite() {
        let mut connection = sqlite(database);
        timed(|| connection.batch_execute(update).unwrap())
    } else {
        let mut connection = PgConnection::establish(&database.url).unwrap();
        timed(|| connection.batch_execute(update).unwrap())
    }
}

fn all_done(store: &Store, submission: &SubmissionRow) -> Look {
    let ended = |job: &cigri_store::LiveJob| JobEnd { exit_code: Some(0), ..end(job, JobState::Done) };
    let ends: Vec<JobEnd> = store.live_jobs(submission.id).unwrap().iter().map(ended).collect();
    Look { waiting: 0, finals: ends.len() as i64, ends, ..Look::default() }
}

/// What a million tasks take on the disk before and after they were run, and what a backup of them costs.
fn sizes(database: &Fresh) {
    let (store, name) = (database.store(), name(database));
    let empty = bytes(database);
    let id = take_in(&store, &parameters());
    let mb = |bytes: u64| bytes as f64 / 1e6;
    println!("| {name} | 1 000 000 tasks in the bag | {:.0} MB |", mb(bytes(database) - empty));
    let spent = timed(|| {
        for _ in 0..TASKS as i64 / ARRAY {
            let submission = submit(&store, id, "dahu", ARRAY);
            let look = all_done(&store, &submission);
            store.record_look(&submission, &look, 6000).unwrap();
        }
    });
    println!("| {name} | after each was run once | {:.0} MB |", mb(bytes(database) - empty));
    if !database.is_sqlite() {
        let (rows, indexes) = (asked(database, "pg_table_size('job')"), asked(database, "pg_indexes_size('job')"));
        println!("| {name} | of that, rows of jobs and their indexes | {:.0} + {:.0} MB |", mb(rows), mb(indexes));
    }
    println!("| {name} | rows of a job, intent to end | {:.1} us |", spent.as_secs_f64() * 1e6 / TASKS as f64);
    put_cluster_row(&store);
    let quiet = writes(&store, || std::thread::sleep(Duration::from_secs(2)));
    let mut read = 0;
    let started = Instant::now();
    let busy = writes(&store, || {
        read = std::io::copy(&mut store.backup().unwrap(), &mut std::io::sink()).unwrap();
    });
    let spent = started.elapsed().as_secs_f64();
    println!("| {name} | a backup of that | {:.0} MB in {spent:.1} s |", mb(read));
    println!("| {name} | a write alone: median, longest | {} |", told(&quiet));
    println!("| {name} | a write during the backup: median, longest | {} |", told(&busy));
}

/// The row that the small writes change.
fn put_cluster_row(store: &Store) {
    let (name, url, limits) = ("dahu".to_owned(), String::new(), ClusterLimits::default());
    store.put_cluster(&ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None }).unwrap();
}

/// How long small writes take, one after the other, while something else is done.
fn writes(store: &Store, meanwhile: impl FnOnce()) -> Vec<Duration> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut spent = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let at = spent.len() as i64;
                spent.push(timed(|| store.note_round("dahu", at).unwrap()));
            }
            spent.sort();
            spent
        });
        meanwhile();
        over.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    })
}

fn told(spent: &[Duration]) -> String {
    let ms = |at: usize| spent[at].as_secs_f64() * 1e3;
    format!("{:.2}, {:.1} ms", ms(spent.len() / 2), ms(spent.len() - 1))
}

fn bytes(database: &Fresh) -> u64 {
    if database.is_sqlite() {
        sqlite(database).batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        return Path::new(&database.url).metadata().unwrap().len();
    }
    asked(database, "pg_database_size(current_database())")
}

fn asked(database: &Fresh, size: &str) -> u64 {
    let mut connection = PgConnection::establish(&database.url).unwrap();
    let size = diesel::sql_query(format!("SELECT {size} AS bytes"));
    size.get_result::<Size>(&mut connection).unwrap().bytes as u64
}
