//! Events that were not told yet become notices; what nobody took for days is given up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cigri_core::event::{Code, NewEvent, Scope, Severity};
use cigri_core::notice::{self, Happened, Wanted};
use cigri_store::{NewNotice, NoticeRow, Store, StoreError, SubscriptionRow, Untold};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::TICK;
use crate::clock::now_ms;
use crate::grid::Grid;

/// Events that go into notices in one transaction.
const CHUNK: i64 = 200;
/// Ticks between two looks for what is to be given up or forgotten.
const CLEAN_EVERY: u32 = 300;
const HOUR_MS: i64 = 3_600_000;
/// Topics are forgotten a week after they were told.
const KEPT_MS: i64 = 7 * 24 * HOUR_MS;

pub(super) async fn run(grid: Arc<Grid>, stop: CancellationToken) {
    let mut turn = 0u32;
    while !stop.is_cancelled() {
        let cleans = turn.is_multiple_of(CLEAN_EVERY);
        if let Err(error) = tick(&grid, cleans).await {
            warn!("notifications wait: {error}");
        }
        turn = turn.wrapping_add(1);
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn tick(grid: &Arc<Grid>, cleans: bool) -> Result<(), StoreError> {
    let (shared, now) = (Arc::clone(grid), now_ms());
    crate::blocking(&grid.store, move |store| {
        while gather(&shared, store, now)? == CHUNK as usize {}
        if cleans {
            clean(&shared, store, now)?;
        }
        Ok(())
    })
    .await
}

/// Writes notices of the next events; how many events these were.
fn gather(grid: &Grid, store: &Store, now: i64) -> Result<usize, StoreError> {
    let mut events = store.untold_events(CHUNK)?;
    if events.is_empty() {
        return Ok(0);
    }
    let subscriptions: Vec<SubscriptionRow> = store.subscriptions(None)?.into_iter().map(|(row, _)| row).collect();
    let muted: BTreeSet<(String, i64)> = store.muted()?.into_iter().collect();
    let mut new = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let happened = happened(event);
        let told = subscriptions.iter().filter(|row| notice::concerns(&wanted(grid, row), &happened, &muted));
        new.extend(told.map(|row| NewNotice {
            subscription: row.id,
            topic: notice::topic(&happened),
            event: at,
            title: title(event),
            digest_h: row.digest_h,
        }));
    }
    let told: BTreeSet<usize> = new.iter().map(|notice| notice.event).collect();
    for at in told {
        summarize(store, &mut events[at])?;
    }
    store.queue_notices(&events, &new, (now, grid.notice_period_ms()))?;
    Ok(events.len())
}

/// The end of a campaign is told in figures.
fn summarize(store: &Store, event: &mut Untold) -> Result<(), StoreError> {
    let ended = event.campaign.as_ref().filter(|_| event.code == Code::Finished.as_str());
    let finish = ended.map(|(id, _)| store.finish(*id, event.last_at)).transpose()?.flatten();
    finish.into_iter().for_each(|finish| event.message = finish.text());
    Ok(())
}

fn happened(event: &Untold) -> Happened<'_> {
    Happened {
        code: &event.code,
        severity: notice::severity(&event.severity).unwrap_or(Severity::High),
        campaign: event.campaign.as_ref().map(|(id, _)| *id),
        cluster: event.cluster.as_deref(),
        owner: event.owner.as_deref(),
    }
}

/// Who is no admin any more hears of clusters no more.
fn wanted<'a>(grid: &Grid, row: &'a SubscriptionRow) -> Wanted<'a> {
    let severity = notice::severity(&row.severity).unwrap_or(Severity::High);
    Wanted { owner: &row.owner, severity, admins: row.admins && grid.is_admin(&row.owner) }
}

fn title(event: &Untold) -> String {
    match (&event.campaign, &event.cluster, &event.owner) {
        (Some((id, name)), _, _) => format!("campaign {id} ({name})"),
        (None, Some(cluster), Some(owner)) => format!("{owner} on cluster {cluster}"),
        (None, Some(cluster), None) => format!("cluster {cluster}"),
        (None, None, Some(owner)) => owner.clone(),
        (None, None, None) => "the CiGri service".to_owned(),
    }
}

fn clean(grid: &Grid, store: &Store, now: i64) -> Result<(), StoreError> {
    let hours = grid.notifications.keep_trying_h as i64;
    let lost = store.give_up_notices(now - hours * HOUR_MS)?;
    if !lost.is_empty() {
        error!(count = lost.len(), "notifications were given up");
        let event = NewEvent::note(Scope::service(), Code::NoticesLost, lost_words(&lost, hours));
        store.open_events(&[event], now)?;
    }
    store.prune_notices(now - KEPT_MS)?;
    Ok(())
}

/// Users whose lost notifications are told one by one.
const MOST_LOST: usize = 20;

/// Who was not reached. Addresses are their users' alone: everybody may read this.
fn lost_words(lost: &[(SubscriptionRow, NoticeRow)], hours: i64) -> String {
    let mut by: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for (row, _) in lost {
        *by.entry((&row.owner, &row.kind)).or_default() += 1;
    }
    let told = by.iter().take(MOST_LOST).map(|((owner, kind), count)| format!("{count} of {owner} by {kind}"));
    let mut words = told.collect::<Vec<String>>().join(", ");
    if by.len() > MOST_LOST {
        words.push_str(&format!(", and those of {} more", by.len() - MOST_LOST));
    }
    let count = lost.len();
    let what = if count == 1 { "1 notification was".to_owned() } else { format!("{count} notifications were") };
    format!("{what} tried for {hours} h in vain and given up: {words}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(owner: &str) -> (SubscriptionRow, NoticeRow) {
        let text = str::to_owned;
        let subscription = SubscriptionRow {
            id: 1,
            owner: text(owner),
            kind: text("webhook"),
            identity: text("https://example.org/secret"),
            severity: text("low"),
            digest_h: None,
            admins: false,
            secret: None,
            created_at: 0,
            tries: 9,
            retry_at: 0,
            last_error: Some(text("https://example.org/secret answers 500")),
        };
        let notice = NoticeRow {
            subscription: 1,
            topic: text("t"),
            code: text("EXIT_ERROR"),
            severity: text("high"),
            campaign: None,
            cluster: None,
            title: text("t"),
            message: text("m"),
            waiting: 1,
            first_at: 0,
            last_at: 0,
            due_at: 0,
            sent_at: None,
            advice: String::new(),
        };
        (subscription, notice)
    }

    #[test]
    fn what_is_lost_is_counted_by_user_without_addresses() {
        let words = lost_words(&[lost("alice"), lost("bob"), lost("alice")], 72);
        assert!(words.contains("3 notifications were") && words.contains("2 of alice by webhook, 1 of bob"), "{words}");
        assert!(!words.contains("secret"), "{words}");
    }

    #[test]
    fn what_many_lost_is_few_words() {
        let many: Vec<_> = (0..50_000).map(|n| lost(&format!("user{}", n % 5000))).collect();
        let words = lost_words(&many, 72);
        assert!(words.contains("10 of user0 by webhook") && words.contains("those of 4980 more"), "{words}");
        assert!(words.len() < 2000, "{}", words.len());
    }
}
