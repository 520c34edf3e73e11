//! Conditions on resources, held against the resources themselves before a campaign is taken in: a column that the cluster
//! does not have is the author's slip, and would break the cluster's API.

use std::collections::BTreeMap;
use std::time::Duration;

use cigri_core::language::{CampaignSpec, ClusterSpec, Problem, Problems};
use cigri_store::ClusterKind;
use futures_util::future::join_all;
use oar_client::{Condition, Invalid, NewJob, Resource, Urgency, column_kinds};

use super::respond::ApiError;
use crate::grid::Grid;

/// A cluster that takes longer is not waited for: the condition is checked again before the first job is sent.
const PATIENCE: Duration = Duration::from_secs(5);

/// What was found of a cluster's condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// So many of all resources satisfy it.
    Matching(u64, u64),
    /// The cluster did not say.
    Silent(String),
}

impl Seen {
    pub(super) fn matching(&self) -> Option<u64> {
        match self {
            Seen::Matching(matching, _) => Some(*matching),
            Seen::Silent(_) => None,
        }
    }

    pub(super) fn warning(&self, cluster: &str) -> Option<String> {
        match self {
            Seen::Matching(0, all) => Some(format!("{cluster}: none of its {all} resources satisfies `properties`")),
            Seen::Matching(..) => None,
            Seen::Silent(reason) => {
                Some(format!("{cluster}: the conditions on its resources were not checked: {reason}"))
            }
        }
    }
}

/// Looks at the resources of each cluster on which the campaign sets conditions.
///
/// # Errors
/// Conditions that a cluster would not understand, all of them.
pub(super) async fn look(grid: &Grid, spec: &CampaignSpec) -> Result<BTreeMap<String, Seen>, ApiError> {
    let conditioned = spec.clusters.iter().filter(|(_, cluster)| has_condition(cluster));
    let looks = conditioned.filter_map(|(name, cluster)| {
        let handle = grid.cluster(name).filter(|handle| handle.row.kind != ClusterKind::Local)?;
        Some(async move {
            let answer = tokio::time::timeout(PATIENCE, handle.client.at(Urgency::Logs).resources()).await;
            let seen = match answer {
                Err(_) => Ok(Seen::Silent(format!("no answer within {} s", PATIENCE.as_secs()))),
                Ok(Err(error)) => Ok(Seen::Silent(error.to_string())),
                Ok(Ok(resources)) => check(name, cluster, &resources),
            };
            (name.clone(), seen)
        })
    });
    let (mut seen, mut problems) = (BTreeMap::new(), Vec::new());
    for (name, found) in join_all(looks).await {
        match found {
            Ok(found) => drop(seen.insert(name, found)),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(seen) } else { Err(ApiError::campaign(&Problems(problems))) }
}

fn has_condition(cluster: &ClusterSpec) -> bool {
    cluster.properties.is_some() || cluster.resources.contains('{')
}

fn check(name: &str, cluster: &ClusterSpec, resources: &[Resource]) -> Result<Seen, Vec<Problem>> {
    let job = NewJob {
        resources: vec![cluster.resource_request()],
        property: cluster.properties.clone(),
        ..NewJob::default()
    };
    let problem = |invalid: Invalid| {
        let field = if invalid.field == "property" { "properties" } else { "resources" };
        let expected = "a condition that the cluster's resources understand";
        Problem::new(format!("clusters.{name}.{field}"), invalid.problem, expected)
    };
    let refused = |problems: Vec<Invalid>| problems.into_iter().map(problem).collect::<Vec<_>>();
    job.check_columns(&column_kinds(resources)).map_err(refused)?;
    let all = resources.len() as u64;
    let Some(property) = &cluster.properties else { return Ok(Seen::Matching(all, all)) };
    let condition = Condition::parse(property).map_err(|invalid| refused(vec![invalid]))?;
    let matching = resources.iter().filter(|resource| condition.matches(resource)).count();
    Ok(Seen::Matching(matching as u64, all))
}
