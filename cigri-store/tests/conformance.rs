//! What every database must do: the life of campaigns, submissions and jobs, as the store's callers see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "conformance/additions.rs"]
mod additions;
#[path = "conformance/affinity.rs"]
mod affinity;
#[path = "conformance/breakers.rs"]
mod breakers;
mod databases;
#[path = "conformance/endless.rs"]
mod endless;
#[path = "conformance/events.rs"]
mod events;
#[path = "conformance/failed.rs"]
mod failed;
mod fixture;
#[path = "conformance/groups.rs"]
mod groups;
#[path = "conformance/ledger.rs"]
mod ledger;
#[path = "conformance/meter.rs"]
mod meter;
#[path = "conformance/notices.rs"]
mod notices;
#[path = "conformance/retried.rs"]
mod retried;
#[path = "conformance/retries.rs"]
mod retries;
#[path = "conformance/steps.rs"]
mod steps;
#[path = "conformance/sweeps.rs"]
mod sweeps;
#[path = "conformance/tasks.rs"]
mod tasks;
#[path = "conformance/usage.rs"]
mod usage;

use additions::*;
use affinity::*;
use breakers::*;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::failure::Class;
use cigri_core::state::{CampaignState, JobState, SubmissionState};
use cigri_core::token::Renewal;
use cigri_store::{AdoptedArray, CampaignFilter, ClusterRow, JobEnd, JobFilter, Return, StoreError, Task, TokenRow};
use databases::{Fresh, on_every_database};
use endless::*;
use events::*;
use failed::*;
use fixture::{begin, campaign, cluster, counters, end, finish, intend, look, submit};
use groups::*;
use ledger::*;
use meter::*;
use notices::*;
use retried::*;
use retries::*;
use steps::*;
use sweeps::*;
use tasks::*;
use usage::*;

on_every_database! {
    a_campaign_is_invisible_until_its_last_parameter_is_there
    an_interrupted_intake_is_swept_whole
    parameters_come_back_as_they_were_across_chunks
    task_ids_of_campaigns_never_overlap
    an_intent_takes_tasks_out_of_the_bag_in_order_with_their_parameters
    a_campaign_ends_when_its_last_task_does
    a_killed_attempt_comes_back_before_the_tasks_never_tried
    a_task_sent_to_the_end_waits_for_the_others
    a_task_that_should_go_elsewhere_is_kept_for_another_cluster
    refused_and_abandoned_submissions_give_their_tasks_back
    an_abandoned_submission_can_never_be_adopted
    an_adoption_of_another_size_changes_nothing
    an_end_counts_once
    running_jobs_are_counted_while_they_run
    cancelling_empties_the_bag_and_what_comes_back_is_cancelled
    a_retry_opens_a_new_generation_of_the_failed_tasks_only
    pausing_stops_submissions_and_resuming_lifts_holds
    with_every_other_cluster_on_hold_there_is_nowhere_else_to_go
    tokens_and_clusters_are_replaced_and_listed
    only_ends_with_a_budget_make_a_history
    a_task_waits_for_its_next_try_and_no_longer
    a_delay_that_no_clock_explains_is_over
    a_resume_ends_the_delays_of_its_campaign
    a_task_that_waits_and_should_go_elsewhere_is_counted_once
    tasks_of_one_level_share_a_submission_and_keep_it_when_it_is_given_up
    a_history_counts_the_classes_of_what_was_tried_again
    too_many_failures_hold_a_campaign_everywhere_until_it_is_resumed
    a_share_of_failures_counts_once_some_tasks_have_ended
    text_from_a_cluster_may_hold_anything
    a_missing_job_is_unknown_until_it_is_seen_again
    waiting_jobs_that_are_to_go_are_counted_by_submission
    a_wish_for_a_job_that_is_being_sent_ends_its_task_with_its_submission
    oars_own_resubmissions_are_one_attempt_and_too_many_are_wanted_back
    a_second_success_is_kept_and_counts_for_nothing
    a_task_in_the_bag_whose_job_is_live_does_not_stop_the_others
    the_watermark_only_rises_and_canaries_are_the_last_jobs_that_ended
    after_a_reset_an_admin_keeps_our_jobs_or_gives_them_up
    a_gate_test_is_kept_replaced_and_forgotten
    an_endless_campaign_ends_when_its_time_is_over
    no_task_of_an_endless_campaign_is_sent_after_its_time
    an_endless_campaign_sends_no_more_than_the_successes_that_are_missing
    a_task_that_finds_nothing_left_closes_the_bag
    cancelling_an_endless_campaign_counts_what_was_tried
    what_was_asked_for_once_more_survives_the_closing_of_the_bag
    what_an_endless_campaign_gave_up_sending_is_no_task_once_it_is_closed
    jobs_that_wait_can_be_taken_back_in_chunks
    added_tasks_follow_the_others_with_ids_above_them
    any_mix_of_additions_reads_like_one_list
    an_addition_is_invisible_until_its_last_parameter_is_there
    an_interrupted_addition_is_swept_whole
    a_finished_campaign_opens_again_and_a_paused_one_stays_paused
    a_refused_addition_changes_nothing
    many_small_additions_have_few_runs_of_ids
    adders_and_takers_at_the_same_time_lose_and_double_nothing
    an_addition_that_meets_the_last_end_is_never_left_in_a_finished_campaign
    a_key_is_kept_with_what_was_done_and_for_a_week
    of_the_same_request_at_the_same_time_one_is_carried_out
    a_step_is_in_no_counter_whatever_happens_to_it
    a_campaign_ends_with_its_epilogues_where_it_ran
    after_a_retry_the_epilogue_runs_again_and_the_prologue_does_not
    a_cancelled_campaign_kills_its_prologue_and_has_no_epilogue
    a_step_that_its_owner_killed_before_it_was_sent_waits_for_them
    a_cluster_that_lost_its_jobs_lost_its_step_too
    a_sample_is_counted_by_cluster_and_ends_for_good_only
    a_sample_does_not_wait_for_tasks_that_should_go_elsewhere
    after_its_sample_a_campaign_waits_until_it_is_resumed
    a_sample_can_be_the_whole_campaign_or_go_on_or_be_cut_short
    tasks_of_a_group_share_a_remote_job_and_end_each_in_its_own_way
    a_group_that_is_too_long_leaves_tasks_in_the_bag
    large_groups_are_filled_piece_by_piece
    what_does_not_fit_into_a_group_goes_back_to_its_place_in_the_bag
    a_group_that_never_ran_gives_its_tasks_back
    the_pace_of_groups_adds_up
    a_runner_that_cannot_be_installed_is_carried_for_good
    a_sweep_is_computed_and_stores_nothing_per_task
    listed_values_are_shown_with_their_names
    failures_are_told_in_groups_with_where_they_were
    a_failure_stands_until_its_task_is_tried_again
    only_the_largest_groups_are_told_and_the_rest_is_counted
    failed_tasks_and_done_ones_can_be_compared
    a_retry_takes_the_tasks_that_are_meant_and_once
    a_condition_that_one_task_cannot_answer_changes_nothing
    a_cancelled_campaign_stays_as_it_is
    what_is_retried_with_more_time_is_sent_by_itself
    a_round_that_knows_nothing_of_a_retry_leaves_its_tasks
    a_condition_is_answered_for_so_long_and_without_holding_the_database
    a_retry_of_nothing_leaves_holds_where_only_some_are_asked_for
    a_task_that_was_tried_again_meanwhile_is_left
    a_factor_counts_from_what_was_asked_for_last
    what_is_retried_makes_room_for_no_more_failures
    tasks_beyond_the_cursor_of_a_closed_bag_are_retried_too
    a_retry_under_a_key_is_kept_with_its_answer
    thousands_of_tasks_are_retried_page_by_page
    a_task_avoids_every_cluster_it_failed_on_until_it_failed_on_all
    what_a_task_failed_on_is_kept_when_it_comes_back_for_another_reason
    a_retry_forgets_where_a_task_failed
    a_task_waits_for_no_cluster_that_is_closed_to_it
    names_of_clusters_are_matched_exactly
    a_task_is_followed_from_the_bag_to_its_end
    a_task_sent_to_the_end_has_all_others_before_it
    cancelled_tasks_say_so_tried_or_not
    a_retried_task_is_in_the_bag_again
    limits_changed_at_run_time_outlive_the_configuration
    a_change_that_is_wrong_changes_nothing
    every_attempt_is_charged_on_the_day_it_ended
    what_ended_without_a_verdict_of_its_program_is_lost
    steps_and_samples_count_for_what_they_ask_for
    tasks_of_a_group_are_charged_for_their_part
    tasks_of_a_group_that_succeeded_share_the_time_of_their_remote_job
    jobs_are_charged_for_what_they_asked_for_themselves
    a_reset_that_lost_our_jobs_lost_their_time
    accounts_are_read_by_owner_campaign_cluster_and_day
    samples_are_kept_once_read_in_order_and_pruned
    samples_are_read_by_cluster_and_as_means
    accounts_are_added_up_by_what_is_asked
    our_running_cores_are_counted_by_remote_job
    a_renewed_token_replaces_only_the_one_it_was_made_of
    who_has_work_on_a_cluster_is_known
    a_warning_counts_and_grows_more_urgent
    who_changed_limits_is_written_down
    changes_that_fit_no_more_are_told_and_left_out_alone
    stored_limits_that_cannot_be_read_are_told
    what_the_configuration_says_anyway_is_not_kept
    the_last_decision_and_those_before_are_kept_with_their_terms
    old_decisions_go_little_by_little_those_of_ended_campaigns_too
    usage_follows_the_live_jobs_of_users_with_a_half_life
    submissions_that_come_to_nothing_are_counted_until_one_arrives
    live_jobs_are_told_by_campaign_and_shape_whatever_their_campaign_does
    the_same_again_counts_and_keeps_its_first_example_and_its_last
    a_hundred_thousand_failures_are_a_dozen_events_that_count_exactly
    an_event_that_comes_back_at_once_is_the_same_one
    a_note_becomes_a_hold_and_says_what_led_to_it
    what_lasts_is_told_again_only_when_it_was_closed
    events_of_clusters_that_left_end_but_for_those_that_guard
    what_was_said_to_users_ends_when_they_have_left
    notes_about_campaigns_on_a_cluster_end_together_and_holds_wait
    events_of_a_campaign_end_with_it
    every_code_ends_as_its_rule_says
    a_person_closes_events_and_their_holds_but_not_those_that_guard
    events_are_looked_up_by_whom_they_concern_and_what_they_are
    old_closed_events_are_dropped_but_not_those_of_a_campaign_that_goes_on
    subscriptions_are_one_per_identity_and_go_with_what_waits_for_them
    an_event_is_told_once_however_often_it_is_looked_at
    what_happens_while_nothing_can_be_sent_is_counted_in_one_row
    a_failed_try_pauses_its_subscription_and_old_ones_are_given_up
    a_campaign_that_ends_is_one_event_with_a_summary
    a_campaign_that_cannot_be_read_stops_no_messages
    a_notice_repeats_what_its_event_says_to_do
    after_ten_messages_in_a_period_the_rest_goes_together
    a_muted_campaign_is_remembered_by_user
    what_was_told_long_ago_is_forgotten
    breakers_and_what_is_told_of_them_change_together
    jobs_are_wanted_back_once
    what_may_be_as_bad_as_the_last_tasks_goes_behind_the_others
}

/// A task that is a remote job of its own.
fn task(index: i64, generation: i32, attempt: i32, array_index: i64) -> Task {
    Task { index, generation, attempt, array_index, slot: 0 }
}

fn a_campaign_is_invisible_until_its_last_parameter_is_there(database: &Fresh) {
    let store = database.store();
    let id = begin(&store, &["dahu"]);
    assert!(matches!(store.campaign(id), Err(StoreError::Missing(_))));
    assert!(store.list_campaigns(&CampaignFilter { ended_too: true, ..CampaignFilter::default() }).unwrap().is_empty());
    assert!(store.round_view("dahu").unwrap().campaigns.is_empty());
    store.open_campaign(id, 3, true).unwrap();
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Active);
    assert_eq!(store.parameters(id, 1, 10).unwrap(), ["1", "2"]);
}

fn an_interrupted_intake_is_swept_whole(database: &Fresh) {
    let store = database.store();
    let id = begin(&store, &["dahu"]);
    store.append_parameters(id, 0, &["a".into()]).unwrap();
    let kept = campaign(&store, &["dahu"], &["b"]);
    assert_eq!(store.sweep_received().unwrap(), 1);
    assert!(matches!(store.open_campaign(id, 1, false), Err(StoreError::Sql(_) | StoreError::Missing(_))));
    assert_eq!(store.parameters(kept, 0, 10).unwrap(), ["b"]);
}

fn parameters_come_back_as_they_were_across_chunks(database: &Fresh) {
    let store = database.store();
    let id = begin(&store, &["dahu"]);
    let texts: Vec<String> = (0..2500).map(|at| format!("p{at} \"quoted\" $HOME 'é'")).collect();
    store.append_parameters(id, 0, &texts[..2000]).unwrap();
    store.append_parameters(id, 2000, &texts[2000..]).unwrap();
    store.open_campaign(id, 2500, false).unwrap();
    assert_eq!(store.parameters(id, 990, 20).unwrap(), texts[990..1010]);
    assert_eq!(store.parameters(id, 2490, 100).unwrap(), texts[2490..]);
}

fn task_ids_of_campaigns_never_overlap(database: &Fresh) {
    let store = database.store();
    let first = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let second = campaign(&store, &["dahu"], &["d"]);
    let (first, second) = (store.campaign(first).unwrap(), store.campaign(second).unwrap());
    assert_eq!(second.task_ids.first(), first.task_ids.first() + 3);
}

fn an_intent_takes_tasks_out_of_the_bag_in_order_with_their_parameters(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let (submission, tasks) = intend(&store, id, "dahu", 2).unwrap();
    let texts: Vec<&str> = tasks.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["a", "b"]);
    assert_eq!(submission.state, SubmissionState::Intent);
    assert_eq!(counters(&store, id), [1, 2, 0, 0, 0, 0, 0]);
    assert_eq!(intend(&store, id, "dahu", 10).unwrap().1.len(), 1);
    assert!(intend(&store, id, "dahu", 10).is_none());
}

fn a_campaign_ends_when_its_last_task_does(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 10);
    finish(&store, &submission, &[JobState::Done]);
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Active);
    finish(&store, &submission, &[JobState::Failed]);
    let row = store.campaign(id).unwrap();
    assert_eq!((row.state, row.finished_at), (CampaignState::Finished, Some(6000)));
    assert_eq!(counters(&store, id), [0, 0, 0, 1, 1, 0, 0]);
    assert_eq!(store.submission(submission.id).unwrap().state, SubmissionState::Closed);
}

fn a_killed_attempt_comes_back_before_the_tasks_never_tried(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Done, JobState::Killed]);
    assert_eq!(counters(&store, id), [2, 0, 0, 1, 0, 0, 1]);
    let (_, tasks) = intend(&store, id, "dahu", 10).unwrap();
    let expected = [task(1, 1, 2, 1), task(2, 1, 1, 2)];
    assert_eq!(tasks.into_iter().map(|(task, _)| task).collect::<Vec<_>>(), expected);
}

fn a_task_sent_to_the_end_waits_for_the_others(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 1);
    let live = store.live_jobs(submission.id).unwrap();
    let back = Some(Return { last: true, avoid_cluster: None, ..Return::default() });
    store
        .record_look(&submission, &look(0, 1, &[], &[JobEnd { back, ..end(&live[0], JobState::Killed) }]), 6000)
        .unwrap();
    let order: Vec<i64> = intend(&store, id, "dahu", 10).unwrap().1.iter().map(|(task, _)| task.index).collect();
    assert_eq!(order, [1, 0]);
}

fn a_task_that_should_go_elsewhere_is_kept_for_another_cluster(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a"]);
    let submission = submit(&store, id, "dahu", 1);
    let live = store.live_jobs(submission.id).unwrap();
    let back = Some(Return { last: false, avoid_cluster: Some("dahu".into()), ..Return::default() });
    store
        .record_look(&submission, &look(0, 1, &[], &[JobEnd { back, ..end(&live[0], JobState::Killed) }]), 6000)
        .unwrap();
    assert_eq!(store.round_view("dahu").unwrap().campaigns[0].pending_here, 0);
    assert_eq!(store.round_view("luke").unwrap().campaigns[0].pending_here, 1);
    assert!(intend(&store, id, "dahu", 10).is_none());
    assert_eq!(intend(&store, id, "luke", 10).unwrap().1[0].0.attempt, 2);
}

fn refused_and_abandoned_submissions_give_their_tasks_back(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let (refused, _) = intend(&store, id, "dahu", 1).unwrap();
    store.give_up(refused.id, SubmissionState::Refused, "no", 3000).unwrap();
    let (lost, _) = intend(&store, id, "dahu", 2).unwrap();
    store.doubt(lost.id, 3000).unwrap();
    assert_eq!(store.round_view("dahu").unwrap().campaigns.len(), 0, "nothing is pending");
    store.give_up(lost.id, SubmissionState::Abandoned, "lost", 3000).unwrap();
    assert_eq!(counters(&store, id), [2, 0, 0, 0, 0, 0, 0]);
    let states: Vec<JobState> = store
        .list_jobs(id, &JobFilter { limit: 10, ..JobFilter::default() })
        .unwrap()
        .iter()
        .map(|job| job.state)
        .collect();
    assert_eq!(states, [JobState::Returned; 3]);
}

fn an_abandoned_submission_can_never_be_adopted(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let (lost, _) = intend(&store, id, "dahu", 1).unwrap();
    store.give_up(lost.id, SubmissionState::Abandoned, "lost", 3000).unwrap();
    let array = AdoptedArray { gate_id: Some(1), array_id: 2, remote_ids: vec![Some(5)], directory: None };
    assert!(matches!(store.adopt(lost.id, &array, 4000), Err(StoreError::Conflict(_))));
    assert_eq!(counters(&store, id), [1, 0, 0, 0, 0, 0, 0]);
}

fn an_adoption_of_another_size_changes_nothing(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let (submission, _) = intend(&store, id, "dahu", 2).unwrap();
    let array =
        AdoptedArray { gate_id: Some(1), array_id: 2, remote_ids: vec![Some(5), Some(6), Some(7)], directory: None };
    assert!(store.adopt(submission.id, &array, 4000).is_err());
    assert_eq!(store.submission(submission.id).unwrap(), submission);
}

fn an_end_counts_once(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 2);
    let live = store.live_jobs(submission.id).unwrap();
    let ends = [end(&live[0], JobState::Done)];
    store.record_look(&submission, &look(1, 1, &[], &ends), 6000).unwrap();
    let again = store.record_look(&submission, &look(1, 1, &[], &ends), 7000);
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(counters(&store, id), [0, 1, 0, 1, 0, 0, 0]);
}

fn running_jobs_are_counted_while_they_run(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 2);
    let live = store.live_jobs(submission.id).unwrap();
    store.record_look(&submission, &look(1, 0, &[live[0].id], &[]), 6000).unwrap();
    assert_eq!(counters(&store, id)[2], 1);
    let view = store.round_view("dahu").unwrap();
    assert_eq!((view.live(), view.waiting()), (2, 1));
    finish(&store, &submission, &[JobState::Done, JobState::Done]);
    assert_eq!(counters(&store, id), [0, 0, 0, 2, 0, 0, 0]);
}

fn cancelling_empties_the_bag_and_what_comes_back_is_cancelled(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    let submission = submit(&store, id, "dahu", 2);
    store.cancel_campaign(id, 5000).unwrap();
    assert_eq!(counters(&store, id), [0, 2, 0, 0, 0, 1, 0]);
    assert_eq!(store.cancelled_campaigns().unwrap(), [id]);
    finish(&store, &submission, &[JobState::Done, JobState::Cancelled]);
    assert_eq!(counters(&store, id), [0, 0, 0, 1, 0, 2, 0]);
    assert_eq!(store.campaign(id).unwrap().finished_at, Some(6000));
    assert!(matches!(store.cancel_campaign(id, 7000), Err(StoreError::Conflict(_))));
}

fn a_retry_opens_a_new_generation_of_the_failed_tasks_only(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b"]);
    let submission = submit(&store, id, "dahu", 2);
    finish(&store, &submission, &[JobState::Failed, JobState::Done]);
    assert_eq!(store.retry_failed(id, 7000).unwrap().tasks, 1);
    assert_eq!(store.retry_failed(id, 7000).unwrap().tasks, 0, "once");
    assert_eq!(store.campaign(id).unwrap().state, CampaignState::Active);
    let (_, tasks) = intend(&store, id, "dahu", 10).unwrap();
    assert_eq!(tasks[0].0, task(0, 2, 2, 1));
    assert_eq!(tasks.len(), 1);
    let filter = JobFilter { task_index: Some(0), limit: 10, ..JobFilter::default() };
    let generations: Vec<i32> = store.list_jobs(id, &filter).unwrap().iter().map(|job| job.generation).collect();
    assert_eq!(generations, [1, 2], "the old generation stays readable");
}

fn pausing_stops_submissions_and_resuming_lifts_holds(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    store.pause_campaign(id).unwrap();
    assert!(store.round_view("dahu").unwrap().campaigns.is_empty());
    assert!(matches!(store.pause_campaign(id), Err(StoreError::Conflict(_))));
    let hold = NewEvent::hold(Scope::campaign_on(id, "dahu"), Code::WorkingDirectory, "no such directory");
    store.open_events(&[hold.clone(), hold], 5000).unwrap();
    let holds = store.round_view("dahu").unwrap().holds;
    assert_eq!((holds.len(), holds[0].occurrences), (1, 2), "repetitions are counted");
    assert_eq!(store.resume_campaign(id, 6000).unwrap(), 1);
    assert!(store.round_view("dahu").unwrap().holds.is_empty());
    assert_eq!(store.campaign_events(id, &[], true).unwrap()[0].closed_at, Some(6000));
}

fn with_every_other_cluster_on_hold_there_is_nowhere_else_to_go(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu", "luke"], &["a"]);
    assert_eq!(store.round_view("dahu").unwrap().campaigns[0].open_elsewhere(), ["luke"]);
    let hold = NewEvent::hold(Scope::campaign_on(id, "luke"), Code::SubmitRefused, "no");
    store.open_events(&[hold], 5000).unwrap();
    assert!(store.round_view("dahu").unwrap().campaigns[0].open_elsewhere().is_empty());
}

fn tokens_and_clusters_are_replaced_and_listed(database: &Fresh) {
    let store = database.store();
    let row = |secret: &[u8]| TokenRow {
        owner: "alice".into(),
        cluster: "dahu".into(),
        login: "al".into(),
        secret: secret.to_vec(),
        expires_at: Some(9),
        issued_at: Some(1),
        renewal: Renewal::Always,
        renewed_at: None,
    };
    store.put_token(&row(b"one")).unwrap();
    store.put_token(&row(b"two")).unwrap();
    assert_eq!(store.list_tokens("alice").unwrap(), [row(b"two")]);
    assert!(!format!("{:?}", row(b"two")).contains("116"), "secrets are not printed");
    assert!(store.remove_token("alice", "dahu").unwrap());
    assert!(!store.remove_token("alice", "dahu").unwrap());
    let cluster = cluster("dahu");
    store.put_cluster(&cluster).unwrap();
    store.put_cluster(&ClusterRow { url: "http://b".into(), ..cluster }).unwrap();
    store.note_round("dahu", 77).unwrap();
    let listed = store.list_clusters().unwrap();
    assert_eq!((listed.len(), listed[0].url.as_str(), listed[0].last_round_at), (1, "http://b", Some(77)));
}

fn only_ends_with_a_budget_make_a_history(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a", "b", "c"]);
    for causes in [["walltime", "asked_retry"], ["walltime", "preempted"]] {
        let submission = submit(&store, id, "dahu", 2);
        let live = store.live_jobs(submission.id).unwrap();
        let killed = live.iter().zip(causes);
        let ends: Vec<JobEnd> =
            killed.map(|(job, cause)| JobEnd { cause: cause.into(), ..end(job, JobState::Killed) }).collect();
        store.record_look(&submission, &look(0, 2, &[], &ends), 6000).unwrap();
    }
    let live = store.live_jobs(submit(&store, id, "dahu", 3).id).unwrap();
    let histories = store.histories(id, &live.iter().collect::<Vec<_>>()).unwrap();
    let number = |task, class| histories[&(task, 1)].of(class);
    assert_eq!((number(0, Class::Walltime), number(1, Class::Asked), histories.len()), (2, 1, 2));
}

fn text_from_a_cluster_may_hold_anything(database: &Fresh) {
    let store = database.store();
    let id = campaign(&store, &["dahu"], &["a"]);
    let submission = submit(&store, id, "dahu", 1);
    let live = store.live_jobs(submission.id).unwrap();
    let detail = Some("stderr: \0 {\"é\"} \\N NULL, '".to_owned());
    let ends = [JobEnd { detail, ..end(&live[0], JobState::Failed) }];
    store.record_look(&submission, &look(0, 1, &[], &ends), 6000).unwrap();
    let stored = store.job(live[0].id).unwrap().detail.unwrap();
    assert_eq!(stored, "stderr: \u{fffd} {\"é\"} \\N NULL, '");
    store.open_events(&[NewEvent::hold(Scope::cluster("dahu"), Code::SubmitRefused, "a\0b")], 7000).unwrap();
    assert_eq!(store.cluster_hold("dahu").unwrap().unwrap(), "a\u{fffd}b");
}
