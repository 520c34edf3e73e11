//! A sensor that is a URL: one GET, bounded in time, length and the hosts that it leads to.

use std::sync::LazyLock;
use std::time::Duration;

use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, retry};

use super::MOST_BYTES;

/// Redirections that are followed.
const MOST_HOPS: usize = 5;

/// The body of the answer, if it is a good one within `patience`; else what is wrong with it.
pub(super) async fn get(url: &str, patience: Duration) -> Result<String, String> {
    static CLIENT: LazyLock<Result<Client, String>> = LazyLock::new(client);
    let client = CLIENT.as_ref().map_err(Clone::clone)?;
    // The URL may hold a password: errors do not show it.
    let failed = |error: reqwest::Error| words(&error.without_url(), patience);
    let mut answer = client.get(url).timeout(patience).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(format!("its URL answers {}", answer.status()));
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST_BYTES {
            return Err(format!("its URL answers more than {} KB", MOST_BYTES >> 10));
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn words(error: &reqwest::Error, patience: Duration) -> String {
    if error.is_timeout() {
        return format!("its URL gives no answer within {} s", patience.as_secs_f64());
    }
    let mut text = format!("its URL cannot be read: {error}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

fn client() -> Result<Client, String> {
    // Fails only if another part of the program chose a provider before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(Policy::custom(same_host)).retry(retry::never()).referer(false);
    client.no_proxy().build().map_err(|error| error.to_string())
}

/// Another host was not what the admin named.
fn same_host(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let origin = |url: &reqwest::Url| url.origin();
    let first = attempt.previous().first().map(origin);
    if first != Some(origin(attempt.url())) {
        return attempt.error("it redirects to another host");
    }
    if attempt.previous().len() > MOST_HOPS { attempt.error("it redirects too often") } else { attempt.follow() }
}
