//! Reading jobs: counts, lists, details, look-ups.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Request, Response};

use crate::client::Client;
use crate::error::Error;
use crate::job::{JobDetails, JobSummary};
use crate::paging::{Row, Step, Walk};
use crate::query::{JobQuery, Page};
use crate::request::{self, chunk_ids};
use crate::response;
use crate::urgency::Urgency;

/// Rows a page: a list of so many takes OAR about 0.2 s.
const LIST_PAGE: u64 = 2_500;
/// Rows a page with details: 0.8 ms each.
const DETAILS_PAGE: u64 = 500;
/// The largest page known to work.
const LARGEST_PAGE: u64 = 10_000;
/// A list that moves this often while it is read is given up.
const WALKS: usize = 4;

/// Where to start reading a list, and how many rows to ask for at a time.
#[derive(Clone, Copy)]
pub(super) struct Pages {
    pub(super) first: u64,
    pub(super) size: u64,
    /// How far the size may grow when the list moves.
    pub(super) largest: u64,
}

/// Reads one page; `None` past the end.
pub(super) type ReadPage<T> = fn(&Response<Bytes>) -> Result<Option<Page<T>>, Error>;

impl Client {
    /// How many jobs match, without fetching any.
    pub async fn count(&self, query: &JobQuery) -> Result<u64, Error> {
        let mut total = 0;
        for part in self.split(query, usize::MAX)? {
            let part = JobQuery { offset: 0, limit: 0, ..part };
            let page = self.page(&part, false, response::summaries).await?;
            total += page.map_or(0, |page| page.total);
        }
        Ok(total)
    }

    /// One page; past the end an empty one. Refused when `ids` make the URL too long.
    pub async fn list(&self, query: &JobQuery) -> Result<Page<JobSummary>, Error> {
        let query = JobQuery { limit: page_size(query, LIST_PAGE), ..query.clone() };
        if self.split(&query, usize::MAX)?.len() > 1 {
            return Err(Error::invalid("job_ids", "too many for one request"));
        }
        let page = self.page(&query, false, response::summaries).await?;
        Ok(page.unwrap_or_else(Page::empty))
    }

    /// All jobs that match, ordered by id, each once. `limit` is the size of the pages; with `ids`, `offset`
    /// is not looked at. A list that moves
    /// while it is read is read again; one that never holds still is an error, not half an answer.
    pub async fn list_all(&self, query: &JobQuery) -> Result<Vec<JobSummary>, Error> {
        let pages = Pages { first: query.offset, size: page_size(query, LIST_PAGE), largest: LARGEST_PAGE };
        self.every_row(query, false, pages, response::summaries).await
    }

    /// All jobs that match, with details, in pages of at most 500.
    pub async fn details(&self, query: &JobQuery) -> Result<Vec<JobDetails>, Error> {
        let pages = Pages {
            first: query.offset,
            size: page_size(query, DETAILS_PAGE).min(DETAILS_PAGE),
            largest: DETAILS_PAGE,
        };
        self.every_row(query, true, pages, response::details).await
    }

    /// One job, if lists show it. A job that OAR submitted again is in no list until it is scheduled, so
    /// `None` does not prove that there is none; see [`Client::job_direct`].
    pub async fn job(&self, id: u64) -> Result<Option<JobDetails>, Error> {
        let query = JobQuery { ids: vec![id], ..JobQuery::default() };
        Ok(self.details(&query).await?.into_iter().next())
    }

    /// One job, even one that lists do not show yet. OAR answers 500 ([`Error::Server`]) when there is none,
    /// as it does when it is broken.
    pub async fn job_direct(&self, id: u64) -> Result<JobDetails, Error> {
        let answer = self.ask_database(Urgency::Poll, request::job(self.base(), id)?).await?;
        response::job(&answer)
    }

    /// The jobs of `user` named exactly `name`: the live ones, and those that finished in the window (on the
    /// cluster's clock). Ordered by id; where both lists have a job, the second and later view counts.
    pub async fn find_by_name(
        &self,
        user: &str,
        name: &str,
        window: Option<(i64, i64)>,
    ) -> Result<Vec<JobSummary>, Error> {
        let client = self.at(self.urgency.unwrap_or(Urgency::Doubt));
        let live = JobQuery { user: Some(user.to_owned()), ..JobQuery::default() };
        let mut queries = vec![live.clone()];
        if window.is_some() {
            queries.push(JobQuery { window, ..live });
        }
        let mut found = BTreeMap::new();
        for query in queries {
            let jobs = client.list_all(&query).await?;
            let named = jobs.into_iter().filter(|j| j.name.as_deref() == Some(name));
            found.extend(named.map(|job| (job.id, job)));
        }
        Ok(found.into_values().collect())
    }

    /// Reads a list page by page, again with larger pages when it moved.
    pub(super) async fn every_page<T: Row>(
        &self,
        (urgency, pages): (Urgency, Pages),
        request: impl Fn(u64, u64) -> Result<Request<Bytes>, Error>,
        read: ReadPage<T>,
    ) -> Result<Vec<T>, Error> {
        let mut size = pages.size;
        for _ in 0..WALKS {
            let mut walk = Walk::new(pages.first, size);
            loop {
                let request = request(walk.offset(), walk.limit())?;
                match walk.take(read(&self.ask_database(urgency, request).await?)?) {
                    Step::More => {}
                    Step::Done => return Ok(walk.into_rows()),
                    Step::Moved(total) => {
                        size = (total + total / 4).clamp(size, size.max(pages.largest));
                        break;
                    }
                }
            }
        }
        let text = format!("it moved {WALKS} times");
        Err(Error::garbled("a list that holds still while it is read", text))
    }

    async fn every_row<T: Row>(
        &self,
        query: &JobQuery,
        details: bool,
        pages: Pages,
        read: ReadPage<T>,
    ) -> Result<Vec<T>, Error> {
        query.validate()?;
        if query.ids.is_empty() {
            let request = |offset, limit| {
                let part = JobQuery { offset, limit, ..query.clone() };
                request::jobs(self.base(), &part, details)
            };
            return self.every_page((Urgency::Poll, pages), request, read).await;
        }
        let mut rows = Vec::new();
        for part in self.split(query, pages.size as usize)? {
            let page = self.page(&part, details, read).await?;
            rows.extend(page.map(|page| page.items).unwrap_or_default());
        }
        Ok(rows)
    }

    async fn page<T>(&self, query: &JobQuery, details: bool, read: ReadPage<T>) -> Result<Option<Page<T>>, Error> {
        let request = request::jobs(self.base(), query, details)?;
        read(&self.ask_database(Urgency::Poll, request).await?)
    }

    /// The query once for each group of ids that fits a URL and a page; unchanged without ids. Each group is
    /// one page, so an offset has no meaning in it.
    fn split(&self, query: &JobQuery, most: usize) -> Result<Vec<JobQuery>, Error> {
        if query.ids.is_empty() {
            return Ok(vec![query.clone()]);
        }
        let chunks = chunk_ids(self.base(), query, self.settings().max_url, most)?;
        let parts = chunks.into_iter().map(|ids| JobQuery { offset: 0, limit: ids.len() as u64, ids, ..query.clone() });
        Ok(parts.collect())
    }
}

fn page_size(query: &JobQuery, default: u64) -> u64 {
    match query.limit {
        0 => default,
        limit => limit,
    }
}
