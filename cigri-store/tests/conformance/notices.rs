//! Notifications: subscriptions, and what waits for them, on every database.

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::notice::Kind;
use cigri_core::state::JobState;
use cigri_store::{NewNotice, NewSubscription, NoticeRow, Store, StoreError, SubscriptionRow};

use super::databases::Fresh;
use super::fixture::*;

const HOUR: i64 = 3_600_000;

fn wish<'a>(owner: &'a str, kind: Kind, identity: &'a str) -> NewSubscription<'a> {
    NewSubscription { owner, kind, identity, severity: "low", digest_h: None, admins: false, secret: None }
}

fn mail(store: &Store) -> SubscriptionRow {
    store.add_subscription(&wish("alice", Kind::Mail, "alice@example.org"), 1).unwrap()
}

/// Writes everything untold into notices of this subscription, at `now`.
fn gather(store: &Store, to: &SubscriptionRow, now: i64) -> usize {
    let events = store.untold_events(100).unwrap();
    let notice = |(event, of): (usize, &cigri_store::Untold)| NewNotice {
        subscription: to.id,
        topic: format!("{}|dahu", of.code),
        event,
        title: "cluster dahu".to_owned(),
        digest_h: to.digest_h,
    };
    let new: Vec<NewNotice> = events.iter().enumerate().map(notice).collect();
    store.queue_notices(&events, &new, (now, HOUR)).unwrap();
    events.len()
}

fn due(store: &Store, now: i64) -> Vec<NoticeRow> {
    store.due_notices(Kind::Mail, now).unwrap().into_iter().flat_map(|(_, notices)| notices).collect()
}

fn happen(store: &Store, times: i64, now: i64) {
    let note = NewEvent::note(Scope::cluster("dahu"), Code::ApiFailure, "it answers 500");
    store.open_events(&[NewEvent { times, ..note }], now).unwrap();
}

pub(super) fn subscriptions_are_one_per_identity_and_go_with_what_waits_for_them(database: &Fresh) {
    let store = database.store();
    let row = mail(&store);
    let again = store.add_subscription(&wish("alice", Kind::Mail, "alice@example.org"), 2).unwrap_err();
    assert!(matches!(&again, StoreError::Conflict(_)), "{again}");
    store.add_subscription(&wish("bob", Kind::Mail, "alice@example.org"), 2).unwrap();
    store.add_subscription(&wish("alice", Kind::Xmpp, "alice@example.org"), 2).unwrap();
    happen(&store, 1, 10);
    gather(&store, &row, 20);
    let listed = store.subscriptions(Some("alice")).unwrap();
    let seen: Vec<_> = listed.iter().map(|(row, waiting)| (row.kind.as_str(), *waiting)).collect();
    assert_eq!(seen, [("mail", 1), ("xmpp", 0)]);
    assert!(store.remove_subscription("alice", Kind::Mail, "alice@example.org").unwrap());
    assert!(!store.remove_subscription("alice", Kind::Mail, "alice@example.org").unwrap());
    assert_eq!(due(&store, 20), [], "what waited went with it");
    assert_eq!(store.subscriptions(None).unwrap().len(), 2);
}

pub(super) fn an_event_is_told_once_however_often_it_is_looked_at(database: &Fresh) {
    let store = database.store();
    let row = mail(&store);
    happen(&store, 1, 10);
    assert_eq!((gather(&store, &row, 20), gather(&store, &row, 21)), (1, 0));
    let first = due(&store, 20);
    assert_eq!((first.len(), first[0].waiting, first[0].first_at, first[0].sent_at), (1, 1, 10, None));
    store.notices_told(&row, &first, (30, HOUR)).unwrap();
    assert_eq!(due(&store, 2 * HOUR), []);
    happen(&store, 39_999, 40);
    gather(&store, &row, 50);
    assert_eq!(due(&store, HOUR), [], "once in the period");
    let next = due(&store, HOUR + 30);
    assert_eq!((next.len(), next[0].waiting, next[0].sent_at), (1, 39_999, Some(30)));
}

pub(super) fn what_happens_while_nothing_can_be_sent_is_counted_in_one_row(database: &Fresh) {
    let store = database.store();
    let row = mail(&store);
    for minute in 0..24 * 60 {
        happen(&store, 1, minute * 60_000);
        if minute % 60 == 0 {
            gather(&store, &row, minute * 60_000);
        }
    }
    gather(&store, &row, 24 * HOUR);
    let waiting = due(&store, 24 * HOUR);
    assert_eq!((waiting.len(), waiting[0].waiting, waiting[0].first_at), (1, 1440, 0));
    // More of the same while it is being sent.
    happen(&store, 5, 24 * HOUR);
    gather(&store, &row, 24 * HOUR);
    store.notices_told(&row, &waiting, (24 * HOUR, HOUR)).unwrap();
    let rest = due(&store, 25 * HOUR);
    assert_eq!((rest.len(), rest[0].waiting), (1, 5));
}

pub(super) fn a_failed_try_pauses_its_subscription_and_old_ones_are_given_up(database: &Fresh) {
    let store = database.store();
    let row = mail(&store);
    happen(&store, 1, 10);
    gather(&store, &row, 20);
    assert_eq!(store.give_up_notices(1000).unwrap(), [], "what was never tried is not given up");
    store.notices_failed(&[row.id], "no\0body", 500).unwrap();
    assert_eq!(due(&store, 499), []);
    assert_eq!(due(&store, 500).len(), 1);
    let (seen, _) = store.subscriptions(Some("alice")).unwrap().remove(0);
    assert_eq!((seen.tries, seen.last_error.unwrap().replace('\0', "\u{fffd}").as_str()), (1, "no\u{fffd}body"));
    let gone = store.give_up_notices(1000).unwrap();
    assert_eq!((gone.len(), gone[0].1.waiting), (1, 1));
    assert_eq!(due(&store, 1000), []);
}

pub(super) fn a_campaign_that_ends_is_one_event_with_a_summary(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 2);
    super::failed::ends(&store, &submission, &[None, Some((3, None, "boom"))], false);
    let ends = || -> Vec<_> {
        let untold = store.untold_events(100).unwrap();
        untold.into_iter().filter(|event| event.code == "FINISHED_CAMPAIGN").collect()
    };
    let told = ends();
    assert_eq!((told.len(), told[0].owner.as_deref(), told[0].occurrences), (1, Some("alice"), 1));
    assert_eq!(told[0].campaign, Some((id, "sweep".to_owned())));
    let told = store.finish(id, told[0].last_at).unwrap().unwrap();
    assert_eq!((told.done, told.failed, told.cancelled), (1, 1, 0));
    assert_eq!(told.causes, [("exit".to_owned(), 1)]);
    let open = store.campaign_events(id, &[], false).unwrap();
    assert!(open.iter().all(|event| event.code != "FINISHED_CAMPAIGN"), "it asks for nothing");
    store.retry_failed(id, 5000).unwrap();
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Done]);
    assert_eq!(ends().len(), 2, "another end is another event");
    let told = store.finish(id, 9000).unwrap().unwrap();
    assert_eq!((told.done, told.failed, told.causes), (2, 0, Vec::new()), "what was done again is no failure");
    assert_eq!(store.finish(id + 1, 9000).unwrap(), None);
}

pub(super) fn a_campaign_that_cannot_be_read_stops_no_messages(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    database.execute(&format!("UPDATE campaign SET spec = 'x' WHERE id = {id}")).unwrap();
    assert!(store.campaign(id).is_err());
    store.open_events(&[NewEvent::note(Scope::campaign(id), Code::ExitError, "exit 3")], 1).unwrap();
    happen(&store, 1, 10);
    let untold = store.untold_events(100).unwrap();
    let told: Vec<_> = untold.iter().map(|event| (event.code.as_str(), event.owner.as_deref())).collect();
    assert_eq!(told, [("EXIT_ERROR", Some("alice")), ("CLUSTER_API_SERVER_ERROR", None)]);
    assert_eq!(untold[0].campaign, Some((id, "sweep".to_owned())));
}

pub(super) fn a_notice_repeats_what_its_event_says_to_do(database: &Fresh) {
    let store = database.store();
    let row = mail(&store);
    let note = NewEvent::note(Scope::cluster("dahu"), Code::ApiFailure, "it answers 500");
    store.open_events(&[note.advised("wait for its reboot")], 10).unwrap();
    gather(&store, &row, 20);
    assert_eq!(due(&store, 20)[0].advice, "wait for its reboot");
}

pub(super) fn after_ten_messages_in_a_period_the_rest_goes_together(database: &Fresh) {
    let store = database.store();
    let row = mail(&store);
    let mut sent = Vec::new();
    for minute in 0..15 {
        let now = minute * 60_000;
        store
            .open_events(&[NewEvent::note(Scope::cluster(&format!("c{minute}")), Code::ApiFailure, "500")], now)
            .unwrap();
        let events = store.untold_events(100).unwrap();
        let topic = format!("API|c{minute}");
        let new = NewNotice { subscription: row.id, topic, event: 0, title: String::new(), digest_h: None };
        store.queue_notices(&events, &[new], (now, HOUR)).unwrap();
        let due = due(&store, now);
        store.notices_told(&row, &due, (now, HOUR)).unwrap();
        sent.push(due.len());
    }
    assert_eq!(sent, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0]);
    assert_eq!((due(&store, HOUR - 1).len(), due(&store, HOUR).len()), (0, 5));
}

pub(super) fn a_muted_campaign_is_remembered_by_user(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let row = mail(&store);
    store.open_events(&[NewEvent::note(Scope::campaign(id), Code::ExitError, "exit 3")], 1).unwrap();
    gather(&store, &row, 10);
    assert_eq!(due(&store, 10).len(), 1);
    assert!(store.mute("alice", id, true).unwrap());
    assert_eq!(due(&store, 10), [], "what waits is not told either");
    assert!(!store.mute("alice", id, true).unwrap());
    assert_eq!(store.muted().unwrap(), [("alice".to_owned(), id)]);
    assert!(store.mute("alice", id, false).unwrap());
    assert!(!store.mute("alice", id, false).unwrap());
    assert!(matches!(store.mute("alice", id + 1, true), Err(StoreError::Missing(_))));
}

pub(super) fn what_was_told_long_ago_is_forgotten(database: &Fresh) {
    let store = database.store();
    let row = mail(&store);
    happen(&store, 1, 10);
    gather(&store, &row, 20);
    assert_eq!(store.prune_notices(HOUR).unwrap(), 0, "it waits");
    store.notices_told(&row, &due(&store, 20), (30, HOUR)).unwrap();
    assert_eq!((store.prune_notices(30).unwrap(), store.prune_notices(31).unwrap()), (0, 1));
}
