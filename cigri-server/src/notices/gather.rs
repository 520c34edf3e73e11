//! Events that were not told yet become notices; what nobody took for days is given up.

use std::collections::BTreeSet;
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
    let events = store.untold_events(CHUNK)?;
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
    store.queue_notices(&events, &new, (now, grid.notice_period_ms()))?;
    Ok(events.len())
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

/// Who was not reached, and why.
fn lost_words(lost: &[(SubscriptionRow, NoticeRow)], hours: i64) -> String {
    let mut reasons: Vec<String> = Vec::new();
    for (row, _) in lost {
        let why = row.last_error.as_deref().unwrap_or("no reason is known");
        let reason = format!("{} of {} by {}: {why}", row.identity, row.owner, row.kind);
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let count = lost.len();
    let what = if count == 1 { "1 notification was".to_owned() } else { format!("{count} notifications were") };
    format!("{what} tried for {hours} h in vain and given up. {}", reasons.join("; "))
}
