//! The commands around `run`: what they print, for people and for programs, and how they refuse.

use std::process::Stdio;

use crate::sandbox::{Sandbox, repository};

fn ran(count: u64) -> Sandbox {
    let sandbox = Sandbox::new();
    let text = format!(r#"{{"name": "cmd", "nb_jobs": {count}, "exec_file": "echo", "clusters": {{"here": {{}}}}}}"#);
    sandbox.write("c.json", text);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox
}

#[test]
fn what_is_not_there_is_refused() {
    let sandbox = ran(1);
    for words in [&["status", "99"][..], &["jobs", "99"], &["logs", "99"], &["cancel", "99"], &["why", "99"]] {
        let run = sandbox.cigri(words);
        run.expect(6);
        assert!(run.error().contains("99"), "{run}");
    }
}

#[test]
fn without_campaigns_last_is_refused_and_lists_are_empty() {
    let sandbox = Sandbox::new();
    let run = sandbox.cigri(&["status"]);
    run.expect(6);
    run.error();
    let run = sandbox.cigri(&["list"]);
    run.expect(0);
    assert_eq!(run.stdout, "", "{run}");
    assert!(sandbox.campaigns().is_empty());
}

#[test]
fn wrong_use_is_told_with_a_suggestion() {
    let sandbox = Sandbox::new();
    for words in [&["statsu"][..], &["run"], &["run", "c.json", "--cores", "0"], &["run", "c.json", "--kill-rate", "1"]]
    {
        let run = sandbox.cigri(words);
        run.expect(2);
        run.error();
    }
    assert!(sandbox.cigri(&["statsu"]).stderr.contains("'status'"));
    assert!(!sandbox.data().exists());
}

#[test]
fn help_tells_the_exit_codes_and_examples() {
    let sandbox = Sandbox::new();
    let help = sandbox.cigri(&["--help"]);
    help.expect(0);
    for word in ["Exit codes:", "Examples:", "retry-failed", "CIGRI_DATA_DIR"] {
        assert!(help.stdout.contains(word), "{word}: {help}");
    }
}

#[test]
fn the_documented_exit_codes_are_those_of_the_help() {
    let help = Sandbox::new().cigri(&["--help"]).stdout;
    let docs = std::fs::read_to_string(repository().join("docs/CLI.md")).unwrap();
    let codes = help.lines().filter_map(|line| line.trim().split_once("  "));
    let codes: Vec<_> = codes.filter(|(code, _)| code.len() == 1 && code.parse::<u8>().is_ok()).collect();
    assert_eq!(codes.len(), 7, "{help}");
    for (code, meaning) in codes {
        assert!(docs.contains(&format!("| {code} | {meaning} |")), "{code}: {meaning}");
    }
}

#[test]
fn tables_are_plain_columns_for_programs() {
    let sandbox = ran(2);
    let list = sandbox.cigri(&["list", "--all"]);
    list.expect(0);
    let lines: Vec<Vec<&str>> = list.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["ID", "NAME", "STATE", "TASKS"], "{list}");
    assert_eq!(lines[1][..6], ["1", "cmd", "terminated", "2", "2", "0"], "{list}");
    assert!(list.stdout.is_ascii(), "{list}");
}

#[test]
fn jobs_go_through_all_pages() {
    let sandbox = ran(1200);
    let all = sandbox.json(&["jobs", "last", "--limit", "0"]);
    assert_eq!(all["items"].as_array().unwrap().len(), 1200);
    let few = sandbox.cigri(&["jobs", "last", "--limit", "7"]);
    few.expect(0);
    assert_eq!(few.stdout.lines().count(), 8, "{few}");
    assert!(few.stderr.contains("1193 more"), "{few}");
}

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let sandbox = ran(1200);
    let mut command = sandbox.command(&["jobs", "last", "--limit", "0"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn an_outcome_does_not_depend_on_readers() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", r#"{"name": "f", "nb_jobs": 1, "exec_file": "false", "clusters": {"here": {}}}"#);
    let mut child = sandbox.command(&["run", "c.json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn submit_leaves_the_tasks_to_a_later_run() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", r#"{"name": "s", "nb_jobs": 3, "exec_file": "echo", "clusters": {"here": {}}}"#);
    let submit = sandbox.cigri(&["submit", "c.json"]);
    submit.expect(0);
    assert!(submit.stdout.contains("campaign 1 accepted: 3 tasks"), "{submit}");
    assert_eq!(sandbox.json(&["status"])["pending"], 3);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(sandbox.campaigns().len(), 1);
}

#[test]
fn a_campaign_for_a_grid_is_tried_on_this_machine() {
    let sandbox = Sandbox::new();
    let text = r#"{"name": "g", "nb_jobs": 6, "exec_file": "echo", "properties": "mem > 16",
        "clusters": {"dahu": {}, "luke": {"resources": "/gpu=1"}}}"#;
    sandbox.write("c.json", text);
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(0);
    assert!(run.stdout.contains("6 of 6 tasks done"), "{run}");
    for word in ["mem > 16", "gpu"] {
        let told = run.stderr.lines().filter(|line| line.starts_with("note: ") && line.contains(word)).count();
        assert!((1..=2).contains(&told), "what this machine cannot honour is told once per cluster: {run}");
    }
}

#[test]
fn output_files_are_written_where_they_are_asked_for() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", r#"{"name": "o", "nb_jobs": 2, "exec_file": "echo said", "clusters": {"here": {}}}"#);
    sandbox.cigri(&["run", "c.json", "--output-files"]).expect(0);
    let names = std::fs::read_dir(sandbox.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let mut said: Vec<String> = names
        .filter(|name| name.to_str().unwrap().ends_with(".stdout"))
        .map(|name| std::fs::read_to_string(sandbox.path(name.to_str().unwrap())).unwrap())
        .collect();
    said.sort();
    assert_eq!(said, ["said 0\n", "said 1\n"]);
}

#[test]
fn events_and_reasons_can_be_asked_for() {
    let sandbox = ran(1);
    assert_eq!(sandbox.json(&["events", "last"])["total"], 0);
    assert!(sandbox.json(&["why", "last"])["items"].is_array());
    let clusters = sandbox.json(&["clusters"]);
    assert_eq!(clusters["items"][0]["name"], "here", "{clusters}");
    let tokens = sandbox.cigri(&["token", "list"]);
    tokens.expect(0);
}
