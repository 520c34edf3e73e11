//! Jobs as real processes: what they print, how they end, and how they are killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/real.rs"]
mod real;

use std::os::unix::fs::PermissionsExt;

use oar_local::Output;
use real::{Site, event_types, eventually, is_alive, pid_in};
use serde_json::{Value, json};

#[test]
fn exit_codes_and_output_are_captured() {
    let site = Site::new(2);
    let job = site.run("echo out; echo err >&2; exit 66");
    assert_eq!((&job["state"], &job["exit_code"]), (&json!("Terminated"), &json!(66 << 8)));
    assert_eq!((site.out(&job).as_str(), site.err(&job).as_str()), ("out\n", "err\n"));
    let silent = site.run("/bin/true");
    assert_eq!((silent["exit_code"].as_i64(), site.out(&silent).as_str()), (Some(0), ""));
    let files: Vec<_> = std::fs::read_dir(site.folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["state"], "captured output makes no files");
}

#[test]
fn bashs_words_about_missing_programs_are_kept() {
    let site = Site::new(1);
    let job = site.run("/nosuch/program a");
    assert_eq!(job["exit_code"], 127 << 8);
    assert!(site.err(&job).contains("No such file"), "{}", site.err(&job));
    let job = site.run("/etc/passwd");
    assert_eq!(job["exit_code"], 126 << 8);
}

#[test]
fn output_is_kept_byte_by_byte() {
    let site = Site::new(1);
    let job = site.run(r"printf '\000\377\n#oar-local 1 o 5\nx'");
    assert_eq!(site.output(&job, "stdout_file"), b"\0\xff\n#oar-local 1 o 5\nx");
}

#[test]
fn a_megabyte_on_both_outputs_blocks_nobody() {
    let site = Site::new(1);
    let job = site.run("head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero; echo done >&2");
    assert_eq!(site.output(&job, "stdout_file").len(), 1_000_000);
    let err = site.output(&job, "stderr_file");
    assert_eq!((err.len(), err.ends_with(b"done\n")), (1_000_005, true));
}

#[test]
fn endless_output_is_cut_with_a_note() {
    let site = Site::new(1);
    let job = site.run("head -c 40000000 /dev/zero");
    let out = site.output(&job, "stdout_file");
    assert!(out.len() < 17_000_000, "{}", out.len());
    assert!(out.ends_with(b"## output cut here: it is too long ##\n"));
}

#[test]
fn output_of_a_running_job_can_be_read() {
    let site = Site::new(1);
    let id = site.submit(&json!({ "command": "echo begun; sleep 600" }));
    let job = site.wait_for(id, &["Running"]);
    eventually("the first line", || site.out(&job) == "begun\n");
    site.delete(id);
    site.end_of(id);
}

#[test]
fn tail_answers_the_last_lines() {
    let site = Site::new(1);
    let job = site.run("seq 1 100");
    let path = format!("{}/{}", site.directory(), job["stdout_file"].as_str().unwrap());
    let (status, content) = real::call(&site.cluster, "GET", &format!("/media?path_filename={path}&tail=2"), "");
    assert_eq!((status, content.as_slice()), (200, b"99\n100\n".as_slice()));
}

#[test]
fn jobs_that_share_an_output_name_share_its_content() {
    let site = Site::new(1);
    let first = site.submit(&json!({ "command": "echo", "param_file": "a\nb", "stdout": "all.txt" }));
    site.end_of(first);
    let job = site.end_of(first + 1);
    assert_eq!(site.out(&job), "a\nb\n");
}

#[test]
fn output_goes_to_oars_files_if_wanted() {
    let site = Site::with(1, |config| config.output = Output::Files);
    let id = site.submit(&json!({ "command": "echo out; echo err >&2", "name": "n", "stderr": "e.%jobid%" }));
    let job = site.end_of(id);
    let read = |name: &str| std::fs::read_to_string(site.folder.path().join(name)).unwrap();
    assert_eq!((read(&format!("OAR.n.{id}.stdout")), read(&format!("e.{id}"))), ("out\n".into(), "err\n".into()));
    assert_eq!(site.out(&job), "out\n");
}

#[test]
fn a_killed_job_says_so_on_its_errors() {
    for output in [Output::Captured, Output::Files] {
        let site = Site::with(1, |config| config.output = output);
        let id = site.submit(&json!({ "command": "echo before >&2; sleep 600" }));
        let job = site.wait_for(id, &["Running"]);
        eventually("its first words", || site.err(&job) == "before\n");
        site.delete(id);
        let job = site.end_of(id);
        let err = site.err(&job);
        let note = format!("] Job {id} KILLED ##\n");
        assert!(err.starts_with("before\n## OAR [2") && err.ends_with(&note), "{err}");
    }
}

#[test]
fn a_kill_takes_the_whole_group() {
    let site = Site::new(1);
    let id = site.submit(&json!({ "command": "(sleep 600 & echo $! > child); wait; sleep 600" }));
    let child = pid_in(&site.folder.path().join("child"));
    assert!(is_alive(child));
    site.delete(id);
    let job = site.end_of(id);
    assert_eq!(event_types(&job), ["FRAG_JOB_REQUEST", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"]);
    eventually("the end of the grandchild", || !is_alive(child));
}

#[test]
fn what_a_job_leaves_in_the_background_neither_delays_nor_survives_it() {
    let site = Site::new(1);
    let job = site.run("sleep 600 & echo $! > child; echo last");
    assert_eq!((&job["state"], site.out(&job).as_str()), (&json!("Terminated"), "last\n"));
    let child = pid_in(&site.folder.path().join("child"));
    eventually("the end of the background process", || !is_alive(child));
}

#[test]
fn somebody_outside_the_group_who_keeps_the_pipe_delays_nothing() {
    let site = Site::new(1);
    let job = site.run("setsid sleep 600 & echo $! > child; echo last");
    assert_eq!(site.out(&job), "last\n");
    let child = pid_in(&site.folder.path().join("child"));
    let pid = i32::try_from(child).unwrap();
    // The test's own leftover.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
}

#[test]
fn the_walltime_is_a_limit() {
    let site = Site::new(1);
    let id = site.submit(&json!({ "command": "sleep 600", "resource": ["/core=1,walltime=0:0:1"] }));
    let job = site.end_of(id);
    let expected = ["FRAG_JOB_REQUEST", "WALLTIME", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"];
    assert_eq!((&job["state"], event_types(&job)), (&json!("Error"), expected.map(str::to_owned).to_vec()));
    let lived = job["stop_time"].as_i64().unwrap() - job["start_time"].as_i64().unwrap();
    assert!((1..30).contains(&lived), "{lived} s");
}

#[test]
fn a_normal_job_takes_the_place_of_a_besteffort_one() {
    let site = Site::new(1);
    let besteffort = site.submit(&json!({ "command": "sleep 600", "type": ["besteffort"] }));
    site.wait_for(besteffort, &["Running"]);
    let normal = site.run("echo here");
    assert_eq!(normal["state"], "Terminated");
    let killed = site.end_of(besteffort);
    let expected = ["BESTEFFORT_KILL", "FRAG_JOB_REQUEST", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"];
    assert_eq!((&killed["state"], event_types(&killed)), (&json!("Error"), expected.map(str::to_owned).to_vec()));
}

#[test]
fn the_kill_rate_kills() {
    let site = Site::with(2, |config| config.kill_rate = 1.0);
    let id = site.submit(&json!({ "command": "sleep 600", "type": ["besteffort"] }));
    let job = site.end_of(id);
    assert_eq!((&job["state"], event_types(&job)[0].as_str()), (&json!("Error"), "BESTEFFORT_KILL"));
}

#[test]
fn unusable_places_are_named_by_events() {
    let site = Site::with(1, |config| config.output = Output::Files);
    let missing = site.submit(&json!({ "command": "/bin/true", "directory": "/nosuch" }));
    let job = site.end_of(missing);
    assert_eq!(event_types(&job), ["SWITCH_INTO_ERROR_STATE", "WORKING_DIRECTOR"]);
    let text = job["events"][1]["description"].as_str().unwrap();
    assert!(text.contains("Cannot go into the working directory /nosuch"), "{text}");
    let unwritable = site.submit(&json!({ "command": "/bin/true", "stdout": "/nosuch/file" }));
    assert_eq!(event_types(&site.end_of(unwritable)), ["SWITCH_INTO_ERROR_STATE", "OUTPUT_FILES"]);
    let captured = Site::new(1);
    let missing = captured.submit(&json!({ "command": "/bin/true", "directory": "/nosuch" }));
    assert_eq!(event_types(&captured.end_of(missing)), ["SWITCH_INTO_ERROR_STATE", "WORKING_DIRECTOR"]);
}

#[test]
fn a_command_line_too_long_for_the_system_ends_like_in_a_shell() {
    let site = Site::new(1);
    let job = site.run(&format!("/bin/echo {}", "x".repeat(1_000_000)));
    assert_eq!((&job["state"], &job["exit_code"]), (&json!("Terminated"), &json!(126 << 8)));
    assert!(site.err(&job).contains("Argument list too long"));
    assert_eq!(site.run("/bin/true")["exit_code"], 0, "the cluster goes on");
}

#[test]
fn an_array_runs_every_line_once_with_its_parameters() {
    let site = Site::new(2);
    let script = site.folder.path().join("task.sh");
    std::fs::write(&script, "#!/bin/sh\necho \"$CIGRI_TASK_ID $CIGRI_TASK_INDEX $1\" >> done.txt\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let lines: Vec<String> = (1..=200).map(|task| format!("{} 1 'p {task}'", 1000 + task)).collect();
    let command = "_c(){ export CIGRI_TASK_ID=$1 CIGRI_TASK_INDEX=$(($1-1001)) CIGRI_ATTEMPT=$2; shift 2; \
        ./task.sh \"$@\"; }; _c";
    let body = json!({ "command": command, "param_file": lines.join("\n"), "type": ["besteffort"] });
    let first = site.submit(&body);
    for id in first..first + 200 {
        assert_eq!(site.end_of(id)["exit_code"], 0);
    }
    let text = std::fs::read_to_string(site.folder.path().join("done.txt")).unwrap();
    let mut found: Vec<_> = text.lines().map(str::to_owned).collect();
    let mut expected: Vec<_> = (1..=200).map(|task| format!("{} {} p {task}", 1000 + task, task - 1)).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn changes_are_announced() {
    let site = Site::new(1);
    let mut changes = site.cluster.changes();
    let before = *changes.borrow_and_update();
    let job = site.run("/bin/true");
    assert_eq!(job["state"], "Terminated");
    assert!(*changes.borrow() > before);
}

#[test]
fn shutting_down_kills_what_runs() {
    let site = Site::new(2);
    let id = site.submit(&json!({ "command": "echo $$ > pid; sleep 600 & sleep 600" }));
    let waiting = site.submit(&json!({ "command": "x", "resource": ["/core=2"] }));
    let pid = pid_in(&site.folder.path().join("pid"));
    site.cluster.shutdown();
    assert!(!is_alive(pid));
    let job = site.job(id);
    assert_eq!(event_types(&job), ["FRAG_JOB_REQUEST", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"]);
    assert_eq!(site.job(waiting)["state"], "Waiting");
    let (status, _) = real::call(&site.cluster, "POST", "/jobs", &Value::to_string(&json!({ "command": "x" })));
    assert_eq!(status, 500);
}

#[test]
fn a_program_that_traps_the_checkpoint_signal_saves_its_state() {
    let site = Site::new(1);
    let script = "trap 'echo saved > saved; exit 7' USR1; echo $$ > ready; while :; do sleep 0.01; done\n";
    std::fs::write(site.folder.path().join("sim"), script).unwrap();
    let command = "exec bash -c 'bash sim \"$@\"' bash a";
    let body = json!({ "command": command, "type": ["besteffort"], "checkpoint": 600, "signal": 10 });
    let id = site.submit(&body);
    pid_in(&site.folder.path().join("ready"));
    let normal = site.submit(&json!({ "command": "true" }));
    let job = site.end_of(id);
    assert_eq!((&job["state"], &job["exit_code"]), (&json!("Terminated"), &json!(7 << 8)), "{job}");
    assert_eq!(event_types(&job)[..2], ["CHECKPOINT", "CHECKPOINT_SUCCESS"]);
    assert_eq!(std::fs::read_to_string(site.folder.path().join("saved")).unwrap(), "saved\n");
    site.end_of(normal);
}
