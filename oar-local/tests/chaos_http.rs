//! The seeded faults over HTTP: what the socket shows, and what the cluster did.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/real.rs"]
mod real;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use oar_local::LocalCluster;
use oar_local::chaos::{ChaosConfig, Kind, Plan, Span};
use oar_local::machine::Runs;
use real::{PATIENCE, Site, call, event_types, eventually, is_alive, pid_in};
use serde_json::{Value, json};

/// How late late things are, milliseconds.
const LATE: u64 = 300;

fn plan(kind: Kind) -> Plan {
    let late = Span { least: LATE, most: LATE };
    Plan { late_ms: late, trouble_ms: late, ..Plan::always(kind) }
}

/// Sends a request and leaves the connection open.
fn send(address: &str, method: &str, path: &str, token: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n");
    let request = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Everything that is answered; the error of a connection that breaks.
fn read(mut stream: TcpStream) -> Result<String, ErrorKind> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(|error| error.kind())?;
    Ok(answer)
}

/// Runs a client against a site that is served over HTTP: it gets the site, the address and a token.
fn serve(kind: Kind, client: impl FnOnce(&Site, &str, &str) + Send + 'static) {
    let site = Site::with(2, |config| config.chaos = Some(ChaosConfig { seed: 1, plan: plan(kind) }));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let system = actix_web::rt::System::new();
    let server = site.cluster.serve(listener).unwrap();
    let handle = server.handle();
    let token = site.cluster.issue_token("alice", Duration::from_secs(600));
    let client = std::thread::spawn(move || client(&site, &address, &token));
    system.block_on(async move {
        let running = actix_web::rt::spawn(server);
        let client = tokio::task::spawn_blocking(move || client.join()).await.unwrap();
        handle.stop(true).await;
        running.await.unwrap().unwrap();
        client.unwrap();
    });
}

fn job(site: &Site) -> String {
    json!({ "command": "true", "directory": site.directory() }).to_string()
}

fn once(site: &Site) -> bool {
    site.cluster.runs().get("true") == Some(&Runs { started: 1, copies: 0, ended: 1 })
}

#[test]
fn a_lost_answer_is_a_connection_that_closes_without_one() {
    serve(Kind::LostAfter, |site, address, token| {
        assert_eq!(read(send(address, "POST", "/jobs", token, &job(site))), Ok(String::new()));
        eventually("the job's end", || once(site));
        assert_eq!(site.cluster.chaos_report().unwrap().faults, [(Kind::LostAfter, 1)].into());
        site.cluster.stop_faults();
        let answer = read(send(address, "GET", "/jobs/1", "", "")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    });
}

#[test]
fn a_reset_connection_did_nothing() {
    serve(Kind::Reset, |site, address, token| {
        assert_eq!(read(send(address, "POST", "/jobs", token, &job(site))), Err(ErrorKind::ConnectionReset));
        assert_eq!(call(&site.cluster, "GET", "/jobs?job_ids=1", "").1, br#"{"total":0,"offset":0,"items":[]}"#);
    });
}

#[test]
fn a_late_request_is_carried_out_for_a_client_that_left() {
    serve(Kind::Late, |site, address, token| {
        let begin = Instant::now();
        drop(send(address, "POST", "/jobs", token, &job(site)));
        eventually("the job's end", || once(site));
        assert!(begin.elapsed() >= Duration::from_millis(LATE));
        let answer = read(send(address, "GET", "/jobs/1", "", "")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "one that waits gets its answer: {answer}");
    });
}

#[test]
fn an_unfinished_submission_goes_on_and_is_answered() {
    serve(Kind::Unfinished, |site, address, token| {
        let begin = Instant::now();
        let answer = read(send(address, "POST", "/jobs", token, &job(site))).unwrap();
        assert!(answer.ends_with(r#"{"id":1}"#), "{answer}");
        assert!(begin.elapsed() >= Duration::from_millis(LATE));
        eventually("the job's end", || once(site));
    });
}

/// A best-effort job that runs, once it does: its process.
fn running(site: &Site) -> u32 {
    let command = "echo $$ > pid; exec sleep 600";
    let id = site.submit(&json!({ "command": command, "type": ["besteffort"] }));
    site.wait_for(id, &["Running"]);
    pid_in(&site.folder.path().join("pid"))
}

#[test]
fn a_node_that_fails_kills_its_job_and_oar_copies_it() {
    serve(Kind::Resubmit, |site, address, _| {
        let pid = running(site);
        assert!(read(send(address, "GET", "/", "", "")).unwrap().starts_with("HTTP/1.1 200 "));
        site.cluster.stop_faults();
        let failed = site.wait_for(1, &["Error"]);
        assert!(!is_alive(pid), "the job's process is dead before the job is in Error");
        assert_eq!(event_types(&failed)[0], "PING_CHECKER_NODE_SUSPECTED");
        eventually("OAR's answer", || site.job(1)["events"][0]["to_check"] == "NO");
        assert_eq!(event_types(&site.job(1)), ["PING_CHECKER_NODE_SUSPECTED", "RESUBMIT_JOB_AUTOMATICALLY"]);
        let copy = site.wait_for(2, &["Running"]);
        assert_eq!((&copy["resubmit_job_id"], &copy["command"]), (&json!(1), &failed["command"]));
        site.delete(2);
        site.end_of(2);
        assert_eq!(site.cluster.runs()["echo $$ > pid; exec sleep 600"], Runs { started: 2, copies: 1, ended: 0 });
    });
}

#[test]
fn a_forgotten_job_is_dead_and_gone_also_for_the_next_life_of_the_cluster() {
    serve(Kind::Forget, |site, address, _| {
        let pid = running(site);
        assert!(read(send(address, "GET", "/", "", "")).unwrap().starts_with("HTTP/1.1 200 "));
        site.cluster.stop_faults();
        eventually("its end", || read(send(address, "GET", "/jobs/1", "", "")).unwrap().starts_with("HTTP/1.1 500 "));
        assert!(!is_alive(pid));
        assert_eq!(site.cluster.runs().values().collect::<Vec<_>>(), [&Runs { started: 1, copies: 0, ended: 0 }]);
        let gate = site.submit(&json!({ "command": "false", "hold": true, "type": ["besteffort"] }));
        let waits = json!({ "command": "true", "after": [gate], "type": ["besteffort"] });
        let waiting = site.submit(&waits);
        site.delete(gate);
        assert_eq!(site.end_of(waiting)["state"], "Terminated", "a gate that is deleted by hand still opens");
        site.cluster.shutdown();
        let again = LocalCluster::open(real::config(site.folder.path(), 2)).unwrap();
        assert_eq!(call(&again, "GET", "/jobs/1", "").0, 500);
        assert_eq!(real::job(&again, waiting)["state"], "Terminated");
    });
}

#[test]
fn a_real_cluster_can_be_reset_and_restored() {
    let site = Site::new(2);
    let pid = running(&site);
    site.cluster.restore_to(1);
    assert!(is_alive(pid), "a job that the restored database knows goes on");
    site.cluster.reset(1);
    eventually("the reset", || call(&site.cluster, "GET", "/jobs/1", "").0 == 500);
    assert!(!is_alive(pid));
    assert_eq!(site.submit(&json!({ "command": "true" })), 1);
    assert_eq!(site.end_of(1)["exit_code"], 0);
    assert_eq!(site.cluster.runs().len(), 2);
}

fn program(arguments: &[&str], folder: &std::path::Path) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_oar-local"));
    program.args(["--listen", "127.0.0.1:0", "--cores", "1", "--state-dir"]).arg(folder.join("state")).args(arguments);
    program
}

fn signal(child: &Child, signal: Signal) {
    kill(nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

#[test]
fn the_program_fails_by_seed_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plan.json");
    std::fs::write(&file, serde_json::to_string(&plan(Kind::FailedBefore)).unwrap()).unwrap();
    let arguments = ["--chaos", "5", "--chaos-plan", file.to_str().unwrap()];
    let mut child = program(&arguments, folder.path()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    let address = first.rsplit('/').next().unwrap();
    let status = || read(send(address, "GET", "/version", "", "")).unwrap()[9..12].to_owned();
    assert_eq!(status(), "500");
    signal(&child, Signal::SIGUSR1);
    eventually("an answer", || status() == "200");
    signal(&child, Signal::SIGTERM);
    assert!(child.wait().unwrap().success());
    let report = lines.next().unwrap().unwrap();
    let report: Value = serde_json::from_str(report.strip_prefix("oar-local: chaos ").unwrap()).unwrap();
    assert!(report["faults"]["failed_before"].as_u64() >= Some(1), "{report}");

    std::fs::write(&file, r#"{"chances": {"late": 7}}"#).unwrap();
    let refused = program(&arguments, folder.path()).output().unwrap();
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && message.contains("the chance of Late must be"), "{message}");
}

#[test]
fn the_help_names_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(program(&["--help"], folder.path()).output().unwrap().stdout).unwrap();
    for kind in Kind::ALL {
        let name = serde_json::to_value(kind).unwrap();
        assert!(help.contains(name.as_str().unwrap()), "{name}: {help}");
    }
}
