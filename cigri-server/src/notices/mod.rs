//! Telling people what happens: events become notices, notices become messages.
//!
//! A task gathers events that were not told yet into notices, by subscription and topic; one task for each kind of
//! message sends what is due. None of them is waited for by anything else, and what cannot be sent waits in the database.

mod deliver;
mod gather;
mod mail;
mod webhook;
mod xmpp;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cigri_core::notice::{Item, Kind, Message};
use cigri_store::SubscriptionRow;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::clock::now_ms;
use crate::grid::Grid;
use crate::settings::{NotificationSettings, Password};

pub(crate) use mail::is_address as is_mail_address;
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

    pub(crate) fn text(&self) -> &str {
        match self {
            Failure::Channel { text, .. } | Failure::Recipient(text) => text,
        }
    }
}

/// Gathers and delivers until `stop`. A task that panics is started again by its next turn of the loop.
pub(crate) async fn run(grid: Arc<Grid>, stop: CancellationToken) {
    let mut tasks = vec![tokio::spawn(gather::run(Arc::clone(&grid), stop.clone()))];
    tasks.extend(Kind::ALL.map(|kind| tokio::spawn(deliver::run(Arc::clone(&grid), kind, stop.clone()))));
    for task in tasks {
        if let Err(error) = task.await {
            tracing::error!("notifications stopped: {error}");
        }
    }
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
    let body = json!({"version": 1, "subject": message.subject, "text": message.text, "events": items, "sent_at": at});
    let post = webhook::Post { url: &to.identity, secret: &secret, body: body.to_string(), at };
    webhook::send(&settings.webhook, post).await
}

/// A password of the configuration, or of the file that it names.
fn secret_of(password: &Password, file: &Path) -> Result<String, String> {
    if file.as_os_str().is_empty() {
        return Ok(password.0.clone());
    }
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
