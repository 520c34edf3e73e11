//! Turns an answer that is not 200 into the right error, in words fit for a log.

use bytes::Bytes;
use http::{Response, StatusCode, header};
use serde::Deserialize;

use crate::error::Error;

/// Longest text of a server that is repeated, in characters.
const LONGEST: usize = 300;

/// The error that an answer other than 200 stands for.
pub(crate) fn failure(answer: &Response<Bytes>) -> Error {
    let status = answer.status();
    let code = status.as_u16();
    let text = detail(answer);
    if status == StatusCode::UNAUTHORIZED || is_missing_credentials(status, &text) {
        return Error::Unauthorized { status: code, detail: text };
    }
    if is_busy(status) {
        return Error::NotSent(format!("not now (status {code}): {text}"));
    }
    if status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED {
        return Error::Refused { status: code, detail: text };
    }
    if status.is_redirection() {
        return Error::Refused { status: code, detail: format!("redirected to {}", location(answer)) };
    }
    if status.is_server_error() {
        return Error::Server { status: code, body: text };
    }
    Error::garbled("status 200", format!("status {code}: {text}"))
}

/// What something before the server, such as a proxy, answers when it did not hand the request on.
fn is_busy(status: StatusCode) -> bool {
    matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS)
}

/// What the server says: the `detail` of OAR's JSON errors, or the start of the body.
pub(crate) fn detail(answer: &Response<Bytes>) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        detail: Detail,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Detail {
        Text(String),
        Fields(Vec<Field>),
    }
    match serde_json::from_slice(answer.body()) {
        Ok(Refusal { detail: Detail::Text(text) }) => shortened(text.trim()),
        Ok(Refusal { detail: Detail::Fields(fields) }) => {
            let texts: Vec<String> = fields.iter().map(Field::text).collect();
            shortened(&texts.join("; "))
        }
        Err(_) => excerpt(answer.body()),
    }
}

/// The start of a body, in one line.
pub(crate) fn excerpt(body: &[u8]) -> String {
    // A character takes at most 4 bytes, so this much is always enough.
    let start = &body[..body.len().min(LONGEST * 4)];
    shortened(&String::from_utf8_lossy(start))
}

/// 403 also stands for admission rules and unreadable files, which better credentials would not change.
fn is_missing_credentials(status: StatusCode, text: &str) -> bool {
    status == StatusCode::FORBIDDEN && ["Not authenticated", "Invalid authentication credentials"].contains(&text)
}

/// One problem of a 422 answer.
#[derive(Deserialize)]
struct Field {
    loc: Vec<serde_json::Value>,
    msg: String,
}

impl Field {
    fn text(&self) -> String {
        let place: Vec<String> =
            self.loc.iter().map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
        format!("{}: {}", place.join("."), self.msg)
    }
}

fn location(answer: &Response<Bytes>) -> String {
    let target = answer.headers().get(header::LOCATION);
    target.map_or_else(String::new, |value| excerpt(value.as_bytes()))
}

/// One line, not too long, and without anything that looks like a JWT.
fn shortened(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().map(masked).collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// Every JWT starts with the base64 of `{"`.
fn masked(word: &str) -> &str {
    if word.contains("eyJ") && word.len() > 20 { "****" } else { word }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response<Bytes> {
        Response::builder().status(status).body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    #[test]
    fn a_token_in_a_body_is_masked() {
        let text = excerpt(b"{\"OAR_API_TOKEN\": \"eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoiYSJ9.c2ln\"}");
        assert_eq!(text, "{\"OAR_API_TOKEN\": ****");
    }

    #[test]
    fn long_bodies_are_cut_between_characters() {
        let text = excerpt("é".repeat(100_000).as_bytes());
        assert_eq!(text, format!("{}...", "é".repeat(LONGEST)));
    }

    #[test]
    fn a_redirection_is_a_refusal() {
        let mut redirected = answer(307, "");
        let target = http::HeaderValue::from_static("http://h/jobs/1");
        redirected.headers_mut().insert(header::LOCATION, target);
        assert_eq!(
            failure(&redirected),
            Error::Refused { status: 307, detail: "redirected to http://h/jobs/1".into() }
        );
    }

    #[test]
    fn an_html_page_of_a_proxy_is_kept_short() {
        assert_eq!(
            failure(&answer(502, "<html>\n <h1>Bad  Gateway</h1>\n</html>")),
            Error::Server { status: 502, body: "<html> <h1>Bad Gateway</h1> </html>".into() }
        );
    }

    #[test]
    fn another_success_is_not_what_was_asked() {
        assert!(failure(&answer(204, "")).is_doubt());
    }
}
