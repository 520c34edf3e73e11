//! A campaign in which too many tasks failed for good goes on hold everywhere, in the transaction of the last of them.

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::language::MaxFailures;
use cigri_core::state::CampaignState;
use diesel::prelude::*;

use crate::campaign::CampaignRow;
use crate::connection::Database;
use crate::schema::progress;
use crate::{Result, event};

/// Opens the hold when more tasks have failed since the campaign was last let go on than its owner allows.
pub(crate) fn hold_if_passed(connection: &mut Database, row: &CampaignRow, now: i64) -> Result<()> {
    let Some(most) = row.spec.max_failures.filter(|_| row.state == CampaignState::Active) else { return Ok(()) };
    let from: i64 = progress::table.find(row.id).select(progress::failures_from).first(connection)?;
    let failed = (row.failed - from).max(0) as u64;
    let ended = (row.done + row.failed + row.cancelled).max(0) as u64;
    if row.pending == 0 || !most.is_passed(failed, (row.task_count.max(0) as u64, ended)) {
        return Ok(());
    }
    event::open_once(connection, &passed(row, failed, most), now)
}

fn passed(row: &CampaignRow, failed: u64, most: MaxFailures) -> NewEvent {
    let id = row.id;
    let message = format!(
        "{failed} of {} tasks failed for good, more than `max_failures` ({most}) allows: nothing more is sent. Look at \
         them with `cigri failures {id}`; then `cigri resume {id}` goes on and counts from there, `cigri retry {id}` \
         tries them again",
        row.task_count
    );
    NewEvent::hold(Scope::campaign(id), Code::TooManyFailures, message)
}

/// Counts from here on: its owner lets the campaign go on.
pub(crate) fn count_anew(connection: &mut Database, campaign: i64) -> Result<()> {
    diesel::update(progress::table.find(campaign))
        .set(progress::failures_from.eq(progress::failed))
        .execute(connection)?;
    Ok(())
}

/// So many of its failures are none any more: they were counted before, and those to come are counted in full.
pub(crate) fn count_less(connection: &mut Database, campaign: i64, retried: i64) -> Result<()> {
    let from: i64 = progress::table.find(campaign).select(progress::failures_from).first(connection)?;
    diesel::update(progress::table.find(campaign))
        .set(progress::failures_from.eq((from - retried).max(0)))
        .execute(connection)?;
    Ok(())
}
