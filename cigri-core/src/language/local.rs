//! What one machine makes of a campaign meant for clusters: cores are all it has, so the rest is dropped, and said.

use std::fmt;

use super::resources::{Part, cores, groups, is_processing};
use super::spec::{CampaignSpec, ClusterSpec, JobKind};

/// Something a campaign asks for that one machine cannot honour; each is said once, with all clusters it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Clusters that ask for it, in alphabetical order.
    pub clusters: Vec<String>,
    /// What is asked for, as written (`/gpu=1`, `mem > 16`).
    pub what: String,
    /// Why it has no effect here.
    pub why: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clusters = self.clusters.join(", ");
        write!(out, "`{}` ({clusters}) has no effect: {}", self.what, self.why)
    }
}

/// The campaign as one machine can run it, and what is not honoured: every cluster asks for cores only, without
/// conditions on resources, job types of its site and a calendar of nights.
pub fn adapt_to_local(spec: &CampaignSpec) -> (CampaignSpec, Vec<Notice>) {
    let mut notices = Vec::new();
    let mut adapted = spec.clone();
    for (name, cluster) in &mut adapted.clusters {
        for (what, why) in dropped(cluster) {
            notice(&mut notices, name, what, why);
        }
        cluster.resources = cores_only(&cluster.resources);
        for step in [&mut cluster.prologue, &mut cluster.epilogue].into_iter().flatten() {
            step.resources = cores_only(&step.resources);
        }
        for resources in cluster.escalate.iter_mut().flat_map(|escalate| &mut escalate.resources) {
            *resources = cores_only(resources);
        }
        cluster.kind = without_calendar(cluster.kind);
        cluster.properties = None;
        cluster.cluster_job_type = None;
    }
    (adapted, notices)
}

fn cores_only(request: &str) -> String {
    format!("/core={}", cores(request))
}

/// One machine has no nights: what waits for one starts at once, what differs by day and by night is as by day.
fn without_calendar(kind: JobKind) -> JobKind {
    match kind {
        JobKind::Nightly => JobKind::Normal,
        JobKind::SemiBestEffort => JobKind::BestEffort,
        kind => kind,
    }
}

fn notice(notices: &mut Vec<Notice>, cluster: &str, what: String, why: &str) {
    match notices.iter_mut().find(|known| known.what == what) {
        Some(known) => known.clusters.push(cluster.to_owned()),
        None => notices.push(Notice { clusters: vec![cluster.to_owned()], what, why: why.to_owned() }),
    }
}

fn dropped(cluster: &ClusterSpec) -> Vec<(String, &'static str)> {
    let condition = "one machine has no choice of resources";
    let mut all: Vec<(String, &'static str)> = Vec::new();
    let steps = [&cluster.prologue, &cluster.epilogue].into_iter().flatten();
    for request in std::iter::once(&cluster.resources).chain(steps.map(|step| &step.resources)) {
        for part in groups(request).unwrap_or_default().iter().flatten() {
            match part {
                Part::Condition(text) => all.push(((*text).to_owned(), condition)),
                Part::Count { name, count } => all.extend(dropped_count(name, *count)),
            }
        }
    }
    if let Some(text) = &cluster.properties {
        all.push((text.clone(), condition));
    }
    if let Some(text) = &cluster.cluster_job_type {
        let why = "job types of a cluster are unknown on one machine";
        all.push((text.clone(), why));
    }
    match cluster.kind {
        JobKind::Nightly => all.push(("nightly".into(), "one machine has no calendar; its jobs start at once")),
        JobKind::SemiBestEffort => {
            all.push(("semi-best-effort".into(), "one machine has no calendar; its jobs are best-effort"));
        }
        JobKind::Normal | JobKind::BestEffort => {}
    }
    let mut once = Vec::new();
    for entry in all {
        if !once.contains(&entry) {
            once.push(entry);
        }
    }
    once
}

fn dropped_count(name: &str, count: Option<u32>) -> Option<(String, &'static str)> {
    let is_node = ["host", "network_address", "node", "nodes"].contains(&name);
    match count {
        None => Some((format!("/{name}=ALL"), "a number is needed on one machine; 1 is taken")),
        Some(count) if !is_processing(name) => Some((format!("/{name}={count}"), "one machine offers cores only")),
        Some(count) if is_node && count > 1 => {
            Some((format!("/{name}={count}"), "the cores of one machine are taken instead"))
        }
        Some(_) => None,
    }
}
