//! A cluster on a port, and the program over it.
#![allow(unreachable_pub)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oar_local::{LocalCluster, Output};
use serde_json::{Value, json};

/// What signs its tokens.
pub const SECRET: &[u8] = b"the cluster's own secret";

/// A cluster on a free port, alive as long as the value.
pub struct Oar {
    pub url: String,
    pub token: String,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Oar {
    pub fn start(folder: &Path) -> Oar {
        Oar::start_on(folder, std::net::TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// The same on a port that may have been called before.
    pub fn start_on(folder: &Path, listener: std::net::TcpListener) -> Oar {
        let config = oar_local::Config {
            state_dir: folder.join("oar"),
            cores: 2,
            user: "alice".into(),
            secret: SECRET.to_vec(),
            output: Output::Files,
            lenient: false,
            schedule_period: None,
            kill_rate: 0.0,
            seed: Some(1),
            chaos: None,
        };
        let cluster = LocalCluster::open(config).unwrap();
        let token = cluster.issue_token("alice", Duration::from_secs(3600));
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let server = cluster.serve(listener).unwrap();
                let handle = server.handle();
                actix_web::rt::spawn(server);
                tokio::task::spawn_blocking(move || stopped.recv().ok()).await.unwrap();
                handle.stop(false).await;
                cluster.shutdown();
            });
        });
        Oar { url, token, stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Oar {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// The program, its socket, and a client for it.
pub struct Server {
    pub process: Child,
    pub client: reqwest::Client,
    pub socket: PathBuf,
}

impl Server {
    /// A server alone on a SQLite file in `folder`.
    pub async fn start(folder: &Path, oar: &Oar) -> Server {
        Server::start_with(folder, oar, "").await
    }

    /// The same with more settings, until it answers.
    pub async fn start_with(folder: &Path, oar: &Oar, settings: &str) -> Server {
        Server::start_limited(folder, oar, (settings, "")).await
    }

    /// The same with more keys in the cluster's own table.
    pub async fn start_limited(folder: &Path, oar: &Oar, (settings, limits): (&str, &str)) -> Server {
        let socket = folder.join("cigri.sock");
        let process = limited(folder, oar, (settings, limits)).stderr(Stdio::inherit()).spawn().unwrap();
        rustls::crypto::ring::default_provider().install_default().ok();
        let client = reqwest::Client::builder().unix_socket(socket.clone()).build().unwrap();
        let server = Server { process, client, socket };
        let deadline = Instant::now() + Duration::from_secs(30);
        while server.client.get("http://localhost/health").send().await.is_err() {
            assert!(Instant::now() < deadline, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    /// Polls `GET path` until `wanted`; how long that took.
    pub async fn until(&self, path: &str, limit: Duration, wanted: impl Fn(&Value) -> bool) -> Duration {
        let begun = Instant::now();
        loop {
            let answer = self.client.get(format!("http://localhost{path}")).send().await;
            let seen: Value = match answer {
                Ok(answer) => answer.json().await.unwrap_or_default(),
                Err(error) => Value::String(error.to_string()),
            };
            if wanted(&seen) {
                return begun.elapsed();
            }
            assert!(begun.elapsed() < limit, "not within {limit:?}: {seen}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub async fn get(&self, path: &str) -> Value {
        self.client.get(format!("http://localhost{path}")).send().await.unwrap().json().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let sent = self.client.post(format!("http://localhost{path}")).json(body).send().await.unwrap();
        (sent.status().as_u16(), sent.json().await.unwrap())
    }

    pub async fn wait_for(&self, id: &Value, field: &str, wanted: &Value) -> Value {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let campaign = self.get(&format!("/campaigns/{id}")).await;
            if &campaign[field] == wanted {
                return campaign;
            }
            assert!(Instant::now() < deadline, "{field} never becomes {wanted}: {campaign}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The program on a folder of its own, with a configuration file there.
pub fn command(folder: &Path, oar: &Oar, settings: &str) -> Command {
    limited(folder, oar, (settings, ""))
}

fn limited(folder: &Path, oar: &Oar, (settings, limits): (&str, &str)) -> Command {
    std::fs::create_dir_all(folder).unwrap();
    let (socket, data, config) = (folder.join("cigri.sock"), folder.join("data"), folder.join("server.toml"));
    let text = format!(
        "data_dir = {data:?}\nsocket = {socket:?}\n{settings}\n[clusters.dahu]\nurl = {:?}\nperiod_s = 1\n{limits}\n",
        oar.url
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_cigri-server"));
    command.arg("--config").arg(config);
    command
}

/// Each task appends its index to `ran`; every second one then fails.
pub fn campaign(folder: &Path, tasks: u64, script: &str) -> Value {
    std::fs::write(folder.join("task.sh"), script).unwrap();
    let dahu = json!({"exec_file": "sh task.sh", "exec_directory": folder, "walltime": "0:5:0"});
    json!({"name": "c", "nb_jobs": tasks, "clusters": {"dahu": dahu}})
}

pub fn ran(folder: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(folder.join("ran")).unwrap_or_default();
    let mut indices: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    indices.sort_unstable();
    indices
}
