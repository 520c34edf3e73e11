//! The cluster over HTTP, and the program around it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/real.rs"]
mod real;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use real::{PATIENCE, Site};
use serde_json::{Value, json};

/// One request over a bare socket: status, headers in lower case, body.
fn exchange(address: &str, request: &str) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head, answer[end + 4..].to_vec())
}

fn get(address: &str, path: &str, token: &str) -> (u16, String, Vec<u8>) {
    let head = format!("GET {path} HTTP/1.1\r\nHost: cluster:6668\r\nAuthorization: Bearer {token}\r\n");
    exchange(address, &format!("{head}Connection: close\r\n\r\n"))
}

fn post(address: &str, path: &str, token: &str, body: &Value) -> (u16, Value) {
    let body = body.to_string();
    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n");
    let request = format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let (status, _, answer) = exchange(address, &request);
    (status, serde_json::from_slice(&answer).unwrap())
}

#[test]
fn a_job_goes_through_http_from_submission_to_output() {
    let site = Site::new(1);
    let token = site.cluster.issue_token("alice", Duration::from_secs(60));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let system = actix_web::rt::System::new();
    let server = site.cluster.serve(listener).unwrap();
    let handle = server.handle();
    let directory = site.directory();
    let client = std::thread::spawn(move || {
        let (status, answer) =
            post(&address, "/jobs", &token, &json!({ "command": "echo via http", "directory": directory }));
        assert_eq!((status, &answer), (200, &json!({ "id": 1 })));
        let deadline = Instant::now() + PATIENCE;
        let job = loop {
            let (_, head, body) = get(&address, "/jobs/1", "");
            assert!(head.contains("content-type: application/json"), "{head}");
            let job: Value = serde_json::from_slice(&body).unwrap();
            if job["state"] == "Terminated" {
                break job;
            }
            assert!(Instant::now() < deadline, "{job}");
            std::thread::sleep(Duration::from_millis(2));
        };
        let path = format!("/media?path_filename={directory}/{}", job["stdout_file"].as_str().unwrap());
        let (status, head, body) = get(&address, &path, &token);
        assert_eq!((status, body.as_slice()), (200, b"via http\n".as_slice()));
        assert!(head.contains("content-type: application/octet-stream"), "{head}");
        let (status, head, _) = get(&address, "/jobs/1/", "");
        assert!(status == 307 && head.contains("location: http://cluster:6668/jobs/1"), "{head}");
        let (status, _, body) = get(&address, "/jobs/99", "");
        assert_eq!((status, body.as_slice()), (500, b"Internal Server Error".as_slice()));
        let ids: String = (1..450).map(|id| format!("&job_ids={id}")).collect();
        assert_eq!(get(&address, &format!("/jobs?limit=500{ids}"), "").0, 200);
        let large = json!({ "command": "x", "hold": true, "param_file": vec!["y".repeat(1000); 2000].join("\n") });
        assert_eq!(post(&address, "/jobs", &token, &large).0, 200);
    });
    system.block_on(async move {
        let running = actix_web::rt::spawn(server);
        // The client's thread panics on a failure: either way it ends, and the server with it.
        let client = tokio::task::spawn_blocking(move || client.join()).await.unwrap();
        handle.stop(true).await;
        running.await.unwrap().unwrap();
        client.unwrap();
    });
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_oar-local"))
}

#[test]
fn the_program_stops_cleanly_on_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    let mut child = program()
        .args(["--listen", "127.0.0.1:0", "--cores", "2", "--state-dir"])
        .arg(&state)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("oar-local: 2 cores, http://127.0.0.1:"), "{line}");
    let token = program().args(["token", "--user", "bob", "--state-dir"]).arg(&state).output().unwrap();
    let token = String::from_utf8(token.stdout).unwrap();
    let address = line.trim().rsplit('/').next().unwrap();
    let (_, _, body) = get(address, "/whoami", token.trim());
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["authenticated_user"], "bob");
    let (status, _) = post(address, "/jobs", token.trim(), &json!({ "command": "sleep 600", "directory": "/tmp" }));
    assert_eq!(status, 200);
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(child.wait().unwrap().success());
    let journal = std::fs::read_to_string(state.join("journal.jsonl")).unwrap();
    assert!(journal.lines().last().unwrap().contains("\"Error\""), "the running job's end is recorded: {journal}");
}

#[test]
fn the_program_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let state = folder.path().join("state");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let below_file = file.join("state");
    let holder = Site::new(1);
    let busy = holder.folder.path().join("state");
    let refusal = |arguments: &[&str], state: &std::path::Path| {
        let mut command = program();
        command.args(arguments).arg("--state-dir").arg(state).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while process.try_wait().unwrap().is_none() {
            if Instant::now() > deadline {
                // A program that serves instead of refusing must not outlive the test.
                process.kill().unwrap();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let free = ["--listen", "127.0.0.1:0"];
    for (message, expected) in [
        (refusal(&["--listen", &taken], &state), "cannot listen on"),
        (refusal(&free, &below_file), "Not a directory"),
        (refusal(&free, &busy), "is used by another process"),
        (refusal(&[&free[..], &["--cores", "0"]].concat(), &state), "number of cores"),
        (refusal(&[&free[..], &["--kill-rate", "2"]].concat(), &state), "kill rate"),
        (refusal(&[&free[..], &["--secret-file", "/nosuch"]].concat(), &state), "/nosuch"),
    ] {
        assert!(message.starts_with("oar-local: ") && message.contains(expected), "{message}");
        assert_eq!(message.lines().count(), 1, "{message}");
    }
}
