//! What one machine makes of a campaign meant for clusters: cores are all it has, so the rest is dropped, and said.

use std::fmt;

use super::resources::{Part, groups, is_processing};
use super::spec::{CampaignSpec, ClusterSpec, JobKind};

const NO_NIGHT: &str = "one machine knows no night, its jobs run at once";

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
/// conditions on resources and without job types of its site.
pub fn adapt_to_local(spec: &CampaignSpec) -> (CampaignSpec, Vec<Notice>) {
    let mut notices = Vec::new();
    let mut adapted = spec.clone();
    for (name, cluster) in &mut adapted.clusters {
        for (what, why) in dropped(cluster) {
            notice(&mut notices, name, what, why);
        }
        cluster.resources = format!("/core={}", cluster.cores());
        cluster.properties = None;
        cluster.cluster_job_type = None;
        cluster.kind = match cluster.kind {
            JobKind::SemiBestEffort => JobKind::BestEffort,
            JobKind::Nightly => JobKind::Normal,
            other => other,
        };
    }
    (adapted, notices)
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
    for part in groups(&cluster.resources).unwrap_or_default().iter().flatten() {
        match part {
            Part::Condition(text) => all.push(((*text).to_owned(), condition)),
            Part::Count { name, count } => all.extend(dropped_count(name, *count)),
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
        JobKind::SemiBestEffort => all.push(("type: semi-best-effort".to_owned(), NO_NIGHT)),
        JobKind::Nightly => all.push(("type: nightly".to_owned(), NO_NIGHT)),
        _ => {}
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
