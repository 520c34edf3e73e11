//! Who runs when: queues, cores, preemption, dependencies, holds, the scheduler's rhythm, the kill rate.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use oar_local::machine::Settings;
use serde_json::{Value, json};
use support::{Lab, T0, settings};

fn array(lab: &mut Lab, lines: &str, more: &Value) -> u64 {
    let mut body = json!({ "command": "run", "param_file": lines });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    lab.submit(&body)
}

#[test]
fn jobs_start_in_the_order_of_their_ids_normal_ones_first() {
    let mut lab = Lab::new(1);
    let running = lab.sleeper();
    assert_eq!(lab.execute(), [running]);
    let (besteffort, first, second) = (lab.besteffort(), lab.sleeper(), lab.sleeper());
    for (ended, next) in [(running, first), (first, second), (second, besteffort)] {
        lab.exit(ended, 0);
        assert_eq!(lab.execute(), [next]);
    }
}

#[test]
fn jobs_get_the_cores_they_ask_for() {
    let mut lab = Lab::new(4);
    let wide = lab.submit(&json!({ "command": "x", "resource": ["/nodes=1/core=3"] }));
    let (narrow, late) = (lab.sleeper(), lab.sleeper());
    assert_eq!(lab.execute(), [wide, narrow]);
    let job = lab.job(wide);
    assert_eq!(job["resources"], json!([{ "id": 1 }, { "id": 2 }, { "id": 3 }]));
    assert_eq!(job["nodes"], json!([{ "network_address": "node1" }]));
    assert_eq!(job["actual_resources"], "/network_address=1/core=3");
    assert_eq!(lab.get("/resources/busy")["busy"], 4);
    lab.exit(narrow, 0);
    assert_eq!(lab.execute(), [late]);
    assert_eq!(lab.job(late)["resources"], json!([{ "id": 4 }]));
}

#[test]
fn a_normal_job_preempts_the_youngest_besteffort_jobs() {
    let mut lab = Lab::new(3);
    let besteffort = [lab.besteffort(), lab.besteffort(), lab.besteffort()];
    lab.execute();
    let normal = lab.submit(&json!({ "command": "x", "resource": ["/core=2"] }));
    let next = lab.besteffort();
    assert!(lab.execute().is_empty());
    assert_eq!(lab.kills, [besteffort[2], besteffort[1]]);
    let killed = lab.kills[0];
    let other = lab.kills.pop().unwrap();
    lab.bury();
    assert!(lab.execute().is_empty(), "one core is not enough, and nobody else may take it");
    lab.exit(other, 9);
    assert_eq!(lab.execute(), [normal]);
    assert_eq!(lab.state(next), "Waiting");
    let expected = ["BESTEFFORT_KILL", "FRAG_JOB_REQUEST", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"];
    assert_eq!(lab.event_types(killed), expected);
    let texts: Vec<_> = lab.events(killed).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts[0], format!("kill the besteffort job {killed}"));
    assert_eq!(texts[1], format!("User oar requested to frag the job {killed}"));
    assert_eq!(lab.state(besteffort[0]), "Running");
}

#[test]
fn besteffort_jobs_are_not_killed_in_vain() {
    let mut lab = Lab::new(2);
    let normal = lab.sleeper();
    let besteffort = lab.besteffort();
    lab.execute();
    let wide = lab.submit(&json!({ "command": "x", "resource": ["/core=2"] }));
    lab.execute();
    assert!(lab.kills.is_empty(), "a normal job still holds the other core");
    lab.exit(normal, 0);
    lab.execute();
    assert_eq!(lab.kills, [besteffort]);
    lab.bury();
    assert_eq!(lab.execute(), [wide]);
}

#[test]
fn a_killed_job_that_exits_first_is_still_in_error() {
    let mut lab = Lab::new(1);
    let besteffort = lab.besteffort();
    lab.execute();
    lab.sleeper();
    lab.exit(besteffort, 0);
    let job = lab.job(besteffort);
    assert_eq!((&job["state"], job.get("exit_code")), (&json!("Error"), None));
}

#[test]
fn a_gate_holds_its_array_back_until_it_is_deleted() {
    let mut lab = Lab::new(4);
    let gate = lab.submit(&json!({ "command": "false", "hold": true, "name": "s.gate" }));
    let first = array(&mut lab, "1\n2\n3", &json!({ "after": [gate], "type": ["besteffort"] }));
    assert!(lab.execute().is_empty());
    assert_eq!(lab.job(first)["state"], "Waiting");
    assert_eq!(lab.job(first)["start_time"], -1);
    lab.delete_as("alice", &format!("/jobs/{gate}"));
    assert_eq!(lab.execute(), [first, first + 1, first + 2]);
}

#[test]
fn dependencies_release_as_on_a_real_oar() {
    // How the gate ends, and whether that releases.
    for (status, releases) in [(Some(0), true), (Some(256), false), (Some(9), false), (None, true)] {
        let mut lab = Lab::new(2);
        let gate = lab.sleeper();
        let dependent = lab.submit(&json!({ "command": "x", "after": [gate] }));
        assert_eq!(lab.execute(), [gate], "a running gate blocks");
        match status {
            Some(status) => lab.exit(gate, status),
            None => lab.machine.launch_failed(gate, oar_local::machine::LaunchFailure::Node, lab.now),
        }
        let later = lab.submit(&json!({ "command": "x", "after": [gate] }));
        let expected: &[u64] = if releases { &[dependent, later] } else { &[] };
        assert_eq!(lab.execute(), expected, "gate ended with {status:?}");
    }
    let mut lab = Lab::new(1);
    let orphan = lab.submit(&json!({ "command": "x", "after": [987_654] }));
    assert_eq!(lab.execute(), [orphan], "a gate that does not exist releases");
}

#[test]
fn all_dependencies_must_be_over() {
    let mut lab = Lab::new(4);
    let (one, two) = (lab.sleeper(), lab.sleeper());
    let dependent = lab.submit(&json!({ "command": "x", "after": [one, two] }));
    lab.execute();
    lab.exit(two, 0);
    assert!(lab.execute().is_empty());
    lab.exit(one, 0);
    assert_eq!(lab.execute(), [dependent]);
}

#[test]
fn a_resumed_job_still_waits_for_its_gate() {
    let mut lab = Lab::new(2);
    let gate = lab.sleeper();
    let dependent = lab.submit(&json!({ "command": "x", "after": [gate], "hold": true }));
    lab.post_as("alice", &format!("/jobs/{dependent}/resumptions/new"), &Value::Null);
    assert_eq!(lab.execute(), [gate]);
    lab.exit(gate, 0);
    assert_eq!(lab.execute(), [dependent]);
}

#[test]
fn with_oars_rhythm_a_submission_wakes_nobody_but_a_deletion_does() {
    let mut lab = Lab::with(Settings { period: Some(60_000), ..settings(2) });
    let first = lab.sleeper();
    assert!(lab.execute().is_empty());
    assert_eq!(lab.machine.next_wake(), Some(T0 + 60_000));
    lab.pass(60_000);
    assert_eq!(lab.execute(), [first]);
    let second = lab.sleeper();
    lab.pass(1000);
    assert!(lab.execute().is_empty());
    let other = lab.submit(&json!({ "command": "x", "hold": true }));
    lab.delete_as("alice", &format!("/jobs/{other}"));
    assert!(lab.execute().is_empty(), "five seconds lie between two rounds");
    lab.pass(4000);
    assert_eq!(lab.execute(), [second]);
}

#[test]
fn oars_rhythm_goes_on_through_idle_hours() {
    let mut lab = Lab::with(Settings { period: Some(60_000), ..settings(1) });
    let first = lab.sleeper();
    lab.pass(60_000);
    assert_eq!(lab.execute(), [first]);
    lab.exit(first, 0);
    lab.pass(5_000);
    lab.now += 3_600_000 + 7_000;
    let second = lab.sleeper();
    assert!(lab.execute().is_empty(), "the POST itself starts nothing");
    lab.pass(53_000);
    assert_eq!(lab.execute(), [second]);
}

#[test]
fn the_kill_rate_preempts_besteffort_jobs_within_moments() {
    let mut lab = Lab::with(Settings { kill_rate: 0.25, ..settings(400) });
    let lines = vec!["x"; 400].join("\n");
    array(&mut lab, &lines, &json!({ "type": ["besteffort"] }));
    assert_eq!(lab.execute().len(), 400);
    lab.pass(50);
    lab.execute();
    assert!((60..=140).contains(&lab.kills.len()), "{} of 400 with a rate of 0.25", lab.kills.len());
    let killed = lab.kills[0];
    lab.bury();
    let expected = ["BESTEFFORT_KILL", "FRAG_JOB_REQUEST", "SEND_KILL_JOB", "SWITCH_INTO_ERROR_STATE"];
    assert_eq!(lab.event_types(killed), expected);

    let mut normal = Lab::with(Settings { kill_rate: 1.0, ..settings(1) });
    normal.sleeper();
    normal.execute();
    normal.pass(50);
    normal.execute();
    assert!(normal.kills.is_empty(), "normal jobs are never chosen");
}

#[test]
fn a_lenient_cluster_takes_what_it_cannot_honour() {
    let mut lab = Lab::with(Settings { lenient: true, ..settings(2) });
    let id = lab.submit(&json!({
        "command": "x", "resource": ["/nodes=2/core=16/gpu=1"], "property": "nosuch > 'y'",
    }));
    assert_eq!(lab.execute(), [id]);
    assert_eq!(lab.job(id)["resources"], json!([{ "id": 1 }, { "id": 2 }]));
    let body = json!({ "command": "x", "hold": true, "type": ["devel"], "queue": "production" });
    let id = lab.post_as("root", "/jobs", &body)["id"].as_u64().unwrap();
    assert_eq!(lab.job(id)["queue_name"], "default");
}

#[test]
fn a_hundred_thousand_ended_jobs_do_not_slow_the_next_ones() {
    let mut lab = Lab::new(1);
    let lines = vec!["x"; 1000].join("\n");
    let began = std::time::Instant::now();
    for _ in 0..100 {
        array(&mut lab, &lines, &json!({ "type": ["besteffort"] }));
        let mut next = lab.execute();
        while let Some(id) = next.pop() {
            lab.exit(id, 0);
            next = lab.execute();
        }
        lab.records.clear();
    }
    // Quadratic work would take hours, so a generous bound still tells.
    assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    assert_eq!(lab.get("/jobs?limit=1")["total"], 0);
    assert_eq!(lab.get("/jobs?array=1001&states=Terminated&limit=0")["total"], 1000);
}
