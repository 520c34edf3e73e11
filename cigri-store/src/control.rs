//! What owners do to their campaigns: pause, resume, cancel; and the end of a campaign.

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::notice::Finish;
use cigri_core::state::{BagState, CampaignState, Stage};
use diesel::prelude::*;

use crate::campaign::{self, CampaignRow};
use crate::connection::Database;
use crate::schema::{self, progress, returned_task};
use crate::{Result, Store, StoreError, delayed, endless, event, max_failures, steps};

/// Ends the campaign if nothing of it waits or lives any more, and its epilogues are done.
pub(crate) fn finish_if_over(connection: &mut Database, row: &CampaignRow, now: i64) -> Result<()> {
    let over = row.pending == 0 && row.live == 0 && steps::are_over(connection, row)?;
    match row.state {
        CampaignState::Active | CampaignState::Paused if over => {
            // The sample was all there was.
            set_stage(connection, row, Stage::Open)?;
            set_state(connection, row, CampaignState::Finished)?;
            end(connection, row.id, now)?;
            tell_finished(connection, row, now)
        }
        CampaignState::Cancelled if over && row.finished_at.is_none() => end(connection, row.id, now),
        _ => Ok(()),
    }
}

/// Nobody has to act for it any more.
fn end(connection: &mut Database, id: i64, now: i64) -> Result<()> {
    set_finished(connection, id, Some(now))?;
    event::of_ended(connection, id, now)
}

/// One event per end, closed at once: a later end is another one.
fn tell_finished(connection: &mut Database, row: &CampaignRow, now: i64) -> Result<()> {
    let lasted_ms = now - row.submitted_at;
    let (done, failed, cancelled, kills) = (row.done, row.failed, row.cancelled, row.kills);
    let finish = Finish { done, failed, cancelled, kills, lasted_ms, causes: Vec::new() };
    let scope = Scope::campaign(row.id);
    event::open(connection, &NewEvent::note(scope.clone(), Code::Finished, finish.text()), now)?;
    event::close(connection, Code::Finished, &scope, now)?;
    Ok(())
}

/// Opens a finished campaign again, in which tasks wait.
pub(crate) fn reopen(connection: &mut Database, row: &CampaignRow) -> Result<()> {
    if row.state == CampaignState::Finished {
        set_state(connection, row, CampaignState::Active)?;
        set_finished(connection, row.id, None)?;
    }
    Ok(())
}

pub(crate) fn set_state(connection: &mut Database, row: &CampaignRow, to: CampaignState) -> Result<()> {
    if !row.state.can_become(to) {
        return Err(StoreError::Conflict(format!("campaign {} is {}, it cannot become {to}", row.id, row.state)));
    }
    diesel::update(schema::campaign::table.find(row.id))
        .set(schema::campaign::state.eq(to.as_str()))
        .execute(connection)?;
    Ok(())
}

pub(crate) fn set_stage(connection: &mut Database, row: &CampaignRow, to: Stage) -> Result<()> {
    if row.stage == to {
        return Ok(());
    }
    if !row.stage.can_become(to) {
        return Err(StoreError::Conflict(format!("campaign {} is {}, it cannot become {to}", row.id, row.stage)));
    }
    diesel::update(schema::campaign::table.find(row.id))
        .set(schema::campaign::stage.eq(to.as_str()))
        .execute(connection)?;
    Ok(())
}

fn set_finished(connection: &mut Database, id: i64, at: Option<i64>) -> Result<()> {
    diesel::update(schema::campaign::table.find(id)).set(schema::campaign::finished_at.eq(at)).execute(connection)?;
    Ok(())
}

impl Store {
    /// Whether the campaign was cancelled.
    pub fn is_cancelled(&self, id: i64) -> Result<bool> {
        Ok(self.campaign(id)?.state == CampaignState::Cancelled)
    }

    /// Stops new submissions of a campaign.
    pub fn pause_campaign(&self, id: i64) -> Result<()> {
        self.write(|connection| {
            let row = campaign::get(connection, id)?;
            set_state(connection, &row, CampaignState::Paused)
        })
    }

    /// Lets a paused campaign go on, lifts the holds of an active one, and ends the delays of its tasks. A sample that has ended is over then; so is one
    /// under way, if there was nothing else to resume. Returns how many holds were lifted.
    pub fn resume_campaign(&self, id: i64, now: i64) -> Result<usize> {
        self.write(|connection| {
            let row = campaign::get(connection, id)?;
            match row.state {
                CampaignState::Active => {}
                CampaignState::Paused => set_state(connection, &row, CampaignState::Active)?,
                state => return Err(StoreError::Conflict(format!("campaign {id} is {state}: nothing waits in it"))),
            }
            let holds = event::lift_holds(connection, id, now)?;
            max_failures::count_anew(connection, id)?;
            delayed::end(connection, id)?;
            let had_stopped = row.state == CampaignState::Paused || holds > 0;
            if row.stage == Stage::Tested || row.stage == Stage::Testing && !had_stopped {
                set_stage(connection, &row, Stage::Open)?;
                event::close(connection, Code::TestMode, &Scope::campaign(id), now)?;
            }
            Ok(holds)
        })
    }

    /// Cancels a campaign: its bag is emptied at once; its live jobs are killed by the clusters' rounds.
    pub fn cancel_campaign(&self, id: i64, now: i64) -> Result<()> {
        self.write(|connection| {
            let row = campaign::get(connection, id)?;
            set_state(connection, &row, CampaignState::Cancelled)?;
            endless::close(connection, id, BagState::Cancelled, now)?;
            let row = campaign::get(connection, id)?;
            diesel::delete(returned_task::table.filter(returned_task::campaign_id.eq(id))).execute(connection)?;
            diesel::update(progress::table.find(id))
                .set((
                    progress::cancelled.eq(progress::cancelled + progress::pending),
                    progress::pending.eq(0i64),
                    progress::next_index.eq(row.task_count),
                ))
                .execute(connection)?;
            let row = campaign::get(connection, id)?;
            finish_if_over(connection, &row, now)
        })
    }
}
