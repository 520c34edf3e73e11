//! `--dry-run` tells and runs nothing; `cigri admin rules test` needs no server.

use serde_json::{Value, json};

use crate::sandbox::{Sandbox, repository};

const SWEEP: &str = r#"{"name": "dry", "param_file": "p.txt", "exec_file": "touch ran; echo", "walltime": "0:10",
    "clusters": {"here": {"properties": "mem > 1"}, "there": {"exec_file": "other"}}}"#;

#[test]
fn a_dry_run_of_either_command_tells_the_same_and_runs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", SWEEP);
    sandbox.write("p.txt", "a\nb\nc\nd\ne 'f\n");
    for command in ["run", "submit"] {
        let run = sandbox.cigri(&[command, "c.json", "--dry-run"]);
        run.expect(0);
        assert!(run.stdout.starts_with("campaign `dry`: 5 tasks, "), "{run}");
        for words in ["cluster here", "walltime        00:10:00", "task 0          touch ran; echo a", "other d"] {
            assert!(run.stdout.contains(words), "{words}: {run}");
        }
        assert!(run.stderr.contains("warning: ") && run.stderr.contains("open quote"), "{run}");
        assert!(run.stderr.contains("note: ") && run.stderr.contains("mem > 1"), "{run}");
    }
    let run = sandbox.cigri(&["run", "c.json", "--dry-run", "--json"]);
    run.expect(0);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["tasks"], &report["jdl"]["clusters"]["there"]["exec_file"]), (&json!(5), &json!("other")));
    assert!(sandbox.campaigns().is_empty());
    sandbox.cigri(&["run", "c.json", "--dry-run", "--new"]).expect(2);
    sandbox.write("c.json", SWEEP.replace("0:10", "soon"));
    sandbox.cigri(&["submit", "c.json", "--dry-run"]).expect(3);
}

#[test]
fn rules_are_tested_without_a_server() {
    let sandbox = Sandbox::new();
    let shipped = std::fs::read_to_string(repository().join("etc/rules.toml")).unwrap();
    sandbox.write("rules.toml", &shipped);
    sandbox.write(
        "normal.json",
        r#"{"name": "n", "nb_jobs": 1, "exec_file": "x", "type": "normal", "clusters": {"dahu": {}}}"#,
    );
    let run = sandbox.cigri(&["admin", "rules", "test", "rules.toml", "normal.json", "--user", "bob"]);
    run.expect(0);
    assert!(
        run.stdout.contains("3 rules, without problems")
            && run.stdout.contains("test normal jobs are for listed users: ok")
    );
    let refused = "rule 1 (normal jobs only for listed users, cluster dahu) refuses: you are not authorized to launch";
    assert!(run.stdout.contains(refused), "{run}");
    let table = r#"{"name": "n", "parameters": {"csv": "p.csv"}, "exec_file": "x {alpha}", "clusters": {"dahu": {}}}"#;
    sandbox.write("table.json", table);
    let run = sandbox.cigri(&["admin", "rules", "test", "rules.toml", "table.json", "--user", "bob"]);
    run.expect(0);
    assert!(run.stdout.contains("table.json: no rule applies"), "{run}");
    let run = sandbox.cigri(&["admin", "rules", "test", "rules.toml", "normal.json", "--user", "bob", "--json"]);
    let told: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&told["rules"], &told["campaigns"][0]["steps"][0]["cluster"]), (&json!(3), &json!("dahu")));
    sandbox.write("rules.toml", shipped.replace("\"refused\"", "\"accepted\"").replace("refused_by", "# refused_by"));
    let run = sandbox.cigri(&["admin", "rules", "test", "rules.toml"]);
    run.expect(6);
    assert!(run.stdout.contains("FAILED: it is refused"), "{run}");
    sandbox.write("rules.toml", shipped.replace("cluster.type", "cluster.typ").replace("user,", "usr,"));
    let run = sandbox.cigri(&["admin", "rules", "test", "rules.toml"]);
    run.expect(3);
    assert!(run.error().contains("`usr` is no variable"), "{run}");
    sandbox.cigri(&["admin", "rules", "test", "rules.toml", "normal.json"]).expect(2);
    assert!(!sandbox.data().exists());
}
