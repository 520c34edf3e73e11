//! What every database must do when tasks are added to campaigns, and when a request comes twice.
#![allow(unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use cigri_core::language::{CampaignSpec, Endless};
use cigri_core::state::{CampaignState, JobState};
use cigri_store::{NewCampaign, NewKey, NewTasks, Store, StoreError};

use crate::databases::Fresh;
use crate::fixture::{begin, campaign, counters, finish, intend, spec, submit};

const WEEK: i64 = 7 * 24 * 3600 * 1000;

fn texts(range: std::ops::Range<i64>) -> Vec<String> {
    range.map(|at| format!("added {at}")).collect()
}

fn add(store: &Store, id: i64, texts: &[String]) {
    store.add_tasks(id, NewTasks::Texts(texts), None).unwrap();
}

/// Adds as a long list is added: in pieces, then at once.
fn receive(store: &Store, id: i64, texts: &[String]) {
    let addition = store.begin_addition(id).unwrap();
    for (at, piece) in (0..).zip(texts.chunks(2000)) {
        store.append_to_addition((id, addition), at * 2000, piece).unwrap();
    }
    store.add_tasks(id, NewTasks::Received(addition, texts.len() as i64), None).unwrap();
}

fn key(owner: &str, key: &str, digest: &str, now: i64) -> NewKey {
    NewKey { owner: owner.into(), key: key.into(), digest: digest.into(), answer: format!("answer {digest}"), now }
}

pub fn added_tasks_follow_the_others_with_ids_above_them(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let other = campaign(&store, &["dahu"], &["x", "y"]);
    add(&store, id, &["d".to_owned(), "e".to_owned()]);
    assert_eq!(counters(&store, id), [5, 0, 0, 0, 0, 0, 0]);
    assert_eq!(store.parameters(id, 0, 10).unwrap(), ["a", "b", "c", "d", "e"]);
    assert_eq!(store.parameters(other, 0, 10).unwrap(), ["x", "y"]);
    let (row, other) = (store.campaign(id).unwrap(), store.campaign(other).unwrap());
    let ids =
        |row: &cigri_store::CampaignRow| (0..row.task_count as u64).map(|at| row.task_ids.id_of(at).unwrap()).collect();
    let (ids, others): (Vec<u64>, Vec<u64>) = (ids(&row), ids(&other));
    assert_eq!((ids[2], others[0]), (ids[0] + 2, ids[2] + 1));
    assert!(ids[3] > others[1] && ids[4] == ids[3] + 1, "{ids:?} {others:?}");
    let (_, tasks) = intend(&store, id, "dahu", 10).unwrap();
    let sent: Vec<(i64, &str)> = tasks.iter().map(|(task, text)| (task.index, text.as_str())).collect();
    assert_eq!(sent, [(0, "a"), (1, "b"), (2, "c"), (3, "d"), (4, "e")]);
}

pub fn any_mix_of_additions_reads_like_one_list(database: &Fresh) {
    let store = database.store();
    for (first, is_counted) in [(1, false), (999, false), (1000, false), (2500, false), (7, true)] {
        let id = begin(&store, &["dahu"]);
        let mut all: Vec<String> = (0..first).map(|at| at.to_string()).collect();
        if !is_counted {
            store.append_parameters(id, 0, &all).unwrap();
        }
        store.open_campaign(id, first, is_counted).unwrap();
        for (at, size) in [1, 1, 998, 3, 2001, 1, 4100, 999].into_iter().enumerate() {
            let (from, new) = (all.len() as i64, texts(all.len() as i64..all.len() as i64 + size));
            if at % 4 == 2 {
                receive(&store, id, &new)
            } else {
                add(&store, id, &new)
            }
            all.extend(new);
            assert_eq!(
                store.parameters(id, from - 1, 1002).unwrap(),
                all[from as usize - 1..].iter().take(1002).cloned().collect::<Vec<_>>()
            );
        }
        assert_eq!(store.parameters(id, 0, 100_000).unwrap(), all, "from {first}");
        assert_eq!(counters(&store, id)[0], all.len() as i64);
    }
}

pub fn an_addition_is_invisible_until_its_last_parameter_is_there(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let before = store.campaign(id).unwrap();
    let addition = store.begin_addition(id).unwrap();
    store.append_to_addition((id, addition), 0, &texts(0..1000)).unwrap();
    assert_eq!(store.campaign(id).unwrap(), before);
    assert_eq!(store.parameters(id, 0, 10).unwrap(), ["a"]);
    assert_eq!(intend(&store, id, "dahu", 10).unwrap().1.len(), 1);
    // Meanwhile somebody else adds.
    add(&store, id, &["b".to_owned()]);
    store.append_to_addition((id, addition), 1000, &texts(1000..1001)).unwrap();
    store.add_tasks(id, NewTasks::Received(addition, 1001), None).unwrap();
    let again = store.add_tasks(id, NewTasks::Received(addition, 1001), None);
    assert!(matches!(again, Err(StoreError::Missing(_))), "{again:?}");
    assert_eq!(store.parameters(id, 1, 2).unwrap(), ["b", "added 0"]);
    assert_eq!(store.parameters(id, 1002, 10).unwrap(), ["added 1000"]);
    assert_eq!(counters(&store, id), [1002, 1, 0, 0, 0, 0, 0]);
}

pub fn an_interrupted_addition_is_swept_whole(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    receive(&store, id, &texts(0..5));
    let before = store.campaign(id).unwrap();
    let [left, dropped] = [(); 2].map(|()| store.begin_addition(id).unwrap());
    for addition in [left, dropped] {
        store.append_to_addition((id, addition), 0, &texts(0..1000)).unwrap();
    }
    store.drop_addition(dropped).unwrap();
    assert_eq!(store.sweep_received().unwrap(), 1);
    assert!(matches!(store.add_tasks(id, NewTasks::Received(left, 1000), None), Err(StoreError::Missing(_))));
    store.drop_addition(1).unwrap();
    assert_eq!(store.campaign(id).unwrap(), before);
    assert_eq!(store.parameters(id, 0, 10).unwrap().len(), 6, "what is visible is never swept");
    let chunks = format!("UPDATE campaign SET name = (SELECT count(*) FROM parameter_chunk) WHERE id = {id}");
    database.execute(&chunks).unwrap();
    database.execute(&format!("UPDATE campaign SET jdl = name WHERE id = {id}")).unwrap();
    assert_eq!(store.jdl(id).unwrap(), "2", "no chunk is left behind");
}

pub fn a_finished_campaign_opens_again_and_a_paused_one_stays_paused(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    finish(&store, &submit(&store, id, "dahu", 10), &[JobState::Done]);
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Finished);
    add(&store, id, &["b".to_owned()]);
    let row = store.campaign(id).unwrap();
    assert_eq!((row.state, row.finished_at), (CampaignState::Active, None));
    finish(&store, &submit(&store, id, "dahu", 10), &[JobState::Done]);
    let row = store.campaign(id).unwrap();
    assert_eq!((row.state, row.finished_at, row.done), (CampaignState::Finished, Some(6000), 2));
    let paused = campaign(&store, &["dahu"], &["a"]);
    store.pause_campaign(paused).unwrap();
    add(&store, paused, &["b".to_owned()]);
    assert_eq!(store.campaign(paused).unwrap().state, CampaignState::Paused);
}

pub fn a_refused_addition_changes_nothing(database: &Fresh) {
    let store = database.store();
    let open = campaign(&store, &["dahu"], &["a"]);
    let cancelled = campaign(&store, &["dahu"], &["a"]);
    store.cancel_campaign(cancelled, 5000).unwrap();
    let endless = CampaignSpec { endless: Some(Endless::default()), ..spec(&["dahu"]) };
    let new = NewCampaign { owner: "alice", spec: &endless, jdl: "{}", origin: None };
    let endless = store.begin_campaign(&new, 1000).unwrap();
    let receiving = begin(&store, &["dahu"]);
    let one = ["b".to_owned()];
    let refused = |id: i64, tasks: NewTasks<'_>, word: &str| {
        let before = store.campaign(id).ok();
        let given = key("alice", "k", "d", 1000);
        let error = store.add_tasks(id, tasks, Some(&given)).unwrap_err();
        assert!(error.to_string().contains(word), "{error}");
        assert_eq!(store.campaign(id).ok(), before);
        assert_eq!(store.find_key("alice", "k", 1000).unwrap(), None, "a request that failed leaves no key");
    };
    refused(receiving, NewTasks::Texts(&one), "no campaign");
    refused(endless, NewTasks::Texts(&one), "no campaign");
    store.open_campaign(endless, 1, true).unwrap();
    refused(endless, NewTasks::Texts(&one), "has no end");
    refused(cancelled, NewTasks::Texts(&one), "Unable to add jobs");
    refused(open, NewTasks::Texts(&[]), "none were given");
    refused(open, NewTasks::Received(77, 1), "no addition");
    refused(open, NewTasks::Received(77, 1_000_000_000), "more than 1000000000");
    assert!(matches!(store.begin_addition(cancelled), Err(StoreError::Conflict(_))));
    assert!(matches!(store.begin_addition(999), Err(StoreError::Missing(_))));
}

pub fn many_small_additions_have_few_runs_of_ids(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["0"]);
    let mut others = BTreeSet::new();
    for at in 1..150 {
        let other = store.campaign(campaign(&store, &["dahu"], &["x"])).unwrap();
        others.insert(other.task_ids.first());
        add(&store, id, &[at.to_string()]);
    }
    let ids = store.campaign(id).unwrap().task_ids;
    let own: BTreeSet<u64> = (0..150).map(|index| ids.id_of(index).unwrap()).collect();
    assert_eq!((own.len(), own.intersection(&others).count()), (150, 0), "each id means one task");
    assert!(ids.arithmetic().matches(">=").count() <= 8, "the command stays short: {}", ids.arithmetic());
}

pub fn adders_and_takers_at_the_same_time_lose_and_double_nothing(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["first"]);
    let adding = AtomicBool::new(true);
    let add_all = |name: &'static str| {
        let store = database.store();
        for at in 0..15 {
            let new: Vec<String> = (0..7).map(|task| format!("{name} {at} {task}")).collect();
            if at % 5 == 4 { receive(&store, id, &new) } else { add(&store, id, &new) }
        }
    };
    let take = || {
        let store = database.store();
        let mut taken = Vec::new();
        loop {
            // Asked before the look: what was added last is still taken.
            let more = adding.load(Ordering::SeqCst);
            match intend(&store, id, "dahu", 11) {
                Some((_, tasks)) => taken.extend(tasks.into_iter().map(|(task, text)| (task.index, text))),
                None if more => std::thread::yield_now(),
                None => return taken,
            }
        }
    };
    let taken: Vec<(i64, String)> = std::thread::scope(|scope| {
        let takers = [(); 2].map(|()| scope.spawn(take));
        let adders = ["one", "two"].map(|name| scope.spawn(move || add_all(name)));
        let added = adders.map(|adder| adder.join());
        adding.store(false, Ordering::SeqCst);
        added.into_iter().for_each(|added| added.unwrap());
        takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
    });
    let by_index: BTreeMap<i64, String> = taken.iter().cloned().collect();
    let by_text: BTreeSet<&String> = taken.iter().map(|(_, text)| text).collect();
    assert_eq!((taken.len(), by_index.len(), by_text.len()), (211, 211, 211));
    assert_eq!(by_index.into_values().collect::<Vec<_>>(), store.parameters(id, 0, 1000).unwrap());
    assert_eq!(counters(&store, id), [0, 211, 0, 0, 0, 0, 0]);
}

pub fn an_addition_that_meets_the_last_end_is_never_left_in_a_finished_campaign(database: &Fresh) {
    let store = database.store();
    for _ in 0..10 {
        let id = campaign(&store, &["dahu"], &["a"]);
        let submission = submit(&store, id, "dahu", 10);
        std::thread::scope(|scope| {
            scope.spawn(|| finish(&database.store(), &submission, &[JobState::Done]));
            scope.spawn(|| add(&database.store(), id, &["b".to_owned()]));
        });
        let row = store.campaign(id).unwrap();
        assert_eq!((row.state, row.finished_at), (CampaignState::Active, None));
        assert_eq!(counters(&store, id), [1, 0, 0, 1, 0, 0, 0]);
        finish(&store, &submit(&store, id, "dahu", 10), &[JobState::Done]);
        assert_eq!(store.campaign(id).unwrap().state, CampaignState::Finished);
    }
}

pub fn a_key_is_kept_with_what_was_done_and_for_a_week(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let one = ["b".to_owned()];
    store.add_tasks(id, NewTasks::Texts(&one), Some(&key("alice", "k", "d", 1000))).unwrap();
    let again = store.add_tasks(id, NewTasks::Texts(&one), Some(&key("alice", "k", "e", 2000)));
    assert!(matches!(again, Err(StoreError::Repeated)), "{again:?}");
    assert_eq!(counters(&store, id)[0], 2, "nothing is added twice");
    let known = store.find_key("alice", "k", 2000).unwrap().unwrap();
    assert_eq!((known.digest.as_str(), known.campaign_id, known.answer.as_str()), ("d", id, "answer d"));
    store.add_tasks(id, NewTasks::Texts(&one), Some(&key("bob", "k", "d", 1000))).unwrap();
    let new = begin(&store, &["dahu"]);
    let opened = store.open_campaign_once(new, 1, true, Some(&key("alice", "k", "d", 2000)));
    assert!(matches!(opened, Err(StoreError::Repeated)), "{opened:?}");
    assert!(store.campaign(new).is_err(), "it is still being received");
    assert_eq!(store.find_key("alice", "k", 1000 + WEEK).unwrap(), None, "a week later it is forgotten");
    store.open_campaign_once(new, 1, true, Some(&key("alice", "k", "d", 1000 + WEEK))).unwrap();
    assert_eq!(store.find_key("alice", "k", 1000 + WEEK).unwrap().unwrap().campaign_id, new);
    assert_eq!(store.find_key("bob", "k", 1000).unwrap(), None, "old keys of others go as well");
}

pub fn of_the_same_request_at_the_same_time_one_is_carried_out(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let ask = || {
        let new = ["b".to_owned()];
        database.store().add_tasks(id, NewTasks::Texts(&new), Some(&key("alice", "k", "d", 1000)))
    };
    let done = std::thread::scope(|scope| {
        let asking = [(); 4].map(|()| scope.spawn(ask));
        asking.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert!(done.iter().all(|done| matches!(done, Ok(()) | Err(StoreError::Repeated))), "{done:?}");
    assert_eq!(counters(&store, id)[0], 2);
}
