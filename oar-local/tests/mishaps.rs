//! Submissions that went wrong in the middle survive a restart of the cluster as what they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use oar_local::machine::{Machine, Mishap};
use serde_json::{Value, json};
use support::{Lab, settings};

fn everything(lab: &mut Lab) -> Value {
    let states = ["Waiting", "Hold", "toLaunch", "Terminated", "Error"].map(|state| format!("&states={state}"));
    lab.get(&format!("/jobs?details=1{}", states.concat()))
}

#[test]
fn the_journal_keeps_the_damage() {
    let mut lab = Lab::new(1);
    let array = json!({ "command": "x", "param_file": "1\n2\n3" });
    for mishap in [
        Mishap::Partial { rows: 2 },
        Mishap::Arrayless { rows: 9 },
        Mishap::Unfinished,
        Mishap::Unfinished,
        Mishap::Skewed { seconds: 700 },
    ] {
        lab.machine.expect_mishap(Some(mishap));
        lab.submit(&array);
    }
    lab.delete_as("alice", "/jobs/6");
    lab.machine.complete(6, lab.now);
    lab.records.extend(lab.machine.take_records());
    let before = everything(&mut lab);
    assert_eq!(before["total"], 2 + 3 + 3 + 3 + 3);
    let records: Vec<_> = lab.records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let records = records.iter().map(|line| serde_json::from_str(line).unwrap());

    let mut again = Lab::new(1);
    again.machine = Machine::replay(settings(1), records);
    assert_eq!(everything(&mut again), before);
    assert_eq!(again.get("/jobs?array=1")["total"], 2);
    assert_eq!(again.get("/jobs?array=3")["total"], 0);
    for id in again.machine.interrupted() {
        again.machine.lost(id.id, again.now);
    }
    again.machine.resume_scheduling(again.now);
    assert_eq!(again.execute(), [6], "what is whole goes on, also the row that was deleted");
}

#[test]
fn only_an_unfinished_submission_can_be_completed() {
    let mut lab = Lab::new(1);
    lab.machine.expect_mishap(Some(Mishap::Arrayless { rows: 1 }));
    let arrayless = lab.submit(&json!({ "command": "x" }));
    let whole = lab.sleeper();
    lab.execute();
    for id in [arrayless, whole, 99] {
        lab.machine.complete(id, lab.now);
    }
    assert_eq!((lab.state(arrayless), lab.state(whole)), ("Hold".to_owned(), "Running".to_owned()));
}
