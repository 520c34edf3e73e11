//! Tasks that fail, and the exit codes by which a task steers its own fate.

use crate::sandbox::Sandbox;

fn campaign(sandbox: &Sandbox, script: &str, count: u64) {
    sandbox.write("task.sh", script);
    let text =
        format!(r#"{{"name": "f", "nb_jobs": {count}, "exec_file": "sh task.sh", "clusters": {{"here": {{}}}}}}"#);
    sandbox.write("c.json", text);
}

#[test]
fn a_success_is_silent_for_quiet_and_json_for_programs() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, "true", 3);
    let quiet = sandbox.cigri(&["run", "c.json", "--quiet"]);
    quiet.expect(0);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
    let json = sandbox.json(&["run", "c.json", "--new"]);
    assert_eq!(json["done"], 3, "{json}");
    assert_eq!(json["state"], "terminated", "{json}");
}

#[test]
fn a_failed_task_is_shown_with_its_exit_code_and_last_words() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, "[ $1 -eq 2 ] || exit 0\necho early >&2\necho 'no such star' >&2\nexit 3\n", 5);
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(1);
    assert!(run.stdout.contains("4 of 5 tasks done, 1 failed"), "{run}");
    let line = run.stdout.lines().find(|line| line.contains("task 2")).unwrap_or_else(|| panic!("{run}"));
    assert!(line.contains("exit 3") && line.ends_with("no such star"), "{run}");
    assert!(run.stdout.contains("--retry-failed"), "{run}");
}

#[test]
fn a_finished_campaign_says_so_and_keeps_its_exit_code() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, "exit $(($1 == 1))", 2);
    sandbox.cigri(&["run", "c.json"]).expect(1);
    let again = sandbox.cigri(&["run", "c.json"]);
    again.expect(1);
    assert!(again.stderr.contains("finished already"), "{again}");
    assert_eq!(sandbox.json(&["jobs", "last"])["total"], 2, "nothing was run again");
}

#[test]
fn retry_failed_runs_the_failed_ones_only() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, "echo $1 >>ran\n[ $1 -ne 1 ] || [ -f mended ]\n", 3);
    sandbox.cigri(&["run", "c.json"]).expect(1);
    sandbox.write("mended", "");
    let retried = sandbox.cigri(&["run", "c.json", "--retry-failed"]);
    retried.expect(0);
    assert!(retried.stderr.contains("1 failed task is tried again"), "{retried}");
    let ran = std::fs::read_to_string(sandbox.path("ran")).unwrap();
    let mut ran: Vec<&str> = ran.lines().collect();
    ran.sort_unstable();
    assert_eq!(ran, ["0", "1", "1", "2"]);
    assert_eq!(sandbox.campaigns().len(), 1);
}

#[test]
fn retry_failed_needs_a_campaign() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, "true", 1);
    let refused = sandbox.cigri(&["run", "c.json", "--retry-failed"]);
    refused.expect(6);
    assert!(refused.error().contains("c.json"), "{refused}");
    assert!(sandbox.campaigns().is_empty());
}

#[test]
fn new_starts_afresh() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, "echo $1 >>ran", 2);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox.cigri(&["run", "c.json", "--new"]).expect(0);
    let ran = std::fs::read_to_string(sandbox.path("ran")).unwrap();
    assert_eq!(ran.lines().count(), 4);
    assert_eq!(sandbox.campaigns().len(), 2);
}

#[test]
fn exit_66_tries_again_at_once_and_67_at_the_end() {
    let sandbox = Sandbox::new();
    // Task 0 asks for another try at once, task 1 for one after all others.
    let script = "echo $1 >>ran\n[ $CIGRI_ATTEMPT -gt 1 ] || case $1 in 0) exit 66 ;; 1) exit 67 ;; esac\n";
    campaign(&sandbox, script, 30);
    sandbox.cigri(&["run", "c.json", "--cores", "1"]).expect(0);
    let ran = std::fs::read_to_string(sandbox.path("ran")).unwrap();
    let count = |task: &str| ran.lines().filter(|line| *line == task).count();
    assert_eq!((count("0"), count("1"), count("2")), (2, 2, 1), "{ran}");
    assert_eq!(ran.lines().count(), 32);
}

#[test]
fn a_missing_program_holds_the_campaign_until_it_is_mended() {
    let sandbox = Sandbox::new();
    let text = r#"{"name": "m", "nb_jobs": 4, "exec_file": "./absent", "clusters": {"here": {}}}"#;
    sandbox.write("c.json", text);
    let held = sandbox.cigri(&["run", "c.json"]);
    held.expect(4);
    assert!(held.stdout.contains("nothing more can run until this is mended"), "{held}");
    assert!(held.stdout.contains("absent"), "the reason is shown: {held}");

    let program = sandbox.write("absent", "#!/bin/sh\nexit 0\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(program, mode).unwrap();
    sandbox.cigri(&["run", "c.json"]).expect(0);
}

/// Three in ten fail for good: the others are done all the same, on both clusters, and a handful of events says so.
#[test]
fn a_campaign_in_which_many_tasks_fail_finishes_the_others_on_all_clusters() {
    let sandbox = Sandbox::new();
    sandbox.write("task.sh", "[ $(($1 % 10)) -ge 3 ] || { echo \"no star $1\" >&2; exit 3; }\n");
    let text = r#"{"name": "f", "nb_jobs": 2000, "exec_file": "sh task.sh", "clusters": {"here": {}, "there": {}}}"#;
    sandbox.write("c.json", text);
    sandbox.cigri(&["run", "c.json", "--quiet"]).expect(1);
    let campaign = sandbox.json(&["status"]);
    assert_eq!(
        (&campaign["state"], &campaign["done"], &campaign["failed"]),
        (&"terminated".into(), &1400.into(), &600.into())
    );
    let failures = sandbox.json(&["failures"]);
    let groups = failures["groups"].as_array().unwrap();
    assert_eq!((groups.len(), &groups[0]["failed"]), (1, &600.into()), "{failures:#}");
    let clusters: Vec<&str> =
        groups[0]["clusters"].as_array().unwrap().iter().filter_map(|share| share["name"].as_str()).collect();
    assert!(clusters.contains(&"here") && clusters.contains(&"there"), "{failures:#}");
    let events = sandbox.json(&["events", "--all"]);
    let items = events["items"].as_array().unwrap();
    let told: i64 =
        items.iter().filter(|event| event["code"] == "EXIT_ERROR").filter_map(|event| event["count"].as_i64()).sum();
    assert!(told == 600 && items.len() <= 12, "{events:#}");
}
