//! The client: builds, sends and reads, with one database request at a time, a budget, and bounded answers.

mod cluster;
mod commands;
mod jobs;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use url::Url;

use crate::budget::Budget;
use crate::error::Error;
use crate::lane::{Lane, Need, Pass};
use crate::pressure::{Counters, Pressure};
use crate::request::Base;
use crate::transport::{BodyLimit, Transport, TransportError};
use crate::urgency::Urgency;

const LONGEST_ANSWER: usize = 64 << 20;

/// How a client treats its server.
#[derive(Debug, Clone, PartialEq)]
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
    /// What all requests together keep to, until [`Client::set_budget`] says otherwise; `None`: nothing, ever.
    pub budget: Option<Budget>,
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
            budget: Some(Budget::default()),
        }
    }
}

/// A client of one cluster's API. Clones share its lane and its budget. Needs a tokio runtime with its timer.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    /// What all its requests are for, whatever they are.
    urgency: Option<Urgency>,
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
                lane: Lane::new(settings.one_request_at_a_time, settings.budget),
                settings,
            }),
            urgency: None,
        }
    }

    /// The same client, whose requests are all this urgent. Without this each is as urgent as what it does usually is.
    #[must_use]
    pub fn at(&self, urgency: Urgency) -> Client {
        Client { urgency: Some(urgency), ..self.clone() }
    }

    /// Another budget from now on, for all clones. Nothing happens to a client that has none.
    pub fn set_budget(&self, budget: Budget) {
        self.inner.lane.set_budget(budget);
    }

    /// Sends nothing any more, for this reason, or sends again: for all clones. Whatever waits for its turn ends with
    /// [`Error::NotSent`] then, and counts nowhere; what is under way is left alone.
    pub fn shut(&self, why: Option<&str>) {
        self.inner.lane.shut(why);
    }

    /// How hard it is to get a request through now: one of this client's urgency, or a submission.
    pub fn pressure(&self) -> Pressure {
        self.inner.lane.pressure(self.urgency.unwrap_or(Urgency::Submit))
    }

    /// What was sent so far by all clones.
    pub fn counters(&self) -> Counters {
        self.inner.lane.counters()
    }

    fn base(&self) -> &Base {
        &self.inner.base
    }

    fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// A request that does not touch OAR's database: it may go beside the others.
    async fn ask(&self, urgency: Urgency, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.exchange(self.need(urgency, false), request, LONGEST_ANSWER).await
    }

    async fn ask_media(&self, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, Error> {
        self.exchange(self.need(Urgency::Results, false), request, limit).await
    }

    /// A read of OAR's database.
    async fn ask_database(&self, urgency: Urgency, request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        self.exchange(self.need(urgency, true), request, LONGEST_ANSWER).await
    }

    /// A change. It goes on in a task of its own, with the lane, if the caller gives up or goes away:
    /// closing the connection would not stop the server.
    async fn change(&self, urgency: Urgency, mut request: Request<Bytes>) -> Result<Response<Bytes>, Error> {
        let settings = self.settings();
        let pass = self.inner.lane.enter(self.need(urgency, true), settings.timeout_write).await?;
        request.extensions_mut().insert(BodyLimit(LONGEST_ANSWER));
        let transport = Arc::clone(&self.inner.transport);
        let patience = settings.timeout_write.max(settings.linger);
        let sending = tokio::spawn(async move { carry(&*transport, pass, request, patience).await });
        match tokio::time::timeout(settings.timeout_write, sending).await {
            Err(_) => Err(Error::TimedOut),
            Ok(Err(_)) => Err(Error::Lost("the sending task was stopped".to_owned())),
            Ok(Ok(answer)) => bounded(answer?, LONGEST_ANSWER),
        }
    }

    async fn exchange(&self, need: Need, mut request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, Error> {
        let timeout = self.settings().timeout_read;
        let pass = self.inner.lane.enter(need, timeout).await?;
        request.extensions_mut().insert(BodyLimit(limit));
        let answer = carry(&*self.inner.transport, pass, request, timeout).await?;
        bounded(answer, limit)
    }

    fn need(&self, usual: Urgency, database: bool) -> Need {
        Need { urgency: self.urgency.unwrap_or(usual), database }
    }
}

/// Sends, and charges what was sent and received; headers are not counted.
async fn carry(
    transport: &dyn Transport,
    mut pass: Pass,
    request: Request<Bytes>,
    timeout: Duration,
) -> Result<Response<Bytes>, TransportError> {
    let url = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    pass.carried(url + request.body().len());
    let answer = transport.send(request, timeout).await?;
    pass.carried(answer.body().len());
    Ok(answer)
}

fn bounded(answer: Response<Bytes>, limit: usize) -> Result<Response<Bytes>, Error> {
    if answer.body().len() <= limit {
        return Ok(answer);
    }
    let size = if limit >> 20 > 0 { format!("{} MB", limit >> 20) } else { format!("{} kB", limit >> 10) };
    let what = format!("an answer of at most {size}");
    Err(Error::garbled(&what, "a longer one"))
}
