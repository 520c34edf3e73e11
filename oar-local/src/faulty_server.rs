//! The faults of the chaos layer over HTTP: connections that close without an answer, answers that come late.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::Extensions;
use actix_web::{HttpResponse, rt};
use bytes::Bytes;
use http::{Request, Response};

use crate::Core;
use crate::chaos::{Chaos, ChaosConfig, Cluster, Fault, Outcome, Report, array_of, carry_out};
use crate::machine::{Mishap, Runs, Suspicion};

/// What goes wrong with a served cluster.
#[derive(Debug)]
pub(crate) struct Faults {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    chaos: Chaos,
    /// Number of restarts: late work of an earlier life is forgotten.
    life: u64,
}

impl Faults {
    pub(crate) fn new(config: ChaosConfig) -> Self {
        Self { state: Mutex::new(State { chaos: Chaos::new(config.seed, config.plan), life: 0 }) }
    }

    pub(crate) fn stop(&self) {
        self.lock().chaos.stop_faults();
    }

    pub(crate) fn report(&self) -> Report {
        self.lock().chaos.report()
    }

    /// What a request meets that comes now, and the life of the API that it came in.
    fn meet(&self, request: &Request<Bytes>, now: i64) -> (Fault, u64) {
        let mut state = self.lock();
        let fault = state.chaos.meet(request, now);
        state.life += u64::from(matches!(fault, Fault::Restart { .. }));
        (fault, state.life)
    }

    fn lives_on(&self, life: u64) -> bool {
        self.lock().life == life
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cluster for &Core {
    fn respond(&mut self, request: &Request<Bytes>, mishap: Option<Mishap>, _: i64) -> Response<Bytes> {
        self.respond_with(request, mishap)
    }

    fn preempt(&mut self, draw: u64, _: i64) {
        self.change(|machine, now| machine.preempt_any(draw, now));
    }

    fn suspect(&mut self, draw: u64, how: Suspicion, _: i64) {
        self.change(|machine, _| machine.suspect_any(draw, how));
    }

    fn forget(&mut self, draw: u64, _: i64) {
        self.change(|machine, now| machine.forget_any(draw, now));
    }
}

impl Core {
    pub(crate) fn runs(&self) -> BTreeMap<String, Runs> {
        self.shared.lock().machine.runs()
    }
}

/// A second handle of a connection, to break it from within.
#[derive(Clone)]
pub(crate) struct Connection(Arc<OwnedFd>);

/// Keeps a handle of each new connection.
pub(crate) fn keep_connection(stream: &dyn std::any::Any, data: &mut Extensions) {
    let stream = stream.downcast_ref::<rt::net::TcpStream>();
    if let Some(handle) = stream.and_then(|stream| stream.as_fd().try_clone_to_owned().ok()) {
        data.insert(Connection(Arc::new(handle)));
    }
}

impl Connection {
    /// Closes it in order; nothing that is written afterwards gets out.
    fn close(&self) {
        // An error means that it is closed already.
        let _ = rustix::net::shutdown(&*self.0, rustix::net::Shutdown::Both);
    }

    /// Closes it with a reset.
    fn reset(&self) {
        let _ = rustix::net::connect_unspec(&*self.0);
    }
}

/// Answers a request, or breaks its connection, as the faults want it.
pub(crate) async fn answer(
    core: Arc<Core>,
    request: Request<Bytes>,
    connection: Option<Connection>,
) -> Result<Response<Bytes>, HttpResponse> {
    let Some(faults) = &core.faults else { return Err(HttpResponse::InternalServerError().finish()) };
    let (fault, life) = faults.meet(&request, core.shared.now());
    // A task of its own: a client that leaves does not stop the work.
    let outcome = rt::spawn(work(Arc::clone(&core), request, fault, life)).await.unwrap_or(Outcome::Lost);
    match (outcome, connection) {
        (Outcome::Answered(response), _) => Ok(response),
        (_, None) => Err(HttpResponse::InternalServerError().finish()),
        (outcome, Some(connection)) => {
            match (fault, outcome) {
                (Fault::Reset, _) | (_, Outcome::Refused) => connection.reset(),
                _ => connection.close(),
            }
            // Cannot be written any more.
            Err(HttpResponse::InternalServerError().force_close().finish())
        }
    }
}

async fn work(core: Arc<Core>, request: Request<Bytes>, fault: Fault, life: u64) -> Outcome {
    match fault {
        Fault::Late { by_ms } => {
            if !wait(&core, by_ms, life).await {
                return Outcome::Lost;
            }
            in_background(core, move |core| carry_out(&mut &*core, Fault::None, &request, core.shared.now())).await
        }
        Fault::Unfinished { by_ms } => {
            let begun = Arc::clone(&core);
            let begun = in_background(begun, move |core| carry_out(&mut &*core, fault, &request, core.shared.now()));
            let outcome = begun.await;
            let Outcome::Answered(response) = &outcome else { return outcome };
            let Some(array) = array_of(response) else { return outcome };
            if !wait(&core, by_ms, life).await {
                return Outcome::Lost;
            }
            core.change(|machine, now| machine.complete(array, now));
            outcome
        }
        _ => in_background(core, move |core| carry_out(&mut &*core, fault, &request, core.shared.now())).await,
    }
}

/// Reads files and waits for a lock: not for the thread that serves the sockets.
async fn in_background(core: Arc<Core>, work: impl FnOnce(&Core) -> Outcome + Send + 'static) -> Outcome {
    actix_web::web::block(move || work(&core)).await.unwrap_or(Outcome::Lost)
}

/// True when the API still lives after the pause.
async fn wait(core: &Core, milliseconds: i64, life: u64) -> bool {
    tokio::time::sleep(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0))).await;
    core.faults.as_ref().is_some_and(|faults| faults.lives_on(life))
}
