//! Keeps a server that does not lead from changing anything on a cluster.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Method;
use oar_client::{Transport, TransportError};

use super::Leadership;

/// Sends as the transport inside, but changes only while this server leads; what is on its way when the lead is lost
/// is given up, so that a round ends at once. What such a request did is found by its name, by the next leader.
pub(crate) struct Guarded {
    inner: Arc<dyn Transport>,
    leadership: Arc<Leadership>,
}

impl Guarded {
    pub(crate) fn new(inner: Arc<dyn Transport>, leadership: Arc<Leadership>) -> Guarded {
        Guarded { inner, leadership }
    }
}

impl Transport for Guarded {
    fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            if !self.leadership.leads() {
                if request.method() == Method::GET {
                    return self.inner.send(request, timeout).await;
                }
                return Err(TransportError::NotSent("this server does not lead".to_owned()));
            }
            tokio::select! {
                answer = self.inner.send(request, timeout) => answer,
                () = self.leadership.lost() => Err(TransportError::Lost("this server lost the lead".to_owned())),
            }
        })
    }
}
