//! Ctrl-C and `kill -9`: whatever ends `cigri`, the same command goes on and nothing is lost.

use nix::sys::signal::Signal;

use crate::sandbox::{Sandbox, wait_until};
use crate::tasks::Told;

#[test]
fn ctrl_c_pauses_and_the_same_command_goes_on() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let sandbox = Sandbox::new();
        let told = Told::write(&sandbox, "c.json", 40, "0.1");
        let first = sandbox.start(&["run", "c.json", "--cores", "2"]);
        wait_until("six tasks to end", || told.ended() >= 6);
        first.signal(signal);
        let first = first.wait();
        first.expect(4);
        assert!(first.stdout.contains("to go on:"), "{first}");
        assert!(first.stdout.contains("run c.json --cores 2"), "the command is shown: {first}");
        assert!(!sandbox.data().join("cigri.sock").exists(), "nobody serves any more");
        assert_eq!(sandbox.json(&["status"])["state"], "paused");

        let done_before = told.ended();
        assert!(done_before < 40);
        let second = sandbox.cigri(&["run", "c.json", "--cores", "2"]);
        second.expect(0);
        assert!(second.stdout.contains("40 of 40 tasks done"), "{second}");
        told.expect_all_done();
        let again = told.stories().values().filter(|story| story.begun.len() > 1).count();
        assert!(again <= 4, "only what was running then is run again, not {again} tasks");
    }
}

#[test]
fn nothing_of_a_paused_campaign_runs() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 20, "60");
    let first = sandbox.start(&["run", "c.json", "--cores", "3"]);
    wait_until("three tasks to begin", || told.begun() == 3);
    first.signal(Signal::SIGINT);
    first.wait().expect(4);
    let path = sandbox.path("");
    wait_until("the tasks to be gone", || processes_in(&path) == 0);
    assert_eq!(told.ended(), 0);
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 4, "0.3");
    let mut first = sandbox.start(&["run", "c.json", "--cores", "2"]);
    wait_until("a task to begin", || told.begun() > 0);
    while first.is_running() {
        first.signal(Signal::SIGINT);
        std::thread::yield_now();
    }
    let first = first.wait();
    // A first Ctrl-C may have been quick enough to pause cleanly.
    assert!(matches!(first.status.code(), Some(130 | 4)), "{first}");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    told.expect_all_done();
}

#[test]
fn kill_9_loses_nothing() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 40, "0.1");
    // Killed again and again, at whatever it is doing then.
    for ended in [4, 12, 24] {
        let first = sandbox.start(&["run", "c.json", "--cores", "2"]);
        wait_until("some tasks to end", || told.ended() >= ended);
        first.signal(Signal::SIGKILL);
        first.wait();
    }
    let last = sandbox.cigri(&["run", "c.json", "--cores", "2"]);
    last.expect(0);
    assert!(last.stdout.contains("40 of 40 tasks done"), "{last}");
    told.expect_all_done();
    assert_eq!(sandbox.campaigns().len(), 1);

    // Every attempt that wrote something is in the books.
    for (task, story) in told.stories() {
        let jobs = sandbox.json(&["jobs", "last", "--task", &task.to_string()]);
        let known: Vec<u64> =
            jobs["items"].as_array().unwrap().iter().filter_map(|job| job["attempt"].as_u64()).collect();
        for attempt in story.begun {
            assert!(known.contains(&u64::from(attempt)), "attempt {attempt} of task {task} is not among {known:?}");
        }
    }
}

/// How many processes have their working directory there.
fn processes_in(folder: &std::path::Path) -> usize {
    let folder = folder.canonicalize().unwrap();
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd == folder)).count()
}
