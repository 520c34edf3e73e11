//! What tasks ask for in place of what their campaign's file says, since a user retried them so.
//!
//! It goes by generations: from one on, all tasks ask for something, until a later one. A submission takes tasks of one
//! such span only, because its jobs ask for the same.

use std::collections::{BTreeMap, HashMap};

use cigri_core::ask::Ask;
use diesel::dsl::{max, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::bag::Wanted;
use crate::connection::Database;
use crate::schema::{campaign, job, progress, retry_override, returned_task};
use crate::{Result, Store, StoreError, delayed, failed_on};

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

/// A campaign with something to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// Its id.
    pub id: i64,
    /// Its other clusters that are open to it.
    pub open_elsewhere: Vec<String>,
    /// The levels of escalation of its tasks, beside 0.
    pub levels: Vec<u32>,
}

/// By level of escalation.
pub type Levels = BTreeMap<u32, Asked>;

/// All spans of a campaign, in order; none if its tasks always ask for what its file says.
pub(crate) fn spans(connection: &mut Database, id: i64) -> Result<Vec<Asked>> {
    Ok(spans_of(connection, &[id])?.remove(&id).unwrap_or_default())
}

fn spans_of(connection: &mut Database, ids: &[i64]) -> Result<HashMap<i64, Vec<Asked>>> {
    let found: Vec<(i64, i32, String)> = retry_override::table
        .filter(retry_override::campaign_id.eq_any(ids))
        .select((retry_override::campaign_id, retry_override::generation_from, retry_override::ask))
        .order((retry_override::campaign_id, retry_override::generation_from))
        .load(connection)?;
    let mut all: HashMap<i64, Vec<Asked>> = HashMap::new();
    for (id, from, text) in found {
        let ask = serde_json::from_str(&text).map_err(StoreError::corrupt)?;
        let spans = all.entry(id).or_insert_with(|| vec![Asked { from: 1, ..Asked::default() }]);
        if let Some(last) = spans.last_mut() {
            last.to = Some(from);
        }
        spans.push(Asked { from, to: None, ask });
    }
    Ok(all)
}

fn levels(
    connection: &mut Database,
    (campaign, cluster): (&Sender, &str),
    spans: &[Asked],
    now: i64,
) -> Result<Levels> {
    let barred = failed_on::barred(connection, (campaign.id, cluster), &campaign.open_elsewhere)?;
    let mut all = Levels::new();
    for level in campaign.levels.iter().copied().chain([0]) {
        let wanted = Wanted { limit: 1, level: level as i32, now };
        let generation = match first(connection, (campaign.id, &barred), 1, wanted)? {
            Some(generation) => generation,
            None if level == 0 && has_untried(connection, campaign.id)? => 1,
            None => first(connection, (campaign.id, &barred), 0, wanted)?.unwrap_or(1),
        };
        all.extend(spans.iter().find(|asked| asked.has(generation)).map(|asked| (level, asked.clone())));
    }
    Ok(all)
}

/// The tasks that ask for the same as these did when they were looked at: some may have been retried with other things
/// since.
pub(crate) fn current(connection: &mut Database, id: i64, known: Option<&Asked>) -> Result<Option<Asked>> {
    let generation = known.map_or(1, |asked| asked.from);
    Ok(spans(connection, id)?.into_iter().find(|asked| asked.has(generation)))
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
    /// What the tasks were retried with that a cluster would be sent next, for each of these campaigns, by level. Tasks
    /// that failed there are left to the clusters open elsewhere; of those of a level, only those that need not wait.
    pub fn asked_next(&self, cluster: &str, campaigns: &[Sender], now: i64) -> Result<HashMap<i64, Levels>> {
        self.read(|connection| {
            let ids: Vec<i64> = campaigns.iter().map(|campaign| campaign.id).collect();
            let mut spans = spans_of(connection, &ids)?;
            let mut all = HashMap::new();
            for campaign in campaigns {
                let Some(spans) = spans.remove(&campaign.id) else { continue };
                all.insert(campaign.id, levels(connection, (campaign, cluster), &spans, now)?);
            }
            Ok(all)
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
        .filter(delayed::is_due(wanted.now))
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
