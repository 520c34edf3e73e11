//! A job that brings its file somewhere itself, run by a real bash; `scp` is a function of that bash.

use std::process::Command;

use cigri_core::command::{parameter_line, remote_command, task_of_command};
use cigri_core::language::{ClusterSpec, Gathering, Output};
use cigri_core::task_ids::TaskIds;

/// Says how it was called, and does as well as the variable `SCP` says.
const SCP: &str = r#"scp(){ printf '%s|' "$@"; return "$SCP"; }; "#;

/// Runs a task with this command: what `scp` was asked, the errors, the exit code.
fn run(exec_file: &str, scp: &str) -> (String, String, i32) {
    let output = Output { file: "out/r.{TASK_INDEX}.dat".into(), method: Gathering::Scp("store:runs".into()) };
    let spec = ClusterSpec { output: Some(output), ..ClusterSpec::new(exec_file, "/tmp") };
    let command = remote_command(3, "dahu", &TaskIds::consecutive(2000, 10), &spec, &[]);
    let line = format!("{command} {}", parameter_line(2017, 1, "a"));
    assert_eq!(task_of_command(&line), Some((2017, 1)));
    let output = Command::new("bash").args(["-c", &format!("{SCP}{line}")]).env("SCP", scp).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.code().unwrap())
}

const CALL: &str = "-B|-q|--|./out/r.17.dat|store:runs/|";

#[test]
fn what_succeeded_is_copied_whatever_it_did_to_its_shell() {
    for exec_file in ["true", "exec true", "exit 0;", "cd /; true", "set -e; false || true", "false; true"] {
        assert_eq!(run(exec_file, "0"), (CALL.to_owned(), String::new(), 0), "{exec_file}");
    }
}

#[test]
fn what_failed_keeps_its_exit_code_and_is_not_copied() {
    for (exec_file, code) in [("false", 1), ("exit 66;", 66), ("true && sh -c 'exit 3'", 3)] {
        assert_eq!(run(exec_file, "0"), (String::new(), String::new(), code), "{exec_file}");
    }
}

#[test]
fn a_copy_that_fails_is_told_from_the_programs_failure() {
    let (call, errors, code) = run("true", "1");
    assert_eq!((call.as_str(), code), (CALL, 68));
    let said = "cigri: the program succeeded, but its output file was not copied to store:runs: ./out/r.17.dat\n";
    assert_eq!(errors, said);
}
