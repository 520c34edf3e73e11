//! Prologues, epilogues and samples, told by files that the scripts themselves write.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, wait_until};

/// A campaign of `count` tasks, each of which runs `task.sh`; `more` fields.
fn campaign(sandbox: &Sandbox, (script, count): (&str, u64), clusters: &[&str], more: Value) {
    sandbox.write("task.sh", script);
    let clusters: serde_json::Map<String, Value> =
        clusters.iter().map(|name| ((*name).to_owned(), json!({}))).collect();
    let mut text = json!({"name": "s", "nb_jobs": count, "exec_file": "sh task.sh", "clusters": clusters});
    text.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    sandbox.write("c.json", text.to_string());
}

fn lines(sandbox: &Sandbox, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(sandbox.path(name)).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Fails unless the prologue has made its folder.
const TASK: &str = "[ -d scratch ] || exit 9\necho task >>story\n";

#[test]
fn the_prologue_runs_before_the_first_task_and_the_epilogue_after_the_last() {
    let sandbox = Sandbox::new();
    let steps = json!({
        "prologue": ["mkdir scratch", "echo \"prologue of {CAMPAIGN_ID} it's $CIGRI_CLUSTER\" >>story"],
        "epilogue": ["rmdir scratch", "echo epilogue >>story"],
    });
    campaign(&sandbox, (TASK, 20), &["here"], steps);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    let story = lines(&sandbox, "story");
    assert_eq!(story.first().unwrap(), "prologue of 1 it's here", "{story:?}");
    assert_eq!(story.last().unwrap(), "epilogue", "{story:?}");
    assert_eq!((story.len(), story.iter().filter(|line| *line == "task").count()), (22, 20));
    let jobs = sandbox.json(&["jobs", "last", "--limit", "0"]);
    let role = |wanted: &str| jobs["items"].as_array().unwrap().iter().filter(|job| job["role"] == wanted).count();
    assert_eq!((role("prologue"), role("tasks"), role("epilogue")), (1, 20, 1), "{jobs}");
    let shown = sandbox.cigri(&["jobs", "last", "--limit", "0"]);
    assert!(shown.stdout.contains(" prologue ") && shown.stdout.contains(" epilogue "), "{shown}");
    let status = sandbox.cigri(&["status", "last"]);
    assert!(status.stdout.contains("prologue done, epilogue done"), "{status}");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(lines(&sandbox, "story").len(), 22, "nothing is run again");
}

#[test]
fn a_directory_of_the_campaigns_own_is_made_by_its_prologue() {
    let sandbox = Sandbox::new();
    let steps = json!({
        "exec_file": "pwd >>ran; true", "exec_directory": sandbox.path("it's/{CAMPAIGN_ID}"),
        "prologue": "echo $PWD >>prepared", "epilogue": "wc -l <ran >counted",
    });
    campaign(&sandbox, ("", 3), &["here"], steps);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    let folder = sandbox.path("it's/1").display().to_string();
    assert_eq!(lines(&sandbox, "it's/1/prepared"), [folder.as_str()]);
    assert_eq!(lines(&sandbox, "it's/1/ran"), [folder.as_str(); 3]);
    assert_eq!(lines(&sandbox, "it's/1/counted"), ["3"]);
}

#[test]
fn a_prologue_that_fails_on_one_cluster_leaves_the_work_to_the_other() {
    let sandbox = Sandbox::new();
    let steps = json!({"prologue": "[ $CIGRI_CLUSTER = here ] || { echo 'no room on scratch' >&2; exit 5; }"});
    campaign(&sandbox, ("echo $CIGRI_CLUSTER >>ran; sleep 0.1", 12), &["here", "there"], steps);
    sandbox.cigri(&["run", "c.json", "--cores", "2"]).expect(0);
    assert_eq!(lines(&sandbox, "ran"), ["here"; 12]);
    let events = sandbox.json(&["events", "last", "--all"]);
    let event = &events["items"][0];
    assert_eq!((&event["code"], &event["cluster_name"]), (&json!("PROLOG_EXIT_ERROR"), &json!("there")), "{events}");
    let message = event["message"].as_str().unwrap();
    assert!(message.contains("no room on scratch") && message.contains("cigri resume 1"), "{message}");
}

#[test]
fn a_step_that_fails_is_told_and_runs_again_when_the_command_does() {
    let sandbox = Sandbox::new();
    let steps = json!({"prologue": "[ -f mended ] || exit 5", "epilogue": "[ -f mended-too ] || exit 6"});
    campaign(&sandbox, ("echo task >>ran", 3), &["here"], steps);
    let held = sandbox.cigri(&["run", "c.json"]);
    held.expect(4);
    assert!(
        held.stdout.contains("PROLOG_EXIT_ERROR on here: its prologue failed: the program exited with code 5"),
        "{held}"
    );
    assert!(lines(&sandbox, "ran").is_empty());
    sandbox.write("mended", "");
    let held = sandbox.cigri(&["run", "c.json"]);
    held.expect(4);
    assert!(held.stdout.contains("3 of 3 tasks done") && held.stdout.contains("EPILOG_EXIT_ERROR"), "{held}");
    sandbox.write("mended-too", "");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(lines(&sandbox, "ran").len(), 3);
}

#[test]
fn a_campaign_waits_after_its_sample_until_the_command_is_given_again() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, ("echo task >>ran", 9), &["here"], json!({"test_mode": 2}));
    let waits = sandbox.cigri(&["run", "c.json"]);
    waits.expect(4);
    let words = "sample: 2 of 2 tasks succeeded on here; `cigri resume 1` sends the other 7";
    assert!(waits.stdout.contains(words) && waits.stdout.contains("cigri run c.json"), "{waits}");
    assert_eq!(lines(&sandbox, "ran").len(), 2);
    let shown = sandbox.json(&["status", "last"]);
    assert_eq!((&shown["state"], &shown["sample"]), (&json!("paused"), &json!(words)), "{shown}");
    let why = sandbox.cigri(&["why", "last"]);
    assert!(why.stdout.contains("test_mode") && why.stdout.contains("2 of 2 tasks succeeded"), "{why}");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(lines(&sandbox, "ran").len(), 9);
}

#[test]
fn a_sample_that_succeeds_goes_on_if_asked_to_and_one_that_fails_waits() {
    let sandbox = Sandbox::new();
    let steps = json!({"test_mode": "continue"});
    campaign(
        &sandbox,
        ("echo task >>ran; [ ! -f broken ] || { echo 'no such star' >&2; exit 3; }", 5),
        &["here"],
        steps,
    );
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(lines(&sandbox, "ran").len(), 5);
    sandbox.write("broken", "");
    let waits = sandbox.cigri(&["run", "c.json", "--new"]);
    waits.expect(4);
    assert!(waits.stdout.contains("task 0 failed: the program exited with code 3: no such star"), "{waits}");
    assert_eq!(lines(&sandbox, "ran").len(), 6);
}

#[test]
fn cancelling_ends_a_prologue_that_runs() {
    let sandbox = Sandbox::new();
    let steps = json!({"prologue": "echo $$ >pid\nsleep 600", "epilogue": "touch ended"});
    campaign(&sandbox, ("echo task >>ran", 3), &["here"], steps);
    let run = sandbox.start(&["run", "c.json"]);
    wait_until("the prologue runs", || !lines(&sandbox, "pid").is_empty());
    let jobs = sandbox.json(&["jobs", "last"]);
    assert_eq!(jobs["items"][0]["role"], "prologue", "{jobs}");
    sandbox.cigri(&["cancel", "last"]).expect(0);
    run.wait().expect(4);
    let process = format!("/proc/{}", lines(&sandbox, "pid")[0]);
    wait_until("its process is gone", || !std::path::Path::new(&process).exists());
    assert!(lines(&sandbox, "ran").is_empty() && !sandbox.path("ended").exists());
}
