//! Changes asked of a server that stands by: passed on to the leader, whose answer goes back unchanged.

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use tokio::sync::mpsc;

use super::identity::Caller;
use super::once;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::leadership::{Leader, Leadership, passport};

/// Pieces of a body that may wait for the leader.
const PIECES: usize = 16;

/// Lets reads, and everything asked of a leader, through to the routes.
pub(super) async fn unless_leading(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    let leadership = request.app_data::<web::Data<Leadership>>().cloned();
    let leadership = leadership.ok_or_else(|| ApiError::no_leader("the server is not ready"))?;
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads || leadership.leads() {
        return Ok(next.call(request).await?.map_into_boxed_body());
    }
    let (request, payload) = request.into_parts();
    let answer = match pass_on(&leadership, &request, payload).await {
        Ok(answer) => answer,
        Err(error) => HttpResponse::from_error(error),
    };
    Ok(ServiceResponse::new(request, answer))
}

async fn pass_on(leadership: &Leadership, request: &HttpRequest, payload: Payload) -> Result<HttpResponse, ApiError> {
    let caller = request.conn_data::<Caller>().ok_or_else(ApiError::nobody)?;
    let none = "no server leads just now: one takes over within seconds. Nothing was changed";
    let leader = leadership.leader().ok_or_else(|| ApiError::no_leader(none))?;
    let Some(way) = &leader.way else {
        let holder = &leader.holder;
        return Err(ApiError::no_leader(format!("this server stands by, and {holder} leads: ask there")));
    };
    let token = passport::issue(&way.secret, &caller.login, now_ms());
    let token = token.ok_or_else(|| ApiError::no_leader("this request cannot be signed for the leader"))?;
    let method = http::Method::from_bytes(request.method().as_str().as_bytes());
    let method = method.map_err(|error| ApiError::bad_request(error.to_string()))?;
    let place = request.uri().path_and_query().map_or("/", |place| place.as_str());
    let mut passed = way.client.request(method, format!("{}{place}", way.base)).bearer_auth(token);
    for name in [CONTENT_TYPE.as_str(), CONTENT_LENGTH.as_str(), once::HEADER] {
        for value in request.headers().get_all(name) {
            passed = passed.header(name, value.as_bytes());
        }
    }
    let (pieces, body) = mpsc::channel(PIECES);
    let send = async {
        tokio::select! {
            answer = passed.body(body_of(body)).send() => answer.map_err(|error| lost(&leader, &error)),
            () = leadership.overtaken(leader.epoch) => Err(doubtful(&leader)),
        }
    };
    tokio::pin!(send);
    // The leader may answer before it has the whole body: a refusal.
    let answer = tokio::select! {
        answer = &mut send => answer,
        () = pump(payload, pieces) => send.await,
    };
    answer.map(give_back)
}

/// The caller's body, piece by piece, with an end that is told: one that breaks off must not pass for a whole one.
async fn pump(mut payload: Payload, pieces: mpsc::Sender<Option<Bytes>>) {
    loop {
        let piece = match payload.next().await {
            Some(Ok(piece)) => Some(piece),
            Some(Err(_)) => return,
            None => None,
        };
        let ended = piece.is_none();
        if pieces.send(piece).await.is_err() || ended {
            return;
        }
    }
}

fn body_of(pieces: mpsc::Receiver<Option<Bytes>>) -> reqwest::Body {
    let next = |mut pieces: mpsc::Receiver<Option<Bytes>>| async move {
        match pieces.recv().await {
            Some(None) => None,
            Some(Some(piece)) => Some((Ok(piece), pieces)),
            None => Some((Err(std::io::Error::other("the caller went away")), pieces)),
        }
    };
    reqwest::Body::wrap_stream(futures_util::stream::unfold(pieces, next))
}

fn give_back(answer: reqwest::Response) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status().as_u16()).unwrap_or(StatusCode::BAD_GATEWAY);
    let mut given = HttpResponse::build(status);
    for name in [CONTENT_TYPE, LOCATION, RETRY_AFTER] {
        if let Some(value) = answer.headers().get(&name) {
            given.insert_header((name.as_str(), value.as_bytes()));
        }
    }
    given.streaming(answer.bytes_stream())
}

/// Whether it was done is known only where no connection was made.
fn lost(leader: &Leader, error: &reqwest::Error) -> ApiError {
    let holder = &leader.holder;
    tracing::warn!(leader = %holder, "a request could not be passed on: {error}");
    if error.is_connect() {
        return ApiError::no_leader(format!("{holder} leads and cannot be reached. Nothing was changed: try again"));
    }
    doubtful(leader)
}

fn doubtful(leader: &Leader) -> ApiError {
    let holder = &leader.holder;
    ApiError::doubtful(format!("the answer of {holder}, which led, was lost: look whether it was done, then try again"))
}
