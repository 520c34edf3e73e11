//! What tasks ask for in place of what their campaign's file says, since a user retried them so.
//!
//! It goes by generations: from one on, all tasks ask for something, until a later one. A submission takes tasks of one
//! such span only, because its jobs ask for the same.

use cigri_core::ask::Ask;
use cigri_core::state::CampaignState;
use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::bag::Wanted;
use crate::connection::Database;
use crate::schema::{campaign, job, progress, retry_override, returned_task};
use crate::{Result, Store, StoreError, failed_on};

/// Generations whose tasks ask for the same.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Asked {
    /// The first, from 1.
    pub from: i32,
    /// The first of the next such span, if there is one.
    pub to: Option<i32>,
    /// What they ask for.
    pub ask: Ask,
}

impl Asked {
    /// Whether tasks of this generation are meant.
    pub(crate) fn has(&self, generation: i32) -> bool {
        generation >= self.from && self.to.is_none_or(|to| generation < to)
    }
}

/// All spans of a campaign, in order; none if its tasks always ask for what its file says.
pub(crate) fn spans(connection: &mut Database, id: i64) -> Result<Vec<Asked>> {
    let found: Vec<(i32, String)> = retry_override::table
        .filter(retry_override::campaign_id.eq(id))
        .select((retry_override::generation_from, retry_override::ask))
        .order(retry_override::generation_from)
        .load(connection)?;
    let mut spans: Vec<Asked> = Vec::new();
    for (from, text) in found {
        let ask = serde_json::from_str(&text).map_err(StoreError::corrupt)?;
        match spans.last_mut() {
            Some(last) => last.to = Some(from),
            None => spans.push(Asked { from: 1, to: Some(from), ask: Ask::default() }),
        }
        spans.push(Asked { from, to: None, ask });
    }
    Ok(spans)
}

/// What tasks of a generation ask for.
pub(crate) fn of_generation(spans: &[Asked], generation: i32) -> Ask {
    spans.iter().find(|asked| asked.has(generation)).map(|asked| asked.ask.clone()).unwrap_or_default()
}

/// From a generation that no task has had yet, tasks ask for this; gives the generation.
pub(crate) fn begin(connection: &mut Database, id: i64, ask: &Ask) -> Result<i32> {
    let tried: Option<i32> = job::table
        .filter(job::campaign_id.eq(id))
        .filter(sql::<Bool>("job.generation > 1"))
        .select(max(job::generation))
        .first(connection)?;
    let waiting: Option<i32> = returned_task::table
        .filter(returned_task::campaign_id.eq(id))
        .select(max(returned_task::generation))
        .first(connection)?;
    let begun: Option<i32> = retry_override::table
        .filter(retry_override::campaign_id.eq(id))
        .select(max(retry_override::generation_from))
        .first(connection)?;
    let from = 1 + tried.max(waiting).max(begun).unwrap_or(1).max(1);
    let text = serde_json::to_string(ask).map_err(StoreError::corrupt)?;
    diesel::insert_into(retry_override::table)
        .values((
            retry_override::campaign_id.eq(id),
            retry_override::generation_from.eq(from),
            retry_override::ask.eq(text),
        ))
        .execute(connection)?;
    Ok(from)
}

impl Store {
    /// What the tasks ask for that a cluster would be sent next; `None` where the campaign's file says it. Tasks that
    /// failed there are left to the clusters open elsewhere; only those of a level are meant, that need not wait.
    pub fn asked_next(
        &self,
        id: i64,
        (cluster, open_elsewhere): (&str, &[String]),
        (level, now): (u32, i64),
    ) -> Result<Option<Asked>> {
        self.read(|connection| {
            let spans = spans(connection, id)?;
            let state: String = campaign::table.find(id).select(campaign::state).first(connection)?;
            if spans.is_empty() || state != CampaignState::Active.as_str() {
                return Ok(None);
            }
            let barred = failed_on::barred(connection, (id, cluster), open_elsewhere)?;
            let wanted = Wanted { limit: 1, level: level as i32, now };
            let generation = match first(connection, (id, &barred), 1, wanted)? {
                Some(generation) => generation,
                None if level == 0 && has_untried(connection, id)? => 1,
                None => first(connection, (id, &barred), 0, wanted)?.unwrap_or(1),
            };
            Ok(spans.into_iter().find(|asked| asked.has(generation)))
        })
    }

    /// What the jobs of a submission were asked for in place of what the campaign's file says.
    pub fn asked_of(&self, submission: i64) -> Result<Ask> {
        self.read(|connection| {
            let found: Option<(i64, i32)> = job::table
                .filter(job::submission_id.eq(submission))
                .select((job::campaign_id, job::generation))
                .first(connection)
                .optional()?;
            let Some((id, generation)) = found else { return Ok(Ask::default()) };
            Ok(of_generation(&spans(connection, id)?, generation))
        })
    }
}

/// Generation of the first task that came back to a place and may be taken.
fn first(connection: &mut Database, (id, barred): (i64, &[String]), place: i32, wanted: Wanted) -> Result<Option<i32>> {
    let query = returned_task::table
        .filter(returned_task::campaign_id.eq(id))
        .filter(returned_task::place.eq(place))
        .filter(returned_task::level.eq(wanted.level))
        .filter(returned_task::not_before.le(wanted.now))
        .order(returned_task::task_index)
        .select(returned_task::generation);
    let fits = returned_task::failed_on.is_null().or(returned_task::failed_on.ne_all(barred));
    Ok(match barred.is_empty() {
        true => query.first(connection).optional()?,
        false => query.filter(fits).first(connection).optional()?,
    })
}

fn has_untried(connection: &mut Database, id: i64) -> Result<bool> {
    let (next, count): (i64, i64) = progress::table
        .inner_join(campaign::table.on(campaign::id.eq(progress::campaign_id)))
        .filter(progress::campaign_id.eq(id))
        .select((progress::next_index, campaign::task_count))
        .first(connection)?;
    Ok(next < count)
}
