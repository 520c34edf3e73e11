//! One request taken apart: path, query, credentials, with pydantic's way of reading values.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use percent_encoding::percent_decode_str;

use super::Face;
use super::answer::{self, Fault, Problem};

/// A request and what it is answered with.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) face: &'a Face<'a>,
    /// Epoch milliseconds.
    pub(super) now: i64,
    request: &'a Request<Bytes>,
    query: Vec<(String, String)>,
}

impl<'a> Call<'a> {
    pub(super) fn new(request: &'a Request<Bytes>, face: &'a Face<'a>, now: i64) -> Self {
        let query = request.uri().query().unwrap_or_default();
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        });
        Self { method: request.method().clone(), face, now, request, query: query.collect() }
    }

    pub(super) fn body(&self) -> &Bytes {
        self.request.body()
    }

    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.request.headers().get(name)?.to_str().ok()
    }

    pub(super) fn segments(&self) -> Vec<&'a str> {
        self.request.uri().path().split('/').filter(|segment| !segment.is_empty()).collect()
    }

    /// FastAPI's answer to a slash too many. Collections accept it.
    pub(super) fn slash_redirect(&self, segments: &[&str]) -> Option<Response<Bytes>> {
        let path = self.request.uri().path();
        let collection = matches!(segments, [] | ["jobs" | "resources" | "media" | "stress_factor"]);
        if collection || !path.ends_with('/') {
            return None;
        }
        let host = self.header(header::HOST).unwrap_or("localhost");
        let target = format!("http://{host}{}", path.trim_end_matches('/'));
        let mut response = answer::bytes(307, "text/plain", Bytes::new());
        response.headers_mut().remove(header::CONTENT_TYPE);
        response.headers_mut().insert(header::LOCATION, target.parse().ok()?);
        Some(response)
    }

    /// The last value of a key.
    pub(super) fn find(&self, key: &str) -> Option<&str> {
        self.query.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// All values of a key.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = &str> {
        self.query.iter().filter(move |(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    /// An integer of the query. Numbers beyond 64 bits are cut to them: no id is that large.
    pub(super) fn integer(&self, key: &'static str) -> Result<Option<i64>, Problem> {
        let Some(text) = self.find(key) else { return Ok(None) };
        read_integer(text).map(Some).ok_or_else(|| Fault::integer(&["query", key]).into())
    }

    /// A boolean of the query.
    pub(super) fn boolean(&self, key: &'static str) -> Result<bool, Problem> {
        match self.find(key).map(str::to_ascii_lowercase).as_deref() {
            None | Some("0" | "off" | "f" | "false" | "n" | "no") => Ok(false),
            Some("1" | "on" | "t" | "true" | "y" | "yes") => Ok(true),
            Some(_) => {
                let message = "value could not be parsed to a boolean";
                Err(Fault::new(&["query", key], message, "type_error.bool").into())
            }
        }
    }

    /// `offset` and `limit`, with OAR's answers to negative ones.
    pub(super) fn page(&self, default_limit: i64) -> Result<(usize, usize), Problem> {
        let offset = self.integer("offset")?.unwrap_or(0);
        let limit = self.integer("limit")?.unwrap_or(default_limit);
        let limit = usize::try_from(limit).map_err(|_| Problem::Crash)?;
        let offset =
            usize::try_from(offset).map_err(|_| Problem::Detail(404, "Pagination out of bounds".to_owned()))?;
        Ok((offset, limit))
    }
}

/// OAR's refusal of a page behind the end.
pub(super) fn check_page(offset: usize, total: usize) -> Result<(), Problem> {
    if offset > 0 && offset >= total {
        return Err(Problem::Detail(404, "Empty request".to_owned()));
    }
    Ok(())
}

/// The job id of a path; ids that no job can have become 0.
pub(super) fn path_id(text: &str) -> Result<u64, Problem> {
    let id = read_integer(text).ok_or_else(|| Fault::integer(&["path", "job_id"]))?;
    Ok(u64::try_from(id).unwrap_or(0))
}

pub(super) fn read_integer(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(if text.starts_with('-') { i64::MIN } else { i64::MAX }))
}

fn decode(text: &str) -> String {
    let spaced: Cow<'_, str> = if text.contains('+') { text.replace('+', " ").into() } else { text.into() };
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
