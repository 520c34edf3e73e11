//! Tasks added to a campaign from the command line, and answers that are lost on the way back.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nix::sys::signal::Signal;

use crate::sandbox::{Sandbox, wait_until};

/// Each task appends its index and its parameter to `ran`.
const CAMPAIGN: &str = r#"{"name": "c", "param_file": "p.txt", "exec_file": "sh task.sh", "clusters": {"here": {}}}"#;

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("task.sh", "echo \"$CIGRI_TASK_INDEX $*\" >> ran\n");
    sandbox.write("p.txt", "a\nb\n");
    sandbox.write("c.json", CAMPAIGN);
    sandbox
}

/// What the tasks wrote, in the order of their indices.
fn ran(sandbox: &Sandbox) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.path("ran")).unwrap_or_default();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn a_finished_campaign_goes_on_with_the_tasks_that_are_added() {
    let sandbox = sandbox();
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox.write("more.txt", "c 1\n'd 2'\n");
    let added = sandbox.cigri(&["add", "last", "more.txt"]);
    added.expect(0);
    assert_eq!(added.stdout, "campaign 1: 2 tasks added, 4 in all\n", "{added}");
    let added = sandbox.json(&["add", "1", "--params", "e", "f"]);
    assert_eq!(
        (&added["added"], &added["total_jobs"], &added["state"]),
        (&2.into(), &6.into(), &"in_treatment".into())
    );
    let mut piped = sandbox.command(&["add", "1", "-"]);
    piped.stdin(Stdio::from(std::fs::File::open(sandbox.write("last.txt", "g")).unwrap()));
    let piped = sandbox.start_command(piped).wait();
    piped.expect(0);
    assert_eq!(piped.stdout, "campaign 1: 1 task added, 7 in all\n", "{piped}");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(ran(&sandbox), ["0 a", "1 b", "2 c 1", "3 d 2", "4 e", "5 f", "6 g"]);
    assert_eq!(sandbox.campaigns().len(), 1);
}

#[test]
fn a_file_that_has_grown_is_run_on_once_its_new_lines_were_added() {
    let sandbox = sandbox();
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox.write("p.txt", "a\nb\nc\nd\n");
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(6);
    assert!(run.error().contains("add 1 FILE` adds those of FILE to that campaign"), "{run}");
    sandbox.cigri(&["add", "1", "--params", "c", "d"]).expect(0);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(ran(&sandbox), ["0 a", "1 b", "2 c", "3 d"]);
    sandbox.write("p.txt", "a\nB\nc\nd\ne\n");
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(6);
    assert!(!run.error().contains("adds those of FILE"), "{run}");
}

#[test]
fn an_addition_that_cannot_be_is_told_and_changes_nothing() {
    let sandbox = sandbox();
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox.write("bad.txt", "fine\nnot \0 fine\n");
    for (words, code, told) in [
        (&["add", "1", "absent.txt"][..], 3, "absent.txt"),
        (&["add", "1", "."], 3, "directory"),
        (&["add", "1", "bad.txt"], 3, "line 2"),
        (&["add", "1", "/dev/null"], 3, "at least one line"),
        (&["add", "1", "--params", "a\nb"], 3, "jobs[0]"),
        (&["add", "9", "--params", "a"], 6, "campaign 9"),
        (&["add", "1"], 2, "--params"),
        (&["add", "1", "p.txt", "--params", "a"], 2, "cannot be used with"),
        (&["add", "1", "p.txt", "--idempotency-key", "é"], 2, "printable ASCII"),
    ] {
        let run = sandbox.cigri(words);
        run.expect(code);
        assert!(run.error().contains(told), "{words:?}: {run}");
    }
    sandbox.cigri(&["add", "1", "p.txt"]).expect(0);
    sandbox.cigri(&["cancel", "1"]).expect(0);
    let run = sandbox.cigri(&["add", "1", "p.txt"]);
    run.expect(6);
    assert!(run.error().contains("Unable to add jobs to campaign 1: it was cancelled"), "{run}");
    assert_eq!(sandbox.campaigns()[0]["total_jobs"], 4);
}

#[test]
fn a_key_of_the_users_own_makes_one_campaign_and_one_addition() {
    let sandbox = sandbox();
    let submit = ["submit", "c.json", "--new", "--idempotency-key", "monday"];
    for tasks in [2, 3] {
        let run = sandbox.cigri(&submit);
        run.expect(0);
        assert_eq!(run.stdout, format!("campaign 1 accepted: {tasks} tasks\n"), "the same campaign, as it is now");
        sandbox.cigri(&["add", "1", "--params", "c", "--idempotency-key", "tuesday"]).expect(0);
    }
    assert_eq!((sandbox.campaigns().len(), &sandbox.campaigns()[0]["total_jobs"]), (1, &3.into()));
    sandbox.write("p.txt", "other\n");
    let run = sandbox.cigri(&submit);
    run.expect(6);
    assert!(run.error().contains("came with another request before"), "{run}");
}

/// Stands between `cigri` and its server, and loses the answers to the first POSTs after they were carried out.
struct Lossy {
    socket: PathBuf,
    posts: Arc<AtomicUsize>,
}

impl Lossy {
    fn start(sandbox: &Sandbox, losses: usize) -> Lossy {
        let (socket, server) = (sandbox.path("lossy.sock"), sandbox.data().join("cigri.sock"));
        let listener = UnixListener::bind(&socket).unwrap();
        let posts = Arc::new(AtomicUsize::new(0));
        let counter = posts.clone();
        // Ends with the test's process: it waits for connections, and holds nothing.
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (server, posts) = (UnixStream::connect(&server), counter.clone());
                let (Ok(client), Ok(server)) = (client, server) else { return };
                std::thread::spawn(move || pass(client, server, &posts, losses));
            }
        });
        Lossy { socket, posts }
    }
}

fn pass(mut client: UnixStream, mut server: UnixStream, posts: &Arc<AtomicUsize>, losses: usize) {
    let (mut answers, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let loses = Arc::new(AtomicUsize::new(0));
    let losing = loses.clone();
    std::thread::spawn(move || {
        let mut piece = [0; 65536];
        while let Ok(read @ 1..) = answers.read(&mut piece) {
            if losing.load(Ordering::SeqCst) > 0 || back.write_all(&piece[..read]).is_err() {
                break;
            }
        }
        back.shutdown(Shutdown::Both).ok();
    });
    let mut piece = [0; 65536];
    while let Ok(read @ 1..) = client.read(&mut piece) {
        if piece.starts_with(b"POST ") && posts.fetch_add(1, Ordering::SeqCst) < losses {
            loses.store(1, Ordering::SeqCst);
        }
        if server.write_all(&piece[..read]).is_err() {
            break;
        }
    }
}

#[test]
fn an_answer_that_is_lost_doubles_neither_campaigns_nor_tasks() {
    let sandbox = sandbox();
    sandbox.write("long.json", r#"{"name": "long", "nb_jobs": 1, "exec_file": "sleep 600", "clusters": {"here": {}}}"#);
    let long = sandbox.start(&["run", "long.json"]);
    wait_until("the server of the data directory answers", || sandbox.cigri(&["status", "1"]).status.success());
    for (words, told) in [
        (&["submit", "c.json"][..], "campaign 2 accepted: 2 tasks"),
        (&["add", "2", "p.txt"], "campaign 2: 2 tasks added, 4 in all"),
        (&["add", "2", "--params", "x"], "campaign 2: 1 task added, 5 in all"),
    ] {
        let lossy = Lossy::start(&sandbox, 1);
        let socket = lossy.socket.to_str().unwrap().to_owned();
        let run = sandbox.cigri(&[&["--server", &socket], words].concat());
        run.expect(0);
        assert!(run.stdout.starts_with(told), "{run}");
        assert_eq!(lossy.posts.load(Ordering::SeqCst), 2, "it was sent twice");
        std::fs::remove_file(&lossy.socket).unwrap();
    }
    // What came through a pipe cannot be sent again: that is told, and the answer is not made up.
    let lossy = Lossy::start(&sandbox, 1);
    let mut piped = sandbox.command(&["--server", lossy.socket.to_str().unwrap(), "add", "2", "-"]);
    piped.stdin(Stdio::from(std::fs::File::open(sandbox.path("p.txt")).unwrap()));
    sandbox.start_command(piped).wait().expect(5);
    assert_eq!(sandbox.campaigns().iter().map(|one| one["total_jobs"].as_u64().unwrap()).sum::<u64>(), 1 + 7);
    long.signal(Signal::SIGTERM);
    long.wait();
}
