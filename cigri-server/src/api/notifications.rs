//! A user's subscriptions: listed, made, removed, tried; and campaigns that are muted.

use actix_web::{HttpResponse, web};
use cigri_api::{Accepted, List, NewSubscription, Subscription, Tested};
use cigri_core::notice::{self, Kind, test_message};
use cigri_store::{NewSubscription as Wish, SubscriptionRow};
use serde::Deserialize;

use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::{Grid, GridError};
use crate::notices;
use crate::secret;

/// Longest address, JID or URL, in bytes.
const LONGEST: usize = 2000;
/// Subscriptions of one user.
const MOST: usize = 20;
/// Longest digest: a week.
const MOST_HOURS: i64 = 168;
/// Shortest key of a webhook that a user may choose, in characters.
const SHORTEST_SECRET: usize = 16;

fn shown((row, waiting): (SubscriptionRow, i64)) -> Subscription {
    Subscription {
        id: row.id,
        grid_user: row.owner,
        kind: row.kind,
        identity: row.identity,
        severity: row.severity,
        digest_h: row.digest_h,
        admin: row.admins,
        waiting,
        last_error: row.last_error,
        secret: None,
    }
}

/// Whose subscriptions are meant: the caller's, where nobody is named.
#[derive(Debug, Deserialize)]
pub(super) struct Whose {
    user: Option<String>,
}

/// The login that is meant: another's is for admins.
fn whose(grid: &Grid, caller: Caller, user: Option<String>) -> Result<String, ApiError> {
    match user {
        Some(user) if user != caller.login => caller.administers(grid).map(|()| user),
        _ => Ok(caller.login),
    }
}

/// `GET /notifications`: the caller's subscriptions, or another user's (admins).
pub(super) async fn list(
    grid: web::Data<Grid>,
    caller: Caller,
    query: web::Query<Whose>,
) -> Result<web::Json<List<Subscription>>, ApiError> {
    let login = whose(&grid, caller, query.into_inner().user)?;
    let rows = crate::blocking(&grid.store, move |store| store.subscriptions(Some(&login))).await?;
    let items: Vec<Subscription> = rows.into_iter().map(shown).collect();
    Ok(web::Json(List { total: items.len() as u64, items, next: None }))
}

/// Makes a subscription of the caller.
pub(super) async fn add(
    grid: web::Data<Grid>,
    caller: Caller,
    kind: web::Path<String>,
    new: web::Json<NewSubscription>,
) -> Result<HttpResponse, ApiError> {
    let (kind, new) = (known(&kind)?, new.into_inner());
    check(&grid, kind, &new)?;
    let admins = new.admin.unwrap_or(caller.login == "root");
    if admins || kind == Kind::Log {
        caller.administers(&grid)?;
    }
    let secret = match kind {
        Kind::Webhook => Some(webhook_secret(new.secret)?),
        _ => None,
    };
    let sealed = secret.as_deref().map(|text| grid.sealer.seal(text)).transpose().map_err(GridError::Secret)?;
    let row = crate::blocking(&grid.store, move |store| {
        if store.subscriptions(Some(&caller.login))?.len() >= MOST {
            let message = format!("you have {MOST} subscriptions, which is the most: remove one first");
            return Err(cigri_store::StoreError::Conflict(message));
        }
        let (owner, identity, severity, digest_h) = (&caller.login, new.identity.trim(), &new.severity, new.digest_h);
        store.add_subscription(&Wish { owner, kind, identity, severity, digest_h, admins, secret: sealed }, now_ms())
    })
    .await?;
    Ok(HttpResponse::Created().json(Subscription { secret, ..shown((row, 0)) }))
}

fn known(word: &str) -> Result<Kind, ApiError> {
    Kind::of(word).ok_or_else(|| {
        ApiError::not_found(format!("there are no notifications by `{word}`: mail, jabber, webhook, log"))
    })
}

fn check(grid: &Grid, kind: Kind, new: &NewSubscription) -> Result<(), ApiError> {
    let wrong = |message: String| Err(ApiError::bad_request(message));
    let (identity, settings) = (new.identity.trim(), &grid.notifications);
    if notice::severity(&new.severity).is_none() {
        return wrong(format!("`{}` is no severity: low, medium or high", new.severity));
    }
    if new.digest_h.is_some_and(|hours| !(1..=MOST_HOURS).contains(&hours)) {
        return wrong(format!("a digest is of 1 to {MOST_HOURS} hours"));
    }
    if identity.len() > LONGEST {
        return wrong(format!("{LONGEST} bytes are the most that an address can have"));
    }
    match kind {
        Kind::Mail if settings.mail.host.is_empty() => {
            wrong("this server sends no mail: its admin would set [notifications.mail] in server.toml".to_owned())
        }
        Kind::Mail if !notices::is_mail_address(identity) => wrong(format!("`{identity}` is no mail address")),
        Kind::Xmpp if settings.xmpp.jid.is_empty() => wrong(
            "this server has no Jabber account: its admin would set [notifications.xmpp] in server.toml".to_owned(),
        ),
        Kind::Xmpp if !notices::is_xmpp_address(identity) => {
            wrong(format!("`{identity}` is no Jabber address, like alice@example.org"))
        }
        Kind::Webhook => notices::check_url(identity, &settings.webhook).map(|_| ()).map_err(ApiError::bad_request),
        Kind::Log if !identity.is_empty() => wrong("the log has no address".to_owned()),
        _ => Ok(()),
    }
}

fn webhook_secret(given: Option<String>) -> Result<String, ApiError> {
    match given {
        Some(secret) if secret.chars().count() < SHORTEST_SECRET => {
            Err(ApiError::bad_request(format!("a secret has at least {SHORTEST_SECRET} characters")))
        }
        Some(secret) => Ok(secret),
        None => {
            let part = || secret::nonce().map(|part| format!("{part:016x}")).map_err(GridError::Secret);
            Ok([part()?, part()?, part()?, part()?].concat())
        }
    }
}

/// Which subscription is meant.
#[derive(Debug, Deserialize)]
pub(super) struct Which {
    #[serde(default)]
    identity: String,
    user: Option<String>,
}

/// Ends a subscription of the caller, or of another user (admins).
pub(super) async fn remove(
    grid: web::Data<Grid>,
    caller: Caller,
    kind: web::Path<String>,
    which: web::Query<Which>,
) -> Result<HttpResponse, ApiError> {
    let (kind, Which { identity, user }) = (known(&kind)?, which.into_inner());
    let by = caller.login.clone();
    let login = whose(&grid, caller, user)?;
    let whom = if login == by { "you have".to_owned() } else { format!("{login} has") };
    let message = format!("no more notifications by {} to {identity}", kind.as_str());
    let none = format!("{whom} no notifications by {} to `{identity}`", kind.as_str());
    tracing::info!(user = %by, owner = %login, kind = kind.as_str(), "a subscription is removed");
    let gone = crate::blocking(&grid.store, move |store| store.remove_subscription(&login, kind, &identity));
    if gone.await? { Ok(accepted("Deleted", message)) } else { Err(ApiError::not_found(none)) }
}

fn accepted(title: &str, message: String) -> HttpResponse {
    HttpResponse::Accepted().json(Accepted { status: 202, title: title.to_owned(), message })
}

/// Sends a test message to each subscription of the caller, once a minute, and tells what became of it.
pub(super) async fn test(grid: web::Data<Grid>, caller: Caller) -> Result<web::Json<List<Tested>>, ApiError> {
    let now = now_ms();
    if let Err(wait_s) = grid.notice_tests.take(&caller.login, now) {
        return Err(ApiError::too_soon("your addresses were tried less than a minute ago", wait_s));
    }
    let login = caller.login.clone();
    let rows = crate::blocking(&grid.store, move |store| store.subscriptions(Some(&login))).await?;
    let message = test_message(&caller.login, now / 1000);
    let (grid, message) = (&grid, &message);
    let tries = rows.into_iter().map(|(row, _)| async move {
        let sent = notices::send(grid, &row, message, &[]).await;
        let (taken, answer) = sent.map_or_else(|failure| (false, failure.text().to_owned()), |answer| (true, answer));
        Tested { kind: row.kind, identity: row.identity, taken, answer }
    });
    let items: Vec<Tested> = futures_util::future::join_all(tries).await;
    Ok(web::Json(List { total: items.len() as u64, items, next: None }))
}

/// Tells the caller no more of one of their campaigns.
pub(super) async fn mute(grid: web::Data<Grid>, caller: Caller, id: web::Path<i64>) -> Result<HttpResponse, ApiError> {
    set_mute(&grid, caller, id.into_inner(), true).await
}

/// Tells the caller of it again.
pub(super) async fn unmute(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
) -> Result<HttpResponse, ApiError> {
    set_mute(&grid, caller, id.into_inner(), false).await
}

async fn set_mute(grid: &Grid, caller: Caller, id: i64, quiet: bool) -> Result<HttpResponse, ApiError> {
    caller.owns(grid, id).await?;
    let changed = crate::blocking(&grid.store, move |store| store.mute(&caller.login, id, quiet)).await?;
    let how = match (quiet, changed) {
        (true, true) => "you are told nothing more of it",
        (true, false) => "it was muted already",
        (false, true) => "you are told of it again",
        (false, false) => "it was not muted",
    };
    Ok(accepted("Accepted", format!("campaign {id}: {how}")))
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;
    use crate::secret::Sealer;

    #[test]
    fn admins_alone_may_ask_for_anothers_subscriptions() {
        let folder = tempfile::tempdir().unwrap();
        let store = cigri_store::Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = Grid::new(store, sealer, vec!["ada".to_owned()], None).unwrap();
        let asks = |login: &str, user: Option<&str>| {
            let login = whose(&grid, Caller { login: login.to_owned() }, user.map(str::to_owned));
            login.map_err(|error| error.status_code().as_u16())
        };
        assert_eq!(asks("alice", None).unwrap(), "alice");
        assert_eq!(asks("alice", Some("alice")).unwrap(), "alice");
        assert_eq!(asks("alice", Some("bob")), Err(403));
        assert_eq!(asks("ada", Some("bob")).unwrap(), "bob");
    }
}
