//! Notifications: who is told of an event, when, and in which words.
//!
//! What happens is counted by topic: one (campaign or cluster, code) of one subscription. A topic is told at once when it
//! is new; then at most once per period, with how often it happened since. The counts wait while a server that takes
//! messages is away, so nothing is lost then and nothing comes as a flood afterwards.

mod finish;
mod text;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::event::{Code, Severity};

pub use finish::Finish;
pub use text::{Item, Message, compose, fitting, test_message};

/// How a message goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Electronic mail.
    Mail,
    /// Jabber.
    Xmpp,
    /// A signed POST to a URL.
    Webhook,
    /// The server's log.
    Log,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 4] = [Kind::Mail, Kind::Xmpp, Kind::Webhook, Kind::Log];

    /// The stored word; CiGri 3's where it has one.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Mail => "mail",
            Kind::Xmpp => "xmpp",
            Kind::Webhook => "webhook",
            Kind::Log => "log",
        }
    }

    /// The kind of a stored word, or of one in a route (`jabber` is XMPP).
    pub fn of(word: &str) -> Option<Kind> {
        let word = if word == "jabber" { "xmpp" } else { word };
        Kind::ALL.into_iter().find(|kind| kind.as_str() == word)
    }
}

/// The severity of a stored word.
pub fn severity(word: &str) -> Option<Severity> {
    [Severity::Low, Severity::Medium, Severity::High].into_iter().find(|severity| severity.as_str() == word)
}

/// Who wants to be told, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// Login of the subscriber.
    pub owner: &'a str,
    /// From this severity on.
    pub severity: Severity,
    /// Also of what concerns clusters and the service.
    pub admins: bool,
}

/// What happened, as far as it decides who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened<'a> {
    /// The event's code.
    pub code: &'a str,
    /// How urgent it is.
    pub severity: Severity,
    /// Campaign concerned.
    pub campaign: Option<i64>,
    /// Cluster concerned.
    pub cluster: Option<&'a str>,
    /// The campaign's owner, or the user concerned.
    pub owner: Option<&'a str>,
}

/// Whether a subscriber is told: users of their campaigns and their (user, cluster), admins of clusters and the service.
/// `muted` holds what subscribers do not want to hear of, as (login, campaign).
pub fn concerns(wanted: &Wanted<'_>, happened: &Happened<'_>, muted: &BTreeSet<(String, i64)>) -> bool {
    if happened.severity < wanted.severity {
        return false;
    }
    let is_muted = |campaign| muted.contains(&(wanted.owner.to_owned(), campaign));
    match (happened.campaign, happened.owner) {
        (Some(campaign), Some(owner)) => owner == wanted.owner && !is_muted(campaign),
        (None, Some(owner)) => owner == wanted.owner,
        (Some(_), None) => false,
        (None, None) => wanted.admins,
    }
}

/// Under which key repetitions are counted: per campaign, else per cluster and user, and code.
pub fn topic(happened: &Happened<'_>) -> String {
    match happened.campaign {
        Some(campaign) => format!("{}|{campaign}", happened.code),
        None => format!(
            "{}|@{}/{}",
            happened.code,
            happened.cluster.unwrap_or_default(),
            happened.owner.unwrap_or_default()
        ),
    }
}

/// When a topic that was told at `sent_at` is told again; all times in milliseconds. With a digest of so many hours, at
/// its next full multiple, so that everything comes in one message.
pub fn due_at(code: &str, digest_h: Option<i64>, sent_at: Option<i64>, (now, period_ms): (i64, i64)) -> i64 {
    if let Some(hours) = digest_h {
        let span = hours.max(1) * HOUR_MS;
        return now.div_euclid(span) * span + span;
    }
    match sent_at {
        // Each end is news, and there is one per campaign.
        Some(at) if code != Code::Finished.as_str() => now.max(at + period_ms),
        _ => now,
    }
}

const HOUR_MS: i64 = 3_600_000;

/// Shortest and longest pause between two tries, in milliseconds.
const PAUSE_MS: (i64, i64) = (5_000, HOUR_MS);

/// How long to wait after so many failed tries, in milliseconds: doubled each time up to an hour, and between half and all
/// of that by `chance`, so that what failed together does not come back together.
pub fn pause_ms(tries: u32, chance: u64) -> i64 {
    let factor = 1i64 << tries.saturating_sub(1).min(20);
    let longest = PAUSE_MS.0.saturating_mul(factor).min(PAUSE_MS.1);
    longest / 2 + (chance % (longest / 2).max(1) as u64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happened(
        campaign: Option<i64>,
        cluster: Option<&'static str>,
        owner: Option<&'static str>,
    ) -> Happened<'static> {
        Happened { code: "EXIT_ERROR", severity: Severity::Medium, campaign, cluster, owner }
    }

    fn told(login: &str, severity: Severity, admins: bool, happened: &Happened<'_>) -> bool {
        let muted = BTreeSet::from([("alice".to_owned(), 9)]);
        concerns(&Wanted { owner: login, severity, admins }, happened, &muted)
    }

    #[test]
    fn users_hear_of_their_own_and_admins_of_clusters_and_the_service() {
        let own = happened(Some(7), Some("dahu"), Some("alice"));
        assert!(told("alice", Severity::Low, false, &own));
        assert!(!told("bob", Severity::Low, false, &own) && !told("ada", Severity::Low, true, &own));
        let token = happened(None, Some("dahu"), Some("alice"));
        assert!(told("alice", Severity::Low, false, &token) && !told("ada", Severity::Low, true, &token));
        let cluster = happened(None, Some("dahu"), None);
        assert!(told("ada", Severity::Low, true, &cluster) && !told("ada", Severity::Low, false, &cluster));
        assert!(told("ada", Severity::Low, true, &happened(None, None, None)));
    }

    #[test]
    fn a_threshold_and_a_mute_keep_events_away() {
        let own = happened(Some(7), None, Some("alice"));
        assert!(told("alice", Severity::Medium, false, &own));
        assert!(!told("alice", Severity::High, false, &own));
        assert!(!told("alice", Severity::Low, false, &happened(Some(9), None, Some("alice"))), "muted");
    }

    #[test]
    fn a_topic_is_one_campaign_or_cluster_and_one_code() {
        let on = |cluster| topic(&happened(Some(7), Some(cluster), Some("alice")));
        assert_eq!(on("dahu"), on("luke"), "a campaign's clusters do not multiply its messages");
        assert_ne!(topic(&happened(None, Some("dahu"), None)), topic(&happened(None, Some("luke"), None)));
    }

    #[test]
    fn the_first_comes_at_once_and_the_next_after_the_period() {
        assert_eq!(due_at("A", None, None, (5000, 1000)), 5000);
        assert_eq!(due_at("A", None, Some(4500), (5000, 1000)), 5500);
        assert_eq!(due_at("A", None, Some(1000), (5000, 1000)), 5000);
        assert_eq!(due_at("FINISHED_CAMPAIGN", None, Some(4500), (5000, 1000)), 5000);
        assert_eq!(due_at("A", Some(24), None, (HOUR_MS * 30, 1000)), HOUR_MS * 48, "midnight, UTC");
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        assert!((2500..=5000).contains(&pause_ms(1, 12345)));
        assert!((5000..=10000).contains(&pause_ms(2, u64::MAX)));
        assert!((HOUR_MS / 2..=HOUR_MS).contains(&pause_ms(40, 77)));
    }
}
