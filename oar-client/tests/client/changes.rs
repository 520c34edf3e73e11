//! Submissions and other changes: sent once, and never cut off by an impatient caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Request;
use oar_client::{Client, DeleteOutcome, Error, NewJob, Settings, Transport, TransportError};
use tokio::sync::Notify;

use crate::scripted::{Answer, Scripted, answer, token};

fn job() -> NewJob {
    NewJob { command: "true".into(), ..NewJob::default() }
}

#[tokio::test]
async fn a_submission_gives_its_id() {
    let (client, server) = Scripted::client(|_| answer(200, r#"{"id":34}"#));
    assert_eq!(client.submit(&token(), &job()).await, Ok(34));
    assert_eq!(server.asked(), ["POST /jobs"]);
}

#[tokio::test]
async fn an_invalid_job_is_not_sent() {
    let (client, server) = Scripted::client(|_| answer(200, r#"{"id":34}"#));
    let error = client.submit(&token(), &NewJob::default()).await.unwrap_err();
    assert!(error.certainly_not_done());
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn nothing_is_ever_sent_twice() {
    let failures: [fn() -> Answer; 4] = [
        || answer(500, "Internal Server Error"),
        || Err(TransportError::Lost("reset".into())),
        || Err(TransportError::NotSent("refused".into())),
        || Err(TransportError::TimedOut),
    ];
    for failure in failures {
        let (client, server) = Scripted::client(move |_| failure());
        assert!(client.submit(&token(), &job()).await.is_err());
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn the_ways_to_change_a_job() {
    let (client, server) = Scripted::client(|_| answer(200, r#"{"id":7,"exit_status":0}"#));
    let token = token();
    assert_eq!(client.delete(&token, 7).await, Ok(DeleteOutcome::Accepted));
    assert_eq!(client.delete_array(&token, 7).await, Ok(DeleteOutcome::Accepted));
    assert_eq!(client.hold(&token, 7).await, Ok(true));
    assert_eq!(client.resume(&token, 7).await, Ok(true));
    let lines =
        ["DELETE /jobs/7", "DELETE /jobs/7?array=true", "POST /jobs/7/hold/new", "POST /jobs/7/resumptions/new"];
    assert_eq!(server.asked(), lines);
}

/// Answers a POST only when told to; everything else at once.
#[derive(Default)]
struct SlowPost {
    go: Notify,
    answered: AtomicBool,
}

impl Transport for SlowPost {
    fn send(&self, request: Request<Bytes>, _: Duration) -> BoxFuture<'_, Answer> {
        Box::pin(async move {
            if request.method() == http::Method::POST {
                self.go.notified().await;
                self.answered.store(true, Ordering::SeqCst);
                return answer(200, r#"{"id":1}"#);
            }
            answer(200, r#"{"total":0,"items":[]}"#)
        })
    }
}

fn slow_client() -> (Client, Arc<SlowPost>) {
    let server = Arc::new(SlowPost::default());
    let base = "http://127.0.0.1:1".parse().unwrap();
    let client = Client::new(base, server.clone(), Settings::default());
    (client, server)
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_post_keeps_the_lane_after_its_caller_gave_up() {
    let (client, server) = slow_client();
    assert_eq!(client.submit(&token(), &job()).await, Err(Error::TimedOut));
    let blocked = client.probe().await.unwrap_err();
    assert!(matches!(blocked, Error::NotSent(_)), "{blocked}");
    server.go.notify_one();
    assert_eq!(client.probe().await, Ok(()));
    assert!(server.answered.load(Ordering::SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_submission_whose_caller_went_away_is_still_listened_to() {
    let (client, server) = slow_client();
    let hurry = Duration::from_secs(1);
    let (token, job) = (token(), job());
    assert!(tokio::time::timeout(hurry, client.submit(&token, &job)).await.is_err());
    assert!(!server.answered.load(Ordering::SeqCst));
    server.go.notify_one();
    assert_eq!(client.probe().await, Ok(()));
    assert!(server.answered.load(Ordering::SeqCst));
}
