//! Campaigns with their counters, for reading.

use std::collections::BTreeMap;
use std::sync::Arc;

use cigri_core::language::{CampaignSpec, Endless};
use cigri_core::state::{BagState, CampaignState, JobState, Stage};
use cigri_core::task_ids::TaskIds;
use cigri_core::turn::StepState;
use diesel::prelude::*;

use crate::connection::Database;
use crate::intake::Origin;
use crate::schema::{campaign, job, progress, submission};
use crate::specs;
use crate::task_range::{self, Ranges};
use crate::{Result, Store, StoreError, event, steps};

/// A campaign and its counters. `task_count = pending + live + done + failed + cancelled`.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignRow {
    /// Campaign id.
    pub id: i64,
    /// Owner's login.
    pub owner: String,
    /// State.
    pub state: CampaignState,
    /// How far it is with its sample.
    pub stage: Stage,
    /// What it asks for, resolved.
    pub spec: Arc<CampaignSpec>,
    /// The ids of its tasks.
    pub task_ids: TaskIds,
    /// Number of tasks.
    pub task_count: i64,
    /// Where it came from.
    pub origin: Option<Origin>,
    /// Epoch milliseconds.
    pub submitted_at: i64,
    /// Epoch milliseconds.
    pub finished_at: Option<i64>,
    /// The bag of a campaign without an end.
    pub bag: Option<BagState>,
    /// Tasks in the bag.
    pub pending: i64,
    /// Tasks with a live job.
    pub live: i64,
    /// Of these, seen running.
    pub running: i64,
    /// Tasks that succeeded.
    pub done: i64,
    /// Tasks that failed for good.
    pub failed: i64,
    /// Tasks ended by a cancel.
    pub cancelled: i64,
    /// Attempts that were killed and brought back.
    pub kills: i64,
}

/// Which campaigns to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CampaignFilter {
    /// Only those of this file.
    pub origin_path: Option<String>,
    /// Finished and cancelled ones too.
    pub ended_too: bool,
}

/// What a campaign has on one cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// Live jobs.
    pub live: i64,
    /// The message of the event that holds it there.
    pub hold: Option<String>,
    /// Its prologue there.
    pub prologue: Option<StepState>,
    /// Its epilogue there, once all tasks have ended.
    pub epilogue: Option<StepState>,
}

#[derive(Queryable)]
struct Columns {
    id: i64,
    owner: String,
    state: String,
    stage: String,
    first_task_id: i64,
    task_count: i64,
    origin_path: Option<String>,
    origin_digest: Option<String>,
    submitted_at: i64,
    finished_at: Option<i64>,
    bag: Option<String>,
    counters: (i64, i64, i64, i64, i64, i64, i64),
}

/// The campaigns of these columns and specs, in their order.
fn rows(connection: &mut Database, found: Vec<(Columns, String)>) -> Result<Vec<CampaignRow>> {
    let ranges = ranges(connection, found.iter().map(|(columns, _)| columns.id))?;
    found.into_iter().map(|(columns, spec)| row(columns, specs::parse(&spec)?, &ranges)).collect()
}

fn ranges(connection: &mut Database, ids: impl Iterator<Item = i64> + Clone) -> Result<Ranges> {
    let span = ids.clone().min().zip(ids.max());
    Ok(span.map(|span| task_range::between(connection, span)).transpose()?.unwrap_or_default())
}

/// How many ids a campaign has. A bag without an end keeps those that it began with, however few of its tasks were tried.
fn named(task_count: i64, is_endless: bool) -> i64 {
    if is_endless { Endless::TASKS as i64 } else { task_count }
}

fn row(columns: Columns, spec: Arc<CampaignSpec>, ranges: &Ranges) -> Result<CampaignRow> {
    let (pending, live, running, done, failed, cancelled, kills) = columns.counters;
    let origin = columns.origin_path.zip(columns.origin_digest).map(|(path, digest)| Origin { path, digest });
    let named = named(columns.task_count, columns.bag.is_some());
    Ok(CampaignRow {
        id: columns.id,
        owner: columns.owner,
        state: columns.state.parse().map_err(StoreError::corrupt)?,
        stage: columns.stage.parse().map_err(StoreError::corrupt)?,
        spec,
        task_ids: task_range::ids(ranges, columns.id, (columns.first_task_id, named))?,
        task_count: columns.task_count,
        origin,
        submitted_at: columns.submitted_at,
        finished_at: columns.finished_at,
        bag: columns.bag.map(|bag| bag.parse().map_err(StoreError::corrupt)).transpose()?,
        pending,
        live,
        running,
        done,
        failed,
        cancelled,
        kills,
    })
}

macro_rules! columns {
    () => {
        (
            campaign::id,
            campaign::owner,
            campaign::state,
            campaign::stage,
            campaign::first_task_id,
            campaign::task_count,
            campaign::origin_path,
            campaign::origin_digest,
            campaign::submitted_at,
            campaign::finished_at,
            campaign::bag,
            (
                progress::pending,
                progress::live,
                progress::running,
                progress::done,
                progress::failed,
                progress::cancelled,
                progress::kills,
            ),
        )
    };
}

macro_rules! joined {
    () => {
        campaign::table.inner_join(progress::table.on(progress::campaign_id.eq(campaign::id)))
    };
}

macro_rules! selected {
    () => {
        joined!().select((columns!(), campaign::spec))
    };
}

/// The campaign; an error if there is none (one being received is none).
pub(crate) fn get(connection: &mut Database, id: i64) -> Result<CampaignRow> {
    let columns: Option<(Columns, String)> = selected!().filter(campaign::id.eq(id)).first(connection).optional()?;
    let mut found = rows(connection, columns.into_iter().collect())?;
    found.pop().ok_or_else(|| StoreError::Missing(format!("campaign {id}")))
}

/// Ids of the active campaigns, for a query's condition.
#[diesel::dsl::auto_type]
pub(crate) fn active_ids() -> _ {
    campaign::table.filter(campaign::state.eq("active")).select(campaign::id)
}

/// Campaigns without an end whose bag is open.
pub(crate) fn with_open_bag(connection: &mut Database) -> Result<Vec<CampaignRow>> {
    let found =
        selected!().filter(campaign::bag.eq(Some(BagState::Open.as_str()))).order(campaign::id).load(connection)?;
    rows(connection, found)
}

impl Store {
    /// The ids of a campaign's tasks, as it is now.
    pub fn task_ids(&self, id: i64) -> Result<TaskIds> {
        self.read(|connection| {
            let (first, count, bag): (i64, i64, Option<String>) = campaign::table
                .find(id)
                .select((campaign::first_task_id, campaign::task_count, campaign::bag))
                .first(connection)?;
            let ranges = task_range::between(connection, (id, id))?;
            task_range::ids(&ranges, id, (first, named(count, bag.is_some())))
        })
    }

    /// The campaign; an error if there is none.
    pub fn campaign(&self, id: i64) -> Result<CampaignRow> {
        self.read(|connection| get(connection, id))
    }

    /// Campaigns, oldest first.
    pub fn list_campaigns(&self, filter: &CampaignFilter) -> Result<Vec<CampaignRow>> {
        self.read(|connection| {
            let found: Vec<(Columns, String)> = match &filter.origin_path {
                Some(path) => {
                    selected!().filter(campaign::origin_path.eq(path)).order(campaign::id).load(connection)?
                }
                None => selected!().order(campaign::id).load(connection)?,
            };
            let rows = rows(connection, found)?;
            let open = |row: &CampaignRow| matches!(row.state, CampaignState::Active | CampaignState::Paused);
            Ok(rows.into_iter().filter(|row| filter.ended_too || open(row)).collect())
        })
    }

    /// The JDL as written, without its parameter lists.
    pub fn jdl(&self, id: i64) -> Result<String> {
        self.read(|connection| {
            let jdl = campaign::table.find(id).select(campaign::jdl).first(connection).optional()?;
            jdl.ok_or_else(|| StoreError::Missing(format!("campaign {id}")))
        })
    }

    /// What the campaign has on each of its clusters.
    pub fn shares(&self, row: &CampaignRow) -> Result<BTreeMap<String, Share>> {
        self.read(|connection| {
            let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
            let counts: Vec<(String, i64)> = job::table
                .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
                .filter(job::campaign_id.eq(row.id))
                .filter(job::state.eq_any(live))
                .group_by(submission::cluster)
                .select((submission::cluster, diesel::dsl::count_star()))
                .load(connection)?;
            let mut shares: BTreeMap<String, Share> =
                row.spec.clusters.keys().map(|name| (name.clone(), Share::default())).collect();
            for (cluster, live) in counts {
                shares.entry(cluster).or_default().live = live;
            }
            for (name, spec) in &row.spec.clusters {
                let share = shares.entry(name.clone()).or_default();
                if spec.prologue.is_some() {
                    share.prologue = Some(steps::prologue(connection, row, name)?);
                }
                if spec.epilogue.is_some() {
                    share.epilogue = Some(steps::epilogue(connection, row, name)?);
                }
            }
            for hold in event::holds_of(connection, row.id)? {
                match hold.cluster {
                    Some(cluster) => shares.entry(cluster).or_default().hold = Some(hold.message),
                    // What holds it as a whole holds it on each.
                    None => shares.values_mut().for_each(|share| share.hold = Some(hold.message.clone())),
                }
            }
            Ok(shares)
        })
    }
}
