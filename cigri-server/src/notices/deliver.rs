//! One kind of message: what is due is sent, and what fails has a pause.

use std::sync::Arc;
use std::time::Duration;

use cigri_core::event::{Code, NewEvent, Scope, Severity};
use cigri_core::notice::{self, Item, Kind, compose, pause_ms};
use cigri_store::{NoticeRow, StoreError, SubscriptionRow};
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Failure, TICK, send};
use crate::clock::now_ms;
use crate::grid::Grid;
use crate::secret;

/// Topics of one subscription that are told one by one; more make one message.
const SINGLE: usize = 3;
/// POSTs that may be under way: one URL that hangs holds no other up.
const POSTS: usize = 16;
/// What a message that is on its way has left when the server stops.
const GRACE: Duration = Duration::from_secs(1);
/// Tries in a row after which admins hear of a server that is away.
const PATIENT_TRIES: i64 = 3;

type Due = (SubscriptionRow, Vec<NoticeRow>);

pub(super) async fn run(grid: Arc<Grid>, kind: Kind, stop: CancellationToken) {
    while !stop.is_cancelled() {
        tokio::select! {
            told = tick(&grid, kind) => if let Err(error) = told {
                warn!(kind = kind.as_str(), "notifications wait: {error}");
            },
            () = late(&stop) => return,
        }
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = stop.cancelled() => {}
        }
    }
}

async fn tick(grid: &Grid, kind: Kind) -> Result<(), StoreError> {
    let now = now_ms();
    let mut due = crate::blocking(&grid.store, move |store| store.due_notices(kind, now)).await?;
    // Not always the same first: no single one can hold the others up.
    let first = secret::nonce().unwrap_or(0) as usize % due.len().max(1);
    due.rotate_left(first);
    match kind {
        Kind::Webhook => {
            let posts: Vec<BoxFuture<'_, _>> = due.iter().map(|due| tell(grid, due).boxed()).collect();
            let mut posts = futures_util::stream::iter(posts).buffer_unordered(POSTS);
            while let Some(told) = posts.next().await {
                let _ = told?;
            }
            Ok(())
        }
        _ => one_by_one(grid, code(kind), &due).await,
    }
}

/// Some time after `stop`: a message that is on its way may arrive and be written down, and nobody waits for long.
async fn late(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::time::sleep(GRACE).await;
}

/// Under which code a kind's trouble is told.
fn code(kind: Kind) -> Option<Code> {
    match kind {
        Kind::Mail => Some(Code::MailFailed),
        Kind::Xmpp => Some(Code::XmppFailed),
        // What goes wrong there is its subscriber's, or nobody's.
        Kind::Webhook | Kind::Log => None,
    }
}

/// Of a server that takes nothing one try is enough where it says why for good, else two for different subscriptions: the
/// message of the first may be what it stumbles over.
async fn one_by_one(grid: &Grid, code: Option<Code>, due: &[Due]) -> Result<(), StoreError> {
    let mut doubt: Option<(&SubscriptionRow, String)> = None;
    for (at, one) in due.iter().enumerate() {
        match tell(grid, one).await? {
            Ok(()) => {
                close(grid, code).await?;
                if let Some((row, text)) = doubt.take() {
                    fail(grid, &[row], &text).await?;
                }
            }
            Err(Failure::Recipient(_)) => {}
            Err(Failure::Channel { text, lasting: false }) if doubt.is_none() => doubt = Some((&one.0, text)),
            Err(Failure::Channel { text, lasting }) => {
                let first = doubt.iter().map(|(row, _)| *row);
                let rest: Vec<&SubscriptionRow> = first.chain(due[at..].iter().map(|(row, _)| row)).collect();
                return away(grid, code, &rest, (text, lasting)).await;
            }
        }
    }
    match doubt {
        Some((row, text)) => away(grid, code, &[row], (text, false)).await,
        None => Ok(()),
    }
}

/// Sends what one subscription is to be told. What did not reach it alone has its pause already.
async fn tell(grid: &Grid, (to, notices): &Due) -> Result<Result<(), Failure>, StoreError> {
    let size = if notices.len() > SINGLE || to.digest_h.is_some() { notices.len() } else { 1 };
    for part in notices.chunks(size.max(1)) {
        let items: Vec<Item> = part.iter().map(item).collect();
        match send(grid, to, &compose(&items), &items).await {
            Ok(_) => told(grid, to, part).await?,
            Err(failure) => {
                if let Failure::Recipient(text) = &failure {
                    fail(grid, &[to], text).await?;
                }
                return Ok(Err(failure));
            }
        }
    }
    Ok(Ok(()))
}

fn item(row: &NoticeRow) -> Item {
    Item {
        code: row.code.clone(),
        severity: notice::severity(&row.severity).unwrap_or(Severity::High),
        campaign: row.campaign,
        cluster: row.cluster.clone(),
        title: row.title.clone(),
        message: row.message.clone(),
        advice: row.advice.clone(),
        times: row.waiting,
        first_at: row.first_at,
        last_at: row.last_at,
        told_at: row.sent_at,
    }
}

async fn told(grid: &Grid, to: &SubscriptionRow, part: &[NoticeRow]) -> Result<(), StoreError> {
    let (to, part, now) = (to.clone(), part.to_vec(), (now_ms(), grid.notice_period_ms()));
    crate::blocking(&grid.store, move |store| store.notices_told(&to, &part, now)).await
}

async fn fail(grid: &Grid, to: &[&SubscriptionRow], text: &str) -> Result<(), StoreError> {
    let tries = to.iter().map(|row| row.tries).max().unwrap_or(0) + 1;
    let pause = pause_ms(u32::try_from(tries).unwrap_or(u32::MAX), secret::nonce().unwrap_or(0));
    let ids: Vec<i64> = to.iter().map(|row| row.id).collect();
    warn!(subscriptions = ids.len(), "a notification failed, next try in {} s: {text}", pause / 1000);
    let (text, retry_at) = (text.to_owned(), now_ms() + pause);
    crate::blocking(&grid.store, move |store| store.notices_failed(&ids, &text, retry_at)).await
}

/// Nothing of this kind goes out: all wait, and admins are told once.
async fn away(
    grid: &Grid,
    code: Option<Code>,
    rest: &[&SubscriptionRow],
    (text, lasting): (String, bool),
) -> Result<(), StoreError> {
    fail(grid, rest, &text).await?;
    let tries = rest.iter().map(|row| row.tries).max().unwrap_or(0) + 1;
    let Some(code) = code.filter(|_| lasting || tries >= PATIENT_TRIES) else { return Ok(()) };
    let table = if code == Code::MailFailed { "[notifications.mail]" } else { "[notifications.xmpp]" };
    let message = format!(
        "notifications wait, none is lost: {text}. Mend {table} of the configuration or the server it names; \
         `cigri notify test` tries it"
    );
    crate::blocking(&grid.store, move |store| {
        let scope = Scope::service();
        match store.find_message(code, &scope)? {
            Some(_) => Ok(()),
            None => store.open_events(&[NewEvent::note(scope, code, message)], now_ms()),
        }
    })
    .await
}

async fn close(grid: &Grid, code: Option<Code>) -> Result<(), StoreError> {
    let Some(code) = code else { return Ok(()) };
    crate::blocking(&grid.store, move |store| store.close_event(code, &Scope::service(), now_ms()).map(|_| ())).await
}
