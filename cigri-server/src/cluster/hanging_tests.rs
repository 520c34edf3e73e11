//! A cluster that hangs costs only itself: the rounds of another take no longer for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use cigri_store::{ClusterKind, ClusterRow};
use futures_util::future::BoxFuture;
use oar_client::{Token, Transport, TransportError};
use oar_local::chaos::Plan;
use tokio::sync::Notify;

use super::virtual_world::{VirtualServer, spec};
use super::{Memory, Round, step};

/// What a hanging cluster may cost a round of another one.
const MOST: Duration = Duration::from_millis(100);
const ROUNDS: usize = 20;

/// A cluster that takes every request and answers none before the client gives up.
struct Hanging(Arc<Notify>);

impl Transport for Hanging {
    fn send(
        &self,
        _: http::Request<Bytes>,
        _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        self.0.notify_one();
        Box::pin(async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            Err(TransportError::TimedOut)
        })
    }
}

/// A server with `dahu`, with `luke` that hangs, and with a campaign that is for both; and what rings when `luke` is asked.
fn server() -> (VirtualServer, Arc<Notify>) {
    let (server, asked) = (VirtualServer::new(7, Plan::default()), Arc::new(Notify::new()));
    let (name, url) = ("luke".to_owned(), "http://luke.test/".to_owned());
    let row = ClusterRow { name, kind: ClusterKind::Oar3, url, limits: Default::default(), last_round_at: None };
    server.grid.add_with(row, Arc::new(Hanging(Arc::clone(&asked)))).unwrap();
    let token = server.world.face.lock().unwrap().cluster().issue_token("alice", 365 * 86_400, server.now());
    server.grid.put_token("alice", "luke", &Token::new(token).unwrap()).unwrap();
    let mut both = spec();
    let cluster = both.clusters["dahu"].clone();
    both.clusters.insert("luke".to_owned(), cluster);
    server.campaign_like("alice", &both, 2000);
    (server, asked)
}

/// How long each round on `dahu` takes, in real time.
async fn rounds(server: &mut VirtualServer) -> Vec<Duration> {
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        server.round(None).await;
        took.push(began.elapsed());
    }
    took.sort_unstable();
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rounds_take_no_longer_beside_a_cluster_that_hangs() {
    let alone = rounds(&mut server().0).await;
    let (mut beside, asked) = server();
    let grid = Arc::clone(&beside.grid);
    let hanging = tokio::spawn(async move {
        let handle = grid.cluster("luke").unwrap();
        let mut memory = Memory::of("luke");
        loop {
            let round = Round::begin(&grid, &handle, super::virtual_world::T0).await.unwrap();
            step::step(&round, &mut memory).await.ok();
        }
    });
    asked.notified().await;
    let with = rounds(&mut beside).await;
    assert!(!hanging.is_finished(), "it hangs still");
    hanging.abort();
    // The middle ones: what else the machine does is no matter of ours.
    let (alone, with) = (alone[ROUNDS / 2], with[ROUNDS / 2]);
    assert!(with <= alone + MOST, "{alone:?} alone, {with:?} beside a cluster that hangs");
}
