//! Two servers on one database: the leader is killed, frozen or stopped, or the database restarts. Each task writes its
//! index to a file: it must be there once.
#![allow(unreachable_pub)]

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bed::{Oar, Server, campaign, ran};
use crate::holding::Holding;
use crate::postgresql;

/// Fail-over by default takes at most 15 s; a busy machine is given some more.
pub const LEAD: Duration = Duration::from_secs(20);

/// Two servers, of which the first leads at first.
pub struct Pair {
    pub servers: Vec<Server>,
    pub oar: Oar,
    pub database: String,
    pub folder: TempDir,
}

impl Pair {
    /// On the process's shared PostgreSQL; `None`, said loudly, where there is none.
    pub async fn start(lease_s: u64) -> Option<Pair> {
        let folder = tempfile::tempdir().unwrap();
        let oar = Oar::start(folder.path());
        Some(Pair::start_on(postgresql::fresh_database(false)?, lease_s, (folder, oar)).await)
    }

    async fn start_on(database: String, lease_s: u64, (folder, oar): (TempDir, Oar)) -> Pair {
        let settings = format!(
            "database = {database:?}\nkey_file = {:?}\n[standby]\nlisten = \"127.0.0.1:0\"\nlease_s = {lease_s}\n",
            folder.path().join("key")
        );
        let first = Server::start_with(&folder.path().join("a"), &oar, &settings).await;
        first.until("/health", LEAD, leads).await;
        let second = Server::start_with(&folder.path().join("b"), &oar, &settings).await;
        second.until("/health", LEAD, |health| health["led_by"].is_string()).await;
        Pair { servers: vec![first, second], oar, database, folder }
    }

    async fn give_token(&self) {
        let token = json!({"cluster": "dahu", "token": self.oar.token});
        assert_eq!(self.servers[1].post("/tokens", &token).await.0, 201);
    }

    /// Hands a campaign to the standby, and waits until the first tasks have run.
    async fn begin(&self, tasks: u64) -> Value {
        let standby = &self.servers[1];
        self.give_token().await;
        let jdl = campaign(self.folder.path(), tasks, "echo $CIGRI_TASK_INDEX >> ran; sleep 0.2");
        let (status, new) = standby.post("/campaigns", &jdl).await;
        assert_eq!(status, 201, "{new}");
        let deadline = Instant::now() + Duration::from_secs(60);
        while ran(self.folder.path()).is_empty() {
            assert!(Instant::now() < deadline, "nothing starts");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        new["id"].clone()
    }

    fn assert_each_ran_once(&self, tasks: u64) {
        assert_eq!(ran(self.folder.path()), (0..tasks).collect::<Vec<u64>>());
    }
}

fn leads(health: &Value) -> bool {
    health["leader"] == true
}

#[tokio::test]
async fn a_standby_takes_over_from_a_killed_leader_and_no_task_runs_twice() {
    let Some(pair) = Pair::start(10).await else { return };
    let id = pair.begin(60).await;
    pair.servers[0].signal(Signal::SIGKILL);
    let took = pair.servers[1].until("/health", LEAD, leads).await;
    println!("fail-over after kill -9, lease of 10 s: {took:?}");
    let done = pair.servers[1].wait_for(&id, "state", &json!("terminated")).await;
    assert_eq!(done["done"], 60);
    pair.assert_each_ran_once(60);
}

#[tokio::test]
async fn a_leader_frozen_past_its_lease_wakes_up_as_a_standby_and_no_task_runs_twice() {
    let Some(pair) = Pair::start(1).await else { return };
    let id = pair.begin(80).await;
    for turn in 0..4 {
        let (leader, standby) = (&pair.servers[turn % 2], &pair.servers[(turn + 1) % 2]);
        leader.signal(Signal::SIGSTOP);
        let took = standby.until("/health", LEAD, leads).await;
        println!("fail-over after SIGSTOP, lease of 1 s: {took:?}");
        leader.signal(Signal::SIGCONT);
        let epoch = json!(turn + 2);
        leader.until("/health", LEAD, |health| health["leader"] == false && health["epoch"] == epoch).await;
        assert!(leads(&standby.get("/health").await), "who wakes up takes nothing back");
    }
    let paused = pair.servers[1].client.delete(format!("http://localhost/campaigns/{id}?hold=1")).send().await.unwrap();
    let resumed =
        pair.servers[1].client.delete(format!("http://localhost/campaigns/{id}?resume=1")).send().await.unwrap();
    assert_eq!((paused.status().as_u16(), resumed.status().as_u16()), (202, 202), "it passes changes on again");
    let done = pair.servers[1].wait_for(&id, "state", &json!("terminated")).await;
    assert_eq!(done["done"], 80);
    pair.assert_each_ran_once(80);
}

/// POSTs by which a new cluster's gates are tried, before any submission.
const TRIAL: i64 = 3;

/// The gate's POST is the first of a submission, the array's the second.
#[tokio::test]
async fn a_post_that_a_frozen_leader_left_on_its_way_starts_nothing_when_it_arrives() {
    for passing in [0, 1] {
        let Some(database) = postgresql::fresh_database(false) else { return };
        let folder = tempfile::tempdir().unwrap();
        let mut oar = Oar::start(folder.path());
        let cluster = std::mem::take(&mut oar.url);
        let holding = Holding::before(&cluster);
        oar.url = holding.url.clone();
        let pair = Pair::start_on(database, 1, (folder, oar)).await;
        pair.give_token().await;
        holding.hold_after(TRIAL + passing);
        let jdl = campaign(pair.folder.path(), 8, "echo $CIGRI_TASK_INDEX >> ran");
        let (_, new) = pair.servers[1].post("/campaigns", &jdl).await;
        holding.wait();
        pair.servers[0].signal(Signal::SIGSTOP);
        pair.servers[1].until("/health", LEAD, leads).await;
        let done = pair.servers[1].wait_for(&new["id"], "state", &json!("terminated")).await;
        let before = jobs_of(&cluster).await;
        holding.release();
        let deadline = Instant::now() + Duration::from_secs(30);
        while jobs_of(&cluster).await == before {
            assert!(Instant::now() < deadline, "the POST never arrives");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        pair.servers[0].signal(Signal::SIGCONT);
        pair.servers[0].until("/health", LEAD, |health| health["led_by"].is_string()).await;
        // Another campaign takes the cluster through some more rounds of scheduling.
        let (_, more) = pair.servers[0].post("/campaigns", &campaign(pair.folder.path(), 8, "echo 9 >> ran")).await;
        pair.servers[0].wait_for(&more["id"], "state", &json!("terminated")).await;
        assert_eq!(done["done"], 8);
        assert_eq!(ran(pair.folder.path()), [0, 1, 2, 3, 4, 5, 6, 7, 9, 9, 9, 9, 9, 9, 9, 9]);
        assert!(leads(&pair.servers[1].get("/health").await), "who wakes up takes nothing back");
    }
}

/// How many jobs the cluster knows.
async fn jobs_of(cluster: &str) -> usize {
    let listed = reqwest::get(format!("{cluster}/jobs?limit=1000")).await.unwrap();
    listed.json::<Value>().await.unwrap()["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_leader_that_is_stopped_hands_over_before_its_lease_is_over() {
    let Some(mut pair) = Pair::start(600).await else { return };
    let id = pair.begin(30).await;
    pair.servers[0].signal(Signal::SIGTERM);
    assert!(pair.servers[0].process.wait().unwrap().success());
    let took = pair.servers[1].until("/health", LEAD, leads).await;
    println!("hand-over after a stop: {took:?}");
    let done = pair.servers[1].wait_for(&id, "state", &json!("terminated")).await;
    assert_eq!(done["done"], 30);
    pair.assert_each_ran_once(30);
}

#[tokio::test]
async fn a_database_that_crashes_and_comes_back_costs_no_task() {
    crash_the_database(10).await;
}

#[tokio::test]
async fn a_database_that_is_away_for_about_a_lease_costs_no_task() {
    crash_the_database(1).await;
}

/// Three crashes in the middle of a campaign, on a PostgreSQL of its own.
async fn crash_the_database(lease_s: u64) {
    let Some(server) = postgresql::Server::start(true) else { return };
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let pair = Pair::start_on(server.fresh_database(), lease_s, (folder, oar)).await;
    let id = pair.begin(60).await;
    for _ in 0..3 {
        let before = ran(pair.folder.path()).len();
        server.restart_immediately();
        let deadline = Instant::now() + Duration::from_secs(60);
        while ran(pair.folder.path()).len() < (before + 8).min(60) {
            assert!(Instant::now() < deadline, "nothing goes on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let terminated = |campaign: &Value| campaign["state"] == "terminated";
    pair.servers[1].until(&format!("/campaigns/{id}"), Duration::from_secs(60), terminated).await;
    assert_eq!(pair.servers[0].get(&format!("/campaigns/{id}")).await["done"], 60);
    pair.assert_each_ran_once(60);
}
