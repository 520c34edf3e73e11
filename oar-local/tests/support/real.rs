//! A real cluster in a folder of its own, asked in-process, for tests with real processes.
#![allow(dead_code)]

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use oar_local::{Config, LocalCluster, Output};
use serde_json::{Value, json};

/// Nothing that these tests wait for takes longer, even on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Site {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) cluster: LocalCluster,
}

/// A cluster of `cores` cores with its state in `folder/state`.
pub(crate) fn config(folder: &Path, cores: u32) -> Config {
    Config {
        state_dir: folder.join("state"),
        cores,
        user: "root".to_owned(),
        secret: b"secret".to_vec(),
        output: Output::Captured,
        lenient: false,
        schedule_period: None,
        kill_rate: 0.0,
        seed: Some(1),
        chaos: None,
    }
}

impl Site {
    pub(crate) fn new(cores: u32) -> Self {
        Self::with(cores, |_| {})
    }

    pub(crate) fn with(cores: u32, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path(), cores);
        change(&mut config);
        let cluster = LocalCluster::open(config).unwrap();
        Self { folder, cluster }
    }

    pub(crate) fn directory(&self) -> String {
        self.folder.path().to_str().unwrap().to_owned()
    }

    /// Submits in the site's folder, which `body` may override.
    pub(crate) fn submit(&self, body: &Value) -> u64 {
        let mut full = json!({ "directory": self.directory() });
        full.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let (status, answer) = call(&self.cluster, "POST", "/jobs", &full.to_string());
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        serde_json::from_slice::<Value>(&answer).unwrap()["id"].as_u64().unwrap()
    }

    pub(crate) fn run(&self, command: &str) -> Value {
        let id = self.submit(&json!({ "command": command }));
        self.end_of(id)
    }

    pub(crate) fn job(&self, id: u64) -> Value {
        job(&self.cluster, id)
    }

    pub(crate) fn delete(&self, id: u64) {
        assert_eq!(call(&self.cluster, "DELETE", &format!("/jobs/{id}"), "").0, 200);
    }

    /// The job once it is over.
    pub(crate) fn end_of(&self, id: u64) -> Value {
        self.wait_for(id, &["Terminated", "Error"])
    }

    pub(crate) fn wait_for(&self, id: u64, states: &[&str]) -> Value {
        wait_for(&self.cluster, id, states)
    }

    /// One of the job's outputs, through `/media`.
    pub(crate) fn output(&self, job: &Value, which: &str) -> Vec<u8> {
        let path = format!("{}/{}", self.directory(), job[which].as_str().unwrap());
        let (status, content) = call(&self.cluster, "GET", &format!("/media?path_filename={path}"), "");
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&content));
        content
    }

    pub(crate) fn out(&self, job: &Value) -> String {
        String::from_utf8(self.output(job, "stdout_file")).unwrap()
    }

    pub(crate) fn err(&self, job: &Value) -> String {
        String::from_utf8(self.output(job, "stderr_file")).unwrap()
    }
}

pub(crate) fn wait_for(cluster: &LocalCluster, id: u64, states: &[&str]) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = job(cluster, id);
        if states.contains(&found["state"].as_str().unwrap()) {
            return found;
        }
        assert!(Instant::now() < deadline, "job {id} is still {}", found["state"]);
        std::thread::sleep(Duration::from_millis(2));
    }
}

pub(crate) fn job(cluster: &LocalCluster, id: u64) -> Value {
    let (status, body) = call(cluster, "GET", &format!("/jobs/{id}?details=1"), "");
    assert_eq!(status, 200, "job {id}");
    serde_json::from_slice(&body).unwrap()
}

pub(crate) fn call(cluster: &LocalCluster, method: &str, path: &str, body: &str) -> (u16, Vec<u8>) {
    let token = cluster.issue_token("alice", Duration::from_secs(600));
    let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
    let response = cluster.respond(request.body(Bytes::from(body.to_owned())).unwrap());
    (response.status().as_u16(), response.body().to_vec())
}

pub(crate) fn event_types(job: &Value) -> Vec<String> {
    let events = job["events"].as_array().unwrap();
    events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// Whether a process exists that is not merely waiting to be reaped.
pub(crate) fn is_alive(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}

/// Waits until a file says a process number.
pub(crate) fn pid_in(path: &Path) -> u32 {
    let mut pid = 0;
    eventually(&format!("a number in {}", path.display()), || {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        pid = text.strip_suffix('\n').and_then(|text| text.parse().ok()).unwrap_or(0);
        pid != 0
    });
    pid
}

pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(Duration::from_millis(2));
    }
}
