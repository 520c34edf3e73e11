//! One recorded exchange, and what "the same request" means.

use std::path::Path;

use bytes::Bytes;
use http::{Request, Response};
use oar_client::{Base, Token};
use serde_json::Value;

/// A request and its answer as recorded.
pub(crate) struct Exchange {
    name: String,
    method: String,
    target: String,
    has_token: bool,
    pub(crate) body: Option<String>,
    pub(crate) answer: Response<Bytes>,
}

/// Where all recorded requests went.
pub(crate) fn base() -> Base {
    Base::new(&"http://127.0.0.1:6668/".parse().unwrap())
}

/// Any token: the recorded ones were removed.
pub(crate) fn token() -> Token {
    Token::new("header.claims.signature").unwrap()
}

/// The text of a file of the fixtures.
pub(crate) fn text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/oar3");
    std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Reads one exchange.
pub(crate) fn exchange(name: &str) -> Exchange {
    let recorded: Value = serde_json::from_str(&text(name)).unwrap();
    let request = &recorded["request"];
    let line: Vec<&str> = request["line"].as_str().unwrap().split(' ').collect();
    let response = &recorded["response"];
    let mut answer = Response::builder().status(response["status"].as_u64().unwrap() as u16);
    for header in response["headers"].as_array().unwrap() {
        answer = answer.header(header[0].as_str().unwrap(), header[1].as_str().unwrap());
    }
    let body = response["body"].as_str().unwrap().to_owned();
    Exchange {
        name: name.to_owned(),
        method: line[0].to_owned(),
        target: line[1].to_owned(),
        has_token: request["headers"]["Authorization"].is_string(),
        body: request["body"].as_str().map(str::to_owned),
        answer: answer.body(Bytes::from(body)).unwrap(),
    }
}

impl Exchange {
    /// Asserts that `built` is the recorded request: same method and path, same query in any order, same
    /// JSON. We always send `limit` and `offset` of resources, and never a token with a read.
    pub(crate) fn assert_request(&self, built: &Request<Bytes>) {
        let name = &self.name;
        assert_eq!(built.method().as_str(), self.method, "{name}");
        let (path, query) = self.target.split_once('?').unwrap_or((&self.target, ""));
        assert_eq!(built.uri().path(), path, "{name}");
        assert_eq!(pairs(built.uri().query().unwrap_or(""), query), pairs(query, query), "{name}");
        assert_eq!(built.headers().contains_key("authorization"), self.has_token, "{name}");
        let sent: Option<Value> = self.body.as_ref().map(|b| serde_json::from_str(b).unwrap());
        let ours: Option<Value> = match built.body().as_ref() {
            [] => None,
            bytes => Some(serde_json::from_slice(bytes).unwrap()),
        };
        assert_eq!(ours, sent, "{name}");
    }
}

/// The decoded pairs of a query in order of name and value, without what we add to the recorded ones.
fn pairs(query: &str, recorded: &str) -> Vec<(String, String)> {
    let added = |key: &str| ["limit", "offset"].contains(&key) && !recorded.contains(key);
    let mut pairs: Vec<(String, String)> =
        url::form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(key, _)| !added(key)).collect();
    pairs.sort();
    pairs
}
