//! Sensors that tell, hang, lie and print text: real processes, and a small HTTP server.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use cigri_store::{ClusterKind, ClusterRow, Store};

use super::*;
use crate::secret::Sealer;

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
    for (line, word) in [("echo high", "high"), ("echo NaN", "NaN"), ("true", "nothing"), ("printf -- -1", "-1")] {
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
    ends(&pids).await;
}

#[tokio::test]
async fn what_a_command_leaves_behind_ends_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    for (end, wanted) in [("exit 0", Ok("1\n".to_owned())), ("exit 3", Err("it ends with exit status: 3".to_owned()))] {
        let line = format!("sleep 1000 >/dev/null 2>&1 & echo $! > {}; echo 1; {end}", pids.display());
        assert_eq!(command::run(&line, PATIENCE).await, wanted);
        ends(&pids).await;
    }
}

/// Waits until the process whose number is in the file is gone, or dead.
async fn ends(pids: &std::path::Path) {
    let began = Instant::now();
    let pid = std::fs::read_to_string(pids).unwrap();
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

/// A server without clusters' loops, and one cluster whose sensor is a command of the configuration.
fn grid(command: &str) -> (tempfile::TempDir, Arc<Grid>, Arc<ClusterHandle>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(&folder.path().join("cigri.db"), "test").unwrap();
    let sealer = Sealer::open(&folder.path().join("key")).unwrap();
    let grid = Grid::new(store, sealer, Vec::new(), None).unwrap();
    let file_server = serde_json::from_value(
        serde_json::json!({"sensor": command.replace("FOLDER", &folder.path().display().to_string()), "reference": 6, "period_s": 1}),
    );
    let limits = ClusterLimits { file_server: Some(file_server.unwrap()), ..ClusterLimits::default() };
    let (name, url) = ("dahu".to_owned(), "http://localhost:1/".to_owned());
    grid.add_cluster(ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None }).unwrap();
    let handle = grid.cluster("dahu").unwrap();
    handle.sensor.want(handle.row.limits.file_server.as_ref());
    (folder, Arc::new(grid), handle)
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trouble_is_told_once_and_closed_when_the_sensor_works() {
    let (folder, grid, handle) = grid("date >> FOLDER/asked; cat FOLDER/load");
    let stop = CancellationToken::new();
    let task = tokio::spawn(watch(Arc::clone(&grid), Arc::clone(&handle), stop.clone()));
    let event = || grid.store.find_message(Code::SensorFailed, &Scope::cluster("dahu")).unwrap();
    until("the trouble is told", || event().is_some()).await;
    assert!(event().unwrap().contains("No such file"), "{event:?}", event = event());
    assert_eq!(handle.sensor.last(), None);
    let asked = || std::fs::read_to_string(folder.path().join("asked")).unwrap_or_default().lines().count();
    until("it is asked again", || asked() >= 3).await;
    let filter = cigri_store::EventFilter { page: (0, 9), ..Default::default() };
    let open = || grid.store.list_events(&filter).unwrap().0;
    assert_eq!(open().iter().map(|row| row.occurrences).collect::<Vec<_>>(), [1], "it lasts, and is told once");
    grid.store.close_by_hand(open()[0].id, "ada", now_ms()).unwrap();
    until("it is told again, because it lasts", || event().is_some()).await;
    std::fs::write(folder.path().join("load"), "4.5\n").unwrap();
    until("it works", || handle.sensor.last().is_some()).await;
    assert_eq!(handle.sensor.last().unwrap().value, 4.5);
    until("that is closed", || event().is_none()).await;
    stop.cancel();
    task.await.unwrap();
}
