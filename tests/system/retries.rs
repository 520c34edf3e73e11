//! What failed, told in groups; and tasks tried again, those that are meant.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// Forty tasks: those with alpha above 0.7 exit with 3 unless a file `mended` is there, task 2 with 4.
fn failed() -> Sandbox {
    let sandbox = Sandbox::new();
    let script = "echo \"$1\" >>ran\n[ \"$2\" = b ] && { echo 'bad mode' >&2; exit 4; }\n\
                  [ \"${1#0.}\" -le 70 ] || [ -f mended ] || { echo 'no such star' >&2; exit 3; }\n";
    sandbox.write("task.sh", script);
    let tasks: Vec<String> =
        (10..50).map(|at| format!("\"0.{:02} {}\"", at * 2, if at == 12 { "b" } else { "a" })).collect();
    let text = format!(
        r#"{{"name": "f", "params": [{}], "exec_file": "sh task.sh", "clusters": {{"here": {{}}}}}}"#,
        tasks.join(", ")
    );
    sandbox.write("c.json", text);
    sandbox.cigri(&["run", "c.json", "--cores", "4"]).expect(1);
    sandbox
}

fn retried(sandbox: &Sandbox, words: &[&str]) -> (u64, String) {
    let answer = sandbox.json(&[&["retry", "last"], words].concat());
    (answer["tasks"].as_u64().unwrap(), answer["which"].as_str().unwrap().to_owned())
}

#[test]
fn failures_are_told_in_groups_with_what_helps() {
    let sandbox = failed();
    let told = sandbox.cigri(&["failures"]);
    told.expect(0);
    for words in [
        "campaign 1: 15 tasks are failed, 15 attempts failed in 2 ways",
        "1. exit 3: 14 tasks are failed",
        "common   100 % of the failures have p1 > 0.7, of the others none",
        "         | no such star",
        "retry 1 --class exit --exit 3",
        "2. exit 4: 1 task is failed",
    ] {
        assert!(told.stdout.contains(words), "{words}: {told}");
    }
    let json = sandbox.json(&["failures", "1"]);
    assert_eq!(json["groups"][0]["clusters"][0], serde_json::json!({"name": "here", "count": 14}), "{json}");
    assert_eq!(json["groups"][0]["common"][0]["condition"], "p1 > 0.7", "{json}");
    assert_eq!(json["groups"][1]["example"]["task_index"], 2, "{json}");
}

#[test]
fn only_the_tasks_that_are_meant_are_tried_again_and_once() {
    let sandbox = failed();
    let dry = retried(&sandbox, &["--exit", "3", "--dry-run"]);
    assert_eq!(dry, (14, "26-39".to_owned()));
    assert_eq!(retried(&sandbox, &["--where", "p1 > 0.9", "--class", "exit"]), (4, "36-39".to_owned()));
    assert_eq!(retried(&sandbox, &["--exit", "3"]), (10, "26-35".to_owned()), "the others wait already");
    assert_eq!(retried(&sandbox, &["--exit", "3"]), (0, String::new()));
    assert_eq!(retried(&sandbox, &["--tasks", "0,38-39"]).0, 1);
    sandbox.write("mended", "");
    sandbox.cigri(&["run", "c.json"]).expect(1);
    let campaign = sandbox.json(&["status"]);
    assert_eq!((campaign["done"].as_u64(), campaign["failed"].as_u64()), (Some(39), Some(1)), "{campaign}");
    let ran = std::fs::read_to_string(sandbox.path("ran")).unwrap();
    assert_eq!(ran.lines().count(), 40 + 15);
    assert!(sandbox.cigri(&["failures", "--attempts"]).stdout.contains("1 tasks are failed, 15 attempts failed"));
}

#[test]
fn done_tasks_are_run_once_more_if_all_are_meant() {
    let sandbox = failed();
    sandbox.write("mended", "");
    let all = sandbox.cigri(&["retry", "last", "--all", "--yes"]);
    all.expect(0);
    assert!(all.stderr.contains("40 tasks are tried again, 25 of them were done"), "{all}");
    sandbox.cigri(&["run", "c.json", "--cores", "4"]).expect(1);
    assert_eq!(sandbox.json(&["status"])["done"], 39);
}

#[test]
fn a_request_that_makes_no_sense_is_refused_and_changes_nothing() {
    let sandbox = failed();
    for (words, told) in [
        (&["--class", "bad-luck"][..], "bad-luck"),
        (&["--where", "beta < 1"], "`beta` is no variable here"),
        (&["--where", "p1 <"], "at 1:5"),
        (&["--where", "p2 < 1"], "the condition cannot be answered for task"),
        (&["--tasks", "7-3"], "7-3"),
        (&["--walltime", "2x"], "x2"),
        (&["--resources", "/core="], "/core="),
    ] {
        let refused = sandbox.cigri(&[&["retry", "1"], words].concat());
        assert!(refused.error().contains(told), "{told}: {refused}");
        assert_eq!(sandbox.json(&["status"])["failed"], 15);
    }
}

#[test]
fn a_task_that_ran_into_its_walltime_is_given_more() {
    let sandbox = Sandbox::new();
    sandbox.write("task.sh", "[ $1 -ne 1 ] || sleep 4\n");
    let text = r#"{"name": "w", "nb_jobs": 3, "exec_file": "sh task.sh", "clusters": {"here": {"walltime": "0:0:1"}}}"#;
    sandbox.write("c.json", text);
    sandbox.cigri(&["run", "c.json"]).expect(1);
    let told = sandbox.cigri(&["failures"]);
    assert!(told.stdout.contains("retry 1 --class walltime --walltime x2"), "{told}");
    assert_eq!(retried(&sandbox, &["--class", "walltime", "--walltime", "x30"]), (1, "1".to_owned()));
    sandbox.cigri(&["run", "c.json"]).expect(0);
    let jobs: Value = sandbox.json(&["jobs", "last", "--task", "1"]);
    let last = jobs["items"].as_array().unwrap().last().unwrap();
    assert_eq!((last["generation"].as_i64(), last["state"].as_str()), (Some(2), Some("done")), "{jobs}");
}
