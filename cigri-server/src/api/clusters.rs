//! Reading clusters.

use actix_web::web;
use cigri_api::{Cluster, List};

use super::identity::Caller;
use super::respond::ApiError;
use crate::grid::Grid;

pub(super) async fn list(grid: web::Data<Grid>, _: Caller) -> Result<web::Json<List<Cluster>>, ApiError> {
    let items = crate::blocking(&grid.store, |store| {
        store
            .list_clusters()?
            .into_iter()
            .map(|row| Ok((store.cluster_hold(&row.name)?, row)))
            .collect::<Result<Vec<_>, _>>()
    });
    let cluster = |(hold, row): (Option<String>, cigri_store::ClusterRow)| Cluster {
        name: row.name,
        kind: row.kind.as_str().to_owned(),
        url: row.url,
        hold,
        last_round: row.last_round_at.map(|at| at / 1000),
    };
    let items: Vec<Cluster> = items.await?.into_iter().map(cluster).collect();
    Ok(web::Json(List { total: items.len() as u64, items, next: None }))
}
