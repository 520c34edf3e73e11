//! The real `cigri-server` program over a cluster that speaks OAR 3's API on a real port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oar_local::{LocalCluster, Output};
use serde_json::{Value, json};

const SECRET: &[u8] = b"the cluster's own secret";

/// A cluster on a free port, alive as long as the value.
struct Oar {
    url: String,
    token: String,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Oar {
    fn start(folder: &Path) -> Oar {
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
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
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
struct Server {
    process: Child,
    client: reqwest::Client,
    socket: PathBuf,
}

impl Server {
    async fn start(folder: &Path, oar: &Oar) -> Server {
        let socket = folder.join("cigri.sock");
        let data = folder.join("data");
        let config = folder.join("server.toml");
        let text =
            format!("data_dir = {data:?}\nsocket = {socket:?}\n[clusters.dahu]\nurl = {:?}\nperiod_s = 1\n", oar.url);
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cigri-server"));
        let process = command.arg("--config").arg(config).stderr(Stdio::inherit()).spawn().unwrap();
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

    async fn get(&self, path: &str) -> Value {
        self.client.get(format!("http://localhost{path}")).send().await.unwrap().json().await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let sent = self.client.post(format!("http://localhost{path}")).json(body).send().await.unwrap();
        (sent.status().as_u16(), sent.json().await.unwrap())
    }

    async fn wait_for(&self, id: &Value, field: &str, wanted: &Value) -> Value {
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

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().try_into().unwrap()), signal).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// Each task appends its index to `ran`; every second one then fails.
fn campaign(folder: &Path, tasks: u64, script: &str) -> Value {
    std::fs::write(folder.join("task.sh"), script).unwrap();
    let dahu = json!({"exec_file": "sh task.sh", "exec_directory": folder, "walltime": "0:5:0"});
    json!({"name": "c", "nb_jobs": tasks, "clusters": {"dahu": dahu}})
}

fn ran(folder: &Path) -> Vec<u64> {
    let text = std::fs::read_to_string(folder.join("ran")).unwrap_or_default();
    let mut indices: Vec<u64> = text.lines().map(|line| line.parse().unwrap()).collect();
    indices.sort_unstable();
    indices
}

#[tokio::test]
async fn a_campaign_runs_through_a_port_with_the_users_own_token() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let mut server = Server::start(folder.path(), &oar).await;
    let (status, refused) = server.post("/tokens", &json!({"cluster": "dahu", "token": "a.b.c"})).await;
    assert_eq!((status, &refused["code"]), (400, &json!("invalid_request")));
    let script = "echo $CIGRI_TASK_INDEX >> ran; [ $((CIGRI_TASK_INDEX % 2)) = 0 ] || { echo odd >&2; exit 9; }";
    let (status, campaign) = server.post("/campaigns", &campaign(folder.path(), 6, script)).await;
    assert_eq!(status, 201, "{campaign}");
    let why = server.get(&format!("/campaigns/{}/why", campaign["id"])).await;
    if let Some(decision) = why["items"].get(0) {
        assert_eq!(decision["bound_by"], "token", "without a token nothing is sent");
    }
    let (status, info) = server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    assert_eq!((status, &info["login"], &info["token"]), (201, &json!("alice"), &json!("Bearer ****")));
    let done = server.wait_for(&campaign["id"], "state", &json!("terminated")).await;
    assert_eq!((&done["done"], &done["failed"]), (&json!(3), &json!(3)));
    assert_eq!(ran(folder.path()), [0, 1, 2, 3, 4, 5]);
    let failed = server.get(&format!("/campaigns/{}/jobs?state=failed", campaign["id"])).await;
    let job = &failed["items"][0];
    assert_eq!((&job["exit_code"], &job["cause"]), (&json!(9), &json!("exit_code")));
    assert!(job["detail"].as_str().unwrap().ends_with("odd"), "{job}");
    let error = server.get(&format!("/jobs/{}/stderr", job["id"])).await;
    assert_eq!(error["output"], "odd\n");
    server.signal(Signal::SIGTERM);
    assert!(server.process.wait().unwrap().success());
    assert!(!server.socket.exists(), "a stopped server leaves no socket");
}

#[tokio::test]
async fn a_killed_server_goes_on_where_it_was_and_no_task_runs_twice() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let script = "echo $CIGRI_TASK_INDEX >> ran; sleep 0.1";
    let (_, campaign) = server.post("/campaigns", &campaign(folder.path(), 30, script)).await;
    let deadline = Instant::now() + Duration::from_secs(60);
    while ran(folder.path()).is_empty() {
        assert!(Instant::now() < deadline, "nothing starts");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.signal(Signal::SIGKILL);
    drop(server);
    let server = Server::start(folder.path(), &oar).await;
    let done = server.wait_for(&campaign["id"], "state", &json!("terminated")).await;
    assert_eq!(done["done"], 30);
    assert_eq!(ran(folder.path()), (0..30).collect::<Vec<u64>>());
}

#[tokio::test]
async fn a_property_on_a_column_that_the_cluster_lacks_never_reaches_it() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let mut jdl = campaign(folder.path(), 2, "exit 0");
    jdl["clusters"]["dahu"]["properties"] = json!("no_such_column = 3");
    let (_, campaign) = server.post("/campaigns", &jdl).await;
    let held = server.wait_for(&campaign["id"], "stalled", &json!(true)).await;
    assert!(held["clusters"]["dahu"]["hold"].as_str().unwrap().contains("no_such_column"), "{held}");
}

#[tokio::test]
async fn unknown_clusters_and_param_file_paths_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let jdl = json!({"name": "c", "param_file": "/etc/passwd", "clusters": {"luke": {"exec_file": "x"}}});
    let (status, error) = server.post("/campaigns", &jdl).await;
    assert_eq!((status, &error["code"]), (400, &json!("invalid_campaign")));
    let paths: Vec<&str> =
        error["problems"].as_array().unwrap().iter().map(|problem| problem["path"].as_str().unwrap()).collect();
    assert!(paths.contains(&"clusters.luke") && paths.contains(&"param_file"), "{error}");
    assert_eq!(server.get("/campaigns?all=1").await["total"], 0);
}
