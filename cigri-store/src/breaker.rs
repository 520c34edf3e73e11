//! Breakers that are open, or were of late: what a restart must not forget.

use cigri_core::breaker::{Breaker, State, Subject, Trip};
use cigri_core::event::{Code, NewEvent, Scope};
use diesel::prelude::*;

use crate::connection::{Database, storable};
use crate::schema::breaker;
use crate::{Result, Store, StoreError, event};

/// What rounds changed of a cluster's breakers, and whom they tell of it: one transaction.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BreakerChanges {
    /// Breakers as they are now; `None`: forgotten.
    pub breakers: Vec<(Subject, Option<Breaker>)>,
    /// Events to open, or to count.
    pub events: Vec<NewEvent>,
    /// Events whose cause is gone.
    pub over: Vec<(Code, Scope)>,
}

impl BreakerChanges {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.breakers.is_empty() && self.events.is_empty() && self.over.is_empty()
    }
}

/// Kind, campaign (0: none), node ("": none).
type Key<'a> = (&'static str, i64, &'a str);
/// State and its time, streak, time of the last move, failures, ends, kind of failure.
type Columns = (String, i64, i64, i64, i64, i64, String);

fn key(subject: &Subject) -> Key<'_> {
    match subject {
        Subject::Cluster => ("cluster", 0, ""),
        Subject::Campaign(id) => ("campaign", *id, ""),
        Subject::Node(name) => ("node", 0, name),
    }
}

impl Store {
    /// The breakers of a cluster.
    pub fn breakers(&self, cluster: &str) -> Result<Vec<(Subject, Breaker)>> {
        type Row = ((String, i64, String), Columns);
        let found: Vec<Row> = self.read(|connection| {
            Ok(breaker::table
                .filter(breaker::cluster.eq(cluster))
                .select((
                    (breaker::kind, breaker::campaign_id, breaker::node),
                    (
                        breaker::state,
                        breaker::state_at,
                        breaker::streak,
                        breaker::changed_at,
                        breaker::failures,
                        breaker::ends,
                        breaker::mostly,
                    ),
                ))
                .order((breaker::kind, breaker::campaign_id, breaker::node))
                .load(connection)?)
        })?;
        found.into_iter().map(|(key, columns)| Ok((subject(key)?, row(columns)?))).collect()
    }

    /// Writes down what became of them.
    pub fn change_breakers(&self, cluster: &str, changes: &BreakerChanges, now: i64) -> Result<()> {
        self.write(|connection| {
            changes
                .breakers
                .iter()
                .try_for_each(|(subject, breaker)| put(connection, cluster, subject, breaker.as_ref()))?;
            changes
                .over
                .iter()
                .try_for_each(|(code, scope)| event::close(connection, *code, scope, now).map(|_| ()))?;
            changes.events.iter().try_for_each(|new| event::open(connection, new, now))
        })
    }
}

fn put(connection: &mut Database, cluster: &str, subject: &Subject, new: Option<&Breaker>) -> Result<()> {
    let (kind, campaign, node) = key(subject);
    diesel::delete(breaker::table.find((cluster, kind, campaign, node))).execute(connection)?;
    let Some(new) = new else { return Ok(()) };
    diesel::insert_into(breaker::table)
        .values((
            (breaker::cluster.eq(cluster), breaker::kind.eq(kind), breaker::campaign_id.eq(campaign)),
            (breaker::node.eq(node), breaker::state.eq(new.state.as_str()), breaker::state_at.eq(new.state.time())),
            (breaker::streak.eq(i64::from(new.streak)), breaker::changed_at.eq(new.changed_at)),
            (breaker::failures.eq(i64::from(new.trip.failures)), breaker::ends.eq(i64::from(new.trip.ends))),
            breaker::mostly.eq(storable(&new.trip.mostly)),
        ))
        .execute(connection)?;
    Ok(())
}

fn subject((kind, campaign, node): (String, i64, String)) -> Result<Subject> {
    match kind.as_str() {
        "cluster" => Ok(Subject::Cluster),
        "campaign" => Ok(Subject::Campaign(campaign)),
        "node" => Ok(Subject::Node(node)),
        other => Err(StoreError::Corrupt(format!("a breaker of kind `{other}`"))),
    }
}

fn row((state, state_at, streak, changed_at, failures, ends, mostly): Columns) -> Result<Breaker> {
    let state = State::read(&state, state_at).ok_or_else(|| StoreError::Corrupt(format!("breaker state `{state}`")))?;
    let small = |number: i64| u32::try_from(number).map_err(StoreError::corrupt);
    let trip = Trip { failures: small(failures)?, ends: small(ends)?, mostly };
    Ok(Breaker { state, streak: small(streak)?, changed_at, trip })
}
