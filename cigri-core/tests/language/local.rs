//! A campaign meant for clusters, tried on one machine: only cores remain, and each loss is said once.

use cigri_core::language::{JobKind, adapt_to_local};

use super::context::{plain, read};

#[test]
fn what_one_machine_cannot_honour_is_listed_once() {
    let text = r#"{ "name": "n", "nb_jobs": 1, "exec_file": "a", "properties": "mem > 16", "project": "p",
        "clusters": {
            "bigfoot": { "resources": "/gpu=1", "cluster_job_type": "devel" },
            "dahu": { "resources": "/nodes=2/core=4" },
            "luke": { "resources": "{cpufreq > 2}/core=3", "properties": "" } } }"#;
    let spec = read(text, &plain()).unwrap().spec;
    let (local, notices) = adapt_to_local(&spec);

    let resources: Vec<_> = local.clusters.values().map(|cluster| cluster.resources.as_str()).collect();
    assert_eq!(resources, ["/core=1", "/core=8", "/core=3"]);
    assert!(local.clusters.values().all(|cluster| cluster.properties.is_none()));
    assert!(
        local.clusters.values().all(|cluster| cluster.types(cluster.kind == JobKind::BestEffort) == ["besteffort"])
    );
    assert!(local.clusters.values().all(|cluster| cluster.project.as_deref() == Some("p")));

    let said: Vec<_> = notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "`/gpu=1` (bigfoot) has no effect: one machine offers cores only",
            "`mem > 16` (bigfoot, dahu) has no effect: one machine has no choice of resources",
            "`devel` (bigfoot) has no effect: job types of a cluster are unknown on one machine",
            "`/nodes=2` (dahu) has no effect: the cores of one machine are taken instead",
            "`{cpufreq > 2}` (luke) has no effect: one machine has no choice of resources",
        ]
    );
}

#[test]
fn a_campaign_of_cores_loses_nothing() {
    let text = r#"{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {"c": {"resources": "/nodes=1/core=2"}}}"#;
    let spec = read(text, &plain()).unwrap().spec;
    let (local, notices) = adapt_to_local(&spec);
    assert_eq!(notices, []);
    assert_eq!(local.clusters["c"].resources, "/core=2");
}

#[test]
fn one_machine_has_no_nights_and_its_steps_run_on_cores() {
    let text = r#"{ "name": "n", "nb_jobs": 1, "exec_file": "a", "prologue": "p", "prologue_resources": "/nodes=2/core=3",
        "clusters": { "a": { "type": "nightly" }, "b": { "type": "semi-best-effort" }, "c": { "type": "nightly" } } }"#;
    let (local, notices) = adapt_to_local(&read(text, &plain()).unwrap().spec);
    let kinds: Vec<_> = local.clusters.values().map(|cluster| cluster.kind).collect();
    assert_eq!(kinds, [JobKind::Normal, JobKind::BestEffort, JobKind::Normal]);
    assert!(local.clusters.values().all(|cluster| cluster.prologue.as_ref().unwrap().resources == "/core=6"));
    let said: Vec<_> = notices.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "`/nodes=2` (a, b, c) has no effect: the cores of one machine are taken instead",
            "`nightly` (a, c) has no effect: one machine has no calendar; its jobs start at once",
            "`semi-best-effort` (b) has no effect: one machine has no calendar; its jobs are best-effort",
        ]
    );
}
