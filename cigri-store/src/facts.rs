//! How far the steps and samples of campaigns are on a cluster, read for all of them at once.

use std::collections::HashMap;

use cigri_core::language::ClusterSpec;
use cigri_core::state::{JobState, Role, Stage, SubmissionState};
use cigri_core::turn::{Facts, Sampling};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::active::ActiveCampaign;
use crate::campaign::CampaignRow;
use crate::connection::Database;
use crate::schema::{job, submission};
use crate::steps::{self, Last};
use crate::{Result, Store, StoreError, failed_on};

/// What the jobs of some campaigns tell of a cluster.
#[derive(Default)]
pub(crate) struct Steps {
    /// The last job of each step.
    last: HashMap<(i64, Role), Last>,
    /// The last submission of tasks that could run there, of campaigns whose tasks have all ended.
    work: HashMap<i64, i64>,
    /// Tasks of the sample that are live there or ended there for good.
    sampled: HashMap<i64, u64>,
}

/// Reads them for these campaigns, with whether they have steps there: three queries at most.
pub(crate) fn on<'a>(
    connection: &mut Database,
    cluster: &str,
    rows: impl Iterator<Item = (&'a ActiveCampaign, bool)> + Clone,
) -> Result<Steps> {
    let with_steps = || rows.clone().filter(|(_, has_steps)| *has_steps).map(|(row, _)| row);
    let stepping: Vec<i64> = with_steps().map(|row| row.id).collect();
    let over: Vec<i64> = with_steps().filter(|row| row.pending + row.live == 0).map(|row| row.id).collect();
    let testing = rows.clone().filter(|(row, _)| row.stage == Stage::Testing);
    let testing: Vec<i64> = testing.map(|(row, _)| row.id).collect();
    Ok(Steps {
        last: if stepping.is_empty() { HashMap::new() } else { last(connection, cluster, stepping)? },
        work: if over.is_empty() { HashMap::new() } else { work(connection, cluster, over)? },
        sampled: if testing.is_empty() { HashMap::new() } else { sampled(connection, cluster, testing)? },
    })
}

/// So that the index over such submissions is used, which are few beside those of tasks.
fn is_other() -> diesel::expression::SqlLiteral<Bool> {
    sql::<Bool>("submission.role <> 'tasks'")
}

fn last(connection: &mut Database, cluster: &str, ids: Vec<i64>) -> Result<HashMap<(i64, Role), Last>> {
    type Columns = (i64, String, (i64, i32, i32, String, i64, i64));
    let found: Vec<Columns> = submission::table
        .inner_join(job::table.on(job::submission_id.eq(submission::id)))
        .filter(submission::cluster.eq(cluster))
        .filter(is_other())
        .filter(submission::role.ne(Role::Test.as_str()))
        .filter(submission::campaign_id.eq_any(ids))
        .select((submission::campaign_id, submission::role, steps::last_columns!()))
        .order(job::id)
        .load(connection)?;
    let mut last = HashMap::new();
    for (campaign, role, columns) in found {
        last.insert((campaign, role.parse().map_err(StoreError::corrupt)?), Last::of(columns)?);
    }
    Ok(last)
}

fn work(connection: &mut Database, cluster: &str, ids: Vec<i64>) -> Result<HashMap<i64, i64>> {
    let opened = [SubmissionState::Open.as_str(), SubmissionState::Closed.as_str()];
    let found: Vec<(i64, Option<i64>)> = submission::table
        .filter(submission::campaign_id.eq_any(ids))
        .filter(submission::cluster.eq(cluster))
        .filter(submission::role.eq_any([Role::Tasks.as_str(), Role::Test.as_str()]))
        .filter(submission::state.eq_any(opened))
        .group_by(submission::campaign_id)
        .select((submission::campaign_id, diesel::dsl::max(submission::id)))
        .load(connection)?;
    Ok(found.into_iter().filter_map(|(campaign, last)| Some((campaign, last?))).collect())
}

fn sampled(connection: &mut Database, cluster: &str, ids: Vec<i64>) -> Result<HashMap<i64, u64>> {
    let counts = |state: &&JobState| !matches!(state, JobState::Killed | JobState::Returned);
    let states = JobState::ALL.iter().filter(counts).map(|state| state.as_str());
    let found: Vec<(i64, i64)> = submission::table
        .inner_join(job::table.on(job::submission_id.eq(submission::id)))
        .filter(submission::cluster.eq(cluster))
        .filter(is_other())
        .filter(submission::role.eq(Role::Test.as_str()))
        .filter(submission::campaign_id.eq_any(ids))
        .filter(job::state.eq_any(states))
        .group_by(submission::campaign_id)
        .select((submission::campaign_id, diesel::dsl::count_star()))
        .load(connection)?;
    Ok(found.into_iter().map(|(campaign, count)| (campaign, count.max(0) as u64)).collect())
}

impl Steps {
    /// What the campaign's turn on the cluster depends on, with so many tasks that may go there; `spec` is what it asks for
    /// there, `None` if it has no steps.
    pub(crate) fn facts(&self, row: &ActiveCampaign, spec: Option<&ClusterSpec>, pending: i64) -> Facts {
        let last = |role| self.last.get(&(row.id, role));
        let (prologue, epilogue) = (last(Role::Prologue), last(Role::Epilogue));
        let is_at_work = row.pending + row.live > 0;
        let work = steps::last_work(self.work.get(&row.id).copied(), prologue);
        let taken = self.sampled.get(&row.id).copied().unwrap_or_default();
        let test = row.spec.test.filter(|_| row.stage == Stage::Testing);
        Facts {
            pending: pending.max(0) as u64,
            left: (row.pending + row.live).max(0) as u64,
            prologue: steps::prologue_state(spec, prologue),
            epilogue: if is_at_work {
                steps::live_epilogue_state(spec, epilogue)
            } else {
                steps::epilogue_state(spec, epilogue, work)
            },
            sampling: test.map(|test| Sampling { wanted: u64::from(test.jobs), taken }),
        }
    }
}

impl Store {
    /// How far the steps and the sample of a campaign are on each of its clusters. Tasks that should rather go elsewhere
    /// don't wait for a cluster.
    pub fn turn_facts(&self, row: &CampaignRow) -> Result<Vec<(String, Facts)>> {
        self.read(|connection| {
            let mut all = Vec::new();
            let active = ActiveCampaign::from(row);
            for (name, spec) in &row.spec.clusters {
                let others = || row.spec.clusters.keys().filter(|other| *other != name).map(String::as_str);
                let failed_here = failed_on::counts_of(connection, row.id, name)?;
                let barred = failed_here.iter().filter(|(set, _)| failed_on::bars(set, others()));
                let pending = row.pending - barred.map(|(_, count)| count).sum::<i64>();
                let steps = on(connection, name, std::iter::once((&active, true)))?;
                all.push((name.clone(), steps.facts(&active, Some(spec), pending)));
            }
            Ok(all)
        })
    }
}
