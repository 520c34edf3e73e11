//! As `transcripts`, for the lives of jobs: their last state as recorded on a real OAR 3, with its events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use oar_local::machine::LaunchFailure;
use serde_json::{Value, json};
use support::Lab;
use support::recorded::{assert_shape, fixture, lab};

/// The recorded end of a life, against ours: same shape, same events with the same texts but for numbers and nodes.
fn assert_life(name: &str, live: impl FnOnce(&mut Lab, u64)) {
    let recorded = fixture(&format!("lifecycle_{name}"));
    let mut lab = lab();
    let id = lab.submit(&recorded["submit_request"]);
    live(&mut lab, id);
    let (ours, theirs) = (lab.job(id), &recorded["final_single_get_details"]);
    assert_shape(&ours, theirs, name);
    let mut single = ours.clone();
    for field in ["types", "resources", "nodes", "events", "walltime", "actual_resources"] {
        single.as_object_mut().unwrap().remove(field);
    }
    assert_shape(&single, &recorded["final_single_get"], name);
    let list = lab.get(&format!("/jobs?job_ids={id}"));
    assert_shape(&list, &recorded["final_list_nodetails"], name);
    for field in ["state", "exit_code", "exit_status_code", "message", "walltime", "properties", "command"] {
        // OAR drops the walltime from the message of some jobs when it ends them.
        let text = |job: &Value| job[field].to_string().replace("W=240,", "");
        assert_eq!(text(&ours), text(theirs), "{name}: {field}");
    }
    assert_eq!(story(&ours["events"]), story(theirs.get("events").unwrap()), "{name}");
}

/// Events in order, without what changes from run to run.
fn story(events: &Value) -> Vec<String> {
    let mut events = events.as_array().unwrap().clone();
    events.sort_by_key(|event| event["id"].as_u64());
    let quiet = |text: &str| -> String {
        let text =
            text.replace("node4", "node").replace("node3", "node").replace("node2", "node").replace("node1", "node");
        text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>().replace("##", "#")
    };
    let mut ended = false;
    events.retain(|event| {
        let kind = event["type"].as_str().unwrap();
        // Noise of that installation, and OAR's second thought about a job that is over.
        let late = ended && kind == "BESTEFFORT_KILL";
        ended |= kind.starts_with("SWITCH_INTO");
        !kind.starts_with("SCHEDULER_PRIORITY") && !late
    });
    let tell = |event: &Value| {
        let mut text = quiet(event["description"].as_str().unwrap());
        while text.contains("##") {
            text = text.replace("##", "#");
        }
        format!("{}: {text}", event["type"].as_str().unwrap())
    };
    events.iter().map(tell).collect()
}

#[test]
fn lives_end_as_recorded() {
    let exit = |status: i32| {
        move |lab: &mut Lab, id: u64| {
            lab.execute();
            lab.exit(id, status);
        }
    };
    assert_life("success", exit(0));
    assert_life("exit66", exit(66 << 8));
    assert_life("missing_exe", exit(127 << 8));
    assert_life("selfkill9", exit(9));
    assert_life("walltime", |lab, id| {
        lab.execute();
        lab.pass(30_000);
        lab.execute();
        lab.exit(id, 9);
    });
    assert_life("user_delete_running", |lab, id| {
        lab.execute();
        lab.delete_as("alice", &format!("/jobs/{id}"));
        lab.exit(id, 9);
    });
    assert_life("missing_dir", |lab, id| {
        lab.machine.launch_failed(id, LaunchFailure::WorkingDirectory, lab.now);
    });
    assert_life("bad_stdout", |lab, id| {
        lab.machine.launch_failed(id, LaunchFailure::OutputFiles, lab.now);
    });
    assert_life("hold_resume", |lab, id| {
        lab.post_as("alice", &format!("/jobs/{id}/resumptions/new"), &Value::Null);
        lab.execute();
        lab.exit(id, 0);
    });
}

#[test]
fn a_preempted_life_ends_as_recorded() {
    assert_life("besteffort_killed", |lab, id| {
        lab.execute();
        lab.submit(&json!({ "command": "sleep 5", "resource": ["/core=8"] }));
        lab.exit(id, 9);
    });
}
