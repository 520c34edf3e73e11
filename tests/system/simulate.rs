//! `cigri simulate`: a campaign's end is predicted without a server, and what was assumed is told.

use crate::sandbox::{Finished, Sandbox};

const GOOD: &str =
    r#"{"name": "n", "nb_jobs": 600, "exec_file": "echo", "clusters": {"dahu": {"max_jobs": 60}, "luke": {}}}"#;

const TRACE: &str = "; one job that takes all of dahu and luke\n1 0 0 7200 1000 -1 -1 1000 7200 -1 1 1 1 1 1 1 -1 -1\n";

fn simulate(sandbox: &Sandbox, more: &[&str]) -> Finished {
    let all = ["simulate", "c.json", "--task-time", "60s", "--slots", "dahu=100", "--slots", "luke=20"];
    sandbox.cigri(&[&all, more].concat())
}

#[test]
fn an_end_is_predicted_with_its_interval_and_its_assumptions() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", GOOD);
    let out = simulate(&sandbox, &["--seeds", "5", "--what-if", "max_jobs=5"]);
    out.expect(0);
    let lines: Vec<&str> = out.stdout.lines().collect();
    assert_eq!(lines[0], "600 tasks of 60s, 5 runs", "{out}");
    assert!(lines[1].starts_with("ends after ") && lines[1].contains("8 of 10 runs"), "{out}");
    assert!(lines[2].starts_with("  dahu: ") && lines[3].starts_with("  luke: "), "{out}");
    assert!(lines[4].starts_with("with max_jobs = 5: ends after "), "{out}");
    assert!(lines[5].starts_with("Assumed: no other campaign of ours"), "{out}");
    assert!(!sandbox.data().exists());
}

#[test]
fn max_jobs_and_other_people_s_jobs_are_taken_into_account() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", GOOD);
    sandbox.write("t.swf", TRACE);
    let seconds = |more: &[&str]| {
        let out = simulate(&sandbox, &[&["--seeds", "3", "--json"], more].concat());
        out.expect(0);
        let answer: serde_json::Value = serde_json::from_str(&out.stdout).unwrap();
        let what_if = answer["what_if"].get(0).unwrap_or(&answer)["prediction"]["finish_s"]["p50"].as_f64();
        (answer["prediction"]["finish_s"]["p50"].as_f64().unwrap(), what_if.unwrap())
    };
    let (free, narrow) = seconds(&["--what-if", "max_jobs=5"]);
    assert!((450.0..1500.0).contains(&free), "{free}");
    assert!(narrow > 3.0 * free, "{narrow} against {free}");
    let (busy, _) = seconds(&["--trace", "t.swf"]);
    assert!(busy > 7200.0, "{busy}");
}

#[test]
fn what_differs_from_the_cluster_s_own_units_users_and_clocks_is_told() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", GOOD);
    sandbox.write("t.swf", TRACE);
    let told = |more: &[&str]| {
        let out = simulate(&sandbox, &[&["--seeds", "1"], more].concat());
        out.expect(0);
        out.stdout
    };
    let wide = told(&["--trace", "t.swf", "--limit", "user_quotas.alice=5"]);
    assert!(wide.contains("1 of the 1 jobs of the trace are wider than dahu: they take its 100 slots"), "{wide}");
    assert!(wide.contains("a processor of the trace is a slot") && wide.contains("no --user"), "{wide}");
    let narrow = told(&["--trace", "t.swf", "--cores-per-job", "50"]);
    assert!(!narrow.contains("wider than") && narrow.contains("50 processors of the trace are a slot"), "{narrow}");
    let never = told(&["--what-if", "max_jobs=0", "--what-if", "law=fixed", "--what-if", "windows=Mon 01:00-02:00"]);
    assert!(never.contains("with max_jobs = 0: does not end within a year\n"), "{never}");
    assert!(never.contains("with law = fixed: ends after ") && never.contains("it begins on a Monday"), "{never}");
}

#[test]
fn what_cannot_be_simulated_is_refused_in_words() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", GOOD);
    sandbox.write("t.swf", "1 0 0 ten 4\n");
    let one = sandbox.cigri(&["simulate", "c.json", "--task-time", "60s", "--slots", "dahu=100"]);
    one.expect(2);
    assert!(one.stderr.contains("--slots luke=N"), "{one}");
    for (more, expected) in [
        (["--what-if", "max_waitings=3"], "max_waitings"),
        (["--what-if", "slots.froggy=3"], "froggy"),
        (["--limit", "max_waiting=-3"], "max_waiting"),
        (["--limit", "requests_per_s=5"], "requests_per_s"),
        (["--what-if", "file_server={ sensor = \"s\", reference = 6 }"], "file_server"),
        (["--round", "often"], "often"),
        (["--trace", "t.swf"], "line 1"),
    ] {
        let out = simulate(&sandbox, &more);
        out.expect(2);
        assert!(out.stderr.contains(expected), "{out}");
    }
    let soon = sandbox.cigri(&["simulate", "c.json", "--task-time", "soon", "--slots", "dahu=1"]);
    soon.expect(2);
    assert!(soon.stderr.contains("\"soon\" is no duration"), "{soon}");
}
