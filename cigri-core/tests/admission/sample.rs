//! The rules file that is shipped, and examples in rules files.

use cigri_core::admission::Rules;

use super::{campaign, rules, weigh};

const SHIPPED: &str = include_str!("../../../etc/rules.toml");

#[test]
fn the_shipped_rules_bound_normal_jobs_and_their_examples_hold() {
    let shipped = rules(SHIPPED);
    assert_eq!(shipped.len(), 3);
    let tried = shipped.try_examples();
    assert_eq!(tried.len(), 3);
    assert!(tried.iter().all(|tried| tried.problem.is_none()), "{tried:?}");
    let refusal = weigh(&shipped, "bob", &campaign(r#""type": "normal""#)).refusal().unwrap();
    let line = "rule 1 failed: you are not authorized to launch non best-effort jobs on cluster";
    assert_eq!(refusal, format!("{line} dahu\n{line} luke"));
    let listed = rules(&SHIPPED.replace("normal_authorized = []", "normal_authorized = { dahu = [\"bob\"] }"));
    let refusal = weigh(&listed, "bob", &campaign(r#""type": "normal""#)).refusal().unwrap();
    assert_eq!(refusal, format!("{line} luke"));
}

#[test]
fn what_is_commented_out_there_works() {
    let all: Vec<&str> = SHIPPED.lines().map(|line| line.strip_prefix("# ").unwrap_or(line)).collect();
    let begin = all.iter().position(|line| *line == "name = \"normal jobs only for listed users\"").unwrap();
    let text: Vec<&str> = all[begin - 1..].iter().copied().filter(|line| !line.starts_with(['A', 'E', 'S'])).collect();
    let every = rules(&text.join("\n"));
    assert_eq!(every.len(), 5);
    assert!(weigh(&every, "bob", &campaign(r#""test_mode": 11"#)).refusal().is_some());
    assert_eq!(weigh(&every, "bob", &campaign("")).spec.clusters["dahu"].walltime_s, 3600);
}

#[test]
fn an_example_that_does_not_hold_says_what_is_instead() {
    let text = r#"
        [[rule]]
        name = "cut"
        each = "cluster"
        when = 'true'
        set = { walltime = '"1:0:0"' }
        [[test]]
        user = "a"
        campaign = { name = "c", nb_jobs = 1, exec_file = "x", clusters = { dahu = {} } }
        expect = "accepted"
        set = { clusters = { dahu = { walltime = "01:00:00" } } }
        [[test]]
        name = "wrong value"
        user = "a"
        campaign = { name = "c", nb_jobs = 1, exec_file = "x", clusters = { dahu = {} } }
        expect = "accepted"
        set = { clusters = { dahu = { walltime = "02:00:00" } } }
        [[test]]
        user = "a"
        campaign = "{}"
        expect = "accepted"
        [[test]]
        user = "a"
        campaign = { name = "c", param_file = "x", exec_file = "x", clusters = { dahu = {} } }
        expect = "refused"
    "#;
    let tried = Rules::compile(text).unwrap().try_examples();
    let problems: Vec<&str> = tried.iter().map(|tried| tried.problem.as_deref().unwrap_or("")).collect();
    assert_eq!((tried[0].name.as_str(), problems[0]), ("test 1", ""));
    assert!(tried[1].name == "wrong value" && problems[1].contains("\"walltime\":\"01:00:00\""), "{problems:?}");
    assert!(problems[2].starts_with("its campaign: "), "{problems:?}");
    assert_eq!(problems[3], "it is accepted");
}
