//! Values that cannot be, each told with its key.

use std::fmt::Display;

use cigri_core::meter::limits::Mode;

use super::{Campaign, Cluster, Scenario, ScenarioError, Span};
use crate::load::Others;

/// Limits that make no difference in the model: requests take no time, all jobs are best-effort tasks, users are in no
/// group or project, and clusters tell no load.
const NOT_MODELLED: [&str; 7] =
    ["group_quotas", "project_quotas", "requests_per_s", "bytes_per_s", "busy", "normal_jobs", "stress"];

/// The first value that cannot be.
pub(super) fn check(scenario: &Scenario) -> Result<(), ScenarioError> {
    within("limit_h", scenario.limit_h, (0.01, 100_000.0))?;
    if scenario.clusters.is_empty() || scenario.campaigns.is_empty() {
        return Err(wrong("cluster, campaign", "a scenario has at least one of each"));
    }
    check_known("limits", &scenario.limits)?;
    for (index, cluster) in scenario.clusters.iter().enumerate() {
        check_known(&format!("cluster[{index}].limits"), &cluster.limits)?;
        check_cluster(&format!("cluster[{index}]"), cluster)?;
    }
    for (index, campaign) in scenario.campaigns.iter().enumerate() {
        check_campaign(&format!("campaign[{index}]"), campaign, scenario)?;
    }
    Ok(())
}

fn wrong(key: impl Display, problem: impl Display) -> ScenarioError {
    ScenarioError::Value { key: key.to_string(), problem: problem.to_string() }
}

fn within(key: impl Display, value: f64, (least, most): (f64, f64)) -> Result<(), ScenarioError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(wrong(key, format!("{value} was found, {least} to {most} was expected")))
}

fn check_cluster(key: &str, cluster: &Cluster) -> Result<(), ScenarioError> {
    within(format!("{key}.slots"), f64::from(cluster.slots), (1.0, 1e6))?;
    within(format!("{key}.round_s"), cluster.round_s, (1.0, 3600.0))?;
    within(format!("{key}.jitter"), cluster.jitter, (0.0, 1.0))?;
    let problems = [cluster.resolved.check(), cluster.resolved.law.check()].concat();
    if let Some(problem) = problems.first() {
        return Err(wrong(format!("{key}.limits"), problem));
    }
    check_limits(key, cluster)?;
    check_spans(&format!("{key}.outages"), &cluster.outages)?;
    if let Some(server) = &cluster.file_server {
        within(format!("{key}.file_server.limit"), server.limit, (0.01, 1e6))?;
        check_spans(&format!("{key}.file_server.silent"), &server.silent)?;
        check_spans(&format!("{key}.file_server.lies"), &server.lies)?;
    }
    check_others(&format!("{key}.others"), &cluster.others)
}

/// What would be taken without making a difference is refused.
fn check_limits(key: &str, cluster: &Cluster) -> Result<(), ScenarioError> {
    let limits = &cluster.resolved;
    if limits.mode != Mode::Open {
        return Err(wrong(format!("{key}.limits.mode"), format!("{}; a simulated cluster is open", limits.mode)));
    }
    if limits.file_server.is_some() && cluster.file_server.is_none() {
        let problem = "the model has no file server there, and so no load to steer";
        return Err(wrong(format!("{key}.limits.file_server"), problem));
    }
    Ok(())
}

/// Limits of a file that the model knows nothing of, under the key where they are.
fn check_known(key: &str, limits: &toml::Table) -> Result<(), ScenarioError> {
    match NOT_MODELLED.iter().find(|name| limits.contains_key(**name)) {
        None => Ok(()),
        Some(name) => Err(wrong(format!("{key}.{name}"), "the model does not know this limit; leave it out")),
    }
}

fn check_spans(key: &str, spans: &[Span]) -> Result<(), ScenarioError> {
    for span in spans {
        within(format!("{key}.from_s"), span.from_s, (0.0, 1e9))?;
        within(format!("{key}.for_s"), span.for_s, (0.0, 1e9))?;
        within(format!("{key}.every_s"), span.every_s.unwrap_or(1.0), (1.0, 1e9))?;
    }
    Ok(())
}

fn check_others(key: &str, others: &Others) -> Result<(), ScenarioError> {
    match others {
        Others::None {} => Ok(()),
        Others::Square { on_s, off_s, .. } => {
            within(format!("{key}.on_s + off_s"), f64::from(on_s + off_s), (1.0, 1e9))
        }
        Others::Poisson { load, mean_s, widths, .. } => {
            within(format!("{key}.load"), *load, (0.0, 2.0))?;
            within(format!("{key}.mean_s"), *mean_s, (0.001, 1e7))?;
            if widths.is_empty() || widths.contains(&0) {
                return Err(wrong(format!("{key}.widths"), "at least one, each from 1"));
            }
            Ok(())
        }
        Others::Trace { faster, .. } => within(format!("{key}.faster"), *faster, (0.001, 1e6)),
    }
}

fn check_campaign(key: &str, campaign: &Campaign, scenario: &Scenario) -> Result<(), ScenarioError> {
    within(format!("{key}.tasks"), campaign.tasks as f64, (1.0, 1e8))?;
    within(format!("{key}.at_s"), campaign.at_s, (0.0, 1e8))?;
    within(format!("{key}.job_mb"), campaign.job_mb, (0.0, 1e9))?;
    let clusters = &scenario.clusters;
    let mut named = campaign.clusters.iter().chain(campaign.max_jobs_on.keys());
    if let Some(name) = named.find(|name| clusters.iter().all(|cluster| cluster.name != name.as_str())) {
        return Err(wrong(format!("{key}.clusters"), format!("{name:?} is no cluster of this scenario")));
    }
    let may = |cluster: &&Cluster| campaign.clusters.is_empty() || campaign.clusters.contains(&cluster.name);
    let most = clusters.iter().filter(may).map(|cluster| cluster.slots).min().unwrap_or(1);
    within(format!("{key}.slots"), f64::from(campaign.slots), (1.0, f64::from(most)))
}
