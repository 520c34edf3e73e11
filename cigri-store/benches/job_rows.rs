//! Cost of a job's rows (insert, adopt, end) in transactions of 1 000, and of taking parameters in, on SQLite in a
//! file and on a private PostgreSQL server, both synchronised to the disk.
//! `cargo bench -p cigri-store` prints microseconds per job, or parameter, for each step.
#![allow(clippy::unwrap_used)]

#[path = "../tests/databases/mod.rs"]
mod databases;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_core::state::JobState;
use cigri_store::{AdoptedArray, JobEnd, Look, NewCampaign, NewSubmission, Store};

const ROUNDS: u64 = 50;
const ARRAY: u64 = 1000;
const PARAMETERS: u64 = 1_000_000;
const PORTION: usize = 10_000;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    measure("SQLite", &Store::open_sqlite(&folder.path().join("bench.sqlite"), "bench").unwrap());
    if let Some(url) = databases::server::fresh_database(true) {
        measure("PostgreSQL", &Store::open(&url, "bench").unwrap());
    }
}

fn measure(database: &str, store: &Store) {
    println!("{database}");
    let started = Instant::now();
    take_in(store);
    print("take in", started.elapsed(), PARAMETERS);
    let id = campaign(store);
    let mut spent = [Duration::ZERO; 3];
    for round in 0..ROUNDS {
        let started = Instant::now();
        let new = NewSubmission {
            role: cigri_core::state::Role::Tasks,
            campaign_id: id,
            cluster: "dahu",
            owner: "alice",
            remote_user: "alice",
            directory: "/",
            limit: ARRAY as i64,
            level: Default::default(),
            group: None,
            open_elsewhere: &[],
            asked: None,
        };
        let (row, _) = store.intend(&new, |id| format!("bench.{id}"), 0).unwrap().unwrap();
        let intended = Instant::now();
        let remote_ids = (round * ARRAY + 1..=(round + 1) * ARRAY).map(Some).collect();
        store.adopt(row.id, &AdoptedArray { gate_id: Some(1), array_id: 1, remote_ids, directory: None }, 0).unwrap();
        let adopted = Instant::now();
        store.gate_opened(row.id, 0).unwrap();
        let ends: Vec<JobEnd> = store.live_jobs(row.id).unwrap().into_iter().map(end).collect();
        let look = Look { waiting: 0, finals: ARRAY as i64, ends, ..Look::default() };
        let before_end = Instant::now();
        store.record_look(&row, &look, 0).unwrap();
        spent[0] += intended - started;
        spent[1] += adopted - intended;
        spent[2] += before_end.elapsed();
    }
    for (name, spent) in ["insert (intent)", "adopt", "end"].iter().zip(spent) {
        print(name, spent, ROUNDS * ARRAY);
    }
}

fn print(step: &str, spent: Duration, count: u64) {
    println!("  {step:16} {:6.2} us", spent.as_secs_f64() * 1e6 / count as f64);
}

/// A campaign of many parameters of some forty characters, in the portions that a server reads.
fn take_in(store: &Store) {
    let id = begin(store);
    for first in (0..PARAMETERS).step_by(PORTION) {
        let texts: Vec<String> = (first..first + PORTION as u64)
            .map(|at| format!("--seed {at} --temperature 293.15 --steps 100000"))
            .collect();
        store.append_parameters(id, first as i64, &texts).unwrap();
    }
    store.open_campaign(id, PARAMETERS as i64, false).unwrap();
}

fn campaign(store: &Store) -> i64 {
    let id = begin(store);
    store.open_campaign(id, (ROUNDS * ARRAY) as i64, true).unwrap();
    id
}

fn begin(store: &Store) -> i64 {
    let cluster = ClusterSpec::new("true", "/");
    let spec = CampaignSpec::new("bench", BTreeMap::from([("dahu".to_owned(), cluster)]));
    store.begin_campaign(&NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None }, 0).unwrap()
}

fn end(job: cigri_store::LiveJob) -> JobEnd {
    JobEnd {
        job,
        state: JobState::Done,
        exit_code: Some(0),
        cause: "success".into(),
        detail: None,
        started_at: Some(1),
        stopped_at: Some(2),
        killed: false,
        back: None,
        failure: None,
    }
}
