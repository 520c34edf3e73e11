//! Tasks that are added to a campaign, and requests that come twice.

use std::path::Path;
use std::time::{Duration, Instant};

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use nix::sys::signal::Signal;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign, ran};

const RECORD: &str = "echo $CIGRI_TASK_INDEX >> ran";

/// Status and body of a request with this key.
async fn send(request: reqwest::RequestBuilder, key: Option<&str>) -> (u16, Value) {
    let request = key.into_iter().fold(request, |request, key| request.header("Idempotency-Key", key));
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn to(server: &Server, path: &str) -> reqwest::RequestBuilder {
    server.client.post(format!("http://localhost{path}"))
}

fn jobs(id: &Value) -> String {
    format!("/campaigns/{id}/jobs")
}

fn lines(count: u64) -> String {
    (0..count).map(|line| format!("line {line}\n")).collect()
}

fn list(text: String) -> Form {
    Form::new().text("parameters", text)
}

#[tokio::test]
async fn added_tasks_run_once_in_a_running_campaign_and_in_one_that_had_ended() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let (_, first) = server.post("/campaigns", &campaign(folder.path(), 3, RECORD)).await;
    let other = json!({"name": "other", "nb_jobs": 5, "exec_file": "true", "clusters": {"dahu": {}}});
    server.post("/campaigns", &other).await;
    let (status, added) = server.post(&jobs(&first["id"]), &json!(["a b", 7, true])).await;
    assert_eq!((status, &added["added"], &added["total_jobs"]), (201, &json!(3), &json!(6)), "{added}");
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let done = server.wait_for(&first["id"], "state", &json!("terminated")).await;
    assert_eq!((&done["done"], ran(folder.path())), (&json!(6), (0..6).collect()));
    server.post("/campaigns", &other).await;
    let answer = to(&server, &jobs(&first["id"])).multipart(list("c\nd\n".into())).send().await.unwrap();
    assert_eq!(answer.headers()["location"].to_str().unwrap(), format!("/campaigns/{}", first["id"]));
    let reopened: Value = answer.json().await.unwrap();
    assert_eq!((&reopened["state"], &reopened["added"]), (&json!("in_treatment"), &json!(2)));
    let done = server.wait_for(&first["id"], "state", &json!("terminated")).await;
    assert_eq!((&done["done"], ran(folder.path())), (&json!(8), (0..8).collect()));
    let parameters = server.get(&format!("/campaigns/{}/parameters", first["id"])).await;
    assert_eq!(parameters["items"], json!(["0", "1", "2", "a b", "7", "true", "c", "d"]));
    let listed = server.get(&format!("/campaigns/{}/jobs", first["id"])).await;
    let mut tasks: Vec<(i64, i64)> = Vec::new();
    for job in listed["items"].as_array().unwrap() {
        tasks.push((job["task_index"].as_i64().unwrap(), job["task_id"].as_i64().unwrap()));
    }
    tasks.sort_unstable();
    let ids: Vec<i64> = tasks.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids, [1, 2, 3, 9, 10, 11, 17, 18], "each addition is above what others took: {tasks:?}");
}

#[tokio::test]
async fn a_bad_addition_is_told_in_words_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let (_, open) = server.post("/campaigns", &campaign(folder.path(), 3, RECORD)).await;
    let (_, cancelled) = server.post("/campaigns", &campaign(folder.path(), 3, RECORD)).await;
    server.client.delete(format!("http://localhost/campaigns/{}", cancelled["id"])).send().await.unwrap();
    let (status, error) = server.post(&jobs(&cancelled["id"]), &json!(["a"])).await;
    let expected = format!("Unable to add jobs to campaign {}: it was cancelled", cancelled["id"]);
    assert_eq!((status, &error["message"]), (400, &json!(expected)));
    assert_eq!(server.post(&jobs(&json!(77)), &json!(["a"])).await.0, 404);
    let before = server.get(&format!("/campaigns/{}", open["id"])).await;
    let raw = |text: &[u8]| to(&server, &jobs(&open["id"])).body(text.to_vec());
    let deep = "[".repeat(100_000);
    for (body, told) in [
        (&b"[\"a\", \"b\\nc\", [1]]"[..], "jobs[1]"),
        (b"{\"nb_jobs\": 3}", "a list of parameters"),
        (b"[]", "a list of parameters"),
        (b"[\"a\"", "line"),
        (b"[\"\xff\"]", "UTF-8"),
        (b"", "line"),
        (deep.as_bytes(), "line"),
        (b"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "nest"),
    ] {
        let (status, error) = send(raw(body), Some("k")).await;
        assert!(status == 400 && error.to_string().contains(told), "{told}: {status} {error}");
        assert!(error.to_string().len() < 2000, "{error}");
    }
    let forms = [
        (list("fine\nnot \0 fine\n".into()), "\"line\":[2"),
        (list(String::new()), "at least one line"),
        (list(lines(30_000) + "\0\n"), "\"line\":[30001"),
        (Form::new().text("jdl", "{}"), "unknown part"),
        (Form::new().part("parameters", Part::bytes(&b"a\n\xff\n"[..])), "UTF-8"),
    ];
    for (form, told) in forms {
        let (status, error) = send(to(&server, &jobs(&open["id"])).multipart(form), Some("k")).await;
        assert!(status == 400 && error.to_string().contains(told), "{told}: {status} {error}");
    }
    assert_eq!(server.get(&format!("/campaigns/{}", open["id"])).await, before);
    assert_eq!(left_behind(folder.path()), 0);
    let (status, _) = send(raw(b"[1e400, 123456789012345678901234567890]"), Some("k")).await;
    assert_eq!(status, 201, "the key of a request that failed is free");
}

#[tokio::test]
async fn tasks_that_are_added_to_named_parameters_give_each_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let grid = json!({"grid": {"alpha": [1, 2], "beta": [3]}});
    let jdl = json!({"name": "c", "parameters": grid, "exec_file": "echo {alpha}", "clusters": {"dahu": {}}});
    let (_, new) = server.post("/campaigns", &jdl).await;
    let (status, error) = server.post(&jobs(&new["id"]), &json!(["1 2", "only"])).await;
    let problem = &error["problems"][0];
    assert_eq!((status, &problem["path"], &problem["found"]), (400, &json!("jobs[1]"), &json!("1 word, `only`")));
    let (status, error) = send(to(&server, &jobs(&new["id"])).multipart(list("1 2\na b c\n".into())), None).await;
    assert_eq!((status, &error["problems"][0]["line"]), (400, &json!([2, 1])), "{error}");
    let (status, added) = server.post(&jobs(&new["id"]), &json!(["'a b' 2"])).await;
    assert_eq!((status, &added["total_jobs"]), (201, &json!(3)), "{added}");
}

#[tokio::test]
async fn what_comes_too_late_or_is_misspelt_is_not_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let jdl = campaign(folder.path(), 1, RECORD);
    let (status, error) = server.post("/campaigns?dryrun=1", &jdl).await;
    assert!(status == 400 && error["message"].as_str().unwrap().contains("dryrun"), "{error}");
    let mut streamed = jdl.clone();
    streamed["nb_jobs"] = Value::Null;
    let form = Form::new().text("jdl", streamed.to_string()).text("parameters", "a\n").text("options", "{}");
    let (status, error) = send(to(&server, "/campaigns").multipart(form), None).await;
    let expected = "the part `parameters` must be the last one; options follows it";
    assert_eq!((status, &error["message"]), (400, &json!(expected)));
    assert_eq!(server.get("/campaigns?all=1").await["total"], 0);
    let (_, new) = server.post("/campaigns", &jdl).await;
    let (status, _) =
        send(to(&server, &jobs(&new["id"])).multipart(list("a\n".into()).text("more", "b\n")), None).await;
    assert_eq!((status, &server.get(&format!("/campaigns/{}", new["id"])).await["total_jobs"]), (400, &json!(1)));
}

#[tokio::test]
async fn the_same_request_under_one_key_is_carried_out_once() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let jdl = json!({"name": "c", "param_file": "p", "exec_file": "echo", "clusters": {"dahu": {}}});
    let form = |text: &str| Form::new().text("jdl", jdl.to_string()).text("parameters", text.to_owned());
    let asked = (0..4).map(|_| send(to(&server, "/campaigns").multipart(form("a 'b\nc\n")), Some("k")));
    let answers = futures_util::future::join_all(asked).await;
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let (status, first) = &answers[0];
    assert_eq!((*status, first["warnings"].as_array().map(Vec::len)), (201, Some(2)), "{first}");
    assert_eq!(server.get("/campaigns?all=1").await["total"], 1);
    for other in [form("a 'b\n"), Form::new().text("jdl", jdl.to_string()).text("parameters", "x\n")] {
        let (status, error) = send(to(&server, "/campaigns").multipart(other), Some("k")).await;
        assert_eq!((status, &error["code"]), (422, &json!("idempotency_key")));
    }
    let path = jobs(&first["id"]);
    for _ in 0..3 {
        let (status, added) = send(to(&server, &path).json(&json!(["d"])), Some("\"l\"")).await;
        assert_eq!((status, &added["added"], &added["total_jobs"]), (201, &json!(1), &json!(3)), "{added}");
    }
    let big = (0..3).map(|_| send(to(&server, &path).multipart(list(lines(45_000))), Some("m")));
    for (status, added) in futures_util::future::join_all(big).await {
        assert_eq!((status, &added["added"], &added["total_jobs"]), (201, &json!(45_000), &json!(45_003)));
    }
    assert_eq!(left_behind(folder.path()), 0, "what came second left nothing");
    assert_eq!(send(to(&server, &path).json(&json!(["d"])), Some("k")).await.0, 422, "a key is one for all requests");
    for key in ["", "é", &"x".repeat(256)] {
        let request = to(&server, &path).json(&json!(["d"])).header("Idempotency-Key", key.as_bytes());
        let (status, error) = send(request, None).await;
        assert_eq!((status, &error["code"]), (400, &json!("idempotency_key")));
    }
    let total = &server.get(&format!("/campaigns/{}", first["id"])).await["total_jobs"];
    assert_eq!((total, server.get("/campaigns?all=1").await["total"].clone()), (&json!(45_003), json!(1)));
}

#[tokio::test]
async fn a_server_that_is_killed_while_it_receives_an_addition_shows_nothing_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let (_, new) = server.post("/campaigns", &campaign(folder.path(), 3, RECORD)).await;
    let shown = server.get(&format!("/campaigns/{}", new["id"])).await;
    // The list never ends: the connection is cut by the server's death.
    let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(lines(50_000))]);
    let endless = futures_util::StreamExt::chain(begun, futures_util::stream::pending());
    let form = Form::new().part("parameters", Part::stream(reqwest::Body::wrap_stream(endless)));
    let request = to(&server, &jobs(&new["id"])).multipart(form).header("Idempotency-Key", "k");
    let request = tokio::spawn(request.send());
    let deadline = Instant::now() + Duration::from_secs(60);
    while left_behind(folder.path()) == 0 {
        assert!(Instant::now() < deadline, "nothing of the list is written");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(server.get(&format!("/campaigns/{}", new["id"])).await, shown);
    server.signal(Signal::SIGKILL);
    assert!(request.await.unwrap().is_err());
    drop(server);
    let server = Server::start(folder.path(), &oar).await;
    assert_eq!(left_behind(folder.path()), 0);
    assert_eq!(server.get(&format!("/campaigns/{}", new["id"])).await, shown);
    let (status, added) = send(to(&server, &jobs(&new["id"])).multipart(list(lines(50_000))), Some("k")).await;
    assert_eq!((status, &added["total_jobs"]), (201, &json!(50_003)));
    let last = server.get(&format!("/campaigns/{}/parameters?offset=50002", new["id"])).await;
    assert_eq!(last["items"], json!(["line 49999"]));
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

/// Additions in the database that no task points to.
fn left_behind(folder: &Path) -> i64 {
    let file = folder.join("data").join("cigri.sqlite");
    let mut database = SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    let query = "SELECT count(*) AS value FROM addition WHERE first_index IS NULL";
    diesel::sql_query(query).get_result::<Count>(&mut database).unwrap().value
}
