//! Messages through the program to real servers: a mail server, a Jabber server, URLs.

mod servers;

use std::path::Path;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use servers::{Post, Service, hook};
use sha2::Sha256;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::bed::{Oar, Server, campaign};

const SOON: Duration = Duration::from_secs(60);

/// The user of the tests may be told of clusters and the service.
fn admins() -> String {
    let login = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    format!("admins = [{login:?}]\n")
}

fn mail(service: &Service, password: &str) -> String {
    let (admins, port, folder) = (admins(), service.port, &service.folder);
    format!(
        "{admins}[notifications.mail]\nhost = \"localhost\"\nport = {port}\nfrom = \"CiGri <cigri@example.org>\"\n\
         user = \"cigri\"\npassword = {password:?}\nca_file = {:?}\n{WEBHOOKS}",
        folder.join("tls.crt")
    )
}

/// The code of a campaign's end.
const ENDED: &str = "FINISHED_CAMPAIGN";

const WEBHOOKS: &str = "[notifications.webhook]\nallow_http = true\nallow_private = true\n";

/// A campaign of two tasks, the second of which fails, run to its end.
async fn run(server: &Server, oar: &Oar, folder: &Path) -> Value {
    server.post("/tokens", &json!({"cluster": "dahu", "token": oar.token})).await;
    let (status, campaign) = server.post("/campaigns", &campaign(folder, 2, "exit $((CIGRI_TASK_INDEX * 3))")).await;
    assert_eq!(status, 201, "{campaign}");
    server.wait_for(&campaign["id"], "state", &json!("terminated")).await
}

/// The next POST that a URL got.
async fn next(posts: &mut UnboundedReceiver<Post>) -> Post {
    tokio::time::timeout(SOON, posts.recv()).await.expect("a POST in time").unwrap()
}

async fn subscribe(server: &Server, kind: &str, identity: &str) -> Value {
    let wish = json!({"identity": identity, "severity": "low", "admin": true});
    let (status, made) = server.post(&format!("/notifications/{kind}"), &wish).await;
    assert_eq!(status, 201, "{made}");
    made
}

async fn test(server: &Server) -> Value {
    let (status, tested) = server.post("/notifications/test", &json!({})).await;
    assert_eq!(status, 200, "{tested}");
    tested["items"].clone()
}

#[tokio::test]
async fn an_end_is_told_by_mail_and_what_waits_for_the_mail_server_comes_once() {
    let Some(mut exim) = Service::exim() else { return };
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start_with(folder.path(), &oar, &mail(&exim, "hunter2")).await;
    let (status, refused) = server.post("/notifications/mail", &json!({"identity": "é@example.org"})).await;
    assert_eq!(status, 400, "{refused}");
    subscribe(&server, "mail", "alice@example.org").await;
    let tested = test(&server).await;
    assert_eq!(tested[0]["taken"], true, "{tested}");
    assert!(tested[0]["answer"].as_str().unwrap().starts_with("250"), "{tested}");
    exim.wait_for("Subject: [CIGRI] (low): test", SOON).await;
    let first = run(&server, &oar, folder.path()).await;
    exim.wait_for(&format!("Subject: [CIGRI] (high): campaign {} (c): FINISHED_CAMPAIGN", first["id"]), SOON).await;
    let mails = exim.taken();
    for words in [
        "1 done, 1 failed, 0 cancelled",
        "the program ended with an error code: 1 task",
        "Auto-Submitted",
        "What to do:",
    ] {
        assert!(mails.contains(words), "{words}: {mails}");
    }
    exim.stop();
    let second = run(&server, &oar, folder.path()).await;
    // Its end, and the task that failed.
    let waits = |list: &Value| {
        let waiting = list["items"][0]["waiting"].as_i64().unwrap_or(0);
        waiting >= 2 && !list["items"][0]["last_error"].is_null()
    };
    server.until("/notifications", SOON, waits).await;
    exim.start();
    exim.wait_for(&format!("campaign {} (c): FINISHED_CAMPAIGN", second["id"]), SOON).await;
    server.until("/notifications", SOON, |list| list["items"][0]["waiting"] == 0).await;
    let mails = exim.taken();
    for (campaign, code) in [(&first, "EXIT_ERROR"), (&second, "EXIT_ERROR"), (&first, ENDED), (&second, ENDED)] {
        let told = format!("campaign {} (c)", campaign["id"]);
        let lines = mails.lines().filter(|line| line.starts_with(&told) && line.contains(&format!(": {code} (high;")));
        assert_eq!(lines.count(), 1, "{told} {code}: {mails}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_told_to_admins_and_tried_seldom() {
    let Some(exim) = Service::exim() else { return };
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start_with(folder.path(), &oar, &mail(&exim, "wrong")).await;
    let (url, mut posts) = hook(Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    for n in 0..5 {
        subscribe(&server, "mail", &format!("alice{n}@example.org")).await;
    }
    subscribe(&server, "webhook", &url).await;
    run(&server, &oar, folder.path()).await;
    let trouble = loop {
        let post = next(&mut posts).await;
        if post.body.contains("MAIL_FAILED") {
            break post.body;
        }
    };
    assert!(trouble.contains("[notifications.mail]") && trouble.contains("535"), "{trouble}");
    assert!(!trouble.contains("wrong") && !trouble.contains("hunter2"), "{trouble}");
    let refused = exim.log().matches("535 Incorrect authentication").count();
    assert!((1..=4).contains(&refused), "one try for all of them, then a pause: {refused}");
    let told = |list: &Value| list["items"][4]["last_error"].as_str().is_some_and(|text| text.contains("535"));
    server.until("/notifications", SOON, told).await;
    assert_eq!(exim.taken(), "");
}

#[tokio::test]
async fn an_address_that_is_refused_holds_no_other_up() {
    let Some(exim) = Service::exim() else { return };
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start_with(folder.path(), &oar, &mail(&exim, "hunter2")).await;
    subscribe(&server, "mail", "stranger@example.org").await;
    subscribe(&server, "mail", "alice@example.org").await;
    run(&server, &oar, folder.path()).await;
    exim.wait_for("FINISHED_CAMPAIGN", SOON).await;
    let refused =
        |list: &Value| list["items"][0]["last_error"].as_str().is_some_and(|text| text.contains("no such user"));
    server.until("/notifications", SOON, refused).await;
}

#[tokio::test]
async fn an_end_is_told_by_jabber() {
    let Some(prosody) = Service::prosody() else { return };
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let settings = |password: &str| {
        let trust = prosody.folder.join("tls.crt");
        format!(
            "{}[notifications.xmpp]\njid = \"cigri@localhost\"\npassword = {password:?}\nserver = \"localhost:{}\"\n\
             ca_file = {trust:?}\n",
            admins(),
            prosody.port
        )
    };
    let server = Server::start_with(folder.path(), &oar, &settings("hunter2")).await;
    subscribe(&server, "jabber", "alice@localhost").await;
    subscribe(&server, "jabber", "stranger@localhost").await;
    let tested = test(&server).await;
    assert_eq!((&tested[0]["taken"], &tested[1]["taken"]), (&json!(true), &json!(false)), "{tested}");
    assert!(tested[1]["answer"].as_str().unwrap().contains("does not take messages"), "{tested}");
    run(&server, &oar, folder.path()).await;
    prosody.wait_for("FINISHED_CAMPAIGN", SOON).await;
    drop(server);
    let server = Server::start_with(folder.path(), &oar, &settings("wrong")).await;
    let tested = test(&server).await;
    assert!(tested[0]["answer"].as_str().unwrap().contains("refuses the login"), "{tested}");
}

#[tokio::test]
async fn a_webhook_is_signed_and_neither_a_redirection_nor_a_hanging_url_holds_others_up() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start_with(folder.path(), &oar, &format!("{}{WEBHOOKS}", admins())).await;
    let (good, mut posts) = hook(Some("HTTP/1.1 204 No Content\r\n\r\n"));
    let (elsewhere, mut reached) = hook(Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
    let (redirects, _) = hook(Some(Box::leak(head.into_boxed_str())));
    let (hangs, _) = hook(None);
    for url in [&hangs, &redirects] {
        subscribe(&server, "webhook", url).await;
    }
    let made = subscribe(&server, "webhook", &good).await;
    run(&server, &oar, folder.path()).await;
    let post = loop {
        let post = next(&mut posts).await;
        if post.body.contains(ENDED) {
            break post;
        }
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(made["secret"].as_str().unwrap().as_bytes()).unwrap();
    mac.update(format!("{}.{}", post.timestamp, post.body).as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(post.signature, format!("sha256={expected}"));
    let body: Value = serde_json::from_str(&post.body).unwrap();
    assert_eq!((&body["events"][0]["code"], &body["events"][0]["times"]), (&json!(ENDED), &json!(1)));
    let failed = |list: &Value| {
        let error = |at: usize| list["items"][at]["last_error"].as_str().unwrap_or_default().to_owned();
        error(0).contains("no answer within 10 s") && error(1).contains("redirections are not followed")
    };
    server.until("/notifications", SOON, failed).await;
    assert!(reached.try_recv().is_err(), "the redirection was followed");
    let list = server.get("/notifications").await;
    assert!(list["items"][2]["secret"].is_null(), "shown once only: {list}");
}

#[tokio::test]
async fn subscriptions_are_checked_listed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start_with(folder.path(), &oar, &admins()).await;
    for (kind, wish, words) in [
        ("mail", json!({"identity": "alice@example.org"}), "[notifications.mail]"),
        ("jabber", json!({"identity": "alice@example.org"}), "[notifications.xmpp]"),
        ("webhook", json!({"identity": "http://example.org/"}), "https"),
        ("webhook", json!({"identity": "https://127.0.0.1/"}), "private"),
        ("webhook", json!({"identity": "https://example.org/", "secret": "short"}), "16"),
        ("log", json!({"severity": "urgent"}), "`urgent` is no severity"),
        ("log", json!({"digest_h": 1000}), "168"),
    ] {
        let (status, answer) = server.post(&format!("/notifications/{kind}"), &wish).await;
        assert_eq!(status, 400, "{wish}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(words), "{answer}");
    }
    assert_eq!(server.post("/notifications/pigeon", &json!({})).await.0, 404);
    subscribe(&server, "log", "").await;
    let (status, again) = server.post("/notifications/log", &json!({})).await;
    assert_eq!((status, &again["code"]), (409, &json!("conflict")));
    assert_eq!(server.get("/notifications").await["items"][0]["type"], "log");
    assert_eq!(test(&server).await[0]["taken"], true);
    let again = server.client.post("http://localhost/notifications/test").json(&json!({})).send().await.unwrap();
    let wait: u64 = again.headers()["Retry-After"].to_str().unwrap().parse().unwrap();
    assert!(again.status() == 429 && (1..=60).contains(&wait), "{again:?}");
    assert_eq!(server.get("/notifications?user=nobody").await["total"], 0);
    let others = server.client.delete("http://localhost/notifications/log?identity=&user=nobody").send().await.unwrap();
    assert_eq!(others.status(), 404);
    let remove = || server.client.delete("http://localhost/notifications/log?identity=").send();
    assert_eq!(remove().await.unwrap().status(), 202);
    assert_eq!(remove().await.unwrap().status(), 404);
    assert_eq!(server.get("/notifications").await["total"], 0);
}

#[tokio::test]
async fn a_muted_campaign_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let oar = Oar::start(folder.path());
    let server = Server::start_with(folder.path(), &oar, &format!("{}{WEBHOOKS}", admins())).await;
    let (url, mut posts) = hook(Some("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    subscribe(&server, "webhook", &url).await;
    // Without a token nothing of it starts before it is muted.
    let (_, quiet) = server.post("/campaigns", &campaign(folder.path(), 2, "true")).await;
    let mute = || server.client.put(format!("http://localhost/campaigns/{}/mute", quiet["id"])).send();
    assert_eq!(mute().await.unwrap().status(), 202);
    let heard = run(&server, &oar, folder.path()).await;
    server.wait_for(&quiet["id"], "state", &json!("terminated")).await;
    let mut told = String::new();
    while !told.contains(&format!("campaign {} (c): FINISHED_CAMPAIGN", heard["id"])) {
        told.push_str(&next(&mut posts).await.body);
    }
    assert!(!told.contains(&format!("campaign {} (c)", quiet["id"])), "{told}");
}
