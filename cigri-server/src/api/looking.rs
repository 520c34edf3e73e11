//! Files on clusters, read for a person who looks on: after everything else that has to reach the cluster.

use oar_client::{Client, Error, Urgency};

use super::respond::ApiError;
use crate::grid::ClusterHandle;

/// A way to a cluster for such reads.
pub(super) struct Looking<'a> {
    pub(super) client: Client,
    cluster: &'a str,
}

impl Looking<'_> {
    /// The way there.
    ///
    /// # Errors
    /// At once when the budget is used up for longer than a reader would be kept waiting.
    pub(super) fn at(handle: &ClusterHandle) -> Result<Looking<'_>, ApiError> {
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
