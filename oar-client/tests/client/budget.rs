//! What many requests at once do to a cluster: they go in order of urgency, and within the budget.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::{Method, Request};
use oar_client::{Budget, Client, Error, JobQuery, NewJob, Settings, Transport, Urgency, Which};
use tokio::time::Instant;

use crate::scripted::{Answer, answer, token};

/// Answers after a while, and remembers what was asked, and when.
struct Slow {
    takes: Duration,
    begun: Instant,
    asked: Mutex<Vec<(String, Duration)>>,
}

impl Slow {
    fn client(takes_ms: u64, settings: Settings) -> (Client, Arc<Slow>) {
        let takes = Duration::from_millis(takes_ms);
        let server = Arc::new(Slow { takes, begun: Instant::now(), asked: Mutex::default() });
        (Client::new("http://127.0.0.1:1".parse().unwrap(), server.clone(), settings), server)
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(|(what, _)| what.clone()).collect()
    }

    /// When each was asked for, in seconds.
    fn times(&self) -> Vec<f64> {
        self.asked.lock().unwrap().iter().map(|(_, at)| at.as_secs_f64()).collect()
    }
}

impl Transport for Slow {
    fn send(&self, request: Request<Bytes>, _: Duration) -> BoxFuture<'_, Answer> {
        let line = format!("{} {}", request.method(), request.uri().path());
        self.asked.lock().unwrap().push((line, self.begun.elapsed()));
        Box::pin(async move {
            tokio::time::sleep(self.takes).await;
            match (request.method(), request.uri().path()) {
                (&Method::POST, _) => answer(200, r#"{"id":1}"#),
                (&Method::DELETE, _) => answer(200, r#"{"id":1,"exit_status":0}"#),
                (_, "/jobs" | "/resources") => answer(200, r#"{"total":0,"items":[]}"#),
                (_, "/version") => answer(200, r#"{"oar_version":"3","api_version":"3"}"#),
                _ => answer(200, "text"),
            }
        })
    }
}

fn budget(requests_per_s: f64, bytes_per_s: f64, busy: f64) -> Settings {
    Settings { budget: Some(Budget { requests_per_s, bytes_per_s, busy }), ..Settings::default() }
}

const FREE: f64 = f64::INFINITY;

async fn many(client: &Client, requests: usize) {
    let all: Vec<_> = (0..requests).map(|_| client.version()).collect();
    assert!(join_all(all).await.into_iter().all(|answer| answer.is_ok()));
}

#[tokio::test(start_paused = true)]
async fn a_normal_round_waits_for_nothing() {
    let (client, server) = Slow::client(50, Settings::default());
    for _ in 0..60 {
        client.probe().await.unwrap();
    }
    assert_eq!(server.times()[59], 59.0 * 0.05, "each as soon as the one before was answered");
}

#[tokio::test(start_paused = true)]
async fn after_the_burst_requests_keep_to_the_average() {
    let (client, server) = Slow::client(0, budget(10.0, FREE, FREE));
    many(&client, 350).await;
    let times = server.times();
    assert_eq!(times[250], 0.0);
    assert!((4.9..5.2).contains(&times[349]), "{}", times[349]);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_answers_counts() {
    let (client, server) = Slow::client(1000, budget(FREE, FREE, 0.1));
    for _ in 0..20 {
        client.probe().await.unwrap();
    }
    let (last, first_kept) = (server.times()[19], server.times()[3]);
    assert!(first_kept < 4.0, "a burst of 3 s under way");
    assert!((150.0..200.0).contains(&last), "20 s under way take 200 s, 30 of them saved: {last}");
}

#[tokio::test(start_paused = true)]
async fn bytes_count_both_ways() {
    let (client, _) = Slow::client(0, budget(FREE, 1000.0, FREE));
    let big = NewJob { command: "x".repeat(40_000), ..NewJob::default() };
    client.submit(&token(), &big).await.unwrap();
    let pressure = client.at(Urgency::Poll).pressure();
    assert_eq!(pressure.which, Some(Which::Bytes));
    let sentence = pressure.sentence().unwrap();
    assert!(sentence.starts_with("our budget of 1000 bytes per second there is used up: the next request may go in 1"));
    let counted = client.counters().of(Urgency::Submit);
    assert!(counted.requests == 1 && counted.bytes > 40_000, "{counted:?}");
    assert_eq!(client.counters().of(Urgency::Poll).requests, 0);
}

/// One of each kind, as they came, while the lane was held.
#[tokio::test(start_paused = true)]
async fn the_lane_goes_to_the_most_urgent() {
    let (client, server) = Slow::client(100, Settings::default());
    let (token, job) = (token(), NewJob { command: "true".into(), ..NewJob::default() });
    let query = JobQuery::default();
    let (look_up, release) = (client.at(Urgency::Doubt), client.at(Urgency::Release));
    let requests: Vec<BoxFuture<'_, bool>> = vec![
        Box::pin(async { client.probe().await.is_ok() }),
        Box::pin(async { client.delete(&token, 2).await.is_ok() }),
        Box::pin(async { client.submit(&token, &job).await.is_ok() }),
        Box::pin(async { client.list(&query).await.is_ok() }),
        Box::pin(async { release.delete(&token, 3).await.is_ok() }),
        Box::pin(async { look_up.count(&query).await.is_ok() }),
    ];
    assert!(join_all(requests).await.into_iter().all(|fine| fine));
    assert_eq!(
        server.asked(),
        ["GET /jobs", "DELETE /jobs/3", "GET /jobs", "GET /jobs", "POST /jobs", "DELETE /jobs/2"],
        "the first, the release and the look-up as they came, the poll, the submission, the deletion"
    );
}

#[tokio::test(start_paused = true)]
async fn neither_logs_nor_an_empty_budget_keep_a_look_up_or_a_release_waiting() {
    let (client, server) = Slow::client(0, budget(10.0, FREE, FREE));
    many(&client, 300).await;
    let logs = client.at(Urgency::Logs);
    let token = token();
    let readers: Vec<_> = (0..20).map(|_| logs.media(&token, "/log", None)).collect();
    let urgent = async {
        let begun = Instant::now();
        client.find_by_name("alice", "a", None).await.unwrap();
        client.at(Urgency::Release).delete(&token, 7).await.unwrap();
        begun.elapsed()
    };
    let (readers, took) = tokio::join!(join_all(readers), urgent);
    assert_eq!(took, Duration::ZERO);
    assert!(readers.into_iter().all(|read| read.is_ok()));
    assert_eq!(server.asked().len(), 322);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_urgent_requests_starves_nobody() {
    let (client, server) = Slow::client(500, budget(FREE, FREE, FREE));
    let stream = async {
        for _ in 0..30 {
            let polls = (0..4).map(|_| client.probe());
            join_all(polls).await;
        }
    };
    let token = token();
    let deletion = client.delete(&token, 9);
    let (_, deleted) = tokio::join!(stream, deletion);
    assert!(deleted.is_ok());
    let at = server.asked().iter().position(|what| what == "DELETE /jobs/9").unwrap();
    let waited = server.times()[at];
    // It stands before every poll that came more than the difference of their deferences, 4 s, after it; of those that
    // came just before, four were left.
    assert!(waited <= 4.0 + 4.0 * 0.5, "{waited}");
}

#[tokio::test(start_paused = true)]
async fn a_lower_budget_holds_at_once_and_is_named_when_patience_ends() {
    let (client, _) = Slow::client(0, budget(FREE, FREE, FREE));
    many(&client, 1000).await;
    assert_eq!(client.pressure().wait, Duration::ZERO);
    client.set_budget(Budget { requests_per_s: 1.0, bytes_per_s: FREE, busy: FREE });
    many(&client, 30).await;
    let (logs, token) = (client.at(Urgency::Logs), token());
    let readers: Vec<_> = (0..40).map(|_| logs.media(&token, "/log", None)).collect();
    let begun = Instant::now();
    let answers = join_all(readers).await;
    assert_eq!(begun.elapsed().as_secs(), 15, "who looks on does not wait for longer");
    let refused: Vec<Error> = answers.into_iter().filter_map(Result::err).collect();
    assert!(refused.len() > 20 && refused.iter().all(Error::certainly_not_done), "{refused:?}");
    let text = refused[0].to_string();
    assert!(text.starts_with("not sent: our budget of 1 requests per second there is used up: "), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_shut_sends_and_counts_nothing_and_ends_what_waits() {
    for settings in [budget(1.0, FREE, FREE), Settings { budget: None, ..Settings::default() }] {
        let (client, server) = Slow::client(3_600_000, settings);
        let under_way = tokio::spawn({
            let client = client.clone();
            async move { client.list(&JobQuery::default()).await.map(|_| ()) }
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
        let begun = Instant::now();
        let query = JobQuery::default();
        let (waited, ()) = tokio::join!(client.list(&query), async { client.shut(Some("no more")) });
        assert_eq!(waited.unwrap_err().to_string(), "not sent: no more");
        for urgency in [Urgency::Doubt, Urgency::Logs] {
            let refused = client.at(urgency).version().await.unwrap_err();
            assert!(refused.certainly_not_done() && refused.to_string() == "not sent: no more", "{refused}");
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let counted: u64 = Urgency::ALL.iter().map(|urgency| client.counters().of(*urgency).requests).sum();
        assert_eq!((counted, server.asked().len()), (1, 1), "what was under way");
        assert!(!under_way.is_finished(), "is left alone");
        client.shut(None);
        tokio::time::timeout(Duration::from_secs(1), client.version()).await.unwrap_err();
        assert_eq!(server.asked(), ["GET /jobs", "GET /version"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_budget_never_waits() {
    let (client, server) = Slow::client(0, Settings { budget: None, ..Settings::default() });
    client.set_budget(Budget { requests_per_s: 0.0, bytes_per_s: 0.0, busy: 0.0 });
    many(&client, 5000).await;
    assert_eq!(server.times()[4999], 0.0);
    assert_eq!(client.pressure().sentence(), None);
    let polled = client.counters().of(Urgency::Poll);
    assert_eq!(polled.requests, 5000, "it is counted all the same");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_the_queue() {
    let (client, server) = Slow::client(2000, Settings::default());
    let (token, query) = (token(), JobQuery::default());
    let first = client.probe();
    let release = client.at(Urgency::Release);
    let hurried = tokio::time::timeout(Duration::from_secs(1), release.delete(&token, 5));
    let patient = client.list(&query);
    let (first, hurried, patient) = tokio::join!(first, hurried, patient);
    assert!(first.is_ok() && hurried.is_err() && patient.is_ok());
    assert_eq!(server.asked(), ["GET /jobs", "GET /jobs"]);
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_request_shows_how_long_it_holds_the_lane() {
    let (client, _) = Slow::client(20_000, Settings::default());
    assert_eq!(client.pressure().lane_blocked_for, None);
    let watch = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        client.pressure().lane_blocked_for
    };
    let (probed, blocked) = tokio::join!(client.probe(), watch);
    assert!(probed.is_ok());
    assert_eq!(blocked, Some(Duration::from_secs(7)));
    assert_eq!(client.pressure().lane_blocked_for, None);
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_hung_is_asked_again_at_once_when_it_is_back() {
    let (client, server) = Slow::client(25_000, Settings::default());
    for _ in 0..20 {
        client.probe().await.unwrap();
    }
    assert_eq!(server.times()[19], 19.0 * 25.0);
    assert_eq!(client.pressure().wait, Duration::ZERO);
}
