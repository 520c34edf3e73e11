//! `cigri notify` in a data directory: its user is its admin, and may have the log told.

use crate::sandbox::Sandbox;

#[test]
fn a_subscription_is_made_tried_listed_and_removed() {
    let sandbox = Sandbox::new();
    let list = sandbox.cigri(&["notify", "list"]);
    list.expect(0);
    assert!(list.stderr.contains("cigri notify add mail"), "{list}");
    sandbox.cigri(&["notify", "add", "log", "--severity", "low", "--digest", "1d"]).expect(0);
    let again = sandbox.cigri(&["notify", "add", "log"]);
    again.expect(6);
    assert!(again.error().contains("already"), "{again}");
    let list = sandbox.cigri(&["notify", "list"]);
    let words: Vec<&str> = list.stdout.lines().last().unwrap().split_whitespace().collect();
    assert_eq!(words[..5], ["log", "-", "low", "24", "h"], "{list}");
    let test = sandbox.cigri(&["notify", "test"]);
    test.expect(0);
    assert!(test.stdout.contains("log : taken: written to the server's log"), "{test}");
    sandbox.cigri(&["notify", "remove", "log"]).expect(0);
    let gone = sandbox.cigri(&["notify", "remove", "log"]);
    assert!(gone.error().contains("you have no notifications"), "{gone}");
}

#[test]
fn what_cannot_be_sent_is_refused_at_once_with_a_remedy() {
    let sandbox = Sandbox::new();
    let mail = sandbox.cigri(&["notify", "add", "mail", "alice@example.org"]);
    assert!(mail.error().contains("[notifications.mail]"), "{mail}");
    let hook = sandbox.cigri(&["notify", "add", "webhook", "https://192.168.0.1/"]);
    assert!(hook.error().contains("private"), "{hook}");
    sandbox.cigri(&["notify", "add", "pigeon", "x"]).expect(2);
    sandbox.cigri(&["notify", "add", "log", "--digest", "1y"]).expect(2);
}

#[test]
fn a_webhooks_secret_is_printed_once() {
    let sandbox = Sandbox::new();
    let made = sandbox.cigri(&["notify", "add", "webhook", "https://example.org/hook"]);
    made.expect(0);
    let secret = made.stdout.trim();
    assert!(secret.len() == 64 && secret.chars().all(|c| c.is_ascii_hexdigit()), "{made}");
    let list = sandbox.cigri(&["--json", "notify", "list"]);
    assert!(list.stdout.contains("example.org") && !list.stdout.contains(secret), "{list}");
}

#[test]
fn a_campaign_is_muted_and_heard_again() {
    let sandbox = Sandbox::new();
    sandbox.write("c.json", r#"{"name": "f", "nb_jobs": 1, "exec_file": "true", "clusters": {"here": {}}}"#);
    sandbox.cigri(&["run", "c.json"]).expect(0);
    for (words, told) in [("mute", "told nothing more"), ("mute", "muted already"), ("unmute", "told of it again")] {
        let run = sandbox.cigri(&["notify", words, "last"]);
        run.expect(0);
        assert!(run.stderr.contains(told), "{run}");
    }
    assert!(sandbox.cigri(&["notify", "mute", "99"]).error().contains("99"));
}
