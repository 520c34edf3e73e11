//! Our live remote jobs on a cluster, by campaign, role and shape.

use std::collections::BTreeMap;

use cigri_core::state::{JobState, Role};
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::{job, submission};
use crate::specs::{Specs, SpecsById};
use crate::submission::is_unsettled;
use crate::{Result, StoreError};

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
    /// Jobs launching, in doubt, held or waiting.
    pub waiting: i64,
    /// Jobs seen running.
    pub running: i64,
}

/// Campaign, owner, role, shape, project, state, number.
type Columns = (i64, String, String, Option<String>, Option<String>, String, i64);

/// Campaign, owner, role, project, shape.
type Kind = (i64, String, String, Option<String>, String);

/// Those of a cluster.
pub(crate) fn on(connection: &mut Database, specs: &Specs, cluster: &str) -> Result<Vec<Here>> {
    let found = counts(connection, cluster)?;
    // Submissions written before shapes were kept.
    let mut old: Vec<i64> = found.iter().filter(|(_, _, _, shape, ..)| shape.is_none()).map(|row| row.0).collect();
    old.dedup();
    let specs = if old.is_empty() { SpecsById::new() } else { specs.of(connection, &old)? };
    let mut all: BTreeMap<Kind, (i64, i64)> = BTreeMap::new();
    for (campaign, owner, role, shape, project, state, number) in found {
        let spec = || specs.get(&campaign).and_then(|spec| spec.clusters.get(cluster));
        let (shape, project) = match shape {
            Some(shape) => (shape, project),
            None => (spec().map(|spec| spec.shape()).unwrap_or_default(), spec().and_then(|spec| spec.project.clone())),
        };
        let (waiting, running) = all.entry((campaign, owner, role, project, shape)).or_default();
        *(if state == JobState::Running.as_str() { running } else { waiting }) += number;
    }
    let here = |((campaign, owner, role, project, shape), (waiting, running)): (Kind, (i64, i64))| {
        let role = role.parse().map_err(StoreError::corrupt)?;
        Ok(Here { campaign, owner, role, project, shape, waiting, running })
    };
    all.into_iter().map(here).collect()
}

fn counts(connection: &mut Database, cluster: &str) -> Result<Vec<Columns>> {
    let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
    let kind = (
        submission::campaign_id,
        submission::owner,
        submission::role,
        submission::shape,
        submission::project,
        job::state,
    );
    Ok(submission::table
        .inner_join(job::table.on(job::submission_id.eq(submission::id)))
        .filter(submission::cluster.eq(cluster))
        .filter(is_unsettled())
        .filter(job::state.eq_any(live))
        // One row for each remote job: those of a group change their state together.
        .filter(job::slot.eq(0))
        .group_by(kind)
        .select((
            submission::campaign_id,
            submission::owner,
            submission::role,
            submission::shape,
            submission::project,
            job::state,
            diesel::dsl::count_star(),
        ))
        .order((submission::campaign_id, submission::shape))
        .load(connection)?)
}
