//! Sensors that tell, hang, lie and print text: real processes, and a small HTTP server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use super::*;

const SOON: Duration = Duration::from_millis(300);

/// Answers each request by `answer`, until the process ends.
fn serve(answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 2048];
            let length = stream.read(&mut request).unwrap_or_default();
            answer(&String::from_utf8_lossy(&request[..length]), &mut stream);
        }
    });
    format!("http://{address}")
}

fn respond(stream: &mut TcpStream, head: &str, body: &str) {
    let text = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).ok();
}

#[tokio::test]
async fn a_command_prints_a_number_and_sees_no_secrets() {
    assert_eq!(read("echo 3.5").await, Ok(3.5));
    let seen = command::run("env", PATIENCE).await.unwrap();
    assert!(!seen.contains("CARGO"), "{seen}");
    assert_eq!(command::run("cat", PATIENCE).await.unwrap(), "", "nothing to read");
}

#[tokio::test]
async fn a_command_that_fails_or_prints_text_or_too_much_is_told() {
    assert_eq!(read("echo no disk >&2; exit 3").await, Err("it ends with exit status: 3: no disk".to_owned()));
    for (line, word) in [("echo high", "high"), ("echo NaN", "NaN"), ("true", "nothing"), ("echo -- -1", "")] {
        let error = read(line).await.unwrap_err();
        assert!(error.contains(word), "{line}: {error}");
    }
    assert_eq!(read("yes 1").await, Err("it prints more than 64 KB".to_owned()));
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let line = format!("sleep 1000 & echo $! > {}; echo 1; sleep 1000", pids.display());
    let began = Instant::now();
    let error = command::run(&line, SOON).await.unwrap_err();
    assert_eq!(error, "it takes more than 0.3 s");
    assert!(began.elapsed() < PATIENCE);
    let pid = std::fs::read_to_string(&pids).unwrap();
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    while !state().is_empty() && !state().contains(") Z ") {
        assert!(began.elapsed() < Duration::from_secs(30), "what it started still lives: {}", state());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_url_answers_a_number_and_may_redirect_on_its_own_host_only() {
    let other = serve(|_, stream| respond(stream, "200 OK", "9"));
    let base = serve(move |request, stream| match request.split(' ').nth(1) {
        Some("/load") => respond(stream, "200 OK", "2.25\n"),
        Some("/moved") => respond(stream, "302 Found\r\nLocation: /load", ""),
        Some("/round") => respond(stream, "302 Found\r\nLocation: /round", ""),
        Some("/away") => respond(stream, &format!("302 Found\r\nLocation: {other}/"), ""),
        Some("/long") => respond(stream, "200 OK", &"1 ".repeat(MOST_BYTES)),
        _ => respond(stream, "503 Service Unavailable", "busy"),
    });
    assert_eq!(read(&format!("{base}/load")).await, Ok(2.25));
    assert_eq!(read(&format!("{base}/moved")).await, Ok(2.25));
    for (path, word) in [("away", "another host"), ("round", "too often"), ("long", "64 KB"), ("none", "503")] {
        let error = read(&format!("{base}/{path}")).await.unwrap_err();
        assert!(error.contains(word), "{path}: {error}");
    }
}

#[tokio::test]
async fn a_url_that_hangs_or_is_not_there_is_told_without_its_password() {
    let silent = serve(|_, _| std::thread::sleep(Duration::from_secs(3600)));
    let with_password = silent.replace("http://", "http://admin:hunter2@");
    let error = url::get(&with_password, SOON).await.unwrap_err();
    assert_eq!(error, "its URL gives no answer within 0.3 s");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = url::get(&format!("http://admin:hunter2@{gone}/"), PATIENCE).await.unwrap_err();
    assert!(error.starts_with("its URL cannot be read") && !error.contains("hunter2"), "{error}");
}

#[test]
fn a_command_is_read_only_where_the_configuration_names_it() {
    let with = |sensor: &str| {
        let text = format!("{{\"file_server\": {{\"sensor\": \"{sensor}\", \"reference\": 6}}}}");
        serde_json::from_str::<ClusterLimits>(&text).unwrap()
    };
    assert_eq!(problem("rm -rf /", &with("rm -rf /")), None, "the admin of the machine wrote it");
    assert!(problem("rm -rf /", &with("cat /load")).unwrap().contains("configuration file"));
    assert!(problem("rm -rf /", &ClusterLimits::default()).is_some());
    assert!(problem("httpd -k start", &ClusterLimits::default()).is_some(), "no URL, whatever it begins with");
    assert_eq!(problem("HTTPS://nas.example/load", &ClusterLimits::default()), None);
}
