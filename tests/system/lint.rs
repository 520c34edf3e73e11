//! `cigri lint`: files are judged one by one, and no server is started for it.

use serde_json::Value;

use crate::sandbox::{Sandbox, repository};

const GOOD: &str = r#"{"name": "n", "nb_jobs": 7, "exec_file": "echo", "clusters": {"dahu": {}}}"#;

#[test]
fn sound_files_are_praised_and_nothing_is_left_behind() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", GOOD);
    let lint = sandbox.cigri(&["lint", "c.json"]);
    lint.expect(0);
    assert_eq!((lint.stdout.as_str(), lint.stderr.as_str()), ("", "c.json: a valid campaign of 7 tasks\n"));
    assert_eq!(sandbox.cigri(&["lint", "-q", "c.json"]).stderr, "");
    assert!(!sandbox.data().exists());
}

#[test]
fn no_home_is_needed() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", GOOD);
    let mut command = sandbox.command(&["lint", "c.json"]);
    command.env_remove("HOME").env_remove("CIGRI_DATA_DIR");
    sandbox.start_command(command).wait().expect(0);
}

#[test]
fn every_problem_of_every_file_is_a_line() {
    let sandbox = Sandbox::new();
    sandbox.write("good.json", GOOD);
    sandbox.write(
        "bad.json",
        GOOD.replace("\"nb_jobs\": 7", "\"nb_jobs\": -1, \"wall\": 2, \"checkpointing_type\": \"blcr\""),
    );
    let lint = sandbox.cigri(&["lint", "bad.json", "absent.json", "good.json"]);
    lint.expect(3);
    let lines: Vec<_> = lint.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{lint}");
    assert!(lines[0].starts_with("bad.json: nb_jobs (line 1, column 26): found -1, expected a whole number"), "{lint}");
    assert!(lines[1].starts_with("bad.json: wall (line 1, column "), "{lint}");
    assert!(lines[2].contains("checkpointing_type") && lines[2].contains("blcr"), "{lint}");
    assert!(lines[3].starts_with("absent.json: cannot read `absent.json`: No such file"), "{lint}");
    assert_eq!(lint.stderr, "good.json: a valid campaign of 7 tasks\n");
}

#[test]
fn parameter_files_are_read_as_well() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", GOOD.replace("\"nb_jobs\": 7", "\"param_file\": \"p.txt\""));
    sandbox.write("p.txt", "a\n\nit's\n");
    let lint = sandbox.cigri(&["lint", "c.json"]);
    lint.expect(0);
    assert_eq!(lint.stdout.lines().count(), 2, "a blank line and an open quote: {lint}");
    assert!(lint.stdout.starts_with("c.json: warning: param_file (line 2, column 1)"), "{lint}");
    assert!(lint.stderr.contains("2 tasks"), "{lint}");
    sandbox.write("p.txt", "a\nb\0\n");
    let lint = sandbox.cigri(&["lint", "c.json"]);
    lint.expect(3);
    assert!(lint.stdout.contains("(line 2, column 1)") && lint.stdout.contains("NUL"), "{lint}");
}

#[test]
fn verdicts_are_data_with_json() {
    let sandbox = Sandbox::new();
    sandbox.write("good.json", GOOD.replace("7", "\"8\""));
    sandbox.write("bad.json", GOOD.replace("dahu", "da hu"));
    let lint = sandbox.cigri(&["lint", "good.json", "bad.json", "absent.json", "--json"]);
    lint.expect(3);
    let verdicts: Value = serde_json::from_str(&lint.stdout).unwrap();
    assert_eq!((verdicts[0]["valid"].as_bool(), verdicts[0]["tasks"].as_u64()), (Some(true), Some(8)));
    assert_eq!(verdicts[1]["problems"][0]["path"], "clusters.da hu");
    assert!(verdicts[2]["error"].as_str().unwrap().contains("No such file"));
}

#[test]
fn the_schema_is_printed_as_published() {
    let sandbox = Sandbox::new();
    let lint = sandbox.cigri(&["lint", "--schema"]);
    lint.expect(0);
    let published = std::fs::read_to_string(repository().join("docs/campaign.schema.json")).unwrap();
    assert_eq!(lint.stdout, published);
    sandbox.cigri(&["lint"]).expect(2);
    sandbox.cigri(&["lint", "--schema", "c.json"]).expect(2);
}
