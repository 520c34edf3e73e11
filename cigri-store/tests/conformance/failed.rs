//! What readers are told of failures, on every database.

use cigri_core::failure::{Class, Failure};
use cigri_core::state::JobState;
use cigri_store::{FailureGroup, JobEnd, Store, SubmissionRow};

use super::databases::Fresh;
use super::fixture::*;

/// How the jobs of a submission end: done, or failed with an exit code, on a host, with a signature.
pub(super) type Ending<'a> = Option<(i32, Option<&'a str>, &'a str)>;

/// Ends them for good, or (`back`) so that failed ones come back.
pub(super) fn ends(store: &Store, submission: &SubmissionRow, endings: &[Ending<'_>], back: bool) {
    let live = store.live_jobs(submission.id).unwrap();
    let ends: Vec<JobEnd> = live.iter().zip(endings).map(|(job, ending)| ended(job, *ending, back)).collect();
    store.record_look(submission, &look(0, ends.len() as i64, &[], &ends), 6000).unwrap();
}

fn ended(job: &cigri_store::LiveJob, ending: Ending<'_>, back: bool) -> JobEnd {
    let Some((code, node, signature)) = ending else { return end(job, JobState::Done) };
    let class = if code < 0 { Class::Walltime } else { Class::Exit };
    let failure = Failure { class, node: node.map(str::to_owned), signature: Some(signature.to_owned()) };
    let state = if back { JobState::Killed } else { JobState::Failed };
    JobEnd { exit_code: (code >= 0).then_some(code), failure: Some(failure), ..end(job, state) }
}

fn line(group: &FailureGroup) -> String {
    let shares =
        |all: &[(String, i64)]| all.iter().map(|(name, n)| format!("{name}:{n}")).collect::<Vec<_>>().join(" ");
    let same = &group.same;
    format!(
        "{} {} '{}' {}/{} [{}] [{}]",
        same.class,
        same.exit_code,
        same.signature,
        group.failed,
        group.attempts,
        shares(&group.clusters),
        shares(&group.hosts)
    )
}

fn lines(store: &Store, id: i64, attempts: bool) -> Vec<String> {
    store.failure_report(id, attempts).unwrap().groups.iter().map(line).collect()
}

const A: Ending<'static> = Some((3, Some("node1"), "no such star"));
const B: Ending<'static> = Some((3, None, "no such star"));
const C: Ending<'static> = Some((-1, Some("node2"), "too\0long"));

pub(super) fn failures_are_told_in_groups_with_where_they_were(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a", "b", "c", "d", "e", "f"]);
    ends(&store, &submit(&store, id, "dahu", 3), &[A, A, C], false);
    ends(&store, &submit(&store, id, "luke", 3), &[B, None, None], false);
    let told =
        ["exit 3 'no such star' 3/3 [dahu:2 luke:1] [node1:2]", "walltime -1 'too\u{fffd}long' 1/1 [dahu:1] [node2:1]"];
    assert_eq!(lines(&store, id, false), told);
    let report = store.failure_report(id, false).unwrap();
    assert_eq!((report.all_groups, report.failed, report.attempts), (2, 4, 4));
    assert_eq!(store.job(report.groups[0].example).unwrap().task_index, 0);
    assert_eq!(store.failure_report(campaign(&store, &["dahu"], &["a"]), true).unwrap().groups, []);
}

pub(super) fn a_failure_stands_until_its_task_is_tried_again(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    ends(&store, &submit(&store, id, "dahu", 2), &[A, A], true);
    assert_eq!(lines(&store, id, false), [] as [&str; 0], "both were tried again by themselves");
    assert_eq!(lines(&store, id, true), ["exit 3 'no such star' 0/2 [dahu:2] [node1:2]"]);
    ends(&store, &submit(&store, id, "dahu", 2), &[A, None], false);
    assert_eq!(lines(&store, id, false), ["exit 3 'no such star' 1/3 [dahu:1] [node1:1]"]);
    store.retry_failed(id, 7000).unwrap();
    assert_eq!(lines(&store, id, false), [] as [&str; 0], "it waits");
    let submission = submit(&store, id, "dahu", 1);
    assert_eq!(lines(&store, id, false), [] as [&str; 0], "it is under way");
    ends(&store, &submission, &[C], false);
    assert_eq!(lines(&store, id, false), ["walltime -1 'too\u{fffd}long' 1/1 [dahu:1] [node2:1]"]);
    let report = store.failure_report(id, true).unwrap();
    assert_eq!((report.all_groups, report.failed, report.attempts), (2, 1, 4));
}

pub(super) fn only_the_largest_groups_are_told_and_the_rest_is_counted(database: &Fresh) {
    let store = database.store();
    let names: Vec<String> = (0..60).map(|at| format!("p{at}")).collect();
    let id = campaign(&store, &["dahu"], &names.iter().map(String::as_str).collect::<Vec<_>>());
    let submission = submit(&store, id, "dahu", 60);
    let endings: Vec<Ending<'_>> = (0..60).map(|at| Some((at % 30, None, "x"))).collect();
    ends(&store, &submission, &endings, false);
    let report = store.failure_report(id, false).unwrap();
    assert_eq!((report.groups.len(), report.all_groups, report.failed), (20, 30, 60));
    assert!(report.groups.iter().all(|group| group.failed == 2), "{report:#?}");
}

pub(super) fn failed_tasks_and_done_ones_can_be_compared(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c", "d"]);
    ends(&store, &submit(&store, id, "dahu", 3), &[A, None, C], false);
    let sample = store.failure_sample(id, false, 1).unwrap();
    let failed: Vec<(&str, &str)> =
        sample.failed.iter().map(|(same, text)| (same.class.as_str(), text.as_str())).collect();
    assert_eq!((failed, sample.done), (vec![("exit", "a"), ("walltime", "c")], vec!["b".to_owned()]));
}
