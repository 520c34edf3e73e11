//! A real `oar-local` on a free port, and what it knows of its jobs.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use oar_client::{Client, HttpTransport, JobDetails, JobQuery, Settings, Token};
use oar_local::{LocalCluster, Output};

/// The user on the cluster.
pub(crate) const USER: &str = "alice";

/// A cluster, alive as long as the value.
pub(crate) struct Oar {
    /// Where it listens.
    pub(crate) url: String,
    /// A token of [`USER`].
    pub(crate) token: String,
    /// The cluster itself, to be asked how often what ran.
    pub(crate) cluster: Arc<LocalCluster>,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Oar {
    /// Starts one whose best-effort jobs are killed with a probability.
    pub(crate) fn start(folder: &Path, cores: u32, (kill_rate, seed): (f64, u64)) -> Oar {
        let config = oar_local::Config {
            state_dir: folder.join("oar"),
            cores,
            user: USER.into(),
            secret: b"the cluster's own secret".to_vec(),
            output: Output::Files,
            lenient: false,
            schedule_period: None,
            kill_rate,
            seed: Some(seed),
            chaos: None,
        };
        let cluster = Arc::new(LocalCluster::open(config).unwrap());
        let token = cluster.issue_token(USER, Duration::from_secs(24 * 3600));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = mpsc::channel::<()>();
        let served = Arc::clone(&cluster);
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let server = served.serve(listener).unwrap();
                let handle = server.handle();
                actix_web::rt::spawn(server);
                tokio::task::spawn_blocking(move || stopped.recv().ok()).await.unwrap();
                handle.stop(false).await;
                served.shutdown();
            });
        });
        Oar { url, token, cluster, stop: Some(stop), thread: Some(thread) }
    }

    /// The user's live jobs, asked for directly.
    pub(crate) async fn live(&self) -> Vec<JobDetails> {
        let query = JobQuery { user: Some(USER.to_owned()), ..JobQuery::default() };
        self.client().details(&query).await.unwrap()
    }

    /// Deletes a job as its owner would by hand.
    pub(crate) async fn delete(&self, id: u64) {
        self.client().delete(&Token::new(self.token.clone()).unwrap(), id).await.unwrap();
    }

    fn client(&self) -> Client {
        let url = self.url.parse().unwrap();
        let transport = Arc::new(HttpTransport::new(&url).unwrap());
        Client::new(url, transport, Settings::default())
    }
}

impl Drop for Oar {
    fn drop(&mut self) {
        self.stop.take();
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}
