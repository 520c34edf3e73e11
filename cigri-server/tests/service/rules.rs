//! Admission rules in front of a running server.

use std::path::Path;

use reqwest::multipart::Form;
use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign, command};

/// Whoever runs the tests is the one that these rules are about.
fn login() -> String {
    nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name
}

fn write_rules(folder: &Path, text: &str) -> String {
    let file = folder.join("rules.toml");
    std::fs::write(&file, text).unwrap();
    format!("rules_file = {file:?}\n")
}

fn cutting() -> String {
    let rule = r#"
        [[rule]]
        name = "short walltimes for students"
        each = "cluster"
        when = 'user in lists.students && walltime_s(cluster.walltime) > 240'
        set = { walltime = '"00:04:00"' }
        warn = "cut"
        "#;
    format!("{rule}\n[lists]\nstudents = [\"{}\"]\n", login())
}

#[tokio::test]
async fn the_shipped_rule_refuses_normal_jobs_in_the_words_of_cigri_3() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let shipped = include_str!("../../../etc/rules.toml");
    let settings = write_rules(folder.path(), shipped);
    let server = Server::start_with(folder.path(), &oar, &settings).await;
    let mut jdl = campaign(folder.path(), 1, "exit 0");
    jdl["type"] = json!("normal");
    let (status, error) = server.post("/campaigns", &jdl).await;
    let message = "rule 1 failed: you are not authorized to launch non best-effort jobs on cluster dahu";
    let expected =
        json!({"status": 400, "title": "Admission rule error", "message": message, "code": "admission_rule"});
    assert_eq!((status, &error), (400, &expected));
    assert_eq!(server.get("/campaigns?all=1").await["total"], 0);
    // Another version of the file counts from the next submission on.
    let listed = format!("normal_authorized = {{ dahu = [\"{}\"] }}", login());
    write_rules(folder.path(), &shipped.replace("normal_authorized = []", &listed));
    let (status, accepted) = server.post("/campaigns", &jdl).await;
    assert_eq!(status, 201, "{accepted}");
}

#[tokio::test]
async fn a_rewritten_walltime_is_told_and_seen_in_the_expanded_campaign() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = write_rules(folder.path(), &cutting());
    let server = Server::start_with(folder.path(), &oar, &settings).await;
    let (status, accepted) = server.post("/campaigns", &campaign(folder.path(), 1, "exit 0")).await;
    assert_eq!(status, 201, "{accepted}");
    let notices: Vec<&str> = accepted["notices"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(notices[0].starts_with("clusters.dahu: `walltime` is \"00:04:00\" instead of \"00:05:00\""), "{notices:?}");
    assert_eq!(notices[1], "clusters.dahu: cut (rule 1)");
    let path = format!("/campaigns/{}/jdl", accepted["id"]);
    let expanded = server.get(&path).await;
    assert_eq!(expanded["clusters"]["dahu"]["walltime"], "00:04:00");
    assert_eq!(
        (&expanded["jobs_type"], &expanded["clusters"]["dahu"]["type"]),
        (&json!("normal"), &json!("best-effort"))
    );
    assert_eq!(server.get(&format!("{path}?written=1")).await["clusters"]["dahu"]["walltime"], "0:5:0");
}

const FEW: &str = r#"
    [[rule]]
    name = "few tasks"
    when = 'tasks != null && tasks > 5'
    refuse = "at most five tasks"
    [[rule]]
    name = "three are many"
    each = "cluster"
    when = 'tasks != null && tasks > 2'
    set = { max_jobs = '1' }
    "#;

#[tokio::test]
async fn tasks_that_arrive_later_are_weighed_with_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = write_rules(folder.path(), FEW);
    let server = Server::start_with(folder.path(), &oar, &settings).await;
    let jdl = json!({"name": "c", "param_file": "p", "exec_file": "echo", "clusters": {"dahu": {}}});
    let send = async |path: &str, form: Form| {
        let answer = server.client.post(format!("http://localhost{path}")).multipart(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let stream = |text: &str| Form::new().text("jdl", jdl.to_string()).text("parameters", text.to_owned());
    for path in ["/campaigns", "/campaigns?dry_run=1"] {
        let (status, error) = send(path, stream("1\n2\n3\n4\n5\n6\n")).await;
        assert_eq!((status, &error["message"]), (400, &json!("rule 1 failed: at most five tasks")), "{error}");
    }
    assert_eq!(server.get("/campaigns?all=1").await["total"], 0);
    let (status, accepted) = send("/campaigns", stream("1\n2\n3\n4\n")).await;
    assert_eq!((status, accepted["notices"].as_array().map(Vec::len)), (201, Some(1)), "{accepted}");
    let path = format!("/campaigns/{}", accepted["id"]);
    assert_eq!(server.get(&format!("{path}/jdl")).await["clusters"]["dahu"]["max_jobs"], 1);
    let jobs = format!("{path}/jobs");
    let list = Form::new().text("parameters", "5\n6\n");
    for (status, error) in [server.post(&jobs, &json!(["5", "6"])).await, send(&jobs, list).await] {
        assert_eq!((status, &error["code"]), (400, &json!("admission_rule")), "{error}");
    }
    assert_eq!(server.get(&path).await["total_jobs"], 4);
    assert_eq!(server.post(&jobs, &json!(["5"])).await.0, 201);
    let (status, error) = server.post(&jobs, &json!(["6"])).await;
    assert_eq!((status, &error["code"]), (400, &json!("admission_rule")), "{error}");
}

#[test]
fn a_server_does_not_start_with_bad_rules_and_tells_all_their_problems() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = write_rules(
        folder.path(),
        "[[rule]]\nname = \"a\"\nwhen = 'usr'\nrefuse = \"x\"\n[[rule]]\nname = \"b\"\nwhen = 'true'\n",
    );
    for check in [true, false] {
        let mut server = command(folder.path(), &oar, &settings);
        if check {
            server.arg("--check");
        }
        let ended = server.output().unwrap();
        let told = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!ended.status.success(), "{told}");
        assert!(told.contains("rule 1 (a), when: `usr`") && told.contains("rule 2 (b): it does nothing"), "{told}");
    }
}
