//! The life of a job as clients of OAR 3 see it: each way to end, with its state, exit code, times and exact events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use oar_local::machine::LaunchFailure;
use serde_json::{Value, json};
use support::{Lab, T0};

const START: i64 = T0 / 1000;

fn with_ids(events: &[(&str, &str)], id: u64) -> Vec<(String, String)> {
    events.iter().map(|(kind, text)| ((*kind).to_owned(), text.replace("{N}", &id.to_string()))).collect()
}

#[test]
fn a_job_goes_from_waiting_to_terminated() {
    let mut lab = Lab::new(1);
    let first = lab.sleeper();
    assert_eq!(lab.state(first), "toLaunch", "there is room: it is scheduled at once");
    let second = lab.sleeper();
    let waiting = lab.job(second);
    assert_eq!((&waiting["state"], &waiting["start_time"]), (&json!("Waiting"), &json!(0)));
    assert_eq!((&waiting["resources"], waiting.get("walltime")), (&json!([]), None));
    lab.machine.launching(first);
    assert_eq!(lab.state(first), "Launching");
    lab.execute();
    let running = lab.job(first);
    assert_eq!((&running["state"], &running["start_time"]), (&json!("Running"), &json!(START)));
    assert_eq!((&running["walltime"], &running["resources"]), (&json!(7200), &json!([{ "id": 1 }])));
    assert_eq!(running["message"], "R=1,W=7260,J=P,Q=default");
    lab.now += 5000;
    lab.exit(first, 0);
    let ended = lab.job(first);
    assert_eq!((&ended["state"], &ended["stop_time"]), (&json!("Terminated"), &json!(START + 5)));
    assert_eq!((&ended["exit_code"], &ended["exit_status_code"]), (&json!(0), &json!(0)));
    let expected = with_ids(&[("SWITCH_INTO_TERMINATE_STATE", "[{N}] Ask to change the job state")], first);
    assert_eq!(lab.events(first), expected);
    assert_eq!(lab.execute(), [second], "its core is given on at once");
}

#[test]
fn exit_codes_are_raw_wait_statuses() {
    let mut lab = Lab::new(1);
    for (status, shown, code) in [(256, 256, 1), (66 << 8, 16896, 66), (9, 9, 9), (127 << 8, 32512, 127)] {
        let id = lab.sleeper();
        lab.execute();
        lab.exit(id, status);
        let job = lab.job(id);
        assert_eq!(job["state"], "Terminated");
        assert_eq!((&job["exit_code"], &job["exit_status_code"]), (&json!(shown), &json!(code)));
    }
}

#[test]
fn a_walltime_kill_looks_like_oars() {
    let mut lab = Lab::new(1);
    let id = lab.submit(&json!({ "command": "sleep 600", "resource": ["/resource_id=1,walltime=0:0:30"] }));
    lab.execute();
    lab.pass(29_999);
    assert!(lab.execute().is_empty());
    assert!(lab.kills.is_empty());
    assert_eq!(lab.machine.next_wake(), Some(T0 + 30_000));
    lab.pass(1);
    lab.execute();
    assert_eq!(lab.kills, [id]);
    assert_eq!(lab.state(id), "Running", "until its processes are gone");
    lab.bury();
    let expected = [
        ("FRAG_JOB_REQUEST", "User oar requested to frag the job {N}".to_owned()),
        ("WALLTIME", format!("Job: {{N}} from {START} with 30; current time={} (Elapsed)", START + 30)),
        ("SEND_KILL_JOB", "Send the kill signal to oarexec on node1 for job {N}".to_owned()),
        ("SWITCH_INTO_ERROR_STATE", "[{N}] Ask to change the job state".to_owned()),
    ];
    let expected: Vec<_> = expected.iter().map(|(kind, text)| (*kind, text.as_str())).collect();
    assert_eq!(lab.events(id), with_ids(&expected, id));
    let job = lab.job(id);
    assert_eq!((&job["state"], job.get("exit_code")), (&json!("Error"), None));
    assert_eq!(lab.machine.next_wake(), None);
}

#[test]
fn a_negative_walltime_kills_at_once() {
    let mut lab = Lab::new(1);
    let id = lab.submit(&json!({ "command": "x", "resource": ["walltime=-1"] }));
    lab.execute();
    lab.pass(0);
    lab.execute();
    assert_eq!(lab.kills, [id]);
}

#[test]
fn deleting_a_running_job_kills_it() {
    let mut lab = Lab::new(1);
    let id = lab.sleeper();
    lab.execute();
    let answer = lab.delete_as("alice", &format!("/jobs/{id}"));
    assert_eq!(answer["exit_status"], 0);
    lab.execute();
    lab.bury();
    let expected = [
        ("FRAG_JOB_REQUEST", "User alice requested to frag the job {N}"),
        ("SEND_KILL_JOB", "Send the kill signal to oarexec on node1 for job {N}"),
        ("SWITCH_INTO_ERROR_STATE", "[{N}] Ask to change the job state"),
    ];
    assert_eq!(lab.events(id), with_ids(&expected, id));
    let job = lab.job(id);
    assert_eq!((&job["state"], job.get("exit_code")), (&json!("Error"), None));
}

#[test]
fn deleting_a_job_that_never_started_ends_it_directly() {
    let mut lab = Lab::new(1);
    lab.sleeper();
    for body in [json!({ "command": "x" }), json!({ "command": "x", "hold": true })] {
        let id = lab.submit(&body);
        lab.delete_as("alice", &format!("/jobs/{id}"));
        let job = lab.job(id);
        assert_eq!((&job["state"], &job["message"]), (&json!("Error"), &json!("Job killed by Leon directly")));
        assert_eq!((&job["start_time"], &job["stop_time"]), (&json!(0), &json!(0)));
        let expected = [("FRAG_JOB_REQUEST", "User alice requested to frag the job {N}")];
        assert_eq!(lab.events(id), with_ids(&expected, id));
    }
}

#[test]
fn a_job_can_be_deleted_between_scheduling_and_launch() {
    let mut lab = Lab::new(1);
    let id = lab.sleeper();
    lab.delete_as("alice", &format!("/jobs/{id}"));
    assert_eq!(lab.state(id), "toLaunch");
    lab.exit(id, 0);
    assert_eq!(lab.state(id), "Error");
    assert_eq!(lab.event_types(id), ["FRAG_JOB_REQUEST", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"]);
}

#[test]
fn failed_launches_tell_why() {
    let mut lab = Lab::new(1);
    for (failure, kind, text) in [
        (
            LaunchFailure::WorkingDirectory,
            "WORKING_DIRECTOR",
            "[{N}] Cannot go into the working directory /nosuch of the job on node node1",
        ),
        (
            LaunchFailure::OutputFiles,
            "OUTPUT_FILES",
            "[{N}] Cannot create .stdout and .stderr files in /nosuch on the node node1",
        ),
    ] {
        let id = lab.submit(&json!({ "command": "x", "directory": "/nosuch" }));
        lab.machine.take_commands();
        lab.machine.launch_failed(id, failure, lab.now);
        let expected = [("SWITCH_INTO_ERROR_STATE", "[{N}] Ask to change the job state"), (kind, text)];
        assert_eq!(lab.events(id), with_ids(&expected, id));
        assert_eq!(lab.state(id), "Error");
    }
    assert_eq!(lab.machine.busy_cores(), 0);
}

#[test]
fn holding_and_resuming_leave_events() {
    let mut lab = Lab::new(1);
    lab.sleeper();
    lab.execute();
    let id = lab.sleeper();
    lab.post_as("alice", &format!("/jobs/{id}/holds/new"), &Value::Null);
    assert_eq!(lab.state(id), "Hold");
    lab.post_as("alice", &format!("/jobs/{id}/resumptions/new"), &Value::Null);
    assert_eq!(lab.state(id), "Waiting");
    let expected = [
        ("HOLD_WAITING_JOB", "User alice launched oarhold on the job {N}"),
        ("RESUME_JOB", "User alice launched oarresume on the job {N}"),
    ];
    assert_eq!(lab.events(id), with_ids(&expected, id));
}

#[test]
fn stopping_the_cluster_kills_what_runs_and_keeps_what_waits() {
    let mut lab = Lab::new(1);
    let (running, waiting) = (lab.sleeper(), lab.sleeper());
    lab.execute();
    lab.machine.freeze();
    lab.machine.kill_all(lab.now);
    lab.execute();
    lab.bury();
    assert_eq!(lab.event_types(running), ["FRAG_JOB_REQUEST", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"]);
    assert_eq!(lab.state(waiting), "Waiting");
    assert!(lab.execute().is_empty());
}

#[test]
fn event_ids_grow_over_all_jobs() {
    let mut lab = Lab::new(2);
    let (first, second) = (lab.sleeper(), lab.sleeper());
    lab.execute();
    lab.exit(second, 0);
    lab.exit(first, 0);
    let id = |lab: &mut Lab, job: u64| lab.job(job)["events"][0]["id"].as_u64().unwrap();
    assert!(id(&mut lab, first) > id(&mut lab, second));
}

#[test]
fn a_job_is_told_to_checkpoint_before_its_walltime() {
    let mut lab = Lab::new(1);
    let resource = ["/resource_id=1,walltime=0:0:30"];
    let id = lab.submit(&json!({ "command": "sleep 600", "resource": resource, "checkpoint": 20, "signal": 10 }));
    lab.execute();
    lab.pass(9_999);
    lab.execute();
    assert_eq!(lab.signals, []);
    lab.pass(1);
    lab.execute();
    assert_eq!(lab.signals, [(id, 10)]);
    let told = [
        ("CHECKPOINT", "User oar requested a checkpoint on the job {N}"),
        ("CHECKPOINT_SUCCESS", "The job {N} was notified to checkpoint itself on node1."),
    ];
    assert_eq!(lab.events(id), with_ids(&told, id));
    lab.pass(20_000);
    lab.execute();
    assert_eq!((lab.signals.len(), lab.kills.as_slice()), (1, [id].as_slice()), "then it is killed");
    lab.bury();
    let end = ["FRAG_JOB_REQUEST", "WALLTIME", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"];
    assert_eq!(lab.event_types(id)[2..], end);
}

#[test]
fn a_best_effort_job_may_checkpoint_before_it_makes_room() {
    let mut lab = Lab::new(1);
    let body = json!({ "command": "sleep 600", "type": ["besteffort"], "checkpoint": 20 });
    let victim = lab.submit(&body);
    lab.execute();
    let normal = lab.sleeper();
    lab.execute();
    assert_eq!((lab.signals.as_slice(), lab.kills.len()), ([(victim, 12)].as_slice(), 0));
    let other = lab.sleeper();
    lab.execute();
    assert_eq!((lab.signals.len(), lab.kills.len()), (1, 0), "it is told once, and has its time");
    lab.pass(20_000);
    lab.execute();
    assert_eq!(lab.kills, [victim]);
    lab.bury();
    assert_eq!(lab.execute(), [normal]);
    assert_eq!(lab.event_types(victim)[..3], ["CHECKPOINT", "CHECKPOINT_SUCCESS", "BESTEFFORT_KILL"]);
    assert_eq!(lab.state(other), "Waiting");
}

#[test]
fn a_best_effort_job_that_ends_after_its_checkpoint_ends_by_itself() {
    let mut lab = Lab::new(1);
    let victim = lab.submit(&json!({ "command": "sim", "type": ["besteffort"], "checkpoint": 20 }));
    lab.execute();
    let normal = lab.sleeper();
    lab.execute();
    lab.exit(victim, 66 << 8);
    assert_eq!((&lab.job(victim)["state"], &lab.job(victim)["exit_code"]), (&json!("Terminated"), &json!(66 << 8)));
    assert_eq!(lab.execute(), [normal]);
    lab.pass(20_000);
    assert!(lab.kills.is_empty());
}
