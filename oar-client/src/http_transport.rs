//! The transport of real clusters: HTTP/1.1 with rustls, tuned to OAR's single-process server.

use std::error::Error as _;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::future::BoxFuture;
use http::Method;
use reqwest::{Client, ClientBuilder, redirect, retry};
use url::{Host, Url};

use crate::transport::{BodyLimit, Transport, TransportError};

/// OAR's server closes idle connections after 5 s; a request on a dying one is lost.
const IDLE: Duration = Duration::from_secs(3);
const CONNECT: Duration = Duration::from_secs(10);
/// For requests built without a limit.
const DEFAULT_LIMIT: usize = 64 << 20;

/// Sends requests over HTTP. Proxies come from the environment only, and never for a loopback host.
///
/// Writes to another machine use a fresh connection each, so that a reused connection that the server
/// was just closing never makes a POST doubtful.
pub struct HttpTransport {
    reads: Client,
    writes: Client,
}

/// Without the clients inside: a proxy's URL may hold a password.
impl std::fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpTransport").finish_non_exhaustive()
    }
}

impl HttpTransport {
    /// A transport for one base URL. Plain `http` is refused unless the host is this machine: it would
    /// send tokens in the clear.
    pub fn new(base: &Url) -> Result<HttpTransport, TransportError> {
        if base.scheme() != "https" && !is_loopback(base) {
            let text = "plain http would send tokens in the clear; use https, or allow it for this cluster";
            return Err(TransportError::NotSent(text.to_owned()));
        }
        HttpTransport::allow_plain_http(base)
    }

    /// Like [`HttpTransport::new`], for a cluster whose administrator accepts tokens in the clear.
    pub fn allow_plain_http(base: &Url) -> Result<HttpTransport, TransportError> {
        let local = is_loopback(base);
        let reads = build(settings(local))?;
        let writes = if local { reads.clone() } else { build(settings(local).pool_max_idle_per_host(0))? };
        Ok(HttpTransport { reads, writes })
    }

    async fn exchange(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let limit = request.extensions().get::<BodyLimit>().map_or(DEFAULT_LIMIT, |limit| limit.0);
        let client = if request.method() == Method::GET { &self.reads } else { &self.writes };
        let mut request =
            reqwest::Request::try_from(request).map_err(|error| TransportError::NotSent(text_of(error)))?;
        *request.timeout_mut() = Some(timeout);
        let answer = client.execute(request).await.map_err(classify)?;
        read(answer, limit).await
    }
}

impl Transport for HttpTransport {
    fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(request, timeout))
    }
}

fn settings(local: bool) -> ClientBuilder {
    // Fails only if another part of the program chose a provider before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .referer(false)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE);
    if local { builder.no_proxy() } else { builder }
}

fn build(builder: ClientBuilder) -> Result<Client, TransportError> {
    builder.build().map_err(|error| TransportError::NotSent(text_of(error)))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Reads up to one byte more than allowed, so that the caller can see that there was more.
async fn read(mut answer: reqwest::Response, limit: usize) -> Result<http::Response<Bytes>, TransportError> {
    let mut head = http::Response::new(());
    *head.status_mut() = answer.status();
    *head.headers_mut() = std::mem::take(answer.headers_mut());
    let mut body = BytesMut::new();
    while let Some(chunk) = answer.chunk().await.map_err(classify)? {
        let room = limit + 1 - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() > limit {
            break;
        }
    }
    Ok(head.map(|()| body.freeze()))
}

fn classify(error: reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(text_of(error))
    } else if error.is_timeout() {
        TransportError::TimedOut
    } else {
        TransportError::Lost(text_of(error))
    }
}

/// The innermost cause says most ("connection refused"); the URL is the caller's to tell.
fn text_of(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{error}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        let allowed = |base: &str| HttpTransport::new(&base.parse().unwrap()).is_ok();
        assert!(allowed("http://127.0.0.1:6668/"));
        assert!(allowed("http://[::1]:6668/"));
        assert!(allowed("http://localhost/oarapi"));
        assert!(allowed("https://oar.example.org/"));
        assert!(!allowed("http://oar.example.org/"));
        assert!(!allowed("http://localhost.example.org/"));
    }

    #[test]
    fn plain_http_can_be_allowed() {
        let base = "http://oar.example.org/".parse().unwrap();
        assert!(HttpTransport::allow_plain_http(&base).is_ok());
    }
}
