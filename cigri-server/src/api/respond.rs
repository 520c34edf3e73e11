//! Answers: errors in one shape, whatever went wrong.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use cigri_api::{ErrorBody, ErrorCode, Health, Problem};
use cigri_core::language::Problems;
use cigri_store::{BackupError, StoreError};

use crate::grid::{Grid, GridError};
use crate::leadership::Leadership;

/// When to try again while no server leads: another one takes over within seconds.
const RETRY_AFTER_S: u64 = 3;

/// An error on its way to the caller, and after how many seconds it is worth another try.
#[derive(Debug)]
pub(super) struct ApiError(Box<ErrorBody>, Option<u64>);

impl ApiError {
    fn new(status: StatusCode, code: ErrorCode, message: String) -> ApiError {
        let title = status.canonical_reason().unwrap_or("Error").to_owned();
        ApiError(Box::new(ErrorBody { status: status.as_u16(), title, message, code, problems: Vec::new() }), None)
    }

    pub(super) fn forbidden(message: String) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, ErrorCode::Forbidden, message)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, message.into())
    }

    pub(super) fn not_found(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message.into())
    }

    pub(super) fn conflict(message: String) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, ErrorCode::Conflict, message)
    }

    pub(super) fn unavailable(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_GATEWAY, ErrorCode::ClusterUnavailable, message.into())
    }

    /// Nothing was done, for want of a leader; worth another try.
    pub(super) fn no_leader(message: impl Into<String>) -> ApiError {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::NoLeader, message.into());
        ApiError(error.0, Some(RETRY_AFTER_S))
    }

    /// The cluster was not asked: our budget there is used up for so many seconds.
    pub(super) fn over_budget(message: String, wait_s: u64) -> ApiError {
        let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, ErrorCode::ClusterBusy, message);
        ApiError(error.0, Some(wait_s))
    }

    /// What may be asked for now and then only; worth another try after so many seconds.
    pub(super) fn too_soon(message: impl Into<String>, wait_s: u64) -> ApiError {
        let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, ErrorCode::Conflict, message.into());
        ApiError(error.0, Some(wait_s))
    }

    /// Passed on, and no answer came back.
    pub(super) fn doubtful(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_GATEWAY, ErrorCode::Internal, message.into())
    }

    /// The peer is unknown.
    pub(super) fn nobody() -> ApiError {
        ApiError::forbidden("Access denied: not authenticated".to_owned())
    }

    /// Passed on by nobody who knows this leader's secret.
    pub(super) fn no_passport() -> ApiError {
        let message = "only the servers of this database pass requests on here".to_owned();
        ApiError::new(StatusCode::UNAUTHORIZED, ErrorCode::Forbidden, message)
    }

    /// Another request than the one that this `Idempotency-Key` came with before.
    pub(super) fn key_of_another(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, ErrorCode::IdempotencyKey, message.into())
    }

    /// No key that could be kept.
    pub(super) fn no_key(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::IdempotencyKey, message.into())
    }

    /// The same request was carried out while this one was read.
    pub(super) fn is_repeated(&self) -> bool {
        self.0.status == StatusCode::CONFLICT.as_u16() && self.0.code == ErrorCode::IdempotencyKey
    }

    pub(super) fn too_large(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, ErrorCode::TooLarge, message.into())
    }

    /// Refused by the administrator's rules, in CiGri 3's shape.
    pub(super) fn admission(message: String) -> ApiError {
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::AdmissionRule, message);
        error.0.title = "Admission rule error".to_owned();
        error
    }

    /// A campaign file with problems: all of them.
    pub(super) fn campaign(problems: &Problems) -> ApiError {
        ApiError::with_problems("the campaign file", problems)
    }

    /// A list of parameters with problems: all of them.
    pub(super) fn jobs(problems: &Problems) -> ApiError {
        ApiError::with_problems("the list of parameters", problems)
    }

    /// Changes to a cluster's limits that make no sense: all that is wrong.
    pub(super) fn limits(problems: &[Problem]) -> ApiError {
        let count = problems.len();
        let message =
            format!("the limits have {count} problem{}; nothing was changed", if count == 1 { "" } else { "s" });
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidLimits, message);
        error.0.problems = problems.to_vec();
        error
    }

    fn with_problems(what: &str, problems: &Problems) -> ApiError {
        let count = problems.0.len();
        let message = format!("{what} has {count} problem{}", if count == 1 { "" } else { "s" });
        let mut error = ApiError::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidCampaign, message);
        error.0.problems = problems.0.iter().map(problem).collect();
        error
    }
}

pub(super) fn problem(problem: &cigri_core::language::Problem) -> Problem {
    Problem {
        path: problem.path.clone(),
        found: problem.found.clone(),
        expected: problem.expected.clone(),
        hint: problem.hint.clone(),
        line: problem.line,
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.1 {
            answer.insert_header(("Retry-After", seconds.to_string()));
        }
        answer.json(&self.0)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::Missing(_) => ApiError::not_found(error.to_string()),
            StoreError::Conflict(_) => ApiError::conflict(error.to_string()),
            StoreError::Condition(_) => ApiError::bad_request(error.to_string()),
            StoreError::Repeated => ApiError::new(StatusCode::CONFLICT, ErrorCode::IdempotencyKey, error.to_string()),
            StoreError::NotLeader => ApiError::no_leader(error.to_string()),
            StoreError::Sql(_) => internal(&error, &storage_advice(&error)),
            _ => internal(&error, &error.to_string()),
        }
    }
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> ApiError {
        match error {
            BackupError::Store(error) => error.into(),
            _ => internal(&error, &error.to_string()),
        }
    }
}

impl From<GridError> for ApiError {
    fn from(error: GridError) -> ApiError {
        match error {
            GridError::Store(error) => error.into(),
            GridError::Cluster { .. } => ApiError::bad_request(error.to_string()),
            GridError::Secret(_) => internal(&error, &error.to_string()),
        }
    }
}

/// What went wrong stays in the log; the caller learns what can be done about it.
fn internal(error: &dyn std::error::Error, message: &str) -> ApiError {
    tracing::error!("request failed: {error}");
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, ErrorCode::Internal, message.to_owned())
}

fn storage_advice(error: &StoreError) -> String {
    let text = error.to_string();
    if text.contains("full") {
        "the disk of the data directory is full: nothing was changed. Make room and try again".to_owned()
    } else if text.contains("readonly") {
        "the database cannot be written: check the permissions of the data directory".to_owned()
    } else {
        "the database failed; the server's log says more".to_owned()
    }
}

pub(super) async fn no_such_route(request: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::not_found(format!("{} {} not found on this server", request.method(), request.path())))
}

/// Whether this server answers, and whether it leads (anybody).
pub(super) async fn health(
    grid: web::Data<Grid>,
    leadership: web::Data<Leadership>,
) -> Result<web::Json<Health>, ApiError> {
    crate::blocking(&grid.store, |store| store.instance()).await?;
    let other = leadership.leader();
    Ok(web::Json(Health {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        status: "ok".to_owned(),
        pid: std::process::id(),
        runs_jobs: grid.local.as_ref().is_none_or(|pool| pool.runs_jobs),
        leader: leadership.leads(),
        epoch: leadership.epoch().or(other.as_ref().map(|leader| leader.epoch)),
        led_by: other.map(|leader| leader.holder.clone()),
    }))
}

pub(super) fn query_errors() -> web::QueryConfig {
    web::QueryConfig::default().error_handler(|error, _| ApiError::bad_request(error.to_string()).into())
}

pub(super) fn json_errors() -> web::JsonConfig {
    web::JsonConfig::default().error_handler(|error, _| ApiError::bad_request(error.to_string()).into())
}

pub(super) fn path_errors() -> web::PathConfig {
    web::PathConfig::default().error_handler(|_, request| {
        ApiError::not_found(format!("{} {} not found on this server", request.method(), request.path())).into()
    })
}
