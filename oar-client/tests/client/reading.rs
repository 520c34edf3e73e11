//! Counts, lists, details and look-ups by name.

use oar_client::{Error, JobQuery, State, request};

use crate::scripted::{Scripted, answer, listing, token, waiting};

fn page_of(limit: u64) -> JobQuery {
    JobQuery { limit, ..JobQuery::default() }
}

fn with_ids(ids: impl IntoIterator<Item = u64>) -> JobQuery {
    JobQuery { ids: ids.into_iter().collect(), ..JobQuery::default() }
}

#[tokio::test]
async fn a_count_asks_for_the_total_only() {
    let (client, server) = Scripted::client(|request| listing(&waiting(7), request));
    assert_eq!(client.count(&page_of(3)).await, Ok(7));
    assert_eq!(server.asked(), ["GET /jobs?limit=0"]);
}

#[tokio::test]
async fn a_list_is_one_page() {
    let (client, server) = Scripted::client(|request| listing(&waiting(7), request));
    let page = client.list(&page_of(3)).await.unwrap();
    assert_eq!((page.total, page.items.len()), (7, 3));
    assert_eq!(server.asked(), ["GET /jobs?limit=3"]);
}

#[tokio::test]
async fn a_page_past_the_end_is_empty() {
    let (client, _) = Scripted::client(|request| listing(&waiting(7), request));
    let query = JobQuery { offset: 7, ..page_of(3) };
    let page = client.list(&query).await.unwrap();
    assert_eq!((page.total, page.items.len()), (0, 0));
}

#[tokio::test]
async fn all_pages_are_read_until_a_short_one() {
    let (client, server) = Scripted::client(|request| listing(&waiting(7), request));
    let jobs = client.list_all(&page_of(3)).await.unwrap();
    let ids: Vec<u64> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(ids, [1, 2, 3, 4, 5, 6, 7]);
    let lines =
        ["GET /jobs?limit=3", "GET /jobs?limit=3&offset=2", "GET /jobs?limit=3&offset=4", "GET /jobs?limit=3&offset=6"];
    assert_eq!(server.asked(), lines);
}

#[tokio::test]
async fn a_start_past_the_end_is_an_empty_list() {
    let (client, server) = Scripted::client(|request| listing(&waiting(7), request));
    let query = JobQuery { offset: 9, ..page_of(3) };
    assert_eq!(client.list_all(&query).await, Ok(vec![]));
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn many_ids_become_many_short_urls() {
    let (client, server) = Scripted::client(|request| listing(&waiting(2000), request));
    let jobs = client.list_all(&with_ids(1..=2000)).await.unwrap();
    assert_eq!(jobs.len(), 2000);
    let asked = server.asked();
    assert!(asked.len() > 1 && asked.iter().all(|line| line.len() < 8000));
}

#[tokio::test]
async fn a_count_of_many_ids_is_the_sum() {
    let (client, _) = Scripted::client(|request| listing(&waiting(2000), request));
    assert_eq!(client.count(&with_ids(500..=5000)).await, Ok(1501));
}

#[tokio::test]
async fn one_page_of_too_many_ids_is_refused() {
    let (client, server) = Scripted::client(|request| listing(&waiting(1), request));
    let error = client.list(&with_ids(1..=2000)).await.unwrap_err();
    assert!(matches!(error, Error::Invalid(_)));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn details_come_in_pages_of_at_most_500() {
    let (client, server) = Scripted::client(|request| listing(&waiting(1200), request));
    let jobs = client.details(&page_of(10_000)).await.unwrap();
    assert_eq!(jobs.len(), 1200);
    let lines = [
        "GET /jobs?limit=500&details=1",
        "GET /jobs?limit=500&offset=499&details=1",
        "GET /jobs?limit=500&offset=998&details=1",
    ];
    assert_eq!(server.asked(), lines);
}

#[tokio::test]
async fn one_job_is_looked_up_in_the_list() {
    let (client, server) = Scripted::client(|request| listing(&waiting(3), request));
    let job = client.job(2).await.unwrap().unwrap();
    assert_eq!((job.id, job.state), (2, State::Waiting));
    assert_eq!(client.job(9).await, Ok(None));
    let lines = ["GET /jobs?limit=1&details=1&job_ids=2", "GET /jobs?limit=1&details=1&job_ids=9"];
    assert_eq!(server.asked(), lines);
}

#[tokio::test]
async fn a_name_is_found_among_live_and_finished_jobs_once_each() {
    let jobs = [
        (1, "mine", "Terminated"),
        (2, "mine", "Running"),
        (3, "mine.gate", "Hold"),
        (4, "other", "Running"),
        (5, "mine", "Waiting"),
    ];
    let (client, server) = Scripted::client(move |request| {
        // Job 2 ends between the two listings.
        let mut jobs = jobs;
        if request.uri().query().unwrap().contains("start_time") {
            jobs[1].2 = "Error";
        }
        listing(&jobs, request)
    });
    let found = client.find_by_name("alice", "mine", Some((10, 20))).await;
    let found: Vec<(u64, State)> = found.unwrap().into_iter().map(|j| (j.id, j.state)).collect();
    let expected = [(1, State::Terminated), (2, State::Error), (5, State::Waiting)];
    assert_eq!(found, expected);
    let lines = ["GET /jobs?limit=2500&user=alice", "GET /jobs?limit=2500&user=alice&start_time=10&stop_time=20"];
    assert_eq!(server.asked(), lines);
}

#[tokio::test]
async fn without_a_window_only_live_jobs_are_found() {
    let jobs = [(1, "mine", "Terminated"), (2, "mine", "Hold")];
    let (client, _) = Scripted::client(move |request| listing(&jobs, request));
    let found = client.find_by_name("alice", "mine", None).await.unwrap();
    assert_eq!(found.iter().map(|job| job.id).collect::<Vec<u64>>(), [2]);
}

#[tokio::test]
async fn an_empty_user_is_refused_before_sending() {
    let (client, server) = Scripted::client(|request| listing(&waiting(1), request));
    let error = client.find_by_name("", "mine", None).await.unwrap_err();
    assert!(matches!(error, Error::Invalid(_)));
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn the_probe_touches_the_database() {
    let (client, server) = Scripted::client(|_| answer(500, "Internal Server Error"));
    let body = "Internal Server Error".to_owned();
    assert_eq!(client.probe().await, Err(Error::Server { status: 500, body }));
    assert_eq!(server.asked(), ["GET /jobs?limit=1"]);
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_refused() {
    let (client, _) = Scripted::client(|_| answer(200, "x".repeat((16 << 20) + 1)));
    let error = client.media(&token(), "/big", None).await.unwrap_err();
    assert_eq!(error.to_string(), "unexpected answer instead of an answer of at most 16 MB: a longer one");
}

#[tokio::test]
async fn columns_are_those_of_the_first_resource() {
    let row = r#"{"id":1,"state":"Alive","mem":2048,"host":"node1"}"#;
    let (client, server) =
        Scripted::client(move |_| answer(200, format!(r#"{{"total":1,"offset":0,"items":[{row}]}}"#)));
    let columns = client.columns().await.unwrap();
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    assert_eq!(columns, ["host", "mem", "resource_id", "state"]);
    assert_eq!(server.asked(), ["GET /resources?detailed=true&limit=1&offset=0"]);
}

#[tokio::test]
async fn a_site_without_stress_factor_has_none() {
    let (client, _) = Scripted::client(|_| answer(404, r#"{"detail":"Unable to retrieve STRESS_FACTOR"}"#));
    assert_eq!(client.stress_factor().await, Ok(None));
}

#[tokio::test]
async fn a_path_that_oar_escapes_wrongly_is_asked_only_of_a_server_that_does_better() {
    for path in ["/a b", "/$HOME", "/a,b", "/a`b"] {
        assert!(!request::is_readable_path(path), "{path}");
    }
    assert!(request::is_readable_path("/home/é/+&"));
    let (client, server) = Scripted::client(|_| answer(200, ""));
    let refused = client.media(&token(), "/a b", None).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert!(server.asked().is_empty());
}
