//! Notifications on the wire. Field names and words are CiGri 3's where it has them.

use serde::{Deserialize, Serialize};

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// Its id.
    pub id: i64,
    /// Login of the subscriber.
    pub grid_user: String,
    /// `mail`, `xmpp`, `webhook` or `log`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Address, JID or URL.
    pub identity: String,
    /// From this severity on: `low`, `medium` or `high`.
    pub severity: String,
    /// Hours of which everything comes in one message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_h: Option<i64>,
    /// Whether events of clusters and of the service are told as well.
    #[serde(default)]
    pub admin: bool,
    /// Topics that wait to be told.
    #[serde(default)]
    pub waiting: i64,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// The key of a webhook's signatures: only in the answer to the request that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// `POST /notifications/{kind}`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewSubscription {
    /// Address, JID or URL; nothing for the log.
    #[serde(default)]
    pub identity: String,
    /// From this severity on.
    #[serde(default = "medium")]
    pub severity: String,
    /// Hours of which everything comes in one message (1 to 168).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_h: Option<i64>,
    /// Events of clusters and of the service as well: for admins. Root's by default, as in CiGri 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<bool>,
    /// The key of a webhook's signatures; one is made where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

fn medium() -> String {
    "medium".to_owned()
}

impl std::fmt::Debug for NewSubscription {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NewSubscription {{ identity: {:?}, severity: {:?} }}", self.identity, self.severity)
    }
}

/// What became of a test message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tested {
    /// `mail`, `xmpp`, `webhook` or `log`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Address, JID or URL.
    pub identity: String,
    /// Whether the other side took it.
    pub taken: bool,
    /// What the other side said, or what went wrong.
    pub answer: String,
}
