//! Sweeps through the service: however many points, little to take in; a table row by row, or not at all.

use std::time::Instant;

use serde_json::{Value, json};

use crate::bed::{Oar, Server};

const POINTS: u64 = 10_000_000;

fn sweep(parameters: &Value) -> Value {
    json!({"name": "c", "exec_file": "./sim {alpha}", "parameters": parameters, "clusters": {"dahu": {}}})
}

/// Sends a campaign with a table beside it.
async fn send(server: &Server, jdl: &Value, table: String) -> (u16, Value) {
    let form = reqwest::multipart::Form::new().text("jdl", jdl.to_string()).text("parameters", table);
    let sent = server.client.post("http://localhost/campaigns").multipart(form).send().await.unwrap();
    (sent.status().as_u16(), sent.json().await.unwrap())
}

async fn parameters(server: &Server, campaign: &Value, offset: u64) -> Value {
    server.get(&format!("/campaigns/{}/parameters?offset={offset}&limit=3", campaign["id"])).await["items"].clone()
}

#[tokio::test]
async fn ten_million_points_cost_no_more_room_than_one() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let jdl = sweep(&json!({"grid": {
        "alpha": {"from": 0.001, "to": 1, "step": 0.001},
        "n": {"from": 1, "to": POINTS / 1000, "step": 1},
    }}));
    let begun = Instant::now();
    let (status, campaign) = server.post("/campaigns", &jdl).await;
    println!("{POINTS} points accepted in {:?}", begun.elapsed());
    assert_eq!((status, &campaign["total_jobs"]), (201, &json!(POINTS)), "{campaign}");
    assert_eq!(campaign["parameter_names"], json!(["alpha", "n"]));
    assert_eq!(parameters(&server, &campaign, 0).await, json!(["0.001 1", "0.001 2", "0.001 3"]));
    assert_eq!(parameters(&server, &campaign, POINTS - 1).await, json!(["1 10000"]));
    let stored: u64 = walk(folder.path());
    assert!(stored < 10 << 20, "{stored} bytes for {POINTS} tasks");
}

/// Bytes of the files below a folder.
fn walk(folder: &std::path::Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(data) if data.is_dir() => walk(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    };
    entries.map(size).sum()
}

#[tokio::test]
async fn a_table_is_taken_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let (csv, lines) = (sweep(&json!({"csv": "p.csv"})), sweep(&json!({"jsonl": "p"})));
    let rows: String = (0..60_000).map(|row| format!("{row},\"row {row}\"\n")).collect();
    let (status, campaign) = send(&server, &csv, format!("alpha,note\n{rows}")).await;
    assert_eq!((status, &campaign["total_jobs"]), (201, &json!(60_000)), "{campaign}");
    assert_eq!(campaign["parameter_names"], json!(["alpha", "note"]));
    assert_eq!(parameters(&server, &campaign, 59_999).await, json!(["59999 'row 59999'"]));
    let (status, campaign) = send(&server, &lines, r#"{"alpha": 1}"#.into()).await;
    assert_eq!((status, &campaign["parameter_names"]), (201, &json!(["alpha"])), "one line, without its end");
    for (jdl, table, path, line) in [
        (&csv, format!("alpha,note\n{rows}7\n"), "parameters.csv", json!([60_002, 1])),
        (&csv, "beta\n1\n".into(), "clusters.dahu.exec_file", Value::Null),
        (&csv, "alpha\n".into(), "parameters.csv", Value::Null),
        (&csv, String::new(), "parameters.csv", Value::Null),
        (&lines, "{\"alpha\": 1}\n{\"alpha\": {}}\n".into(), "parameters.jsonl.alpha", json!([2, 1])),
    ] {
        let (status, error) = send(&server, jdl, table).await;
        assert_eq!((status, &error["code"]), (400, &json!("invalid_campaign")), "{error}");
        let problem = &error["problems"][0];
        assert_eq!((&problem["path"], &problem["line"]), (&json!(path), &line), "{error}");
    }
    let (status, error) = server.post("/campaigns", &csv).await;
    assert_eq!((status, &error["problems"][0]["path"]), (400, &json!("parameters.csv")));
    assert_eq!(server.get("/campaigns?all=1").await["total"], 2);
}
