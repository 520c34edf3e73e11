//! One server, on a SQLite file.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::bed::{Oar, Server, campaign, ran};

#[tokio::test]
async fn a_campaign_runs_through_a_port_with_the_users_own_token() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let mut server = Server::start(folder.path(), &oar).await;
    let (status, refused) = server.post("/tokens", &json!({"cluster": "dahu", "token": "a.b.c"})).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid_request")));
    let script = "echo $CIGRI_TASK_INDEX >> ran; [ $((CIGRI_TASK_INDEX % 2)) = 0 ] || { echo odd >&2; exit 9; }";
    let (status, campaign) = server.post("/campaigns", &campaign(folder.path(), 6, script)).await;
    assert_eq!(status, 201, "{campaign}");
    let why = format!("/campaigns/{}/why", campaign["id"]);
    let without_token = |why: &serde_json::Value| why["items"][0]["bound_by"] == "token";
    server.until(&why, Duration::from_secs(60), without_token).await;
    let (status, info) = server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    assert_eq!((status, &info["login"], &info["token"]), (201, &json!("alice"), &json!("Bearer ****")));
    let done = server.wait_for(&campaign["id"], "state", &json!("terminated")).await;
    assert_eq!((&done["done"], &done["failed"]), (&json!(3), &json!(3)));
    assert_eq!(ran(folder.path()), [0, 1, 2, 3, 4, 5]);
    let failed = server.get(&format!("/campaigns/{}/jobs?state=failed", campaign["id"])).await;
    let job = &failed["items"][0];
    assert_eq!((&job["exit_code"], &job["cause"]), (&json!(9), &json!("exit_code")));
    assert!(job["detail"].as_str().unwrap().ends_with("odd"), "{job}");
    let error = server.get(&format!("/jobs/{}/stderr", job["id"])).await;
    assert_eq!(error["output"], "odd\n");
    server.signal(Signal::SIGTERM);
    assert!(server.process.wait().unwrap().success());
    assert!(!server.socket.exists(), "a stopped server leaves no socket");
}

#[tokio::test]
async fn a_killed_server_goes_on_where_it_was_and_no_task_runs_twice() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let script = "echo $CIGRI_TASK_INDEX >> ran; sleep 0.1";
    let (_, campaign) = server.post("/campaigns", &campaign(folder.path(), 30, script)).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while ran(folder.path()).is_empty() {
        assert!(Instant::now() < deadline, "nothing starts");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.signal(Signal::SIGKILL);
    drop(server);
    let server = Server::start(folder.path(), &oar).await;
    let done = server.wait_for(&campaign["id"], "state", &json!("terminated")).await;
    assert_eq!(done["done"], 30);
    assert_eq!(ran(folder.path()), (0..30).collect::<Vec<u64>>());
}

#[tokio::test]
async fn unknown_clusters_and_param_file_paths_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let jdl = json!({"name": "c", "param_file": "/etc/passwd", "clusters": {"luke": {"exec_file": "x"}}});
    let (status, error) = server.post("/campaigns", &jdl).await;
    assert_eq!((status, &error["code"]), (400, &json!("invalid_campaign")));
    let paths: Vec<&str> =
        error["problems"].as_array().unwrap().iter().map(|problem| problem["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"clusters.luke") && paths.contains(&"param_file"), "{error}");
    assert_eq!(server.get("/campaigns?all=1").await["total"], 0);
}
