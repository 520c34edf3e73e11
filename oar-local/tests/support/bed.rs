//! A cluster in virtual time behind an API that fails, for tests.
#![allow(dead_code)]

use bytes::Bytes;
use http::Request;
use oar_local::chaos::{Chaos, ChaoticFace, Kind, Outcome, Plan, Run, Span, VirtualCluster};
use oar_local::machine::Settings;
use serde_json::{Value, json};

/// Start of the test clock, epoch milliseconds.
pub(crate) const T0: i64 = 1_795_246_000_000;
/// How long jobs take, and how late late things are, milliseconds.
pub(crate) const TAKES: i64 = 10_000;
pub(crate) const LATE: i64 = 60_000;
/// How long OAR takes to treat a node's trouble, milliseconds.
pub(crate) const TROUBLE: i64 = 20_000;

pub(crate) fn cluster() -> VirtualCluster {
    let settings = Settings {
        cores: 4,
        lenient: false,
        period: None,
        kill_rate: 0.0,
        seed: 7,
        home: "/home/alice".to_owned(),
        node: "node1".to_owned(),
        nodes: 1,
        memory: 2048,
    };
    VirtualCluster::new(settings, b"secret", Box::new(|_| Run { takes_ms: TAKES, status: 0 }))
}

pub(crate) fn fixed(plan: Plan) -> Plan {
    let same = |length| Span { least: length, most: length };
    Plan { late_ms: same(60_000), outage_ms: same(30_000), skew_s: same(500), trouble_ms: same(20_000), ..plan }
}

/// A cluster where one kind of fault meets every request that it can meet.
pub(crate) struct Bed {
    pub(crate) face: ChaoticFace,
    pub(crate) now: i64,
}

impl Bed {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { face: ChaoticFace::new(cluster(), Chaos::new(1, fixed(Plan::always(kind)))), now: T0 }
    }

    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> Request<Bytes> {
        let token = self.face.cluster().issue_token("alice", 86_400, T0);
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        request.body(Bytes::from(body.to_owned())).unwrap()
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &Value) -> Outcome {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.face.send(self.request(method, path, &text), self.now)
    }

    pub(crate) fn submit(&mut self, body: &Value) -> Outcome {
        self.send("POST", "/jobs", body)
    }

    pub(crate) fn get(&mut self, path: &str) -> Outcome {
        self.send("GET", path, &Value::Null)
    }

    /// Submits through the API as it would be without faults.
    pub(crate) fn submit_well(&mut self, body: &Value) -> u64 {
        let request = self.request("POST", "/jobs", &body.to_string());
        let response = self.face.cluster_mut().respond(&request, self.now);
        serde_json::from_slice::<Value>(response.body()).unwrap()["id"].as_u64().unwrap()
    }

    /// What the API answers to a request without faults.
    pub(crate) fn look(&mut self, method: &str, path: &str) -> Value {
        let request = self.request(method, path, "");
        let response = self.face.cluster_mut().respond(&request, self.now);
        serde_json::from_slice(response.body()).unwrap()
    }

    /// The status of a file that is not there.
    pub(crate) fn media(&mut self) -> u16 {
        let request = self.request("GET", "/media?path_filename=/home/alice/nosuch", "");
        self.face.cluster_mut().respond(&request, self.now).status().as_u16()
    }

    pub(crate) fn rows(&mut self) -> usize {
        let states = ["Waiting", "Hold", "Running", "Terminated", "Error"].map(|state| format!("&states={state}"));
        let page = self.look("GET", &format!("/jobs?limit=1000{}", states.concat()));
        page["items"].as_array().unwrap().len()
    }

    pub(crate) fn job(&mut self, id: u64) -> Value {
        self.look("GET", &format!("/jobs/{id}?details=1"))
    }

    pub(crate) fn pass(&mut self, milliseconds: i64) {
        self.now += milliseconds;
        self.face.advance(self.now);
    }

    pub(crate) fn ended(&self, command: &str) -> u64 {
        self.face.runs().get(command).map_or(0, |runs| runs.ended)
    }
}

pub(crate) fn one() -> Value {
    json!({ "command": "work" })
}

pub(crate) fn array(rows: usize) -> Value {
    let lines: Vec<String> = (1..=rows).map(|line| line.to_string()).collect();
    json!({ "command": "work", "name": "n", "param_file": lines.join("\n") })
}

/// Status and body of an answer.
pub(crate) fn answer(outcome: Outcome) -> (u16, Value) {
    let Outcome::Answered(response) = outcome else { panic!("no answer: {outcome:?}") };
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

pub(crate) fn assert_is_500(outcome: Outcome) {
    assert_eq!(answer(outcome), (500, json!("Internal Server Error")));
}
