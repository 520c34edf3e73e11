//! Tasks of the bag that wait for their next try, and those whose next try asks for more.

use std::collections::HashMap;

use diesel::dsl::{count_star, min, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::Result;
use crate::connection::Database;
use crate::failed_on::{self, Counts};
use crate::schema::returned_task;

/// Tasks of a campaign that wait for their next try.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Delayed {
    /// How many.
    pub tasks: i64,
    /// When the first of them may go, epoch milliseconds.
    pub first_at: Option<i64>,
}

type Found = (i64, Option<String>, i64, Option<i64>);

/// Those of each active campaign; and of these, by what they failed on, those that failed on one cluster.
pub(crate) fn on(
    connection: &mut Database,
    cluster: &str,
    now: i64,
) -> Result<(HashMap<i64, Delayed>, HashMap<i64, Counts>)> {
    let found: Vec<Found> = returned_task::table
        // In the words of the index over such tasks: SQLite uses it for no others.
        .filter(sql::<Bool>("returned_task.not_before > 0"))
        .filter(returned_task::not_before.gt(now))
        .filter(returned_task::campaign_id.eq_any(crate::campaign::active_ids()))
        .group_by((returned_task::campaign_id, returned_task::failed_on))
        .select((returned_task::campaign_id, returned_task::failed_on, count_star(), min(returned_task::not_before)))
        .load(connection)?;
    let mut all: HashMap<i64, Delayed> = HashMap::new();
    for (campaign, _, tasks, first_at) in &found {
        let known = all.entry(*campaign).or_default();
        known.tasks += tasks;
        known.first_at = known.first_at.into_iter().chain(*first_at).min();
    }
    let failed = found.into_iter().map(|(campaign, failed_on, tasks, _)| (campaign, failed_on, tasks)).collect();
    Ok((all, failed_on::sort_out(failed, cluster)?))
}

/// The levels above 0 of tasks that may go now, of each active campaign, the highest first.
pub(crate) fn levels(connection: &mut Database, now: i64) -> Result<HashMap<i64, Vec<u32>>> {
    let found: Vec<(i64, i32)> = returned_task::table
        .filter(sql::<Bool>("returned_task.level > 0"))
        .filter(returned_task::not_before.le(now))
        .filter(returned_task::campaign_id.eq_any(crate::campaign::active_ids()))
        .select((returned_task::campaign_id, returned_task::level))
        .distinct()
        .order((returned_task::campaign_id, returned_task::level.desc()))
        .load(connection)?;
    let mut all: HashMap<i64, Vec<u32>> = HashMap::new();
    for (campaign, level) in found {
        all.entry(campaign).or_default().push(level.max(0) as u32);
    }
    Ok(all)
}
