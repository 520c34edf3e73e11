//! What subscriptions are to be told. Events go into notices by a count of their own (`event.told`), in the transaction
//! that writes the notices: none is missed and none is counted twice, whatever stops in between.

use std::collections::BTreeMap;

use cigri_core::event::Code;
use cigri_core::notice::{self as policy, Finish, Kind};
use cigri_core::state::JobState;
use diesel::prelude::*;

use crate::connection::{Database, storable};
use crate::schema::{job, notice, subscription, untold_event};
use crate::{Result, Store, StoreError, SubscriptionRow, campaign};

/// An event with occurrences that went into no notice. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untold {
    /// The event.
    pub event: i64,
    /// Its code.
    pub code: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Campaign concerned, and its name.
    pub campaign: Option<(i64, String)>,
    /// Cluster concerned.
    pub cluster: Option<String>,
    /// The campaign's owner, or the user concerned.
    pub owner: Option<String>,
    /// In words.
    pub message: String,
    /// How often it happened in all.
    pub occurrences: i64,
    /// How many of these were told.
    pub told: i64,
    /// First time.
    pub opened_at: i64,
    /// Last time.
    pub last_at: i64,
}

/// Something for a subscription to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNotice {
    /// Whose.
    pub subscription: i64,
    /// Under which repetitions are counted.
    pub topic: String,
    /// The event's place among those given with it.
    pub event: usize,
    /// What it is about, in words.
    pub title: String,
    /// The subscription's digest, in hours.
    pub digest_h: Option<i64>,
}

/// What a subscription is to be told of one topic. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct NoticeRow {
    /// Whose.
    pub subscription: i64,
    /// Under which repetitions are counted.
    pub topic: String,
    /// The event's code.
    pub code: String,
    /// `low`, `medium` or `high`.
    pub severity: String,
    /// Campaign concerned.
    pub campaign: Option<i64>,
    /// Cluster concerned.
    pub cluster: Option<String>,
    /// What it is about, in words.
    pub title: String,
    /// The last event's words.
    pub message: String,
    /// How often it happened since it was told.
    pub waiting: i64,
    /// The first of these.
    pub first_at: i64,
    /// The last of these.
    pub last_at: i64,
    /// When it is to be told.
    pub due_at: i64,
    /// When it was told last.
    pub sent_at: Option<i64>,
}

type Columns = (i64, String, String, Option<i64>, Option<String>, Option<String>, String, i64, i64, i64, i64);

fn untold(connection: &mut Database, columns: Columns) -> Result<Untold> {
    let (event, code, severity, campaign, cluster, owner, mut message, occurrences, opened_at, last_at, told) = columns;
    let row = match campaign.map(|id| campaign::get(connection, id)).transpose() {
        // Swept since: nobody's.
        Err(StoreError::Missing(_)) => None,
        other => other?,
    };
    if let (Some(row), true) = (&row, code == Code::Finished.as_str()) {
        let lasted_ms = last_at - row.submitted_at;
        let (done, failed, cancelled, kills) = (row.done, row.failed, row.cancelled, row.kills);
        let causes = if failed > 0 { causes(connection, row.id)? } else { Vec::new() };
        message = Finish { done, failed, cancelled, kills, lasted_ms, causes }.text();
    }
    let owner = row.as_ref().map(|row| row.owner.clone()).or(owner);
    let campaign = campaign.map(|id| (id, row.map(|row| row.spec.name.clone()).unwrap_or_default()));
    Ok(Untold { event, code, severity, campaign, cluster, owner, message, occurrences, told, opened_at, last_at })
}

/// Failed attempts of a campaign by cause, the most frequent first.
fn causes(connection: &mut Database, campaign: i64) -> Result<Vec<(String, i64)>> {
    let found: Vec<(Option<String>, i64)> = job::table
        .filter(job::campaign_id.eq(campaign))
        .filter(job::state.eq(JobState::Failed.as_str()))
        .filter(job::task_index.ge(0))
        .group_by(job::cause)
        .select((job::cause, diesel::dsl::count_star()))
        .load(connection)?;
    let mut causes: Vec<_> = found.into_iter().map(|(cause, count)| (cause.unwrap_or_default(), count)).collect();
    causes.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(causes)
}

fn queue(connection: &mut Database, (new, of): (&NewNotice, &Untold), now: (i64, i64)) -> Result<()> {
    let key = notice::table.find((new.subscription, &new.topic));
    let known: Option<NoticeRow> = key.first(connection).optional()?;
    let sent_at = known.as_ref().and_then(|row| row.sent_at);
    let times = of.occurrences - of.told;
    // Of an event that was told before, only its last time is known.
    let (first_at, due_at) = match &known {
        Some(row) if row.waiting > 0 => (row.first_at, row.due_at),
        _ => {
            let first = if of.told == 0 { of.opened_at } else { of.last_at };
            (first, policy::due_at(&of.code, new.digest_h, sent_at, now))
        }
    };
    let changing = (
        notice::severity.eq(&of.severity),
        notice::cluster.eq(of.cluster.as_deref()),
        notice::message.eq(storable(&of.message)),
        (notice::first_at.eq(first_at), notice::last_at.eq(of.last_at), notice::due_at.eq(due_at)),
    );
    if let Some(row) = known {
        diesel::update(key).set((changing, notice::waiting.eq(row.waiting + times))).execute(connection)?;
        return Ok(());
    }
    diesel::insert_into(notice::table)
        .values((
            (notice::subscription_id.eq(new.subscription), notice::topic.eq(&new.topic), notice::code.eq(&of.code)),
            (notice::campaign_id.eq(of.campaign.as_ref().map(|(id, _)| *id)), notice::title.eq(storable(&new.title))),
            notice::waiting.eq(times),
            changing,
        ))
        .execute(connection)?;
    Ok(())
}

impl Store {
    /// Up to `limit` events that went into no notice yet, or happened again since.
    pub fn untold_events(&self, limit: i64) -> Result<Vec<Untold>> {
        self.read(|connection| {
            let found: Vec<Columns> = untold_event::table
                .filter(untold_event::told.lt(untold_event::occurrences))
                .order(untold_event::id)
                .limit(limit)
                .load(connection)?;
            found.into_iter().map(|columns| untold(connection, columns)).collect()
        })
    }

    /// Writes notices of these events, which are told then. `now` with the shortest time between two messages of a topic,
    /// both in milliseconds. Subscriptions that are gone are passed over.
    pub fn queue_notices(&self, events: &[Untold], new: &[NewNotice], now: (i64, i64)) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.write(|connection| {
            let alive: Vec<i64> = subscription::table.select(subscription::id).load(connection)?;
            for notice in new.iter().filter(|notice| alive.contains(&notice.subscription)) {
                if let Some(of) = events.get(notice.event) {
                    queue(connection, (notice, of), now)?;
                }
            }
            for event in events {
                diesel::update(untold_event::table.find(event.event))
                    .set(untold_event::told.eq(event.occurrences))
                    .execute(connection)?;
            }
            Ok(())
        })
    }

    /// What is to be told now by one kind of message, by subscription; those that failed have their pauses.
    pub fn due_notices(&self, kind: Kind, now: i64) -> Result<Vec<(SubscriptionRow, Vec<NoticeRow>)>> {
        self.read(|connection| {
            let found: Vec<(SubscriptionRow, NoticeRow)> = subscription::table
                .inner_join(notice::table.on(notice::subscription_id.eq(subscription::id)))
                .filter(subscription::kind.eq(kind.as_str()))
                .filter(subscription::retry_at.le(now))
                .filter(notice::waiting.gt(0))
                .filter(notice::due_at.le(now))
                .order((subscription::id, notice::first_at, notice::topic))
                .select((subscription::all_columns, notice::all_columns))
                .load(connection)?;
            let mut due: BTreeMap<i64, (SubscriptionRow, Vec<NoticeRow>)> = BTreeMap::new();
            for (row, notice) in found {
                due.entry(row.id).or_insert_with(|| (row, Vec::new())).1.push(notice);
            }
            Ok(due.into_values().collect())
        })
    }

    /// These notices of a subscription were told; what was counted since waits on. `now` with the shortest time between
    /// two messages of a topic, both in milliseconds.
    pub fn notices_told(&self, of: &SubscriptionRow, told: &[NoticeRow], now: (i64, i64)) -> Result<()> {
        self.write(|connection| {
            for row in told {
                let due_at = policy::due_at(&row.code, of.digest_h, Some(now.0), now);
                diesel::update(notice::table.find((row.subscription, &row.topic)))
                    .set((
                        notice::waiting.eq(notice::waiting - row.waiting),
                        (notice::sent_at.eq(Some(now.0)), notice::first_at.eq(notice::last_at)),
                        notice::due_at.eq(due_at),
                    ))
                    .execute(connection)?;
            }
            diesel::update(subscription::table.find(of.id))
                .set((subscription::tries.eq(0), subscription::last_error.eq(None::<String>)))
                .execute(connection)?;
            Ok(())
        })
    }

    /// A try for these subscriptions failed: nothing is tried before `retry_at`.
    pub fn notices_failed(&self, subscriptions: &[i64], error: &str, retry_at: i64) -> Result<()> {
        self.write(|connection| {
            diesel::update(subscription::table.filter(subscription::id.eq_any(subscriptions)))
                .set((
                    subscription::tries.eq(subscription::tries + 1),
                    subscription::retry_at.eq(retry_at),
                    subscription::last_error.eq(Some(storable(error))),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Drops what was due before `before` and is still not told; gives it with its subscriptions.
    pub fn give_up_notices(&self, before: i64) -> Result<Vec<(SubscriptionRow, NoticeRow)>> {
        let late = notice::waiting.gt(0).and(notice::due_at.lt(before)).and(subscription::tries.gt(0));
        let joined = || subscription::table.inner_join(notice::table.on(notice::subscription_id.eq(subscription::id)));
        let select = (subscription::all_columns, notice::all_columns);
        let some: i64 = self.read(|connection| Ok(joined().filter(late).count().get_result(connection)?))?;
        if some == 0 {
            return Ok(Vec::new());
        }
        self.write(|connection| {
            let found: Vec<(SubscriptionRow, NoticeRow)> = joined().filter(late).select(select).load(connection)?;
            for (_, row) in &found {
                diesel::delete(notice::table.find((row.subscription, &row.topic))).execute(connection)?;
            }
            Ok(found)
        })
    }

    /// Forgets topics of which nothing waits and that were told last before `before`.
    pub fn prune_notices(&self, before: i64) -> Result<usize> {
        let old = notice::waiting.eq(0).and(notice::sent_at.lt(before));
        let some: i64 = self.read(|connection| Ok(notice::table.filter(old).count().get_result(connection)?))?;
        if some == 0 {
            return Ok(0);
        }
        self.write(|connection| Ok(diesel::delete(notice::table.filter(old)).execute(connection)?))
    }
}
