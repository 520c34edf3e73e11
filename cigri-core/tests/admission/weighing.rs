//! Rules at work.

use cigri_core::admission::{Applicant, Effect};
use cigri_core::language::ClusterSpec;
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
