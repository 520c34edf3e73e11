//! Our live remote jobs on a cluster, by campaign, role and shape.

use std::collections::{BTreeMap, BTreeSet};

use cigri_core::state::{JobState, Role};
use diesel::prelude::*;

use crate::Result;
use crate::connection::Database;
use crate::schema::{job, submission};
use crate::specs::{Specs, SpecsById};
use crate::submission::{Unsettled, is_unsettled};

/// A campaign's live remote jobs of one role and shape on a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// Campaign id.
    pub campaign: i64,
    /// Its owner's login.
    pub owner: String,
    /// The project that they are accounted to.
    pub project: Option<String>,
    /// What they are. Steps and samples may ask for other things than the shape says.
    pub role: Role,
    /// What its tasks ask for: see `ClusterSpec::shape`.
    pub shape: String,
    /// The level of its escalation.
    pub level: u32,
    /// Jobs launching, in doubt, held or waiting.
    pub waiting: i64,
    /// Jobs seen running.
    pub running: i64,
    /// Ids of their submissions.
    pub submissions: Vec<i64>,
}

/// Campaign, owner, role, project, level, shape.
type Kind = (i64, String, &'static str, Option<String>, i32, String);

/// Jobs of one kind.
#[derive(Default)]
struct Numbers {
    waiting: i64,
    running: i64,
    submissions: BTreeSet<i64>,
}

/// Those of a cluster, whose unsettled submissions are these.
pub(crate) fn on(
    connection: &mut Database,
    specs: &Specs,
    (cluster, submissions): (&str, &[Unsettled]),
) -> Result<Vec<Here>> {
    // Submissions written before shapes were kept.
    let is_old = |submission: &&Unsettled| submission.shape.is_none();
    let mut old: Vec<i64> = submissions.iter().filter(is_old).map(|old| old.row.campaign_id).collect();
    old.sort_unstable();
    old.dedup();
    let specs = if old.is_empty() { SpecsById::new() } else { specs.of(connection, &old)? };
    let mut all: BTreeMap<Kind, (Role, Numbers)> = BTreeMap::new();
    for (id, state, number) in counts(connection, cluster)? {
        let Ok(at) = submissions.binary_search_by_key(&id, |submission| submission.row.id) else { continue };
        let kind = kind(&submissions[at], &specs);
        let (_, numbers) = all.entry(kind).or_insert((submissions[at].row.role, Numbers::default()));
        numbers.submissions.insert(id);
        *(if state == JobState::Running.as_str() { &mut numbers.running } else { &mut numbers.waiting }) += number;
    }
    let here = |((campaign, owner, _, project, level, shape), (role, numbers)): (Kind, (Role, Numbers))| {
        let Numbers { waiting, running, submissions } = numbers;
        let submissions = submissions.into_iter().collect();
        Here { campaign, owner, role, project, shape, level: level.max(0) as u32, waiting, running, submissions }
    };
    Ok(all.into_iter().map(here).collect())
}

fn kind(submission: &Unsettled, specs: &SpecsById) -> Kind {
    let row = &submission.row;
    let spec = || specs.get(&row.campaign_id).and_then(|spec| spec.clusters.get(&row.cluster));
    let (shape, project) = match submission.shape.clone() {
        Some(shape) => (shape, submission.project.clone()),
        None => (spec().map(|spec| spec.shape()).unwrap_or_default(), spec().and_then(|spec| spec.project.clone())),
    };
    (row.campaign_id, row.owner.clone(), row.role.as_str(), project, row.level as i32, shape)
}

/// Submission, state, number.
fn counts(connection: &mut Database, cluster: &str) -> Result<Vec<(i64, String, i64)>> {
    let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
    Ok(submission::table
        .inner_join(job::table.on(job::submission_id.eq(submission::id)))
        .filter(submission::cluster.eq(cluster))
        .filter(is_unsettled())
        .filter(job::state.eq_any(live))
        // One row for each remote job: those of a group change their state together.
        .filter(job::slot.eq(0))
        .group_by((job::submission_id, job::state))
        .select((job::submission_id, job::state, diesel::dsl::count_star()))
        .load(connection)?)
}
