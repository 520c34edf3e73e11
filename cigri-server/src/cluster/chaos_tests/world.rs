//! The cluster behind its faults, and the points at which the server is killed: after any request and after any
//! commit, which together are all the points at which a round waits.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use diesel::connection::{Instrumentation, InstrumentationEvent, set_default_instrumentation};
use futures_util::future::BoxFuture;
use oar_client::{Transport, TransportError};
use oar_local::chaos::{ChaoticFace, Outcome};
use tokio::sync::Notify;

/// A cluster, its clock, and the server's remaining life.
pub(super) struct World {
    pub(super) face: Mutex<ChaoticFace>,
    /// Epoch milliseconds.
    pub(super) now: AtomicI64,
    /// Whether the cluster ignores what jobs wait for: gates don't work there.
    pub(super) ignores_gates: AtomicBool,
    pub(super) life: Arc<Life>,
}

/// When the server dies.
#[derive(Default)]
pub(super) struct Life {
    /// Requests left; negative: it lives.
    requests: AtomicI64,
    /// Commits left; negative: it lives.
    commits: AtomicI64,
    /// Rung when it is killed.
    pub(super) over: Notify,
}

/// Where the server is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    AfterRequest(i64),
    AfterCommit(i64),
}

impl Life {
    pub(super) fn set(&self, death: Option<Death>) {
        let (requests, commits) = match death {
            None => (-1, -1),
            Some(Death::AfterRequest(number)) => (number, -1),
            Some(Death::AfterCommit(number)) => (-1, number),
        };
        self.requests.store(requests, Ordering::SeqCst);
        self.commits.store(commits, Ordering::SeqCst);
    }
}

thread_local! {
    /// Whose database connections are opened by this thread.
    static OPENING: RefCell<Option<Arc<Life>>> = const { RefCell::new(None) };
}

/// Watches the commits of the connections that `open` opens.
pub(super) fn watching_commits<T>(life: &Arc<Life>, open: impl FnOnce() -> T) -> T {
    OPENING.with(|opening| opening.replace(Some(Arc::clone(life))));
    set_default_instrumentation(watch).unwrap();
    let opened = open();
    OPENING.with(|opening| opening.replace(None));
    opened
}

fn watch() -> Option<Box<dyn Instrumentation>> {
    let life = OPENING.with(|opening| opening.borrow().clone())?;
    Some(Box::new(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::FinishQuery { query, .. } = event
            && query.to_string().starts_with("COMMIT")
            && life.commits.fetch_sub(1, Ordering::SeqCst) == 0
        {
            life.over.notify_one();
        }
    }))
}

/// The way to the cluster.
pub(super) struct Wire(pub(super) Arc<World>);

impl Transport for Wire {
    fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let world = &self.0;
            let dies = world.life.requests.fetch_sub(1, Ordering::SeqCst) == 0;
            let request = if world.ignores_gates.load(Ordering::SeqCst) { without_gate(request) } else { request };
            let outcome = world.face.lock().unwrap().send(request, world.now.load(Ordering::SeqCst));
            if dies {
                // What was asked may be done; nobody is there to hear of it.
                world.life.over.notify_one();
                std::future::pending::<()>().await;
            }
            match outcome {
                Outcome::Answered(response) => Ok(response),
                Outcome::Lost => Err(TransportError::Lost("connection reset".to_owned())),
                Outcome::Refused => Err(TransportError::NotSent("connection refused".to_owned())),
                Outcome::TimedOut => {
                    world.now.fetch_add(30_000, Ordering::SeqCst);
                    Err(TransportError::TimedOut)
                }
            }
        })
    }
}

/// The same submission for a cluster that knows no dependencies.
fn without_gate(request: http::Request<Bytes>) -> http::Request<Bytes> {
    request.map(|body| match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(serde_json::Value::Object(mut job)) => {
            job.remove("after");
            Bytes::from(serde_json::to_vec(&job).unwrap())
        }
        _ => body,
    })
}
