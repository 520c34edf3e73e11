//! Signed POSTs to users' URLs. Users choose these, so none leads where only this machine may go.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::{Client, redirect, retry};
use sha2::Sha256;
use url::{Host, Url};

use super::Failure;
use crate::settings::WebhookSettings;

/// How long one POST may take, the look-up of its host included.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read.
const MOST_BYTES: usize = 4096;

/// What goes to a URL.
pub(super) struct Post<'a> {
    pub(super) url: &'a str,
    pub(super) secret: &'a str,
    /// JSON.
    pub(super) body: String,
    /// Epoch seconds.
    pub(super) at: i64,
}

/// Sends it; the status of the answer, which is one from 200 to 299.
pub(super) async fn send(settings: &WebhookSettings, post: Post<'_>) -> Result<String, Failure> {
    let sent = tokio::time::timeout(PATIENCE, try_send(settings, post)).await;
    sent.unwrap_or_else(|_| Err(format!("no answer within {} s", PATIENCE.as_secs()))).map_err(Failure::Recipient)
}

async fn try_send(settings: &WebhookSettings, post: Post<'_>) -> Result<String, String> {
    let url = check(post.url, settings)?;
    let host = url.host_str().unwrap_or_default().to_owned();
    let addresses = look_up(&url, settings).await?;
    // Fails only if another part of the program chose a provider before, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().redirect(redirect::Policy::none()).retry(retry::never()).no_proxy();
    // Only to the addresses that were looked at: the name may be another one's a moment later.
    let client = client.resolve_to_addrs(&host, &addresses).pool_max_idle_per_host(0).referer(false);
    // The system's certificates are read.
    let client = tokio::task::spawn_blocking(|| client.build()).await.map_err(|error| error.to_string())?;
    let client = client.map_err(|error| error.to_string())?;
    let request = client
        .post(url)
        .header("Content-Type", "application/json")
        .header("User-Agent", concat!("cigri/", env!("CARGO_PKG_VERSION")))
        .header("X-Cigri-Timestamp", post.at.to_string())
        .header("X-Cigri-Signature", format!("sha256={}", sign(post.secret, post.at, &post.body)))
        .body(post.body);
    let mut answer = request.send().await.map_err(|error| words(&error.without_url()))?;
    let status = answer.status();
    let mut length = 0;
    while let Ok(Some(piece)) = answer.chunk().await {
        length += piece.len();
        if length > MOST_BYTES {
            break;
        }
    }
    if status.is_redirection() {
        return Err(format!("it answers {status}: redirections are not followed, give the last URL"));
    }
    if status.is_success() { Ok(status.to_string()) } else { Err(format!("it answers {status}")) }
}

/// Hex of HMAC-SHA256 over `<timestamp>.<body>`.
fn sign(secret: &str, at: i64, body: &str) -> String {
    // Any length of key will do.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(format!("{at}.{body}").as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The URL, if POSTs may go there as far as it says itself.
pub(crate) fn check(text: &str, settings: &WebhookSettings) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("this is no URL: {error}"))?;
    match url.scheme() {
        "https" => {}
        "http" if settings.allow_http => {}
        "http" => return Err("only https:// URLs are allowed here".to_owned()),
        _ => return Err("a webhook is an https:// URL".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("no login in the URL: messages are signed".to_owned());
    }
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
        None => return Err("the URL names no host".to_owned()),
    };
    literal.map_or(Ok(()), |address| allow(address, settings))?;
    Ok(url)
}

async fn look_up(url: &Url, settings: &WebhookSettings) -> Result<Vec<SocketAddr>, String> {
    let port = url.port_or_known_default().unwrap_or(443);
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| format!("its host: {error}"))?;
    let found: Vec<SocketAddr> = found.collect();
    found.iter().try_for_each(|address| allow(address.ip(), settings))?;
    Ok(found)
}

fn allow(address: IpAddr, settings: &WebhookSettings) -> Result<(), String> {
    if settings.allow_private || is_public(address) {
        return Ok(());
    }
    Err("its address is private: this server's admin would have to allow that (notifications.webhook.allow_private)"
        .to_owned())
}

/// Whether an address is one of the internet's.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match hidden_v4(address) {
            Some(v4) => is_public_v4(v4),
            // Global unicast is 2000::/3; documentation is not.
            None => address.segments()[0] & 0xe000 == 0x2000 && address.segments()[..2] != [0x2001, 0xdb8],
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private() || address.is_loopback() || address.is_link_local() || address.is_multicast();
    let reserved = a == 0 || a >= 240 || (a == 192 && b == 0 && c == 0) || (a == 198 && b & 0xfe == 18);
    let shared = a == 100 && b & 0xc0 == 64;
    !(special || reserved || shared || address.is_documentation())
}

/// The IPv4 address that an IPv6 one stands for: mapped, by NAT64, or by 6to4.
fn hidden_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let parts = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match parts {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

fn words(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_internet_is_public() {
        let public = |text: &str| is_public(text.parse().unwrap());
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "172.16.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "255.255.255.255",
            "224.0.0.1",
        ] {
            assert!(!public(private), "{private}");
        }
        assert!(["8.8.8.8", "2a00:1450::1", "::ffff:8.8.8.8", "2002:808:808::1"].into_iter().all(public));
    }

    #[test]
    fn urls_are_https_without_a_login() {
        let closed = WebhookSettings::default();
        assert!(check("https://example.org/hook", &closed).is_ok());
        for wrong in
            ["http://example.org/", "ftp://a/", "x", "https://u:p@example.org/", "https://127.0.0.1/", "https://[::1]/"]
        {
            assert!(check(wrong, &closed).is_err(), "{wrong}");
        }
        // Other ways to write 127.0.0.1.
        for wrong in ["https://2130706433/", "https://0x7f.1/", "https://127.1/"] {
            assert!(check(wrong, &closed).is_err(), "{wrong}");
        }
        let open = WebhookSettings { allow_http: true, allow_private: true };
        assert!(check("http://127.0.0.1:80/", &open).is_ok());
    }

    #[tokio::test]
    async fn a_name_of_this_machine_is_no_way_around() {
        let settings = WebhookSettings { allow_http: true, allow_private: false };
        let post = Post { url: "http://localhost:1/", secret: "s", body: "{}".to_owned(), at: 0 };
        let Err(Failure::Recipient(text)) = send(&settings, post).await else { panic!("it was sent") };
        assert!(text.contains("private"), "{text}");
    }

    #[test]
    fn a_signature_is_that_of_rfc_2104() {
        // printf '1.{}' | openssl dgst -sha256 -hmac key
        let expected = "1ba6b8171186efc6";
        assert_eq!(sign("key", 1, "{}").len(), 64);
        assert_ne!(sign("key", 1, "{}"), sign("key", 2, "{}"));
        assert_eq!(&sign("key", 1, "{}")[..16], expected);
    }
}
