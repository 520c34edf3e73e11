//! Steps and samples through the real server and a cluster behind a port.

use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign, ran};

#[tokio::test]
async fn a_sample_and_steps_run_in_their_order_and_the_rest_when_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let script = "[ -d scratch ] && echo $CIGRI_TASK_INDEX >> ran";
    let mut jdl = campaign(folder.path(), 8, script);
    jdl["test_mode"] = json!("true");
    jdl["prologue"] = json!(["mkdir scratch"]);
    jdl["epilogue"] = json!(["rmdir scratch && touch cleaned"]);
    let (status, accepted) = server.post("/campaigns", &jdl).await;
    assert_eq!(status, 201, "{accepted}");
    let id = &accepted["id"];
    let paused = server.wait_for(id, "state", &json!("paused")).await;
    assert_eq!((&paused["done"], &paused["clusters"]["dahu"]["prologue"]), (&json!(1), &json!("done")), "{paused}");
    assert_eq!(ran(folder.path()), [0]);
    assert!(!folder.path().join("cleaned").exists());
    let resumed = server.client.delete(format!("http://localhost/campaigns/{id}?resume=1")).send().await.unwrap();
    assert_eq!(resumed.status(), 202);
    let done = server.wait_for(id, "state", &json!("terminated")).await;
    assert_eq!((&done["done"], &done["clusters"]["dahu"]["epilogue"]), (&json!(8), &json!("done")), "{done}");
    assert_eq!(ran(folder.path()), (0..8).collect::<Vec<u64>>());
    assert!(folder.path().join("cleaned").exists());
    let jobs = server.get(&format!("/campaigns/{id}/jobs")).await;
    let roles: Vec<&Value> = jobs["items"].as_array().unwrap().iter().map(|job| &job["role"]).collect();
    assert_eq!((roles[0], roles[1], roles[9]), (&json!("prologue"), &json!("test"), &json!("epilogue")), "{roles:?}");
    assert_eq!((&jobs["items"][0]["task_id"], &jobs["items"][0]["parameters"]), (&json!(0), &json!("")));
}
