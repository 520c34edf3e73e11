//! Files on clusters, read for a person who looks on: after everything else that has to reach the cluster.

use oar_client::{Client, Error, Urgency};

use super::respond::ApiError;
use crate::grid::{ClusterHandle, Grid};

/// A way to a cluster for such reads.
pub(super) struct Looking<'a> {
    pub(super) client: Client,
    cluster: &'a str,
}

impl Looking<'_> {
    /// The way there, under what the admin allows now: a server that stands by makes no rounds that would tell.
    ///
    /// # Errors
    /// At once when the budget is used up for longer than a reader would be kept waiting.
    pub(super) async fn at<'a>(grid: &Grid, handle: &'a ClusterHandle) -> Result<Looking<'a>, ApiError> {
        let name = handle.row.name.clone();
        handle.keep_to(&crate::blocking(&grid.store, move |store| store.cluster_limits(&name)).await?);
        let way = Looking { client: handle.client.at(Urgency::Logs), cluster: &handle.row.name };
        match way.client.pressure().wait > Urgency::Logs.deference() {
            true => Err(way.over_budget().unwrap_or_else(|| ApiError::unavailable(way.cluster))),
            false => Ok(way),
        }
    }

    /// What the reader is told of a failure: that the budget kept the request here, or what the cluster did.
    pub(super) fn failed(&self, error: &Error) -> ApiError {
        let kept_here = matches!(error, Error::NotSent(_)).then(|| self.over_budget()).flatten();
        kept_here.unwrap_or_else(|| ApiError::unavailable(error.to_string()))
    }

    fn over_budget(&self) -> Option<ApiError> {
        let pressure = self.client.pressure();
        let sentence = pressure.sentence()?;
        let message = format!("{}: {sentence}. Try again then", self.cluster);
        Some(ApiError::over_budget(message, pressure.wait.as_secs() + 1))
    }
}

#[cfg(test)]
mod tests {
    use cigri_store::{ClusterKind, ClusterRow, Store};
    use serde_json::json;

    use super::*;
    use crate::secret::Sealer;

    #[tokio::test]
    async fn what_was_changed_at_run_time_holds_where_no_round_is_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = Grid::new(store, sealer, Vec::new(), None).unwrap();
        // Nothing listens there.
        let (name, url, limits) = ("dahu".to_owned(), "http://127.0.0.1:9/".to_owned(), Default::default());
        grid.add_cluster(ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None }).unwrap();
        let handle = grid.cluster("dahu").unwrap();
        let change = |patch| drop(grid.store.change_cluster("dahu", &patch, "ada", 1).unwrap());
        let probe = async || Looking::at(&grid, &handle).await.unwrap().client.version().await.unwrap_err();
        change(json!({"mode": "disabled"}));
        assert!(probe().await.to_string().contains("disabled by its administrator"));
        change(json!({"mode": "open", "requests_per_s": 0.1}));
        for _ in 0..3 {
            assert!(!probe().await.to_string().contains("disabled"), "it went out");
        }
        let sentence = Looking::at(&grid, &handle).await.unwrap().client.pressure().sentence().unwrap();
        assert!(sentence.contains("0.1 requests per second"), "{sentence}");
    }
}
