//! The real `cigri-server` program: started, asked over its socket, killed.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// How the server sees its clusters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Jobs per submission.
    pub(crate) max_array: u64,
    /// Jobs that may wait.
    pub(crate) max_waiting: u64,
    /// Seconds between two looks.
    pub(crate) period_s: u64,
    /// Jobs that always wait, for trials that need several submissions at a time; otherwise the default law decides.
    pub(crate) backlog: Option<u64>,
}

/// A running server; killed when the value goes.
pub(crate) struct Server {
    process: Child,
    client: reqwest::Client,
}

impl Server {
    /// Starts one over `folder`, in which an earlier one may have lived, and waits until it answers.
    pub(crate) async fn start(folder: &Path, clusters: &[(&str, &str)], limits: Limits) -> Server {
        let (data, socket, config) = (data_dir(folder), folder.join("cigri.sock"), folder.join("server.toml"));
        let Limits { max_array, max_waiting, period_s, backlog } = limits;
        let mut text = format!("data_dir = {data:?}\nsocket = {socket:?}\n");
        for (name, url) in clusters {
            text += &format!("[clusters.{name}]\nurl = {url:?}\nperiod_s = {period_s}\n");
            text += &format!("max_array = {max_array}\nmax_waiting = {max_waiting}\n");
            text +=
                &backlog.map_or_else(String::new, |jobs| format!("law = {{ name = \"fixed\", waiting = {jobs} }}\n"));
        }
        std::fs::write(&config, text).unwrap();
        let log = File::options().create(true).append(true).open(log(folder)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cigri-server"));
        command.arg("--config").arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().unwrap();
        let client = reqwest::Client::builder().unix_socket(socket).build().unwrap();
        let server = Server { process, client };
        let deadline = Instant::now() + Duration::from_secs(30);
        while server.client.get("http://localhost/health").send().await.is_err() {
            assert!(Instant::now() < deadline, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.client.get(format!("http://localhost{path}")).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.client.post(format!("http://localhost{path}")).json(body).send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{status}: {body}");
        body
    }

    pub(crate) async fn delete(&self, path: &str) {
        let answer = self.client.delete(format!("http://localhost{path}")).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), Signal::SIGKILL).unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Where the server keeps its database.
pub(crate) fn data_dir(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// What all servers of a folder have said.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("server.log")
}
