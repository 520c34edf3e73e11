//! Everything but jobs: files, resources, tokens, health.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::client::Client;
use crate::client::jobs::Pages;
use crate::error::Error;
use crate::outcome::Version;
use crate::property_kinds::{ColumnKind, column_kinds};
use crate::query::JobQuery;
use crate::resource::{Census, Resource};
use crate::token::Token;
use crate::urgency::Urgency;
use crate::{request, response};

const RESOURCE_PAGE: u64 = 500;
/// Rows without details are a tenth as long.
const STATES_PAGE: u64 = 1000;
const LARGEST_STATES_PAGE: u64 = 5000;
/// Bytes of an answer that holds what a job printed.
const LONGEST_MEDIA: usize = 16 << 20;
/// Bytes of an answer that holds a file's last lines.
const LONGEST_TAIL: usize = 256 << 10;
/// Bytes of an answer that holds any other file.
const LONGEST_FILE: usize = 64 << 20;

impl Client {
    /// A file on the cluster as the token's user sees it, or its last `tail` lines; `None` if there is none.
    pub async fn media(&self, token: &Token, path: &str, tail: Option<u32>) -> Result<Option<Bytes>, Error> {
        self.check_path(path)?;
        let request = request::media(self.base(), token, path, tail)?;
        response::media(&self.ask_media(request, LONGEST_MEDIA).await?)
    }

    /// The last `lines` lines of a file on the cluster as the token's user sees it; `None` if there is none.
    ///
    /// # Errors
    /// `Garbled`, without reading on, where these lines are longer than 256 kB, or the cluster sends the whole file.
    pub async fn tail(&self, token: &Token, path: &str, lines: u32) -> Result<Option<Bytes>, Error> {
        self.check_path(path)?;
        let request = request::media(self.base(), token, path, Some(lines))?;
        response::media(&self.ask_media(request, LONGEST_TAIL).await?)
    }

    /// A whole file of at most 64 MB on the cluster, as the token's user sees it; `None` if there is none.
    pub async fn file(&self, token: &Token, path: &str) -> Result<Option<Bytes>, Error> {
        self.check_path(path)?;
        let request = request::media(self.base(), token, path, None)?;
        response::media(&self.ask_media(request, LONGEST_FILE).await?)
    }

    fn check_path(&self, path: &str) -> Result<(), Error> {
        if self.settings().reads_any_path || request::is_readable_path(path) {
            return Ok(());
        }
        Err(Error::invalid("path_filename", "OAR cannot read a path with a blank, `$`, `,` or a backtick"))
    }

    /// All resources with all their columns, ordered by id.
    pub async fn resources(&self) -> Result<Vec<Resource>, Error> {
        self.every_page(
            (Urgency::Submit, Pages { first: 0, size: RESOURCE_PAGE, largest: RESOURCE_PAGE }),
            |offset, limit| request::resources(self.base(), offset, limit),
            response::resources,
        )
        .await
    }

    /// How many resources there are, busy and out of order, with as little as OAR can be asked: a request for each
    /// thousand resources, and one for what jobs hold. It waits behind everything else.
    pub async fn census(&self) -> Result<Census, Error> {
        let pages = Pages { first: 0, size: STATES_PAGE, largest: LARGEST_STATES_PAGE };
        let all = self
            .every_page(
                (Urgency::Logs, pages),
                |offset, limit| request::resource_states(self.base(), offset, limit),
                response::resources,
            )
            .await?;
        let request = request::get(self.base(), "/resources/busy", None)?;
        let busy = response::busy(&self.ask_database(Urgency::Logs, request).await?)?;
        let unavailable = all.iter().filter(|resource| resource.state != "Alive").count() as u64;
        Ok(Census { total: all.len() as u64, busy, unavailable })
    }

    /// The names that a `property` may use; empty for a cluster without resources.
    pub async fn columns(&self) -> Result<BTreeSet<String>, Error> {
        let request = request::resources(self.base(), 0, 1)?;
        let page = response::resources(&self.ask_database(Urgency::Submit, request).await?)?;
        let first = page.map(|page| page.items).unwrap_or_default();
        Ok(column_kinds(&first).into_keys().collect())
    }

    /// The names that a `property` may use and what they hold, from the values on all resources.
    pub async fn column_kinds(&self) -> Result<BTreeMap<String, ColumnKind>, Error> {
        Ok(column_kinds(&self.resources().await?))
    }

    /// What the site's script says of the load (OAR's own script: the load average, not a fraction);
    /// `None` when it says nothing.
    pub async fn stress_factor(&self) -> Result<Option<f64>, Error> {
        let request = request::get(self.base(), "/stress_factor", None)?;
        response::stress_factor(&self.ask(Urgency::Poll, request).await?)
    }

    /// The server's versions. Says nothing about its health.
    pub async fn version(&self) -> Result<Version, Error> {
        let request = request::get(self.base(), "/version", None)?;
        response::version(&self.ask(Urgency::Poll, request).await?)
    }

    /// Whom the server sees in the token; `None` if it is bad or expired. Revocation is not looked at.
    pub async fn whoami(&self, token: &Token) -> Result<Option<String>, Error> {
        let request = request::get(self.base(), "/whoami", Some(token))?;
        response::whoami(&self.ask(Urgency::Poll, request).await?)
    }

    /// The user of a valid token; [`Error::Unauthorized`] if it is bad, expired or revoked.
    pub async fn check_token(&self, token: &Token) -> Result<String, Error> {
        let request = request::get(self.base(), "/check_token", Some(token))?;
        response::checked_token(&self.ask(Urgency::Poll, request).await?)
    }

    /// A new token for the same user, with its full life before it. Impossible once the old one expired.
    pub async fn renew_token(&self, token: &Token) -> Result<Token, Error> {
        let request = request::get(self.base(), "/get_new_token", Some(token))?;
        response::new_token(&self.ask(Urgency::Poll, request).await?)
    }

    /// Whether the API can reach its database, which `GET /` cannot tell.
    pub async fn probe(&self) -> Result<(), Error> {
        let one = JobQuery { limit: 1, ..JobQuery::default() };
        let request = request::jobs(self.base(), &one, false)?;
        response::summaries(&self.ask_database(Urgency::Poll, request).await?).map(drop)
    }
}
