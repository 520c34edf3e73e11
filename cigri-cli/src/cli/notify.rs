//! `cigri notify`: who is told of what happens, and how.

use clap::{Args, Subcommand, ValueEnum};

use crate::place::Selector;

pub(super) const EXAMPLES: &str = "\
Examples:
  cigri notify add mail alice@example.org --severity high
  cigri notify add mail alice@example.org --digest 24h
  cigri notify add webhook https://example.org/cigri
  cigri notify test
  cigri notify mute 7
";

/// `cigri notify ...`.
#[derive(Debug, Subcommand)]
pub(crate) enum NotifyCommand {
    /// List how you are told, and what waits
    List {
        /// How another user is told (admins only)
        #[arg(long)]
        user: Option<String>,
    },
    /// Be told of your campaigns: of each kind of event once, then how often it happened in an hour
    Add(AddNotification),
    /// End a subscription
    Remove {
        /// How messages go out
        kind: NotificationKind,
        /// The address, as `cigri notify list` shows it
        #[arg(default_value = "", hide_default_value = true)]
        address: String,
        /// Another user's (admins only)
        #[arg(long)]
        user: Option<String>,
    },
    /// Be told nothing more of a campaign
    Mute {
        /// Its number, or `last`
        campaign: Selector,
    },
    /// Be told of a campaign again
    Unmute {
        /// Its number, or `last`
        campaign: Selector,
    },
    /// Send a test message to each of your addresses, and show what became of it: once a minute
    Test,
}

/// A subscription to make.
#[derive(Debug, Args)]
pub(crate) struct AddNotification {
    /// How messages go out
    pub(crate) kind: NotificationKind,
    /// A mail address, a Jabber address or an https:// URL; none for the log
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) address: String,
    /// From this severity on
    #[arg(long, default_value = "medium")]
    pub(crate) severity: SeverityWord,
    /// One message with everything, every so many hours or days
    #[arg(long, value_name = "HOURS", value_parser = hours)]
    pub(crate) digest: Option<i64>,
    /// What concerns clusters and the service as well (admins only)
    #[arg(long)]
    pub(crate) admin: bool,
}

/// How messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum NotificationKind {
    /// Mail.
    Mail,
    /// Jabber (XMPP).
    Jabber,
    /// A signed POST to a URL.
    Webhook,
    /// The server's log (admins only).
    Log,
}

impl NotificationKind {
    /// The word in routes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            NotificationKind::Mail => "mail",
            NotificationKind::Jabber => "jabber",
            NotificationKind::Webhook => "webhook",
            NotificationKind::Log => "log",
        }
    }
}

/// How urgent an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SeverityWord {
    /// Everything.
    Low,
    /// What is worth a look.
    Medium,
    /// What needs somebody.
    High,
}

impl SeverityWord {
    /// The word in requests.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            SeverityWord::Low => "low",
            SeverityWord::Medium => "medium",
            SeverityWord::High => "high",
        }
    }
}

/// `24h`, `7d` or `24`, as hours.
fn hours(text: &str) -> Result<i64, String> {
    let (number, unit) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
        (Some(number), _) => (number, 1),
        (_, Some(number)) => (number, 24),
        _ => (text, 1),
    };
    match number.parse::<i64>().map(|number| number.saturating_mul(unit)) {
        Ok(hours) if (1..=168).contains(&hours) => Ok(hours),
        _ => Err("expected 1h to 168h, or 1d to 7d".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::hours;

    #[test]
    fn a_digest_is_hours_or_days_up_to_a_week() {
        assert_eq!((hours("24h"), hours("7d"), hours("6")), (Ok(24), Ok(168), Ok(6)));
        for wrong in ["0h", "8d", "h", "-1", "1w", "99999999999999999999d"] {
            assert!(hours(wrong).is_err(), "{wrong}");
        }
    }
}
