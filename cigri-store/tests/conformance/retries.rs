//! Delays, levels of escalation, histories by class, and campaigns in which too much fails, on every database.

use cigri_core::event::Code;
use cigri_core::failure::{Class, Failure};
use cigri_core::language::{CampaignSpec, ClusterSpec, Escalation, MaxFailures};
use cigri_core::state::{JobState, SubmissionState};
use cigri_store::{Delayed, JobEnd, NewCampaign, NewSubmission, Raised, Return, Store, SubmissionRow};

use super::databases::Fresh;
use super::fixture::*;

/// Ends all live jobs of a submission in the same way.
fn ends(store: &Store, submission: &SubmissionRow, change: impl Fn(&JobEnd) -> JobEnd, state: JobState) {
    let live = store.live_jobs(submission.id).unwrap();
    let ends: Vec<JobEnd> = live.iter().map(|job| change(&end(job, state))).collect();
    store.record_look(submission, &look(0, ends.len() as i64, &[], &ends), 6000).unwrap();
}

fn comes_back(store: &Store, submission: &SubmissionRow, back: &Return) {
    let change = |end: &JobEnd| JobEnd { back: Some(back.clone()), ..end.clone() };
    ends(store, submission, change, JobState::Killed);
}

fn at(store: &Store, id: i64, limit: i64, (level, now): (u32, i64)) -> Option<(SubmissionRow, Vec<i64>)> {
    let level = Raised { level, longest_s: None };
    let others = others(store, id, "dahu");
    let new = NewSubmission { level, open_elsewhere: &others, ..new_submission(id, "dahu", limit) };
    let (submission, tasks) = store.intend(&new, |id| format!("cigri.test.{id}"), now).unwrap()?;
    Some((submission, tasks.iter().map(|(task, _)| task.index).collect()))
}

pub(super) fn a_task_waits_for_its_next_try_and_no_longer(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let first = submit(&store, id, "dahu", 2);
    comes_back(&store, &first, &Return { not_before: 50_000, ..Return::default() });
    let here = |now| store.round_view_at("dahu", now).unwrap().campaigns.remove(0);
    assert_eq!((here(49_999).row.pending, here(49_999).pending_here), (3, 1));
    assert_eq!(here(49_999).delayed, Delayed { tasks: 2, first_at: Some(50_000) });
    assert_eq!((here(50_000).pending_here, here(50_000).delayed), (3, Delayed::default()));
    let (_, tasks) = at(&store, id, 10, (0, 49_999)).unwrap();
    assert_eq!(tasks, [2], "only the one that was never tried");
    assert!(at(&store, id, 10, (0, 49_999)).is_none());
    assert_eq!(at(&store, id, 10, (0, 50_000)).unwrap().1, [0, 1]);
}

/// A day, and a fifth of it.
const FURTHEST: i64 = 24 * 3_600_000 * 6 / 5;

pub(super) fn a_delay_that_no_clock_explains_is_over(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    for level in 0..2 {
        let back = Return { not_before: 1000 + FURTHEST, level, ..Return::default() };
        comes_back(&store, &submit(&store, id, "dahu", 1), &back);
    }
    let here = |now| store.round_view_at("dahu", now).unwrap().campaigns.remove(0);
    assert_eq!((here(1000).pending_here, here(1000).levels), (0, vec![]), "the longest delay there is");
    assert!(at(&store, id, 10, (0, 1000)).is_none());
    assert_eq!((here(999).pending_here, here(999).levels), (2, vec![1]), "the clock was ahead");
    assert_eq!(here(999).delayed, Delayed::default());
    assert_eq!(at(&store, id, 10, (1, 999)).unwrap().1, [1]);
    assert_eq!(at(&store, id, 10, (0, 999)).unwrap().1, [0]);
}

pub(super) fn a_resume_ends_the_delays_of_its_campaign(database: &Fresh) {
    let store = database.store();
    let [id, other] = ["a", "b"].map(|text| {
        let id = campaign(&store, &["dahu"], &[text]);
        let back = Return { not_before: 50_000, ..Return::default() };
        comes_back(&store, &submit(&store, id, "dahu", 1), &back);
        id
    });
    store.resume_campaign(id, 7000).unwrap();
    assert_eq!(at(&store, id, 10, (0, 7000)).unwrap().1, [0]);
    assert!(at(&store, other, 10, (0, 7000)).is_none());
}

pub(super) fn a_task_that_waits_and_should_go_elsewhere_is_counted_once(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a", "b", "c"]);
    let first = submit(&store, id, "dahu", 1);
    let elsewhere = Return { avoid_cluster: Some("dahu".into()), not_before: 50_000, ..Return::default() };
    comes_back(&store, &first, &elsewhere);
    let second = submit(&store, id, "dahu", 1);
    comes_back(&store, &second, &Return { not_before: 0, ..elsewhere });
    let here = |cluster, now| store.round_view_at(cluster, now).unwrap().campaigns[0].pending_here;
    assert_eq!((here("dahu", 1), here("luke", 1)), (1, 2), "one waits, one is for luke only");
    assert_eq!((here("dahu", 50_000), here("luke", 50_000)), (1, 3));
}

pub(super) fn tasks_of_one_level_share_a_submission_and_keep_it_when_it_is_given_up(database: &Fresh) {
    let store = database.store();
    let mut spec = ClusterSpec::new("sim", "/home/alice");
    spec.escalate = Some(Escalation { walltime: 2.0, resources: Vec::new(), most: 3 });
    let spec = CampaignSpec::new("c", [("dahu".to_owned(), spec)].into());
    let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
    let id = store.begin_campaign(&new, 1000).unwrap();
    store.open_campaign(id, 4, true).unwrap();
    let first = submit(&store, id, "dahu", 2);
    comes_back(&store, &first, &Return { level: 1, ..Return::default() });
    assert_eq!(store.round_view("dahu").unwrap().campaigns[0].levels, [1]);
    assert_eq!(at(&store, id, 1, (0, 9000)).unwrap().1, [2], "the others ask for more");
    let (raised, tasks) = at(&store, id, 10, (1, 9000)).unwrap();
    assert_eq!((tasks, raised.level), (vec![0, 1], 1));
    store.give_up(raised.id, SubmissionState::Refused, "no", 9000).unwrap();
    let (again, _) = at(&store, id, 10, (1, 9000)).unwrap();
    let shapes: Vec<String> = store.round_view("dahu").unwrap().here.into_iter().map(|here| here.shape).collect();
    assert_eq!(shapes, ["/core=1,walltime=02:00:00", "/core=1,walltime=04:00:00"]);
    let again = adopt(&store, &again);
    assert_eq!(again.level, 1);
    ends(&store, &again, JobEnd::clone, JobState::Done);
    assert_eq!(store.round_view("dahu").unwrap().campaigns[0].levels, [0u32; 0]);
}

pub(super) fn a_history_counts_the_classes_of_what_was_tried_again(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    for class in [Class::Licence, Class::Licence, Class::Node] {
        let failure = Failure { class, node: None, signature: None };
        let submission = submit(&store, id, "dahu", 1);
        let change = |end: &JobEnd| JobEnd { failure: Some(failure.clone()), cause: "exit_code".into(), ..end.clone() };
        ends(&store, &submission, change, JobState::Killed);
    }
    let live = store.live_jobs(submit(&store, id, "dahu", 1).id).unwrap();
    let past = store.attempts(id, 0, 3).unwrap();
    let told: Vec<_> = past.iter().map(|past| (past.number, past.state, past.class.as_deref())).collect();
    let killed = |number, class| (number, JobState::Killed, Some(class));
    assert_eq!(told, [killed(2, "licence"), killed(3, "node"), (4, JobState::Submitted, None)], "the last three");
    assert!(past.iter().all(|past| past.asked.as_deref() == Some("/core=1,walltime=02:00:00")), "{past:?}");
    let history = store.histories(id, &live.iter().collect::<Vec<_>>()).unwrap().remove(&(0, 1)).unwrap();
    let counts = [Class::Licence, Class::Node, Class::Exit].map(|class| history.of(class));
    assert_eq!(counts, [2, 1, 0]);
}

fn failing(store: &Store, max_failures: MaxFailures, tasks: i64) -> i64 {
    let clusters = ["dahu", "luke"].map(|name| (name.to_owned(), ClusterSpec::new("sim", "/home/alice")));
    let spec = CampaignSpec { max_failures: Some(max_failures), ..CampaignSpec::new("c", clusters.into()) };
    let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
    let id = store.begin_campaign(&new, 1000).unwrap();
    store.open_campaign(id, tasks, true).unwrap();
    id
}

fn fail(store: &Store, id: i64, tasks: i64) {
    let submission = submit(store, id, "dahu", tasks);
    ends(store, &submission, JobEnd::clone, JobState::Failed);
}

fn is_held(store: &Store, id: i64) -> [bool; 2] {
    let shares = store.shares(&store.campaign(id).unwrap()).unwrap();
    ["dahu", "luke"].map(|name| shares[name].hold.is_some())
}

pub(super) fn too_many_failures_hold_a_campaign_everywhere_until_it_is_resumed(database: &Fresh) {
    let store = database.store();
    let id = failing(&store, MaxFailures::Tasks(3), 100);
    fail(&store, id, 3);
    assert_eq!(is_held(&store, id), [false, false], "three are allowed");
    fail(&store, id, 2);
    assert_eq!(is_held(&store, id), [true, true]);
    let holds = store.round_view("luke").unwrap().holds;
    assert_eq!((holds.len(), holds[0].code.as_str()), (1, Code::TooManyFailures.as_str()));
    assert!(holds[0].message.contains("5 of 100"), "{}", holds[0].message);
    fail(&store, id, 1);
    assert_eq!(store.round_view("dahu").unwrap().holds.len(), 1, "it is told once");
    assert_eq!(store.resume_campaign(id, 7000).unwrap(), 1);
    fail(&store, id, 3);
    assert_eq!(is_held(&store, id), [false, false], "counted from there");
    fail(&store, id, 1);
    assert_eq!(is_held(&store, id), [true, true]);
    // Closing the event lets it go on as resuming does.
    for time in 0..2 {
        match time {
            0 => drop(store.close_by_hand(store.round_view("dahu").unwrap().holds[0].id, "alice", 8000).unwrap()),
            _ => drop(store.close_all_by_hand(id, "alice", 8000).unwrap()),
        }
        fail(&store, id, 3);
        assert_eq!(is_held(&store, id), [false, false], "counted from there");
        fail(&store, id, 1);
        assert_eq!(is_held(&store, id), [true, true]);
    }
}

pub(super) fn what_is_retried_makes_room_for_no_more_failures(database: &Fresh) {
    let store = database.store();
    let id = failing(&store, MaxFailures::Tasks(3), 100);
    fail(&store, id, 50);
    assert_eq!(store.retry_failed(id, 7000).unwrap().tasks, 50);
    assert_eq!(is_held(&store, id), [false, false]);
    fail(&store, id, 3);
    assert_eq!(is_held(&store, id), [false, false], "three are allowed");
    fail(&store, id, 1);
    assert_eq!(is_held(&store, id), [true, true]);
}

pub(super) fn a_share_of_failures_counts_once_some_tasks_have_ended(database: &Fresh) {
    let store = database.store();
    let id = failing(&store, MaxFailures::Percent(10), 100);
    fail(&store, id, 12);
    assert_eq!(is_held(&store, id), [false, false], "twelve have ended");
    ends(&store, &submit(&store, id, "dahu", 8), JobEnd::clone, JobState::Done);
    assert_eq!(is_held(&store, id), [true, true], "twenty have");
}
