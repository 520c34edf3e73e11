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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::monotonic;
    use crate::leadership::{Held, Phase};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts requests; answers GETs at once, and nothing else ever.
    #[derive(Default)]
    struct Wire(AtomicUsize);

    impl Transport for Wire {
        fn send(
            &self,
            request: http::Request<Bytes>,
            _: Duration,
        ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
            self.0.fetch_add(1, Ordering::SeqCst);
            match *request.method() {
                Method::GET => Box::pin(std::future::ready(Ok(http::Response::default()))),
                _ => Box::pin(std::future::pending()),
            }
        }
    }

    async fn send(guarded: &Guarded, method: Method) -> Result<http::Response<Bytes>, TransportError> {
        let request = http::Request::builder().method(method).uri("http://dahu/jobs").body(Bytes::new()).unwrap();
        guarded.send(request, Duration::from_secs(600)).await
    }

    fn guarded() -> (Arc<Wire>, Arc<Leadership>, Guarded) {
        let (wire, leadership) = (Arc::new(Wire::default()), Arc::new(Leadership::shared()));
        let guarded = Guarded::new(wire.clone(), Arc::clone(&leadership));
        (wire, leadership, guarded)
    }

    #[tokio::test]
    async fn a_server_that_stands_by_reads_a_cluster_and_changes_nothing_there() {
        let (wire, _, guarded) = guarded();
        assert!(send(&guarded, Method::GET).await.is_ok());
        for method in [Method::POST, Method::DELETE] {
            assert!(matches!(send(&guarded, method).await, Err(TransportError::NotSent(_))));
        }
        assert_eq!(wire.0.load(Ordering::SeqCst), 1, "only the GET left");
    }

    #[tokio::test]
    async fn what_is_on_its_way_when_the_lead_is_lost_is_given_up() {
        let (wire, leadership, guarded) = guarded();
        leadership.change(|state| {
            let until = monotonic() + Duration::from_millis(50);
            state.held = Some(Held { epoch: 1, until, secret: "s".into() });
            state.phase = Phase::Acts;
        });
        assert!(matches!(send(&guarded, Method::POST).await, Err(TransportError::Lost(_))));
        assert_eq!(wire.0.load(Ordering::SeqCst), 1, "it had left");
    }
}
