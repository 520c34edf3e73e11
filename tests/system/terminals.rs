//! Several terminals over one data directory: the first serves, the others attach, and take over when it goes.

use nix::sys::signal::Signal;

use crate::sandbox::{Sandbox, wait_until};
use crate::tasks::Told;

#[test]
fn a_second_terminal_looks_on_and_cancels() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 1000, "0.05");
    let mut first = sandbox.start(&["run", "c.json", "--cores", "2"]);
    wait_until("some tasks to end", || told.ended() >= 5);

    let status = sandbox.json(&["status", "last"]);
    assert_eq!((&status["state"], &status["total_jobs"]), (&"in_treatment".into(), &1000.into()), "{status}");
    let shown = sandbox.cigri(&["status", "1"]);
    shown.expect(0);
    assert!(shown.stdout.contains("campaign 1 `told`: in_treatment"), "{shown}");
    wait_until("a job to be seen done", || {
        let jobs = sandbox.json(&["jobs", "1", "--state", "done", "--limit", "1"]);
        jobs["items"].as_array().unwrap().len() == 1
    });
    assert!(first.is_running());

    sandbox.cigri(&["cancel", "1"]).expect(0);
    let first = first.wait();
    first.expect(4);
    assert!(first.stdout.contains("cancelled"), "{first}");
    let status = sandbox.json(&["status", "1"]);
    assert_eq!(status["state"], "cancelled", "{status}");
    let total = ["done", "failed", "cancelled"].iter().map(|word| status[word].as_u64().unwrap()).sum::<u64>();
    assert_eq!(total, 1000, "every task has an end: {status}");
}

#[test]
fn the_output_of_a_job_is_there_while_others_run() {
    let sandbox = Sandbox::new();
    sandbox.write("task.sh", "echo \"out of $1\"\necho \"err of $1\" >&2\n[ $1 -eq 0 ] || exec sleep 60\n");
    let text = r#"{"name": "l", "nb_jobs": 3, "exec_file": "sh task.sh", "clusters": {"here": {}}}"#;
    sandbox.write("c.json", text);
    let mut first = sandbox.start(&["run", "c.json", "--cores", "2"]);
    wait_until("the campaign to be there", || !sandbox.campaigns().is_empty());
    let mut job = 0;
    wait_until("task 0 to be done", || {
        let jobs = sandbox.json(&["jobs", "--task", "0", "--state", "done"]);
        job = jobs["items"][0]["id"].as_i64().unwrap_or_default();
        job > 0
    });
    let job = job.to_string();
    assert_eq!(sandbox.cigri(&["logs", &job]).stdout, "out of 0\n");
    assert_eq!(sandbox.cigri(&["logs", &job, "--err", "--tail", "1"]).stdout, "err of 0\n");
    assert!(first.is_running());
    first.signal(Signal::SIGINT);
    first.wait().expect(4);
    assert_eq!(sandbox.cigri(&["logs", &job]).stdout, "out of 0\n", "and when nobody serves");
}

#[test]
fn one_file_in_several_terminals_is_one_campaign() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 12, "0.1");
    let all: Vec<_> = (0..3).map(|_| sandbox.start(&["run", "c.json", "--cores", "2"])).collect();
    for run in all {
        run.wait().expect(0);
    }
    assert_eq!(sandbox.campaigns().len(), 1);
    assert!(told.stories().values().all(|story| story.begun == [1] && story.ended == [1]));
}

#[test]
fn another_file_runs_beside_the_first() {
    let sandbox = Sandbox::new();
    let long = Told::write(&sandbox, "long.json", 1000, "0.05");
    let short = Told::write(&sandbox, "short.json", 4, "0.01");
    let mut first = sandbox.start(&["run", "long.json", "--cores", "2"]);
    wait_until("the first to run", || long.begun() > 0);
    let second = sandbox.cigri(&["run", "short.json"]);
    second.expect(0);
    short.expect_all_done();
    assert!(first.is_running());
    first.signal(Signal::SIGINT);
    first.wait().expect(4);
}

#[test]
fn the_first_serves_on_until_the_others_are_done() {
    let sandbox = Sandbox::new();
    let waits = r#"{"name": "w", "params": [""], "exec_file": "until [ -e go ]; do sleep 0.02; done; true",
        "clusters": {"here": {}}}"#;
    sandbox.write("waits.json", waits);
    let long = Told::write(&sandbox, "long.json", 12, "0.3");
    let first = sandbox.start(&["run", "waits.json", "--cores", "2"]);
    wait_until("the first to serve", || sandbox.campaigns().len() == 1);
    let second = sandbox.start(&["run", "long.json"]);
    wait_until("the second's tasks to run", || long.begun() > 0);
    sandbox.write("go", "");
    let second = second.wait();
    second.expect(0);
    let first = first.wait();
    first.expect(0);
    assert!(first.stderr.contains("still running campaigns of others"), "{first}");
    assert!(!second.stderr.contains("goes on with them"), "nobody had to take over: {second}");
    long.expect_all_done();
}

#[test]
fn the_second_takes_over_when_the_first_goes() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let sandbox = Sandbox::new();
        let one = Told::write(&sandbox, "one.json", 30, "0.1");
        let two = Told::write(&sandbox, "two.json", 30, "0.1");
        let first = sandbox.start(&["run", "one.json", "--cores", "2"]);
        wait_until("the first to run", || one.ended() >= 2);
        let second = sandbox.start(&["run", "two.json", "--cores", "4"]);
        wait_until("the second to run", || two.begun() > 0);
        first.signal(signal);
        first.wait();
        let second = second.wait();
        second.expect(0);
        assert!(second.stderr.contains("this one goes on with them"), "{second}");
        two.expect_all_done();
        // Paused by its own Ctrl-C, or gone on with by the second: the same command ends it.
        sandbox.cigri(&["run", "one.json"]).expect(0);
        one.expect_all_done();
    }
}

#[test]
fn ctrl_c_in_the_second_terminal_pauses_its_own_campaign_only() {
    let sandbox = Sandbox::new();
    let one = Told::write(&sandbox, "one.json", 16, "0.2");
    let two = Told::write(&sandbox, "two.json", 1000, "0.05");
    let first = sandbox.start(&["run", "one.json", "--cores", "2"]);
    wait_until("the first to run", || one.begun() > 0);
    let second = sandbox.start(&["run", "two.json"]);
    wait_until("the second to run", || two.begun() > 0);
    second.signal(Signal::SIGINT);
    second.wait().expect(4);
    first.wait().expect(0);
    one.expect_all_done();
    assert_eq!(sandbox.json(&["status", "2"])["state"], "paused");
}

#[test]
fn pause_and_resume_from_another_terminal() {
    let sandbox = Sandbox::new();
    let told = Told::write(&sandbox, "c.json", 300, "0.02");
    let first = sandbox.start(&["run", "c.json", "--cores", "2"]);
    wait_until("a task to end", || told.ended() > 0);
    sandbox.cigri(&["pause", "last"]).expect(0);
    let first = first.wait();
    first.expect(4);
    assert!(first.stdout.contains("it is paused"), "{first}");
    assert!(told.ended() < 300);
    sandbox.cigri(&["resume", "last"]).expect(0);
    assert_eq!(sandbox.json(&["status"])["state"], "in_treatment");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    told.expect_all_done();
}
