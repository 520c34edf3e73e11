//! The seeded faults: repeatable, and each with the effect that its name says, on the cluster and on the answer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/bed.rs"]
mod bed;

use bed::{Bed, LATE, T0, TAKES, answer, array, assert_is_500, cluster, fixed, one};
use oar_local::chaos::{Chaos, ChaoticFace, Fault, Kind, Outcome, Plan};
use serde_json::{Value, json};

#[test]
fn a_seed_is_a_scenario() {
    let decisions = |seed| {
        let bed = Bed::new(Kind::Late);
        let mut chaos = Chaos::new(seed, Plan::hostile());
        let requests = [
            bed.request("POST", "/jobs", &array(9).to_string()),
            bed.request("GET", "/jobs?user=alice", ""),
            bed.request("DELETE", "/jobs/1", ""),
        ];
        (0..600).map(|round| chaos.decide(&requests[round % 3])).collect::<Vec<Fault>>()
    };
    assert_eq!(decisions(1), decisions(1));
    assert_ne!(decisions(1), decisions(2));
    let faults = decisions(1).into_iter().filter(|fault| *fault != Fault::None).count();
    assert!((200..480).contains(&faults), "{faults} faults in 600 requests");
}

#[test]
fn a_whole_run_is_repeated_by_its_seed_and_ends_when_the_faults_stop() {
    let run = |seed| {
        let mut bed = Bed::new(Kind::Late);
        bed.face = ChaoticFace::new(cluster(), Chaos::new(seed, Plan::hostile()));
        for _ in 0..100 {
            bed.submit(&json!({ "command": "work", "type": ["besteffort"], "param_file": "1\n2\n3" }));
            bed.pass(15_000);
        }
        bed.face.stop_faults();
        while let Some(at) = bed.face.next_wake() {
            bed.pass(at - bed.now);
        }
        assert!(!bed.face.owes_work());
        (bed.face.report(), bed.face.runs(), bed.look("GET", "/jobs?limit=1000"))
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}

#[test]
fn every_kind_of_the_hostile_plan_happens_where_it_can() {
    let mut bed = Bed::new(Kind::Late);
    bed.face = ChaoticFace::new(cluster(), Chaos::new(3, Plan::hostile()));
    for _ in 0..600 {
        bed.now += 200_000;
        bed.submit(&array(3));
        bed.now += 200_000;
        bed.get("/jobs");
    }
    let report = bed.face.report();
    assert_eq!(report.requests, 1200);
    assert!(Kind::ALL.iter().all(|kind| report.faults.contains_key(kind)), "{report:?}");
}

#[test]
fn an_answer_can_be_lost_after_the_work_or_with_it() {
    let mut bed = Bed::new(Kind::LostAfter);
    assert!(matches!(bed.submit(&one()), Outcome::Lost));
    assert_eq!(bed.rows(), 1);
    bed.pass(TAKES);
    assert_eq!(bed.ended("work"), 1);

    for kind in [Kind::LostBefore, Kind::Reset] {
        let mut bed = Bed::new(kind);
        assert!(matches!(bed.submit(&one()), Outcome::Lost));
        bed.pass(10 * LATE);
        assert_eq!(bed.rows(), 0, "{kind:?}");
        assert_eq!(bed.face.report().faults, [(kind, 1)].into());
    }
}

#[test]
fn a_500_says_nothing_about_the_work() {
    let mut bed = Bed::new(Kind::FailedAfter);
    assert_is_500(bed.submit(&one()));
    assert_eq!(bed.rows(), 1);

    let mut bed = Bed::new(Kind::FailedBefore);
    assert_is_500(bed.submit(&one()));
    assert_eq!(bed.rows(), 0);
}

#[test]
fn a_late_request_is_carried_out_at_its_time() {
    let mut bed = Bed::new(Kind::Late);
    assert!(matches!(bed.submit(&one()), Outcome::TimedOut));
    assert_eq!(bed.face.next_wake(), Some(T0 + LATE));
    bed.pass(LATE - 1);
    assert_eq!(bed.rows(), 0);
    assert!(bed.face.owes_work());
    bed.pass(1);
    assert_eq!(bed.rows(), 1);
    assert!(!bed.face.owes_work());
    assert_eq!(bed.job(1)["submission_time"], (T0 + LATE) / 1000);
}

#[test]
fn an_outage_refuses_everything_and_ends() {
    let mut bed = Bed::new(Kind::Outage);
    assert!(matches!(bed.submit(&one()), Outcome::Refused));
    bed.now += 29_999;
    assert!(matches!(bed.get("/"), Outcome::Refused));
    assert_eq!((bed.face.report().faults[&Kind::Outage], bed.face.report().refused), (1, 1));
    bed.face.stop_faults();
    assert_eq!(answer(bed.submit(&one())), (200, json!({ "id": 1 })), "an outage ends with the faults");
}

#[test]
fn a_restart_forgets_what_was_late() {
    let mut bed = Bed::new(Kind::Late);
    let chances = [(Kind::Late, 0.5), (Kind::Restart, 0.5)].into();
    let plan = fixed(Plan { chances, ..Plan::default() });
    bed.face = ChaoticFace::new(cluster(), Chaos::new(1, plan));
    while !bed.face.owes_work() {
        bed.submit(&one());
        bed.now += 30_000;
    }
    bed.now -= 30_000;
    while bed.face.owes_work() {
        assert!(matches!(bed.get("/"), Outcome::TimedOut | Outcome::Lost));
    }
    assert!(matches!(bed.get("/"), Outcome::Refused));
    bed.pass(10 * LATE);
    assert_eq!(bed.rows(), 0);
}

#[test]
fn a_poisoned_api_still_answers_what_needs_no_database() {
    let mut bed = Bed::new(Kind::Poison);
    let id = bed.submit_well(&json!({ "command": "x", "hold": true }));
    assert_is_500(bed.get("/jobs?limit=1"));
    assert_is_500(bed.get("/resources?limit=1"));
    assert_is_500(bed.submit(&one()));
    assert_eq!(answer(bed.get("/")).0, 200);
    let (status, deletion) = answer(bed.send("DELETE", &format!("/jobs/{id}"), &Value::Null));
    assert_eq!((status, &deletion["exit_status"]), (200, &json!(7)), "which is no proof: {deletion}");
    assert_eq!(bed.job(id)["state"], "Hold");
    assert_eq!(bed.rows(), 1);
}

#[test]
fn a_partial_array_has_its_first_rows_in_hold_for_ever() {
    let mut bed = Bed::new(Kind::Partial);
    let outcome = bed.submit(&array(1000));
    assert!(matches!(&outcome, Outcome::Lost) || matches!(&outcome, Outcome::Answered(r) if r.status() == 500));
    let rows = bed.rows();
    assert!((1..1000).contains(&rows), "{rows} rows");
    let (first, last) = (bed.job(1), bed.job(rows as u64));
    assert_eq!((&first["state"], &first["array_id"], &first["command"]), (&json!("Hold"), &json!(1), &json!("work 1")));
    assert_eq!(last["command"], format!("work {rows}"));
    bed.look("POST", "/jobs/1/resumptions/new");
    bed.pass(100 * TAKES);
    assert_eq!(bed.job(1)["state"], "Waiting", "a resumed one can still not be launched");
    assert!(bed.face.runs().is_empty());
    bed.look("DELETE", "/jobs/1?array=true");
    assert_eq!(bed.job(rows as u64)["state"], "Error");
}

#[test]
fn an_arrayless_row_is_found_by_its_name_only() {
    let mut bed = Bed::new(Kind::Arrayless);
    bed.submit(&array(3));
    let job = bed.job(1);
    assert_eq!((&job["state"], &job["array_id"], &job["name"]), (&json!("Hold"), &json!(0), &json!("n")));
    assert_eq!(bed.look("GET", "/jobs?array=1")["total"], 0);
    assert_ne!(bed.look("GET", "/jobs?user=alice")["total"], 0);
    let deletion = bed.look("DELETE", "/jobs/1?array=true");
    assert!(deletion["cmd_output"].as_str().unwrap().contains("no job for this array"), "{deletion}");
    assert_eq!(bed.job(1)["state"], "Hold");
    bed.look("DELETE", "/jobs/1");
    assert_eq!(bed.job(1)["state"], "Error");
}

#[test]
fn an_unfinished_submission_brings_deleted_rows_back_to_life() {
    let mut bed = Bed::new(Kind::Unfinished);
    assert!(matches!(bed.submit(&array(2)), Outcome::TimedOut));
    assert_eq!((bed.rows(), &bed.job(2)["state"]), (2, &json!("Hold")));
    assert_eq!(bed.look("DELETE", "/jobs/1")["exit_status"], 0);
    assert_eq!(bed.job(1)["state"], "Error");
    bed.pass(LATE);
    assert_eq!(bed.look("DELETE", "/jobs/1")["exit_status"], 6, "and nobody can delete them again");
    bed.pass(TAKES);
    assert_eq!((bed.ended("work 1"), bed.ended("work 2")), (1, 1));
}

#[test]
fn an_unfinished_submission_behind_a_gate_stays_there() {
    let mut bed = Bed::new(Kind::Unfinished);
    let gate = bed.submit_well(&json!({ "command": "false", "hold": true }));
    bed.submit(&json!({ "command": "work", "after": [gate] }));
    bed.submit(&json!({ "command": "held", "hold": true }));
    bed.pass(LATE + TAKES);
    assert_eq!((&bed.job(2)["state"], &bed.job(2)["start_time"]), (&json!("Waiting"), &json!(-1)));
    assert_eq!(bed.job(3)["state"], "Hold", "as it was asked for");
    bed.look("DELETE", &format!("/jobs/{gate}"));
    bed.pass(TAKES);
    assert_eq!((bed.ended("work"), bed.ended("held")), (1, 0));
}

#[test]
fn a_submission_can_be_dated_in_the_past() {
    let mut bed = Bed::new(Kind::Skew);
    assert_eq!(answer(bed.submit(&one())).0, 200);
    let job = bed.job(1);
    assert_eq!((&job["submission_time"], &job["start_time"]), (&json!(T0 / 1000 - 500), &json!(T0 / 1000)));
}

#[test]
fn a_best_effort_job_is_killed_and_no_other() {
    let mut bed = Bed::new(Kind::Preempt);
    bed.submit_well(&json!({ "command": "normal" }));
    bed.submit_well(&json!({ "command": "idle", "type": ["besteffort"] }));
    assert_eq!(answer(bed.get("/")).0, 200);
    bed.pass(TAKES);
    assert_eq!((bed.ended("normal"), bed.ended("idle")), (1, 0));
    let job = bed.job(2);
    assert_eq!((&job["state"], &job["events"][0]["type"]), (&json!("Error"), &json!("BESTEFFORT_KILL")));
}

#[test]
fn listings_lose_rows_and_repeat_them() {
    let ids = |outcome| -> (u64, Vec<u64>) {
        let (status, page) = answer(outcome);
        assert_eq!(status, 200);
        let items = page["items"].as_array().unwrap().iter();
        (page["total"].as_u64().unwrap(), items.map(|item| item["id"].as_u64().unwrap()).collect())
    };
    let mut bed = Bed::new(Kind::Vanish);
    bed.submit_well(&array(8));
    for _ in 0..20 {
        let (total, shown) = ids(bed.get("/jobs?user=alice"));
        assert!(shown.len() < 8 && total == shown.len() as u64, "{shown:?}");
    }
    assert_eq!(answer(bed.get("/jobs/1")).0, 200, "only listings");
    bed.face.stop_faults();
    assert_eq!(ids(bed.get("/jobs?user=alice")), (8, (1..=8).collect()));

    let mut bed = Bed::new(Kind::Duplicate);
    bed.submit_well(&array(8));
    let (total, mut shown) = ids(bed.get("/jobs?user=alice"));
    assert!(shown.len() > 8 && total == shown.len() as u64, "{shown:?}");
    shown.dedup();
    assert_eq!(shown, (1..=8).collect::<Vec<_>>());
}

#[test]
fn refused_submissions_stay_refused() {
    for kind in [Kind::Partial, Kind::Arrayless, Kind::Unfinished, Kind::Skew] {
        let mut bed = Bed::new(kind);
        assert_eq!(answer(bed.submit(&json!({ "command": "" }))).0, 501, "{kind:?}");
        bed.pass(10 * LATE);
        assert_eq!(bed.rows(), 0);
        // What was meant for the refused one must not meet the next.
        bed.submit_well(&one());
        assert_eq!(bed.job(1)["state"], "Running", "{kind:?}");
    }
}
