//! Reading clusters (any user of the socket): what they are, whether they take jobs, what of ours is there.

use actix_web::web;
use cigri_api::{Cluster, List};
use cigri_store::{ClusterRow, LiveJobs, Store, StoreError};

use super::identity::Caller;
use super::respond::ApiError;
use crate::grid::Grid;

/// `GET /clusters`.
pub(super) async fn list(grid: web::Data<Grid>, _: Caller) -> Result<web::Json<List<Cluster>>, ApiError> {
    let mut items = crate::blocking(&grid.store, all).await?;
    items.iter_mut().for_each(|cluster| mark_gone(&grid, cluster));
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
    let mut cluster = found.ok_or_else(|| no_such(&name))?;
    mark_gone(&grid, &mut cluster);
    Ok(web::Json(cluster))
}

/// What is known of a cluster that the configuration no longer names is past: nothing is sent there.
fn mark_gone(grid: &Grid, cluster: &mut Cluster) {
    if grid.cluster(&cluster.name).is_none() {
        (cluster.mode, cluster.note) = (Cluster::GONE.to_owned(), String::new());
    }
}

/// Why a cluster cannot be used that no loop follows: it is unknown, or the configuration no longer names it.
pub(super) async fn missing(grid: &Grid, name: &str) -> ApiError {
    let known = crate::blocking(&grid.store, |store| store.list_clusters()).await;
    match known {
        Err(error) => error.into(),
        Ok(rows) if rows.iter().any(|row| row.name == name) => ApiError::not_found(format!(
            "the server's configuration no longer names cluster {name}: what was set there counts again once it does"
        )),
        Ok(_) => no_such(name),
    }
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
