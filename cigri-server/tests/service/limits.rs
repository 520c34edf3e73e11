//! Limits changed while the server runs: they bind in the next round, are told with their remedy, and are the leader's
//! to change.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign};
use crate::fail_over::Pair;

/// Rounds are a second apart; a busy machine is given some more.
const SOON: Duration = Duration::from_secs(30);

async fn patch(server: &Server, cluster: &str, change: &Value) -> (u16, Value) {
    let sent = server.client.patch(format!("http://localhost/clusters/{cluster}/limits")).json(change);
    let answer = sent.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// What nothing gets through, the term that says so, words of its sentence, and the command of its remedy.
fn bounds() -> Vec<(Value, &'static str, &'static str, &'static str)> {
    vec![
        (json!({"mode": "drained", "note": "new kernel"}), "mode", "drained: new kernel", "undrain dahu"),
        (json!({"mode": "disabled", "note": null}), "mode", "disabled", "enable dahu"),
        (json!({"max_waiting": 0}), "waiting_cap", "waiting jobs 0/0", "--max-waiting N"),
        (json!({"max_running": 0}), "running_cap", "live jobs 0/0", "--max-running N"),
        (json!({"max_per_cycle": 0}), "cycle_cap", "0/0 jobs", "--max-per-cycle N"),
        (json!({"user_quotas": {"*": 0}}), "user_quota", "0 of 0 live jobs", "--user-quota "),
        (json!({"group_quotas": {"physics": 0}}), "group_quota", "group physics", "--group-quota physics=N"),
        (json!({"windows": [closed_today()]}), "window", "opens", "set dahu --window"),
        (json!({"project_quotas": {"ice": 0}}), "project_quota", "project ice", "--project-quota ice=N"),
    ]
}

/// A window that is closed today and tomorrow, by the server's default time zone.
fn closed_today() -> &'static str {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    // The epoch was a Thursday.
    ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][(since.as_secs() / 86_400 + 3) as usize % 7]
}

#[tokio::test]
async fn each_limit_binds_in_the_next_round_and_says_how_it_is_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let login = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    let groups = format!("[groups]\nphysics = [{login:?}]\n");
    let server = Server::start_with(folder.path(), &oar, &groups).await;
    let mut jdl = campaign(folder.path(), 6, "true");
    jdl["clusters"]["dahu"]["project"] = json!("ice");
    let (status, new) = server.post("/campaigns", &jdl).await;
    assert_eq!(status, 201, "{new}");
    let why = format!("/campaigns/{}/why", new["id"]);
    let bound_by = |term: &'static str| move |seen: &Value| seen["items"][0]["bound_by"] == term;
    server.until(&why, SOON, bound_by("token")).await;
    let refusal = server.get(&why).await["items"][0].take();
    assert!(refusal["reason"].as_str().unwrap().contains("`cigri token add dahu`"), "{refusal}");
    assert!(refusal["remedy"].as_str().unwrap().starts_with("its owner does that"), "{refusal}");
    let mut before = json!({});
    for (bound, term, sentence, remedy) in bounds() {
        // In one change, so that nothing gets through between two bounds.
        let mut change = before;
        change.as_object_mut().unwrap().extend(bound.as_object().unwrap().clone());
        assert_eq!(patch(&server, "dahu", &change).await.0, 200, "{change}");
        if term == "mode" {
            server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
        }
        let told = |seen: &Value| {
            let item = &seen["items"][0];
            let says = |field: &str, words: &str| item[field].as_str().is_some_and(|text| text.contains(words));
            item["bound_by"] == term && item["allowed"] == 0 && says("reason", sentence) && says("remedy", remedy)
        };
        server.until(&why, SOON, told).await;
        before = bound.as_object().unwrap().keys().map(|key| (key.clone(), Value::Null)).collect();
    }
    let history = server.get(&format!("{why}?history=100")).await;
    let terms: Vec<&str> =
        history["history"].as_array().unwrap().iter().map(|one| one["bound_by"].as_str().unwrap()).collect();
    assert_eq!(terms[..3], ["project_quota", "window", "group_quota"], "newest first: {terms:?}");
    assert_eq!(patch(&server, "dahu", &before).await.0, 200);
    let done = server.wait_for(&new["id"], "state", &json!("terminated")).await;
    assert_eq!(done["done"], 6);
    let audit = server.get("/admin/audit?cluster=dahu").await;
    assert_eq!(audit["total"].as_u64().unwrap() as usize, bounds().len() + 1, "{audit}");
}

#[tokio::test]
async fn what_is_changed_at_run_time_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    assert_eq!(patch(&server, "dahu", &json!({"max_waiting": 7})).await.0, 200);
    let (status, wrong) = patch(&server, "dahu", &json!({"max_waiting": -1, "period_s": 0})).await;
    assert_eq!(
        (status, &wrong["code"], wrong["problems"].as_array().unwrap().len()),
        (400, &json!("invalid_limits"), 2)
    );
    assert_eq!(patch(&server, "luke", &json!({})).await.0, 404);
    drop(server);
    let server = Server::start(folder.path(), &oar).await;
    let shown = server.get("/clusters/dahu").await;
    assert_eq!((&shown["max_waiting"], &shown["mode"], &shown["live"]), (&json!(7), &json!("open"), &json!(0)));
    let limits = server.get("/clusters/dahu/limits").await;
    let from =
        |key: &str| limits["items"].as_array().unwrap().iter().find(|item| item["key"] == key).unwrap()["from"].clone();
    assert_eq!(
        (from("max_waiting"), from("period_s"), from("busy")),
        (json!("run_time"), json!("configuration"), json!("default"))
    );
    assert_eq!(server.client.get("http://localhost/clusters/luke").send().await.unwrap().status(), 404);
}

#[tokio::test]
async fn a_standby_passes_a_change_of_limits_on_to_the_leader() {
    let Some(pair) = Pair::start(10).await else { return };
    let (leader, standby) = (&pair.servers[0], &pair.servers[1]);
    let (status, changed) = patch(standby, "dahu", &json!({"max_waiting": 7})).await;
    assert_eq!((status, &changed["changes"][0]["after"]), (200, &json!(7)), "{changed}");
    for server in [leader, standby] {
        assert_eq!(server.get("/clusters/dahu").await["max_waiting"], 7);
    }
    let wrong = patch(standby, "dahu", &json!({"max_waiting": -1})).await;
    assert_eq!(wrong, patch(leader, "dahu", &json!({"max_waiting": -1})).await);
    assert_eq!(wrong.0, 400);
}

#[tokio::test]
async fn a_standby_reads_nothing_on_a_cluster_that_was_disabled_at_the_leader() {
    let Some(pair) = Pair::start(10).await else { return };
    let (leader, standby) = (&pair.servers[0], &pair.servers[1]);
    leader.post("/tokens", &json!({"cluster": "dahu", "token": pair.oar.token})).await;
    let (_, new) = leader.post("/campaigns", &campaign(pair.folder.path(), 1, "echo done")).await;
    leader.wait_for(&new["id"], "state", &json!("terminated")).await;
    let jobs = standby.get(&format!("/campaigns/{}/jobs", new["id"])).await;
    let log = format!("/jobs/{}/stdout", jobs["items"][0]["id"]);
    assert_eq!(standby.get(&log).await["output"], "done\n");
    assert_eq!(patch(leader, "dahu", &json!({"mode": "disabled"})).await.0, 200);
    let refused = standby.client.get(format!("http://localhost{log}")).send().await.unwrap();
    assert_eq!(refused.status(), 502);
    let body: Value = refused.json().await.unwrap();
    assert!(body["message"].as_str().unwrap().contains("disabled by its administrator"), "{body}");
    assert_eq!(patch(standby, "dahu", &json!({"mode": "open"})).await.0, 200);
    assert_eq!(standby.get(&log).await["output"], "done\n");
}

#[tokio::test]
async fn what_bounds_is_counted_for_monitoring() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    assert_eq!(server.post("/campaigns", &campaign(folder.path(), 3, "true")).await.0, 201);
    let deadline = std::time::Instant::now() + SOON;
    // Nobody gave a token.
    let counted = "cigri_meter_binding_total{cluster=\"dahu\",term=\"token\"} ";
    loop {
        let answer = server.client.get("http://localhost/metrics").send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
        let text = answer.text().await.unwrap();
        assert!(text.ends_with("# EOF\n"), "{text}");
        let value = text.lines().find_map(|line| line.strip_prefix(counted));
        if value.is_some_and(|value| value.parse::<u64>().unwrap() > 0) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "it is not counted: {text}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
