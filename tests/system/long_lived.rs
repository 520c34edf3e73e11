//! What lives longer than a task: programs that save their state before they are killed, campaigns without an end.

use cigri_core::language::{Checkpoint, Endless};
use serde_json::json;

use crate::sandbox::{Sandbox, wait_until};
use crate::stored::{SERVE, run_stored, store};

/// Runs one command again and again; what became of it, as `cigri status` gives it.
fn ran_on(sandbox: &Sandbox, script: &str, endless: Endless) -> serde_json::Value {
    sandbox.write("task.sh", script);
    run_stored(sandbox, Endless::TASKS as i64, |spec| {
        spec.endless = Some(endless);
        spec.clusters.values_mut().for_each(|cluster| cluster.exec_file = "sh task.sh".to_owned());
    });
    sandbox.json(&["status", "2"])
}

fn runs(sandbox: &Sandbox) -> u64 {
    std::fs::read_to_string(sandbox.path("ran")).unwrap().lines().count() as u64
}

#[test]
fn an_endless_campaign_ends_after_its_successes() {
    let sandbox = Sandbox::new();
    let endless = Endless { until: None, successes: Some(30) };
    let campaign = ran_on(&sandbox, "echo x >> ran; [ $CIGRI_TASK_INDEX != 3 ]\n", endless);
    assert_eq!((&campaign["state"], &campaign["done"]), (&json!("terminated"), &json!(30)), "{campaign}");
    assert_eq!((&campaign["failed"], &campaign["total_jobs"]), (&json!(1), &json!(31)));
    assert_eq!(campaign["endless"], json!({"successes": 30, "bag": "successes"}));
    assert_eq!(runs(&sandbox), 31, "no more than were wanted");
}

#[test]
fn an_endless_campaign_ends_when_a_task_finds_nothing_left() {
    let sandbox = Sandbox::new();
    let script = "echo x >> ran; [ $CIGRI_TASK_INDEX -lt 20 ] || exit 67\n";
    let campaign = ran_on(&sandbox, script, Endless::default());
    assert_eq!((&campaign["state"], &campaign["failed"]), (&json!("terminated"), &json!(0)), "{campaign}");
    assert_eq!(campaign["endless"]["bag"], "exhausted");
    assert_eq!(campaign["done"], campaign["total_jobs"], "a task that finds nothing is done");
    assert_eq!(campaign["done"], runs(&sandbox));
}

#[test]
fn an_endless_campaign_whose_time_is_over_sends_nothing() {
    let sandbox = Sandbox::new();
    let campaign = ran_on(&sandbox, "echo x >> ran\n", Endless { until: Some(1_000_000_000_000), successes: None });
    assert_eq!((&campaign["state"], &campaign["total_jobs"]), (&json!("terminated"), &json!(0)), "{campaign}");
    assert!(!sandbox.path("ran").exists());
}

#[test]
fn an_endless_campaign_that_only_fails_is_held_and_can_be_cancelled() {
    let sandbox = Sandbox::new();
    let campaign = ran_on(&sandbox, "echo x >> ran; exit 3\n", Endless::default());
    assert_eq!((&campaign["stalled"], &campaign["endless"]["bag"]), (&json!(true), &json!("open")), "{campaign}");
    assert!(campaign["failed"].as_u64().unwrap() >= 10, "{campaign}");
    let events = sandbox.json(&["events", "2"]);
    assert!(events["items"].as_array().unwrap().iter().any(|event| event["code"] == "ONLY_FAILURES"), "{events}");
    let shown = sandbox.cigri(&["status", "2"]);
    assert!(shown.stdout.contains("endless ("), "{shown}");
    sandbox.cigri(&["cancel", "2"]).expect(0);
    let campaign = sandbox.json(&["status", "2"]);
    assert_eq!((&campaign["state"], &campaign["endless"]["bag"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!(campaign["total_jobs"], runs(&sandbox));
}

#[test]
fn a_program_saves_its_state_at_its_checkpoint_and_goes_on_from_there() {
    let sandbox = Sandbox::new();
    // The first attempt waits for the signal, saves and asks to be sent again; the second finds what was saved.
    let script = "if [ -e saved ]; then echo resumed > done; exit 0; fi\n\
                  trap 'echo half > saved; exit 66' USR1\nwhile :; do sleep 0.01; done\n";
    sandbox.write("task.sh", script);
    store(&sandbox, 1, |spec| {
        for cluster in spec.clusters.values_mut() {
            (cluster.exec_file, cluster.walltime_s) = ("sh task.sh".to_owned(), 600);
            cluster.checkpoint = Some(Checkpoint { before_s: 590, signal: 10 });
        }
    });
    sandbox.start(SERVE).wait().expect(0);
    wait_until("the second attempt's trace", || sandbox.path("done").exists());
    let campaign = sandbox.json(&["status", "2"]);
    assert_eq!((&campaign["done"], &campaign["failed"]), (&json!(1), &json!(0)), "{campaign}");
    let jobs = sandbox.json(&["jobs", "2"]);
    let causes: Vec<_> = jobs["items"].as_array().unwrap().iter().map(|job| job["cause"].clone()).collect();
    assert_eq!(causes, [json!("asked_retry"), json!("success")]);
}
