//! Tasks that fail on clusters go elsewhere while they can, on every database.

use std::sync::Arc;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::{JobState, SubmissionState};
use cigri_store::{JobEnd, NewSubmission, Return, Store, TaskState};

use super::databases::Fresh;
use super::fixture::*;

/// Sends all that waits to a cluster, where it fails and comes back.
fn fails_on(store: &Store, id: i64, cluster: &str) {
    let submission = submit(store, id, cluster, 10);
    ends(store, &submission, Some(cluster));
}

fn ends(store: &Store, submission: &cigri_store::SubmissionRow, avoid: Option<&str>) {
    let live = store.live_jobs(submission.id).unwrap();
    let back = Some(Return { last: false, avoid_cluster: avoid.map(str::to_owned), ..Return::default() });
    let ends: Vec<JobEnd> =
        live.iter().map(|job| JobEnd { back: back.clone(), ..end(job, JobState::Killed) }).collect();
    store.record_look(submission, &look(0, ends.len() as i64, &[], &ends), 6000).unwrap();
}

/// Tasks that each cluster may take now, as its round sees it.
fn pending(store: &Store, clusters: &[&str]) -> Vec<i64> {
    clusters.iter().map(|name| store.round_view(name).unwrap().campaigns[0].pending_here).collect()
}

fn failed_on(store: &Store, id: i64, task: i64) -> Vec<String> {
    match store.task_state(id, task).unwrap() {
        TaskState::InBag { failed_on, .. } => failed_on,
        other => panic!("{other:?}"),
    }
}

pub(super) fn a_task_avoids_every_cluster_it_failed_on_until_it_failed_on_all(database: &Fresh) {
    let store = database.store();
    let names = ["dahu", "luke", "yeti"];
    let id = campaign(&store, &names, &["a"]);
    fails_on(&store, id, "dahu");
    assert_eq!(pending(&store, &names), [0, 1, 1]);
    fails_on(&store, id, "luke");
    assert_eq!(pending(&store, &names), [0, 0, 1]);
    assert!(intend(&store, id, "dahu", 10).is_none());
    assert_eq!(failed_on(&store, id, 0), ["dahu", "luke"]);
    fails_on(&store, id, "yeti");
    assert_eq!(pending(&store, &names), [1, 1, 1], "anywhere again");
    let (_, tasks) = intend(&store, id, "dahu", 10).unwrap();
    assert_eq!(tasks[0].0.attempt, 4);
}

pub(super) fn what_a_task_failed_on_is_kept_when_it_comes_back_for_another_reason(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a"]);
    fails_on(&store, id, "dahu");
    let killed_for_others = submit(&store, id, "luke", 10);
    ends(&store, &killed_for_others, None);
    assert_eq!(failed_on(&store, id, 0), ["dahu"], "a kill for others is no failure");
    let (refused, _) = intend(&store, id, "luke", 10).unwrap();
    store.give_up(refused.id, SubmissionState::Refused, "no", 7000).unwrap();
    assert_eq!(failed_on(&store, id, 0), ["dahu"]);
    store.put_cluster(&cluster("luke")).unwrap();
    submit(&store, id, "luke", 10);
    store.open_events(&[NewEvent::hold(Scope::cluster("luke"), Code::ClusterReset, "reset")], 1).unwrap();
    store.accept_reset("luke", true, 9000).unwrap();
    assert_eq!(failed_on(&store, id, 0), ["dahu"], "nor is the loss of a cluster's database");
}

pub(super) fn a_retry_forgets_where_a_task_failed(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a"]);
    fails_on(&store, id, "dahu");
    let submission = submit(&store, id, "luke", 10);
    finish(&store, &submission, &[JobState::Failed]);
    store.retry_failed(id, 7000).unwrap();
    assert!(failed_on(&store, id, 0).is_empty());
    assert_eq!(pending(&store, &["dahu", "luke"]), [1, 1]);
}

pub(super) fn a_task_waits_for_no_cluster_that_is_closed_to_it(database: &Fresh) {
    let store = database.store();
    let names = ["dahu", "luke", "yeti"];
    let id = campaign(&store, &names, &["a", "b"]);
    let submission = submit(&store, id, "dahu", 1);
    ends(&store, &submission, Some("dahu"));
    assert_eq!(pending(&store, &names), [1, 2, 2]);
    let hold = |name: &str| NewEvent::hold(Scope::campaign_on(id, name), Code::SubmitRefused, "no");
    store.open_events(&[hold("luke")], 1).unwrap();
    assert_eq!(pending(&store, &["dahu"]), [1], "yeti is open");
    let mut view = store.round_view("dahu").unwrap();
    assert_eq!(view.campaigns[0].open_elsewhere(), ["yeti"]);
    view.campaigns[0].keep_open(&Arc::default());
    assert_eq!(
        (view.campaigns[0].pending_here, view.campaigns[0].facts.pending),
        (2, 2),
        "its owner has no account there"
    );
    store.open_events(&[hold("yeti")], 1).unwrap();
    assert_eq!(pending(&store, &["dahu"]), [2]);
    let nowhere: NewSubmission<'_> = new_submission(id, "dahu", 10);
    let (_, tasks) = store.intend(&nowhere, |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap();
    assert_eq!(tasks.len(), 2);
}

pub(super) fn names_of_clusters_are_matched_exactly(database: &Fresh) {
    let store = database.store();
    let names = ["da", "dahu", "DAHU", "d%h_", "é\"\\"];
    let id = campaign(&store, &names, &["a"]);
    fails_on(&store, id, "dahu");
    assert_eq!(pending(&store, &names), [1, 0, 1, 1, 1]);
    fails_on(&store, id, "é\"\\");
    assert_eq!(pending(&store, &names), [1, 0, 1, 1, 0]);
    assert_eq!(failed_on(&store, id, 0), ["dahu", "é\"\\"]);
}
