//! Jabber: one connection per message, with STARTTLS and a login, and a sign that the server took it.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use cigri_core::notice::Message;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use sasl::common::{ChannelBinding, Credentials};
use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_xmpp::jid::{BareJid, Jid};
use tokio_xmpp::parsers::bind::BindQuery;
use tokio_xmpp::parsers::iq::Iq;
use tokio_xmpp::parsers::message::{Id, Lang, Message as Stanza, MessageType};
use tokio_xmpp::parsers::ping::Ping;
use tokio_xmpp::parsers::starttls::{Nonza, Request};
use tokio_xmpp::parsers::stream_features::StreamFeatures;
use tokio_xmpp::parsers::{ns, stanza};
use tokio_xmpp::xmlstream::{ReadError, StreamHeader, Timeouts, XmppStream, XmppStreamElement, initiate_stream};
use tokio_xmpp::{Error, client_login};

use super::{Failure, blocking, secret_of};
use crate::settings::XmppSettings;

/// How long a login may take, and then a message.
const PATIENCE: Duration = Duration::from_secs(20);

type Secure = BufStream<TlsStream<TcpStream>>;

/// Sends a message; says which server took it.
pub(super) async fn send(settings: &XmppSettings, to: &str, message: &Message) -> Result<String, Failure> {
    if settings.jid.is_empty() {
        return Err(Failure::lasting(
            "this server has no Jabber account: its admin would set [notifications.xmpp]".to_owned(),
        ));
    }
    let from: Jid = settings.jid.parse().map_err(|error| Failure::lasting(format!("xmpp.jid: {error}")))?;
    let to: Jid = to.parse().map_err(|error| Failure::Recipient(format!("{to}: {error}")))?;
    let silent = || format!("the Jabber server gives no answer within {} s", PATIENCE.as_secs());
    let stream = tokio::time::timeout(PATIENCE, login(settings, &from)).await;
    let mut stream = stream.unwrap_or_else(|_| Err(Failure::passing(silent())))?;
    // The server took the login: what goes wrong now is about this message.
    let taken = tokio::time::timeout(PATIENCE, hand_over(&mut stream, &from, to, message)).await;
    taken.map_or_else(|_| Err(silent()), |taken| taken.map_err(Failure::into_text)).map_err(Failure::Recipient)
}

/// Whether a message can be addressed so: an account, without a resource.
pub(crate) fn is_address(text: &str) -> bool {
    text.parse::<BareJid>().is_ok_and(|jid| jid.node().is_some())
}

/// A session with the server.
async fn login(settings: &XmppSettings, from: &Jid) -> Result<XmppStream<Secure>, Failure> {
    let own = settings.clone();
    let secrets = move || {
        let password = secret_of(&own.password, &own.password_file).map_err(Failure::lasting)?;
        Ok((password, trust(&own)?))
    };
    let (password, trust) = blocking(secrets).await?;
    let domain = from.domain().as_str();
    let place = if settings.server.is_empty() { format!("{domain}:5222") } else { settings.server.clone() };
    let plain = TcpStream::connect(&place).await.map_err(|error| Failure::passing(format!("{place}: {error}")))?;
    let secure = starttls(plain, domain, trust).await?;
    let (features, stream) = open(secure, domain).await?;
    let user = from.node().map(|node| node.as_str().to_owned()).unwrap_or_default();
    let credentials =
        Credentials::default().with_username(user).with_password(password).with_channel_binding(ChannelBinding::None);
    let stream = client_login(stream, features.sasl_mechanisms, credentials).await.map_err(|error| failure(&error))?;
    let stream = stream.send_header(header(domain)).await.map_err(|error| broken(&error))?;
    let (_, mut stream): (StreamFeatures, XmppStream<Secure>) =
        stream.recv_features().await.map_err(|error| failure(&error.into()))?;
    bind(&mut stream).await?;
    Ok(stream)
}

fn header(domain: &str) -> StreamHeader<'_> {
    StreamHeader { to: Some(Cow::Borrowed(domain)), from: None, id: None }
}

/// The first exchange on a connection.
async fn open<S>(stream: S, domain: &str) -> Result<(StreamFeatures, XmppStream<S>), Failure>
where
    S: tokio::io::AsyncBufRead + tokio::io::AsyncWrite + Unpin,
{
    let timeouts = Timeouts { read_timeout: PATIENCE, response_timeout: PATIENCE };
    let stream = initiate_stream(stream, ns::JABBER_CLIENT, header(domain), timeouts);
    let stream = stream.await.map_err(|error| broken(&error))?;
    stream.recv_features().await.map_err(|error| failure(&error.into()))
}

async fn starttls(plain: TcpStream, domain: &str, trust: ClientConfig) -> Result<Secure, Failure> {
    let (features, mut stream) = open(BufStream::new(plain), domain).await?;
    if !features.can_starttls() {
        return Err(Failure::lasting("the Jabber server offers no TLS: no password is sent there".to_owned()));
    }
    let request = XmppStreamElement::Starttls(Nonza::Request(Request));
    stream.send(&request).await.map_err(|error| broken(&error))?;
    while !matches!(next(&mut stream).await?, XmppStreamElement::Starttls(Nonza::Proceed(_))) {}
    let plain = stream.into_inner().into_inner();
    let name = ServerName::try_from(domain.to_owned()).map_err(|error| Failure::lasting(error.to_string()))?;
    let tls = TlsConnector::from(Arc::new(trust)).connect(name, plain).await;
    let tls = tls.map_err(|error| Failure::lasting(format!("TLS with the Jabber server: {error}")))?;
    Ok(BufStream::new(tls))
}

fn trust(settings: &XmppSettings) -> Result<ClientConfig, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if !settings.ca_file.as_os_str().is_empty() {
        let failed = |error: String| Failure::lasting(format!("{}: {error}", settings.ca_file.display()));
        let own = rustls_native_certs::load_certs_from_paths(Some(&settings.ca_file), None);
        if own.certs.is_empty() {
            return Err(failed(own.errors.first().map_or("no certificate".to_owned(), ToString::to_string)));
        }
        roots.add_parsable_certificates(own.certs);
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| Failure::lasting(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn bind(stream: &mut XmppStream<Secure>) -> Result<(), Failure> {
    let request = Iq::from_set("bind", BindQuery::new(None));
    stream.send(&XmppStreamElement::Stanza(request.into())).await.map_err(|error| broken(&error))?;
    loop {
        match next(stream).await? {
            XmppStreamElement::Stanza(stanza::Stanza::Iq(Iq::Result { .. })) => return Ok(()),
            XmppStreamElement::Stanza(stanza::Stanza::Iq(Iq::Error { error, .. })) => {
                return Err(Failure::passing(format!("the Jabber server gives no session: {error:?}")));
            }
            _ => {}
        }
    }
}

/// A server answers in order: what it says against the message comes before its answer to the ping behind it.
async fn hand_over(stream: &mut XmppStream<Secure>, from: &Jid, to: Jid, message: &Message) -> Result<String, Failure> {
    let body = format!("{}\n\n{}", message.subject, message.text);
    let mut sent = Stanza::chat(to.clone()).with_body(Lang::default(), body);
    sent.id = Some(Id("notice".to_owned()));
    stream.send(&XmppStreamElement::Stanza(sent.into())).await.map_err(|error| broken(&error))?;
    let server = BareJid::from_parts(None, from.domain());
    let ping = Iq::from_get("taken", Ping).with_to(server.into());
    stream.send(&XmppStreamElement::Stanza(ping.into())).await.map_err(|error| broken(&error))?;
    loop {
        match next(stream).await? {
            XmppStreamElement::Stanza(stanza::Stanza::Message(answer)) if answer.type_ == MessageType::Error => {
                return Err(Failure::Recipient(format!("{to} does not take messages: the Jabber server refused it")));
            }
            XmppStreamElement::Stanza(stanza::Stanza::Iq(iq)) if iq.id() == "taken" => {
                SinkExt::<&XmppStreamElement>::close(stream).await.ok();
                return Ok(format!("taken by {}", from.domain()));
            }
            _ => {}
        }
    }
}

async fn next<S>(stream: &mut XmppStream<S>) -> Result<XmppStreamElement, Failure>
where
    S: tokio::io::AsyncBufRead + tokio::io::AsyncWrite + Unpin,
{
    loop {
        match stream.next().await {
            Some(Ok(element)) => match element.into_read_error() {
                Ok(element) => return Ok(element),
                // A kind of element that this client does not know.
                Err(_) => continue,
            },
            Some(Err(ReadError::SoftTimeout)) => {}
            Some(Err(ReadError::HardError(error))) => return Err(broken(&error)),
            Some(Err(ReadError::ParseError(error))) => return Err(Failure::passing(error.to_string())),
            Some(Err(ReadError::StreamFooterReceived)) | None => {
                return Err(Failure::passing("the Jabber server ended the connection".to_owned()));
            }
        }
    }
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::passing(format!("the connection to the Jabber server broke: {error}"))
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Auth(error) => Failure::lasting(format!("the Jabber server refuses the login: {error}")),
        error => Failure::passing(format!("the Jabber server failed: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn accounts_are_told_from_other_words() {
        assert!(is_address("alice@example.org"));
        for wrong in ["example.org", "alice@example.org/home", "a b@c", "@example.org"] {
            assert!(!is_address(wrong), "{wrong}");
        }
    }
}
