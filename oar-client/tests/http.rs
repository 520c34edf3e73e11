//! The HTTP transport against real sockets: what was sent, what came back, and what is in doubt.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use oar_client::{BodyLimit, HttpTransport, Transport, TransportError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(20);

/// A server that handles each connection with `serve`; it ends with the test's runtime.
async fn server<F>(serve: fn(TcpStream, Seen) -> F) -> (String, Seen)
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let sink = seen.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            sink.lock().unwrap().push("connected".to_owned());
            tokio::spawn(serve(stream, sink.clone()));
        }
    });
    (base, seen)
}

/// What the server saw, in order.
type Seen = Arc<Mutex<Vec<String>>>;

/// Reads one request with its body; `None` when the client closed.
async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.unwrap_or(0) == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

async fn echo(mut stream: TcpStream, seen: Seen) {
    while let Some(request) = read_request(&mut stream).await {
        seen.lock().unwrap().push(request);
        let answer = "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\n\
                      content-length: 26\r\n\r\n{\"detail\":\"Empty request\"}";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

async fn silent(mut stream: TcpStream, _: Seen) {
    while read_request(&mut stream).await.is_some() {}
}

async fn hang_up(mut stream: TcpStream, _: Seen) {
    read_request(&mut stream).await;
}

async fn half_an_answer(mut stream: TcpStream, _: Seen) {
    read_request(&mut stream).await;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"id\"";
    stream.write_all(answer.as_bytes()).await.unwrap();
}

async fn endless(mut stream: TcpStream, _: Seen) {
    read_request(&mut stream).await;
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
}

async fn redirect(mut stream: TcpStream, _: Seen) {
    read_request(&mut stream).await;
    let answer = "HTTP/1.1 307 Temporary Redirect\r\nlocation: /other\r\ncontent-length: 0\r\n\r\n";
    stream.write_all(answer.as_bytes()).await.unwrap();
    silent(stream, Seen::default()).await;
}

fn transport(base: &str) -> HttpTransport {
    HttpTransport::new(&base.parse().unwrap()).unwrap()
}

fn post(base: &str) -> Request<Bytes> {
    Request::post(format!("{base}/jobs"))
        .header("authorization", "Bearer a.b.c")
        .body(Bytes::from_static(b"{\"command\":\"true\"}"))
        .unwrap()
}

fn get(base: &str) -> Request<Bytes> {
    Request::get(format!("{base}/jobs?limit=1&offset=9")).body(Bytes::new()).unwrap()
}

#[tokio::test]
async fn a_request_arrives_as_built_and_the_answer_comes_back_whole() {
    let (base, seen) = server(echo).await;
    let answer = transport(&base).send(post(&base), LONG).await.unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert_eq!(answer.body(), &Bytes::from_static(b"{\"detail\":\"Empty request\"}"));
    let request = seen.lock().unwrap()[1].to_lowercase();
    assert!(request.starts_with("post /jobs http/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: bearer a.b.c\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\n{\"command\":\"true\"}"), "{request}");
}

#[tokio::test]
async fn connections_to_this_machine_are_reused() {
    let (base, seen) = server(echo).await;
    let transport = transport(&base);
    for _ in 0..3 {
        transport.send(get(&base), LONG).await.unwrap();
        transport.send(post(&base), LONG).await.unwrap();
    }
    let connections = seen.lock().unwrap().iter().filter(|s| *s == "connected").count();
    assert_eq!(connections, 1);
}

#[tokio::test]
async fn a_refused_connection_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = transport(&base).send(post(&base), LONG).await.unwrap_err();
    let TransportError::NotSent(text) = error else {
        panic!("{error:?}");
    };
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn a_silent_server_is_given_up_in_time() {
    let (base, _) = server(silent).await;
    let short = Duration::from_millis(50);
    let answer = transport(&base).send(post(&base), short).await;
    assert_eq!(answer.unwrap_err(), TransportError::TimedOut);
}

#[tokio::test]
async fn a_server_that_hangs_up_leaves_a_doubt() {
    let (base, _) = server(hang_up).await;
    let error = transport(&base).send(post(&base), LONG).await.unwrap_err();
    assert!(matches!(error, TransportError::Lost(_)), "{error:?}");
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let (base, _) = server(half_an_answer).await;
    let error = transport(&base).send(post(&base), LONG).await.unwrap_err();
    assert!(matches!(error, TransportError::Lost(_)), "{error:?}");
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let (base, _) = server(endless).await;
    let mut request = get(&base);
    request.extensions_mut().insert(BodyLimit(10_000));
    let answer = transport(&base).send(request, LONG).await.unwrap();
    assert_eq!(answer.body().len(), 10_001);
}

#[tokio::test]
async fn a_redirection_is_an_answer() {
    let (base, _) = server(redirect).await;
    let answer = transport(&base).send(get(&base), LONG).await.unwrap();
    assert_eq!(answer.status(), 307);
}
