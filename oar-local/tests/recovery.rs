//! What a cluster knows after its program ended, in good order or by `kill -9`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/real.rs"]
mod real;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use oar_local::{LocalCluster, OpenError};
use real::{call, config, event_types, eventually, is_alive, job, pid_in, wait_for};
use serde_json::{Value, json};

fn submit(cluster: &LocalCluster, folder: &Path, body: &Value) -> u64 {
    let mut full = json!({ "directory": folder });
    full.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let (_, answer) = call(cluster, "POST", "/jobs", &full.to_string());
    serde_json::from_slice::<Value>(&answer).unwrap()["id"].as_u64().unwrap()
}

fn open(folder: &Path) -> LocalCluster {
    LocalCluster::open(config(folder, 1)).unwrap()
}

#[test]
fn everything_is_known_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = open(folder.path());
    let ended = submit(&cluster, folder.path(), &json!({ "command": "echo hi; exit 3", "name": "a" }));
    let ended = wait_for(&cluster, ended, &["Terminated"]);
    let held = submit(&cluster, folder.path(), &json!({ "command": "x", "hold": true }));
    let deleted = submit(&cluster, folder.path(), &json!({ "command": "x", "hold": true }));
    call(&cluster, "DELETE", &format!("/jobs/{deleted}"), "");
    let deleted = job(&cluster, deleted);
    let resumed = submit(&cluster, folder.path(), &json!({ "command": "x", "hold": true, "after": [held] }));
    call(&cluster, "POST", &format!("/jobs/{resumed}/resumptions/new"), "");
    let before = [ended, job(&cluster, held), deleted, job(&cluster, resumed)];
    drop(cluster);

    let cluster = open(folder.path());
    for known in &before {
        assert_eq!(&job(&cluster, known["id"].as_u64().unwrap()), known);
    }
    let path = format!("{}/{}", folder.path().display(), before[0]["stdout_file"].as_str().unwrap());
    assert_eq!(call(&cluster, "GET", &format!("/media?path_filename={path}"), "").1, b"hi\n");
    let next = submit(&cluster, folder.path(), &json!({ "command": "x", "hold": true }));
    assert_eq!(next, resumed + 1, "no id is used again");
    call(&cluster, "DELETE", &format!("/jobs/{held}"), "");
    wait_for(&cluster, resumed, &["Terminated"]);
}

#[test]
fn waiting_jobs_run_after_a_restart_and_stopped_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = open(folder.path());
    let running = submit(&cluster, folder.path(), &json!({ "command": "sleep 600" }));
    let waiting = submit(&cluster, folder.path(), &json!({ "command": "echo ran" }));
    wait_for(&cluster, running, &["Running"]);
    cluster.shutdown();
    drop(cluster);
    let cluster = open(folder.path());
    assert_eq!(job(&cluster, running)["state"], "Error");
    assert_eq!(wait_for(&cluster, waiting, &["Terminated"])["exit_code"], 0);
}

#[test]
fn two_processes_cannot_use_one_directory() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = open(folder.path());
    let error = LocalCluster::open(config(folder.path(), 1)).unwrap_err();
    assert!(matches!(error, OpenError::Busy(_)), "{error}");
    drop(cluster);
    open(folder.path());
}

#[test]
fn bad_configurations_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for change in [
        |config: &mut oar_local::Config| config.cores = 100_001,
        |config: &mut oar_local::Config| config.kill_rate = 1.5,
        |config: &mut oar_local::Config| config.kill_rate = f64::NAN,
        |config: &mut oar_local::Config| config.secret.clear(),
    ] {
        let mut bad = config(folder.path(), 1);
        change(&mut bad);
        assert!(matches!(LocalCluster::open(bad), Err(OpenError::Configuration(_))));
    }
}

#[test]
fn a_cluster_without_cores_can_be_read_and_starts_nothing() {
    for lenient in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let cluster = open(folder.path());
        let gate = submit(&cluster, folder.path(), &json!({ "command": "x", "hold": true }));
        let waiting = submit(&cluster, folder.path(), &json!({ "command": "/bin/true", "after": [gate] }));
        drop(cluster);
        let reader = LocalCluster::open(oar_local::Config { lenient, ..config(folder.path(), 0) }).unwrap();
        call(&reader, "DELETE", &format!("/jobs/{gate}"), "");
        if lenient {
            submit(&reader, folder.path(), &json!({ "command": "x", "resource": ["/nodes=1/core=2"] }));
        }
        assert_eq!(job(&reader, waiting)["state"], "Waiting");
        drop(reader);
        wait_for(&open(folder.path()), waiting, &["Terminated"]);
    }
}

#[test]
fn jobs_of_last_week_are_forgotten_but_their_ids_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let cluster = open(folder.path());
    submit(&cluster, folder.path(), &json!({ "command": "/bin/true", "param_file": "1\n2" }));
    wait_for(&cluster, 2, &["Terminated"]);
    let kept = submit(&cluster, folder.path(), &json!({ "command": "/bin/true", "hold": true }));
    drop(cluster);
    // The same journal, eight days older.
    let path = state.join("journal.jsonl");
    let old = std::fs::read_to_string(&path).unwrap();
    let week = 8 * 24 * 3600;
    let aged: String = old.lines().map(|line| age(line, week) + "\n").collect();
    std::fs::write(&path, aged).unwrap();
    let cluster = open(folder.path());
    assert_eq!(call(&cluster, "GET", "/jobs/1", "").0, 500);
    assert_eq!(job(&cluster, kept)["state"], "Hold");
    assert_eq!(submit(&cluster, folder.path(), &json!({ "command": "x", "hold": true })), kept + 1);
    assert!(std::fs::read_to_string(&path).unwrap().lines().count() < old.lines().count());
}

/// Makes every date of a record older.
fn age(line: &str, seconds: i64) -> String {
    fn visit(value: &mut Value, seconds: i64) {
        match value {
            Value::Number(number) if number.as_i64().is_some_and(|date| date > 1_000_000_000) => {
                *value = json!(number.as_i64().unwrap() - seconds);
            }
            Value::Array(items) => items.iter_mut().for_each(|item| visit(item, seconds)),
            Value::Object(fields) => fields.values_mut().for_each(|field| visit(field, seconds)),
            _ => {}
        }
    }
    let mut record: Value = serde_json::from_str(line).unwrap();
    visit(&mut record, seconds);
    record.to_string()
}

/// The real program, which can be killed without asking.
struct Program {
    child: Child,
    address: String,
}

impl Program {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_oar-local"))
            .args(["--listen", "127.0.0.1:0", "--cores", "1", "--output", "captured", "--state-dir"])
            .arg(folder.join("state"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (_, address) = line.trim().split_once("http://").expect(&line);
        Self { child, address: address.to_owned() }
    }

    fn token(folder: &Path) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_oar-local"))
            .args(["token", "--user", "alice", "--state-dir"])
            .arg(folder.join("state"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// A POST over a bare socket.
    fn submit(&self, token: &str, body: &Value) {
        let body = body.to_string();
        let mut stream = std::net::TcpStream::connect(&self.address).unwrap();
        let head = format!(
            "POST /jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut status = String::new();
        BufReader::new(stream).read_line(&mut status).unwrap();
        assert!(status.starts_with("HTTP/1.1 200"), "{status}");
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

#[test]
fn after_a_kill_minus_nine_the_orphans_die_and_their_job_is_in_error() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let token = Program::token(folder.path());
    let command = "echo $$ > pid; sleep 600 & echo $! > child; wait";
    program.submit(&token, &json!({ "command": command, "directory": folder.path() }));
    program.submit(&token, &json!({ "command": "echo ran", "directory": folder.path() }));
    let orphans = [pid_in(&folder.path().join("pid")), pid_in(&folder.path().join("child"))];
    program.kill();
    assert!(orphans.iter().all(|pid| is_alive(*pid)), "they live on without the program");
    // As if the crash had come in the middle of a record.
    let journal = folder.path().join("state/journal.jsonl");
    std::fs::OpenOptions::new().append(true).open(&journal).unwrap().write_all(b"{\"end\":[2,\"Term").unwrap();

    let cluster = open(folder.path());
    eventually("the end of the orphans", || orphans.iter().all(|pid| !is_alive(*pid)));
    let lost = job(&cluster, 1);
    assert_eq!((&lost["state"], lost.get("exit_code")), (&json!("Error"), None));
    assert_eq!(lost["message"], "Job exterminated by Leon");
    assert_eq!(event_types(&lost), ["SEND_KILL_JOB", "EXTERMINATE_JOB", "SWITCH_INTO_ERROR_STATE"]);
    assert_eq!(wait_for(&cluster, 2, &["Terminated"])["exit_code"], 0);
}
