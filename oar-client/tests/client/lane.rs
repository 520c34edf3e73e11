//! One database request at a time; everything else beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::Request;
use oar_client::{Client, JobQuery, NewJob, Settings, Transport};

use crate::scripted::{Answer, answer, token};

/// Takes its time, and counts how many requests of each sort are in flight together.
#[derive(Default)]
struct Counting {
    now: AtomicUsize,
    most: AtomicUsize,
    database_now: AtomicUsize,
    database_most: AtomicUsize,
}

fn touches_database(request: &Request<Bytes>) -> bool {
    let path = request.uri().path();
    path.starts_with("/jobs") || path.starts_with("/resources")
}

fn body(request: &Request<Bytes>) -> &'static str {
    match request.uri().path() {
        "/jobs" if request.method() == http::Method::POST => r#"{"id":1}"#,
        "/jobs/1" => r#"{"id":1,"state":"Hold","exit_status":0}"#,
        "/jobs" | "/resources" => r#"{"total":0,"items":[]}"#,
        "/whoami" => r#"{"authenticated_user":"alice"}"#,
        "/check_token" => r#"{"user":"alice"}"#,
        "/version" => r#"{"oar_version":"3","api_version":"3"}"#,
        "/stress_factor" => r#"{"GLOBAL_STRESS":"1"}"#,
        _ => "text",
    }
}

impl Transport for Counting {
    fn send(&self, request: Request<Bytes>, _: Duration) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            let database = usize::from(touches_database(&request));
            let together = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(together, Ordering::SeqCst);
            let together = self.database_now.fetch_add(database, Ordering::SeqCst) + database;
            self.database_most.fetch_max(together, Ordering::SeqCst);
            // The clock is paused: it moves on only when every request that may go has gone.
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.database_now.fetch_sub(database, Ordering::SeqCst);
            self.now.fetch_sub(1, Ordering::SeqCst);
            answer(200, body(&request))
        })
    }
}

fn client(settings: Settings) -> (Client, Arc<Counting>) {
    let server = Arc::new(Counting::default());
    let base = "http://127.0.0.1:1".parse().unwrap();
    (Client::new(base, server.clone(), settings), server)
}

/// Every kind of request at once.
async fn everything(client: &Client) {
    let token = token();
    let query = JobQuery::default();
    let job = NewJob { command: "true".into(), ..NewJob::default() };
    let other = client.clone();
    let requests: Vec<BoxFuture<'_, bool>> = vec![
        Box::pin(async { client.submit(&token, &job).await.is_ok() }),
        Box::pin(async { other.list(&query).await.is_ok() }),
        Box::pin(async { client.count(&query).await.is_ok() }),
        Box::pin(async { client.job_direct(1).await.is_ok() }),
        Box::pin(async { other.delete(&token, 1).await.is_ok() }),
        Box::pin(async { client.resources().await.is_ok() }),
        Box::pin(async { client.probe().await.is_ok() }),
        Box::pin(async { client.media(&token, "/a", None).await.is_ok() }),
        Box::pin(async { other.whoami(&token).await.is_ok() }),
        Box::pin(async { client.check_token(&token).await.is_ok() }),
        Box::pin(async { client.version().await.is_ok() }),
        Box::pin(async { client.stress_factor().await.is_ok() }),
    ];
    assert!(join_all(requests).await.into_iter().all(|fine| fine));
}

#[tokio::test(start_paused = true)]
async fn database_requests_never_overlap_and_the_others_do() {
    let (client, server) = client(Settings::default());
    everything(&client).await;
    assert_eq!(server.database_most.load(Ordering::SeqCst), 1);
    assert_eq!(server.most.load(Ordering::SeqCst), 6, "one and the five others");
}

#[tokio::test(start_paused = true)]
async fn overlapping_can_be_allowed() {
    let (client, server) = client(Settings { one_request_at_a_time: false, ..Settings::default() });
    everything(&client).await;
    assert_eq!(server.database_most.load(Ordering::SeqCst), 7);
}
