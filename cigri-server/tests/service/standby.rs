//! Two servers on one database: what is asked of the one that stands by.

use std::process::Stdio;
use std::time::Duration;

use diesel::connection::Connection as _;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign, command, ran};
use crate::fail_over::{LEAD, Pair};
use crate::postgresql;

#[tokio::test]
async fn a_campaign_handed_to_a_standby_is_run_by_the_leader() {
    let Some(pair) = Pair::start(10).await else { return };
    let (leader, standby) = (&pair.servers[0], &pair.servers[1]);
    let health = standby.get("/health").await;
    let pid = leader.process.id();
    assert_eq!((&health["leader"], &health["epoch"]), (&json!(false), &json!(1)));
    assert!(health["led_by"].as_str().unwrap().contains(&pid.to_string()), "{health}");
    let (status, info) = standby.post("/tokens", &json!({"cluster": "dahu", "token": pair.oar.token})).await;
    assert_eq!((status, &info["login"]), (201, &json!("alice")));
    let (status, new) =
        standby.post("/campaigns", &campaign(pair.folder.path(), 6, "echo $CIGRI_TASK_INDEX >> ran")).await;
    assert_eq!(status, 201, "{new}");
    let done = standby.wait_for(&new["id"], "state", &json!("terminated")).await;
    assert_eq!(
        (&done["done"], &done["user"]),
        (&json!(6), &leader.get(&format!("/campaigns/{}", new["id"])).await["user"])
    );
    assert_eq!(ran(pair.folder.path()), [0, 1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_standby_gives_the_leaders_answers_back_unchanged() {
    let Some(pair) = Pair::start(10).await else { return };
    let (leader, standby) = (&pair.servers[0], &pair.servers[1]);
    for jdl in [json!({"name": "c"}), json!({"name": "c", "nb_jobs": 2, "clusters": {"luke": {"exec_file": "x"}}})] {
        let refused = leader.post("/campaigns", &jdl).await;
        assert_eq!((refused.0, &refused.1["code"]), (400, &json!("invalid_campaign")));
        assert_eq!(standby.post("/campaigns", &jdl).await, refused);
    }
    let missing = standby.client.delete("http://localhost/campaigns/999").send().await.unwrap();
    assert_eq!(missing.status(), 404);
    assert_eq!(missing.json::<Value>().await.unwrap()["code"], "not_found");
    let parameters: String = (0..60_000).map(|line| format!("parameter number {line}\n")).collect();
    let jdl =
        json!({"name": "big", "param_file": "p", "clusters": {"dahu": {"exec_file": "x", "exec_directory": "/tmp"}}});
    let form = reqwest::multipart::Form::new().text("jdl", jdl.to_string()).text("parameters", parameters);
    let sent = standby.client.post("http://localhost/campaigns").multipart(form).send().await.unwrap();
    let location = sent.headers()["location"].to_str().unwrap().to_owned();
    let new: Value = sent.json().await.unwrap();
    assert_eq!((&new["total_jobs"], location), (&json!(60_000), format!("/campaigns/{}", new["id"])));
    let last = standby.get(&format!("{}?offset=59999", location_of(&new))).await;
    assert_eq!(last["items"], json!(["parameter number 59999"]));
}

fn location_of(new: &Value) -> String {
    format!("/campaigns/{}/parameters", new["id"])
}

#[tokio::test]
async fn a_request_that_is_repeated_at_another_server_is_carried_out_once() {
    let Some(pair) = Pair::start(10).await else { return };
    let (leader, standby) = (&pair.servers[0], &pair.servers[1]);
    let jdl = campaign(pair.folder.path(), 6, "true");
    let mut ids = Vec::new();
    for server in [standby, leader, standby] {
        let asked = server.client.post("http://localhost/campaigns").header("Idempotency-Key", "k").json(&jdl);
        let answer = asked.send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let submitted: Value = answer.json().await.unwrap();
        let added = server.client.post(format!("http://localhost/campaigns/{}/jobs", submitted["id"]));
        let added = added.header("Idempotency-Key", "l").json(&json!(["x"])).send().await.unwrap();
        assert_eq!(added.json::<Value>().await.unwrap()["total_jobs"], 7);
        ids.push(submitted["id"].clone());
    }
    assert_eq!(ids, [ids[0].clone(), ids[0].clone(), ids[0].clone()]);
}

#[tokio::test]
async fn nobody_but_the_other_servers_gets_through_a_leaders_door() {
    let Some(pair) = Pair::start(10).await else { return };
    let mut database = PgConnection::establish(&pair.database).unwrap();
    let address: String = diesel::select(diesel::dsl::sql::<diesel::sql_types::Text>("(SELECT address FROM lease)"))
        .get_result(&mut database)
        .unwrap();
    let stranger = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().unwrap();
    for token in [None, Some("a.b.c"), Some(pair.oar.token.as_str())] {
        let url = format!("https://{address}/campaigns");
        let request = token.iter().fold(stranger.get(&url), |request, token| request.bearer_auth(token));
        assert_eq!(request.send().await.unwrap().status(), 401, "{token:?}");
    }
    assert!(stranger.get(format!("http://{address}/health")).send().await.is_err(), "no plain requests");
    let careful = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(careful.get(format!("https://{address}/health")).send().await.is_err(), "no public certificate");
}

#[tokio::test]
async fn a_standby_that_cannot_pass_on_says_who_leads() {
    let Some(database) = postgresql::fresh_database(false) else { return };
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = format!("database = {database:?}\nkey_file = {:?}\n", folder.path().join("key"));
    let leader = Server::start_with(&folder.path().join("a"), &oar, &settings).await;
    leader.until("/health", LEAD, |health| health["leader"] == true).await;
    let standby = Server::start_with(&folder.path().join("b"), &oar, &settings).await;
    standby.until("/health", LEAD, |health| health["led_by"].is_string()).await;
    let jdl = campaign(folder.path(), 2, "true");
    let refused = standby.client.post("http://localhost/campaigns").json(&jdl).send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (503, "3"));
    let error: Value = refused.json().await.unwrap();
    assert_eq!(error["code"], "no_leader");
    let name = format!("process {}", leader.process.id());
    assert!(error["message"].as_str().unwrap().contains(&name), "{error}");
    assert_eq!(standby.get("/campaigns?all=1").await["total"], 0);
}

#[tokio::test]
async fn a_server_with_another_key_does_not_start() {
    let Some(pair) = Pair::start(10).await else { return };
    let folder = pair.folder.path().join("c");
    let settings = format!("database = {:?}\n", pair.database);
    let ended = command(&folder, &pair.oar, &settings).stderr(Stdio::piped()).spawn().unwrap();
    let ended = tokio::task::spawn_blocking(move || ended.wait_with_output().unwrap());
    let ended = tokio::time::timeout(Duration::from_secs(30), ended).await.unwrap().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(!ended.status.success() && said.contains("copy the key file"), "{said}");
    assert!(!said.contains("only-for-tests"), "the database's password is not shown: {said}");
}
