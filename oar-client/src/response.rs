//! Reads answers. Each function takes the answer to one kind of request, whatever its status.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::job::{JobDetails, JobSummary};
use crate::outcome::{DeleteOutcome, Version};
use crate::query::Page;
use crate::refusal::{detail, excerpt, failure};
use crate::resource::Resource;
use crate::token::Token;

/// To `POST /jobs`: the id of the job, or of the first job of the array, which is also the array's id.
/// OAR may answer 200 with an empty object after having submitted nothing; that is an error.
pub fn submitted(answer: &Response<Bytes>) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Submitted {
        id: Option<u64>,
    }
    let what = "the id of the new job";
    match read::<Submitted>(answer, what)?.id {
        Some(id) if id > 0 => Ok(id),
        _ => Err(Error::garbled(what, excerpt(answer.body()))),
    }
}

/// To `GET /jobs` without details; `None` past the end of the list.
pub fn summaries(answer: &Response<Bytes>) -> Result<Option<Page<JobSummary>>, Error> {
    page(answer, "a page of jobs")
}

/// To `GET /jobs` with details; `None` past the end of the list.
pub fn details(answer: &Response<Bytes>) -> Result<Option<Page<JobDetails>>, Error> {
    page(answer, "a page of jobs with details")
}

/// To `GET /jobs/{id}`. OAR answers 500 when there is no such job.
pub fn job(answer: &Response<Bytes>) -> Result<JobDetails, Error> {
    read(answer, "a job")
}

/// To `GET /resources`; `None` past the end of the list.
pub fn resources(answer: &Response<Bytes>) -> Result<Option<Page<Resource>>, Error> {
    page(answer, "a page of resources")
}

/// To `GET /resources/busy`: how many resources jobs hold.
pub fn busy(answer: &Response<Bytes>) -> Result<u64, Error> {
    #[derive(Deserialize)]
    struct Busy {
        busy: u64,
    }
    Ok(read::<Busy>(answer, "the number of busy resources")?.busy)
}

/// To `DELETE /jobs/{id}`.
pub fn deleted(answer: &Response<Bytes>) -> Result<DeleteOutcome, Error> {
    let said: Said = read(answer, "the outcome of a delete")?;
    Ok(DeleteOutcome::read(said.exit_status, &said.cmd_output))
}

/// To a hold or resume: whether OAR accepted it.
pub fn accepted(answer: &Response<Bytes>) -> Result<bool, Error> {
    let said: Said = read(answer, "the outcome of a hold or resume")?;
    Ok(said.exit_status == 0)
}

/// To `GET /media`: the bytes, or `None` when there is no such file (nor a way to it for this user).
pub fn media(answer: &Response<Bytes>) -> Result<Option<Bytes>, Error> {
    if answer.status() == StatusCode::NOT_FOUND && detail(answer).starts_with("File not found") {
        return Ok(None);
    }
    let body = success(answer)?;
    let kind = answer.headers().get(header::CONTENT_TYPE);
    if kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        return Err(Error::garbled("a file", excerpt(body)));
    }
    Ok(Some(body.clone()))
}

/// To `GET /stress_factor`: a number, which OAR writes as text; `None` when the site's script gives none.
pub fn stress_factor(answer: &Response<Bytes>) -> Result<Option<f64>, Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Text(String),
        Plain(f64),
    }
    #[derive(Deserialize)]
    struct Stress {
        #[serde(rename = "GLOBAL_STRESS")]
        global: Number,
    }
    let what = "a stress factor";
    if answer.status() == StatusCode::NOT_FOUND && detail(answer).contains("STRESS_FACTOR") {
        return Ok(None);
    }
    let value = match read::<Stress>(answer, what)?.global {
        Number::Plain(value) => Some(value),
        Number::Text(text) => text.trim().parse().ok(),
    };
    match value {
        Some(value) if value.is_finite() => Ok(Some(value)),
        _ => Err(Error::garbled(what, excerpt(answer.body()))),
    }
}

/// To `GET /version`.
pub fn version(answer: &Response<Bytes>) -> Result<Version, Error> {
    read(answer, "a version")
}

/// To `GET /whoami`: the user, or `None` for a token that is bad or expired. A revoked token still has one.
pub fn whoami(answer: &Response<Bytes>) -> Result<Option<String>, Error> {
    #[derive(Deserialize)]
    struct Who {
        authenticated_user: String,
    }
    let who: Who = read(answer, "a user")?;
    Ok(Some(who.authenticated_user).filter(|user| !user.is_empty()))
}

/// To `GET /check_token`: the user of a token that is valid and not revoked.
pub fn checked_token(answer: &Response<Bytes>) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Checked {
        user: String,
    }
    Ok(read::<Checked>(answer, "the user of a token")?.user)
}

/// To `GET /get_new_token`: a token for the same user with its full life before it.
pub fn new_token(answer: &Response<Bytes>) -> Result<Token, Error> {
    #[derive(Deserialize)]
    struct Renewed {
        #[serde(rename = "OAR_API_TOKEN")]
        token: String,
    }
    let what = "a new token";
    let renewed: Renewed = read(answer, what)?;
    Token::new(renewed.token).map_err(|invalid| Error::garbled(what, invalid.to_string()))
}

/// What OAR's commands say, always with status 200.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    cmd_output: String,
    exit_status: i64,
}

fn page<T: DeserializeOwned>(answer: &Response<Bytes>, what: &str) -> Result<Option<Page<T>>, Error> {
    if answer.status() == StatusCode::NOT_FOUND && detail(answer) == "Empty request" {
        return Ok(None);
    }
    read(answer, what).map(Some)
}

fn read<T: DeserializeOwned>(answer: &Response<Bytes>, what: &str) -> Result<T, Error> {
    let body = success(answer)?;
    serde_json::from_slice(body).map_err(|_| Error::garbled(what, excerpt(body)))
}

fn success(answer: &Response<Bytes>) -> Result<&Bytes, Error> {
    if answer.status() == StatusCode::OK { Ok(answer.body()) } else { Err(failure(answer)) }
}
