//! One database request at a time: OAR's API shares one database session among all its requests, and
//! requests that overlap with a write are answered 500.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::Error;

/// The right to have a database request in flight; `None` where overlapping is allowed.
pub(crate) type Pass = Option<OwnedMutexGuard<()>>;

/// The queue for that right, first come first served.
#[derive(Debug)]
pub(crate) struct Lane {
    turn: Option<Arc<Mutex<()>>>,
}

impl Lane {
    /// A lane for one request at a time, or an open road.
    pub(crate) fn new(one_at_a_time: bool) -> Lane {
        Lane { turn: one_at_a_time.then(Arc::default) }
    }

    /// Waits for its turn, but not longer than the request itself would be given: an unanswered write may
    /// hold the lane for minutes.
    pub(crate) async fn enter(&self, patience: Duration) -> Result<Pass, Error> {
        let Some(turn) = &self.turn else {
            return Ok(None);
        };
        if let Ok(pass) = Arc::clone(turn).try_lock_owned() {
            return Ok(Some(pass));
        }
        match tokio::time::timeout(patience, Arc::clone(turn).lock_owned()).await {
            Ok(pass) => Ok(Some(pass)),
            Err(_) => Err(Error::NotSent("an earlier request to this cluster is still unanswered".to_owned())),
        }
    }
}
