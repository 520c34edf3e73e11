//! What would become of a campaign: everything short of taking it in. Nothing is stored, and no number is used up.

use std::collections::{BTreeMap, VecDeque};

use cigri_api::{ClusterPreview, CommandLine, DryRun};
use cigri_core::command;
use cigri_core::language::{CampaignSpec, ClusterSpec, JobKind, Parameters, Problem};
use cigri_store::{ClusterKind, ClusterRow, Store};

use super::identity::Caller;
use super::incoming::Incoming;
use super::intake::{self, Prepared, Stream};
use super::once::Once;
use super::properties::{self, Seen};
use super::prospect::{self, Doubt};
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::cluster::preview;
use crate::grid::Grid;

/// Command lines that are shown from each end.
const SHOWN: usize = 3;

/// The first and the last tasks of a campaign, and how many there are.
struct Ends {
    /// `None` without an end.
    count: Option<u64>,
    first: Vec<(u64, String)>,
    last: Vec<(u64, String)>,
}

/// The report on a campaign that would be accepted.
pub(super) async fn report(
    grid: &Grid,
    caller: &Caller,
    (mut campaign, stream): (Prepared, Option<Stream>),
    once: &mut Once,
) -> Result<DryRun, ApiError> {
    let seen = properties::look(grid, &campaign.resolved.spec).await?;
    let mut problems = campaign.resolved.warnings.clone();
    let is_streamed = stream.is_some();
    let ends = ends(&mut campaign, stream, &mut problems, once).await?;
    if let (Some(count), true) = (ends.count, is_streamed) {
        campaign.weigh_again(grid, caller, count)?;
    }
    let spec = &campaign.resolved.spec;
    let rows = rows(grid, spec).await?;
    let ends_within_s = ends.count.and_then(|count| ends_within(grid, count, spec, &rows));
    let mut warnings: Vec<String> = problems.iter().map(Problem::to_string).collect();
    for (name, cluster) in &spec.clusters {
        warnings.extend(walltime_warning(grid, name, cluster));
        warnings.extend(seen.get(name).and_then(|seen| seen.warning(name)));
    }
    let doubts = prospect::doubts(grid, caller, spec, ends.count).await?;
    warnings.extend(doubts.iter().map(Doubt::sentence));
    warnings.extend(hold_warnings(grid, caller, spec).await?);
    let preview = |(name, cluster): (&String, &ClusterSpec)| {
        let matching_resources = seen.get(name).and_then(Seen::matching);
        let preview = cluster_preview(grid, (spec, name, cluster), &ends, rows.get(name))?;
        Ok((name.clone(), ClusterPreview { matching_resources, ..preview }))
    };
    let clusters = spec.clusters.iter().map(preview).collect::<Result<_, ApiError>>()?;
    let notices = campaign.notices.clone();
    Ok(DryRun { tasks: ends.count, jdl: spec.to_jdl(), clusters, ends_within_s, warnings, notices })
}

async fn ends(
    campaign: &mut Prepared,
    stream: Option<Stream>,
    warnings: &mut Vec<Problem>,
    once: &mut Once,
) -> Result<Ends, ApiError> {
    let resolved = &mut campaign.resolved;
    match intake::open_stream((&mut resolved.spec, &resolved.parameters), stream, once).await? {
        Some(incoming) => received_ends(incoming, warnings, once).await,
        None => Ok(known_ends(&resolved.parameters)),
    }
}

fn known_ends(parameters: &Parameters) -> Ends {
    let Some(count) = parameters.count() else {
        return Ends { count: None, first: vec![(0, "0".to_owned())], last: Vec::new() };
    };
    let tasks = |indices: std::ops::Range<u64>| {
        let task = |index| parameters.get(index).map(|text| (index, text));
        indices.filter_map(task).collect::<Vec<_>>()
    };
    let head = count.min(SHOWN as u64);
    Ends { count: Some(count), first: tasks(0..head), last: tasks(head.max(count.saturating_sub(SHOWN as u64))..count) }
}

/// Reads the whole list, as its intake would, and keeps its ends.
async fn received_ends(incoming: Incoming, warnings: &mut Vec<Problem>, once: &mut Once) -> Result<Ends, ApiError> {
    let (mut first, mut last) = (Vec::new(), VecDeque::new());
    let mut index = 0;
    let keep = async |batch: Vec<String>| {
        for text in batch {
            if first.len() < SHOWN {
                first.push((index, text));
            } else {
                last.push_back((index, text));
            }
            index += 1;
            if last.len() > SHOWN {
                last.pop_front();
            }
        }
        Ok(())
    };
    let count = intake::read_parameters(incoming, warnings, once, keep).await?;
    Ok(Ends { count: Some(count), first, last: last.into() })
}

/// The clusters of the campaign; one that would become a local one as it would be.
pub(super) async fn rows(grid: &Grid, spec: &CampaignSpec) -> Result<BTreeMap<String, ClusterRow>, ApiError> {
    let row = |name: &String| match grid.cluster(name) {
        Some(handle) => (handle.row.clone(), true),
        None => (grid.local_row(name.clone()), false),
    };
    let rows: Vec<(ClusterRow, bool)> = spec.clusters.keys().map(row).collect();
    let read = move |store: &Store| {
        let with_limits = |(row, is_known): (ClusterRow, bool)| {
            // What an admin changed at run time counts.
            let changed = is_known.then(|| store.cluster_limits(&row.name).ok()).flatten();
            let limits = changed.unwrap_or_else(|| row.limits.clone());
            (row.name.clone(), ClusterRow { limits, ..row })
        };
        Ok(rows.into_iter().map(with_limits).collect())
    };
    Ok(crate::blocking(&grid.store, read).await?)
}

/// In how many seconds all tasks have ended at most, if as many run at a time as may on the fastest cluster.
pub(super) fn ends_within(
    grid: &Grid,
    count: u64,
    spec: &CampaignSpec,
    rows: &BTreeMap<String, ClusterRow>,
) -> Option<u64> {
    let alone = |(name, cluster): (&String, &ClusterSpec)| {
        let row = rows.get(name)?;
        let room = match &grid.local {
            Some(pool) if row.kind == ClusterKind::Local => u64::from(pool.cores / cluster.cores()),
            _ => row.limits.max_running,
        };
        let at_a_time = room.min(cluster.max_jobs.map_or(u64::MAX, u64::from)).max(1);
        count.div_ceil(at_a_time).checked_mul(cluster.walltime_s)
    };
    spec.clusters.iter().filter_map(alone).min()
}

fn walltime_warning(grid: &Grid, name: &str, cluster: &ClusterSpec) -> Option<String> {
    let limit = grid.admission.best_effort_walltime_s.get(name).copied()?;
    let may_be_killed = matches!(cluster.kind, JobKind::BestEffort | JobKind::SemiBestEffort);
    let (own, longest) = (cluster.walltime_s, preview::longest_walltime_s(cluster));
    let asked = match (own > limit, longest > limit) {
        _ if !may_be_killed => return None,
        (true, _) => format!("the walltime is {own} s"),
        (false, true) => format!("a job of grouped tasks asks for up to {longest} s"),
        (false, false) => return None,
    };
    Some(format!("{name}: best-effort jobs may last {limit} s there, and {asked}"))
}

/// What holds a whole cluster, or this user there.
async fn hold_warnings(grid: &Grid, caller: &Caller, spec: &CampaignSpec) -> Result<Vec<String>, ApiError> {
    let (login, names) = (caller.login.clone(), spec.clusters.keys().cloned().collect::<Vec<_>>());
    // No campaign has this number: only what concerns more than one campaign is found.
    let events = crate::blocking(&grid.store, move |store| store.campaign_events(0, &names, false)).await?;
    let mine =
        events.into_iter().filter(|event| event.holds && event.owner.as_ref().is_none_or(|owner| *owner == login));
    Ok(mine.map(|event| format!("{} is on hold: {}", event.cluster.unwrap_or_default(), event.message)).collect())
}

fn cluster_preview(
    grid: &Grid,
    (spec, name, cluster): (&CampaignSpec, &str, &ClusterSpec),
    ends: &Ends,
    row: Option<&ClusterRow>,
) -> Result<ClusterPreview, ApiError> {
    let line = |(index, text): &(u64, String)| {
        let command = command::shown_command(cluster, spec.parameter_names(), text);
        CommandLine { index: *index, command }
    };
    let pending = ends.count.unwrap_or(u64::MAX);
    let (most_live, most_sent) = row.map_or((u64::MAX, u64::MAX), |row| (row.limits.max_running, row.limits.max_array));
    let at_once = most_live.min(most_sent).min(cluster.max_jobs.map_or(u64::MAX, u64::from));
    let is_local = row.is_some_and(|row| row.kind == ClusterKind::Local);
    let manner = preview::Manner {
        calendar: (!is_local).then(|| grid.calendar(name)),
        now: now_ms(),
        normal_jobs: row.is_none_or(|row| row.limits.normal_jobs),
        room: (at_once, most_sent),
    };
    let requests = preview::requests((spec, name), &ends.first, pending, &manner);
    Ok(ClusterPreview {
        first: ends.first.iter().map(line).collect(),
        last: ends.last.iter().map(line).collect(),
        matching_resources: None,
        requests: requests.map_err(|error| ApiError::conflict(error.to_string()))?,
    })
}
