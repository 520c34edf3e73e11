//! What is asked of a campaign beyond the language: the administrator's rules, weighed when it comes and again when the
//! number of its tasks is known, and that its clusters can do what it wants.

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
