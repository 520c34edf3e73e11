//! Bodies that nobody means well with, on the routes that take lists: refused in words, in bounded memory.

use reqwest::Body;
use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};

use crate::bed::{Oar, Server, campaign};

const MB: usize = 1 << 20;

/// What the server may need at most, in MB: a few times its longest body, 64 MB.
const MOST_MB: u64 = 300;

fn repeated(head: &str, piece: &str, bytes: usize) -> Vec<u8> {
    let mut body = head.as_bytes().to_vec();
    body.extend(piece.as_bytes().iter().cycle().take(bytes / piece.len() * piece.len()));
    body
}

/// The most memory that the server ever had, in MB.
fn peak_mb(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

async fn refused(request: reqwest::RequestBuilder, told: &str) {
    // What is too long is refused before its end; whether the refusal is still read is the client's affair.
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) if told == "too_large" => return assert!(!error.is_timeout(), "{error}"),
        Err(error) => panic!("{told}: {error}"),
    };
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let error: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{told}: {status} {text}"));
    assert!([400, 413].contains(&status) && text.contains(told), "{told}: {status} {error}");
    assert!(text.len() < 4000, "{told}: an answer of {} bytes", text.len());
}

#[tokio::test]
async fn huge_deep_and_broken_bodies_are_refused_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start(folder.path(), &oar).await;
    let (_, open) = server.post("/campaigns", &campaign(folder.path(), 3, "true")).await;
    let before = server.get("/campaigns?all=1").await;
    // A connection for each: the server closes one whose body it did not read to the end.
    let client =
        reqwest::Client::builder().unix_socket(server.socket.clone()).pool_max_idle_per_host(0).build().unwrap();
    for path in ["/campaigns".to_owned(), format!("/campaigns/{}/jobs", open["id"])] {
        let ask = |body: Vec<u8>| client.post(format!("http://localhost{path}")).body(body);
        refused(ask(vec![b' '; 65 * MB]), "too_large").await;
        refused(ask(repeated("", "[", 8 * MB)), "line").await;
        refused(ask(repeated("", "{\"a\":", 8 * MB)), "line").await;
        refused(ask(repeated("[1", ",1", 8 * MB)), "line").await;
        refused(ask([repeated("[1", ",1", 8 * MB), b"]".to_vec()].concat()), "").await;
        refused(ask([repeated("[\"", "x", 8 * MB), b"\"]".to_vec()].concat()), "").await;
        refused(ask([repeated("[", "9", 8 * MB), b"]".to_vec()].concat()), "").await;
        refused(ask(repeated("[\"", "\u{fffd}\0", MB)), "line").await;
        refused(ask(b"[\"\xed\xa0\x80\"]".to_vec()), "UTF-8").await;
        refused(ask(b"[\"\\ud800\"]".to_vec()), "line").await;
        // A line without end: given up long before the client tires.
        let endless = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(vec![b'x'; MB]));
        let lines = Part::stream(Body::wrap_stream(futures_util::StreamExt::take(endless, 80)));
        let jdl = json!({"name": "n", "param_file": "p", "exec_file": "x", "clusters": {"dahu": {}}}).to_string();
        let form = if path == "/campaigns" { Form::new().text("jdl", jdl) } else { Form::new() };
        let sent =
            server.client.post(format!("http://localhost{path}")).multipart(form.part("parameters", lines)).send();
        if let Ok(answer) = sent.await {
            assert_eq!(answer.status(), 400);
        }
    }
    assert_eq!(server.get("/campaigns?all=1").await, before);
    let peak = peak_mb(&server);
    println!("the server needed {peak} MB at most");
    assert!(peak < MOST_MB, "the server needed {peak} MB");
}
