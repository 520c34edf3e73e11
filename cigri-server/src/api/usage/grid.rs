//! Samples of clusters in CiGri 3's shape, as they are or put together.

use std::collections::BTreeMap;

use cigri_api::{ClusterUse, GridUsage, GridUsageItem, Link};
use cigri_store::GridUsageRow;

use crate::api::respond::ApiError;

/// Samples in one answer.
pub(super) const MOST_SHOWN: i64 = 50_000;
/// Samples that are put together for one answer.
pub(super) const MOST_READ: i64 = 1_000_000;

/// More than that.
pub(super) fn too_many(are_together: bool) -> ApiError {
    let hint = if are_together { "" } else { ", or `step=N` to have means over N seconds" };
    ApiError::bad_request(format!("from, to: there are too many samples for one answer: ask for a shorter range{hint}"))
}

/// Sums of the samples of one cluster and time.
#[derive(Default)]
struct Sum {
    samples: i64,
    total: i64,
    used: i64,
    ours: i64,
    unavailable: i64,
}

/// The answer. `step_s`: samples of so many seconds become their mean, at the beginning of that time.
pub(super) fn usage(range: Option<(i64, i64)>, step_s: Option<i64>, rows: &[GridUsageRow], asked: &str) -> GridUsage {
    let mut dates: BTreeMap<i64, BTreeMap<&str, Sum>> = BTreeMap::new();
    for row in rows {
        let at = row.at.div_euclid(1000);
        let date = step_s.map_or(at, |step| at.div_euclid(step) * step);
        let sum = dates.entry(date).or_default().entry(&row.cluster).or_default();
        sum.samples += 1;
        sum.total += row.usage.total;
        sum.used += row.usage.used;
        sum.ours += row.usage.ours;
        sum.unavailable += row.usage.unavailable;
    }
    let item = |(date, clusters): (i64, BTreeMap<&str, Sum>)| GridUsageItem {
        date,
        clusters: clusters.into_iter().map(|(name, sum)| cluster(name, &sum)).collect(),
    };
    let items: Vec<GridUsageItem> = dates.into_iter().map(item).collect();
    let link = |rel: &str, href: &str| Link { rel: rel.to_owned(), href: href.to_owned() };
    GridUsage {
        total: items.len() as u64,
        items,
        from: range.map(|range| range.0),
        to: range.map(|range| range.1),
        links: vec![link("self", asked), link("parent", "/")],
    }
}

fn cluster(name: &str, sum: &Sum) -> ClusterUse {
    let mean = |of: i64| (of as f64 / sum.samples.max(1) as f64).round() as i64;
    ClusterUse {
        cluster_name: name.to_owned(),
        cluster_id: name.to_owned(),
        max_resources: mean(sum.total),
        used_resources: mean(sum.used),
        used_by_cigri: mean(sum.ours),
        unavailable_resources: mean(sum.unavailable),
    }
}
