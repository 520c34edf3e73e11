//! Samples of clusters: what they have, what is used of it, and by whom.

use cigri_core::state::JobState;
use cigri_core::usage::{GridUsage, Rate};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::connection::Database;
use crate::schema::{grid_usage, job, submission};
use crate::specs::Specs;
use crate::submission::is_unsettled;
use crate::{Result, Store, StoreError, account};

/// One sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridUsageRow {
    /// Cluster name.
    pub cluster: String,
    /// The moment that it stands for, epoch milliseconds.
    pub at: i64,
    /// What was seen.
    pub usage: GridUsage,
}

/// Which samples to read. Times are epoch milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SampleFilter {
    /// From this moment.
    pub from: i64,
    /// To this moment, included.
    pub to: i64,
    /// Of this cluster only.
    pub cluster: Option<String>,
    /// Those of so many milliseconds become their mean, at the beginning of that time; 0: as they are.
    pub step_ms: i64,
}

type Columns = (String, i64, i64, i64, i64, i64);

fn row((cluster, at, total, used, ours, unavailable): Columns) -> GridUsageRow {
    GridUsageRow { cluster, at, usage: GridUsage { total, used, ours, unavailable } }
}

impl Store {
    /// Cores that our running jobs on a cluster asked for. `None` if nothing of ours is there at all, not even waiting.
    pub fn cores_running(&self, cluster: &str) -> Result<Option<i64>> {
        self.read(|connection| cores_running(connection, &self.specs, cluster))
    }

    /// Keeps a sample; one of the same cluster and moment stays as it is.
    pub fn keep_sample(&self, new: &GridUsageRow) -> Result<()> {
        self.write(|connection| {
            let usage = &new.usage;
            let known: i64 = grid_usage::table.find((&new.cluster, new.at)).count().get_result(connection)?;
            if known == 0 {
                diesel::insert_into(grid_usage::table)
                    .values((
                        (grid_usage::cluster.eq(&new.cluster), grid_usage::at.eq(new.at)),
                        (grid_usage::total.eq(usage.total), grid_usage::used.eq(usage.used)),
                        (grid_usage::ours.eq(usage.ours), grid_usage::unavailable.eq(usage.unavailable)),
                    ))
                    .execute(connection)?;
            }
            Ok(())
        })
    }

    /// Forgets samples of a cluster from before a moment (epoch milliseconds); returns how many there were.
    pub fn prune_samples(&self, cluster: &str, before: i64) -> Result<usize> {
        let old = || grid_usage::cluster.eq(cluster).and(grid_usage::at.lt(before));
        let found: i64 =
            self.read(|connection| Ok(grid_usage::table.filter(old()).count().get_result(connection)?))?;
        match found {
            0 => Ok(0),
            _ => self.write(|connection| Ok(diesel::delete(grid_usage::table.filter(old())).execute(connection)?)),
        }
    }

    /// Samples that are wanted, by time and cluster; at most `most`.
    pub fn samples(&self, wanted: &SampleFilter, most: i64) -> Result<Vec<GridUsageRow>> {
        // A number of the program's own.
        let at = format!("grid_usage.at / {0} * {0}", wanted.step_ms.max(1));
        let mean = |column: &str| sql::<BigInt>(&format!("CAST(ROUND(AVG(grid_usage.{column})) AS BIGINT)"));
        let usage = (mean("total"), mean("used"), mean("ours"), mean("unavailable"));
        let mut query = grid_usage::table
            .filter(grid_usage::at.between(wanted.from, wanted.to))
            .group_by(sql::<BigInt>(&format!("{at}, grid_usage.cluster")))
            .select((sql::<Text>("grid_usage.cluster"), sql::<BigInt>(&at), usage.0, usage.1, usage.2, usage.3))
            .order(sql::<BigInt>(&format!("{at}, grid_usage.cluster")))
            .limit(most)
            .into_boxed();
        if let Some(cluster) = &wanted.cluster {
            query = query.filter(grid_usage::cluster.eq(cluster.clone()));
        }
        let found: Vec<Columns> = self.read(|connection| Ok(query.load(connection)?))?;
        Ok(found.into_iter().map(row).collect())
    }

    /// The last sample of each cluster that has one, or of this one, by time and cluster.
    pub fn last_samples(&self, cluster: Option<&str>) -> Result<Vec<GridUsageRow>> {
        self.read(|connection| {
            let mut latest = grid_usage::table
                .group_by(grid_usage::cluster)
                .select((grid_usage::cluster, diesel::dsl::max(grid_usage::at)))
                .into_boxed();
            if let Some(cluster) = cluster {
                latest = latest.filter(grid_usage::cluster.eq(cluster));
            }
            let latest: Vec<(String, Option<i64>)> = latest.load(connection)?;
            let mut rows = Vec::with_capacity(latest.len());
            for (cluster, at) in latest {
                let found: Option<Columns> =
                    grid_usage::table.find((cluster, at.unwrap_or_default())).first(connection).optional()?;
                rows.extend(found.map(row));
            }
            rows.sort_by(|one, other| (one.at, &one.cluster).cmp(&(other.at, &other.cluster)));
            Ok(rows)
        })
    }
}

/// One row is read for each remote job: those of a group change their state together.
fn cores_running(connection: &mut Database, specs: &Specs, cluster: &str) -> Result<Option<i64>> {
    type Found = (i64, String, Option<String>, i32, String, Option<i32>, i64);
    let kind = (submission::campaign_id, submission::role, submission::results, submission::level);
    // Those of a submission ask for the same.
    let generation = diesel::dsl::max(job::generation);
    let found: Vec<Found> = submission::table
        .inner_join(job::table.on(job::submission_id.eq(submission::id)))
        .filter(submission::cluster.eq(cluster))
        .filter(is_unsettled())
        .filter(job::slot.eq(0))
        .filter(job::state.eq_any(JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str())))
        .group_by((submission::id, kind, job::state))
        .select((kind.0, kind.1, kind.2, kind.3, job::state, generation, diesel::dsl::count_star()))
        .load(connection)?;
    if found.is_empty() {
        return Ok(None);
    }
    let mut cores = 0i64;
    for (campaign, role, results, level, state, generation, jobs) in found {
        if state != JobState::Running.as_str() {
            continue;
        }
        let role = role.parse().map_err(StoreError::corrupt)?;
        let asked = (level.max(0) as u32, generation.unwrap_or(1));
        let Some(spec) = account::spec_of(connection, specs, (campaign, cluster), asked)? else { continue };
        let side = if results.is_some() { i64::from(spec.grouping.side_by_side.max(1)) } else { 1 };
        cores = cores.saturating_add(jobs * side * i64::from(Rate::of(&spec, role).cores));
    }
    Ok(Some(cores))
}
