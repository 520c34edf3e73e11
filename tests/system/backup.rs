//! `cigri admin backup` and `cigri admin restore` on a data directory: what was copied while it was used goes on from there.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};

use nix::sys::signal::Signal;

use crate::sandbox::{Sandbox, wait_until};
use crate::tasks::Told;

#[test]
fn a_copy_of_a_running_campaign_is_restored_and_the_campaign_finishes() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 60, "0.1");
    let run = sandbox.start(&["run", "c.json", "--cores", "2"]);
    wait_until("six tasks to end", || told.ended() >= 6);
    let backup = sandbox.cigri(&["admin", "backup", "copy"]);
    backup.expect(0);
    assert!(backup.stderr.contains("the key that seals tokens is not in it"), "{backup}");
    let mode = sandbox.path("copy").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "for its owner alone");
    let served = sandbox.cigri(&["admin", "restore", "copy"]);
    served.expect(6);
    assert!(served.error().contains("already serves"), "{served}");
    let ended = told.ended();
    wait_until("more tasks to end", || told.ended() >= ended + 10);
    run.signal(Signal::SIGKILL);
    run.wait();

    let restore = sandbox.cigri(&["admin", "restore", "copy"]);
    restore.expect(0);
    assert!(restore.stdout.contains(": 1 campaign") && restore.stderr.contains("before-restore-1"), "{restore}");
    let clusters = sandbox.json(&["clusters"]);
    let hold = clusters["items"][0]["hold"].as_str().unwrap();
    assert!(hold.contains("restored from a backup"), "{clusters}");
    let restored = &sandbox.campaigns()[0];
    assert!(restored["done"].as_u64().unwrap() < ended as u64 + 10, "the copy is of an earlier moment: {restored}");

    let last = sandbox.cigri(&["run", "c.json", "--cores", "2"]);
    last.expect(0);
    assert!(last.stdout.contains("60 of 60 tasks done"), "{last}");
    for (task, story) in told.stories() {
        assert!(!story.ended.is_empty(), "task {task}: {story:?}");
    }
    let events = sandbox.json(&["events", "last", "--all"]);
    let told_of = |event: &&serde_json::Value| event["code"] == "RESTORED";
    let event = events["items"].as_array().unwrap().iter().find(told_of).unwrap();
    assert_eq!(event["state"], "closed", "the cluster was searched: {event}");
}

#[test]
fn a_copy_goes_to_another_machine() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 3, "0");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    let copy = sandbox.cigri(&["admin", "backup", "copy", "--json"]);
    copy.expect(0);
    let elsewhere = sandbox.path("elsewhere");
    let there = ["--data-dir", elsewhere.to_str().unwrap()];
    sandbox.cigri(&[&["admin", "restore", "copy"], &there[..]].concat()).expect(0);
    let list = sandbox.json(&[&["list", "--all"], &there[..]].concat());
    assert_eq!((&list["total"], &list["items"][0]["done"]), (&1.into(), &3.into()), "{list}");
    let config = sandbox.write("server.toml", format!("data_dir = {:?}\n", sandbox.path("of-a-server")));
    sandbox.cigri(&["admin", "restore", "copy", "--config", config.to_str().unwrap()]).expect(0);
    assert!(sandbox.path("of-a-server/cigri.sqlite").exists());
    told.expect_all_done();
}

#[test]
fn a_file_that_is_there_is_replaced_only_when_told_to() {
    let sandbox = Sandbox::new();
    let copy = sandbox.write("copy", "something dear");
    let refused = sandbox.cigri(&["admin", "backup", "copy"]);
    refused.expect(6);
    assert!(refused.error().contains("--force"), "{refused}");
    assert_eq!(std::fs::read_to_string(&copy).unwrap(), "something dear");
    sandbox.cigri(&["admin", "backup", "copy", "--force"]).expect(0);
    assert!(std::fs::read(&copy).unwrap().starts_with(b"SQLite format 3\0"));
    let piped = sandbox.command(&["admin", "backup", "-"]).output().unwrap();
    assert!(piped.status.success() && piped.stdout.starts_with(b"SQLite format 3\0"), "{piped:?}");
}

#[test]
fn a_file_that_cannot_be_written_is_told_and_nothing_is_left() {
    let sandbox = Sandbox::new();
    let missing = sandbox.cigri(&["admin", "backup", "no/such/folder/copy"]);
    missing.expect(5);
    assert!(missing.error().contains("no/such/folder"), "{missing}");
    let device = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let full = sandbox.command(&["admin", "backup", "-"]).stdout(device).output().unwrap();
    assert_eq!(full.status.code(), Some(5), "{full:?}");
}

#[test]
fn what_is_no_whole_backup_is_refused_and_changes_nothing() {
    let sandbox = Sandbox::new();
    Told::write(&sandbox, "c.json", 3, "0");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox.cigri(&["admin", "backup", "copy"]).expect(0);
    let whole = std::fs::read(sandbox.path("copy")).unwrap();
    sandbox.write("text", "not a database at all");
    sandbox.write("empty", "");
    sandbox.write("cut", &whole[..whole.len() / 2]);
    for (file, reason) in [("text", "expected"), ("empty", "expected"), ("cut", "it has ")] {
        let refused = sandbox.cigri(&["admin", "restore", file]);
        refused.expect(6);
        assert!(refused.error().contains("nothing was restored") && refused.error().contains(reason), "{refused}");
    }
    let missing = sandbox.cigri(&["admin", "restore", "missing"]);
    missing.expect(5);
    assert!(missing.error().contains("missing"), "{missing}");
    let server = sandbox.cigri(&["--server", "some.sock", "admin", "restore", "copy"]);
    server.expect(2);
    assert!(server.error().contains("stop the server"), "{server}");
    assert_eq!(sandbox.campaigns()[0]["done"], 3);
    let names: Vec<_> = std::fs::read_dir(sandbox.data()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("restor")), "{names:?}");
}

/// Answers as a server would whose copy fails on the way.
fn serve_half_a_copy(listener: &UnixListener, head: &str) {
    loop {
        let mut accepted = None;
        wait_until("a request", || {
            accepted = listener.accept().ok();
            accepted.is_some()
        });
        let (mut stream, _) = accepted.unwrap();
        let request = read_head(&stream);
        if request.contains("/admin/backup") {
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n").unwrap();
            let body = if head.contains("chunked") { "6\r\nSQLite\r\n" } else { "SQLite" };
            stream.write_all(body.as_bytes()).unwrap();
            return;
        }
        let body = r#"{"version": "4", "status": "ok", "pid": 1, "runs_jobs": true}"#;
        let length = body.len();
        write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    }
}

fn read_head(stream: &UnixStream) -> String {
    let lines = BufReader::new(stream).lines().map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_copy_that_ends_too_early_is_never_taken_for_a_whole_one() {
    for head in ["transfer-encoding: chunked", "content-length: 8192"] {
        let sandbox = Sandbox::new();
        let listener = UnixListener::bind(sandbox.path("s.sock")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let run = sandbox.start(&["--server", "s.sock", "admin", "backup", "copy"]);
        serve_half_a_copy(&listener, head);
        let run = run.wait();
        run.expect(5);
        assert!(run.error().contains("went away"), "{run}");
        let names: Vec<_> =
            std::fs::read_dir(sandbox.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["s.sock"], "neither the file nor its part");
    }
}
