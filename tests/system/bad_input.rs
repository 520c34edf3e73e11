//! Bad campaign files: each gives one clear message and its exit code, and leaves nothing behind.

use crate::sandbox::{Finished, Sandbox};

/// Runs a campaign file that must be refused; the message must hold each of `words`.
#[track_caller]
fn refuse(sandbox: &Sandbox, file: &str, words: &[&str]) -> Finished {
    let run = sandbox.cigri(&["run", file]);
    run.expect(3);
    assert_eq!(run.stdout, "", "{run}");
    let message = run.error();
    for word in words {
        assert!(message.contains(word), "`{word}` is not told: {run}");
    }
    assert!(!sandbox.data().exists(), "no server was started for a bad file");
    assert!(sandbox.campaigns().is_empty(), "no half-made campaign is left");
    std::fs::remove_dir_all(sandbox.data()).unwrap();
    run
}

#[track_caller]
fn refuse_text(text: impl AsRef<[u8]>, words: &[&str]) -> Finished {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", text);
    refuse(&sandbox, "c.json", words)
}

/// A sound campaign but for `fields`.
fn with(fields: &str) -> String {
    format!(r#"{{"name": "bad", "exec_file": "true", "clusters": {{"here": {{}}}}, {fields}}}"#)
}

#[test]
fn what_is_not_a_file() {
    let sandbox = Sandbox::new();
    refuse(&sandbox, "absent.json", &["`absent.json`", "No such file"]);
    refuse(&sandbox, ".", &["directory"]);
    refuse(&sandbox, "/dev/null", &["not a regular file"]);
}

#[test]
fn what_is_not_json_has_line_and_column() {
    refuse_text("", &["line 1"]);
    refuse_text("{\n  \"name\": \"a\",\n  name: 2\n}", &["line 3, column 3"]);
    refuse_text("{\"name\": \"a\"", &["line 1"]);
    refuse_text("{} {}", &["line 1, column 4"]);
    refuse_text(b"\x00\xff\xfe\x80 random \x01\x02", &["line 1, column "]);
    refuse_text(b"{\"name\": \"\xff\"}", &["line 1"]);
}

#[test]
fn json_of_another_shape() {
    refuse_text("[]", &["an object"]);
    refuse_text("\"campaign\"", &["an object"]);
    refuse_text("17", &["an object"]);
    refuse_text(with(r#""nb_jobs": 1"#).replace(r#"{"here": {}}"#, "3"), &["clusters"]);
}

#[test]
fn bombs() {
    let (deep, deeper) = ("[".repeat(200_000), "{\"a\":".repeat(100_000));
    refuse_text(&deep, &["line 1"]);
    refuse_text(&deeper, &["line 1"]);
    refuse_text(format!("{deep}{}", "]".repeat(200_000)), &["nest"]);
    refuse_text(format!("{deeper}1{}", "}".repeat(100_000)), &["nest"]);
    let sandbox = Sandbox::new();
    let huge = std::fs::File::create(sandbox.path("c.json")).unwrap();
    huge.set_len(1 << 40).unwrap();
    refuse(&sandbox, "c.json", &["bytes"]);
}

#[test]
fn numbers_of_tasks_that_make_no_sense() {
    for number in ["-1", "100000000000000000000", "0", "1.5", "\"many\"", "true"] {
        let told = number.trim_matches('"');
        refuse_text(with(&format!(r#""nb_jobs": {number}"#)), &["nb_jobs", told]);
    }
}

#[test]
fn parameters_that_make_no_tasks() {
    refuse_text(with(r#""params": []"#), &["params"]);
    refuse_text(with(r#""params": ["a"], "nb_jobs": 2"#), &["nb_jobs", "params"]);
    refuse_text(with(r#""params": ["one\ntwo"]"#), &["params[0]", "newline"]);
    refuse_text(with(r#""params": ["a\u0000"]"#), &["params[0]", "NUL"]);
    let big = "x".repeat(1 << 20);
    let run = refuse_text(with(&format!(r#""params": ["small", "{big}"]"#)), &["params[1]", "1048576 bytes"]);
    assert!(run.stderr.len() < 1000, "the parameter itself is not shown: {}", run.stderr.len());
}

#[test]
fn parameter_files_that_make_no_tasks() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", with(r#""param_file": "p.txt""#));
    refuse(&sandbox, "c.json", &["p.txt", "No such file"]);
    sandbox.write("p.txt", "");
    refuse(&sandbox, "c.json", &["p.txt", "no parameters"]);
    sandbox.write("p.txt", "fine\n\0\n");
    refuse(&sandbox, "c.json", &["p.txt", "line 2"]);
    sandbox.write("p.txt", b"fine\nfine\n\xff\n");
    refuse(&sandbox, "c.json", &["p.txt", "line 3", "UTF-8"]);
    sandbox.write("p.txt", format!("fine\n{}\n", "x".repeat(1 << 20)));
    refuse(&sandbox, "c.json", &["p.txt", "line 2", "65536 bytes"]);
    std::fs::remove_file(sandbox.path("p.txt")).unwrap();
    std::fs::create_dir(sandbox.path("p.txt")).unwrap();
    refuse(&sandbox, "c.json", &["p.txt", "directory"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = with(r#""nb_jobs": -1, "walltime": "abc", "exec_fil": "x""#);
    let run = refuse_text(text, &["3 problems", "nb_jobs", "-1", "walltime", "abc", "exec_fil", "`exec_file`"]);
    assert_eq!(run.stderr.lines().count(), 4, "one line each: {run}");
}

#[test]
fn walltimes_and_clusters() {
    refuse_text(with(r#""nb_jobs": 1, "walltime": "abc""#), &["walltime", "abc"]);
    refuse_text(with(r#""nb_jobs": 1"#).replace("here", "no where"), &["no where"]);
    refuse_text(with(r#""nb_jobs": 1"#).replace(r#"{"here": {}}"#, "{}"), &["clusters"]);
}

#[test]
fn a_field_given_twice() {
    refuse_text(with(r#""nb_jobs": 1, "name": "other""#), &["name"]);
}

#[test]
fn an_endless_campaign_that_is_over_before_it_begins_is_told_so() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", with(r#""jobs_type": "desktop_computing", "until": "2020-01-31""#));
    let run = sandbox.cigri(&["run", "c.json"]);
    run.expect(0);
    assert!(run.stderr.contains("until") && run.stderr.contains("2020-02-01T00:00:00Z, which is past"), "{run}");
}
