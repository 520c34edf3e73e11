//! Tasks of the bag that wait for their next try, and those whose next try asks for more.

use std::collections::HashMap;

use cigri_core::policy::FURTHEST_MS;
use diesel::dsl::{Gt, LtEq, Or, count_star, min, sql};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Integer};

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

/// Levels of active campaigns that tasks may go at: each level is found from the one below it, so that the tasks of one
/// need not be read. SQLite uses the index over such tasks where `level <> 0` is asked for.
const LEVELS: &str = "
    WITH RECURSIVE found (campaign_id, level) AS (
      SELECT campaign.id, (SELECT min(task.level) FROM returned_task AS task
                           WHERE task.campaign_id = campaign.id AND task.level > 0 AND task.level <> 0)
      FROM campaign WHERE campaign.state = 'active'
      UNION ALL
      SELECT found.campaign_id, (SELECT min(task.level) FROM returned_task AS task
                                 WHERE task.campaign_id = found.campaign_id AND task.level > found.level
                                   AND task.level <> 0)
      FROM found WHERE found.level IS NOT NULL
    )
    SELECT campaign_id, level FROM found WHERE level IS NOT NULL AND (
      (SELECT task.not_before FROM returned_task AS task
       WHERE task.campaign_id = found.campaign_id AND task.level = found.level AND task.level <> 0
       ORDER BY task.not_before LIMIT 1) <= $1
      OR (SELECT task.not_before FROM returned_task AS task
          WHERE task.campaign_id = found.campaign_id AND task.level = found.level AND task.level <> 0
          ORDER BY task.not_before DESC LIMIT 1) > $2)
    ORDER BY campaign_id, level DESC";

type NotBefore = returned_task::not_before;

/// Whether a task may go now: `cigri_core::policy::is_due` as a condition.
pub(crate) fn is_due(now: i64) -> Or<LtEq<NotBefore, i64>, Gt<NotBefore, i64>> {
    returned_task::not_before.le(now).or(returned_task::not_before.gt(now.saturating_add(FURTHEST_MS)))
}

type Found = (i64, Option<String>, i64, Option<i64>);

/// Those of each active campaign; and of these, by what they failed on, those that failed on one cluster.
pub(crate) fn on(
    connection: &mut Database,
    cluster: &str,
    now: i64,
) -> Result<(HashMap<i64, Delayed>, HashMap<i64, Counts>)> {
    let found: Vec<Found> = returned_task::table
        // In the words of the index over such tasks: SQLite uses it for no others, and of two lower bounds only one.
        .filter(sql::<Bool>("returned_task.not_before <> 0"))
        .filter(returned_task::not_before.gt(now))
        .filter(returned_task::not_before.le(now.saturating_add(FURTHEST_MS)))
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

#[derive(QueryableByName)]
struct Raised {
    #[diesel(sql_type = BigInt)]
    campaign_id: i64,
    #[diesel(sql_type = Integer)]
    level: i32,
}

/// The levels above 0 of tasks that may go now, of each active campaign, the highest first.
pub(crate) fn levels(connection: &mut Database, now: i64) -> Result<HashMap<i64, Vec<u32>>> {
    let query = sql_query(LEVELS).bind::<BigInt, _>(now).bind::<BigInt, _>(now.saturating_add(FURTHEST_MS));
    let found: Vec<Raised> = match connection {
        Database::Sqlite(sqlite) => query.load(sqlite)?,
        Database::Postgresql(postgresql) => query.load(postgresql)?,
    };
    let mut all: HashMap<i64, Vec<u32>> = HashMap::new();
    for Raised { campaign_id, level } in found {
        all.entry(campaign_id).or_default().push(level.max(0) as u32);
    }
    Ok(all)
}

/// No task of a campaign waits for its next try any longer.
pub(crate) fn end(connection: &mut Database, campaign: i64) -> Result<()> {
    diesel::update(returned_task::table.filter(returned_task::campaign_id.eq(campaign)))
        .filter(sql::<Bool>("returned_task.not_before <> 0"))
        .set(returned_task::not_before.eq(0))
        .execute(connection)?;
    Ok(())
}
