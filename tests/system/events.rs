//! What happened, as `cigri events` tells it, and what closing does.

use crate::sandbox::Sandbox;

/// Tasks run a script under a prologue.
fn campaign(sandbox: &Sandbox, script: &str, prologue: &str) {
    sandbox.write("task.sh", script);
    let text = format!(
        r#"{{"name": "e", "nb_jobs": 3, "exec_file": "sh task.sh", "clusters": {{"here": {{"prologue": "{prologue}"}}}}}}"#
    );
    sandbox.write("c.json", text);
}

#[test]
fn failures_of_a_campaign_are_one_event_that_is_told_in_full_and_retried() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, "echo 'no such star' >&2; [ -f mended ]", "true");
    sandbox.cigri(&["run", "c.json"]).expect(1);
    let none = sandbox.cigri(&["events"]);
    none.expect(0);
    assert!(none.stdout.is_empty() && none.stderr.contains("no open events; --all shows the closed ones"), "{none}");
    let all = sandbox.json(&["events", "last", "--all"]);
    let event = all["items"].as_array().unwrap().iter().find(|event| event["code"] == "EXIT_ERROR").unwrap();
    assert_eq!(
        (&event["count"], &event["state"], &event["class"]),
        (&3.into(), &"closed".into(), &"job".into()),
        "{all}"
    );
    let table = sandbox.cigri(&["events", "--all", "--severity", "high", "--since", "1h", "--code", "EXIT_ERROR"]);
    table.expect(0);
    assert_eq!(table.stdout.lines().count(), 2, "{table}");
    assert!(table.stdout.contains("EXIT_ERROR") && table.stdout.contains("1@here"), "{table}");
    let shown = sandbox.cigri(&["events", "show", &event["id"].to_string()]);
    shown.expect(0);
    for words in ["3 times", "no such star", "cigri retry 1", "by cigri: the campaign ended"] {
        assert!(shown.stdout.contains(words), "{words}: {shown}");
    }
    sandbox.write("mended", "");
    let closed = sandbox.cigri(&["events", "close", &event["id"].to_string(), "--retry"]);
    closed.expect(0);
    assert!(closed.stderr.contains("was closed already; 3 failed tasks are tried again"), "{closed}");
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox.cigri(&["events", "show", "999"]).expect(6);
    sandbox.cigri(&["events", "--code", "EXIT"]).expect(6);
}

#[test]
fn closing_what_holds_a_campaign_lets_it_go_on_and_drops_nothing() {
    let sandbox = Sandbox::new();
    campaign(&sandbox, "true", "[ -f mended ]");
    sandbox.cigri(&["run", "c.json"]).expect(4);
    let open = sandbox.json(&["events"]);
    assert_eq!((&open["total"], &open["items"][0]["code"]), (&1.into(), &"PROLOG_EXIT_ERROR".into()), "{open}");
    assert_eq!(open["items"][0]["holds"], true);
    sandbox.write("mended", "");
    let closed = sandbox.cigri(&["events", "1", "--close"]);
    closed.expect(0);
    assert!(closed.stderr.contains("Campaign 1 events closed: 1"), "{closed}");
    assert_eq!(sandbox.json(&["status"])["pending"], 3, "closing drops no task");
    sandbox.cigri(&["run", "c.json"]).expect(0);
}
