//! The generated command, run by a real bash as OAR does: what the job sees is what the user wrote.

use std::process::{Command, Output};

use cigri_core::command::{
    parameter_line, remote_command, remote_directory, step_command, step_directory, step_of_command, step_script,
    task_of_command,
};
use cigri_core::language::ClusterSpec;
use cigri_core::task_ids::TaskIds;
use proptest::prelude::*;

use super::context::{cluster_with, plain, read, with_fields};

/// Shows its arguments, one in brackets each, then what CiGri exports.
const SHOW: &str = r#"printf '[%s]' "$@"; env | sort | grep ^CIGRI | tr '\n' ' '; true"#;

/// Ids of tasks that nothing was added to.
fn from(first: u64) -> TaskIds {
    TaskIds::consecutive(first, 1000)
}

fn cluster(exec_file: &str) -> ClusterSpec {
    let quoted = serde_json::to_string(exec_file).unwrap();
    let text = with_fields(&format!(r#""exec_file": {quoted}"#));
    read(&text, &plain()).unwrap().spec.clusters["dahu"].clone()
}

fn bash(options: &[&str], command: &str) -> Output {
    Command::new("bash")
        .args(options)
        .args(["-c", command])
        .env("HOME", "/home/alice")
        .env("OAR_JOB_ID", "4711")
        .output()
        .unwrap()
}

/// Runs one task as the cluster would; its output and exit code.
fn run(exec_file: &str, parameter: &str) -> (String, i32) {
    let command = remote_command(3, "dahu", &from(2000), &cluster(exec_file), &[]);
    let output = bash(&[], &format!("{command} {}", parameter_line(2017, 1, parameter)));
    let text = String::from_utf8(output.stdout).unwrap();
    (text, output.status.code().unwrap())
}

#[test]
fn the_form_is_fixed() {
    assert_eq!(
        remote_command(3, "dahu", &from(2000), &cluster("./run -v"), &[]),
        "_c(){ export CIGRI_CAMPAIGN_ID=3 CIGRI_CLUSTER=dahu CIGRI_TASK_ID=$1 \
         CIGRI_TASK_INDEX=$(($1-2000)) CIGRI_ATTEMPT=$2; shift 2; ./run -v \"$@\"; }; _c"
    );
    assert_eq!(parameter_line(2017, 1, "a b"), "2017 1 a b");
    assert_eq!(parameter_line(2017, 1, ""), "2017 1");
}

#[test]
fn macros_of_the_campaign_are_filled_in() {
    let spec = cluster("./run {CAMPAIGN_ID} {OAR_JOB_ID} ${OAR_JOB_ID} {HOME}");
    assert!(remote_command(3, "c", &from(0), &spec, &[]).contains("./run 3 ${OAR_JOB_ID} ${OAR_JOB_ID} $HOME \"$@\""));
    let (output, _) = run("echo {CAMPAIGN_ID} {OAR_JOB_ID}_1 ${OAR_JOB_ID} {HOME}", "x");
    assert_eq!(output, "3 4711_1 4711 /home/alice x\n");
    let spec = cluster_with(r#", "exec_directory": "~/out/{CAMPAIGN_ID}""#);
    assert_eq!(remote_directory(3, &spec), "$HOME/out/3");
}

#[test]
fn the_job_knows_its_campaign_task_and_attempt() {
    let (output, code) = run(SHOW, "");
    assert_eq!(
        output,
        "[]CIGRI_ATTEMPT=1 CIGRI_CAMPAIGN_ID=3 CIGRI_CLUSTER=dahu CIGRI_TASK_ID=2017 CIGRI_TASK_INDEX=17 "
    );
    assert_eq!(code, 0);
}

#[test]
fn parameters_reach_the_program_as_the_shell_reads_them() {
    let cases = [
        ("a 1", "[a][1]"),
        ("b \"quoted  word\"", "[b][quoted  word]"),
        ("'single $HOME'", "[single $HOME]"),
        ("\"it's\"", "[it's]"),
        ("$HOME/x", "[/home/alice/x]"),
        ("$(echo two words) `echo x`", "[two][words][x]"),
        ("\"$(echo two words)\"", "[two words]"),
        ("/[b]in", "[/bin]"),
        ("é à ü", "[é][à][ü]"),
        ("a\\ b", "[a b]"),
        ("-n --x=1", "[-n][--x=1]"),
        ("'; _c' '}; _c 9 9'", "[; _c][}; _c 9 9]"),
        ("  many   blanks ", "[many][blanks]"),
    ];
    for (parameter, expected) in cases {
        let (output, code) = run("printf [%s]", parameter);
        assert_eq!((output.as_str(), code), (expected, 0), "{parameter}");
    }
}

#[test]
fn an_open_quote_fails_the_task_and_runs_nothing() {
    let (output, code) = run("echo ran", "it's");
    assert_eq!((output.as_str(), code), ("", 2));
}

#[test]
fn any_shell_text_may_be_the_program() {
    let cases = [
        ("cd / && pwd; echo", "x", "/\nx\n"),
        ("echo a | cat -", "", "a\n"),
        ("X='a b' && echo \"$X\"", "c", "a b c\n"),
        ("echo '#' \"}\" {", "c", "# } { c\n"),
        ("for i in 1 2; do echo $i; done; echo", "c", "1\n2\nc\n"),
        ("echo first=$1 all:", "p q", "first=p all: p q\n"),
    ];
    for (exec_file, parameter, expected) in cases {
        assert_eq!(run(exec_file, parameter), (expected.to_owned(), 0), "{exec_file}");
    }
}

#[test]
fn the_exit_code_is_the_programs() {
    for code in [0, 1, 66, 67, 255] {
        assert_eq!(run("sh -c 'exit $1' sh", &code.to_string()).1, code);
    }
    assert_eq!(run("/no/such/program", "").1, 127);
}

#[test]
fn the_form_is_sound_for_posix_shells_too() {
    for exec_file in ["./run", "cd /tmp; ./run 'a b' | sort > {HOME}/out"] {
        let command = remote_command(3, "dahu", &from(2000), &cluster(exec_file), &[]);
        for shell in ["sh", "bash"] {
            let line = format!("{command} 2017 1 a");
            let checked = Command::new(shell).args(["-n", "-c", &line]).status().unwrap();
            assert!(checked.success(), "{shell} -n: {line}");
        }
    }
    // Even a task index beyond 32 bits is computed right.
    let command = remote_command(1, "c", &from(5_000_000_000), &cluster(SHOW), &[]);
    let output = bash(&["--posix"], &format!("{command} 9000000000 2"));
    assert!(String::from_utf8(output.stdout).unwrap().contains("CIGRI_TASK_INDEX=4000000000 "));
}

#[test]
fn a_listed_command_tells_its_task() {
    let command = remote_command(3, "dahu", &from(2000), &cluster("./run '$@'"), &[]);
    let listed = |line: &str| task_of_command(&format!("{command} {line}"));
    assert_eq!(listed("2017 1 a b"), Some((2017, 1)));
    assert_eq!(listed("2017 2"), Some((2017, 2)));
    assert_eq!(listed("2017 1 '}; _c 9 9'"), Some((2017, 1)));
    for other in ["2017", "", "x 1 a", "-1 1", "+1 1", "1 5000000000", " 1 1"] {
        assert_eq!(listed(other), None, "{other}");
    }
    assert_eq!(task_of_command("./run 2017 1"), None);
    assert_eq!(task_of_command(&command), None);
}

/// Ids of a campaign with additions: how many tasks each brought, and how many ids others took before it.
fn ids_of(first: u64, additions: &[(u64, u64)]) -> (TaskIds, Vec<u64>) {
    let count = additions.iter().map(|(tasks, _)| tasks).sum();
    let mut ids = TaskIds::consecutive(first, count);
    let (mut next, mut expected) = (first, Vec::new());
    for (tasks, taken) in additions {
        next += taken;
        if !expected.is_empty() {
            ids = ids.with_run(expected.len() as u64, next).unwrap();
        }
        expected.extend(next..next + tasks);
        next += tasks;
    }
    (ids, expected)
}

proptest! {
    #[test]
    fn each_task_has_one_id_and_each_id_one_task(
        first in 0u64..1 << 40,
        additions in proptest::collection::vec((1u64..40, 0u64..40), 1..12),
    ) {
        // What others take before the first task is part of `first`.
        let additions: Vec<_> = additions.iter().enumerate().map(|(at, (tasks, taken))| (*tasks, if at == 0 { 0 } else { *taken })).collect();
        let (ids, expected) = ids_of(first, &additions);
        prop_assert_eq!(ids.count(), expected.len() as u64);
        for (index, id) in expected.iter().enumerate() {
            prop_assert_eq!(ids.id_of(index as u64), Some(*id));
        }
        let last = expected.last().unwrap();
        for id in first.saturating_sub(3)..last + 3 {
            let index = expected.iter().position(|known| *known == id).map(|index| index as u64);
            prop_assert_eq!(ids.index_of(id), index);
        }
    }
}

#[test]
fn shells_compute_the_index_of_tasks_that_were_added() {
    let (ids, expected) = ids_of(2000, &[(3, 0), (2, 5), (4, 0), (1, 5_000_000_000)]);
    assert_eq!(ids.arithmetic(), "$1-2000-($1>=2008)*5-($1>=5000002014)*5000000000");
    let command = remote_command(3, "dahu", &ids, &cluster("true"), &[]);
    assert!(command.contains(" CIGRI_TASK_INDEX=$(($1-2000-($1>=2008)*5-"), "{command}");
    let asked: String = expected.iter().map(|id| format!("f {id}; ")).collect();
    let script = format!("f(){{ echo $(({})); }}; {asked}", ids.arithmetic());
    for shell in ["bash", "sh"] {
        let output = Command::new(shell).args(["-c", &script]).output().unwrap();
        let indices: Vec<u64> =
            String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(indices, (0..10).collect::<Vec<u64>>(), "{shell}");
    }
}

/// Runs a step as the cluster would; its output and exit code.
fn run_step(script: &str) -> (String, i32) {
    let output = bash(&[], &format!("{} 2", step_command(3, "dahu", "prologue", script)));
    (String::from_utf8(output.stdout).unwrap(), output.status.code().unwrap())
}

#[test]
fn a_step_is_a_script_of_any_lines_that_knows_its_campaign_and_attempt() {
    let script = "# it's said \"twice\"\nfor word in 'a b' c; do\n  echo \"[$word]\"\ndone\necho {CAMPAIGN_ID} {OAR_JOB_ID}_1\n\
                  env | sort | grep ^CIGRI | tr '\\n' ' '; exit 7";
    let (output, code) = run_step(script);
    assert_eq!(
        output,
        "[a b]\n[c]\n3 4711_1\nCIGRI_ATTEMPT=2 CIGRI_CAMPAIGN_ID=3 CIGRI_CLUSTER=dahu CIGRI_STEP=prologue "
    );
    assert_eq!(code, 7);
    assert_eq!(run_step("echo $# $HOME\nfalse\ntrue # }; _s"), ("0 /home/alice\n".to_owned(), 0));
}

#[test]
fn a_step_makes_a_directory_of_the_campaigns_own() {
    let spec = |directory: &str| ClusterSpec::new("a", directory);
    let plain = spec("$HOME/x");
    assert_eq!((step_directory(3, &plain).as_str(), step_script(&plain, "make").as_str()), ("$HOME/x", "make"));
    let own = spec("$HOME/a 'b'/{CAMPAIGN_ID}");
    assert_eq!(step_directory(3, &own), "$HOME");
    let command = step_command(3, "dahu", "prologue", &step_script(&own, "pwd"));
    let home = std::env::temp_dir().join(format!("cigri-steps-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let bash = || Command::new("bash").args(["-c", &format!("{command} 1")]).env("HOME", &home).output().unwrap();
    let begun = bash();
    assert!(begun.stdout.ends_with(b"/a 'b'/3\n"), "{begun:?}");
    std::fs::remove_dir_all(home.join("a 'b'")).unwrap();
    std::fs::write(home.join("a 'b'"), "").unwrap();
    let failed = bash();
    std::fs::remove_dir_all(home).unwrap();
    assert_eq!((failed.stdout.len(), failed.status.code()), (0, Some(1)), "a step that cannot begin there does not");
}

#[test]
fn a_step_is_told_from_a_task_by_its_command() {
    let command = step_command(3, "dahu", "epilogue", "echo 'x; }; _s 9'");
    assert_eq!(step_of_command(&format!("{command} 2")), Some((3, "epilogue", 2)));
    assert_eq!(task_of_command(&format!("{command} 2")), None);
    let task = remote_command(3, "dahu", &from(2000), &cluster("./run"), &[]);
    assert_eq!(step_of_command(&format!("{task} 2017 1")), None);
}
