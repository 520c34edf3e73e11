//! Campaigns without an end: what closes their bag, and what becomes of their tasks then, on every database.

use cigri_core::language::Endless;
use cigri_core::state::{BagState, CampaignState, JobState, SubmissionState};
use cigri_store::{JobEnd, Look, NewCampaign, Store, SubmissionRow};

use super::databases::Fresh;
use super::fixture::*;

fn endless(store: &Store, until: Option<i64>, successes: Option<u64>) -> i64 {
    let mut spec = spec(&["dahu", "luke"]);
    spec.endless = Some(Endless { until, successes });
    let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
    let id = store.begin_campaign(&new, 1000).unwrap();
    store.open_campaign(id, Endless::TASKS as i64, true).unwrap();
    id
}

/// State, bag, and the number of tasks, which is that of the counters.
fn shown(store: &Store, id: i64) -> (CampaignState, Option<BagState>, i64) {
    counters(store, id);
    let row = store.campaign(id).unwrap();
    (row.state, row.bag, row.task_count)
}

fn ends(store: &Store, submission: &SubmissionRow, states: &[JobState]) -> Vec<JobEnd> {
    let live = store.live_jobs(submission.id).unwrap();
    live.iter().zip(states).map(|(job, state)| end(job, *state)).collect()
}

pub(super) fn an_endless_campaign_ends_when_its_time_is_over(database: &Fresh) {
    let store = database.store();
    let id = endless(&store, Some(9000), None);
    let submission = submit(&store, id, "dahu", 4);
    finish(&store, &submission, &[JobState::Done, JobState::Failed, JobState::Killed]);
    assert!(store.close_due_bags(8999).unwrap().is_empty());
    assert_eq!(shown(&store, id), (CampaignState::Active, Some(BagState::Open), 1_000_000_000));
    assert_eq!(store.close_due_bags(9000).unwrap(), [id]);
    assert_eq!(shown(&store, id), (CampaignState::Active, Some(BagState::Until), 3));
    assert_eq!(counters(&store, id), [0, 1, 0, 1, 1, 0, 1], "what had come back is dropped, what is live goes on");
    assert!(store.round_view("dahu").unwrap().campaigns.is_empty());
    assert!(intend(&store, id, "dahu", 5).is_none());
    finish(&store, &submission, &[JobState::Killed]);
    assert_eq!(shown(&store, id), (CampaignState::Finished, Some(BagState::Until), 2));
    assert!(store.close_due_bags(9999).unwrap().is_empty(), "once");
}

pub(super) fn no_task_of_an_endless_campaign_is_sent_after_its_time(database: &Fresh) {
    let store = database.store();
    let id = endless(&store, Some(2000), None);
    assert!(intend(&store, id, "dahu", 5).is_none(), "whoever looks first closes it");
    assert_eq!(shown(&store, id), (CampaignState::Finished, Some(BagState::Until), 0));
}

pub(super) fn an_endless_campaign_sends_no_more_than_the_successes_that_are_missing(database: &Fresh) {
    let store = database.store();
    let id = endless(&store, None, Some(3));
    let first = submit(&store, id, "dahu", 2);
    assert_eq!(store.round_view("luke").unwrap().campaigns[0].pending_here, 1);
    let second = submit(&store, id, "luke", 50);
    assert_eq!(second.job_count, 1);
    finish(&store, &first, &[JobState::Failed, JobState::Done]);
    assert_eq!(submit(&store, id, "dahu", 50).job_count, 1, "a failure makes room for one more");
    let third = store.round_view("dahu").unwrap().submissions.pop().unwrap();
    finish(&store, &third, &[JobState::Done]);
    assert_eq!(shown(&store, id).1, Some(BagState::Open));
    finish(&store, &second, &[JobState::Done]);
    assert_eq!(shown(&store, id), (CampaignState::Finished, Some(BagState::Successes), 4));
}

pub(super) fn a_task_that_finds_nothing_left_closes_the_bag(database: &Fresh) {
    let store = database.store();
    let id = endless(&store, None, None);
    let submission = submit(&store, id, "dahu", 3);
    let ends = ends(&store, &submission, &[JobState::Done]);
    let look = Look { ends, exhausted: true, ..Look::default() };
    store.record_look(&submission, &look, 4000).unwrap();
    assert_eq!(shown(&store, id), (CampaignState::Active, Some(BagState::Exhausted), 3));
    finish(&store, &submission, &[JobState::Failed, JobState::Done]);
    assert_eq!(shown(&store, id), (CampaignState::Finished, Some(BagState::Exhausted), 3));
    assert_eq!(store.retry_failed(id, 7000).unwrap().tasks, 1, "its failed tasks can be tried again");
    let again = submit(&store, id, "dahu", 5);
    assert_eq!(again.job_count, 1);
    finish(&store, &again, &[JobState::Killed]);
    assert_eq!(counters(&store, id)[0], 1, "what was asked for once more comes back");
}

pub(super) fn what_was_asked_for_once_more_survives_the_closing_of_the_bag(database: &Fresh) {
    let store = database.store();
    let id = endless(&store, Some(9000), None);
    let submission = submit(&store, id, "dahu", 4);
    finish(&store, &submission, &[JobState::Killed, JobState::Killed, JobState::Failed, JobState::Failed]);
    let second = submit(&store, id, "dahu", 2);
    finish(&store, &second, &[JobState::Killed, JobState::Killed]);
    assert_eq!(store.retry_failed(id, 5000).unwrap().tasks, 2);
    store.close_due_bags(9000).unwrap();
    assert_eq!(shown(&store, id), (CampaignState::Active, Some(BagState::Until), 2));
    let (again, tasks) = intend(&store, id, "dahu", 9).unwrap();
    assert_eq!(again.job_count, 2);
    let ids = store.campaign(id).unwrap().task_ids;
    let all_named = tasks.iter().all(|(task, _)| ids.id_of(task.index as u64).is_some());
    assert!(all_named, "tasks keep their ids, however few of the others were tried");
}

pub(super) fn cancelling_an_endless_campaign_counts_what_was_tried(database: &Fresh) {
    let store = database.store();
    let id = endless(&store, Some(9000), Some(10));
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Done]);
    store.cancel_campaign(id, 5000).unwrap();
    assert_eq!(shown(&store, id), (CampaignState::Cancelled, Some(BagState::Cancelled), 2));
    let other = endless(&store, None, None);
    store.cancel_campaign(other, 5000).unwrap();
    assert_eq!(shown(&store, other), (CampaignState::Cancelled, Some(BagState::Cancelled), 0));
    assert!(store.campaign(other).unwrap().finished_at.is_some());
}

pub(super) fn what_an_endless_campaign_gave_up_sending_is_no_task_once_it_is_closed(database: &Fresh) {
    let store = database.store();
    let id = endless(&store, Some(9000), None);
    let (submission, _) = intend(&store, id, "dahu", 2).unwrap();
    store.close_due_bags(9000).unwrap();
    store.give_up(submission.id, SubmissionState::Refused, "no", 9001).unwrap();
    assert_eq!(shown(&store, id), (CampaignState::Finished, Some(BagState::Until), 0));
}

pub(super) fn jobs_that_wait_can_be_taken_back_in_chunks(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c", "d"]);
    let submission = submit(&store, id, "dahu", 4);
    let running = store.live_jobs(submission.id).unwrap()[0].id;
    store.record_look(&submission, &look(3, 0, &[running], &[]), 4000).unwrap();
    let wish = || store.wish_waiting(submission.id, cigri_core::state::Wish::Again, 2).unwrap();
    assert_eq!([wish(), wish(), wish()], [2, 1, 0]);
    let live = store.live_jobs(submission.id).unwrap();
    assert_eq!(live.iter().filter(|job| job.wish.is_none()).map(|job| job.id).collect::<Vec<_>>(), [running]);
}
