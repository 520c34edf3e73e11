//! Mail over SMTP, with TLS and a login where the administrator says so.

use std::time::Duration;

use cigri_core::notice::Message;
use lettre::message::Mailbox;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use sha2::{Digest, Sha256};

use super::{Failure, blocking, secret_of};
use crate::settings::{MailSettings, MailTls};

/// How long the way to a login may take, and each command.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a server may look at a recipient or a message: some ask the recipient's own server first.
const LOOKING: Duration = Duration::from_secs(40);
/// How long an answer to our good-bye is waited for.
const GOODBYE: Duration = Duration::from_secs(2);

/// Sends a message; the server's own words when it took it.
pub(super) async fn send(settings: &MailSettings, to: &str, message: &Message) -> Result<String, Failure> {
    if settings.host.is_empty() {
        return Err(Failure::lasting("this server sends no mail: its admin would set [notifications.mail]".to_owned()));
    }
    let mail = compose(settings, to, message)?;
    let own = settings.clone();
    let way = blocking(move || Way::to(&own)).await?;
    let mut connection = within(PATIENCE, way.open()).await.map_err(Refusal::of_all)?;
    let answer = hand_over(&mut connection, &mail).await;
    // Taken or not is decided, whatever becomes of the good-bye.
    within(GOODBYE, connection.quit()).await.ok();
    answer
}

/// What a server refuses before it knows the recipient concerns all mail; afterwards it is about this one.
async fn hand_over(connection: &mut AsyncSmtpConnection, mail: &lettre::Message) -> Result<String, Failure> {
    let from = Mail::new(mail.envelope().from().cloned(), Vec::new());
    within(PATIENCE, connection.command(from)).await.map_err(Refusal::of_all)?;
    for to in mail.envelope().to() {
        let to = Rcpt::new(to.clone(), Vec::new());
        within(LOOKING, connection.command(to)).await.map_err(Refusal::of_one)?;
    }
    within(PATIENCE, connection.command(Data)).await.map_err(Refusal::of_one)?;
    let taken = within(LOOKING, connection.message(&mail.formatted())).await.map_err(Refusal::of_one)?;
    let words: Vec<&str> = taken.message().collect();
    Ok(format!("{} {}", taken.code(), words.join(" ")))
}

/// How to reach the mail server; made of files that may take their time.
struct Way {
    host: String,
    port: u16,
    tls: MailTls,
    trust: Option<TlsParameters>,
    login: Option<Credentials>,
}

impl Way {
    fn to(settings: &MailSettings) -> Result<Way, Failure> {
        let usual = match settings.tls {
            MailTls::None => 25,
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
        };
        let login = match settings.user.is_empty() {
            true => None,
            false => {
                let password = secret_of(&settings.password, &settings.password_file).map_err(Failure::lasting)?;
                Some(Credentials::new(settings.user.clone(), password))
            }
        };
        Ok(Way {
            host: settings.host.clone(),
            port: if settings.port == 0 { usual } else { settings.port },
            tls: settings.tls,
            trust: (settings.tls != MailTls::None).then(|| trust(settings)).transpose()?,
            login,
        })
    }

    async fn open(&self) -> Result<AsyncSmtpConnection, Error> {
        let name = ClientId::default();
        let at_once = self.trust.clone().filter(|_| self.tls == MailTls::Implicit);
        let place = (self.host.as_str(), self.port);
        let mut connection = AsyncSmtpConnection::connect_tokio1(place, Some(PATIENCE), &name, at_once, None).await?;
        if let Some(trust) = self.trust.clone().filter(|_| self.tls == MailTls::Starttls) {
            connection.starttls(trust, &name).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }
}

/// Why a step failed: the server's answer, or none in time.
enum Refusal {
    Error(Error),
    Silence(Duration),
}

async fn within<T>(limit: Duration, step: impl Future<Output = Result<T, Error>>) -> Result<T, Refusal> {
    match tokio::time::timeout(limit, step).await {
        Ok(done) => done.map_err(Refusal::Error),
        Err(_) => Err(Refusal::Silence(limit)),
    }
}

impl Refusal {
    /// A person is needed where it is refused for good (RFC 5321, section 4.2.1), or TLS does not come about.
    fn of_all(self) -> Failure {
        match &self {
            Refusal::Error(error) if error.is_permanent() || error.is_client() || error.is_tls() => {
                Failure::lasting(self.text())
            }
            _ => Failure::passing(self.text()),
        }
    }

    fn of_one(self) -> Failure {
        match &self {
            Refusal::Error(error) if error.status().map(u16::from) == Some(GOING_AWAY) => Failure::passing(self.text()),
            _ => Failure::Recipient(self.text()),
        }
    }

    fn text(&self) -> String {
        match self {
            // It says its cause itself.
            Refusal::Error(error) => error.to_string(),
            Refusal::Silence(limit) => format!("the mail server gives no answer within {} s", limit.as_secs()),
        }
    }
}

/// The server shuts down: RFC 5321, section 3.8.
const GOING_AWAY: u16 = 421;

/// Whether mail can be addressed so: in ASCII, as not every server on the way takes more.
pub(crate) fn is_address(text: &str) -> bool {
    text.is_ascii() && text.parse::<lettre::Address>().is_ok()
}

fn compose(settings: &MailSettings, to: &str, message: &Message) -> Result<lettre::Message, Failure> {
    let from: Mailbox = settings.from.parse().map_err(|error| Failure::lasting(format!("mail.from: {error}")))?;
    if !to.is_ascii() {
        return Err(Failure::Recipient(format!("{to}: mail addresses are in ASCII")));
    }
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

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream};

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
        assert!(mail.is_ascii(), "any server takes it: {mail}");
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
        for wrong in ["alice", "alice@example.org\r\nBcc: eve@example.org", "a b@c", "é@example.org", "a@é.org"] {
            assert!(!is_address(wrong), "{wrong}");
        }
    }

    /// What becomes of a mail to a server that answers the commands from EHLO on so; it hangs where the answers end.
    async fn sent(answers: &'static [&'static str]) -> Failure {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let mut stream = BufStream::new(listener.accept().await.unwrap().0);
            let mut line = String::new();
            for answer in answers {
                stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                stream.read_line(&mut line).await.unwrap();
            }
            stream.read_line(&mut line).await.ok();
        });
        let from = "cigri@example.org".to_owned();
        let settings =
            MailSettings { host: "127.0.0.1".to_owned(), port, tls: MailTls::None, from, ..MailSettings::default() };
        let message = Message { subject: "s".to_owned(), text: "t".to_owned() };
        let failure = send(&settings, "alice@example.org", &message).await.expect_err("it is refused");
        server.abort();
        failure
    }

    #[tokio::test]
    async fn what_is_refused_before_the_recipient_concerns_all_mail() {
        let lasting = |failure: &Failure| matches!(failure, Failure::Channel { lasting: true, .. });
        let closed = sent(&["554 no service for you"]).await;
        assert!(lasting(&closed) && closed.text().contains("no service for you"), "{closed:?}");
        let sender = sent(&["220 a", "250 a", "550 unknown sender"]).await;
        assert!(lasting(&sender) && sender.text().contains("unknown sender"), "{sender:?}");
        let busy = sent(&["220 a", "250 a", "451 later"]).await;
        assert!(matches!(busy, Failure::Channel { lasting: false, .. }), "{busy:?}");
    }

    #[tokio::test]
    async fn what_is_refused_from_the_recipient_on_is_about_it() {
        for answers in [
            &["220 a", "250 a", "250 a", "550 nobody"][..],
            &["220 a", "250 a", "250 a", "451 not now, nobody"],
            &["220 a", "250 a", "250 a", "250 a", "354 go on", "554 nobody wants this"],
        ] {
            let failure = sent(answers).await;
            assert!(
                matches!(&failure, Failure::Recipient(text) if text.contains("nobody")),
                "{answers:?}: {failure:?}"
            );
        }
        let away = sent(&["220 a", "250 a", "250 a", "421 I go"]).await;
        assert!(matches!(away, Failure::Channel { lasting: false, .. }), "{away:?}");
    }

    #[tokio::test]
    async fn a_server_that_looks_for_a_recipient_for_ever_is_no_reason_to_hold_all_mail() {
        let silent = || within(Duration::ZERO, std::future::pending::<Result<(), Error>>());
        let failure = silent().await.expect_err("silence").of_one();
        assert!(matches!(&failure, Failure::Recipient(text) if text.contains("0 s")), "{failure:?}");
        let failure = silent().await.expect_err("silence").of_all();
        assert!(matches!(failure, Failure::Channel { lasting: false, .. }), "{failure:?}");
    }
}
