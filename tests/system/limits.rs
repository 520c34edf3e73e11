//! `cigri admin cluster`: limits changed, shown, printed as configuration, and written down; and what `cigri why` says
//! when they bind.

use serde_json::{Value, json};

use crate::sandbox::{Finished, Sandbox};

/// A data directory with a local cluster `here`, and a finished campaign.
fn with_cluster() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", r#"{"name": "c", "nb_jobs": 2, "exec_file": "true", "clusters": {"here": {}}}"#);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    sandbox
}

fn admin(sandbox: &Sandbox, words: &[&str]) -> Finished {
    sandbox.cigri(&[&["admin", "cluster"], words].concat())
}

fn done(sandbox: &Sandbox, words: &[&str]) -> String {
    let finished = admin(sandbox, words);
    finished.expect(0);
    finished.stdout
}

/// Key to (value, source).
fn shown(sandbox: &Sandbox, key: &str) -> (Value, Value) {
    let limits = sandbox.json(&["admin", "cluster", "show", "here"]);
    let item = limits["items"].as_array().unwrap().iter().find(|item| item["key"] == key).cloned().unwrap_or_default();
    (item["value"].clone(), item["from"].clone())
}

#[test]
fn limits_are_changed_told_and_taken_back() {
    let sandbox = with_cluster();
    let told =
        done(&sandbox, &["set", "here", "--max-waiting", "60", "--user-quota", "alice=200", "--weight", "bob=2"]);
    assert_eq!(
        told,
        "here: max_waiting: 4000 -> 60\nhere: user_quotas.alice: none -> 200\nhere: weights.bob: none -> 2.0\n"
    );
    assert_eq!(shown(&sandbox, "max_waiting"), (json!(60), json!("run_time")));
    assert_eq!(shown(&sandbox, "user_quotas.alice"), (json!(200), json!("run_time")));
    assert_eq!(shown(&sandbox, "busy"), (json!(0.2), json!("default")));
    let again = admin(&sandbox, &["set", "here", "--max-waiting", "60"]);
    assert!(again.stdout.is_empty() && again.stderr.contains("nothing changes"), "{again}");
    let dry = admin(&sandbox, &["set", "here", "--max-waiting", "5", "--dry-run"]);
    assert!(dry.stdout.contains("60 -> 5") && dry.stderr.contains("nothing was changed"), "{dry}");
    let back = done(&sandbox, &["set", "here", "--default", "max-waiting", "--user-quota", "alice=none"]);
    assert_eq!(back, "here: max_waiting: 60 -> 4000\nhere: user_quotas.alice: 200 -> none\n");
    let log = done(&sandbox, &["log", "here"]);
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[1].ends_with("max_waiting: 60 -> 4000") && lines.len() == 6, "newest first: {log}");
    let json = sandbox.json(&["admin", "cluster", "log"]);
    assert_eq!(json["items"][1]["changes"][0], json!({"key": "max_waiting", "before": 4000, "after": 60}), "{json}");
}

#[test]
fn what_makes_no_sense_is_refused_at_once_and_changes_nothing() {
    let sandbox = with_cluster();
    let words = ["--max-array", "0", "--busy", "2", "--window", "someday", "--max-waiting", "9"];
    let wrong = admin(&sandbox, &[&["set", "here", "--user-quota", "alice=99999999999"], &words[..]].concat());
    wrong.expect(2);
    let expected = [
        "4 problems; nothing was changed",
        "windows: found \"someday\", expected a window such as",
        "max_array: found 0, expected a whole number from 1",
        "busy: found 2, expected a number from 0.001 to 1",
        "user_quotas.alice: found 99999999999",
    ];
    for line in expected {
        assert!(wrong.stderr.contains(line), "{line}: {wrong}");
    }
    assert_eq!(shown(&sandbox, "max_waiting").1, json!("configuration"));
    admin(&sandbox, &["set", "here", "--max-waiting", "-3"]).expect(2);
    let nobody = admin(&sandbox, &["set", "nowhere", "--max-waiting", "3"]);
    nobody.expect(6);
    assert!(nobody.error().contains("nowhere"), "{nobody}");
    assert!(done(&sandbox, &["log"]).is_empty());
    admin(&sandbox, &["log", "hree"]).expect(6);
}

#[test]
fn a_cluster_is_drained_with_a_note_that_users_see() {
    let sandbox = with_cluster();
    let told = done(&sandbox, &["drain", "here", "--note", "new kernel, back at noon"]);
    assert_eq!(told, "here: mode: open -> drained\nhere: note: none -> new kernel, back at noon\n");
    for words in [&["clusters"][..], &["admin", "cluster", "list"]] {
        let table = sandbox.cigri(words).stdout;
        assert!(table.contains("drained") && table.contains("new kernel, back at noon"), "{table}");
    }
    let other = admin(&sandbox, &["enable", "here"]);
    other.expect(6);
    assert!(other.error().contains("here is drained, not disabled: `cigri admin cluster undrain here`"), "{other}");
    assert_eq!(
        done(&sandbox, &["undrain", "here"]),
        "here: mode: drained -> open\nhere: note: new kernel, back at noon -> none\n"
    );
    assert_eq!(done(&sandbox, &["disable", "here"]), "here: mode: open -> disabled\n");
    assert_eq!(done(&sandbox, &["enable", "here"]), "here: mode: disabled -> open\n");
}

#[test]
fn what_is_exported_can_be_pasted_into_the_configuration() {
    let sandbox = with_cluster();
    let words = ["set", "here", "--max-waiting", "7", "--window", "Mon-Fri 20:00-07:00", "--window", "Sat,Sun"];
    done(
        &sandbox,
        &[&words[..], &["--user-quota", "*=5", "--stress-reference", "40", "--normal-jobs", "false"]].concat(),
    );
    done(&sandbox, &["set", "here", "--file-server", "http://127.0.0.1:9/load?a=1,b,reference=6,job_mb=50"]);
    let file = sandbox.write("server.toml", done(&sandbox, &["export"]));
    let read = cigri_server::settings::read(Some(&file)).unwrap();
    let (limits, all) = (json!(read.clusters["here"].limits), sandbox.json(&["admin", "cluster", "show", "here"]));
    for item in all["items"].as_array().unwrap() {
        let key = item["key"].as_str().unwrap();
        let pointer = format!("/{}", key.replacen('.', "/", 1));
        assert_eq!(limits.pointer(&pointer), Some(&item["value"]), "{key}");
    }
    assert_eq!(limits["user_quotas"], json!({"*": 5}));
    let command = admin(&sandbox, &["set", "here", "--file-server", "cat /load,reference=6"]);
    command.expect(2);
    assert!(command.stderr.contains("configuration file only"), "{command}");
}

#[test]
fn what_binds_is_told_with_its_remedy_and_where_a_task_is() {
    let sandbox = with_cluster();
    done(&sandbox, &["set", "here", "--max-running", "0"]);
    sandbox.write("d.json", r#"{"name": "d", "nb_jobs": 5, "exec_file": "true", "clusters": {"here": {}}}"#);
    let mut run = sandbox.start(&["run", "d.json"]);
    let bound = || {
        let why = sandbox.json(&["why", "2", "--all"]);
        let item = why["items"][0].clone();
        (item["bound_by"] == "running_cap").then_some((why, item))
    };
    let deadline = std::time::Instant::now() + crate::sandbox::PATIENCE;
    let (_, item) = loop {
        assert!(run.is_running() && std::time::Instant::now() < deadline, "it does not bind: {}", run.stderr());
        if sandbox.campaigns().len() == 2
            && let Some(found) = bound()
        {
            break found;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    assert_eq!((&item["allowed"], &item["of"]), (&json!(0), &json!(5)), "{item}");
    assert!(item["terms"].as_array().unwrap().len() > 3, "{item}");
    let told = sandbox.cigri(&["why", "2", "--task", "4"]);
    told.expect(0);
    let lines: Vec<&str> = told.stdout.lines().collect();
    assert_eq!(lines[0], "task 4 was never sent: it waits behind 4 tasks of its campaign", "{told}");
    assert!(
        lines[1].starts_with("here: 0 of 5 [running_cap]: ")
            && lines[1].contains("admin cluster set here --max-running N`")
    );
    assert!(sandbox.cigri(&["why", "2", "--all"]).stdout.contains("  * running_cap"));
    assert!(sandbox.cigri(&["why", "2", "--history"]).stdout.contains("running_cap"));
    sandbox.cigri(&["why", "2", "--task", "5"]).expect(6);
    // The next round takes it back: nothing is restarted.
    done(&sandbox, &["set", "here", "--default", "max-running"]);
    run.wait().expect(0);
    let ended = sandbox.cigri(&["why", "2", "--task", "4"]).stdout;
    assert!(ended.contains("task 4 is done: job ") && ended.contains("campaign 2 has ended: 5 done"), "{ended}");
}
