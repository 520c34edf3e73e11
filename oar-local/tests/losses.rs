//! Jobs that OAR copies, and jobs that are gone: what a client sees of them, and what the journal keeps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use oar_local::machine::{LaunchFailure, Machine, Runs, Suspicion};
use serde_json::{Value, json};
use support::{Lab, settings};

/// How long OAR takes to treat a trouble, milliseconds.
const TROUBLE: i64 = 20_000;

const COPIED: Suspicion = Suspicion { after_ms: TROUBLE, resubmits: true };
const TREATED_ONLY: Suspicion = Suspicion { after_ms: TROUBLE, resubmits: false };

fn array(lab: &mut Lab) -> u64 {
    lab.submit(&json!({ "command": "work", "name": "n", "type": ["besteffort"], "param_file": "a\nb" }))
}

/// The node of a running job fails, and its process dies.
fn suspect(lab: &mut Lab, id: u64, how: Suspicion) {
    assert!(lab.machine.suspect(id, how));
    lab.execute();
    lab.bury();
    lab.execute();
}

/// The ids that a listing shows, and its total.
fn ids(lab: &mut Lab, filter: &str) -> (Vec<u64>, u64) {
    let page = lab.get(&format!("/jobs?{filter}"));
    let items = page["items"].as_array().unwrap();
    (items.iter().map(|job| job["id"].as_u64().unwrap()).collect(), page["total"].as_u64().unwrap())
}

fn last_event(lab: &mut Lab, id: u64) -> (String, String, String) {
    let event = lab.job(id)["events"].as_array().unwrap().last().unwrap().clone();
    let text = |key: &str| event[key].as_str().unwrap().to_owned();
    (text("type"), text("description"), text("to_check"))
}

/// Of an attempt whose first start was no copy, and all others were.
fn runs(started: u64, ended: u64) -> Runs {
    Runs { started, copies: started - 1, ended }
}

/// The same cluster, known from its journal only, with nothing that ran.
fn replayed(lab: &Lab) -> Lab {
    let records = lab.records.iter().map(|record| serde_json::to_string(record).unwrap());
    let records: Vec<_> = records.map(|line| serde_json::from_str(&line).unwrap()).collect();
    let mut again = Lab::new(lab.machine.settings().cores);
    again.machine = Machine::replay(settings(lab.machine.settings().cores), records);
    again.now = lab.now;
    again
}

#[test]
fn a_job_whose_node_failed_is_in_error_until_oar_copies_it() {
    let mut lab = Lab::new(2);
    let first = array(&mut lab);
    lab.execute();
    lab.besteffort();
    suspect(&mut lab, first, COPIED);
    let expected = format!("[bipbip] OAR suspects nodes for the job {first}: ['node1']");
    assert_eq!(last_event(&mut lab, first), ("PING_CHECKER_NODE_SUSPECTED".into(), expected, "YES".into()));
    assert_eq!(lab.state(first), "Error");
    lab.pass(TROUBLE - 1);
    assert_eq!(last_event(&mut lab, first).2, "YES");

    lab.pass(1);
    let copy = first + 3;
    let expected = format!(
        "Resubmiting job {first} => ((0, ''), {copy}) (due to event PING_CHECKER_NODE_SUSPECTED & job is neither a \
         reservation nor an interactive job)"
    );
    assert_eq!(last_event(&mut lab, first), ("RESUBMIT_JOB_AUTOMATICALLY".into(), expected, "NO".into()));
    assert!(lab.job(first)["events"].as_array().unwrap().iter().all(|event| event["to_check"] == "NO"));
}

#[test]
fn a_copy_is_in_no_listing_before_it_is_scheduled() {
    let mut lab = Lab::new(2);
    let first = array(&mut lab);
    lab.execute();
    let other = lab.besteffort();
    suspect(&mut lab, first, COPIED);
    lab.pass(TROUBLE);
    let copy = other + 1;
    let filters = [
        format!("array={first}"),
        format!("job_ids={first}&job_ids={}&job_ids={copy}", first + 1),
        "user=alice&states=Error&states=Running&states=Waiting".to_owned(),
        "user=alice&start_time=0&stop_time=9999999999".to_owned(),
    ];
    for filter in &filters {
        let (shown, total) = ids(&mut lab, filter);
        assert!(!shown.contains(&copy) && total == shown.len() as u64, "{filter}: {shown:?}");
    }
    let (old, new) = (lab.job(first), lab.job(copy));
    for field in ["user", "name", "array_id", "array_index", "command", "types", "submission_time", "stop_time"] {
        assert_eq!(new[field], old[field], "{field}");
    }
    assert_eq!((&new["state"], &new["resubmit_job_id"]), (&json!("Waiting"), &json!(first)));
    assert_eq!((&new["start_time"], new["stop_time"].as_i64()), (&json!(0), Some(support::T0 / 1000)));

    lab.exit(first + 1, 0);
    assert_eq!(lab.state(copy), "toLaunch");
    lab.execute();
    for filter in &filters {
        let (shown, total) = ids(&mut lab, filter);
        assert!(shown.contains(&copy) && total == shown.len() as u64, "{filter}: {shown:?}");
    }
    assert!(ids(&mut lab, "user=alice").0.contains(&copy));
    lab.exit(copy, 0);
    assert_eq!(lab.machine.runs()["work a"], runs(2, 1));
}

#[test]
fn a_copy_is_copied_again_and_a_treatment_may_make_none() {
    let mut lab = Lab::new(2);
    let first = array(&mut lab);
    lab.execute();
    suspect(&mut lab, first, COPIED);
    lab.pass(TROUBLE);
    lab.execute();
    suspect(&mut lab, first + 2, COPIED);
    lab.pass(TROUBLE);
    lab.execute();
    assert_eq!(lab.job(first + 3)["resubmit_job_id"], first + 2);
    suspect(&mut lab, first + 3, TREATED_ONLY);
    lab.pass(TROUBLE);
    assert_eq!(last_event(&mut lab, first + 3).0, "PING_CHECKER_NODE_SUSPECTED");
    assert_eq!(last_event(&mut lab, first + 3).2, "NO");
    assert_eq!(ids(&mut lab, &format!("array={first}")), (vec![1, 2, 3, 4], 4));
    assert_eq!(lab.machine.runs()["work a"], runs(3, 0));
}

#[test]
fn deleting_an_array_ends_its_copies_too() {
    let mut lab = Lab::new(1);
    let first = array(&mut lab);
    lab.execute();
    suspect(&mut lab, first, COPIED);
    assert_eq!(lab.delete_as("alice", &format!("/jobs/{first}"))["exit_status"], 0, "and it is copied all the same");
    lab.pass(TROUBLE);
    assert_eq!(lab.state(3), "Waiting");
    lab.delete_as("alice", &format!("/jobs/{first}?array=true"));
    lab.execute();
    lab.bury();
    assert_eq!((lab.state(2), lab.state(3)), ("Error".to_owned(), "Error".to_owned()));
    assert_eq!(ids(&mut lab, "job_ids=3"), (vec![], 0), "it was never scheduled");
}

#[test]
fn what_a_user_asks_of_a_dying_job_changes_nothing() {
    let mut lab = Lab::new(2);
    let first = array(&mut lab);
    lab.execute();
    assert!(lab.machine.suspect(first, COPIED));
    lab.delete_as("alice", &format!("/jobs/{first}"));
    lab.execute();
    lab.bury();
    assert_eq!(lab.get("/resources/busy")["busy"], 1);
    assert_eq!(last_event(&mut lab, first).0, "PING_CHECKER_NODE_SUSPECTED");
}

#[test]
fn a_forgotten_job_leaves_nothing() {
    let mut lab = Lab::new(2);
    let first = array(&mut lab);
    lab.execute();
    assert!(lab.machine.forget(first, lab.now));
    lab.execute();
    lab.bury();
    assert_eq!(lab.call("GET", &format!("/jobs/{first}"), "", "").0, 500);
    assert_eq!(ids(&mut lab, &format!("array={first}")), (vec![first + 1], 1));
    assert_eq!(lab.get("/resources/busy")["busy"], 1);
    assert_eq!(lab.delete_as("alice", &format!("/jobs/{first}"))["exit_status"], 7);
    assert_eq!(lab.machine.runs()["work a"], runs(1, 0), "but that it ran is known");
    assert!(!lab.machine.forget(first, lab.now));
}

#[test]
fn a_forgotten_gate_releases_who_waits_for_it() {
    let mut lab = Lab::new(2);
    let gate = lab.submit(&json!({ "command": "false", "hold": true }));
    let waiting = lab.submit(&json!({ "command": "work", "after": [gate] }));
    assert!(lab.execute().is_empty());
    lab.machine.forget(gate, lab.now);
    assert_eq!(lab.execute(), [waiting]);
}

#[test]
fn only_best_effort_jobs_that_wait_or_run_are_forgotten_by_chance() {
    let mut lab = Lab::new(1);
    lab.sleeper();
    lab.submit(&json!({ "command": "x", "type": ["besteffort"], "hold": true }));
    assert_eq!(lab.machine.forget_any(12, lab.now), None);
    let waiting = lab.besteffort();
    assert_eq!(lab.machine.forget_any(12, lab.now), Some(waiting));
    assert_eq!(lab.machine.forget_any(12, lab.now), None);
}

#[test]
fn a_reset_database_knows_nothing_and_counts_from_one() {
    let mut lab = Lab::new(1);
    array(&mut lab);
    lab.execute();
    lab.exit(1, 0);
    lab.execute();
    lab.machine.reset(1, lab.now);
    lab.execute();
    lab.bury();
    assert_eq!(ids(&mut lab, "user=alice&states=Error&states=Terminated"), (vec![], 0));
    assert_eq!(lab.get("/resources/busy")["busy"], 0);
    assert_eq!(lab.besteffort(), 1);
    assert_eq!(lab.execute(), [1]);
    let ran = lab.machine.runs();
    assert_eq!((ran["work a"], ran["work b"], ran["sleep 600"]), (runs(1, 1), runs(1, 0), runs(1, 0)));
}

#[test]
fn a_restored_database_gives_ids_again() {
    let mut lab = Lab::new(1);
    let first = array(&mut lab);
    lab.execute();
    lab.machine.restore_to(first, lab.now);
    assert_eq!(ids(&mut lab, &format!("array={first}")), (vec![first], 1));
    let body = json!({ "command": "theirs", "param_file": "1\n2\n3" });
    assert_eq!(lab.post_as("bob", "/jobs", &body)["id"], first + 1);
    assert_eq!(ids(&mut lab, &format!("array={first}")), (vec![first], 1));
    assert_eq!(lab.job(first + 1)["user"], "bob");
    assert_eq!(lab.state(first), "Running");
}

#[test]
fn the_journal_keeps_copies_troubles_and_losses() {
    let mut lab = Lab::new(3);
    let first = array(&mut lab);
    lab.execute();
    suspect(&mut lab, first, COPIED);
    lab.pass(TROUBLE);
    lab.execute();
    suspect(&mut lab, 3, COPIED);
    lab.machine.forget(2, lab.now);
    lab.execute();
    lab.bury();
    lab.records.extend(lab.machine.take_records());
    let before = (lab.job(1), lab.job(3), lab.machine.runs());
    let mut again = replayed(&lab);
    assert_eq!((again.job(1), again.job(3), again.machine.runs()), before);
    assert_eq!(again.call("GET", "/jobs/2", "", "").0, 500);
    again.pass(TROUBLE);
    assert_eq!(again.job(4)["resubmit_job_id"], 3, "what was not treated is treated by the next life");
    assert_eq!(again.execute(), [4]);
}

/// Every row of the cluster as `GET /jobs/{id}` shows it.
fn rows(lab: &mut Lab) -> Vec<Value> {
    (1..20).map(|id| lab.call("GET", &format!("/jobs/{id}?details=1"), "", "").1).collect()
}

#[test]
fn a_compacted_journal_still_has_copies_and_losses() {
    let mut lab = Lab::new(2);
    let old = lab.submit(&json!({ "command": "old" }));
    lab.execute();
    lab.exit(old, 0);
    lab.pass(1_000_000);
    // Rows 2 to 5, of which the last two are lost with a restored database; copies 4 (of 2) and 5 (of 4); 2 and 4
    // are gone.
    lab.submit(&json!({ "command": "work", "type": ["besteffort"], "param_file": "a\nb\nc\nd" }));
    lab.execute();
    lab.machine.restore_to(3, lab.now);
    for of in [2, 4] {
        suspect(&mut lab, of, COPIED);
        lab.pass(TROUBLE);
        lab.execute();
    }
    lab.machine.forget(4, lab.now);
    lab.machine.forget(2, lab.now);
    lab.submit(&json!({ "command": "theirs" }));
    lab.exit(3, 0);
    lab.exit(5, 0);
    lab.execute();
    lab.exit(6, 0);
    let compacted = lab.machine.compacted(support::T0 / 1000 + 1).unwrap();
    let mut again = Lab::new(2);
    again.machine = Machine::replay(settings(2), compacted);
    let mut before = rows(&mut lab);
    before[0] = json!("Internal Server Error");
    assert_eq!(rows(&mut again), before);
    assert_eq!(ids(&mut again, "array=2"), (vec![3, 5], 2));
    assert_eq!(again.sleeper(), 7);
}

#[test]
fn a_job_of_an_unknown_user_takes_node_after_node() {
    let mut lab = Lab::new(2);
    let mut id = lab.post_as("nobody", "/jobs", &json!({ "command": "x" }))["id"].as_u64().unwrap();
    for _ in 0..2 {
        assert_eq!(lab.state(id), "toLaunch");
        lab.machine.launch_failed(id, LaunchFailure::NoAccount, lab.now);
        let text = format!(
            "[{id}] launching oarexec timeout, exit value = 50; the job $job_id is in Error and the node node1is \
             Suspected"
        );
        assert_eq!(lab.events(id), [("LAUNCHING_OAREXEC_TIMEOUT".to_owned(), text)]);
        lab.pass(2_000);
        assert_eq!(lab.event_types(id)[1], "RESUBMIT_JOB_AUTOMATICALLY");
        id += 1;
    }
    lab.pass(1_000_000);
    assert_eq!((lab.state(id).as_str(), lab.execute().last()), ("Waiting", Some(&(id - 1))));
    let other = lab.sleeper();
    assert_eq!(lab.state(other), "Waiting", "there is no node left for anybody");
    lab.machine.repair(lab.now);
    assert_eq!((lab.state(id), lab.state(other)), ("toLaunch".to_owned(), "toLaunch".to_owned()));
}
