//! Ids of tasks that were added to a campaign. They are reserved ahead, so that a campaign to which much is added little
//! by little has few runs of ids: each run doubles it.

use std::collections::HashMap;

use cigri_core::task_ids::TaskIds;
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::task_range;
use crate::{Result, StoreError, reserve};

/// Most ids that are reserved beyond those that are needed at once.
const MOST_AHEAD: i64 = 1_000_000;

/// First index and first id of each further run of a campaign's ids, in order.
pub(crate) type Ranges = HashMap<i64, Vec<(i64, i64)>>;

/// The further runs of the campaigns with these ids, from the lowest to the highest.
pub(crate) fn between(connection: &mut Database, (lowest, highest): (i64, i64)) -> Result<Ranges> {
    let found: Vec<(i64, i64, i64)> = task_range::table
        .filter(task_range::campaign_id.between(lowest, highest))
        .select((task_range::campaign_id, task_range::first_index, task_range::first_task_id))
        .order((task_range::campaign_id, task_range::first_index))
        .load(connection)?;
    let mut ranges = Ranges::new();
    for (campaign, first_index, first_id) in found {
        ranges.entry(campaign).or_default().push((first_index, first_id));
    }
    Ok(ranges)
}

/// The ids of a campaign's tasks.
pub(crate) fn ids(ranges: &Ranges, campaign: i64, (first, count): (i64, i64)) -> Result<TaskIds> {
    let further = ranges.get(&campaign).map_or(&[][..], Vec::as_slice);
    let ids = TaskIds::consecutive(first as u64, count as u64);
    let ids = further.iter().try_fold(ids, |ids, (index, id)| ids.with_run(*index as u64, *id as u64));
    ids.ok_or_else(|| StoreError::Corrupt(format!("the task ids of campaign {campaign} contradict each other")))
}

/// Gives `added` more tasks of a campaign of `count` their ids.
pub(crate) fn grow(connection: &mut Database, campaign: i64, (count, added): (i64, i64)) -> Result<()> {
    let last: Option<(i64, i64)> = task_range::table
        .filter(task_range::campaign_id.eq(campaign))
        .select((task_range::first_index, task_range::reserved))
        .order(task_range::first_index.desc())
        .first(connection)
        .optional()?;
    let named = last.map_or(count, |(first_index, reserved)| first_index + reserved);
    let needed = count + added - named;
    if needed <= 0 {
        return Ok(());
    }
    let reserved = needed.max(count.min(MOST_AHEAD));
    let first_task_id = reserve(connection, "task", reserved)?;
    diesel::insert_into(task_range::table)
        .values((
            (task_range::campaign_id.eq(campaign), task_range::first_index.eq(named)),
            (task_range::first_task_id.eq(first_task_id), task_range::reserved.eq(reserved)),
        ))
        .execute(connection)?;
    Ok(())
}
