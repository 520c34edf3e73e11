//! Reading clusters (any user of the socket): what they are, whether they take jobs, what of ours is there.

use actix_web::web;
use cigri_api::{Cluster, List};
use cigri_store::{ClusterRow, LiveJobs, Store, StoreError};

use super::identity::Caller;
use super::respond::ApiError;
use crate::grid::Grid;

/// `GET /clusters`.
pub(super) async fn list(grid: web::Data<Grid>, _: Caller) -> Result<web::Json<List<Cluster>>, ApiError> {
    let items = crate::blocking(&grid.store, all).await?;
    Ok(web::Json(List { total: items.len() as u64, items, next: None }))
}

/// `GET /clusters/{name}`.
pub(super) async fn show(
    grid: web::Data<Grid>,
    _: Caller,
    name: web::Path<String>,
) -> Result<web::Json<Cluster>, ApiError> {
    let items = crate::blocking(&grid.store, all).await?;
    let found = items.into_iter().find(|cluster| cluster.name == *name);
    found.map(web::Json).ok_or_else(|| no_such(&name))
}

/// The name belongs to no cluster.
pub(super) fn no_such(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no cluster {name}: `cigri clusters` lists them"))
}

fn all(store: &Store) -> Result<Vec<Cluster>, StoreError> {
    let mut live = store.live_by_cluster()?;
    let rows = store.list_clusters()?;
    let shown = |row: ClusterRow| {
        let jobs = live.remove(&row.name).unwrap_or_default();
        Ok(cluster(store.cluster_hold(&row.name)?, row, jobs))
    };
    rows.into_iter().map(shown).collect()
}

fn cluster(hold: Option<String>, row: ClusterRow, jobs: LiveJobs) -> Cluster {
    let law = serde_json::json!(row.limits.law);
    Cluster {
        name: row.name,
        kind: row.kind.as_str().to_owned(),
        url: row.url,
        hold,
        last_round: row.last_round_at.map(|at| at / 1000),
        mode: row.limits.mode.to_string(),
        note: row.limits.note,
        waiting: jobs.waiting,
        live: jobs.live,
        max_waiting: row.limits.max_waiting,
        max_running: row.limits.max_running,
        law: law["name"].as_str().unwrap_or_default().to_owned(),
    }
}
