//! How notifications go out: `[notifications]` and its tables.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A password: never shown.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Password(pub String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "Password()" } else { "Password(****)" })
    }
}

/// What holds for all kinds of messages, and each kind's own table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NotificationSettings {
    /// Seconds between two messages about the same campaign, or cluster, and code.
    pub period_s: u64,
    /// Hours for which a message is tried; then it is given up.
    pub keep_trying_h: u64,
    /// Mail.
    pub mail: MailSettings,
    /// Jabber.
    pub xmpp: XmppSettings,
    /// POSTs to users' URLs.
    pub webhook: WebhookSettings,
}

impl Default for NotificationSettings {
    fn default() -> NotificationSettings {
        NotificationSettings {
            period_s: 3600,
            keep_trying_h: 72,
            mail: MailSettings::default(),
            xmpp: XmppSettings::default(),
            webhook: WebhookSettings::default(),
        }
    }
}

/// How TLS begins on a connection to a mail server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum MailTls {
    /// Never: for a server on this machine.
    None,
    /// By STARTTLS; a server without it gets no mail.
    #[default]
    Starttls,
    /// From the first byte on.
    Implicit,
}

impl TryFrom<String> for MailTls {
    type Error = String;

    fn try_from(word: String) -> Result<MailTls, String> {
        match word.as_str() {
            "none" => Ok(MailTls::None),
            "starttls" => Ok(MailTls::Starttls),
            "implicit" => Ok(MailTls::Implicit),
            _ => Err(format!("`notifications.mail.tls` is \"none\", \"starttls\" or \"implicit\", not \"{word}\"")),
        }
    }
}

/// The mail server that takes messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailSettings {
    /// Its name; empty: no mail is sent.
    pub host: String,
    /// Its port; 0: the usual one of `tls`.
    pub port: u16,
    /// How TLS begins.
    pub tls: MailTls,
    /// The sender, like `CiGri <cigri@example.org>`.
    pub from: String,
    /// Login there; empty: none.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// A file that holds it instead.
    pub password_file: PathBuf,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca_file: PathBuf,
}

/// The Jabber account that sends messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct XmppSettings {
    /// Its address, like `cigri@example.org`; empty: none is sent.
    pub jid: String,
    /// Its password.
    pub password: Password,
    /// A file that holds it instead.
    pub password_file: PathBuf,
    /// Host and port of its server; empty: port 5222 of the address's domain.
    pub server: String,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca_file: PathBuf,
}

/// Where users may have POSTs sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhookSettings {
    /// Also to `http://` URLs.
    pub allow_http: bool,
    /// Also to addresses of this machine and of private networks.
    pub allow_private: bool,
}

/// Longest period: a day.
const LONGEST_S: u64 = 86_400;
/// Longest time for tries: a month.
const LONGEST_H: u64 = 720;

impl NotificationSettings {
    /// All that makes no sense, each with its place.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |is_wrong: bool, problem: &str| {
            if is_wrong {
                problems.push(format!("`notifications.{problem}"));
            }
        };
        let (mail, xmpp) = (&self.mail, &self.xmpp);
        check(self.period_s > LONGEST_S, "period_s` is a number of seconds up to 86400, a day");
        check(!(1..=LONGEST_H).contains(&self.keep_trying_h), "keep_trying_h` is a number of hours from 1 to 720");
        let wants_sender = !mail.host.is_empty() && mail.from.parse::<lettre::message::Mailbox>().is_err();
        check(wants_sender, "mail.from` is the sender's address, like \"CiGri <cigri@example.org>\"");
        let has_password = |password: &Password, file: &PathBuf| !password.0.is_empty() || !file.as_os_str().is_empty();
        let lacks = !mail.user.is_empty() && !has_password(&mail.password, &mail.password_file);
        check(lacks, "mail.password` or `password_file` is needed with `user`");
        check(!mail.user.is_empty() && mail.tls == MailTls::None, "mail.tls` is none: the password would go in clear");
        let is_account = xmpp.jid.split_once('@').is_some_and(|(node, domain)| !node.is_empty() && !domain.is_empty());
        check(!xmpp.jid.is_empty() && !is_account, "xmpp.jid` is an account's address, like cigri@example.org");
        let lacks = !xmpp.jid.is_empty() && !has_password(&xmpp.password, &xmpp.password_file);
        check(lacks, "xmpp.password` or `password_file` is needed with `jid`");
        problems
    }
}
