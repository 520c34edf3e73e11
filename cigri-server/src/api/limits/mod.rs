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

use super::clusters::missing;
use super::identity::Caller;
use super::respond::{ApiError, problem};
use crate::clock::now_ms;
use crate::grid::Grid;

/// `GET /clusters/{name}/limits` (any user; sensors for admins alone).
pub(super) async fn show(
    grid: web::Data<Grid>,
    caller: Caller,
    name: web::Path<String>,
) -> Result<web::Json<ClusterLimits>, ApiError> {
    let handle = match grid.cluster(&name) {
        Some(handle) => handle,
        None => return Err(missing(&grid, &name).await),
    };
    let cluster = name.clone();
    let settings = crate::blocking(&grid.store, move |store| store.cluster_settings(&cluster)).await?;
    let rows = rows::rows(&settings.configured, &settings.changes, &settings.effective);
    let items = if caller.administers(&grid).is_ok() { rows } else { rows::without_sensor(rows) };
    Ok(web::Json(ClusterLimits {
        cluster: name.into_inner(),
        kind: handle.row.kind.as_str().to_owned(),
        url: handle.row.url.clone(),
        items,
        problems: settings.problems.iter().map(ToString::to_string).collect(),
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
    let handle = match grid.cluster(&name) {
        Some(handle) => handle,
        None => return Err(missing(&grid, &name).await),
    };
    let (patch, dry_run) = (patch.into_inner(), query.dry_run != 0);
    let (cluster, who) = (name.clone(), caller.login.clone());
    let outcome = crate::blocking(&grid.store, move |store| changed(store, (&cluster, &patch), &who, dry_run));
    let (changes, kept) = outcome.await?.map_err(|problems| ApiError::limits(&problems))?;
    if !dry_run && !changes.is_empty() {
        tracing::info!(user = %caller.login, cluster.name = %name, keys = ?keys(&changes), "limits were changed");
        handle.wake.notify_one();
    }
    Ok(web::Json(LimitsChanged { cluster: name.into_inner(), dry_run, changes, kept }))
}

fn keys(changes: &[LimitChange]) -> Vec<&str> {
    changes.iter().map(|change| change.key.as_str()).collect()
}

/// What differs with the change, and which of its keys win over the configuration now; or everything that is wrong.
type Outcome = Result<(Vec<LimitChange>, Vec<String>), Vec<Problem>>;

fn changed(store: &Store, (cluster, patch): (&str, &Value), who: &str, dry_run: bool) -> Result<Outcome, StoreError> {
    let settings = store.cluster_settings(cluster)?;
    let mut problems: Vec<Problem> = problems::of_sensor(patch, &settings.configured).into_iter().collect();
    let after = match merge(&settings.configured, &keep(&settings.changes, patch)) {
        Ok(after) if problems.is_empty() => after,
        Ok(_) => return Ok(Err(problems)),
        Err(found) => {
            problems.extend(found.iter().map(problem));
            return Ok(Err(problems));
        }
    };
    if !dry_run {
        store.change_cluster(cluster, patch, who, now_ms())?;
    }
    let kept = rows::kept(&settings.kept(patch), patch);
    Ok(Ok((rows::differences(&json!(settings.effective), &json!(after)), kept)))
}

#[derive(Default, Deserialize)]
pub(super) struct AuditQuery {
    cluster: Option<String>,
    limit: Option<i64>,
    before: Option<i64>,
}

/// `GET /admin/audit` (admins): who changed what, the newest first.
pub(super) async fn audit(
    grid: web::Data<Grid>,
    caller: Caller,
    query: web::Query<AuditQuery>,
) -> Result<web::Json<List<AuditEntry>>, ApiError> {
    caller.administers(&grid)?;
    let AuditQuery { cluster, limit, before } = query.into_inner();
    let (limit, name) = (limit.unwrap_or(50).clamp(1, 10_000), cluster.clone());
    let found = move |store: &Store| {
        Ok::<_, StoreError>((store.audit(name.as_deref(), limit, before)?, store.audit_count(name.as_deref())?))
    };
    let (rows, total) = crate::blocking(&grid.store, found).await?;
    if let (0, Some(name)) = (total, cluster.filter(|name| grid.cluster(name).is_none())) {
        return Err(missing(&grid, &name).await);
    }
    let next = rows.last().filter(|_| rows.len() as i64 == limit).map(|row| row.id);
    Ok(web::Json(List { items: rows.into_iter().map(entry).collect(), total, next }))
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
