//! A cluster without processes for tests: the machine and its face, a clock that the test moves, and an executor
//! that does what the test says.
#![allow(dead_code)]

pub(crate) mod recorded;

use bytes::Bytes;
use http::Request;
use oar_local::face::{Auth, Face, Outside, Unreadable, Wanted, respond};
use oar_local::machine::{Command, Machine, Record, Settings};
use serde_json::{Value, json};

/// Start of the test clock, epoch milliseconds.
pub(crate) const T0: i64 = 1_795_246_000_000;

/// A world with one file, `/home/alice/m/ten.txt`.
pub(crate) struct World;

impl Outside for World {
    fn load(&self) -> Option<String> {
        Some("7.52".to_owned())
    }

    fn has_account(&self, user: &str) -> bool {
        user != "nosuchuser"
    }

    fn read(&self, wanted: &Wanted) -> Result<Vec<u8>, Unreadable> {
        match wanted.path.as_str() {
            "/home/alice/m/ten.txt" => Ok(b"line 1\nline 2\n".to_vec()),
            "/home/alice/m/unreadable" => Err(Unreadable::Forbidden),
            _ => Err(Unreadable::Missing),
        }
    }
}

/// The cluster, its clock and its journal.
pub(crate) struct Lab {
    pub(crate) machine: Machine,
    pub(crate) auth: Auth,
    pub(crate) now: i64,
    pub(crate) records: Vec<Record>,
    pub(crate) kills: Vec<u64>,
    /// Signals that jobs were sent.
    pub(crate) signals: Vec<(u64, i32)>,
}

/// A strict cluster of `cores` cores that schedules at once.
pub(crate) fn settings(cores: u32) -> Settings {
    Settings {
        cores,
        lenient: false,
        period: None,
        kill_rate: 0.0,
        seed: 7,
        home: "/home/alice".to_owned(),
        node: "node1".to_owned(),
        nodes: 1,
        memory: 2048,
    }
}

impl Lab {
    pub(crate) fn new(cores: u32) -> Self {
        Self::with(settings(cores))
    }

    pub(crate) fn with(settings: Settings) -> Self {
        let machine = Machine::new(settings);
        Self {
            machine,
            auth: Auth::new(b"secret"),
            now: T0,
            records: Vec::new(),
            kills: Vec::new(),
            signals: Vec::new(),
        }
    }

    /// Answers a request with its status and its body, as JSON if it is.
    pub(crate) fn call(&mut self, method: &str, path: &str, authorization: &str, body: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("host", "127.0.0.1:6668");
        let request = if authorization.is_empty() { request } else { request.header("authorization", authorization) };
        let request = request.body(Bytes::from(body.to_owned())).unwrap();
        let face = Face { auth: &self.auth, outside: &World };
        let response = respond(&mut self.machine, &request, &face, self.now);
        self.records.extend(self.machine.take_records());
        let text = String::from_utf8_lossy(response.body()).into_owned();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub(crate) fn token(&self, user: &str) -> String {
        format!("Bearer {}", self.auth.issue(user, 3600, self.now))
    }

    pub(crate) fn get(&mut self, path: &str) -> Value {
        let (status, body) = self.call("GET", path, "", "");
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    pub(crate) fn post_as(&mut self, user: &str, path: &str, body: &Value) -> Value {
        let token = self.token(user);
        let (status, answer) = self.call("POST", path, &token, &body.to_string());
        assert_eq!(status, 200, "{path} {body}: {answer}");
        answer
    }

    /// Submits as alice; the id of the first job.
    pub(crate) fn submit(&mut self, body: &Value) -> u64 {
        self.post_as("alice", "/jobs", body)["id"].as_u64().unwrap()
    }

    pub(crate) fn sleeper(&mut self) -> u64 {
        self.submit(&json!({ "command": "sleep 600" }))
    }

    pub(crate) fn besteffort(&mut self) -> u64 {
        self.submit(&json!({ "command": "sleep 600", "type": ["besteffort"] }))
    }

    pub(crate) fn delete_as(&mut self, user: &str, path: &str) -> Value {
        let token = self.token(user);
        let (status, answer) = self.call("DELETE", path, &token, "");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A job with details.
    pub(crate) fn job(&mut self, id: u64) -> Value {
        self.get(&format!("/jobs/{id}?details=1"))
    }

    pub(crate) fn state(&mut self, id: u64) -> String {
        self.job(id)["state"].as_str().unwrap().to_owned()
    }

    /// The job's events: type and text, in the order of their ids.
    pub(crate) fn events(&mut self, id: u64) -> Vec<(String, String)> {
        let page = self.get(&format!("/jobs/{id}/events"));
        let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
        let items = page["items"].as_array().unwrap();
        assert!(items.is_sorted_by_key(|event| event["id"].as_u64()), "{items:?}");
        items.iter().map(|event| (text(event, "type"), text(event, "description"))).collect()
    }

    pub(crate) fn event_types(&mut self, id: u64) -> Vec<String> {
        self.events(id).into_iter().map(|(kind, _)| kind).collect()
    }

    /// Does what the machine commands: starts get a process at once, kills are noted. Answers the started jobs.
    pub(crate) fn execute(&mut self) -> Vec<u64> {
        let mut started = Vec::new();
        for command in self.machine.take_commands() {
            match command {
                Command::Start(id) => {
                    self.machine.launching(id);
                    self.machine.started(id, 1000, 1, self.now);
                    started.push(id);
                }
                Command::Kill(id) | Command::Destroy(id) => self.kills.push(id),
                Command::Signal(id, signal) => self.signals.push((id, signal)),
            }
        }
        self.records.extend(self.machine.take_records());
        started
    }

    /// The job's process ends with a raw wait status.
    pub(crate) fn exit(&mut self, id: u64, status: i32) {
        self.machine.exited(id, status, self.now);
        self.records.extend(self.machine.take_records());
    }

    /// Lets the processes end that were killed.
    pub(crate) fn bury(&mut self) {
        for id in std::mem::take(&mut self.kills) {
            self.exit(id, 9);
        }
    }

    /// Moves the clock and lets the machine look at it.
    pub(crate) fn pass(&mut self, milliseconds: i64) {
        self.now += milliseconds;
        self.machine.tick(self.now);
        self.records.extend(self.machine.take_records());
    }
}
