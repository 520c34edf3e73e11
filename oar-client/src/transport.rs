//! The only way out of this crate: one HTTP message there and back.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;

/// Sends one HTTP request. Implemented by [`crate::HttpTransport`], and in-process by tests and by
/// clusters that live in the same program.
pub trait Transport: Send + Sync {
    /// Carries the request to the server and its whole answer back, whatever its status.
    ///
    /// At most [`BodyLimit`] (a request extension) bytes and one more of the body need be read: the client
    /// refuses longer ones. Redirections are answers. A request is never repeated.
    fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;
}

/// How many bytes an answer may have; an extension of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit(pub usize);

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing reached the server: no connection could be made.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Anything else: the server may or may not have acted.
    #[error("answer lost: {0}")]
    Lost(String),
    /// The time given was over.
    #[error("no answer in time")]
    TimedOut,
}
