//! The budget of requests to a cluster, as people meet it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign};

#[tokio::test]
async fn who_reads_more_than_the_cluster_grants_is_told_when_to_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start_limited(folder.path(), &oar, ("", "bytes_per_s = 2000")).await;
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let script = "head -c 40000 /dev/zero | tr '\\0' x";
    let (_, accepted) = server.post("/campaigns", &campaign(folder.path(), 1, script)).await;
    server.wait_for(&accepted["id"], "state", &json!("terminated")).await;
    let jobs = server.get(&format!("/campaigns/{}/jobs", accepted["id"])).await;
    let path = format!("http://localhost/jobs/{}/stdout", jobs["items"][0]["id"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    let refused = loop {
        assert!(Instant::now() < deadline, "whatever is read, the budget is not used up");
        let answer = server.client.get(&path).send().await.unwrap();
        if answer.status().as_u16() != 200 {
            break answer;
        }
        let read: Value = answer.json().await.unwrap();
        assert_eq!(read["output"].as_str().map(str::len), Some(40_000));
    };
    assert_eq!(refused.status().as_u16(), 503);
    let after: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=30).contains(&after), "{after}");
    let body: Value = refused.json().await.unwrap();
    assert_eq!(body["code"], "cluster_busy", "{body}");
    let message = body["message"].as_str().unwrap();
    assert!(
        message.starts_with("dahu: our budget of 2000 bytes per second there is used up: the next request may go in "),
        "{message}"
    );
}
