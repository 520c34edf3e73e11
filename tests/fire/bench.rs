//! One cluster, one proxy and one server over a folder of their own, and a campaign whose tasks write down that they
//! run.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::ask::Ask;
use crate::oar::Oar;
use crate::proxy::Proxy;
use crate::server::{self, Limits, Server};

/// A campaign may take this long, restarts and pauses included.
const PATIENCE: Duration = Duration::from_secs(240);

/// Everything of one run.
pub(crate) struct Bench {
    /// Where all of it lives.
    pub(crate) folder: tempfile::TempDir,
    /// The cluster.
    pub(crate) oar: Oar,
    /// What stands before it.
    pub(crate) proxy: Proxy,
    /// A second cluster, where one is wanted.
    pub(crate) second: Option<(Oar, Proxy)>,
    limits: Limits,
}

/// What the tasks of a campaign do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tasks {
    /// How many.
    pub(crate) count: u64,
    /// Seconds that each takes, as `sleep` reads them.
    pub(crate) sleep: f64,
    /// The one that fails with exit code 3, if it is there.
    pub(crate) failing: u64,
}

impl Bench {
    /// A bench without a server. `kills`: rate and seed of best-effort kills.
    pub(crate) fn new(cores: u32, kills: (f64, u64), limits: Limits) -> Bench {
        rustls::crypto::ring::default_provider().install_default().ok();
        let folder = tempfile::tempdir().unwrap();
        let oar = Oar::start(folder.path(), cores, kills);
        let proxy = Proxy::start(&oar.url);
        Bench { folder, oar, proxy, second: None, limits }
    }

    /// Adds a second cluster.
    pub(crate) fn with_second(mut self, cores: u32) -> Bench {
        let oar = Oar::start(&self.folder.path().join("second"), cores, (0.0, 0));
        let proxy = Proxy::start(&oar.url);
        self.second = Some((oar, proxy));
        self
    }

    /// Starts a server on what the last one left.
    pub(crate) async fn serve(&self) -> Server {
        let mut clusters = vec![("dahu", self.proxy.url.as_str())];
        clusters.extend(self.second.iter().map(|(_, proxy)| ("luke", proxy.url.as_str())));
        Server::start(self.folder.path(), &clusters, self.limits).await
    }

    /// Gives the server the user's tokens, which it tries on the clusters.
    pub(crate) async fn give_tokens(&self, server: &Server) {
        server.post("/tokens", &json!({"cluster": "dahu", "token": self.oar.token})).await;
        if let Some((oar, _)) = &self.second {
            server.post("/tokens", &json!({"cluster": "luke", "token": oar.token})).await;
        }
    }

    /// Gives the server the user's tokens and a campaign; returns its id.
    pub(crate) async fn submit(&self, server: &Server, tasks: Tasks) -> i64 {
        self.give_tokens(server).await;
        self.submit_campaign(server, tasks).await
    }

    /// Gives the server a campaign; returns its id.
    pub(crate) async fn submit_campaign(&self, server: &Server, tasks: Tasks) -> i64 {
        server.post("/campaigns", &self.campaign(tasks)).await["id"].as_i64().unwrap()
    }

    /// The campaign as its user writes it.
    pub(crate) fn campaign(&self, tasks: Tasks) -> Value {
        let script = format!(
            "echo \"$CIGRI_TASK_INDEX $CIGRI_ATTEMPT\" >> started\nsleep {}\n\
             [ $CIGRI_TASK_INDEX != {} ] || {{ echo no >&2; exit 3; }}\n",
            tasks.sleep, tasks.failing
        );
        std::fs::write(self.folder.path().join("task.sh"), script).unwrap();
        let how = json!({"exec_file": "sh task.sh", "exec_directory": self.folder.path(), "walltime": "0:10:0"});
        let mut clusters = json!({"dahu": how});
        if self.second.is_some() {
            clusters["luke"] = how;
        }
        json!({"name": "fire", "nb_jobs": tasks.count, "clusters": clusters})
    }

    /// Waits until nothing of the campaign is left to do.
    pub(crate) async fn wait_for_end(&self, server: &Server, id: i64) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let campaign = server.get(&format!("/campaigns/{id}")).await;
            if campaign["live"] == 0 && campaign["pending"] == 0 && campaign["state"] != "in_treatment" {
                return campaign;
            }
            assert!(campaign["stalled"] == false, "a person is needed: {campaign}");
            assert!(Instant::now() < deadline, "it does not end: {campaign}\n{}", self.tail_of_log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Task index and attempt of each start, as the tasks wrote it.
    pub(crate) fn started(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.path().join("started")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Waits until a task has started and two gates are seen gone.
    pub(crate) async fn wait_for_two_submissions(&self) {
        let deadline = Instant::now() + PATIENCE;
        let opened = || self.proxy.seen().iter().filter(|seen| seen.ask == Ask::GateVerify).count();
        while self.started().is_empty() || opened() < 2 {
            assert!(Instant::now() < deadline, "nothing starts\n{}", self.tail_of_log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until so many tasks have started.
    pub(crate) async fn wait_for_starts(&self, count: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.started().len() < count {
            assert!(Instant::now() < deadline, "too little starts\n{}", self.tail_of_log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The server's last words.
    pub(crate) fn tail_of_log(&self) -> String {
        tail(&server::log(self.folder.path()))
    }
}

fn tail(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}
