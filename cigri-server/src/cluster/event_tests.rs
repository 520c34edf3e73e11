//! Failures of many tasks, and troubles that come and go, as events. In virtual time.

use std::path::Path;

use cigri_core::event::{Closing, Code, NewEvent, Scope};
use cigri_core::state::CampaignState;
use cigri_store::EventRow;
use oar_local::chaos::Plan;

use super::virtual_world::VirtualServer;

fn is_open(server: &VirtualServer, id: i64, code: Code) -> bool {
    all(server, id).iter().any(|event| event.code == code.as_str() && event.closed_at.is_none())
}

fn all(server: &VirtualServer, id: i64) -> Vec<EventRow> {
    server.grid.store.campaign_events(id, &["dahu".to_owned()], true).unwrap()
}

/// A campaign of which every tenth task fails.
fn failing(server: &VirtualServer, tasks: i64) -> i64 {
    server.campaign_with("alice", tasks, |spec| {
        for cluster in spec.clusters.values_mut() {
            cluster.exec_file = "./sim takes_ms=1000 fails=1/10".to_owned();
        }
    })
}

#[tokio::test]
async fn failures_are_one_event_that_counts_them_and_ends_with_the_campaign() {
    let mut server = VirtualServer::new(7, Plan::default());
    let id = failing(&server, 300);
    let store = server.grid.store.clone();
    for _ in 0..2000 {
        if store.campaign(id).unwrap().state == CampaignState::Finished {
            break;
        }
        server.round(None).await;
    }
    let row = store.campaign(id).unwrap();
    assert_eq!((row.state, row.failed, row.done), (CampaignState::Finished, 30, 270));
    let events = all(&server, id);
    let failures: Vec<&EventRow> = events.iter().filter(|event| event.code == Code::ExitError.as_str()).collect();
    assert_eq!((failures.len(), failures[0].occurrences), (1, 30), "{failures:#?}");
    assert!(events.len() <= 12, "{events:#?}");
    assert_eq!(failures[0].closed_why.as_deref(), Some("the campaign ended"));
    assert!(failures[0].first_message.is_some(), "the first example is kept beside the last");
}

#[tokio::test]
async fn a_user_without_a_token_is_told_again_when_the_event_was_closed_by_hand() {
    let mut server = VirtualServer::new(7, Plan::default());
    let id = server.campaign(20);
    server.grid.store.remove_token("alice", "dahu").unwrap();
    for time in 0..3 {
        for _ in 0..10 {
            server.round(None).await;
        }
        let told = all(&server, id).into_iter().find(|event| event.code == Code::TokenNotFound.as_str()).unwrap();
        assert_eq!((told.closed_at, told.occurrences), (None, time + 1));
        server.grid.store.close_by_hand(told.id, "alice", server.now()).unwrap();
    }
}

#[tokio::test]
async fn an_outage_that_comes_and_goes_is_one_event_and_is_over_when_the_api_answers() {
    let mut server = VirtualServer::new(7, Plan::default());
    let id = server.campaign(200);
    let store = server.grid.store.clone();
    for time in 0..5 {
        // As the supervisor tells it.
        let event = NewEvent::note(Scope::cluster("dahu"), Code::ApiFailure, "no answer");
        store.open_events(&[event], server.now()).unwrap();
        server.memory.failing = true;
        assert!(is_open(&server, id, Code::ApiFailure), "outage {time}");
        for _ in 0..8 {
            server.round(None).await;
        }
        assert!(!is_open(&server, id, Code::ApiFailure), "after outage {time}");
    }
    let outages = all(&server, id).into_iter().filter(|event| event.code == Code::ApiFailure.as_str());
    let outages: Vec<EventRow> = outages.collect();
    assert_eq!((outages.len(), outages[0].reopened), (1, 4), "{outages:#?}");
}

#[tokio::test]
async fn what_is_quiet_for_long_is_closed_and_what_is_old_is_dropped() {
    let mut server = VirtualServer::new(7, Plan::default());
    let store = server.grid.store.clone();
    let event = NewEvent::note(Scope::cluster("dahu"), Code::WaitsTooLong, "3 jobs");
    store.open_events(&[event], server.now()).unwrap();
    server.round(None).await;
    assert!(is_open(&server, 0, Code::WaitsTooLong));
    server.sleep(24 * 3_600_000);
    server.round(None).await;
    assert!(!is_open(&server, 0, Code::WaitsTooLong));
    assert_eq!(all(&server, 0).len(), 1);
    server.sleep(server.grid.retention.events_ms + 60_000);
    server.round(None).await;
    assert_eq!(all(&server, 0), []);
}

/// The program's own source, without tests.
fn sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if !path.display().to_string().contains("tests") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Whether a call whose name begins with `close` has the code among its arguments.
fn closes(source: &str, code: Code) -> bool {
    let name = format!("Code::{code:?}");
    source.match_indices(&name).any(|(at, _)| {
        let begin = source[..at].rfind([';', '{', '}']).unwrap_or_default();
        let is_whole = !source[at + name.len()..].starts_with(char::is_alphanumeric);
        // A breaker's are collected in a list of what is over; notifications' are told by a function.
        let is_named = source[begin..at].contains("close") || source[begin..at].contains("over.push");
        is_whole && (is_named || source.contains("close_event(code, &Scope::service()"))
    })
}

#[test]
fn what_is_opened_and_ends_when_its_cause_is_gone_is_closed_somewhere() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    sources(&here.join("src"), &mut found);
    sources(&here.join("../cigri-store/src"), &mut found);
    let recovers = |code: &&Code| matches!(code.closing(), Closing::Recovery(_));
    let mut checked = 0;
    for code in Code::ALL.iter().filter(recovers) {
        if found.iter().any(|source| source.contains(&format!("Code::{code:?}"))) {
            assert!(found.iter().any(|source| closes(source, *code)), "nothing closes {}", code.as_str());
            checked += 1;
        }
    }
    assert!(checked >= 10, "only {checked} codes were found in the source");
    assert!(!found.iter().any(|source| closes(source, Code::ExitError)), "the check tells nothing");
}
