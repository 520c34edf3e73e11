//! What a fault does: to the cluster, and to the answer.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use serde_json::{Value, json};

use super::decision::{Fault, needs_database};
use super::listing::{drop_rows, repeat_rows};
use crate::machine::{Mishap, Suspicion};

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// An answer, whatever it says.
    Answered(Response<Bytes>),
    /// The connection closed without an answer: the work was done, or was not.
    Lost,
    /// No answer before the client gave up: the work may be done later.
    TimedOut,
    /// No connection: nothing was done, nor will be.
    Refused,
}

/// A cluster that faults can be done to: one in virtual time, and the real one.
pub(crate) trait Cluster {
    /// Answers as a sound API, but for a mishap in the middle of a submission.
    fn respond(&mut self, request: &Request<Bytes>, mishap: Option<Mishap>, now: i64) -> Response<Bytes>;
    /// Kills a best-effort job that `draw` chooses, if there is one.
    fn preempt(&mut self, draw: u64, now: i64);
    /// Lets the node of such a job fail, if there is one.
    fn suspect(&mut self, draw: u64, how: Suspicion, now: i64);
    /// Lets a best-effort job that `draw` chooses be gone, if there is one.
    fn forget(&mut self, draw: u64, now: i64);
}

/// Does a fault to a request. For those that act at a later time as well, this is what they do at once.
pub(crate) fn carry_out(target: &mut impl Cluster, fault: Fault, request: &Request<Bytes>, now: i64) -> Outcome {
    let submit = |target: &mut _, mishap| Cluster::respond(target, request, Some(mishap), now);
    match fault {
        Fault::None => Outcome::Answered(target.respond(request, None, now)),
        Fault::LostAfter => {
            target.respond(request, None, now);
            Outcome::Lost
        }
        Fault::LostBefore | Fault::Reset | Fault::Restart { .. } => Outcome::Lost,
        Fault::FailedAfter => {
            target.respond(request, None, now);
            failed()
        }
        Fault::FailedBefore => failed(),
        Fault::Late { .. } => Outcome::TimedOut,
        Fault::Outage { .. } | Fault::Refused => Outcome::Refused,
        Fault::Poison { .. } | Fault::Poisoned => match poisoned(request) {
            Some(response) => Outcome::Answered(response),
            None => Outcome::Answered(target.respond(request, None, now)),
        },
        Fault::Partial { rows, answered } => torn(submit(target, Mishap::Partial { rows }), answered),
        Fault::Arrayless { rows, answered } => torn(submit(target, Mishap::Arrayless { rows }), answered),
        Fault::Unfinished { .. } => Outcome::Answered(submit(target, Mishap::Unfinished)),
        Fault::Skew { seconds } => Outcome::Answered(submit(target, Mishap::Skewed { seconds })),
        Fault::Preempt { draw } => {
            target.preempt(draw, now);
            Outcome::Answered(target.respond(request, None, now))
        }
        Fault::Resubmit { draw, how } => {
            target.suspect(draw, how, now);
            Outcome::Answered(target.respond(request, None, now))
        }
        Fault::Forget { draw } => {
            target.forget(draw, now);
            Outcome::Answered(target.respond(request, None, now))
        }
        Fault::Vanish { draw } => Outcome::Answered(drop_rows(target.respond(request, None, now), draw)),
        Fault::Duplicate { draw } => Outcome::Answered(repeat_rows(target.respond(request, None, now), draw)),
    }
}

/// The array that a submission made.
pub(crate) fn array_of(response: &Response<Bytes>) -> Option<u64> {
    serde_json::from_slice::<Value>(response.body()).ok()?.get("id")?.as_u64()
}

/// A refused submission is answered well: it made no row.
fn torn(response: Response<Bytes>, answered: bool) -> Outcome {
    match (array_of(&response), answered) {
        (None, _) => Outcome::Answered(response),
        (Some(_), true) => failed(),
        (Some(_), false) => Outcome::Lost,
    }
}

fn failed() -> Outcome {
    Outcome::Answered(answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", "Internal Server Error"))
}

/// What a poisoned API answers, if it needs the database for it. It does not find the jobs that it should delete.
fn poisoned(request: &Request<Bytes>) -> Option<Response<Bytes>> {
    if !needs_database(request) {
        return None;
    }
    let id = request.uri().path().split('/').nth(2).and_then(|id| id.parse::<u64>().ok());
    if let (&Method::DELETE, Some(id)) = (request.method(), id) {
        let text = format!("Deleting the job = {id} ...\n#WARNING: Cannot frag {id} ; Job does not exist. -3\n");
        let body = json!({ "id": id, "cmd_output": text, "exit_status": 7 });
        return Some(answer(StatusCode::OK, "application/json", &body.to_string()));
    }
    Some(answer(StatusCode::INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", "Internal Server Error"))
}

fn answer(status: StatusCode, content_type: &'static str, body: &str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_owned()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    response
}
