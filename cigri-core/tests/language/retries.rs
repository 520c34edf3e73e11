//! How often, when and as what failed tasks are tried again: as written, as read, as refused.

use cigri_core::failure::Class;
use cigri_core::language::{Escalation, MaxFailures};
use cigri_core::policy::{self, Place, Wanted};

use super::context::{cluster_with, plain, read, refusals, with_fields, with_line};

/// What is said of one line of top-level fields, without paths and places.
fn said(line: &str) -> Vec<String> {
    let all = refusals(&with_line(line), &plain());
    all.iter().map(|one| one.split_once(": ").unwrap_or_default().1.to_owned()).collect()
}

#[test]
fn a_number_counts_exit_codes_and_an_object_names_classes() {
    let most = |most| Wanted { most: Some(most), ..Wanted::default() };
    assert_eq!(cluster_with(r#", "retries": 2"#).retries, [(Class::Exit, most(2))].into());
    assert_eq!(cluster_with(r#", "retries": 0"#).retries, [(Class::Exit, most(0))].into());
    let several = cluster_with(
        r#", "retries": {"walltime": "1", "licence": {"most": 10, "delay_s": 60, "place": "last"}, "disk": null}"#,
    );
    let licence = Wanted { most: Some(10), delay_s: Some(60), place: Some(Place::Last) };
    assert_eq!(several.retries, [(Class::Walltime, most(1)), (Class::Licence, licence)].into());
    assert!(cluster_with("").retries.is_empty());
}

#[test]
fn a_cluster_has_its_own_or_those_of_the_top() {
    let text = r#"{"name": "n", "nb_jobs": 1, "exec_file": "a", "retries": {"exit": 1},
        "escalate": {"walltime": 2},
        "clusters": {"a": {}, "b": {"retries": {"node": 9}, "escalate": {}}, "c": {"retries": {}}}}"#;
    let clusters = read(text, &plain()).unwrap().spec.clusters;
    let classes = |name: &str| clusters[name].retries.keys().copied().collect::<Vec<_>>();
    assert_eq!([classes("a"), classes("b"), classes("c")], [vec![Class::Exit], vec![Class::Node], vec![]]);
    assert_eq!(clusters["a"].escalate, Some(Escalation { walltime: 2.0, resources: Vec::new(), most: 3 }));
    assert_eq!(clusters["b"].escalate, None);
}

#[test]
fn all_that_is_wrong_with_retries_is_said_at_once() {
    let line =
        r#""retries": {"exits": 1, "program": 2, "node": -1, "disk": {"most": "x", "when": 3, "place": "here"}}"#;
    assert_eq!(
        said(line),
        [
            "expected a class of failures, found `exits`; did you mean `exit`?",
            "expected nothing: tasks come back after that by themselves, without limit, found 2",
            "expected a whole number from 0 to 1000000, found -1",
            "expected a whole number from 0 to 1000000, found \"x\"",
            "expected `most`, `delay_s` or `place`, found 3",
            "expected `first`, `elsewhere` or `last`, found \"here\"",
        ]
    );
    let all = refusals(&with_line(line), &plain());
    assert!(all.iter().any(|one| one.starts_with("retries.disk.place (line 2, column ")), "{all:?}");
    assert_eq!(said(r#""retries": "often""#).len(), 1);
}

#[test]
fn levels_multiply_the_walltime_and_walk_through_the_resources() {
    let spec = cluster_with(
        r#", "walltime": "1", "escalate": {"walltime": 2.0, "resources": ["/core=1", "/core=2", "/nodes=1"]}"#,
    );
    let asked: Vec<String> = (0..4).map(|level| spec.at_level(level, None).resource_request()).collect();
    let expected = ["/core=1,walltime=01:00:00", "/core=2,walltime=02:00:00", "/nodes=1,walltime=04:00:00"];
    assert_eq!(asked[..3], expected);
    assert_eq!(spec.escalate.as_ref().unwrap().most, 2);
    assert_eq!(spec.at_level(2, Some(3 * 3600)).walltime_s, 3 * 3600, "the cluster's bound");
    assert_eq!(spec.at_level(2, Some(60)).walltime_s, 3600, "never less than the campaign's own");
    let long = cluster_with(r#", "walltime": "8000", "escalate": {"walltime": 10, "most": 10}"#);
    assert_eq!(long.at_level(10, None).walltime_s, 365 * 24 * 3600 - 1);
}

#[test]
fn the_first_of_the_resources_is_that_of_the_first_attempt() {
    let fields = r#", "escalate": {"resources": ["/core=2", "/core=4"]}"#;
    assert_eq!(cluster_with(fields).resources, "/core=2");
    let refused = said(r#""resources": "/core=1", "escalate": {"resources": ["/core=2", "/core=4"]}"#);
    assert_eq!(refused, ["expected `/core=1` as the first of its `resources`, as `resources` says, found `/core=2`"]);
    let wide = said(r#""dimensional_grouping": 2, "escalate": {"resources": ["/core=2", "/core=4"]}"#);
    assert!(wide[0].contains("dimensional_grouping"), "{wide:?}");
}

#[test]
fn escalations_that_lead_nowhere_are_refused() {
    for value in [
        "true",
        "2",
        r#"{"most": 3}"#,
        r#"{"walltime": 1}"#,
        r#"{"walltime": 11}"#,
        r#"{"walltime": "x2"}"#,
        r#"{"walltime": 2, "most": 0}"#,
        r#"{"walltime": 2, "most": 11}"#,
        r#"{"walltime": 2, "times": 3}"#,
        r#"{"resources": ["/core=1"]}"#,
        r#"{"resources": ["/core=1", "two"]}"#,
        r#"{"resources": ["/core=1", 2]}"#,
        r#"{"resources": ["/core=1", "/core=2,walltime=1"]}"#,
        r#"{"resources": ["/core=1", "/core=2"], "most": 2}"#,
    ] {
        assert_eq!(said(&format!(r#""escalate": {value}"#)).len(), 1, "{value}");
    }
}

#[test]
fn a_bound_of_failures_is_a_number_or_a_share() {
    let bound = |value: &str| {
        let fields = with_fields(&format!(r#""exec_file": "a", "max_failures": {value}"#));
        read(&fields, &plain()).map(|resolved| resolved.spec.max_failures)
    };
    assert_eq!(bound("5").unwrap(), Some(MaxFailures::Tasks(5)));
    assert_eq!(bound(r#""10%""#).unwrap(), Some(MaxFailures::Percent(10)));
    assert_eq!(bound(r#""100 %""#).unwrap(), Some(MaxFailures::Percent(100)));
    assert_eq!((bound("null").unwrap(), bound("false").unwrap()), (None, None));
    for wrong in ["0", "-1", "1.5", r#""0%""#, r#""101%""#, r#""ten""#, "[1]", "true"] {
        assert!(bound(wrong).is_err(), "{wrong}");
    }
    let few = MaxFailures::Percent(10);
    assert!(!few.is_passed(5, (40, 19)) && few.is_passed(5, (40, 20)) && !few.is_passed(4, (40, 20)));
    assert!(few.is_passed(2, (5, 5)), "a campaign of fewer tasks than that");
}

#[test]
fn the_manual_tells_each_class_as_the_program_treats_it() {
    let manual = include_str!("../../../docs/LANGUAGE.md");
    let rows = manual.lines().skip_while(|line| !line.starts_with("| class |")).skip(2);
    let told: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let rule = |class: &Class| {
        let rule = policy::usual(*class);
        let most = if rule.most == u32::MAX { "no limit".to_owned() } else { rule.most.to_string() };
        let place = format!("{:?}", rule.place).to_lowercase();
        [format!("`{class}`"), most, format!("{} s", rule.delay_s), place]
    };
    let known: Vec<[String; 4]> = Class::ALL.iter().map(rule).collect();
    let told: Vec<[String; 4]> = told.iter().map(|row| [row[0], row[2], row[3], row[4]].map(str::to_owned)).collect();
    assert_eq!(told, known);
}
