//! What a campaign had of a cluster, how the cluster was used meanwhile, and a token that was renewed on the way.

use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::bed::{Oar, SECRET, Server, campaign};

const PATIENCE: Duration = Duration::from_secs(60);

/// A token of a life of 364 days that ends in four minutes: before a task that takes its whole walltime.
fn old_token() -> String {
    let expires = chrono::Utc::now() + chrono::TimeDelta::minutes(4);
    let issued = expires - chrono::TimeDelta::days(364);
    let date = issued.format("%Y-%m-%d %H:%M:%S").to_string();
    let claims = json!({"user": "alice", "exp": expires.timestamp(), "date": date});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()
}

async fn text(server: &Server, path: &str) -> String {
    server.client.get(format!("http://localhost{path}")).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn a_campaign_is_charged_its_cluster_sampled_and_its_token_renewed() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start_with(folder.path(), &oar, "usage_every_s = 1").await;
    let (status, info) = server.post("/tokens", &json!({"cluster": "dahu", "token": old_token()})).await;
    assert_eq!((status, &info["days_left"], &info["renew"]), (201, &json!(0), &json!("needed")), "{info}");
    let script = "while [ ! -e go ]; do sleep 0.1; done; exit $((CIGRI_TASK_INDEX % 2))";
    let (status, campaign) = server.post("/campaigns", &campaign(folder.path(), 2, script)).await;
    assert_eq!(status, 201, "{campaign}");
    let warning = &campaign["warnings"][0];
    assert_eq!(warning["path"], "clusters.dahu");
    assert!(warning["found"].as_str().unwrap().starts_with("one that expires in "), "{warning}");
    server.until("/tokens", PATIENCE, |tokens| tokens["items"][0]["days_left"] == 363).await;
    assert!(server.get("/tokens").await["items"][0]["renewed_at"].is_i64());
    let is_used = |usage: &Value| {
        let cluster = &usage["items"][0]["clusters"][0];
        [&cluster["max_resources"], &cluster["used_resources"], &cluster["used_by_cigri"]] == [2, 2, 2]
    };
    server.until("/gridusage", PATIENCE, is_used).await;
    std::fs::write(folder.path().join("go"), "").unwrap();
    server.wait_for(&campaign["id"], "state", &json!("terminated")).await;
    let usage = server.get("/usage?by=cluster").await;
    let row = &usage["items"][0];
    assert_eq!((&row["cluster"], &row["jobs"]["done"], &row["jobs"]["failed"]), (&json!("dahu"), &json!(1), &json!(1)));
    let hours = |kind: &str| row["core_hours"][kind].as_f64().unwrap();
    assert!(hours("useful") > 0.0 && hours("failed") > 0.0 && hours("lost") == 0.0, "{usage}");
    let table = text(&server, "/usage?format=csv").await;
    assert!(table.starts_with("user,campaign,name,useful_core_hours,") && table.lines().count() == 2, "{table}");
    let (first, last) = ("date,cluster,max_resources,used_resources,used_by_cigri,unavailable_resources", "Z,dahu,2,");
    let table = text(&server, "/gridusage?from=0&format=csv").await;
    assert!(table.starts_with(first) && table.lines().skip(1).all(|line| line.contains(last)), "{table}");
    let wrong = server.get("/gridusage?from=yesterday").await;
    assert_eq!((&wrong["status"], &wrong["code"]), (&json!(400), &json!("invalid_request")), "{wrong}");
}
