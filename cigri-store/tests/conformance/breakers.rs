//! Breakers, and single jobs that are wanted back, on every database.

use cigri_core::breaker::{Breaker, Pauses, Subject, Trip};
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::{JobState, Wish};
use cigri_store::BreakerChanges;

use super::databases::Fresh;
use super::fixture::*;

const PAUSES: Pauses = Pauses { first_s: 300, longest_s: 3600 };

fn open(now: i64) -> Breaker {
    // Text from a cluster may hold anything.
    let trip = Trip { failures: 48, ends: 50, mostly: "exit '1'".to_owned() };
    Breaker::open(None, trip, now, PAUSES)
}

pub(super) fn breakers_and_what_is_told_of_them_change_together(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let scope = Scope::campaign_on(id, "dahu");
    let subjects = [Subject::Campaign(id), Subject::Cluster, Subject::Node("node12".to_owned())];
    let changes = BreakerChanges {
        breakers: subjects.iter().map(|subject| (subject.clone(), Some(open(1000)))).collect(),
        events: vec![NewEvent::note(scope.clone(), Code::BreakerOpen, "48 of 50")],
        over: Vec::new(),
    };
    store.change_breakers("dahu", &changes, 1000).unwrap();
    assert_eq!(store.breakers("dahu").unwrap(), subjects.clone().map(|subject| (subject, open(1000))));
    assert_eq!(store.breakers("luke").unwrap(), [], "each cluster has its own");
    let told = |all| store.campaign_events(id, &[], all).unwrap().len();
    assert_eq!((told(false), told(true)), (1, 1));

    let closed = open(1000).at(301_000, PAUSES).tried(true, 310_000, PAUSES);
    let changes = BreakerChanges {
        breakers: vec![(Subject::Campaign(id), Some(closed.clone())), (Subject::Cluster, None)],
        events: Vec::new(),
        over: vec![(Code::BreakerOpen, scope)],
    };
    store.change_breakers("dahu", &changes, 310_000).unwrap();
    let node = (Subject::Node("node12".to_owned()), open(1000));
    assert_eq!(store.breakers("dahu").unwrap(), [(Subject::Campaign(id), closed), node]);
    assert_eq!((told(false), told(true)), (0, 1));
}

pub(super) fn jobs_are_wanted_back_once(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let submission = submit(&store, id, "dahu", 3);
    let jobs = store.live_jobs(submission.id).unwrap();
    store.wish(jobs[0].id, Wish::Cancel).unwrap();
    let ids: Vec<i64> = jobs.iter().map(|job| job.id).chain([999_999]).collect();
    let wished = store.wish_jobs(&ids, Wish::Again).unwrap();
    assert_eq!(wished, [jobs[1].id, jobs[2].id], "what its owner wants goes before");
    assert_eq!(store.wish_jobs(&ids, Wish::Again).unwrap(), Vec::<i64>::new());
    let wishes: Vec<_> = store.live_jobs(submission.id).unwrap().iter().map(|job| job.wish).collect();
    assert_eq!(wishes, [Some(Wish::Cancel), Some(Wish::Again), Some(Wish::Again)]);
}

pub(super) fn what_may_be_as_bad_as_the_last_tasks_goes_behind_the_others(database: &Fresh) {
    let store = database.store();
    let parameters: Vec<String> = (0..12).map(|index| index.to_string()).collect();
    let id = campaign(&store, &["dahu"], &parameters.iter().map(String::as_str).collect::<Vec<_>>());
    // Tasks 0 and 1 are taken, and 0 comes back.
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Killed, JobState::Failed]);
    let before = counters(&store, id);
    assert_eq!(store.put_behind(id, (5, 1000)).unwrap(), 2, "one in five of the ten that were never tried");
    assert_eq!(counters(&store, id), before, "they are in the bag all the same");
    let (_, tasks) = intend(&store, id, "dahu", 100).unwrap();
    let order: Vec<(i64, i32)> = tasks.iter().map(|(task, _)| (task.index, task.attempt)).collect();
    let wanted = (4..12).map(|index| (index, 1)).chain([(0, 2), (2, 1), (3, 1)]);
    assert_eq!(order, wanted.collect::<Vec<_>>());
    assert_eq!(store.put_behind(id, (5, 1000)).unwrap(), 0, "nothing is left");
}
