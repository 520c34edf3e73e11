//! Campaigns without an end: when their bag is closed, and what that does.
//!
//! Such a campaign begins with more tasks than it will ever try. When its bag is closed, those never tried and those
//! that came back are no tasks any more; what is live goes on, and comes back no more.

use cigri_core::language::{CampaignSpec, Endless};
use cigri_core::state::BagState;
use diesel::prelude::*;

use crate::campaign::{self, CampaignRow};
use crate::connection::Database;
use crate::schema::{self, progress, returned_task};
use crate::{Result, Store, control};

impl CampaignRow {
    /// What ends the campaign, if it has no end by itself and its bag is open.
    pub fn open_bag(&self) -> Option<Endless> {
        open(&self.spec, self.bag)
    }

    /// How many more of its tasks may be sent, beside those that are live: no more than successes are missing.
    pub fn wanted(&self) -> i64 {
        wanted(self.open_bag(), self.done + self.live)
    }

    fn is_due(&self, now: i64) -> bool {
        self.open_bag().and_then(|endless| endless.until).is_some_and(|until| until <= now)
    }
}

/// What ends a campaign whose bag is in this state.
pub(crate) fn open(spec: &CampaignSpec, bag: Option<BagState>) -> Option<Endless> {
    spec.endless.filter(|_| bag == Some(BagState::Open))
}

/// How many more tasks may be sent beside so many that succeeded or are live.
pub(crate) fn wanted(open: Option<Endless>, taken: i64) -> i64 {
    let most = open.and_then(|endless| endless.successes);
    most.map_or(i64::MAX, |most| (most as i64).saturating_sub(taken).max(0))
}

impl Store {
    /// Closes the bags whose time is over. Returns whose.
    pub fn close_due_bags(&self, now: i64) -> Result<Vec<i64>> {
        let due: Vec<CampaignRow> = self.read(|connection| {
            let open = campaign::with_open_bag(connection)?;
            Ok(open.into_iter().filter(|row| row.is_due(now)).collect())
        })?;
        for row in &due {
            self.write(|connection| close(connection, row.id, BagState::Until, now))?;
        }
        Ok(due.iter().map(|row| row.id).collect())
    }
}

/// Closes a bag that is open; the campaign ends if nothing of it lives.
pub(crate) fn close(connection: &mut Database, id: i64, why: BagState, now: i64) -> Result<()> {
    let row = campaign::get(connection, id)?;
    if row.open_bag().is_none() {
        return Ok(());
    }
    // What its owner asked for once more is wanted all the same.
    let retried = || returned_task::campaign_id.eq(id).and(returned_task::generation.gt(1));
    let kept: i64 = returned_task::table.filter(retried()).count().get_result(connection)?;
    let tried = row.task_count - row.pending + kept;
    diesel::delete(returned_task::table.filter(returned_task::campaign_id.eq(id).and(returned_task::generation.le(1))))
        .execute(connection)?;
    diesel::update(schema::campaign::table.find(id))
        .set((schema::campaign::bag.eq(Some(why.as_str())), schema::campaign::task_count.eq(tried)))
        .execute(connection)?;
    diesel::update(progress::table.find(id))
        .set((progress::pending.eq(kept), progress::next_index.eq(tried)))
        .execute(connection)?;
    let row = campaign::get(connection, id)?;
    control::finish_if_over(connection, &row, now)
}

/// At most `limit` tasks may be taken now; none, and the bag is closed, when its time is over.
pub(crate) fn room(connection: &mut Database, id: i64, limit: i64, now: i64) -> Result<i64> {
    let bag: Option<String> = schema::campaign::table.find(id).select(schema::campaign::bag).first(connection)?;
    if bag.is_none() {
        return Ok(limit);
    }
    let row = campaign::get(connection, id)?;
    if row.is_due(now) {
        close(connection, id, BagState::Until, now)?;
        return Ok(0);
    }
    Ok(limit.min(row.wanted()))
}

/// After a look: closes the bag when a task said that nothing is left, or as many succeeded as were wanted. Gives the
/// campaign as it is then.
pub(crate) fn close_if_enough(connection: &mut Database, id: i64, exhausted: bool, now: i64) -> Result<CampaignRow> {
    let row = campaign::get(connection, id)?;
    let Some(endless) = row.open_bag() else { return Ok(row) };
    let why = match endless.successes {
        _ if exhausted => BagState::Exhausted,
        Some(most) if row.done >= most as i64 => BagState::Successes,
        _ => return Ok(row),
    };
    close(connection, id, why, now)?;
    campaign::get(connection, id)
}

/// Forgets live tasks that would come back to a bag that is closed.
pub(crate) fn forget(connection: &mut Database, id: i64, count: i64) -> Result<()> {
    diesel::update(schema::campaign::table.find(id))
        .set(schema::campaign::task_count.eq(schema::campaign::task_count - count))
        .execute(connection)?;
    diesel::update(progress::table.find(id))
        .set((progress::live.eq(progress::live - count), progress::next_index.eq(progress::next_index - count)))
        .execute(connection)?;
    Ok(())
}
