//! What holds after any sequence of operations: cores are never shared or lost, live jobs are listed, ended ones do
//! not change, and the journal alone gives the same cluster again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;

use oar_local::machine::{LaunchFailure, Machine, Record, Settings, Suspicion};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Lab, settings};

#[derive(Debug, Clone)]
enum Step {
    Submit { cores: u32, tasks: usize, besteffort: bool, hold: bool, after: Option<u64> },
    Execute,
    Exit { job: u64, status: i32 },
    Fail { job: u64 },
    Bury,
    Delete { job: u64, array: bool, user: &'static str },
    Hold { job: u64 },
    Resume { job: u64 },
    Pass { milliseconds: i64 },
    Suspect { job: u64, resubmits: bool },
    Forget { job: u64 },
    Restore { last: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let job = || 1..30_u64;
    let user = prop::sample::select(vec!["alice", "bob", "oar"]);
    prop_oneof![
        4 => (1..=3_u32, 0..4_usize, any::<bool>(), prop::bool::weighted(0.2), prop::option::weighted(0.3, job()))
            .prop_map(|(cores, tasks, besteffort, hold, after)| Step::Submit { cores, tasks, besteffort, hold, after }),
        4 => Just(Step::Execute),
        4 => (job(), prop::sample::select(vec![0, 256, 9])).prop_map(|(job, status)| Step::Exit { job, status }),
        1 => job().prop_map(|job| Step::Fail { job }),
        2 => Just(Step::Bury),
        2 => (job(), any::<bool>(), user).prop_map(|(job, array, user)| Step::Delete { job, array, user }),
        1 => job().prop_map(|job| Step::Hold { job }),
        1 => job().prop_map(|job| Step::Resume { job }),
        1 => (0..9_000_000_i64).prop_map(|milliseconds| Step::Pass { milliseconds }),
        1 => (job(), any::<bool>()).prop_map(|(job, resubmits)| Step::Suspect { job, resubmits }),
        1 => job().prop_map(|job| Step::Forget { job }),
        1 => job().prop_map(|last| Step::Restore { last }),
    ]
}

fn take(lab: &mut Lab, step: &Step) {
    match *step {
        Step::Submit { cores, tasks, besteffort, hold, after } => {
            let mut body = json!({ "command": "x", "hold": hold, "resource": [format!("/core={cores}")] });
            if tasks > 0 {
                body["param_file"] = json!(vec!["p"; tasks].join("\n"));
            }
            if besteffort {
                body["type"] = json!(["besteffort"]);
            }
            body["after"] = json!(after.into_iter().collect::<Vec<_>>());
            lab.submit(&body);
        }
        Step::Execute => drop(lab.execute()),
        Step::Exit { job, status } => lab.exit(job, status),
        Step::Fail { job } => lab.machine.launch_failed(job, LaunchFailure::Node, lab.now),
        Step::Bury => lab.bury(),
        Step::Delete { job, array, user } => drop(lab.delete_as(user, &format!("/jobs/{job}?array={array}"))),
        Step::Hold { job } => drop(lab.post_as("alice", &format!("/jobs/{job}/hold/new"), &Value::Null)),
        Step::Resume { job } => drop(lab.post_as("alice", &format!("/jobs/{job}/resumptions/new"), &Value::Null)),
        Step::Pass { milliseconds } => lab.pass(milliseconds),
        Step::Suspect { job, resubmits } => {
            lab.machine.suspect(job, Suspicion { after_ms: 10_000, resubmits });
        }
        Step::Forget { job } => drop(lab.machine.forget(job, lab.now)),
        Step::Restore { last } => lab.machine.restore_to(last, lab.now),
    }
    lab.records.extend(lab.machine.take_records());
}

/// Every job by id, with details.
fn all(lab: &mut Lab) -> BTreeMap<u64, Value> {
    let states = "Waiting Hold toLaunch Launching Running Terminated Error";
    let filter: String = states.split(' ').map(|state| format!("&states={state}")).collect();
    let page = lab.get(&format!("/jobs?details=1&limit=10000{filter}"));
    let items = page["items"].as_array().unwrap();
    items.iter().map(|job| (job["id"].as_u64().unwrap(), job.clone())).collect()
}

fn is_final(job: &Value) -> bool {
    job["state"] == "Terminated" || job["state"] == "Error"
}

fn check(lab: &mut Lab, before: &BTreeMap<u64, Value>, cores: u64) -> BTreeMap<u64, Value> {
    let now = all(lab);
    for (id, job) in before.iter().filter(|(_, job)| is_final(job)) {
        let (mut was, mut is) = (job.clone(), now[id].clone());
        // The one thing that OAR still writes about an ended job is the request to delete it.
        (was["events"], is["events"]) = (Value::Null, Value::Null);
        assert_eq!(was, is);
    }
    let holding = now.values().filter(|job| !is_final(job)).flat_map(|job| job["resources"].as_array().unwrap());
    let mut held: Vec<_> = holding.map(|resource| resource["id"].as_u64().unwrap()).collect();
    let busy = lab.get("/resources/busy")["busy"].as_u64().unwrap();
    assert_eq!(held.len() as u64, busy);
    assert!(busy <= cores);
    held.sort_unstable();
    held.dedup();
    assert_eq!(held.len() as u64, busy, "a core has one job");
    let live = now.values().filter(|job| !is_final(job)).count();
    assert_eq!(lab.get("/jobs?limit=0")["total"], live);
    assert_eq!(lab.get("/jobs?user=alice&limit=0")["total"], live);
    now
}

/// Nothing runs while something could.
fn assert_no_idle_core(lab: &mut Lab, jobs: &BTreeMap<u64, Value>) {
    if lab.get("/resources/busy")["busy"] == 0 {
        let waits: Vec<_> = jobs.values().filter(|job| job["state"] == "Waiting" && job["start_time"] == 0).collect();
        assert!(waits.is_empty(), "{waits:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_breaks_them(steps in prop::collection::vec(step(), 1..60)) {
        let mut lab = Lab::new(3);
        let mut known = BTreeMap::new();
        for step in &steps {
            let written = lab.records.len();
            take(&mut lab, step);
            // What is gone, or was given to another job, is not compared.
            for record in &lab.records[written..] {
                match record {
                    Record::Gone(id) => drop(known.remove(id)),
                    Record::Cut { after, .. } => drop(known.split_off(&(after + 1))),
                    _ => {}
                }
            }
            known = check(&mut lab, &known, 3);
            assert_no_idle_core(&mut lab, &known);
        }

        let records: Vec<_> = lab.records.iter().map(|record| {
            serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
        }).collect();
        let mut again = Lab::with(Settings { ..settings(3) });
        again.machine = Machine::replay(settings(3), records);
        let mut replayed = all(&mut again);
        for (id, job) in &known {
            let mut replayed = replayed.remove(id).unwrap();
            // The journal does not tell a job that is being launched from one that is about to be.
            if job["state"] == "Launching" {
                replayed["state"] = json!("Launching");
            }
            prop_assert_eq!(&replayed, job);
        }
        prop_assert!(replayed.is_empty());

        for job in again.machine.interrupted() {
            again.machine.lost(job.id, again.now);
        }
        again.machine.resume_scheduling(again.now);
        let jobs = check(&mut again, &BTreeMap::new(), 3);
        assert_no_idle_core(&mut again, &jobs);
    }
}
