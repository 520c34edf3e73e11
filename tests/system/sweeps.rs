//! Sweeps with named parameters: each program prints what it was given, and that is counted.

use std::collections::BTreeSet;

use crate::sandbox::Sandbox;

/// A program that writes its words and the variables of its parameters into a file of its task.
const PROGRAM: &str = r#"#!/bin/sh
printf '%s|%s|%s' "$CIGRI_PARAM_alpha" "$CIGRI_PARAM_kind" "$*" >"out.$CIGRI_TASK_INDEX"
test "$CIGRI_PARAM_kind" != fails
"#;

fn sandbox(campaign: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("show.sh", PROGRAM);
    sandbox.write("c.json", campaign);
    sandbox
}

fn campaign(exec_file: &str, parameters: &str) -> String {
    format!(r#"{{"name": "c", "exec_file": "{exec_file}", "parameters": {parameters}, "clusters": {{"here": {{}}}}}}"#)
}

/// What the tasks wrote, in their order.
fn written(sandbox: &Sandbox, count: usize) -> Vec<String> {
    (0..count).map(|index| std::fs::read_to_string(sandbox.path(&format!("out.{index}"))).unwrap()).collect()
}

const GRID: &str = r#"{"grid": {"alpha": {"from": 0.1, "to": 0.3, "step": 0.1}, "kind": ["it's $HOME", "b  *"]}}"#;

#[test]
fn a_grid_reaches_its_programs_as_variables_and_words() {
    let sandbox = sandbox(&campaign("sh show.sh -v", GRID));
    sandbox.cigri(&["run", "c.json"]).expect(0);
    let expected: Vec<String> = ["0.1", "0.2", "0.3"]
        .iter()
        .flat_map(|alpha| ["it's $HOME", "b  *"].map(|kind| format!("{alpha}|{kind}|-v {alpha} {kind}")))
        .collect();
    assert_eq!(written(&sandbox, 6), expected);
    let jobs = sandbox.json(&["jobs", "last"]);
    let shown: BTreeSet<&str> =
        jobs["items"].as_array().unwrap().iter().map(|job| job["parameters"].as_str().unwrap()).collect();
    assert!(shown.contains("alpha=0.2 kind='b  *'"), "{shown:?}");
    // Run again it is the same campaign, and nothing is left to do.
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(sandbox.campaigns().len(), 1);
    sandbox.write("c.json", campaign("sh show.sh -v", &GRID.replace("0.3", "0.4")));
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(6);
    assert!(run.stderr.contains("+        \"to\": 0.4"), "{run}");
}

#[test]
fn a_command_takes_its_parameters_by_name() {
    let sandbox = sandbox(&campaign("sh show.sh --kind={kind} \\\"a={alpha}\\\"", GRID));
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(written(&sandbox, 6)[5], "0.3|b  *|--kind=b  * a=0.3");
}

#[test]
fn the_rows_of_a_table_become_tasks() {
    let sandbox = sandbox(&campaign("sh show.sh {alpha}", r#"{"csv": "points.csv"}"#));
    sandbox.write("points.csv", "alpha,kind\n0.1,\"a, \"\"b\"\"\"\n0.2,fails\n");
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(1);
    assert!(run.stdout.contains("alpha=0.2 kind=fails"), "the failed task is named by its values: {run}");
    assert_eq!(written(&sandbox, 2), ["0.1|a, \"b\"|0.1", "0.2|fails|0.2"]);
    let status = sandbox.json(&["status", "last"]);
    assert_eq!(status["parameter_names"], serde_json::json!(["alpha", "kind"]));
    sandbox.write("points.csv", "alpha,kind\n0.1,\"a, \"\"b\"\"\"\n0.2,works\n");
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(6);
    assert!(run.stderr.contains("number 2 (2 as before)\n-0.2 fails\n+0.2 works\n"), "{run}");
    sandbox.write("points.csv", "alpha,sort\n0.1,\"a, \"\"b\"\"\"\n0.2,fails\n");
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(6);
    assert!(run.stderr.contains("names differ:\n-alpha kind\n+alpha sort\n"), "{run}");
}

#[test]
fn lines_of_json_become_tasks() {
    let sandbox = sandbox(&campaign("sh show.sh", r#"{"jsonl": "points.jsonl"}"#));
    sandbox.write("points.jsonl", "{\"kind\": \"x y\", \"alpha\": 1e-3}\n{\"alpha\": true, \"kind\": \"\"}");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    assert_eq!(written(&sandbox, 2), ["1e-3|x y|x y 1e-3", "true|| true"]);
}

#[test]
fn a_table_may_come_through_standard_input() {
    let sandbox = sandbox(&campaign("sh show.sh", r#"{"csv": "-"}"#));
    let points = sandbox.write("elsewhere", "alpha,kind\n1,a\n2,b\n");
    let with_input = |words: &[&str]| {
        let mut command = sandbox.command(words);
        command.stdin(std::fs::File::open(&points).unwrap());
        sandbox.start_command(command).wait()
    };
    let submitted = with_input(&["submit", "c.json"]);
    submitted.expect(0);
    assert!(submitted.stdout.contains("2 tasks"), "{submitted}");
    // The same points again are the same campaign.
    with_input(&["run", "c.json"]).expect(0);
    assert_eq!(sandbox.campaigns().len(), 1);
    assert_eq!(written(&sandbox, 2), ["1|a|1 a", "2|b|2 b"]);
    let empty = sandbox.cigri(&["submit", "c.json"]);
    empty.expect(3);
    assert!(empty.stderr.contains("`-` holds no parameters"), "{empty}");
}

#[test]
fn a_grid_on_the_command_line_stands_in_place_of_the_files_own() {
    let sandbox = sandbox(&campaign("sh show.sh", r#"{"csv": "no such file"}"#));
    let run = |alpha: &str| sandbox.cigri(&["run", "c.json", "-p", alpha, "-p", "kind=a b,c"]);
    run("alpha=0.1:0.3:0.2").expect(0);
    assert_eq!(written(&sandbox, 4), ["0.1|a b|0.1 a b", "0.1|c|0.1 c", "0.3|a b|0.3 a b", "0.3|c|0.3 c"]);
    run("alpha=0.1:0.3:0.2").expect(0);
    assert_eq!(sandbox.campaigns().len(), 1);
    let changed = run("alpha=0.1:0.5:0.2");
    changed.expect(6);
    assert!(changed.stderr.contains("+        \"to\": 0.5"), "{changed}");
    let refused = run("2=1");
    refused.expect(3);
    assert!(refused.stderr.contains("parameters.grid.2"), "{refused}");
}

#[test]
fn a_bad_table_changes_nothing() {
    let sandbox = sandbox(&campaign("sh show.sh {alpha} {beta}", r#"{"csv": "points.csv"}"#));
    sandbox.write("points.csv", "alpha,kind\n0.1\n");
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(3);
    assert!(run.stderr.contains("line 2") && run.stderr.contains("expected 2 values"), "{run}");
    sandbox.write("points.csv", "alpha,kind\n0.1,a\n");
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(3);
    assert!(run.stderr.contains("`{beta}`"), "{run}");
    assert!(!sandbox.data().exists(), "no server was started");
}
