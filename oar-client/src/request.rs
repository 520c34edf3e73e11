//! Builds requests, without sending them. Nothing here reads a clock or a network.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::error::Error;
use crate::new_job::NewJob;
use crate::query::JobQuery;
use crate::token::Token;

/// Characters that mean themselves in a query value.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'_').remove(b'-').remove(b'~');

/// Where an API lives: scheme, host, port and perhaps a path prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base(String);

impl Base {
    /// The base of all paths. User, password, query and fragment of the URL are dropped.
    pub fn new(url: &Url) -> Base {
        let mut url = url.clone();
        // Only URLs without a host refuse these, and they have neither.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        Base(url.as_str().trim_end_matches('/').to_owned())
    }

    fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

/// `POST /jobs`. Validates the job first: an invalid one can break the API for everybody.
pub fn submit(base: &Base, token: &Token, job: &NewJob) -> Result<Request<Bytes>, Error> {
    job.validate().map_err(Error::Invalid)?;
    let body = serde_json::to_vec(&job.to_wire()).map_err(|error| Error::invalid("body", error.to_string()))?;
    let mut request = build(Method::POST, base.join("/jobs"), Some(token))?;
    *request.body_mut() = Bytes::from(body);
    let json = HeaderValue::from_static("application/json");
    request.headers_mut().insert(header::CONTENT_TYPE, json);
    Ok(request)
}

/// `GET /jobs`: one page. The limit is always sent (even 0, which asks for the total only), because OAR's
/// own default silently cuts the list.
pub fn jobs(base: &Base, query: &JobQuery, details: bool) -> Result<Request<Bytes>, Error> {
    query.validate()?;
    build(Method::GET, jobs_url(base, query, details), None)
}

/// `GET /jobs/{id}?details=true`: also shows a job that OAR submitted again and has not scheduled yet,
/// but answers 500 when there is none.
pub fn job(base: &Base, id: u64) -> Result<Request<Bytes>, Error> {
    get(base, &format!("/jobs/{id}?details=true"), None)
}

/// `DELETE /jobs/{id}`, of one job or of the whole array that `id` stands for.
pub fn delete(base: &Base, token: &Token, id: u64, array: bool) -> Result<Request<Bytes>, Error> {
    let suffix = if array { "?array=true" } else { "" };
    let url = base.join(&format!("/jobs/{id}{suffix}"));
    build(Method::DELETE, url, Some(token))
}

/// `POST /jobs/{id}/hold/new`.
pub fn hold(base: &Base, token: &Token, id: u64) -> Result<Request<Bytes>, Error> {
    let url = base.join(&format!("/jobs/{id}/hold/new"));
    build(Method::POST, url, Some(token))
}

/// `POST /jobs/{id}/resumptions/new`.
pub fn resume(base: &Base, token: &Token, id: u64) -> Result<Request<Bytes>, Error> {
    let url = base.join(&format!("/jobs/{id}/resumptions/new"));
    build(Method::POST, url, Some(token))
}

/// Whether OAR can read a file at `path`: it escapes a blank, `$`, `,` and backtick wrongly.
pub fn is_readable_path(path: &str) -> bool {
    !path.contains([' ', '$', ',', '`'])
}

/// `GET /media`: a file on the cluster, or its last `tail` lines. OAR takes relative paths from `/`, and a tail of 0
/// for the whole file: both refused.
pub fn media(base: &Base, token: &Token, path: &str, tail: Option<u32>) -> Result<Request<Bytes>, Error> {
    if !path.starts_with('/') {
        return Err(Error::invalid("path_filename", "not an absolute path"));
    }
    if path.chars().any(char::is_control) {
        return Err(Error::invalid("path_filename", "it holds a control character"));
    }
    if tail == Some(0) {
        let text = "0 lines, which OAR takes for the whole file";
        return Err(Error::invalid("tail", text));
    }
    let mut query = format!("/media?path_filename={}", encoded(path));
    if let Some(lines) = tail {
        let _ = write!(query, "&tail={lines}");
    }
    get(base, &query, Some(token))
}

/// `GET /resources` with all columns: one page. The limit is always sent: OAR's default is 25.
pub fn resources(base: &Base, offset: u64, limit: u64) -> Result<Request<Bytes>, Error> {
    let path = format!("/resources?detailed=true&limit={limit}&offset={offset}");
    get(base, &path, None)
}

/// `GET /resources` with nothing but ids, nodes and states: one page.
pub fn resource_states(base: &Base, offset: u64, limit: u64) -> Result<Request<Bytes>, Error> {
    let path = format!("/resources?detailed=false&limit={limit}&offset={offset}");
    get(base, &path, None)
}

/// `GET` of a fixed path, such as `/version` or, with a token, `/whoami`.
pub fn get(base: &Base, path: &str, token: Option<&Token>) -> Result<Request<Bytes>, Error> {
    build(Method::GET, base.join(path), token)
}

/// Groups ids so that each group's URL stays under `longest` bytes and has at most `most` ids.
/// Ids come out sorted and each once.
pub fn chunk_ids(base: &Base, query: &JobQuery, longest: usize, most: usize) -> Result<Vec<Vec<u64>>, Error> {
    let mut ids = query.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let rest = JobQuery { ids: Vec::new(), limit: most as u64, ..query.clone() };
    let fixed = jobs_url(base, &rest, true).len();
    let mut chunks: Vec<Vec<u64>> = Vec::new();
    let mut length = usize::MAX;
    for id in ids {
        let cost = "&job_ids=".len() + id.to_string().len();
        if fixed + cost >= longest {
            return Err(Error::invalid("job_ids", "the URL has no room for an id"));
        }
        let full = chunks.last().is_none_or(|chunk| chunk.len() >= most);
        if full || length + cost >= longest {
            chunks.push(Vec::new());
            length = fixed;
        }
        length += cost;
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(id);
        }
    }
    Ok(chunks)
}

fn jobs_url(base: &Base, query: &JobQuery, details: bool) -> String {
    let mut url = base.join("/jobs?limit=");
    let _ = write!(url, "{}", query.limit);
    if query.offset > 0 {
        let _ = write!(url, "&offset={}", query.offset);
    }
    if let Some(user) = &query.user {
        let _ = write!(url, "&user={}", encoded(user));
    }
    if let Some(array) = query.array {
        let _ = write!(url, "&array={array}");
    }
    for state in &query.states {
        let _ = write!(url, "&states={}", encoded(state.as_str()));
    }
    if let Some((first, last)) = query.window {
        // 0 would count as "not given".
        let _ = write!(url, "&start_time={}&stop_time={}", first.max(1), last.max(1));
    }
    // Any text at all means yes, even `0`: without details the key must be absent.
    if details {
        url.push_str("&details=1");
    }
    for id in &query.ids {
        let _ = write!(url, "&job_ids={id}");
    }
    url
}

fn encoded(value: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(value, VALUE)
}

fn build(method: Method, url: String, token: Option<&Token>) -> Result<Request<Bytes>, Error> {
    let mut request = Request::builder()
        .method(method)
        .uri(url)
        .header(header::ACCEPT, "application/json")
        .body(Bytes::new())
        .map_err(|error| Error::invalid("url", error.to_string()))?;
    if let Some(token) = token {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose()))
            .map_err(|_| Error::invalid("token", "characters that no header takes"))?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::State;

    fn base(url: &str) -> Base {
        Base::new(&url.parse().unwrap())
    }

    #[test]
    fn a_path_prefix_is_kept_and_credentials_are_dropped() {
        for url in [
            "https://oar.example.org/oarapi",
            "https://oar.example.org/oarapi/",
            "https://bob:secret@oar.example.org/oarapi/?x=1#y",
        ] {
            let request = job(&base(url), 7).unwrap();
            assert_eq!(request.uri(), "https://oar.example.org/oarapi/jobs/7?details=true");
        }
    }

    #[test]
    fn a_query_is_written_in_full() {
        let query = JobQuery {
            user: Some("a&b é".into()),
            array: Some(60),
            ids: vec![1, 2],
            states: vec![State::ToLaunch, State::Error],
            window: Some((0, 5)),
            offset: 3,
            limit: 0,
        };
        let request = jobs(&base("http://h"), &query, true).unwrap();
        assert_eq!(
            request.uri(),
            "http://h/jobs?limit=0&offset=3&user=a%26b%20%C3%A9&array=60&states=toLaunch&states=Error\
             &start_time=1&stop_time=5&details=1&job_ids=1&job_ids=2"
        );
    }

    #[test]
    fn details_are_absent_when_not_wanted() {
        let request = jobs(&base("http://h"), &JobQuery::default(), false).unwrap();
        assert_eq!(request.uri(), "http://h/jobs?limit=0");
    }

    #[test]
    fn the_token_is_marked_as_secret() {
        let token = Token::new("a.b.c").unwrap();
        let request = hold(&base("http://h"), &token, 7).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer a.b.c");
        assert!(!format!("{request:?}").contains("a.b.c"));
    }

    #[test]
    fn paths_that_oar_takes_for_others_are_refused() {
        let token = Token::new("a.b.c").unwrap();
        for path in ["", "a/b", "~/x", "/a\n", "/a\0"] {
            let error = media(&base("http://h"), &token, path, None).unwrap_err();
            assert!(error.certainly_not_done(), "{path:?}");
        }
        assert!(media(&base("http://h"), &token, "/a", Some(0)).is_err());
    }

    #[test]
    fn ids_are_split_below_the_longest_url() {
        let base = base("https://oar.example.org/oarapi");
        let query = JobQuery {
            ids: (1_000_000..1_002_000).rev().chain([1_000_000]).collect(),
            user: Some("alice".into()),
            ..JobQuery::default()
        };
        let chunks = chunk_ids(&base, &query, 8000, 10_000).unwrap();
        assert_eq!(chunks.len(), 5);
        let all: Vec<u64> = chunks.iter().flatten().copied().collect();
        assert_eq!(all, (1_000_000..1_002_000).collect::<Vec<u64>>());
        for ids in chunks {
            let part = JobQuery { limit: ids.len() as u64, ids, ..query.clone() };
            let length = jobs(&base, &part, true).unwrap().uri().to_string().len();
            assert!(length < 8000, "{length}");
        }
    }

    #[test]
    fn ids_are_split_below_the_largest_page() {
        let query = JobQuery { ids: (1..=1001).collect(), ..JobQuery::default() };
        let chunks = chunk_ids(&base("http://h"), &query, 8000, 500).unwrap();
        let sizes: Vec<usize> = chunks.iter().map(Vec::len).collect();
        assert_eq!(sizes, [500, 500, 1]);
    }

    #[test]
    fn a_url_without_room_is_an_error() {
        let query = JobQuery { ids: vec![1], ..JobQuery::default() };
        assert!(chunk_ids(&base("http://h"), &query, 30, 500).is_err());
    }
}
