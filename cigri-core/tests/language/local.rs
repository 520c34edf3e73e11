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
fn one_machine_knows_no_night() {
    let mut spec =
        read(r#"{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {"c": {}}}"#, &plain()).unwrap().spec;
    for (kind, local_kind, word) in [
        (JobKind::Nightly, JobKind::Normal, "nightly"),
        (JobKind::SemiBestEffort, JobKind::BestEffort, "semi-best-effort"),
    ] {
        for cluster in spec.clusters.values_mut() {
            cluster.kind = kind;
        }
        let (local, notices) = adapt_to_local(&spec);
        assert_eq!(local.clusters["c"].kind, local_kind);
        assert_eq!(
            notices.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [format!("`type: {word}` (c) has no effect: one machine knows no night, its jobs run at once")]
        );
    }
}
