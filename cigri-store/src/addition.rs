//! Tasks that are added to a campaign: all of them become visible in one transaction, or none.
//!
//! A short list is written in that transaction, behind the texts that are there. A long one arrives before it, in short
//! transactions, at a place in the chunks that no task points to yet.

use cigri_core::state::CampaignState;
use diesel::prelude::*;

use crate::campaign::CampaignRow;
use crate::connection::Database;
use crate::idempotency::{self, NewKey};
use crate::intake::chunks;
use crate::schema::{self, parameter_chunk, progress};
use crate::{CHUNK, MOST_TASKS, Result, Store, StoreError, bulk, campaign, control, reserve, task_range};

/// Between the places of two additions: a multiple of [`CHUNK`], and more than a campaign can have tasks.
const STRIDE: i64 = 1_100_000_000;

/// What is added.
#[derive(Debug, Clone, Copy)]
pub enum NewTasks<'a> {
    /// These parameters, some thousands at most.
    Texts(&'a [String]),
    /// What was received as this addition: its number, and how many parameters it has.
    Received(i64, i64),
}

impl NewTasks<'_> {
    fn count(&self) -> i64 {
        match self {
            NewTasks::Texts(texts) => texts.len() as i64,
            NewTasks::Received(_, count) => *count,
        }
    }
}

/// First index and first place of each addition that does not follow the campaign's own texts, in order.
pub(crate) fn visible(connection: &mut Database, campaign: i64) -> Result<Vec<(i64, i64)>> {
    use schema::addition::dsl;
    let found: Vec<(Option<i64>, i64)> = dsl::addition
        .filter(dsl::campaign_id.eq(campaign))
        .filter(dsl::first_index.is_not_null())
        .order(dsl::first_index)
        .select((dsl::first_index, dsl::id))
        .load(connection)?;
    Ok(found.into_iter().filter_map(|(first, id)| Some((first?, id * STRIDE))).collect())
}

/// Where the text of a task is, if it is among these additions.
pub(crate) fn place(additions: &[(i64, i64)], index: i64) -> Option<i64> {
    let at = additions.partition_point(|(first, _)| *first <= index).checked_sub(1)?;
    additions.get(at).map(|(first, place)| place + index - first)
}

impl Store {
    /// Makes room for parameters that are about to be received for a campaign; returns the addition's number. Nobody
    /// sees them before [`Store::add_tasks`].
    pub fn begin_addition(&self, id: i64) -> Result<i64> {
        self.write(|connection| {
            let row = campaign::get(connection, id)?;
            refuse(&row, 1)?;
            insert(connection, id, None)
        })
    }

    /// Appends parameters to an addition that is being received. `first` counts from 0 in it; it and the length must
    /// be multiples of [`CHUNK`], but for the last call.
    pub fn append_to_addition(&self, (id, addition): (i64, i64), first: i64, parameters: &[String]) -> Result<()> {
        if first + parameters.len() as i64 > MOST_TASKS {
            return Err(too_many(id));
        }
        self.append_parameters(id, addition * STRIDE + first, parameters)
    }

    /// Drops an addition that was being received, and gives back the room it took on the disk.
    pub fn drop_addition(&self, addition: i64) -> Result<()> {
        use schema::addition::dsl;
        self.write(|connection| {
            let pending = dsl::addition.find(addition).filter(dsl::first_index.is_null());
            let campaign = pending.select(dsl::campaign_id).first(connection).optional()?;
            campaign.map_or(Ok(()), |campaign| drop_pending(connection, (campaign, addition)))
        })?;
        self.shrink()
    }

    /// Adds tasks to a campaign: they are in its bag when this returns, and it is open again if it had finished. `key`
    /// as in [`Store::open_campaign_once`]. [`StoreError::Conflict`] if the campaign takes no tasks.
    pub fn add_tasks(&self, id: i64, new: NewTasks<'_>, key: Option<&NewKey>) -> Result<()> {
        self.write(|connection| {
            idempotency::remember(connection, key, id)?;
            let row = campaign::get(connection, id)?;
            let added = new.count();
            refuse(&row, added)?;
            match new {
                NewTasks::Texts(texts) => append(connection, &row, texts)?,
                NewTasks::Received(addition, _) => show(connection, (id, addition), row.task_count)?,
            }
            task_range::grow(connection, id, (row.task_count, added))?;
            diesel::update(schema::campaign::table.find(id))
                .set(schema::campaign::task_count.eq(row.task_count + added))
                .execute(connection)?;
            diesel::update(progress::table.find(id))
                .set(progress::pending.eq(progress::pending + added))
                .execute(connection)?;
            control::reopen(connection, &row)
        })
    }
}

/// Whether the campaign takes `added` more tasks.
fn refuse(row: &CampaignRow, added: i64) -> Result<()> {
    let id = row.id;
    if row.state == CampaignState::Cancelled {
        return Err(StoreError::Conflict(format!("Unable to add jobs to campaign {id}: it was cancelled")));
    }
    if row.spec.endless.is_some() {
        return Err(StoreError::Conflict(format!("Unable to add jobs to campaign {id}: it has no end")));
    }
    if added <= 0 {
        return Err(StoreError::Conflict(format!("Unable to add jobs to campaign {id}: none were given")));
    }
    if row.task_count.checked_add(added).is_none_or(|count| count > MOST_TASKS) {
        return Err(too_many(id));
    }
    Ok(())
}

fn too_many(id: i64) -> StoreError {
    StoreError::Conflict(format!("Unable to add jobs to campaign {id}: it would have more than {MOST_TASKS}"))
}

/// A new addition; without first index it is still arriving.
fn insert(connection: &mut Database, campaign: i64, first_index: Option<i64>) -> Result<i64> {
    use schema::addition::dsl;
    let id = reserve(connection, "addition", 1)?;
    diesel::insert_into(dsl::addition)
        .values((dsl::id.eq(id), dsl::campaign_id.eq(campaign), dsl::first_index.eq(first_index)))
        .execute(connection)?;
    Ok(id)
}

/// Makes what was received the texts of the tasks from `first_index`.
fn show(connection: &mut Database, (campaign, addition): (i64, i64), first_index: i64) -> Result<()> {
    use schema::addition::dsl;
    let pending = dsl::addition.find(addition).filter(dsl::campaign_id.eq(campaign)).filter(dsl::first_index.is_null());
    let shown = diesel::update(pending).set(dsl::first_index.eq(Some(first_index))).execute(connection)?;
    if shown == 1 { Ok(()) } else { Err(StoreError::Missing(format!("addition {addition} being received"))) }
}

/// Writes texts behind the last one: the last chunk is filled first.
fn append(connection: &mut Database, row: &CampaignRow, texts: &[String]) -> Result<()> {
    let end = end(connection, row)?;
    let (inside, room) = (end % CHUNK as i64, CHUNK - (end % CHUNK as i64) as usize);
    let (filling, rest) = if inside == 0 { (&[][..], texts) } else { texts.split_at(room.min(texts.len())) };
    if !filling.is_empty() {
        let body = format!("\n{}", filling.join("\n"));
        let filled = diesel::update(parameter_chunk::table.find((row.id, end - inside)))
            .set(parameter_chunk::body.eq(parameter_chunk::body.concat(body)))
            .execute(connection)?;
        if filled != 1 {
            return Err(StoreError::Corrupt(format!("campaign {} has no chunk at {}", row.id, end - inside)));
        }
    }
    bulk::insert_chunks(connection, row.id, &chunks(end + filling.len() as i64, rest))
}

/// The place behind the campaign's last text; a new addition where that is computed.
fn end(connection: &mut Database, row: &CampaignRow) -> Result<i64> {
    if let Some((first_index, place)) = visible(connection, row.id)?.last() {
        return Ok(place + row.task_count - first_index);
    }
    let counted: bool = schema::campaign::table.find(row.id).select(schema::campaign::counted).first(connection)?;
    if counted {
        return Ok(insert(connection, row.id, Some(row.task_count))? * STRIDE);
    }
    Ok(row.task_count)
}

fn drop_pending(connection: &mut Database, (campaign, addition): (i64, i64)) -> Result<()> {
    let place = addition * STRIDE;
    let texts = parameter_chunk::table
        .filter(parameter_chunk::campaign_id.eq(campaign))
        .filter(parameter_chunk::first_index.ge(place))
        .filter(parameter_chunk::first_index.lt(place + STRIDE));
    diesel::delete(texts).execute(connection)?;
    diesel::delete(schema::addition::table.find(addition)).execute(connection)?;
    Ok(())
}

/// Drops the additions that an earlier process was receiving when it ended; returns how many.
pub(crate) fn sweep(connection: &mut Database) -> Result<usize> {
    use schema::addition::dsl;
    let pending: Vec<(i64, i64)> =
        dsl::addition.filter(dsl::first_index.is_null()).select((dsl::campaign_id, dsl::id)).load(connection)?;
    for addition in &pending {
        drop_pending(connection, *addition)?;
    }
    Ok(pending.len())
}
