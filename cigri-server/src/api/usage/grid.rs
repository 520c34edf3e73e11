//! Samples of clusters in CiGri 3's shape, as they are or put together.

use std::collections::BTreeMap;

use cigri_api::{ClusterUse, GridUsage, GridUsageItem, Link};
use cigri_store::GridUsageRow;

use crate::api::respond::ApiError;

/// Samples in one answer.
pub(super) const MOST_SHOWN: i64 = 50_000;
/// More than that.
pub(super) fn too_many(are_together: bool) -> ApiError {
    let hint = if are_together { ", or longer steps" } else { ", or `step=N` to have means over N seconds" };
    ApiError::bad_request(format!("from, to: there are too many samples for one answer: ask for a shorter range{hint}"))
}

/// The answer.
pub(super) fn usage(range: Option<(i64, i64)>, rows: &[GridUsageRow], asked: &str) -> GridUsage {
    let mut dates: BTreeMap<i64, Vec<ClusterUse>> = BTreeMap::new();
    for row in rows {
        dates.entry(row.at.div_euclid(1000)).or_default().push(cluster(row));
    }
    let items: Vec<GridUsageItem> =
        dates.into_iter().map(|(date, clusters)| GridUsageItem { date, clusters }).collect();
    let link = |rel: &str, href: &str| Link { rel: rel.to_owned(), href: href.to_owned() };
    GridUsage {
        total: items.len() as u64,
        items,
        from: range.map(|range| range.0),
        to: range.map(|range| range.1),
        links: vec![link("self", asked), link("parent", "/")],
    }
}

fn cluster(row: &GridUsageRow) -> ClusterUse {
    ClusterUse {
        cluster_name: row.cluster.clone(),
        cluster_id: row.cluster.clone(),
        max_resources: row.usage.total,
        used_resources: row.usage.used,
        used_by_cigri: row.usage.ours,
        unavailable_resources: row.usage.unavailable,
    }
}
