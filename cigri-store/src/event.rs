//! Events and the holds they open.

mod close;
mod list;

use cigri_core::event::{Code, NewEvent, Scope, Severity};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Nullable, Text};

use crate::connection::{Database, storable};
use crate::schema::event;
use crate::{Result, Store, reserve};

pub use close::HandClosed;
pub(crate) use close::{close, lift_holds, of_ended};
pub use list::{About, EventFilter};

/// An event that happens again within this after it was closed is the same one.
const SAME_MS: i64 = 600_000;

/// A stored event. Times are epoch milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Queryable)]
pub struct EventRow {
    /// Event id.
    pub id: i64,
    /// Stable code.
    pub code: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Key of its scope.
    pub scope: String,
    /// Campaign concerned.
    pub campaign_id: Option<i64>,
    /// Cluster concerned.
    pub cluster: Option<String>,
    /// User concerned.
    pub owner: Option<String>,
    /// In words; the last time's, where it happened several times.
    pub message: String,
    /// Whether submissions in its scope stop while it is open.
    pub holds: bool,
    /// How many times it happened while open.
    pub occurrences: i64,
    /// First time.
    pub opened_at: i64,
    /// Last time.
    pub last_at: i64,
    /// When it was closed.
    pub closed_at: Option<i64>,
    /// CiGri 3's class.
    pub class: String,
    /// What to do.
    pub advice: String,
    /// The event that led to it.
    pub cause_id: Option<i64>,
    /// In words, the first time, if it happened several times.
    pub first_message: Option<String>,
    /// How often it came back soon after it was closed.
    pub reopened: i64,
    /// Login of who closed it, or `cigri`.
    pub closed_by: Option<String>,
    /// Why it was closed.
    pub closed_why: Option<String>,
}

/// Opens the event, or counts it if the same is open already. One that was closed a moment ago is open again under its id,
/// so that what comes and goes is one row. An event of a campaign that has ended is for the record: it is closed at once.
pub(crate) fn open(connection: &mut Database, new: &NewEvent, now: i64) -> Result<()> {
    let cause = match &new.cause {
        Some((code, scope)) => find(connection, *code, scope)?,
        None => None,
    };
    let known = match find(connection, new.code, &new.scope)? {
        // Each end of a campaign is an event of its own.
        None if new.code == Code::Finished => None,
        None => just_closed(connection, new, now)?,
        open => open,
    };
    match known {
        Some(id) => count(connection, (id, cause), new, now)?,
        None => insert(connection, cause, new, now)?,
    }
    match new.scope.campaign {
        Some(campaign) => close::of_ended(connection, campaign, now),
        None => Ok(()),
    }
}

/// The open event of a code and scope.
fn find(connection: &mut Database, code: Code, scope: &Scope) -> Result<Option<i64>> {
    Ok(event::table
        .filter(event::closed_at.is_null())
        .filter(event::code.eq(code.as_str()))
        .filter(event::scope.eq(scope.key()))
        .select(event::id)
        .first(connection)
        .optional()?)
}

fn just_closed(connection: &mut Database, new: &NewEvent, now: i64) -> Result<Option<i64>> {
    let last: Option<(i64, Option<i64>)> = event::table
        .filter(event::code.eq(new.code.as_str()))
        .filter(event::scope.eq(new.scope.key()))
        .select((event::id, event::closed_at))
        .order(event::id.desc())
        .first(connection)
        .optional()?;
    Ok(last.filter(|(_, closed)| closed.is_some_and(|at| now - at < SAME_MS)).map(|(id, _)| id))
}

/// It happened again: the counters, the last message, and the first one beside it.
fn count(connection: &mut Database, (id, cause): (i64, Option<i64>), new: &NewEvent, now: i64) -> Result<()> {
    let first = sql::<Nullable<Text>>("coalesce(first_message, message)");
    let again = sql::<BigInt>("CASE WHEN closed_at IS NULL THEN reopened ELSE reopened + 1 END");
    // A hold among notes holds; one that was closed holds no more for a note.
    let holds = match new.holds {
        true => sql::<Bool>("TRUE"),
        false => sql::<Bool>("CASE WHEN closed_at IS NULL THEN holds ELSE FALSE END"),
    };
    // Numbers and words of the program's own.
    let rise = |(at, to): (i64, Severity)| {
        let (times, to) = (new.times, to.as_str());
        sql::<Text>(&format!("CASE WHEN occurrences + {times} >= {at} THEN '{to}' ELSE severity END"))
    };
    diesel::update(event::table.find(id))
        .set((
            (event::occurrences.eq(event::occurrences + new.times), event::last_at.eq(now), event::reopened.eq(again)),
            (event::first_message.eq(first), event::message.eq(storable(&new.message))),
            (event::advice.eq(storable(&new.advice())), new.code.rises().map(|to| event::severity.eq(rise(to)))),
            (event::holds.eq(holds), cause.map(|id| event::cause_id.eq(id))),
            (
                event::closed_at.eq(None::<i64>),
                event::closed_by.eq(None::<String>),
                event::closed_why.eq(None::<String>),
            ),
        ))
        .execute(connection)?;
    Ok(())
}

fn insert(connection: &mut Database, cause: Option<i64>, new: &NewEvent, now: i64) -> Result<()> {
    let (scope, id) = (&new.scope, reserve(connection, "event", 1)?);
    diesel::insert_into(event::table)
        .values((
            (
                (event::id.eq(id), event::code.eq(new.code.as_str()), event::class.eq(new.code.class().as_str())),
                event::severity.eq(new.code.severity_after(new.times).as_str()),
            ),
            (event::scope.eq(scope.key()), event::campaign_id.eq(scope.campaign)),
            (event::cluster.eq(scope.cluster.as_deref()), event::owner.eq(scope.user.as_deref())),
            (event::message.eq(storable(&new.message)), event::advice.eq(storable(&new.advice()))),
            (event::holds.eq(new.holds), event::cause_id.eq(cause)),
            (event::occurrences.eq(new.times), event::opened_at.eq(now), event::last_at.eq(now)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Opens the event unless the same is open: what it tells changes from moment to moment, but happened once.
pub(crate) fn open_once(connection: &mut Database, new: &NewEvent, now: i64) -> Result<()> {
    match find(connection, new.code, &new.scope)? {
        None => open(connection, new, now),
        Some(_) => Ok(()),
    }
}

/// Open events that hold submissions on the cluster, whatever their scope; those of campaigns as a whole too.
pub(crate) fn holds_on(connection: &mut Database, cluster: &str) -> Result<Vec<EventRow>> {
    Ok(event::table
        .filter(event::closed_at.is_null())
        .filter(event::holds.eq(true))
        .filter(event::cluster.eq(cluster).or(event::cluster.is_null().and(event::campaign_id.is_not_null())))
        .order(event::id)
        .load(connection)?)
}

/// Open events that hold this campaign somewhere.
pub(crate) fn holds_of(connection: &mut Database, campaign: i64) -> Result<Vec<EventRow>> {
    Ok(event::table
        .filter(event::closed_at.is_null())
        .filter(event::holds.eq(true))
        .filter(event::campaign_id.eq(campaign))
        .order(event::id)
        .load(connection)?)
}

impl Store {
    /// Opens events, counting those that are open already.
    pub fn open_events(&self, events: &[NewEvent], now: i64) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.write(|connection| events.iter().try_for_each(|new| open(connection, new, now)))
    }

    /// Opens those of the events that are not open: what they tell lasts, and is no news.
    pub fn open_unless_open(&self, events: &[NewEvent], now: i64) -> Result<()> {
        let is_open = |connection: &mut Database, new: &NewEvent| find(connection, new.code, &new.scope);
        let all_are = |connection: &mut Database| -> Result<bool> {
            events.iter().try_fold(true, |all, new| Ok(all && is_open(connection, new)?.is_some()))
        };
        match self.read(all_are)? {
            true => Ok(()),
            false => self.write(|connection| events.iter().try_for_each(|new| open_once(connection, new, now))),
        }
    }

    /// The message of the open event of a code and scope, if there is one.
    pub fn find_message(&self, code: Code, scope: &Scope) -> Result<Option<String>> {
        self.read(|connection| {
            Ok(event::table
                .filter(event::closed_at.is_null())
                .filter(event::code.eq(code.as_str()))
                .filter(event::scope.eq(scope.key()))
                .select(event::message)
                .first(connection)
                .optional()?)
        })
    }

    /// The message of the event that holds a whole cluster, if there is one.
    pub fn cluster_hold(&self, cluster: &str) -> Result<Option<String>> {
        let key = Scope::cluster(cluster).key();
        self.read(|connection| {
            let holds = holds_on(connection, cluster)?;
            Ok(holds.into_iter().find(|hold| hold.scope == key).map(|hold| hold.message))
        })
    }

    /// Events of a campaign (with those of `clusters` as a whole), oldest first; open ones only unless `all`.
    pub fn campaign_events(&self, campaign: i64, clusters: &[String], all: bool) -> Result<Vec<EventRow>> {
        self.read(|connection| {
            let of_cluster = event::campaign_id.is_null().and(event::cluster.eq_any(clusters.iter().map(Some)));
            let mut query =
                event::table.filter(event::campaign_id.eq(Some(campaign)).or(of_cluster)).order(event::id).into_boxed();
            if !all {
                query = query.filter(event::closed_at.is_null());
            }
            Ok(query.load(connection)?)
        })
    }
}
