//! The REST face of OAR 3 as a function: one request against the machine gives one response.
//!
//! No socket is involved, so tests and simulations call it in-process with a clock of their own; the HTTP server
//! around it adds nothing but transport. Statuses, fields and texts are those recorded on a real OAR 3
//! (`tests/fixtures/oar3`). What poisons a real API for ever answers 500 here, once.

mod answer;
mod auth;
mod body;
mod call;
mod change;
mod jobs;
mod media;
mod nodes;
mod render;

use bytes::Bytes;
use http::{Method, Request, Response};

pub use auth::Auth;
pub(crate) use auth::civil_date;
pub use media::{Located, Outside, Stream, Unreadable, Wanted, last_lines};

use answer::{Answer, Problem};
use call::Call;

use crate::machine::Machine;

/// What the face needs beside the machine.
pub struct Face<'a> {
    /// Who may do what.
    pub auth: &'a Auth,
    /// The few things that are not in the machine.
    pub outside: &'a dyn Outside,
}

impl std::fmt::Debug for Face<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Face").finish_non_exhaustive()
    }
}

/// Answers one request at `now` (epoch milliseconds).
pub fn respond(machine: &mut Machine, request: &Request<Bytes>, face: &Face<'_>, now: i64) -> Response<Bytes> {
    let call = Call::new(request, face, now);
    route(machine, &call).unwrap_or_else(Problem::into_response)
}

/// Whether the request is for `/media`. Such a request can be served in two steps, so that nobody else has to wait
/// while a file is read: [`locate`] with the machine, [`fetch`] without.
#[must_use]
pub fn is_media(request: &Request<Bytes>) -> bool {
    request.method() == Method::GET && matches!(request.uri().path(), "/media" | "/media/")
}

/// First step of a `GET /media`: checks the request and finds what the path stands for.
#[must_use]
pub fn locate(machine: &Machine, request: &Request<Bytes>, face: &Face<'_>, now: i64) -> Located {
    let call = Call::new(request, face, now);
    Located(media::locate(machine, &call).map_err(|problem| Box::new(problem.into_response())))
}

/// Second step: reads it.
#[must_use]
pub fn fetch(located: Located, outside: &dyn Outside) -> Response<Bytes> {
    match located.0 {
        Ok(wanted) => media::fetch(&wanted, outside).unwrap_or_else(Problem::into_response),
        Err(response) => *response,
    }
}

fn route(machine: &mut Machine, call: &Call<'_>) -> Answer {
    let segments = call.segments();
    if let Some(redirect) = call.slash_redirect(&segments) {
        return Ok(redirect);
    }
    let get = call.method == Method::GET;
    let post = call.method == Method::POST;
    let delete = call.method == Method::DELETE;
    match segments.as_slice() {
        [] if get => nodes::root(call),
        ["version"] if get => nodes::version(call),
        ["timezone"] if get => nodes::timezone(call),
        ["whoami"] if get => auth::whoami(call),
        ["check_token"] if get => auth::check_token(call),
        ["get_new_token"] if get => auth::get_new_token(call),
        ["stress_factor"] if get => nodes::stress_factor(call),
        ["resources"] if get => nodes::resources(machine, call),
        ["resources", "busy"] if get => nodes::busy(machine, call),
        ["resources", _] if get => Err(Problem::Crash),
        ["jobs"] if get => jobs::list(machine, call),
        ["jobs"] if post => jobs::submit(machine, call),
        ["jobs", id] if get => jobs::show(machine, call, id),
        ["jobs", id, "events"] if get => jobs::events(machine, call, id),
        ["jobs", id] if delete => change::delete(machine, call, id),
        ["jobs", id, "deletions", "new"] if post || delete => change::delete(machine, call, id),
        ["jobs", id, "resumptions", "new"] if post => change::resume(machine, call, id),
        ["jobs", id, "checkpoints", "new"] if post => change::checkpoint(machine, call, id),
        ["jobs", id, "rhold", "new"] if post => change::hold_running(call, id),
        // OAR takes any other word for a hold.
        ["jobs", id, _, "new"] if post => change::hold(machine, call, id),
        ["jobs", id, "signal", number] if post => change::signal(machine, call, id, number),
        ["media"] if get => media::fetch(&media::locate(machine, call)?, call.face.outside),
        []
        | ["version" | "timezone" | "whoami" | "check_token" | "get_new_token" | "stress_factor"]
        | ["resources" | "jobs" | "media"]
        | ["resources" | "jobs", _]
        | ["jobs", _, "events"]
        | ["jobs", _, _, "new"]
        | ["jobs", _, "signal", _] => Err(Problem::Detail(405, "Method Not Allowed".to_owned())),
        _ => Err(Problem::Detail(404, "Not Found".to_owned())),
    }
}
