//! The seeded faults over HTTP: what the socket shows, and what the cluster did.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/real.rs"]
mod real;

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use oar_local::chaos::{ChaosConfig, Kind, Plan, Span};
use oar_local::machine::Runs;
use real::{PATIENCE, Site, call, eventually};
use serde_json::{Value, json};

/// How late late things are, milliseconds.
const LATE: u64 = 300;

fn plan(kind: Kind) -> Plan {
    Plan { late_ms: Span { least: LATE, most: LATE }, ..Plan::always(kind) }
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
    site.cluster.runs().get("true") == Some(&Runs { started: 1, ended: 1 })
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
