//! Telling people what happens: events become notices, notices become messages.
//!
//! A task gathers events that were not told yet into notices, by subscription and topic; one task for each kind of
//! message sends what is due. None of them is waited for by anything else, and what cannot be sent waits in the database.

mod deliver;
mod gather;
mod mail;
mod turns;
mod webhook;
mod xmpp;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cigri_core::notice::{Item, Kind, Message, fitting};
use cigri_store::SubscriptionRow;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::grid::Grid;
use crate::settings::{NotificationSettings, Password};

pub(crate) use mail::is_address as is_mail_address;
pub(crate) use turns::Turns;
pub(crate) use webhook::check as check_url;
pub(crate) use xmpp::is_address as is_xmpp_address;

/// How often is looked whether there is something to tell.
const TICK: Duration = Duration::from_secs(2);

/// Why a message did not go out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// None of this kind goes out now. `lasting`: until somebody mends it.
    Channel {
        /// What was said.
        text: String,
        /// Whether a person is needed.
        lasting: bool,
    },
    /// This subscriber cannot be reached.
    Recipient(String),
}

impl Failure {
    fn lasting(text: String) -> Failure {
        Failure::Channel { text, lasting: true }
    }

    fn passing(text: String) -> Failure {
        Failure::Channel { text, lasting: false }
    }

    fn into_text(self) -> String {
        match self {
            Failure::Channel { text, .. } | Failure::Recipient(text) => text,
        }
    }

    pub(crate) fn text(&self) -> &str {
        match self {
            Failure::Channel { text, .. } | Failure::Recipient(text) => text,
        }
    }
}

/// How long a task that panicked rests.
const REST: Duration = Duration::from_secs(1);

/// Gathers and delivers until `stop`.
pub(crate) async fn run(grid: Arc<Grid>, stop: CancellationToken) {
    let gathers = keep(REST, &stop, || gather::run(Arc::clone(&grid), stop.clone()));
    let delivers = Kind::ALL.map(|kind| {
        let (grid, stop) = (&grid, &stop);
        keep(REST, stop, move || deliver::run(Arc::clone(grid), kind, stop.clone()))
    });
    futures_util::join!(gathers, futures_util::future::join_all(delivers));
}

/// Runs a task, again and again if it panics: the others go on meanwhile.
async fn keep<F: Future<Output = ()> + Send + 'static>(
    rest: Duration,
    stop: &CancellationToken,
    start: impl Fn() -> F,
) {
    while let Err(error) = tokio::spawn(start()).await {
        tracing::error!("a task of notifications failed and is started again: {error}");
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Work that reads files, on a thread made for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Failure::passing(format!("the preparation of a message failed: {error}"))))
}

/// Sends one message to a subscriber; what the other side said when it took it.
pub(crate) async fn send(
    grid: &Grid,
    to: &SubscriptionRow,
    message: &Message,
    items: &[Item],
) -> Result<String, Failure> {
    let settings = &grid.notifications;
    match Kind::of(&to.kind) {
        Some(Kind::Mail) => mail::send(&settings.mail, &to.identity, message).await,
        Some(Kind::Xmpp) => xmpp::send(&settings.xmpp, &to.identity, message).await,
        Some(Kind::Webhook) => post(grid, settings, (to, message, items)).await,
        Some(Kind::Log) => {
            tracing::info!(target: "notifications", owner = %to.owner, subject = %message.subject, "{}", message.text);
            Ok("written to the server's log".to_owned())
        }
        None => Err(Failure::Recipient(format!("`{}` is no kind of message", to.kind))),
    }
}

async fn post(
    grid: &Grid,
    settings: &NotificationSettings,
    (to, message, items): (&SubscriptionRow, &Message, &[Item]),
) -> Result<String, Failure> {
    let sealed = to.secret.as_deref().unwrap_or_default();
    let secret = grid.sealer.unseal(sealed).map_err(|error| Failure::Recipient(error.to_string()))?;
    let at = now_ms() / 1000;
    let body = body(message, items, at);
    let post = webhook::Post { url: &to.identity, secret: &secret, body, at };
    webhook::send(&settings.webhook, post).await
}

/// What a URL gets: as many events as the text has, and how many `more` there are.
fn body(message: &Message, items: &[Item], at: i64) -> String {
    let events = fitting(items);
    let more = items.len() - events.len();
    let (subject, text) = (&message.subject, &message.text);
    json!({"version": 1, "subject": subject, "text": text, "events": events, "more": more, "sent_at": at}).to_string()
}

/// A password of the configuration, or of the file that it names.
fn secret_of(password: &Password, file: &Path) -> Result<String, String> {
    if file.as_os_str().is_empty() {
        return Ok(password.0.clone());
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use cigri_core::event::Severity;
    use cigri_core::notice::compose;

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again() {
        let starts = Arc::new(AtomicU32::new(0));
        let stop = CancellationToken::new();
        keep(Duration::ZERO, &stop, || {
            let starts = Arc::clone(&starts);
            async move { assert!(starts.fetch_add(1, Ordering::Relaxed) == 2, "it panics twice") }
        })
        .await;
        assert_eq!(starts.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_url_gets_a_body_of_bounded_length() {
        let item = Item {
            code: "EXIT_ERROR".to_owned(),
            severity: Severity::High,
            campaign: Some(7),
            cluster: None,
            title: "campaign 7".to_owned(),
            message: "x".repeat(100_000),
            advice: String::new(),
            times: 1,
            first_at: 0,
            last_at: 0,
            told_at: None,
        };
        let items = vec![item; 1000];
        let text = body(&compose(&items), &items, 0);
        assert!(text.len() < 100_000, "{}", text.len());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let told = value["events"].as_array().unwrap().len() as u64;
        assert!(told > 0 && value["more"] == 1000 - told, "{told}");
    }
}
