//! The client: builds, sends and reads, with one database request at a time and bounded answers.

mod cluster;
mod commands;
mod jobs;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use crate::error::Error;
use crate::lane::Lane;
use crate::request::Base;
use crate::transport::{BodyLimit, Transport};

const LONGEST_ANSWER: usize = 64 << 20;

/// How a client treats its server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// How long an answer to a GET may take.
    pub timeout_read: Duration,
    /// How long an answer to a POST or DELETE may take before the caller is told. At least a minute:
    /// deleting a large array takes 40 s.
    pub timeout_write: Duration,
    /// How long an unanswered POST or DELETE is still listened to after its caller gave up. Meanwhile it
    /// holds the lane: the server may be working on it, and any other request would disturb it.
    pub linger: Duration,
    /// URLs stay below this many bytes; reverse proxies usually allow 8 KB.
    pub max_url: usize,
    /// The server escapes blanks, `$`, `,` and backticks in paths of files rightly. OAR does not.
    pub reads_any_path: bool,
    /// One database request in flight (the default, and the only safe way with OAR 3).
    pub one_request_at_a_time: bool,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            timeout_read: Duration::from_secs(30),
            timeout_write: Duration::from_secs(120),
            linger: Duration::from_secs(600),
            max_url: 8000,
            reads_any_path: false,
            one_request_at_a_time: true,
        }
    }
}

/// A client of one cluster's API. Clones share its lane. Needs a tokio runtime with its timer.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    base: Base,
    transport: Arc<dyn Transport>,
    settings: Settings,
    lane: Lane,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut text = f.debug_struct("Client");
        text.field("base", self.base()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the API at `base`, which may have a path prefix.
    pub fn new(base: Url, transport: Arc<dyn Transport>, settings: Settings) -> Client {
        Client {
            inner: Arc::new(Inner {
                base: Base::new(&base),
                transport,
                lane: Lane::new(settings.one_request_at_a_time),
                settings,
            }),
        }
    }

    fn base(&self) -> &Base {
        &self.inner.base
    }

    fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// A request that does not touch OAR's database: it may go beside the others.
    async fn ask(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.exchange(request, LONGEST_ANSWER).await
    }

    async fn ask_media(&self, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, Error> {
        self.exchange(request, limit).await
    }

    /// A read of OAR's database.
    async fn ask_database(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let _pass = self.inner.lane.enter(self.settings().timeout_read).await?;
        self.exchange(request, LONGEST_ANSWER).await
    }

    /// A change. It goes on in a task of its own, with the lane, if the caller gives up or goes away:
    /// closing the connection would not stop the server.
    async fn change(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let settings = self.settings();
        let pass = self.inner.lane.enter(settings.timeout_write).await?;
        request.extensions_mut().insert(BodyLimit(LONGEST_ANSWER));
        let transport = Arc::clone(&self.inner.transport);
        let patience = settings.timeout_write.max(settings.linger);
        let sending = tokio::spawn(async move {
            let answer = transport.send(request, patience).await;
            drop(pass);
            answer
        });
        match tokio::time::timeout(settings.timeout_write, sending).await {
            Err(_) => Err(Error::TimedOut),
            Ok(Err(_)) => Err(Error::Lost("the sending task was stopped".to_owned())),
            Ok(Ok(answer)) => bounded(answer?, LONGEST_ANSWER),
        }
    }

    async fn exchange(&self, mut request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, Error> {
        request.extensions_mut().insert(BodyLimit(limit));
        let timeout = self.settings().timeout_read;
        let answer = self.inner.transport.send(request, timeout).await?;
        bounded(answer, limit)
    }
}

fn bounded(answer: Response<Bytes>, limit: usize) -> Result<Response<Bytes>, Error> {
    if answer.body().len() <= limit {
        return Ok(answer);
    }
    let what = format!("an answer of at most {} MB", limit >> 20);
    Err(Error::garbled(&what, "a longer one"))
}
