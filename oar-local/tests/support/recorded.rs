//! Exchanges recorded on a real OAR 3, replayed on a lab cluster, and how answers are compared.
#![allow(dead_code)]

use oar_local::machine::Settings;
use serde_json::{Value, json};

use super::{Lab, settings};

pub(crate) fn fixture(name: &str) -> Value {
    let path = format!("{}/../tests/fixtures/oar3/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// A recorded exchange, with the ids of its jobs replaced by ours.
pub(crate) struct Exchange {
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) body: String,
    pub(crate) status: u16,
    pub(crate) answer: Value,
}

pub(crate) fn exchange(name: &str, ids: &[(u64, u64)], lab: &Lab) -> Exchange {
    let recorded = fixture(name);
    let rename = |text: &str| {
        ids.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(&theirs.to_string(), &ours.to_string()))
    };
    let (request, response) = (&recorded["request"], &recorded["response"]);
    let line = rename(request["line"].as_str().unwrap());
    let mut words = line.split(' ');
    let authorization = request["headers"]["Authorization"].as_str().unwrap_or_default();
    let text = rename(response["body"].as_str().unwrap_or_default());
    Exchange {
        name: name.to_owned(),
        method: words.next().unwrap().to_owned(),
        path: words.next().unwrap().to_owned(),
        authorization: authorization_like(name, authorization, lab),
        body: rename(request["body"].as_str().unwrap_or_default()),
        status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
        answer: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// The recordings have `<jwt USER>` in the place of good tokens, and `<jwt>` in that of bad ones.
pub(crate) fn authorization_like(name: &str, recorded: &str, lab: &Lab) -> String {
    if let Some((scheme, user)) = recorded.split_once("<jwt ") {
        let token = lab.auth.issue(user.trim_end_matches('>'), 3600, lab.now);
        return format!("{scheme}{token}");
    }
    if recorded.contains("<jwt>") && name.contains("expired") {
        return format!("Bearer {}", lab.auth.issue("alice", -10, lab.now));
    }
    recorded.to_owned()
}

pub(crate) fn replay(lab: &mut Lab, exchange: &Exchange) -> Value {
    let (status, answer) = lab.call(&exchange.method, &exchange.path, &exchange.authorization, &exchange.body);
    assert_eq!(status, exchange.status, "{}: {answer}", exchange.name);
    answer
}

pub(crate) fn assert_same(lab: &mut Lab, name: &str, ids: &[(u64, u64)]) {
    let exchange = exchange(name, ids, lab);
    let answer = replay(lab, &exchange);
    assert_eq!(answer, exchange.answer, "{name}");
}

pub(crate) fn assert_alike(lab: &mut Lab, name: &str, ids: &[(u64, u64)]) {
    let exchange = exchange(name, ids, lab);
    let answer = replay(lab, &exchange);
    assert_shape(&answer, &exchange.answer, name);
}

/// Same names and types; lists are compared by their first items.
pub(crate) fn assert_shape(ours: &Value, theirs: &Value, place: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let names = |fields: &serde_json::Map<String, Value>| {
                let mut names: Vec<_> = fields.keys().cloned().collect();
                names.sort_unstable();
                names
            };
            assert_eq!(names(ours), names(theirs), "{place}");
            ours.iter().for_each(|(name, value)| assert_shape(value, &theirs[name], &format!("{place}.{name}")));
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.is_empty(), theirs.is_empty(), "{place}: {ours:?}");
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                assert_shape(ours, theirs, &format!("{place}[0]"));
            }
        }
        (Value::Number(ours), Value::Number(theirs)) => assert_eq!(ours.is_f64(), theirs.is_f64(), "{place}"),
        _ => {
            let same = std::mem::discriminant(ours) == std::mem::discriminant(theirs);
            assert!(same, "{place}: {ours} against {theirs}");
        }
    }
}

/// Eight cores, as the recorded instance had.
pub(crate) fn lab() -> Lab {
    Lab::with(Settings { memory: 2048, ..settings(8) })
}

/// A job like the recorded job 2: best-effort, named, ended with 0.
pub(crate) fn ended(lab: &mut Lab) -> u64 {
    let id = lab.submit(&json!({
        "command": "sleep 5; echo hi; exit 0", "name": "first", "project": "p1", "type": ["besteffort"],
    }));
    lab.execute();
    lab.exit(id, 0);
    id
}

pub(crate) fn held(lab: &mut Lab, user: &str, name: &str) -> u64 {
    let body = json!({ "command": "sleep 1", "name": name, "hold": true });
    lab.post_as(user, "/jobs", &body)["id"].as_u64().unwrap()
}
