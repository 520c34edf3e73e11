//! Events: counted, ended by their rules or by hand, looked up and dropped, on every database.

use std::collections::BTreeMap;

use cigri_core::event::{Closer, Closing, Code, NewEvent, Scope, Severity, merge};
use cigri_core::state::JobState;
use cigri_store::{About, EventFilter, EventRow, Store, StoreError};

use super::databases::Fresh;
use super::fixture::*;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn all(store: &Store) -> Vec<EventRow> {
    let filter = EventFilter { closed_too: true, oldest_first: true, page: (0, 1000), ..EventFilter::default() };
    store.list_events(&filter).unwrap().0
}

fn open(store: &Store, event: NewEvent, now: i64) -> EventRow {
    let key = (event.code.as_str(), event.scope.key());
    store.open_events(&[event], now).unwrap();
    all(store).into_iter().rfind(|row| (row.code.as_str(), row.scope.clone()) == key).unwrap()
}

fn codes(store: &Store, filter: &EventFilter) -> Vec<String> {
    let filter = EventFilter { page: (0, 100), ..filter.clone() };
    let (rows, total) = store.list_events(&filter).unwrap();
    assert_eq!(rows.len() as i64, total);
    rows.into_iter().map(|row| row.code).collect()
}

pub(super) fn the_same_again_counts_and_keeps_its_first_example_and_its_last(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let failure = |n: i64| NewEvent {
        times: n,
        ..NewEvent::note(Scope::campaign_on(id, "dahu"), Code::ExitError, format!("task {n}"))
    };
    let first = open(&store, failure(1), 1000);
    assert_eq!((first.class.as_str(), first.first_message.clone()), ("job", None));
    assert!(first.advice.contains(&format!("`cigri retry {id}`")), "{}", first.advice);
    open(&store, failure(2), 2000);
    let row = open(&store, failure(3), 3000);
    assert_eq!((row.id, row.occurrences, row.opened_at, row.last_at), (first.id, 6, 1000, 3000));
    assert_eq!((row.first_message.as_deref(), row.message.as_str()), (Some("task 1"), "task 3"));
    assert_eq!(all(&store).len(), 1);
}

pub(super) fn a_hundred_thousand_failures_are_a_dozen_events_that_count_exactly(database: &Fresh) {
    let store = database.store();
    let ids = [campaign(&store, &["dahu", "luke"], &["a"]), campaign(&store, &["dahu", "luke"], &["a"])];
    let kinds = [Code::ExitError, Code::Walltime, Code::ClusterTrouble];
    let mut told: BTreeMap<(i64, &str, &str), i64> = BTreeMap::new();
    for look in 0..200i64 {
        let failures = (0..500).map(|n| {
            let (id, cluster, code) = (ids[n % 2], ["dahu", "luke"][look as usize % 2], kinds[(n / 2) % 3]);
            *told.entry((id, cluster, code.as_str())).or_default() += 1;
            NewEvent::note(Scope::campaign_on(id, cluster), code, format!("task {n}"))
        });
        let merged = merge(failures.collect::<Vec<_>>());
        store.open_events(&merged, 1000 + look).unwrap();
    }
    let rows = all(&store);
    assert_eq!((rows.len(), rows.iter().map(|row| row.occurrences).sum::<i64>()), (12, 100_000));
    for ((id, cluster, code), times) in told {
        let row = rows.iter().find(|row| row.scope == Scope::campaign_on(id, cluster).key() && row.code == code);
        assert_eq!(row.unwrap().occurrences, times);
    }
}

pub(super) fn an_event_that_comes_back_at_once_is_the_same_one(database: &Fresh) {
    let store = database.store();
    let scope = Scope::cluster("dahu");
    let failing = || NewEvent::note(Scope::cluster("dahu"), Code::ApiFailure, "no answer");
    let first = open(&store, failing(), 0);
    for time in 1..=50 {
        assert_eq!(store.close_event(Code::ApiFailure, &scope, time * MINUTE).unwrap(), 1);
        assert_eq!(store.close_event(Code::ApiFailure, &scope, time * MINUTE).unwrap(), 0, "once");
        let row = open(&store, failing(), time * MINUTE + 1);
        assert_eq!((row.id, row.occurrences, row.reopened), (first.id, 1 + time, time));
        assert_eq!((row.closed_at, row.closed_by, row.closed_why), (None, None, None));
        let severity = if 1 + time < 30 { "medium" } else { "high" };
        assert_eq!(row.severity, severity, "what comes back for long is more urgent");
    }
    store.close_event(Code::ApiFailure, &scope, 60 * MINUTE).unwrap();
    let later = open(&store, failing(), 70 * MINUTE);
    assert!(later.id > first.id, "another outage is another event");
    assert_eq!((later.occurrences, later.severity.as_str(), all(&store).len()), (1, "medium", 2));
}

pub(super) fn a_note_becomes_a_hold_and_says_what_led_to_it(database: &Fresh) {
    let store = database.store();
    let scope = || Scope::user_on("alice", "dahu");
    let outage = open(&store, NewEvent::note(Scope::cluster("dahu"), Code::ApiFailure, "no answer"), 1);
    assert!(!open(&store, NewEvent::note(scope(), Code::TokenNotFound, "none"), 2).holds);
    let hold = NewEvent::hold(scope(), Code::TokenNotFound, "none").advised("ask ada for one");
    let row = open(&store, hold.clone().because(Code::ApiFailure, Scope::cluster("dahu")), 3);
    assert_eq!(
        (row.holds, row.occurrences, row.cause_id, row.advice.as_str()),
        (true, 2, Some(outage.id), "ask ada for one")
    );
    let row = open(&store, hold.because(Code::Restored, Scope::cluster("dahu")), 4);
    assert_eq!(row.cause_id, Some(outage.id), "no such event is open: what was known stays");
    store.close_event(Code::TokenNotFound, &scope(), 5).unwrap();
    let row = open(&store, NewEvent::note(scope(), Code::TokenNotFound, "none"), 6);
    assert_eq!((row.reopened, row.holds), (1, false), "the hold was closed: a note opens none");
}

pub(super) fn what_lasts_is_told_again_only_when_it_was_closed(database: &Fresh) {
    let store = database.store();
    let lasting = || [NewEvent::note(Scope::cluster("dahu"), Code::SensorFailed, "no number")];
    for now in [1, 2] {
        store.open_unless_open(&lasting(), now).unwrap();
        assert_eq!((all(&store)[0].occurrences, all(&store)[0].last_at), (1, 1));
    }
    store.close_by_hand(all(&store)[0].id, "ada", 3).unwrap();
    store.open_unless_open(&lasting(), 4).unwrap();
    assert_eq!((all(&store)[0].reopened, all(&store)[0].closed_at), (1, None));
}

pub(super) fn events_of_clusters_that_left_end_but_for_those_that_guard(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["luke"], &["a"]);
    let events = [
        NewEvent::note(Scope::cluster("dahu"), Code::SensorFailed, "stays"),
        NewEvent::note(Scope::cluster("luke"), Code::SensorFailed, "goes"),
        NewEvent::hold(Scope::user_on("bob", "luke"), Code::PermissionDenied, "goes too"),
        NewEvent::hold(Scope::cluster("luke"), Code::ClusterReset, "guards"),
        NewEvent::note(Scope::campaign_on(id, "luke"), Code::JobVanished, "ends with its campaign"),
        NewEvent::note(Scope::service(), Code::MailFailed, "is of no cluster"),
    ];
    store.open_events(&events, 1).unwrap();
    assert_eq!(store.close_of_other_clusters(&["dahu".to_owned()], 2).unwrap(), 2);
    let left: Vec<String> =
        all(&store).into_iter().filter(|row| row.closed_at.is_none()).map(|row| row.message).collect();
    assert_eq!(left, ["stays", "guards", "ends with its campaign", "is of no cluster"]);
}

pub(super) fn what_was_said_to_users_ends_when_they_have_left(database: &Fresh) {
    let store = database.store();
    campaign(&store, &["dahu"], &["a"]);
    for user in ["alice", "bob"] {
        store.open_events(&[NewEvent::hold(Scope::user_on(user, "dahu"), Code::PermissionDenied, user)], 0).unwrap();
    }
    assert_eq!(store.close_of_idle_users("dahu", 72 * HOUR - 1).unwrap(), 0, "days later");
    assert_eq!(store.close_of_idle_users("luke", 72 * HOUR).unwrap(), 0, "elsewhere");
    assert_eq!(store.close_of_idle_users("dahu", 72 * HOUR).unwrap(), 1);
    let left: Vec<String> =
        all(&store).into_iter().filter(|row| row.closed_at.is_none()).map(|row| row.message).collect();
    assert_eq!(left, ["alice"], "who has work there");
}

pub(super) fn notes_about_campaigns_on_a_cluster_end_together_and_holds_wait(database: &Fresh) {
    let store = database.store();
    let (one, other) = (campaign(&store, &["dahu"], &["a"]), campaign(&store, &["dahu"], &["a"]));
    let events = [
        NewEvent::note(Scope::campaign_on(one, "dahu"), Code::ServiceFailure, "tasks were in the bag"),
        NewEvent::note(Scope::campaign_on(one, "luke"), Code::ServiceFailure, "elsewhere"),
        NewEvent::hold(Scope::campaign_on(other, "dahu"), Code::ServiceFailure, "what is stored cannot be read"),
    ];
    store.open_events(&events, 1).unwrap();
    assert_eq!(store.close_notes(Code::ServiceFailure, "dahu", 2).unwrap(), 1);
    assert_eq!(store.close_notes(Code::ServiceFailure, "dahu", 3).unwrap(), 0);
    let left: Vec<String> =
        all(&store).into_iter().filter(|row| row.closed_at.is_none()).map(|row| row.message).collect();
    assert_eq!(left, ["elsewhere", "what is stored cannot be read"]);
}

pub(super) fn events_of_a_campaign_end_with_it(database: &Fresh) {
    let store = database.store();
    let (id, other) = (campaign(&store, &["dahu"], &["a"]), campaign(&store, &["dahu"], &["a"]));
    let failure = |id| NewEvent::note(Scope::campaign_on(id, "dahu"), Code::ExitError, "task 0");
    store.open_events(&[failure(id), failure(other)], 10).unwrap();
    store.open_events(&[NewEvent::hold(Scope::campaign(id), Code::TooManyFailures, "all of them")], 10).unwrap();
    let submission = submit(&store, id, "dahu", 1);
    finish(&store, &submission, &[JobState::Failed]);
    let is_of_it = |row: &EventRow| row.campaign_id == Some(id) && row.code != Code::Finished.as_str();
    let of_it: Vec<EventRow> = all(&store).into_iter().filter(is_of_it).collect();
    assert_eq!(of_it.len(), 2);
    assert!(of_it.iter().all(|row| row.closed_why.as_deref() == Some("the campaign ended")), "{of_it:#?}");
    // A look writes down what it saw after what it changed.
    let late = open(&store, failure(id), 20);
    assert_eq!((late.occurrences, late.closed_by.as_deref()), (2, Some("cigri")));
    assert!(store.campaign_events(id, &[], false).unwrap().is_empty());
    assert_eq!(
        store.campaign_events(id, &[], true).unwrap().into_iter().filter(is_of_it).count(),
        2,
        "they can be read"
    );
    store.cancel_campaign(other, 30).unwrap();
    assert!(store.campaign_events(other, &[], false).unwrap().is_empty());
}

/// What ends an event of a code by itself happens, and it is closed; nothing else closes it.
pub(super) fn every_code_ends_as_its_rule_says(database: &Fresh) {
    let store = database.store();
    for code in Code::ALL {
        let id = campaign(&store, &["dahu"], &["a"]);
        let of_campaign = matches!(code.closing(), Closing::CampaignEnd | Closing::Person(_));
        let scope =
            if of_campaign { Scope::campaign_on(id, "dahu") } else { Scope::user_on(&format!("u{id}"), "dahu") };
        let row = open(&store, NewEvent::note(scope.clone(), *code, "it happened"), 0);
        let is_open = || store.event(row.id).unwrap().closed_at.is_none();
        let quiet_after = match code.closing() {
            Closing::Quiet(hours) => {
                assert_eq!(store.close_quiet_events(i64::from(hours) * HOUR - 1).unwrap(), 0, "{code:?}");
                i64::from(hours) * HOUR
            }
            _ => 1000 * HOUR,
        };
        let is_quiet = matches!(code.closing(), Closing::Quiet(_));
        assert_eq!(store.close_quiet_events(quiet_after).unwrap(), usize::from(is_quiet), "{code:?}");
        assert_eq!(is_open(), !is_quiet, "{code:?}");
        if matches!(code.closing(), Closing::Recovery(_)) {
            assert_eq!(store.close_event(*code, &scope, quiet_after).unwrap(), 1, "{code:?}");
        }
        store.cancel_campaign(id, quiet_after).unwrap();
        assert!(!is_open(), "{code:?}");
    }
}

pub(super) fn a_person_closes_events_and_their_holds_but_not_those_that_guard(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let hold = NewEvent::hold(Scope::campaign_on(id, "dahu"), Code::WorkingDirectory, "no such directory");
    let row = open(&store, hold.clone(), 10);
    assert_eq!(store.round_view("dahu").unwrap().holds.len(), 1);
    assert_eq!(
        store.close_by_hand(row.id, "alice", 20).unwrap(),
        Some((Code::WorkingDirectory, Scope::campaign_on(id, "dahu")))
    );
    assert_eq!(store.close_by_hand(row.id, "bob", 30).unwrap(), None, "once");
    let closed = store.event(row.id).unwrap();
    assert_eq!(
        (closed.closed_at, closed.closed_by.as_deref(), closed.closed_why.as_deref()),
        (Some(20), Some("alice"), Some("by hand"))
    );
    assert!(store.round_view("dahu").unwrap().holds.is_empty());
    assert_eq!(store.campaign(id).unwrap().pending, 2, "closing drops no task");
    assert!(matches!(store.close_by_hand(999, "alice", 1), Err(StoreError::Missing(_))));

    let reset = open(&store, NewEvent::hold(Scope::cluster("dahu"), Code::ClusterReset, "another database"), 40);
    let refused = store.close_by_hand(reset.id, "root", 50).unwrap_err().to_string();
    assert!(refused.contains("cigri admin accept-reset dahu"), "{refused}");
    assert_eq!(store.event(reset.id).unwrap().closed_at, None);

    store.open_events(&[hold, NewEvent::note(Scope::campaign(id), Code::TestMode, "sample: it ended")], 60).unwrap();
    let done = store.close_all_by_hand(id, "alice", 70).unwrap();
    assert_eq!((done.closed.len(), done.left), (1, vec![Code::TestMode]));
    assert_eq!(store.campaign_events(id, &[], false).unwrap().len(), 1);
    assert!(Code::ALL.iter().any(|code| code.closer() == Closer::Admin), "else admins alone close nothing");
}

pub(super) fn events_are_looked_up_by_whom_they_concern_and_what_they_are(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let events = [
        NewEvent::note(Scope::campaign_on(id, "dahu"), Code::ExitError, "task 0"),
        NewEvent::note(Scope::user_on("bob", "dahu"), Code::NoAccount, "none"),
        NewEvent::note(Scope::cluster("luke"), Code::WaitsTooLong, "3 jobs"),
        NewEvent::note(Scope::campaign(999), Code::OnlyFailures, "another's"),
        NewEvent::note(Scope::service(), Code::MailFailed, "535"),
    ];
    events
        .iter()
        .zip([10, 20, 30, 40, 5])
        .for_each(|(event, at)| store.open_events(std::slice::from_ref(event), at).unwrap());
    let everything = EventFilter::default();
    assert_eq!(
        codes(&store, &everything),
        ["ONLY_FAILURES", "REMOTE_WAITING_FRAG", "NO_ACCOUNT", "EXIT_ERROR", "MAIL_FAILED"]
    );
    let of = |login: &str| EventFilter { about: About::User(login.into()), ..everything.clone() };
    assert_eq!(codes(&store, &of("alice")), ["REMOTE_WAITING_FRAG", "EXIT_ERROR"]);
    assert_eq!(codes(&store, &of("bob")), ["REMOTE_WAITING_FRAG", "NO_ACCOUNT"]);
    let of_admin = EventFilter { about: About::Admin("bob".into()), ..everything.clone() };
    assert_eq!(codes(&store, &of_admin), ["REMOTE_WAITING_FRAG", "NO_ACCOUNT", "MAIL_FAILED"]);
    let of_campaign = |owner: &str| {
        let about = About::Campaign { id, owner: owner.into(), clusters: vec!["dahu".into()] };
        codes(&store, &EventFilter { about, oldest_first: true, ..everything.clone() })
    };
    assert_eq!(of_campaign("alice"), ["EXIT_ERROR"]);
    assert_eq!(of_campaign("bob"), ["EXIT_ERROR", "NO_ACCOUNT"]);
    assert_eq!(
        codes(&store, &EventFilter { cluster: Some("luke".into()), ..everything.clone() }),
        ["REMOTE_WAITING_FRAG"]
    );
    assert_eq!(codes(&store, &EventFilter { code: Some("NO_ACCOUNT".into()), ..everything.clone() }), ["NO_ACCOUNT"]);
    assert_eq!(codes(&store, &EventFilter { at_least: Some(Severity::Medium), ..everything.clone() }).len(), 4);
    assert_eq!(codes(&store, &EventFilter { since: Some(30), ..everything.clone() }).len(), 2);
    let (page, total) = store.list_events(&EventFilter { page: (1, 2), ..everything }).unwrap();
    assert_eq!((page.len(), total, page[0].code.as_str()), (2, 5, "REMOTE_WAITING_FRAG"));
}

pub(super) fn old_closed_events_are_dropped_but_not_those_of_a_campaign_that_goes_on(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let mine = open(&store, NewEvent::note(Scope::campaign(id), Code::SubmitAbandoned, "x"), 1);
    let open_one = open(&store, NewEvent::note(Scope::cluster("luke"), Code::ApiFailure, "x"), 1);
    let old = open(&store, NewEvent::note(Scope::cluster("dahu"), Code::ApiFailure, "x"), 1);
    store.close_by_hand(mine.id, "alice", 10).unwrap();
    store.close_by_hand(old.id, "root", 10).unwrap();
    assert_eq!(store.prune_events(10).unwrap(), 0, "not before their time");
    assert_eq!((store.prune_events(11).unwrap(), store.prune_events(11).unwrap()), (1, 0));
    assert_eq!(all(&store).iter().map(|row| row.id).collect::<Vec<_>>(), [mine.id, open_one.id]);
    store.cancel_campaign(id, 20).unwrap();
    assert_eq!(store.prune_events(11).unwrap(), 1);
    let many = (0..1500).map(|n| NewEvent::note(Scope::user_on(&format!("u{n}"), "dahu"), Code::WaitsTooLong, "x"));
    store.open_events(&many.collect::<Vec<_>>(), 0).unwrap();
    assert_eq!(
        (store.close_quiet_events(24 * HOUR).unwrap(), store.close_quiet_events(24 * HOUR).unwrap()),
        (1000, 500)
    );
    assert_eq!((store.prune_events(25 * HOUR).unwrap(), store.prune_events(25 * HOUR).unwrap()), (1000, 500));
}
