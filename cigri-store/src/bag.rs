//! The bag: a cursor over the tasks never tried, and one row per task that came back.

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::{BagState, CampaignState, JobState};
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::{campaign, job, progress, returned_task};
use crate::{Asked, NewSubmission, Result, Store, bulk, delayed, endless, event, failed_on};

/// A task taken from the bag, with the number of the attempt about to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Index in the campaign, from 0.
    pub index: i64,
    /// Generation, from 1.
    pub generation: i32,
    /// Attempt, from 1.
    pub attempt: i32,
    /// Index of its remote job in the array, from 1.
    pub array_index: i64,
    /// Place in the remote job, from 0.
    pub slot: i32,
}

/// A task just taken, and where in the bag it was.
pub(crate) struct Taken {
    pub(crate) task: Task,
    /// Its row, if it had come back before: place, and the clusters that it failed on.
    returned: Option<(i32, Option<String>)>,
    /// Its level.
    level: i32,
}

impl Taken {
    /// The clusters that it failed on, as stored.
    pub(crate) fn failed_on(&self) -> Option<&str> {
        self.returned.as_ref()?.1.as_deref()
    }
}

impl From<Task> for Taken {
    fn from(task: Task) -> Taken {
        Taken { task, returned: None, level: 0 }
    }
}

/// A task on its way back to the bag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Back {
    pub(crate) index: i64,
    pub(crate) generation: i32,
    pub(crate) attempts: i32,
    pub(crate) place: i32,
    /// As stored.
    pub(crate) failed_on: Option<String>,
    /// It waits until then, epoch milliseconds.
    pub(crate) not_before: i64,
    /// What it asks for.
    pub(crate) level: i32,
}

/// Which tasks are wanted, and when.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) limit: i64,
    /// Those of one level only.
    pub(crate) level: i32,
    pub(crate) now: i64,
}

/// Takes up to `limit` tasks: those that came back first, then the never tried, then those sent to the end.
/// A task that failed here is left to the clusters open elsewhere, while it has not failed on all of these; one that
/// waits for its next try is left where it is. Where some ask for other things than the rest, only the generations of one
/// kind.
pub(crate) fn take(
    connection: &mut Database,
    (campaign, cluster): (i64, &str),
    (open_elsewhere, asked): (&[String], Option<&Asked>),
    wanted: Wanted,
) -> Result<Vec<Taken>> {
    let state: String = campaign::table.find(campaign).select(campaign::state).first(connection)?;
    if state != CampaignState::Active.as_str() {
        // Paused or cancelled since the round began.
        return Ok(Vec::new());
    }
    let barred = failed_on::barred(connection, (campaign, cluster), open_elsewhere)?;
    let mut tasks = take_returned(connection, (campaign, &barred, asked), 1, wanted)?;
    let (next, count): (i64, i64) = progress::table
        .inner_join(campaign::table.on(campaign::id.eq(progress::campaign_id)))
        .filter(progress::campaign_id.eq(campaign))
        .select((progress::next_index, campaign::task_count))
        .first(connection)?;
    let is_meant = wanted.level == 0 && asked.is_none_or(|asked| asked.has(1));
    let fresh = if is_meant { (count - next).min(wanted.limit - tasks.len() as i64) } else { 0 };
    tasks.extend((next..next + fresh).map(|index| Taken::from(untried(index, 1, 1))));
    let rest = Wanted { limit: wanted.limit - tasks.len() as i64, ..wanted };
    if rest.limit > 0 {
        tasks.extend(take_returned(connection, (campaign, &barred, asked), 0, rest)?);
    }
    for (array_index, taken) in (1..).zip(&mut tasks) {
        taken.task.array_index = array_index;
    }
    let taken = tasks.len() as i64;
    diesel::update(progress::table.find(campaign))
        .set((
            progress::next_index.eq(progress::next_index + fresh),
            progress::pending.eq(progress::pending - taken),
            progress::live.eq(progress::live + taken),
        ))
        .execute(connection)?;
    Ok(tasks)
}

fn untried(index: i64, generation: i32, attempt: i32) -> Task {
    Task { index, generation, attempt, array_index: 0, slot: 0 }
}

fn take_returned(
    connection: &mut Database,
    (campaign, barred, asked): (i64, &[String], Option<&Asked>),
    place: i32,
    wanted: Wanted,
) -> Result<Vec<Taken>> {
    let fits = returned_task::failed_on.is_null().or(returned_task::failed_on.ne_all(barred));
    let query = returned_task::table
        .filter(returned_task::campaign_id.eq(campaign))
        .filter(returned_task::place.eq(place))
        .filter(returned_task::level.eq(wanted.level))
        .filter(delayed::is_due(wanted.now))
        .filter(returned_task::generation.ge(asked.map_or(1, |asked| asked.from)))
        .filter(returned_task::generation.lt(asked.and_then(|asked| asked.to).unwrap_or(i32::MAX)))
        .select((
            (returned_task::task_index, returned_task::generation, returned_task::attempts),
            returned_task::failed_on,
        ))
        .order(returned_task::task_index)
        .limit(wanted.limit);
    let found: Vec<((i64, i32, i32), Option<String>)> =
        if barred.is_empty() { query.load(connection)? } else { query.filter(fits).load(connection)? };
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let indices: Vec<i64> = found.iter().map(|((index, _, _), _)| *index).collect();
    bulk::delete_returned(connection, campaign, &indices)?;
    let taken = |((index, generation, attempts), failed_on)| Taken {
        task: untried(index, generation, attempts + 1),
        returned: Some((place, failed_on)),
        level: wanted.level,
    };
    Ok(found.into_iter().map(taken).collect())
}

/// Puts the last of the tasks that were taken within this transaction where they were.
pub(crate) fn untake(connection: &mut Database, campaign: i64, rest: &[Taken]) -> Result<()> {
    if rest.is_empty() {
        return Ok(());
    }
    let back = |Taken { task, returned, level }: &Taken| {
        let (place, failed_on) = returned.clone()?;
        let (index, generation, attempts) = (task.index, task.generation, task.attempt - 1);
        Some(Back { index, generation, attempts, place, failed_on, not_before: 0, level: *level })
    };
    let back: Vec<Back> = rest.iter().filter_map(back).collect();
    // Those never tried are the last that the cursor passed.
    let fresh = (rest.len() - back.len()) as i64;
    diesel::update(progress::table.find(campaign))
        .set((
            progress::next_index.eq(progress::next_index - fresh),
            progress::pending.eq(progress::pending + fresh),
            progress::live.eq(progress::live - fresh),
        ))
        .execute(connection)?;
    put_back(connection, campaign, &back)
}

impl Store {
    /// Puts what came back behind all others, and some of the tasks never tried: one in `part` of them, at most `most`. Not
    /// those of a campaign without an end, which are all alike. Returns how many were never tried.
    pub fn put_behind(&self, id: i64, (part, most): (i64, i64)) -> Result<i64> {
        self.write(|connection| {
            let (next, count, bag): (i64, i64, Option<String>) = progress::table
                .inner_join(campaign::table.on(campaign::id.eq(progress::campaign_id)))
                .filter(progress::campaign_id.eq(id))
                .select((progress::next_index, campaign::task_count, campaign::bag))
                .first(connection)?;
            if bag.is_some() {
                return Ok(0);
            }
            diesel::update(returned_task::table.filter(returned_task::campaign_id.eq(id)))
                .filter(returned_task::place.ne(0))
                .set(returned_task::place.eq(0))
                .execute(connection)?;
            let moved = ((count - next) / part.max(1)).min(most);
            if moved <= 0 {
                return Ok(0);
            }
            let back =
                |index| Back { index, generation: 1, attempts: 0, place: 0, failed_on: None, level: 0, not_before: 0 };
            bulk::insert_returned(connection, id, &(next..next + moved).map(back).collect::<Vec<_>>())?;
            diesel::update(progress::table.find(id)).set(progress::next_index.eq(next + moved)).execute(connection)?;
            Ok(moved)
        })
    }
}

/// Takes the tasks out of the bag that have a live job all the same, which no path here leads to, and says so.
pub(crate) fn drop_live(connection: &mut Database, new: &NewSubmission<'_>, now: i64) -> Result<usize> {
    let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
    let both: Vec<i64> = returned_task::table
        .inner_join(job::table.on(job::task_index.eq(returned_task::task_index)))
        .filter(returned_task::campaign_id.eq(new.campaign_id))
        .filter(job::campaign_id.eq(new.campaign_id))
        .filter(job::state.eq_any(live))
        .select(returned_task::task_index)
        .load(connection)?;
    if both.is_empty() {
        return Ok(0);
    }
    bulk::delete_returned(connection, new.campaign_id, &both)?;
    diesel::update(progress::table.find(new.campaign_id))
        .set(progress::pending.eq(progress::pending - both.len() as i64))
        .execute(connection)?;
    let message =
        format!("tasks {both:?} were in the bag while a job of each was live: they are not sent a second time");
    let scope = Scope::campaign_on(new.campaign_id, new.cluster);
    event::open(connection, &NewEvent::note(scope, Code::ServiceFailure, message), now)?;
    Ok(both.len())
}

/// Moves tasks from live to the bag, or to cancelled if the campaign is. Counters follow.
pub(crate) fn give_back(connection: &mut Database, campaign: i64, tasks: &[Back]) -> Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let (state, bag): (String, Option<String>) =
        campaign::table.find(campaign).select((campaign::state, campaign::bag)).first(connection)?;
    let count = tasks.len() as i64;
    if state == CampaignState::Cancelled.as_str() {
        diesel::update(progress::table.find(campaign))
            .set((progress::live.eq(progress::live - count), progress::cancelled.eq(progress::cancelled + count)))
            .execute(connection)?;
        return Ok(());
    }
    if bag.is_some_and(|bag| bag != BagState::Open.as_str()) {
        // What its owner asked for once more is wanted all the same.
        let (wanted, over): (Vec<Back>, Vec<Back>) = tasks.iter().cloned().partition(|task| task.generation > 1);
        endless::forget(connection, campaign, over.len() as i64)?;
        return put_back(connection, campaign, &wanted);
    }
    put_back(connection, campaign, tasks)
}

fn put_back(connection: &mut Database, campaign: i64, tasks: &[Back]) -> Result<()> {
    if tasks.is_empty() {
        return Ok(());
    }
    let count = tasks.len() as i64;
    bulk::insert_returned(connection, campaign, tasks)?;
    diesel::update(progress::table.find(campaign))
        .set((progress::live.eq(progress::live - count), progress::pending.eq(progress::pending + count)))
        .execute(connection)?;
    Ok(())
}
