//! What a cluster does to the jobs themselves: nodes that fail, rows that are gone, a database of another time, users
//! that nobody knows.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bed.rs"]
mod bed;

use bed::{Bed, TAKES, TROUBLE, answer, array, assert_is_500, one};
use oar_local::chaos::Kind;
use serde_json::{Value, json};

#[test]
fn a_best_effort_job_loses_its_node_and_mostly_comes_back_under_another_id() {
    let mut bed = Bed::new(Kind::Resubmit);
    let mut copies = 0;
    for _ in 0..20 {
        bed.submit_well(&json!({ "command": "normal" }));
        let id = bed.submit_well(&json!({ "command": "idle", "type": ["besteffort"] }));
        assert_eq!(answer(bed.get("/")).0, 200);
        let job = bed.job(id);
        let event = &job["events"][0];
        assert_eq!(
            (&job["state"], &event["type"], &event["to_check"]),
            (&json!("Error"), &json!("PING_CHECKER_NODE_SUSPECTED"), &json!("YES"))
        );
        bed.pass(TROUBLE);
        let treated = bed.job(id);
        assert_eq!(treated["events"][0]["to_check"], "NO");
        if treated["events"].as_array().unwrap().len() == 2 {
            copies += 1;
            assert_eq!(bed.job(id + 1)["resubmit_job_id"], id);
        }
        bed.pass(TAKES);
    }
    assert!((10..20).contains(&copies), "{copies}");
    assert_eq!((bed.ended("normal"), bed.ended("idle")), (20, copies));
}

#[test]
fn a_best_effort_job_is_gone_and_no_other() {
    let mut bed = Bed::new(Kind::Forget);
    bed.submit_well(&json!({ "command": "normal" }));
    bed.submit_well(&json!({ "command": "idle", "type": ["besteffort"] }));
    assert_is_500(bed.get("/jobs/2"));
    assert_eq!(bed.rows(), 1);
    assert_eq!(bed.look("GET", "/resources/busy")["busy"], 1);
    bed.pass(TAKES);
    assert_eq!((bed.ended("normal"), bed.ended("idle")), (1, 0));
    assert_eq!(bed.face.runs()["idle"].started, 1);
}

#[test]
fn a_cluster_whose_database_is_reset_or_restored_gives_ids_again() {
    let mut bed = Bed::new(Kind::Late);
    let idle = json!({ "command": "idle" });
    bed.submit_well(&array(3));
    bed.pass(TAKES / 2);
    bed.face.cluster_mut().restore_to(1, bed.now);
    assert_eq!((bed.rows(), bed.submit_well(&idle)), (1, 2));
    bed.face.cluster_mut().reset(1, bed.now);
    assert_eq!((bed.rows(), bed.submit_well(&idle)), (0, 1));
    bed.face.cluster_mut().reset(50, bed.now);
    assert_eq!((bed.rows(), bed.submit_well(&idle)), (0, 50));
    bed.pass(TAKES);
    assert_eq!((bed.ended("idle"), bed.face.runs()["idle"].started), (1, 3));
    assert_eq!((bed.ended("work 1"), bed.face.runs()["work 3"].started), (0, 1));
}

#[test]
fn jobs_of_a_user_without_account_take_the_cluster_down() {
    let mut bed = Bed::new(Kind::Late);
    assert_eq!(bed.media(), 404, "a file that is not there");
    bed.face.cluster_mut().set_unknown_users(&["alice"]);
    assert_eq!(bed.media(), 500);
    bed.submit_well(&one());
    bed.pass(100 * TAKES);
    let states: Vec<Value> = (1..=5).map(|id| bed.job(id)["state"].clone()).collect();
    assert_eq!(states, ["Error", "Error", "Error", "Error", "Waiting"], "four cores, and a copy that waits for ever");
    bed.face.cluster_mut().set_unknown_users(&[]);
    let now = bed.now;
    bed.face.cluster_mut().change(now, |machine, now| machine.repair(now));
    bed.pass(TAKES);
    assert_eq!(bed.ended("work"), 1);
}
