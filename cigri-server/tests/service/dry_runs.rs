//! What a dry run tells, and that it leaves nothing behind.

use std::path::Path;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_store::Store;
use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign};

/// Rows of every table: what a dry run must not change.
fn rows(folder: &Path) -> Vec<(String, i64)> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Name {
        #[diesel(sql_type = diesel::sql_types::Text)]
        name: String,
    }
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        count: i64,
    }
    let file = std::fs::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().path());
    let file =
        file.into_iter().find(|path| path.extension().is_some_and(|end| end == "db" || end == "sqlite")).unwrap();
    let mut connection = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name";
    let names: Vec<Name> = diesel::sql_query(names).load(&mut connection).unwrap();
    let mut count = |table: &str| {
        let query = format!("SELECT count(*) AS count FROM {table}");
        diesel::sql_query(query).get_result::<Count>(&mut connection).unwrap().count
    };
    names.into_iter().map(|Name { name }| (name.clone(), count(&name))).collect()
}

fn warnings(report: &Value) -> Vec<&str> {
    report["warnings"].as_array().unwrap().iter().map(|warning| warning.as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_dry_run_tells_all_and_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = "rules_file = \"RULES\"\n".replace("RULES", folder.path().join("rules.toml").to_str().unwrap());
    let rule = "[[rule]]\nname = \"r\"\neach = \"cluster\"\nwhen = 'tasks == 8'\nset = { walltime = '\"0:4\"' }\n";
    std::fs::write(folder.path().join("rules.toml"), rule).unwrap();
    let server = Server::start_with(folder.path(), &oar, &settings).await;
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let before = rows(folder.path());
    let mut jdl = campaign(folder.path(), 8, "exit 0");
    jdl["properties"] = json!("cpu > 0");
    let (status, report) = server.post("/campaigns?dry_run=1", &jdl).await;
    assert_eq!((status, &report["tasks"]), (200, &json!(8)), "{report}");
    assert_eq!(report["jdl"]["clusters"]["dahu"]["walltime"], "00:04:00");
    assert!(report["notices"][0].as_str().unwrap().contains("rule 1"), "{report}");
    assert_eq!(warnings(&report), [""; 0]);
    // All eight may be there at a time.
    assert_eq!(report["ends_within_s"], 240);
    let dahu = &report["clusters"]["dahu"];
    let line = |index: u64| json!({"index": index, "command": format!("sh task.sh {index}")});
    assert_eq!(
        (&dahu["first"], &dahu["last"]),
        (&json!([line(0), line(1), line(2)]), &json!([line(5), line(6), line(7)]))
    );
    assert!(dahu["matching_resources"].as_u64().unwrap() > 0);
    let (gate, array) = (&dahu["requests"][0]["body"], &dahu["requests"][1]["body"]);
    assert_eq!((&gate["hold"], &gate["command"]), (&json!(true), &json!("false")));
    assert_eq!(
        array["resource"],
        json!(["/core=1,walltime=00:04:00"].map(|text| text.replace("/core", "/resource_id")))
    );
    assert_eq!((&array["type"], &array["property"]), (&json!(["besteffort"]), &json!("cpu > 0")));
    assert_eq!(array["param_file"], "0 1 0\n1 1 1\n2 1 2\n... 5 more");
    assert_eq!(rows(folder.path()), before);
    assert_eq!(server.get("/campaigns?all=1").await["total"], 0);
    jdl["properties"] = Value::Null;
    let (_, accepted) = server.post("/campaigns", &jdl).await;
    assert_eq!(accepted["id"], 1, "a dry run uses no number up");
}

#[tokio::test]
async fn a_dry_run_reads_a_whole_parameter_list_and_keeps_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let mut jdl = campaign(folder.path(), 1, "exit 0");
    jdl["nb_jobs"] = Value::Null;
    jdl["param_file"] = json!("p.txt");
    let lines: String = (0..50_001).map(|number| format!("p{number}\n")).collect();
    let before = rows(folder.path());
    let send = async |parameters: String| {
        let form = reqwest::multipart::Form::new().text("jdl", jdl.to_string()).text("parameters", parameters);
        let sent = server.client.post("http://localhost/campaigns?dry_run=1").multipart(form).send().await.unwrap();
        (sent.status().as_u16(), sent.json::<Value>().await.unwrap())
    };
    let (status, report) = send(lines.clone()).await;
    assert_eq!((status, &report["tasks"]), (200, &json!(50_001)));
    let dahu = &report["clusters"]["dahu"];
    assert_eq!(dahu["first"][2], json!({"index": 2, "command": "sh task.sh p2"}));
    assert_eq!(dahu["last"][2], json!({"index": 50_000, "command": "sh task.sh p50000"}));
    assert!(dahu["requests"][1]["body"]["param_file"].as_str().unwrap().ends_with("\n... 497 more"));
    let (status, error) = send(lines + "bad \0 line\n").await;
    assert_eq!((status, &error["code"]), (400, &json!("invalid_campaign")));
    assert_eq!(rows(folder.path()), before);
}

#[tokio::test]
async fn what_stands_in_a_campaigns_way_is_told_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = "[clusters.gone]\nurl = \"http://127.0.0.1:9/\"\nbest_effort_walltime = \"1\"\n";
    let server = Server::start_with(folder.path(), &oar, settings).await;
    let mut jdl = campaign(folder.path(), 30_000, "exit 0");
    jdl["clusters"]["dahu"]["properties"] = json!("cpu < 0");
    jdl["clusters"]["gone"] = json!({"exec_file": "echo 'open", "properties": "cpu > 0"});
    let (status, error) = server.post("/campaigns?dry_run=1", &jdl).await;
    assert_eq!((status, &error["problems"][0]["path"]), (400, &json!("clusters.gone.exec_file")));
    jdl["clusters"]["gone"]["exec_file"] = json!("sh task.sh");
    let (_, report) = server.post("/campaigns?dry_run=1", &jdl).await;
    let told = warnings(&report);
    let wanted = [
        "dahu: none of its ",
        "gone: best-effort jobs may last 3600 s there, and the walltime is 7200 s",
        "gone: the conditions on its resources were not checked: ",
        "dahu: you have no token there; add one with `cigri token add dahu`",
        "gone: you have no token there",
    ];
    for wanted in wanted {
        assert!(told.iter().any(|warning| warning.starts_with(wanted)), "{wanted}: {told:#?}");
    }
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let store = Store::open_sqlite(&folder.path().join("data/cigri.sqlite"), "test").unwrap();
    let hold = |scope, code| NewEvent::hold(scope, code, "look here");
    let holds = [
        hold(Scope::cluster("gone"), Code::ClusterReset),
        hold(Scope::user_on("somebody else", "dahu"), Code::NoAccount),
    ];
    store.open_events(&holds, 0).unwrap();
    jdl["clusters"]["dahu"]["walltime"] = json!("3");
    let (_, report) = server.post("/campaigns?dry_run=1", &jdl).await;
    let told = warnings(&report);
    assert!(told.iter().any(|warning| warning.starts_with("dahu: your token expires in ")), "{told:#?}");
    let held: Vec<&str> = told.into_iter().filter(|warning| warning.contains("on hold")).collect();
    assert_eq!(held, ["gone is on hold: look here"]);
}

#[tokio::test]
async fn a_column_that_the_cluster_lacks_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let mut jdl = campaign(folder.path(), 2, "exit 0");
    jdl["clusters"]["dahu"]["properties"] = json!("no_such_column = 3");
    for path in ["/campaigns?dry_run=1", "/campaigns"] {
        let (status, error) = server.post(path, &jdl).await;
        assert_eq!((status, &error["code"]), (400, &json!("invalid_campaign")), "{error}");
        let problem = &error["problems"][0];
        assert_eq!(problem["path"], "clusters.dahu.properties");
        assert!(problem["found"].as_str().unwrap().contains("no_such_column"), "{problem}");
    }
    assert_eq!(server.get("/campaigns?all=1").await["total"], 0);
}

#[tokio::test]
async fn grouped_tasks_a_sample_and_steps_are_shown_as_they_would_be_sent() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = "[clusters.short]\nurl = \"http://127.0.0.1:9/\"\nbest_effort_walltime = \"0:10\"\n";
    let server = Server::start_with(folder.path(), &oar, settings).await;
    let mut jdl = campaign(folder.path(), 100, "exit 0");
    jdl["max_jobs"] = json!(2);
    jdl["temporal_grouping"] = json!(20);
    jdl["test_mode"] = json!(2);
    jdl["epilogue"] = json!("rm x");
    jdl["clusters"]["short"] = json!({"exec_file": "true", "walltime": "0:5"});
    let (status, report) = server.post("/campaigns?dry_run=1", &jdl).await;
    assert_eq!(status, 200, "{report}");
    let requests = report["clusters"]["dahu"]["requests"].as_array().unwrap();
    let of: Vec<&str> = requests.iter().map(|request| request["of"].as_str().unwrap()).collect();
    assert_eq!(of, ["gate of the sample", "sample", "gate", "tasks", "epilogue"]);
    let (sample, tasks, epilogue) = (&requests[1]["body"], &requests[3]["body"], &requests[4]["body"]);
    assert_eq!((&sample["param_file"], &sample["type"]), (&json!("0 1 0\n1 1 1"), &Value::Null));
    // Each of its twenty tasks has five minutes, and none begins after a quarter of an hour.
    assert!(tasks["resource"][0].as_str().unwrap().ends_with(",walltime=00:20:00"), "{tasks}");
    assert_eq!(tasks["param_file"], "0 1 '0' 1 1 '1' 2 1 '2' ... 17 more tasks\n... 4 more");
    assert!(epilogue["command"].as_str().unwrap().contains("rm x"), "{epilogue}");
    let told = "short: best-effort jobs may last 600 s there, and a job of grouped tasks asks for up to 1200 s";
    assert!(warnings(&report).contains(&told), "{report}");
}

#[tokio::test]
async fn tasks_are_not_grouped_where_nobody_could_read_their_results() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let mut jdl = campaign(folder.path(), 2, "exit 0");
    jdl["clusters"]["dahu"]["exec_directory"] = json!("/scratch/my runs");
    let (status, _) = server.post("/campaigns?dry_run=1", &jdl).await;
    assert_eq!(status, 200, "single tasks run anywhere");
    jdl["temporal_grouping"] = json!(true);
    for path in ["/campaigns?dry_run=1", "/campaigns"] {
        let (status, error) = server.post(path, &jdl).await;
        let problem = &error["problems"][0];
        assert_eq!((status, &problem["path"]), (400, &json!("clusters.dahu.exec_directory")), "{error}");
        assert!(problem["found"].as_str().unwrap().contains("/scratch/my runs"), "{problem}");
    }
    assert_eq!(server.get("/campaigns?all=1").await["total"], 0);
}

#[tokio::test]
async fn a_cluster_that_does_not_answer_is_not_waited_for_and_gets_no_unknown_column_later() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    // Connections are taken here, and not answered before a cluster is started on it.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = format!("[clusters.late]\nurl = \"http://{}\"\nperiod_s = 1\n", silent.local_addr().unwrap());
    let server = Server::start_with(folder.path(), &oar, &settings).await;
    let late = json!({"exec_file": "true", "exec_directory": folder.path(), "properties": "no_such_column = 3"});
    let jdl = json!({"name": "c", "nb_jobs": 2, "clusters": {"late": late}});
    let (status, accepted) = server.post("/campaigns", &jdl).await;
    assert_eq!(status, 201, "{accepted}");
    let notice = accepted["notices"][0].as_str().unwrap();
    assert!(notice.starts_with("late: the conditions on its resources were not checked: "), "{notice}");
    let woken = Oar::start_on(&folder.path().join("late"), silent);
    let token = json!({"cluster": "late", "token": woken.token});
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while server.post("/tokens", &token).await.0 != 201 {
        assert!(std::time::Instant::now() < deadline, "the cluster never answers");
    }
    let held = server.wait_for(&accepted["id"], "stalled", &json!(true)).await;
    assert!(held["clusters"]["late"]["hold"].as_str().unwrap().contains("no_such_column"), "{held}");
}
