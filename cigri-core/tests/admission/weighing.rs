//! Rules at work.

use cigri_core::admission::{Applicant, Effect, Rules};
use cigri_core::language::{ClusterSpec, Context, Limits, parse, resolve};
use serde_json::json;

use super::{campaign, context, rules, weigh};

const STUDENTS: &str = r#"
[[rule]]
name = "short walltimes for students"
each = "cluster"
when = 'user in lists.students && walltime_s(cluster.walltime) > 3600'
set = { walltime = '"01:00:00"' }
warn = "walltime of {user} cut on {cluster}"
[lists]
students = ["bob"]
"#;

#[test]
fn every_rule_that_refuses_is_told_with_its_number() {
    let rules = rules(
        r#"
        [[rule]]
        name = "normal"
        each = "cluster"
        when = 'cluster.type != "best-effort" && !listed(lists.normal, user, cluster.name)'
        refuse = "{user} may not send normal jobs to {cluster}"
        [[rule]]
        name = "idle"
        when = 'false'
        refuse = "never"
        [[rule]]
        name = "few"
        when = 'tasks == null || tasks > 4'
        refuse = "too many tasks in {campaign}"
        [lists]
        normal = { luke = ["bob"] }
        "#,
    );
    let normal = campaign(r#""type": "normal""#);
    let refusal = "rule 1 failed: bob may not send normal jobs to dahu\nrule 3 failed: too many tasks in c";
    assert_eq!(weigh(&rules, "bob", &normal).refusal().as_deref(), Some(refusal));
    let few = Applicant { user: "bob", admin: false, tasks: Some(4) };
    assert_eq!(rules.weigh(&campaign(""), few, &context()).refusal(), None);
    let streamed = Applicant { tasks: None, ..few };
    assert!(rules.weigh(&campaign(""), streamed, &context()).refusal().is_some());
}

#[test]
fn a_rewritten_field_is_read_by_the_language_and_told() {
    let rules = rules(STUDENTS);
    let verdict = weigh(&rules, "bob", &campaign(""));
    assert_eq!(verdict.refusal(), None);
    assert_eq!(verdict.spec.clusters["dahu"].walltime_s, 3600);
    assert_eq!(verdict.spec.clusters["luke"].walltime_s, 3600);
    let notices = verdict.notices();
    assert_eq!(notices.len(), 4);
    assert_eq!(
        notices[0],
        "clusters.dahu: `walltime` is \"01:00:00\" instead of \"02:00:00\" (rule 1: short walltimes for students)"
    );
    assert_eq!(notices[1], "clusters.dahu: walltime of bob cut on dahu (rule 1)");
    let untouched = weigh(&rules, "alice", &campaign(""));
    assert_eq!((untouched.spec, untouched.steps), (campaign(""), vec![]));
}

#[test]
fn a_later_rule_sees_what_an_earlier_one_has_set() {
    let text = format!(
        "{}\n[[rule]]\nname = \"no\"\neach = \"cluster\"\nwhen = 'cluster.walltime == \"01:00:00\"'\nrefuse = \"seen\"",
        STUDENTS.replace("[lists]\nstudents = [\"bob\"]", "")
    );
    let rules = rules(&format!("{text}\n[lists]\nstudents = [\"bob\"]"));
    assert_eq!(weigh(&rules, "bob", &campaign("")).refusal().unwrap(), "rule 2 failed: seen\nrule 2 failed: seen");
    assert_eq!(weigh(&rules, "alice", &campaign("")).refusal(), None);
}

#[test]
fn a_rule_cannot_make_what_the_language_refuses() {
    let rules = rules(
        r#"
        [[rule]]
        name = "bad"
        each = "cluster"
        when = 'cluster.name == "dahu"'
        set = { walltime = '"soon"', properties = '"a = 1; drop"' }
        "#,
    );
    let verdict = weigh(&rules, "bob", &campaign(""));
    let refusal = verdict.refusal().unwrap();
    assert!(refusal.starts_with("rule 1 failed: the administrator's rule 1 (bad) makes a campaign"), "{refusal}");
    assert!(refusal.contains("clusters.dahu.walltime: expected") && refusal.contains("clusters.dahu.properties"));
    assert!(!refusal.contains("column"), "lines of a text that nobody wrote: {refusal}");
    assert_eq!(verdict.spec, campaign(""));
}

#[test]
fn a_rule_that_cannot_be_evaluated_refuses_and_is_named() {
    let rules = rules(
        r#"
        [[rule]]
        name = "projects"
        each = "cluster"
        when = 'user == "bob" && cluster.project.startsWith("p")'
        refuse = "no"
        "#,
    );
    let refusal = weigh(&rules, "bob", &campaign("")).refusal().unwrap();
    assert!(refusal.contains("the administrator's rule 1 (projects) cannot be evaluated: "), "{refusal}");
    assert_eq!(weigh(&rules, "alice", &campaign("")).refusal(), None);
}

#[test]
fn the_campaign_itself_can_be_rewritten_and_null_is_the_default() {
    let rules = rules(
        r#"
        [[rule]]
        name = "names"
        when = 'true'
        set = { name = 'user + "/" + campaign.name' }
        [[rule]]
        name = "no limits"
        each = "cluster"
        when = 'true'
        set = { max_jobs = 'null', walltime = 'null', exec_file = '"nice " + cluster.exec_file' }
        "#,
    );
    let verdict = weigh(&rules, "bob", &campaign(r#""max_jobs": 3, "walltime": "5""#));
    assert_eq!(verdict.spec.name, "bob/c");
    let dahu = &verdict.spec.clusters["dahu"];
    assert_eq!((dahu.max_jobs, dahu.walltime_s, dahu.exec_file.as_str()), (None, 7200, "nice run.sh"));
    let set = Effect::Sets { field: "max_jobs".into(), from: json!(3), to: json!(null) };
    assert!(verdict.steps.iter().any(|step| step.effect == set), "{:?}", verdict.steps);
}

#[test]
fn what_a_rule_leaves_alone_stays_even_if_no_user_could_write_it() {
    let mut spec = campaign("");
    let odd = ClusterSpec::new("run.sh {alpha}", "/home/a$b/{OAR_JOB_ID}");
    spec.clusters.insert("dahu".into(), odd.clone());
    let verdict = weigh(&rules(STUDENTS), "bob", &spec);
    assert_eq!(verdict.spec.clusters["dahu"], ClusterSpec { walltime_s: 3600, ..odd });
}

/// `set = { FIELDS }` for every cluster.
fn setting(fields: &str) -> Rules {
    rules(&format!("[[rule]]\nname = \"r\"\neach = \"cluster\"\nwhen = 'user == \"bob\"'\nset = {{ {fields} }}"))
}

#[test]
fn what_a_rule_switches_off_takes_its_details_along() {
    let everything = r#""prologue": "a", "prologue_walltime": "1", "epilogue": "b", "epilogue_resources": "/core=2",
        "temporal_grouping": true, "temporal_grouping_batch_duration": 60,
        "checkpointing_type": "signal", "checkpointing_period": 5, "checkpointing_signal": "USR1",
        "output_gathering_method": "scp", "output_file": "o.{TASK_ID}", "output_destination": "h:x""#;
    let spec = campaign(everything);
    for (set, field) in [
        ("prologue = '[]'", "prologue"),
        ("epilogue = 'null'", "epilogue"),
        ("temporal_grouping = 'false'", "temporal_grouping"),
        ("temporal_grouping = '1'", "temporal_grouping"),
        ("checkpointing_type = '\"None\"'", "checkpointing_type"),
        ("output_gathering_method = '\"\"'", "output_gathering_method"),
    ] {
        let verdict = weigh(&setting(set), "bob", &spec);
        assert_eq!(verdict.refusal(), None, "{set}");
        let fields = |jdl: serde_json::Value| jdl["clusters"]["dahu"].as_object().unwrap().clone();
        let (before, mut after) = (fields(spec.to_jdl()), fields(verdict.spec.to_jdl()));
        let value = after.remove(field).unwrap();
        assert!([json!([]), json!(false), json!(null)].contains(&value), "{set}: {value}");
        assert!(after.iter().all(|(name, value)| before[name] == *value), "{set}: {after:?}");
        assert!(after.len() < before.len() - 1, "{set}: {after:?}");
    }
}

#[test]
fn a_rule_may_rewrite_a_campaign_of_named_parameters() {
    let text = |parameters: &str| {
        format!(
            r#"{{"name": "c", "parameters": {parameters}, "exec_file": "run --a {{alpha}}", "clusters": {{"dahu": {{}}}},
            "output_gathering_method": "collector", "output_file": "o.{{alpha}}"}}"#
        )
    };
    let read = |text: &str, parameters_streamed| {
        let context = Context { parameters_streamed, ..context() };
        resolve(parse(text.as_bytes(), &Limits::default()).unwrap(), &context).unwrap().spec
    };
    let elsewhere = setting("output_destination = '\"/results\"'");
    for spec in [read(&text(r#"{"grid": {"alpha": [1, 2]}}"#), false), read(&text(r#"{"csv": "p.csv"}"#), true)] {
        let verdict = weigh(&elsewhere, "bob", &spec);
        assert_eq!(verdict.refusal(), None);
        assert_eq!(verdict.spec.clusters["dahu"].output.as_ref().unwrap().file, "o.{alpha}");
        assert_eq!(verdict.spec.to_jdl()["clusters"]["dahu"]["output_destination"], "/results");
        assert_eq!(verdict.spec.sweep, spec.sweep);
    }
    let sweep = read(&text(r#"{"grid": {"alpha": [1, 2]}}"#), false);
    let unknown = weigh(&setting("output_file = '\"o.{beta}\"'"), "bob", &sweep).refusal().unwrap();
    assert!(unknown.contains("`{beta}`"), "{unknown}");
}
