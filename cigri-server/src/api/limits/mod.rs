//! Limits of clusters, and their changes at run time.
//!
//! Any user of the socket may read them (but for sensors); changes and their audit are for admins.

mod problems;
mod rows;

use actix_web::web;
use cigri_api::{AuditEntry, ClusterLimits, LimitChange, LimitsChanged, List, Problem};
use cigri_core::meter::limits::{keep, merge};
use cigri_store::{AuditRow, Store, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::clusters::no_such;
use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;

/// `GET /clusters/{name}/limits` (any user; sensors for admins alone).
pub(super) async fn show(
    grid: web::Data<Grid>,
    caller: Caller,
    name: web::Path<String>,
) -> Result<web::Json<ClusterLimits>, ApiError> {
    let handle = grid.cluster(&name).ok_or_else(|| no_such(&name))?;
    let cluster = name.clone();
    let settings = crate::blocking(&grid.store, move |store| store.cluster_settings(&cluster)).await?;
    let rows = rows::rows(&settings.configured, &settings.changes, &settings.effective);
    let items = if caller.administers(&grid).is_ok() { rows } else { rows::without_sensor(rows) };
    Ok(web::Json(ClusterLimits {
        cluster: name.into_inner(),
        kind: handle.row.kind.as_str().to_owned(),
        url: handle.row.url.clone(),
        items,
        problems: settings.problem.into_iter().collect(),
    }))
}

#[derive(Deserialize)]
pub(super) struct ChangeQuery {
    #[serde(default)]
    dry_run: u8,
}

/// `PATCH /clusters/{name}/limits` (admins): all of the changes, or none. They are in force in the next round.
pub(super) async fn change(
    grid: web::Data<Grid>,
    caller: Caller,
    (name, query): (web::Path<String>, web::Query<ChangeQuery>),
    patch: web::Json<Value>,
) -> Result<web::Json<LimitsChanged>, ApiError> {
    caller.administers(&grid)?;
    let handle = grid.cluster(&name).ok_or_else(|| no_such(&name))?;
    let (patch, dry_run) = (patch.into_inner(), query.dry_run != 0);
    let (cluster, who) = (name.clone(), caller.login.clone());
    let outcome = crate::blocking(&grid.store, move |store| changed(store, (&cluster, &patch), &who, dry_run));
    let changes = outcome.await?.map_err(|problems| ApiError::limits(&problems))?;
    if !dry_run && !changes.is_empty() {
        tracing::info!(user = %caller.login, cluster.name = %name, keys = ?keys(&changes), "limits were changed");
        handle.wake.notify_one();
    }
    Ok(web::Json(LimitsChanged { cluster: name.into_inner(), dry_run, changes }))
}

fn keys(changes: &[LimitChange]) -> Vec<&str> {
    changes.iter().map(|change| change.key.as_str()).collect()
}

/// What differs with the change; or everything that is wrong with it.
type Outcome = Result<Vec<LimitChange>, Vec<Problem>>;

fn changed(store: &Store, (cluster, patch): (&str, &Value), who: &str, dry_run: bool) -> Result<Outcome, StoreError> {
    let settings = store.cluster_settings(cluster)?;
    let kept = keep(&settings.changes, patch);
    let mut problems: Vec<Problem> = problems::of_sensor(patch, &settings.configured).into_iter().collect();
    problems.extend(problems::of_limits(&settings.configured, &kept));
    let after = match merge(&settings.configured, &kept) {
        Ok(after) if problems.is_empty() => after,
        _ => return Ok(Err(problems)),
    };
    if !dry_run && kept != settings.changes {
        store.change_cluster(cluster, patch, who, now_ms())?;
    }
    Ok(Ok(rows::differences(&json!(settings.effective), &json!(after))))
}

#[derive(Deserialize)]
pub(super) struct AuditQuery {
    cluster: Option<String>,
    limit: Option<i64>,
}

/// `GET /admin/audit` (admins): who changed what, the newest first.
pub(super) async fn audit(
    grid: web::Data<Grid>,
    caller: Caller,
    query: web::Query<AuditQuery>,
) -> Result<web::Json<List<AuditEntry>>, ApiError> {
    caller.administers(&grid)?;
    let AuditQuery { cluster, limit } = query.into_inner();
    let limit = limit.unwrap_or(50).clamp(1, 10_000);
    let rows = crate::blocking(&grid.store, move |store| store.audit(cluster.as_deref(), limit, None)).await?;
    let items: Vec<AuditEntry> = rows.into_iter().map(entry).collect();
    Ok(web::Json(List { total: items.len() as u64, items, next: None }))
}

fn entry(row: AuditRow) -> AuditEntry {
    AuditEntry {
        id: row.id,
        at: row.at / 1000,
        who: row.who,
        action: row.action,
        cluster: row.cluster,
        changes: rows::differences(&row.before, &row.after),
    }
}

#[cfg(test)]
mod tests;
