//! Jobs end while a list is read: none may be skipped, and half a list is never passed for a whole one.

use oar_client::{Error, JobQuery};

use crate::scripted::{Scripted, listing, waiting};

fn page_of(limit: u64) -> JobQuery {
    JobQuery { limit, ..JobQuery::default() }
}

async fn ids(client: &oar_client::Client, limit: u64) -> Result<Vec<u64>, Error> {
    let jobs = client.list_all(&page_of(limit)).await?;
    Ok(jobs.iter().map(|job| job.id).collect())
}

#[tokio::test]
async fn jobs_that_move_up_are_not_skipped() {
    let mut requests = 0;
    let (client, server) = Scripted::client(move |request| {
        requests += 1;
        let gone = if requests == 1 { 0 } else { 2 };
        listing(&waiting(8)[gone..], request)
    });
    assert_eq!(ids(&client, 4).await.unwrap(), [3, 4, 5, 6, 7, 8]);
    let lines = ["GET /jobs?limit=4", "GET /jobs?limit=4&offset=3", "GET /jobs?limit=7"];
    assert_eq!(server.asked(), lines, "the last page has room for all");
}

#[tokio::test]
async fn a_404_after_a_full_page_means_that_the_list_shrank() {
    let mut requests = 0;
    let (client, _) = Scripted::client(move |request| {
        requests += 1;
        let gone = if requests == 1 { 0 } else { 3 };
        listing(&waiting(5)[gone..], request)
    });
    assert_eq!(ids(&client, 4).await.unwrap(), [4, 5]);
}

#[tokio::test]
async fn a_list_that_never_holds_still_is_an_error() {
    let mut requests = 0;
    let (client, _) = Scripted::client(move |request| {
        requests += 1;
        listing(&waiting(100_000)[requests..], request)
    });
    let error = ids(&client, 4).await.unwrap_err();
    assert!(matches!(error, Error::Garbled { .. }), "{error}");
}
