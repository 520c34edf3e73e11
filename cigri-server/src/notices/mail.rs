//! Mail over SMTP, with TLS and a login where the administrator says so.

use std::time::Duration;

use cigri_core::notice::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error};
use lettre::{AsyncTransport, Tokio1Executor};
use sha2::{Digest, Sha256};

use super::{Failure, secret_of};
use crate::settings::{MailSettings, MailTls};

/// How long one command may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends a message; the server's own words when it took it.
pub(super) async fn send(settings: &MailSettings, to: &str, message: &Message) -> Result<String, Failure> {
    if settings.host.is_empty() {
        return Err(Failure::lasting("this server sends no mail: its admin would set [notifications.mail]".to_owned()));
    }
    let mail = compose(settings, to, message)?;
    let sent = transport(settings)?.send(mail).await.map_err(|error| failure(&error))?;
    let words: Vec<&str> = sent.message().collect();
    Ok(format!("{} {}", sent.code(), words.join(" ")))
}

/// Whether mail can be addressed so.
pub(crate) fn is_address(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok()
}

fn compose(settings: &MailSettings, to: &str, message: &Message) -> Result<lettre::Message, Failure> {
    let from: Mailbox = settings.from.parse().map_err(|error| Failure::lasting(format!("mail.from: {error}")))?;
    let to: lettre::Address = to.parse().map_err(|error| Failure::Recipient(format!("{to}: {error}")))?;
    let id = format!("<cigri.{}@{}>", digest(&to, message), from.email.domain());
    lettre::Message::builder()
        .from(from)
        .to(Mailbox::new(None, to))
        .subject(&message.subject)
        // The same message sent twice, after a crash, is known by its id.
        .message_id(Some(id))
        .header(ContentType::TEXT_PLAIN)
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .body(message.text.clone())
        .map_err(|error| Failure::Recipient(error.to_string()))
}

fn digest(to: &lettre::Address, message: &Message) -> String {
    let digest = Sha256::new().chain_update(to.to_string()).chain_update(&message.subject).chain_update(&message.text);
    digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn transport(settings: &MailSettings) -> Result<AsyncSmtpTransport<Tokio1Executor>, Failure> {
    let (tls, port) = match settings.tls {
        MailTls::None => (Tls::None, 25),
        MailTls::Starttls => (Tls::Required(trust(settings)?), 587),
        MailTls::Implicit => (Tls::Wrapper(trust(settings)?), 465),
    };
    let port = if settings.port == 0 { port } else { settings.port };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host).port(port).tls(tls);
    if !settings.user.is_empty() {
        let password = secret_of(&settings.password, &settings.password_file).map_err(Failure::lasting)?;
        builder = builder.credentials(Credentials::new(settings.user.clone(), password));
    }
    Ok(builder.timeout(Some(PATIENCE)).build())
}

fn trust(settings: &MailSettings) -> Result<TlsParameters, Failure> {
    let mut parameters = TlsParameters::builder(settings.host.clone()).certificate_store(CertificateStore::Default);
    if !settings.ca_file.as_os_str().is_empty() {
        let failed = |error: String| Failure::lasting(format!("{}: {error}", settings.ca_file.display()));
        let pem = std::fs::read(&settings.ca_file).map_err(|error| failed(error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| failed(error.to_string()))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    parameters.build().map_err(|error| Failure::lasting(error.to_string()))
}

/// Replies of a server that refuses the login: RFC 4954.
const LOGIN_REFUSED: [u16; 5] = [503, 530, 534, 535, 538];

fn failure(error: &Error) -> Failure {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    let status = error.status().map(u16::from);
    match status {
        Some(status) if LOGIN_REFUSED.contains(&status) => Failure::lasting(text),
        Some(421 | 432 | 454) => Failure::passing(text),
        Some(_) => Failure::Recipient(text),
        None if error.is_client() || error.is_tls() => Failure::lasting(text),
        None => Failure::passing(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_is_plain_text_from_a_machine_with_an_id_of_its_own() {
        let settings = MailSettings { from: "CiGri <cigri@example.org>".to_owned(), ..MailSettings::default() };
        let message = Message { subject: "[CIGRI] (high): campaign 7 (é)".to_owned(), text: "déjà\nvu".to_owned() };
        let text = |message: &Message| {
            let mail = compose(&settings, "alice@example.org", message).map_err(|_| "no mail").unwrap();
            String::from_utf8(mail.formatted()).unwrap()
        };
        let mail = text(&message);
        for line in ["From: CiGri <cigri@example.org>", "To: alice@example.org", "Auto-Submitted: auto-generated"] {
            assert!(mail.contains(line), "{line}: {mail}");
        }
        let id = |mail: &str| mail.lines().find(|line| line.starts_with("Message-ID:")).map(str::to_owned);
        assert_eq!(id(&mail), id(&text(&message)));
        assert_ne!(id(&mail), id(&text(&Message { text: "other".to_owned(), ..message })));
    }

    #[test]
    fn addresses_are_told_from_other_words() {
        assert!(is_address("alice@example.org"));
        for wrong in ["alice", "alice@example.org\r\nBcc: eve@example.org", "a b@c"] {
            assert!(!is_address(wrong), "{wrong}");
        }
    }
}
