//! What is asked of a campaign beyond the language: the administrator's rules, weighed when it comes and again when the
//! number of its tasks is known, and that its clusters can do what it wants.

use std::collections::BTreeMap;

use cigri_core::admission::Applicant;
use cigri_core::group::Place;
use cigri_core::language::{CampaignSpec, Context, Problem, Problems};
use cigri_store::{CampaignRow, ClusterKind};

use super::identity::Caller;
use super::respond::ApiError;
use crate::grid::Grid;

/// Walltime where a campaign gives none: OAR's own default.
const DEFAULT_WALLTIME_S: u64 = 2 * 3600;
/// Resources where a campaign gives none.
const DEFAULT_RESOURCES: &str = "/resource_id=1";

/// What every campaign is resolved with.
pub(super) fn defaults() -> Context<'static> {
    Context {
        known_clusters: None,
        default_directory: None,
        parameters_streamed: false,
        default_walltime_s: DEFAULT_WALLTIME_S,
        default_resources: DEFAULT_RESOURCES,
    }
}

/// What the rules make of the caller's campaign of so many tasks, and what they did in words.
pub(super) fn weigh(
    grid: &Grid,
    caller: &Caller,
    spec: &CampaignSpec,
    tasks: Option<u64>,
) -> Result<(CampaignSpec, Vec<String>), ApiError> {
    let admin = caller.administers(grid).is_ok();
    let applicant = Applicant { user: &caller.login, admin, tasks };
    let verdict = grid.admission.rules().weigh(spec, applicant, &defaults());
    if let Some(refusal) = verdict.refusal() {
        return Err(ApiError::admission(refusal));
    }
    let notices = verdict.notices();
    check_results(grid, &verdict.spec)?;
    Ok((verdict.spec, notices))
}

/// Whether the rules let the caller add tasks to a campaign. Nothing of it is rewritten any more.
pub(super) async fn weigh_addition(grid: &Grid, caller: &Caller, id: i64, added: i64) -> Result<(), ApiError> {
    let CampaignRow { owner, spec, task_count, .. } = campaign(grid, id).await?;
    let admin = caller.administers(grid).is_ok();
    let tasks = (task_count + added).try_into().ok().filter(|_| spec.endless.is_none());
    let applicant = Applicant { user: &owner, admin, tasks };
    match grid.admission.rules().weigh(&spec, applicant, &defaults()).refusal() {
        Some(refusal) => Err(ApiError::admission(refusal)),
        None => Ok(()),
    }
}

/// What campaigns may ask for by way of retries, as each cluster's admin says now.
pub(super) async fn check_retries(grid: &Grid, spec: &CampaignSpec) -> Result<(), ApiError> {
    if spec.clusters.values().all(|cluster| cluster.retries.is_empty() && cluster.escalate.is_none()) {
        return Ok(());
    }
    let rows = crate::blocking(&grid.store, |store| store.list_clusters()).await?;
    let bounds = rows.into_iter().map(|row| (row.name, row.limits.max_retries)).collect();
    match too_often(spec, &bounds) {
        problems if problems.is_empty() => Ok(()),
        problems => Err(ApiError::campaign(&Problems(problems))),
    }
}

fn too_often(spec: &CampaignSpec, bounds: &BTreeMap<String, u64>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, cluster) in &spec.clusters {
        let Some(bound) = bounds.get(name) else { continue };
        let retries =
            cluster.retries.iter().filter_map(|(class, wanted)| Some((format!("retries.{class}"), wanted.most?)));
        let raises = cluster.escalate.iter().map(|escalate| ("escalate.most".to_owned(), escalate.most));
        for (path, most) in retries.chain(raises).filter(|(_, most)| u64::from(*most) > *bound) {
            let expected = format!("at most {bound}, {name}'s max_retries");
            problems.push(Problem::new(format!("clusters.{name}.{path}"), most.to_string(), expected));
        }
    }
    problems
}

/// What the rules make of `owner`'s campaign of so many tasks, when the caller asks for other things than its file does.
pub(super) fn weigh_as(
    grid: &Grid,
    caller: &Caller,
    owner: &str,
    (spec, tasks): (&CampaignSpec, Option<u64>),
) -> Result<CampaignSpec, ApiError> {
    let applicant = Applicant { user: owner, admin: caller.administers(grid).is_ok(), tasks };
    let verdict = grid.admission.rules().weigh(spec, applicant, &defaults());
    match verdict.refusal() {
        Some(refusal) => Err(ApiError::admission(refusal)),
        None => Ok(verdict.spec),
    }
}

/// The campaign as it is stored.
pub(super) async fn campaign(grid: &Grid, id: i64) -> Result<CampaignRow, ApiError> {
    Ok(crate::blocking(&grid.store, move |store| store.campaign(id)).await?)
}

/// Grouped tasks leave their results in files that have to be readable from here.
fn check_results(grid: &Grid, spec: &CampaignSpec) -> Result<(), ApiError> {
    let is_local = |name: &str| grid.cluster(name).is_some_and(|handle| handle.row.kind == ClusterKind::Local);
    let grouped = spec.clusters.iter().filter(|(_, cluster)| !cluster.grouping.is_none());
    let unreadable = grouped.filter(|(name, cluster)| Place::choose(&cluster.exec_directory, is_local(name)).is_none());
    let problem = |(name, cluster): (&String, &cigri_core::language::ClusterSpec)| {
        let expected = "a directory without blanks, `$`, `,` and backquotes, or one that begins with $HOME";
        Problem::new(format!("clusters.{name}.exec_directory"), format!("`{}`", cluster.exec_directory), expected)
            .hint("tasks are grouped there, and the cluster could not read their results from such a path")
    };
    match unreadable.map(problem).collect::<Vec<_>>() {
        problems if problems.is_empty() => Ok(()),
        problems => Err(ApiError::campaign(&Problems(problems))),
    }
}

#[cfg(test)]
mod tests {
    use cigri_core::failure::Class;
    use cigri_core::language::{ClusterSpec, Escalation};
    use cigri_core::policy::Wanted;

    use super::*;

    #[test]
    fn more_retries_than_an_admin_allows_are_refused_by_class_and_cluster() {
        let most = |most| Wanted { most: Some(most), ..Wanted::default() };
        let mut cluster = ClusterSpec::new("sim", "/home/alice");
        cluster.retries = [(Class::Exit, most(11)), (Class::Node, most(10)), (Class::Disk, Wanted::default())].into();
        cluster.escalate = Some(Escalation { walltime: 2.0, resources: Vec::new(), most: 3 });
        let spec = CampaignSpec::new("c", [("dahu".to_owned(), cluster.clone()), ("luke".to_owned(), cluster)].into());
        let bounds = BTreeMap::from([("dahu".to_owned(), 10), ("luke".to_owned(), 100)]);
        let told = |bounds| too_often(&spec, bounds).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(told(&bounds), ["clusters.dahu.retries.exit: expected at most 10, dahu's max_retries, found 11"]);
        let strict = BTreeMap::from([("luke".to_owned(), 2)]);
        assert_eq!(told(&strict)[2], "clusters.luke.escalate.most: expected at most 2, luke's max_retries, found 3");
    }
}
