//! Which tasks are tried again, and what they ask for then, on every database.

use std::cell::Cell;

use cigri_core::ask::Ask;
use cigri_core::condition::{Condition, ConditionError};
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::failure::Class;
use cigri_core::language::Endless;
use cigri_core::state::{CampaignState, JobState};
use cigri_store::{Asked, NewCampaign, NewKey, NewSubmission, RetriedTasks, Retry, Sender, Store, StoreError, Which};

use super::databases::Fresh;
use super::failed::{Ending, ends};
use super::fixture::*;

/// Tasks with the parameters 0 to 9: those from 5 on exit with 3, task 9 runs into its walltime, task 0 is not tried.
fn ten(store: &Store) -> i64 {
    let texts: Vec<String> = (0..10).map(|at| at.to_string()).collect();
    let id = campaign(store, &["dahu"], &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let submission = submit(store, id, "dahu", 9);
    let ending = |at: i64| -> Ending<'_> { (at >= 5).then_some((3, Some("node1"), "no such star")) };
    ends(store, &submission, &(0..9).map(ending).collect::<Vec<_>>(), false);
    let last = submit(store, id, "dahu", 1);
    ends(store, &last, &[Some((-1, Some("node2"), "too long"))], false);
    id
}

fn condition(text: &str) -> Option<Condition> {
    Some(Condition::parse(text, &[]).unwrap())
}

fn foreseen(store: &Store, id: i64, retry: &Retry) -> RetriedTasks {
    store.survey(id, retry, &|| false).unwrap().tasks
}

fn retried(store: &Store, id: i64, retry: &Retry) -> (Vec<(i64, i64)>, usize) {
    let dry = foreseen(store, id, retry);
    let before = counters(store, id);
    let done = store.retry(id, retry, None, 7000).unwrap();
    assert_eq!((dry.tasks, &dry.runs), (done.tasks, &done.runs), "what was foretold");
    assert_eq!(counters(store, id)[0], before[0] + done.tasks as i64);
    (done.runs, done.tasks)
}

pub(super) fn a_retry_takes_the_tasks_that_are_meant_and_once(database: &Fresh) {
    let store = database.store();
    let id = ten(&store);
    assert_eq!(counters(&store, id), [0, 0, 0, 5, 5, 0, 0]);
    let walltime = Retry { classes: vec![Class::Walltime], ..Retry::default() };
    assert_eq!(retried(&store, id, &walltime), (vec![(9, 9)], 1));
    assert_eq!(retried(&store, id, &walltime), (vec![], 0), "it waits");
    let some = Retry { exits: vec![3, 4], condition: condition("p1 < 7 && node == \"node1\""), ..Retry::default() };
    assert_eq!(retried(&store, id, &some), (vec![(5, 6)], 2));
    assert_eq!(retried(&store, id, &Retry { classes: vec![Class::Memory], ..Retry::default() }), (vec![], 0));
    let of = |cluster: &str| Retry { clusters: vec![cluster.to_owned()], ..Retry::default() };
    assert_eq!((foreseen(&store, id, &of("dahu")).tasks, foreseen(&store, id, &of("luke")).tasks), (2, 0));
    let list = Retry { which: Which::Tasks(vec![(7, 7), (1, 2), (6, 9), (40, 50)]), ..Retry::default() };
    assert_eq!(retried(&store, id, &list), (vec![(1, 2), (7, 8)], 4), "done or failed, but none that waits");
    assert_eq!(counters(&store, id), [7, 0, 0, 3, 0, 0, 0]);
    let all = Retry { which: Which::All, ..Retry::default() };
    assert_eq!(retried(&store, id, &all), (vec![(0, 0), (3, 4)], 3));
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Active);
    let submission = submit(&store, id, "dahu", 10);
    assert_eq!(store.live_jobs(submission.id).unwrap()[0].generation, 2);
    assert_eq!(retried(&store, id, &all), (vec![], 0), "all are under way");
    ends(&store, &submission, &[None; 10], false);
    assert_eq!(counters(&store, id), [0, 0, 0, 10, 0, 0, 0]);
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Finished);
}

pub(super) fn a_condition_that_one_task_cannot_answer_changes_nothing(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["1", "x"]);
    finish(&store, &submit(&store, id, "dahu", 2), &[JobState::Failed, JobState::Failed]);
    let retry = Retry { condition: condition("p1 < 5"), ..Retry::default() };
    let refused = store.retry(id, &retry, None, 7000).unwrap_err();
    assert!(
        matches!(&refused, StoreError::Condition(error) if error.to_string().contains("task 1 (`x`)")),
        "{refused}"
    );
    assert_eq!(counters(&store, id), [0, 0, 0, 0, 2, 0, 0]);
}

pub(super) fn a_condition_is_answered_for_so_long_and_without_holding_the_database(database: &Fresh) {
    let store = database.store();
    let id = ten(&store);
    let retry = Retry { condition: condition("p1 < 9"), ..Retry::default() };
    let asked = Cell::new(0);
    let is_over = || {
        asked.set(asked.get() + 1);
        // Somebody else reads and writes meanwhile: this would wait for ever if a transaction was open.
        store.open_events(&[NewEvent::note(Scope::campaign(id), Code::ServiceFailure, "meanwhile")], 7000).unwrap();
        asked.get() > 2
    };
    let refused = store.survey(id, &retry, &is_over).unwrap_err();
    assert!(matches!(&refused, StoreError::Condition(ConditionError::Long { answered: 2 })), "{refused}");
    assert_eq!(counters(&store, id)[4], 5);
}

pub(super) fn a_retry_of_nothing_leaves_holds_where_only_some_are_asked_for(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    ends(&store, &submit(&store, id, "dahu", 1), &[Some((3, None, "x"))], false);
    let hold = NewEvent::hold(Scope::campaign_on(id, "dahu"), Code::SubmitRefused, "no");
    store.open_events(&[hold], 6000).unwrap();
    let lifted = |retry: &Retry| store.retry(id, retry, None, 7000).unwrap().holds;
    assert_eq!(lifted(&Retry { exits: vec![77], ..Retry::default() }), 0);
    assert_eq!(lifted(&Retry { exits: vec![3], ..Retry::default() }), 1);
}

pub(super) fn a_task_that_was_tried_again_meanwhile_is_left(database: &Fresh) {
    let store = database.store();
    let id = ten(&store);
    let retry = Retry { exits: vec![3], ..Retry::default() };
    let meant = store.survey(id, &retry, &|| false).unwrap();
    assert_eq!(retried(&store, id, &Retry { condition: condition("task < 7"), ..Retry::default() }).1, 2);
    let submission = submit(&store, id, "dahu", 2);
    ends(&store, &submission, &[None, None], false);
    let done = store.retry_meant(id, (&retry, &meant), None, 7000).unwrap();
    assert_eq!((meant.tasks.runs.clone(), done.runs), (vec![(5, 8)], vec![(7, 8)]), "two are done");
}

pub(super) fn a_factor_counts_from_what_was_asked_for_last(database: &Fresh) {
    let store = database.store();
    let id = ten(&store);
    let twice = Retry { ask: Ask::parse(Some("x2"), None).unwrap(), exits: vec![3], ..Retry::default() };
    assert_eq!(store.survey(id, &twice, &|| false).unwrap().ask, twice.ask);
    assert_eq!(retried(&store, id, &twice).1, 4);
    let sender = Sender { id, open_elsewhere: Vec::new(), levels: Vec::new() };
    let asked = store.asked_next("dahu", &[sender], i64::MAX).unwrap().remove(&id).unwrap().remove(&0);
    let new = NewSubmission { asked: asked.as_ref(), ..new_submission(id, "dahu", 10) };
    let (submission, _) = store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap();
    ends(&store, &adopt(&store, &submission), &[Some((3, None, "x")); 4], false);
    let ask = store.survey(id, &twice, &|| false).unwrap().ask;
    assert_eq!(ask, Ask::parse(Some("x4"), None).unwrap(), "what rules are asked about");
}

pub(super) fn a_cancelled_campaign_stays_as_it_is(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 1);
    store.cancel_campaign(id, 5000).unwrap();
    finish(&store, &submission, &[JobState::Failed]);
    for which in [Which::Failed, Which::All] {
        let retry = Retry { which, ..Retry::default() };
        assert!(matches!(store.survey(id, &retry, &|| false), Err(StoreError::Conflict(_))));
        assert!(matches!(store.retry(id, &retry, None, 7000), Err(StoreError::Conflict(_))));
    }
    assert_eq!(counters(&store, id)[4..6], [1, 1]);
}

fn next(store: &Store, id: i64) -> Option<Asked> {
    let sender = Sender { id, open_elsewhere: Vec::new(), levels: Vec::new() };
    store.asked_next("dahu", &[sender], i64::MAX).unwrap().remove(&id)?.remove(&0)
}

/// Sends what one submission takes, as the cluster's round does; the walltime that its jobs ask for, its tasks.
fn send(store: &Store, id: i64) -> Option<(u64, Vec<i64>)> {
    let asked = next(store, id);
    let new = NewSubmission { asked: asked.as_ref(), ..new_submission(id, "dahu", 100) };
    let (submission, tasks) = store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap()?;
    let ask = store.asked_of(submission.id).unwrap();
    assert_eq!(asked.map(|asked| asked.ask).unwrap_or_default(), ask, "read back");
    let spec = store.campaign(id).unwrap().spec;
    let asked = ask.apply(&spec.clusters["dahu"], None);
    adopt(store, &submission);
    let here = store.round_view("dahu").unwrap().here;
    let of = here.iter().find(|here| here.submissions.contains(&submission.id)).unwrap();
    assert_eq!(of.shape, asked.shape(), "the meter counts it as what it is");
    Some((asked.walltime_s, tasks.iter().map(|(task, _)| task.index).collect()))
}

pub(super) fn what_is_retried_with_more_time_is_sent_by_itself(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c", "d"]);
    assert_eq!(next(&store, id), None);
    finish(&store, &submit(&store, id, "dahu", 3), &[JobState::Failed; 3]);
    let time = |text: &str| Ask::parse(Some(text), None).unwrap();
    let one = |index: i64, ask: Ask| Retry { which: Which::Tasks(vec![(index, index)]), ask, ..Retry::default() };
    assert_eq!(retried(&store, id, &one(0, Ask::default())).1, 1);
    assert_eq!(retried(&store, id, &one(1, time("x2"))).1, 1);
    assert_eq!(retried(&store, id, &one(1, time("x2"))).1, 0, "it waits, and nobody asks for more");
    assert_eq!(send(&store, id), Some((7200, vec![0, 3])), "what came back, and what was never tried");
    assert_eq!(send(&store, id), Some((14_400, vec![1])));
    assert_eq!(send(&store, id), None);
    // Twice as long as the task had, whatever others were given.
    assert_eq!(retried(&store, id, &one(2, time("x2"))).1, 1);
    assert_eq!(send(&store, id), Some((14_400, vec![2])));
    for submission in store.round_view("dahu").unwrap().submissions {
        let live = store.live_jobs(submission.id).unwrap().len();
        finish(&store, &submission, &[JobState::Failed; 4][..live]);
    }
    assert_eq!(retried(&store, id, &one(1, time("x2"))).1, 1);
    assert_eq!(send(&store, id), Some((28_800, vec![1])));
    assert_eq!(retried(&store, id, &Retry::default()).1, 3);
    assert_eq!(send(&store, id), Some((28_800, vec![0, 2, 3])), "what was asked for last holds from then on");
}

pub(super) fn a_round_that_knows_nothing_of_a_retry_leaves_its_tasks(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    finish(&store, &submit(&store, id, "dahu", 1), &[JobState::Failed]);
    let has_asks = || store.round_view("dahu").unwrap().campaigns[0].row.has_asks;
    assert!(!has_asks());
    let ask = Ask::parse(Some("x2"), None).unwrap();
    assert_eq!(retried(&store, id, &Retry { ask, ..Retry::default() }).1, 1);
    assert!(has_asks());
    let (_, tasks) =
        store.intend(&new_submission(id, "dahu", 10), |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap();
    assert_eq!(tasks.iter().map(|(task, _)| task.index).collect::<Vec<_>>(), [1]);
    assert_eq!(send(&store, id), Some((14_400, vec![0])));
}

pub(super) fn tasks_beyond_the_cursor_of_a_closed_bag_are_retried_too(database: &Fresh) {
    let store = database.store();
    let mut spec = spec(&["dahu"]);
    spec.endless = Some(Endless { until: Some(9000), successes: None });
    let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
    let id = store.begin_campaign(&new, 1000).unwrap();
    store.open_campaign(id, Endless::TASKS as i64, true).unwrap();
    let submission = submit(&store, id, "dahu", 5);
    // Three come back and are forgotten when the bag is closed: the cursor falls to 2.
    finish(&store, &submission, &[JobState::Killed, JobState::Killed, JobState::Killed]);
    store.close_due_bags(9000).unwrap();
    let live = store.live_jobs(submission.id).unwrap().len();
    finish(&store, &submission, &[JobState::Failed, JobState::Done][..live]);
    assert_eq!(counters(&store, id), [0, 0, 0, 1, 1, 0, 3]);
    let four = Retry { which: Which::Tasks(vec![(4, 4)]), ..Retry::default() };
    assert_eq!(foreseen(&store, id, &four).tasks, 1);
    let all = Retry { which: Which::All, ..Retry::default() };
    assert_eq!(retried(&store, id, &all), (vec![(3, 4)], 2));
}

pub(super) fn a_retry_under_a_key_is_kept_with_its_answer(database: &Fresh) {
    let store = database.store();
    let id = ten(&store);
    let digest = "d".to_owned();
    let key = |retried: &cigri_store::RetriedTasks| NewKey {
        owner: "alice".into(),
        key: "k".into(),
        digest: digest.clone(),
        answer: retried.tasks.to_string(),
        now: 1,
    };
    assert_eq!(store.retry(id, &Retry::default(), Some(&key), 7000).unwrap().tasks, 5);
    let known = store.find_key("alice", "k", 2).unwrap().unwrap();
    assert_eq!((known.campaign_id, known.answer.as_str()), (id, "5"));
    assert!(matches!(store.retry(id, &Retry::default(), Some(&key), 7000), Err(StoreError::Repeated)));
}

pub(super) fn thousands_of_tasks_are_retried_page_by_page(database: &Fresh) {
    let store = database.store();
    let id = begin(&store, &["dahu"]);
    store.open_campaign(id, 12_000, true).unwrap();
    let submission = submit(&store, id, "dahu", 12_000);
    let ending = |at: i64| -> Ending<'_> { (at % 2 == 0).then_some((3, None, "x")) };
    ends(&store, &submission, &(0..12_000).map(ending).collect::<Vec<_>>(), false);
    let odd = Retry { condition: condition("task % 4 == 0"), ..Retry::default() };
    let dry = foreseen(&store, id, &odd);
    assert_eq!((dry.tasks, dry.runs.len(), dry.told), (3_000, 100, 100));
    assert_eq!(store.retry(id, &odd, None, 7000).unwrap().tasks, 3_000);
    let all = store.retry(id, &Retry { which: Which::All, ..Retry::default() }, None, 7000).unwrap();
    assert_eq!((all.tasks, all.done), (9_000, 6_000));
    assert_eq!(counters(&store, id), [12_000, 0, 0, 0, 0, 0, 0]);
}
