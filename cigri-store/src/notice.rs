//! What subscriptions are to be told. Events go into notices by a count of their own (`event.told`), in the transaction
//! that writes the notices: none is missed and none is counted twice, whatever stops in between.

use std::collections::{BTreeMap, BTreeSet};

use cigri_core::notice::{self as policy, Finish, Kind};
use diesel::prelude::*;

use crate::connection::{Database, storable};
use crate::failed::by_class;
use crate::schema::{campaign, notice, progress, subscription, untold_event};
use crate::{Result, Store, SubscriptionRow};

/// Messages of one subscription in a period; what comes then waits for its end and goes together.
const MOST_MESSAGES: usize = 10;

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
    /// What to do about it.
    pub advice: String,
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
    /// What to do about it.
    pub advice: String,
}

type Columns = (i64, String, String, Option<i64>, Option<String>, Option<String>, String, i64, i64, i64, i64, String);

/// Owner and name of a campaign are all that is read of it: one that cannot be read stops nobody's messages.
type OfCampaign = (Option<String>, Option<String>);

fn untold((columns, (of, name)): (Columns, OfCampaign)) -> Untold {
    let (event, code, severity, campaign, cluster, owner, message, occurrences, opened_at, last_at, told, advice) =
        columns;
    // Of a campaign that was swept since nobody is told.
    let campaign = campaign.map(|id| (id, name.unwrap_or_default()));
    let owner = of.or(owner);
    Untold { event, code, severity, campaign, cluster, owner, message, advice, occurrences, told, opened_at, last_at }
}

/// No message of a subscription before: the end of the period in which it had so many; 0 if it had fewer.
fn not_before(connection: &mut Database, subscription: i64, (now, period_ms): (i64, i64)) -> Result<i64> {
    // What is told in one message has one time.
    let recent: Vec<Option<i64>> = notice::table
        .filter(notice::subscription_id.eq(subscription))
        .filter(notice::sent_at.gt(now - period_ms))
        .select(notice::sent_at)
        .distinct()
        .load(connection)?;
    let first = recent.iter().flatten().min().filter(|_| recent.len() >= MOST_MESSAGES);
    Ok(first.map_or(0, |first| first + period_ms))
}

fn queue(
    connection: &mut Database,
    (new, of): (&NewNotice, &Untold),
    (now, not_before): ((i64, i64), i64),
) -> Result<()> {
    let key = notice::table.find((new.subscription, &new.topic));
    let known: Option<NoticeRow> = key.first(connection).optional()?;
    let sent_at = known.as_ref().and_then(|row| row.sent_at);
    let times = of.occurrences - of.told;
    // Of an event that was told before, only its last time is known.
    let (first_at, due_at) = match &known {
        Some(row) if row.waiting > 0 => (row.first_at, row.due_at),
        _ => {
            let first = if of.told == 0 { of.opened_at } else { of.last_at };
            (first, policy::due_at(&of.code, new.digest_h, sent_at, now).max(not_before))
        }
    };
    let changing = (
        notice::severity.eq(&of.severity),
        notice::cluster.eq(of.cluster.as_deref()),
        (notice::message.eq(storable(&of.message)), notice::advice.eq(storable(&of.advice))),
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
            let found: Vec<(Columns, OfCampaign)> = untold_event::table
                .left_join(campaign::table.on(untold_event::campaign_id.eq(campaign::id.nullable())))
                .filter(untold_event::told.lt(untold_event::occurrences))
                .order(untold_event::id)
                .limit(limit)
                .select((untold_event::all_columns, (campaign::owner.nullable(), campaign::name.nullable())))
                .load(connection)?;
            Ok(found.into_iter().map(untold).collect())
        })
    }

    /// How a campaign that ended at `ended_at` went, with the failures that stand; `None` if it was swept since.
    pub fn finish(&self, id: i64, ended_at: i64) -> Result<Option<Finish>> {
        self.read(|connection| {
            let counts = (progress::done, progress::failed, progress::cancelled, progress::kills);
            let found: Option<((i64, i64, i64, i64), i64)> = progress::table
                .inner_join(campaign::table.on(campaign::id.eq(progress::campaign_id)))
                .filter(campaign::id.eq(id))
                .select((counts, campaign::submitted_at))
                .first(connection)
                .optional()?;
            let Some(((done, failed, cancelled, kills), submitted_at)) = found else { return Ok(None) };
            let causes = if failed > 0 { by_class(connection, id)? } else { Vec::new() };
            Ok(Some(Finish { done, failed, cancelled, kills, lasted_ms: ended_at - submitted_at, causes }))
        })
    }

    /// Writes notices of these events, which are told then. `now` with the shortest time between two messages of a topic,
    /// both in milliseconds. Subscriptions that are gone are passed over.
    pub fn queue_notices(&self, events: &[Untold], new: &[NewNotice], now: (i64, i64)) -> Result<()> {
        if events.is_empty() {
            return Ok(());
        }
        self.write(|connection| {
            let mut alive: BTreeMap<i64, i64> = BTreeMap::new();
            let concerned: BTreeSet<i64> = new.iter().map(|notice| notice.subscription).collect();
            let concerned = subscription::table.filter(subscription::id.eq_any(concerned));
            for id in concerned.select(subscription::id).load(connection)? {
                alive.insert(id, not_before(connection, id, now)?);
            }
            for notice in new {
                if let (Some(of), Some(not_before)) = (events.get(notice.event), alive.get(&notice.subscription)) {
                    queue(connection, (notice, of), (now, *not_before))?;
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
