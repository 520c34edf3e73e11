//! As `transcripts`, for the lives of jobs: their last state as recorded on a real OAR 3, with its events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use oar_local::machine::{LaunchFailure, Suspicion};
use serde_json::{Value, json};
use support::Lab;
use support::recorded::{assert_alike, assert_shape, exchange, fixture, lab, replay};

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

/// A best-effort job like the recorded ones, whose node failed, and its copy, which runs.
fn copied(lab: &mut Lab, name: &str) -> (u64, u64) {
    let old = lab.submit(&json!({
        "command": "sleep 600", "name": name, "project": "cigri", "type": ["besteffort", "idempotent"],
        "resource": ["/resource_id=1,walltime=0:3:0"], "property": "core=7",
    }));
    lab.execute();
    lab.pass(30_000);
    assert!(lab.machine.suspect(old, Suspicion { after_ms: 5_000, resubmits: true }));
    lab.execute();
    lab.bury();
    lab.pass(5_000);
    assert_eq!(lab.execute(), [old + 1]);
    (old, old + 1)
}

/// Equal but for times, ids and the place where the job runs. OAR drops the walltime from the message of copies.
fn assert_same_job(ours: &Value, theirs: &Value) {
    let ours = ours.as_object().unwrap();
    let fields = ours.iter().filter(|(name, _)| {
        let varies = ["id", "submission_time", "start_time", "stop_time", "assigned_moldable_job", "resubmit_job_id"];
        let place = ["info_type", "resources", "nodes", "events", "array_id", "stdout_file", "stderr_file"];
        !varies.contains(&name.as_str()) && !place.contains(&name.as_str())
    });
    for (name, value) in fields {
        assert_eq!(value.to_string().replace("W=240,", ""), theirs[name].to_string(), "{name}");
    }
}

#[test]
fn a_copy_lives_and_ends_as_recorded() {
    let recorded = fixture("lifecycle_resubmitted_then_user_deleted");
    let mut lab = lab();
    let (old, copy) = copied(&mut lab, "lc_besteffort_idempotent_killed");
    lab.delete_as("alice", &format!("/jobs/{copy}"));
    let (ours, theirs) = (lab.job(copy), &recorded["obs"][0]["json"]);
    assert_shape(&ours, theirs, "Running");
    assert_same_job(&ours, theirs);
    assert_eq!(ours["stop_time"], lab.job(old)["stop_time"], "that of the original, while the copy runs");
    lab.exit(copy, 9);
    let (ours, theirs) = (lab.job(copy), &recorded["final_single_get_details"]);
    assert_shape(&ours, theirs, "Error");
    assert_same_job(&ours, theirs);
    assert_eq!(story(&ours["events"]), story(&theirs["events"]));
    assert_shape(&lab.get(&format!("/jobs?job_ids={copy}")), &recorded["final_list_nodetails"], "listing");
}

#[test]
fn a_copy_stands_in_its_array_as_recorded() {
    let mut lab = lab();
    let (old, copy) = copied(&mut lab, "lc_besteffort_idempotent_killed");
    lab.delete_as("alice", &format!("/jobs/{copy}"));
    lab.exit(copy, 9);
    let exchange = exchange("array_with_resubmitted", &[(11187, old), (11197, copy)], &lab);
    let answer = replay(&mut lab, &exchange);
    assert_eq!((&answer["total"], &answer["offset"]), (&json!(2), &json!(0)));
    let (ours, theirs) = (answer["items"].as_array().unwrap(), exchange.answer["items"].as_array().unwrap());
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert_shape(ours, theirs, "array");
        assert_same_job(ours, theirs);
        for field in ["id", "array_id", "resubmit_job_id", "assigned_moldable_job", "stdout_file", "stderr_file"] {
            assert_eq!(ours[field], theirs[field], "{field}");
        }
    }

    let mut lab = support::recorded::lab();
    let (old, copy) = copied(&mut lab, "n");
    lab.exit(copy, 0);
    for name in ["resubmitted_waiting_single", "resubmitted_waiting_by_ids", "resubmitted_waiting_by_state"] {
        assert_alike(&mut lab, name, &[(11203, old), (11205, copy)]);
    }
}

#[test]
fn a_user_unknown_on_the_nodes_takes_them_all_as_recorded() {
    let recorded = fixture("lifecycle_user_unknown_on_nodes");
    // Each core stands for one of the four nodes.
    let mut lab = Lab::new(4);
    let first = lab.post_as("nosuchuser", "/jobs", &json!({ "command": "echo x" }))["id"].as_u64().unwrap();
    let mut told = Vec::new();
    for id in first..first + 4 {
        lab.machine.launch_failed(id, LaunchFailure::NoAccount, lab.now);
        lab.pass(60_000);
        let events = lab.events(id).into_iter();
        told.extend(events.map(|(kind, text)| format!("{kind} job={id} {text}")));
    }
    let theirs = recorded["events"].as_array().unwrap().iter().map(|event| event.as_str().unwrap());
    let theirs = theirs.filter(|event| !event.contains("SCHEDULER_PRIORITY"));
    let theirs: Vec<String> = theirs
        .map(|event| {
            let (_, event) = event.split_once(' ').unwrap();
            let nodes = ["node2", "node3", "node4"];
            let event = nodes.iter().fold(event.to_owned(), |event, node| event.replace(node, "node1"));
            (34..=38).fold(event, |event, id| event.replace(&id.to_string(), &(id - 34 + first).to_string()))
        })
        .collect();
    assert_eq!(told, theirs);
    let last = lab.job(first + 4);
    assert_eq!((&last["state"], last["resubmit_job_id"].as_u64()), (&json!("Waiting"), Some(first + 3)));
    let resources = lab.get("/resources");
    assert!(resources["items"].as_array().unwrap().iter().all(|core| core["state"] == "Suspected"));
}
