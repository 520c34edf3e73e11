//! Events and the holds they open.

use cigri_core::event::{Code, NewEvent, Scope};
use diesel::prelude::*;

use crate::connection::{Database, storable};
use crate::schema::event;
use crate::{Result, Store, reserve};

/// A stored event. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
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
    /// In words.
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
}

/// Opens the event, or counts it if the same is open already.
pub(crate) fn open(connection: &mut Database, new: &NewEvent, now: i64) -> Result<()> {
    let scope = &new.scope;
    let counted = diesel::update(event::table)
        .filter(event::closed_at.is_null())
        .filter(event::code.eq(new.code.as_str()))
        .filter(event::scope.eq(scope.key()))
        .set((
            event::occurrences.eq(event::occurrences + new.times),
            event::last_at.eq(now),
            event::message.eq(storable(&new.message)),
        ))
        .execute(connection)?;
    if counted > 0 {
        return Ok(());
    }
    let id = reserve(connection, "event", 1)?;
    diesel::insert_into(event::table)
        .values((
            (event::id.eq(id), event::code.eq(new.code.as_str()), event::severity.eq(new.code.severity().as_str())),
            event::scope.eq(scope.key()),
            (event::campaign_id.eq(scope.campaign), event::cluster.eq(scope.cluster.as_deref())),
            (
                event::owner.eq(scope.user.as_deref()),
                event::message.eq(storable(&new.message)),
                event::holds.eq(new.holds),
            ),
            (event::occurrences.eq(new.times), event::opened_at.eq(now), event::last_at.eq(now)),
        ))
        .execute(connection)?;
    Ok(())
}

/// Open events that hold submissions on the cluster, whatever their scope.
pub(crate) fn holds_on(connection: &mut Database, cluster: &str) -> Result<Vec<EventRow>> {
    Ok(event::table
        .filter(event::closed_at.is_null())
        .filter(event::holds.eq(true))
        .filter(event::cluster.eq(cluster))
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

/// Closes the holds of a campaign and says how many there were.
pub(crate) fn lift_holds(connection: &mut Database, campaign: i64, now: i64) -> Result<usize> {
    Ok(diesel::update(event::table)
        .filter(event::closed_at.is_null())
        .filter(event::holds.eq(true))
        .filter(event::campaign_id.eq(campaign))
        .set(event::closed_at.eq(Some(now)))
        .execute(connection)?)
}

/// Closes the open event of a code and scope; returns how many were open.
pub(crate) fn close(connection: &mut Database, code: Code, scope: &Scope, now: i64) -> Result<usize> {
    Ok(diesel::update(event::table)
        .filter(event::closed_at.is_null())
        .filter(event::code.eq(code.as_str()))
        .filter(event::scope.eq(scope.key()))
        .set(event::closed_at.eq(Some(now)))
        .execute(connection)?)
}

impl Store {
    /// Opens events, counting those that are open already.
    pub fn open_events(&self, events: &[NewEvent], now: i64) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.write(|connection| events.iter().try_for_each(|new| open(connection, new, now)))
    }

    /// Closes the open event of a code and scope: its cause is gone. Returns how many were open.
    pub fn close_event(&self, code: Code, scope: &Scope, now: i64) -> Result<usize> {
        let open = event::closed_at.is_null().and(event::code.eq(code.as_str())).and(event::scope.eq(scope.key()));
        let found: i64 = self.read(|connection| Ok(event::table.filter(open).count().get_result(connection)?))?;
        if found == 0 {
            return Ok(0);
        }
        self.write(|connection| close(connection, code, scope, now))
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
            let rows: Vec<EventRow> = event::table
                .filter(event::campaign_id.eq(Some(campaign)).or(of_cluster))
                .order(event::id)
                .load(connection)?;
            Ok(rows.into_iter().filter(|row| all || row.closed_at.is_none()).collect())
        })
    }
}
