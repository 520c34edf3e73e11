//! Events: looked up, closed by hand, opened by admins as CiGri 3's clients do.
//!
//! An event of a campaign is its owner's and the admins', one of a user on a cluster that user's; what concerns a cluster
//! as a whole everybody may read and admins close, what this service has to mend is for admins alone. Closing drops nothing: what was held goes on, what failed stays
//! failed unless a retry is asked for.

use actix_web::{HttpResponse, web};
use cigri_api::{Accepted, Event, List, NewEvent as Wanted};
use cigri_core::event::{self, Closer, Closing, Code, NewEvent, Scope, Severity};
use cigri_core::reaction;
use cigri_core::state::CampaignState;
use cigri_store::{About, EventFilter, EventRow, RetriedTasks, Retry, Store, StoreError};
use serde::Deserialize;

use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;

/// Events that one answer has at most.
const MOST: i64 = 10_000;

/// What is wanted of a list.
#[derive(Deserialize)]
pub(super) struct EventQuery {
    #[serde(default)]
    all: u8,
    #[serde(default)]
    everybody: u8,
    cluster: Option<String>,
    code: Option<String>,
    severity: Option<String>,
    since: Option<i64>,
    #[serde(default)]
    offset: i64,
    #[serde(default = "default_page")]
    limit: i64,
}

fn default_page() -> i64 {
    1000
}

impl EventQuery {
    fn filter(self, about: About) -> Result<EventFilter, ApiError> {
        let severity = |word: &String| {
            let found = Severity::ALL.iter().find(|one| one.as_str() == word).copied();
            found.ok_or_else(|| ApiError::bad_request(format!("`severity`: {word}; expected low, medium or high")))
        };
        let code = |word: &String| word.parse::<Code>().map_err(|error| ApiError::bad_request(error.to_string()));
        self.code.as_ref().map(code).transpose()?;
        Ok(EventFilter {
            oldest_first: matches!(about, About::Campaign { .. }),
            about,
            closed_too: self.all != 0,
            at_least: self.severity.as_ref().map(severity).transpose()?,
            cluster: self.cluster,
            code: self.code,
            since: self.since.map(|at| at.saturating_mul(1000)),
            page: (self.offset.max(0), self.limit.clamp(0, MOST)),
        })
    }
}

/// `GET /events`: the caller's (of admins with what this service has to mend), or with `?everybody=1` all (admins); what happened last comes first.
pub(super) async fn list(
    grid: web::Data<Grid>,
    caller: Caller,
    query: web::Query<EventQuery>,
) -> Result<web::Json<List<Event>>, ApiError> {
    let query = query.into_inner();
    let about = match query.everybody {
        0 if grid.is_admin(&caller.login) => About::Admin(caller.login.clone()),
        0 => About::User(caller.login.clone()),
        _ => caller.administers(&grid).map(|()| About::Everything)?,
    };
    page(&grid, query.filter(about)?).await
}

/// `GET /campaigns/{id}/events`: those of a campaign and of its clusters (owner); in the order in which they first
/// happened.
pub(super) async fn of_campaign(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<EventQuery>,
) -> Result<web::Json<List<Event>>, ApiError> {
    let id = *id;
    caller.owns(&grid, id).await?;
    let row = crate::blocking(&grid.store, move |store| store.campaign(id)).await?;
    let clusters = row.spec.clusters.keys().cloned().collect();
    let about = About::Campaign { id, owner: row.owner, clusters };
    page(&grid, query.into_inner().filter(about)?).await
}

async fn page(grid: &Grid, filter: EventFilter) -> Result<web::Json<List<Event>>, ApiError> {
    let (offset, _) = filter.page;
    let (rows, total) = crate::blocking(&grid.store, move |store| store.list_events(&filter)).await?;
    let end = offset + rows.len() as i64;
    let next = (end < total && !rows.is_empty()).then_some(end);
    Ok(web::Json(List { items: rows.into_iter().map(shown).collect(), total: total as u64, next }))
}

/// `GET /events/{id}` (whom it concerns; what this service has to mend: admins).
pub(super) async fn show(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
) -> Result<web::Json<Event>, ApiError> {
    let (row, owner) = find(&grid, *id).await?;
    match owner {
        Some(owner) => caller.may_change(&owner, &grid)?,
        None if row.cluster.is_none() && row.class == event::Class::Log.as_str() => caller.administers(&grid)?,
        None => {}
    }
    Ok(web::Json(shown(row)))
}

/// The event, and whose it is.
async fn find(grid: &Grid, id: i64) -> Result<(EventRow, Option<String>), ApiError> {
    let found = crate::blocking(&grid.store, move |store| {
        let row = store.event(id)?;
        let owner = match row.campaign_id {
            Some(campaign) => Some(store.campaign(campaign)?.owner),
            None => row.owner.clone(),
        };
        Ok((row, owner))
    });
    Ok(found.await?)
}

/// Whether what failed is to be tried again.
#[derive(Deserialize)]
pub(super) struct CloseQuery {
    resubmit: Option<String>,
}

/// `DELETE /events/{id}`: closes it (its owner, admins); with `?resubmit=1` the tasks of its campaign that
/// failed in the way that it tells of are tried again.
pub(super) async fn close(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<CloseQuery>,
) -> Result<HttpResponse, ApiError> {
    let (row, owner) = find(&grid, *id).await?;
    let code: Code =
        row.code.parse().map_err(|_| ApiError::bad_request(format!("event {id} is of another program")))?;
    match owner {
        Some(owner) if code.closer() != Closer::Admin => caller.may_change(&owner, &grid)?,
        _ => caller.administers(&grid)?,
    }
    let retried = query.resubmit.is_some().then_some(row.campaign_id);
    let again = match retried {
        Some(None) => return Err(ApiError::bad_request("only an event of a campaign has tasks to try again")),
        other => other.flatten().map(|campaign| (campaign, told_by(&row, code))),
    };
    let (id, login, now) = (row.id, caller.login.clone(), now_ms());
    let (closed, retried) = crate::blocking(&grid.store, move |store| {
        can_retry(store, again.as_ref().map(|(campaign, _)| *campaign))?;
        let closed = store.close_by_hand(id, &login, now)?;
        let retry = |(campaign, retry)| store.retry(campaign, &retry, None, now);
        Ok((closed, again.map(retry).transpose()?))
    })
    .await?;
    tracing::info!(user = %caller.login, event = id, "an event was closed by hand");
    grid.wake_all();
    let what = match closed {
        Some((code, scope)) => format!("Event {id} closed{}", then(code, &scope)),
        None => format!("Event {id} was closed already"),
    };
    Ok(accepted(what + &retried_words(retried)))
}

/// `DELETE /campaigns/{id}/events`: closes its open events (owner); with `?resubmit=1` its failed tasks are tried again.
pub(super) async fn close_all(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<CloseQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = *id;
    caller.owns(&grid, id).await?;
    let campaign = query.resubmit.is_some().then_some(id);
    let (login, now) = (caller.login.clone(), now_ms());
    let (done, retried) = crate::blocking(&grid.store, move |store| {
        can_retry(store, campaign)?;
        let done = store.close_all_by_hand(id, &login, now)?;
        Ok((done, campaign.map(|id| store.retry_failed(id, now)).transpose()?))
    })
    .await?;
    tracing::info!(user = %caller.login, campaign = id, "the campaign's events were closed by hand");
    grid.wake_all();
    let left: Vec<String> = done
        .left
        .iter()
        .map(|code| format!("{} closes {}", code.as_str(), code.ending(&Scope::campaign(id))))
        .collect();
    let left = if left.is_empty() { String::new() } else { format!("; left open: {}", left.join(", ")) };
    let words = format!("Campaign {id} events closed: {}{left}{}", done.closed.len(), retried_words(retried));
    Ok(accepted(words))
}

fn accepted(message: String) -> HttpResponse {
    HttpResponse::Accepted().json(Accepted { status: 202, title: "Accepted".to_owned(), message })
}

/// What follows from closing such an event.
fn then(code: Code, scope: &Scope) -> String {
    match (code.closing(), scope.campaign) {
        (Closing::Person(_), Some(campaign)) => format!(": campaign {campaign} is no longer held by it"),
        (Closing::CampaignEnd, _) => "; its tasks stay failed".to_owned(),
        (Closing::Recovery(_), _) => ". If its cause lasts, it opens again by itself".to_owned(),
        _ => String::new(),
    }
}

fn can_retry(store: &Store, campaign: Option<i64>) -> Result<(), StoreError> {
    let Some(id) = campaign else { return Ok(()) };
    match store.campaign(id)?.state {
        CampaignState::Cancelled => {
            Err(StoreError::Conflict(format!("campaign {id} is cancelled: nothing of it is tried again")))
        }
        _ => Ok(()),
    }
}

/// The failed tasks that an event tells of: of its kinds of failure and its cluster; all of a campaign's, if it tells of
/// none.
fn told_by(row: &EventRow, code: Code) -> Retry {
    let clusters = row.cluster.clone().into_iter().collect();
    Retry { clusters, classes: reaction::classes_of(code), ..Retry::default() }
}

fn retried_words(retried: Option<RetriedTasks>) -> String {
    match retried.map(|retried| retried.tasks) {
        None => String::new(),
        Some(1) => "; 1 failed task is tried again".to_owned(),
        Some(tasks) => format!("; {tasks} failed tasks are tried again"),
    }
}

/// `POST /events` (admins): closes a cluster until the event is closed, as CiGri 3's clients do.
pub(super) async fn open(
    grid: web::Data<Grid>,
    caller: Caller,
    wanted: web::Json<Wanted>,
) -> Result<HttpResponse, ApiError> {
    caller.administers(&grid)?;
    let name = disabled(&wanted).map_err(ApiError::bad_request)?;
    if grid.cluster(&name).is_none() {
        return Err(ApiError::not_found(format!("there is no cluster {name}: `cigri clusters` lists them")));
    }
    let why = wanted.message.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
    let message = format!("{} closed {name}{why}. Nothing is sent there until this event is closed", caller.login);
    let scope = Scope::cluster(&name);
    let event = NewEvent::hold(scope, Code::ClusterDisabled, message);
    let row = crate::blocking(&grid.store, move |store| {
        store.open_events(&[event], now_ms())?;
        let filter = EventFilter {
            cluster: Some(name),
            code: Some(Code::ClusterDisabled.as_str().to_owned()),
            page: (0, 1),
            ..EventFilter::default()
        };
        let missing = || StoreError::Missing("event: it was closed at once".to_owned());
        store.list_events(&filter)?.0.pop().ok_or_else(missing)
    })
    .await?;
    tracing::info!(user = %caller.login, event = row.id, "a cluster was closed by an event");
    grid.wake_all();
    Ok(HttpResponse::Created().insert_header(("Location", format!("/events/{}", row.id))).json(shown(row)))
}

/// The cluster that is to be closed; or what to ask for instead.
fn disabled(wanted: &Wanted) -> Result<String, String> {
    if wanted.code != Code::ClusterDisabled.as_str() {
        return Err(format!(
            "`code`: {}; only {} is opened by hand: DELETE /jobs/{{id}} ends a job, DELETE /campaigns/{{id}}?hold=1 pauses a \
             campaign",
            wanted.code,
            Code::ClusterDisabled.as_str()
        ));
    }
    if wanted.campaign_id.is_some() || wanted.job_id.is_some() {
        return Err("it closes a cluster as a whole: no `campaign_id`, no `job_id`".to_owned());
    }
    let name = wanted.cluster_name.clone().or_else(|| match &wanted.cluster_id {
        Some(serde_json::Value::String(name)) => Some(name.clone()),
        other => other.as_ref().map(ToString::to_string),
    });
    name.ok_or_else(|| "`cluster_name` is missing: the cluster to be closed".to_owned())
}

/// An event as clients see it.
fn shown(row: EventRow) -> Event {
    let seconds = |at: i64| at / 1000;
    let scope = Scope { campaign: row.campaign_id, cluster: row.cluster.clone(), user: None };
    let closing = row.code.parse::<Code>().map(|code| code.ending(&scope));
    Event {
        id: row.id,
        class: row.class,
        code: row.code,
        severity: row.severity,
        state: if row.closed_at.is_none() { "open" } else { "closed" }.to_owned(),
        campaign_id: row.campaign_id,
        cluster_name: row.cluster,
        user: row.owner,
        message: row.message,
        first_message: row.first_message,
        advice: row.advice,
        closing: closing.unwrap_or_default(),
        parent: row.cause_id,
        holds: row.holds,
        count: row.occurrences,
        reopened: row.reopened,
        date_open: seconds(row.opened_at),
        date_last: seconds(row.last_at),
        date_closed: row.closed_at.map(seconds),
        closed_by: row.closed_by,
        closed_why: row.closed_why,
    }
}

#[cfg(test)]
mod tests;
