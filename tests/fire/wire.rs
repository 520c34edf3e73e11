//! As much of HTTP/1.1 as the proxy needs on its server side: one request per connection, so that it can be dropped.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Reads one request; `None` if the client left or sent something else.
pub(crate) async fn read(stream: &mut TcpStream) -> Option<http::Request<Bytes>> {
    let mut text = Vec::new();
    let end = loop {
        if let Some(at) = text.windows(4).position(|part| part == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut text).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(text[..end].to_vec()).ok()?;
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ');
    let mut request = http::Request::builder().method(words.next()?).uri(words.next()?);
    let mut length = 0;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok()?;
        }
        request = request.header(name, value);
    }
    let mut body = text.split_off(end);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    request.body(Bytes::from(body)).ok()
}

/// Writes an answer and ends the connection. A client that is gone is no trouble.
pub(crate) async fn write(stream: &mut TcpStream, answer: &http::Response<Bytes>) {
    let mut text = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", answer.status().as_u16()).into_bytes();
    for (name, value) in answer.headers() {
        let is_framing = ["connection", "content-length", "transfer-encoding"].contains(&name.as_str());
        if !is_framing {
            text.extend_from_slice(format!("{name}: ").as_bytes());
            text.extend_from_slice(value.as_bytes());
            text.extend_from_slice(b"\r\n");
        }
    }
    text.extend_from_slice(format!("content-length: {}\r\n\r\n", answer.body().len()).as_bytes());
    text.extend_from_slice(answer.body());
    if stream.write_all(&text).await.is_ok() {
        stream.shutdown().await.ok();
    }
}
