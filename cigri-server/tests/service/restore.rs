//! A backup of the database that servers share, taken from a running server and put back in its place.

use std::time::{Duration, Instant};

use cigri_server::backup::{RestoreError, Target, restore};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::bed::{Oar, Server, campaign, ran};
use crate::postgresql;

#[tokio::test]
async fn a_shared_database_is_restored_once_nobody_leads_and_its_campaigns_go_on() {
    let Some(database) = postgresql::fresh_database(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = format!("database = {database:?}\n[standby]\nlease_s = 2\n");
    let mut server = Server::start_with(folder.path(), &oar, &settings).await;
    let patience = Duration::from_secs(60);
    server.until("/health", patience, |health| health["leader"] == true).await;
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let script = "echo $CIGRI_TASK_INDEX >> ran; sleep 0.1";
    let (_, new) = server.post("/campaigns", &campaign(folder.path(), 40, script)).await;
    let path = format!("/campaigns/{}", new["id"]);
    server.until(&path, patience, |campaign| campaign["done"].as_u64() >= Some(2)).await;
    let copy = server.client.get("http://localhost/admin/backup").send().await.unwrap().bytes().await.unwrap();
    assert!(copy.starts_with(b"PGDMP"));
    let file = folder.path().join("copy");
    std::fs::write(&file, &copy).unwrap();
    let target = Target::Config(folder.path().join("server.toml"));
    let served = restore(&target, &file).unwrap_err();
    assert!(served.is_refusal() && served.to_string().contains("already serves"), "{served}");
    server.until(&path, patience, |campaign| campaign["done"].as_u64() >= Some(10)).await;
    server.signal(Signal::SIGKILL);
    server.process.wait().unwrap();

    let deadline = Instant::now() + patience;
    let done = loop {
        match restore(&target, &file) {
            Ok(done) => break done,
            Err(error @ RestoreError::Backup(_)) if error.is_refusal() => {
                assert!(Instant::now() < deadline, "{error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!((done.restored.campaigns, done.restored.tokens), (1, 1));
    assert_eq!((done.restored.clusters, done.key), (vec!["dahu".to_owned()], folder.path().join("data/key")));

    let server = Server::start_with(folder.path(), &oar, &settings).await;
    let ended = server.wait_for(&new["id"], "state", &json!("terminated")).await;
    assert_eq!(ended["done"], 40);
    let mut seen = ran(folder.path());
    seen.dedup();
    assert_eq!(seen, (0..40).collect::<Vec<u64>>());
    let events = server.get(&format!("{path}/events?all=1")).await;
    let restored = events["items"].as_array().unwrap().iter().find(|event| event["code"] == "RESTORED").unwrap();
    assert_eq!(restored["state"], "closed", "the cluster was searched: {restored}");
}
