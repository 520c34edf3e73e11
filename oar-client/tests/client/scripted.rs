//! Transports that answer from a function, and a cluster that lists jobs as OAR does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use oar_client::{Client, Settings, Token, Transport, TransportError};

/// What a transport gives.
pub(crate) type Answer = Result<Response<Bytes>, TransportError>;
type Reply = Box<dyn FnMut(&Request<Bytes>) -> Answer + Send>;

/// Answers each request from a function, and remembers what was asked.
pub(crate) struct Scripted {
    reply: Mutex<Reply>,
    asked: Mutex<Vec<String>>,
}

impl Scripted {
    /// A client of a server that is this function.
    pub(crate) fn client(reply: impl FnMut(&Request<Bytes>) -> Answer + Send + 'static) -> (Client, Arc<Scripted>) {
        let server = Arc::new(Scripted { reply: Mutex::new(Box::new(reply)), asked: Mutex::default() });
        let base = "http://127.0.0.1:1/".parse().unwrap();
        let client = Client::new(base, server.clone(), Settings::default());
        (client, server)
    }

    /// Method, path and query of all requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

impl Transport for Scripted {
    fn send(&self, request: Request<Bytes>, _: Duration) -> BoxFuture<'_, Answer> {
        let line = format!("{} {}", request.method(), request.uri().path_and_query().unwrap());
        self.asked.lock().unwrap().push(line);
        let answer = (self.reply.lock().unwrap())(&request);
        Box::pin(std::future::ready(answer))
    }
}

/// An answer with this status and body.
pub(crate) fn answer(status: u16, body: impl Into<String>) -> Answer {
    let body = Bytes::from(body.into());
    Ok(Response::builder().status(status).body(body).unwrap())
}

pub(crate) fn token() -> Token {
    Token::new("header.claims.signature").unwrap()
}

/// Jobs as `(id, name, state)`, listed by OAR's rules for pages, ids and live states.
pub(crate) fn listing(jobs: &[(u64, &str, &str)], request: &Request<Bytes>) -> Answer {
    let query = pairs(request);
    let first = |key: &str| query.get(key).map(|values| values[0].parse::<usize>().unwrap());
    let ids: Option<Vec<u64>> = query.get("job_ids").map(|ids| ids.iter().map(|id| id.parse().unwrap()).collect());
    let finished = ids.is_some() || query.contains_key("start_time") || query.contains_key("array");
    let matching: Vec<&(u64, &str, &str)> = jobs
        .iter()
        .filter(|(id, _, state)| {
            let live = !["Terminated", "Error"].contains(state);
            (live || finished) && ids.as_ref().is_none_or(|ids| ids.contains(id))
        })
        .collect();
    let offset = first("offset").unwrap_or(0);
    if offset > 0 && offset >= matching.len() {
        return answer(404, r#"{"detail":"Empty request"}"#);
    }
    let items: Vec<String> = matching
        .iter()
        .skip(offset)
        .take(first("limit").unwrap_or(500))
        .map(|(id, name, state)| format!(r#"{{"id":{id},"name":"{name}","state":"{state}"}}"#))
        .collect();
    let (total, items) = (matching.len(), items.join(","));
    let body = format!(r#"{{"total":{total},"offset":{offset},"items":[{items}]}}"#);
    answer(200, body)
}

fn pairs(request: &Request<Bytes>) -> HashMap<String, Vec<String>> {
    let query = request.uri().query().unwrap_or("");
    let mut pairs: HashMap<String, Vec<String>> = HashMap::new();
    for (key, value) in url::form_urlencoded::parse(query.as_bytes()).into_owned() {
        pairs.entry(key).or_default().push(value);
    }
    pairs
}

/// `count` waiting jobs with ids from 1.
pub(crate) fn waiting(count: u64) -> Vec<(u64, &'static str, &'static str)> {
    (1..=count).map(|id| (id, "a", "Waiting")).collect()
}
