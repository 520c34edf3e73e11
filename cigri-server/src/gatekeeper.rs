//! The way to a cluster that its admin can shut: a disabled cluster gets no request of ours, for whatever purpose.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use oar_client::{Transport, TransportError};

/// Whether the way is shut; shared by the transport and who shuts it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Barrier(Arc<AtomicBool>);

impl Barrier {
    /// Shuts it, or opens it again.
    pub(crate) fn set(&self, shut: bool) {
        self.0.store(shut, Ordering::SeqCst);
    }
}

/// Sends as the transport inside, while the barrier is up.
pub(crate) struct Gatekeeper {
    pub(crate) inner: Arc<dyn Transport>,
    pub(crate) barrier: Barrier,
}

impl Transport for Gatekeeper {
    fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        if self.barrier.0.load(Ordering::SeqCst) {
            let text = "the cluster is disabled by its administrator".to_owned();
            return Box::pin(std::future::ready(Err(TransportError::NotSent(text))));
        }
        self.inner.send(request, timeout)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Answers;

    impl Transport for Answers {
        fn send(
            &self,
            _: http::Request<Bytes>,
            _: Duration,
        ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
            Box::pin(std::future::ready(Ok(http::Response::default())))
        }
    }

    #[tokio::test]
    async fn nothing_is_sent_while_it_is_shut() {
        let barrier = Barrier::default();
        let way = Gatekeeper { inner: Arc::new(Answers), barrier: barrier.clone() };
        let send = || way.send(http::Request::default(), Duration::from_secs(1));
        assert!(send().await.is_ok());
        barrier.set(true);
        assert!(matches!(send().await, Err(TransportError::NotSent(_))));
        barrier.set(false);
        assert!(send().await.is_ok());
    }
}
