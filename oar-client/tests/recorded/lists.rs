//! `GET /jobs` and `GET /jobs/{id}`.

use oar_client::{JobDetails, JobQuery, Page, State, request, response};
use serde_json::Value;

use crate::exchange::{base, exchange, text};

fn query() -> JobQuery {
    JobQuery::default()
}

fn ids(ids: &[u64]) -> JobQuery {
    JobQuery { ids: ids.to_vec(), ..query() }
}

fn array(id: u64) -> JobQuery {
    JobQuery { array: Some(id), ..query() }
}

fn user(name: &str) -> JobQuery {
    JobQuery { user: Some(name.to_owned()), ..query() }
}

fn states(states: &[State]) -> JobQuery {
    JobQuery { states: states.to_vec(), ..query() }
}

fn limit(limit: u64, query: JobQuery) -> JobQuery {
    JobQuery { limit, ..query }
}

fn offset(offset: u64, query: JobQuery) -> JobQuery {
    JobQuery { offset, ..query }
}

fn window(first: i64, last: i64, query: JobQuery) -> JobQuery {
    JobQuery { window: Some((first, last)), ..query }
}

/// A job in short: `id state [exit code]`.
fn short(id: u64, state: &State, exit_code: Option<i32>) -> String {
    match exit_code {
        Some(code) => format!("{id} {state} {code}"),
        None => format!("{id} {state}"),
    }
}

#[test]
fn lists_without_details() {
    let finished = [State::Terminated, State::Error];
    let alice_finished = JobQuery { user: Some("alice".into()), ..states(&finished) };
    let four = "2 Terminated 0, 3 Terminated 0, 5 Terminated 0, 26 Terminated 0";
    let cases: Vec<(&str, JobQuery, u64, &str)> = vec![
        ("get_jobs_plain", limit(2, query()), 11157, "1 Launching, 4 Hold"),
        ("get_jobs_user", limit(2, user("alice")), 11156, "1 Launching, 4 Hold"),
        ("get_jobs_user_none", user("nobodyhere"), 0, ""),
        ("get_jobs_times", limit(2, window(1, 2_000_000_000, query())), 11161, "1 Launching, 2 Terminated 0"),
        ("get_jobs_times_none", limit(2, window(1, 2, query())), 0, ""),
        ("get_jobs_1_ids", limit(1, ids(&[1162])), 1, "1162 Hold"),
        ("get_jobs_without_token_ok", ids(&[2]), 1, "2 Terminated 0"),
        ("get_jobs_over_int4", ids(&[3_000_000_000]), 0, ""),
        ("get_jobs_array_nodetails", array(60), 2, "60 Hold, 61 Hold"),
        ("get_jobs_array_missing", array(999_999_999), 0, ""),
        ("get_jobs_states_launching", states(&[State::Launching]), 1, "1 Launching"),
        ("get_jobs_states_terminated", states(&[State::Terminated]), 4, four),
        ("get_jobs_states_two", alice_finished, 4, four),
        ("get_jobs_limit0", limit(0, query()), 11157, ""),
        ("get_array_blank_lines", array(41), 4, "41 Hold, 42 Hold, 43 Hold, 44 Hold"),
        ("find_window_misses_skewed_waiting", window(1795248144, 1795248209, user("alice")), 0, ""),
        ("resubmitted_waiting_by_array", array(11203), 2, "11203 Terminated 25344, 11205 Terminated 0"),
        ("resubmitted_waiting_by_ids", ids(&[11205]), 1, "11205 Terminated 0"),
        ("resubmitted_waiting_by_state", states(&[State::Waiting]), 0, ""),
        ("zombie_user_list", user("alice"), 4, "1 Hold, 2 Hold, 3 Hold, 4 Hold"),
        ("zombie_after_delete", ids(&[1, 2, 3, 4]), 4, "1 Error, 2 Error, 3 Error, 4 Error"),
    ];
    for (name, query, total, jobs) in cases {
        let recorded = exchange(name);
        recorded.assert_request(&request::jobs(&base(), &query, false).unwrap());
        let page = response::summaries(&recorded.answer).unwrap().unwrap();
        let shorts: Vec<String> = page.items.iter().map(|job| short(job.id, &job.state, job.exit_code)).collect();
        assert_eq!((page.total, shorts.join(", ").as_str()), (total, jobs), "{name}");
    }
}

#[test]
fn past_the_end_there_is_no_page() {
    let cases = [
        ("get_jobs_offset_far", offset(99_999_999, query())),
        ("get_array_100_past_end", offset(100, limit(100, array(62)))),
    ];
    for (name, query) in cases {
        let recorded = exchange(name);
        let details = name == "get_array_100_past_end";
        recorded.assert_request(&request::jobs(&base(), &query, details).unwrap());
        assert_eq!(response::summaries(&recorded.answer), Ok(None), "{name}");
        assert_eq!(response::details(&recorded.answer), Ok(None), "{name}");
    }
}

#[test]
fn a_summary_has_name_and_user() {
    let page = response::summaries(&exchange("get_jobs_plain").answer);
    let first = &page.unwrap().unwrap().items[0];
    assert_eq!(first.name.as_deref(), Some("first"));
    assert_eq!(first.user.as_deref(), Some("alice"));
}

#[test]
fn lists_with_details() {
    let cases: Vec<(&str, JobQuery, &str)> = vec![
        ("get_jobs_plain_details", limit(2, query()), "1 Launching of 1.1, 4 Hold of 4.1"),
        ("get_jobs_1_ids_details", limit(1, ids(&[1162])), "1162 Hold of 1162.1"),
        ("get_jobs_some_missing", ids(&[2, 999_999_999]), "2 Terminated 0 of 2.1"),
        ("get_jobs_all_missing", ids(&[999_999_999]), ""),
        ("get_jobs_array_details", array(60), "60 Hold of 60.1, 61 Hold of 60.2"),
        ("array_with_resubmitted", array(11187), "11187 Error of 11187.1, 11197 Error of 11187.1"),
        ("list_deleted_hold_by_ids", ids(&[11162]), "11162 Error of 11162.1"),
        ("zombie_list", ids(&[1]), "1 Hold of 0.1"),
        ("zombie_array_list", array(2), "2 Hold of 2.1, 3 Hold of 2.2, 4 Hold of 2.3"),
    ];
    for (name, query, jobs) in cases {
        let recorded = exchange(name);
        recorded.assert_request(&request::jobs(&base(), &query, true).unwrap());
        let page: Page<JobDetails> = response::details(&recorded.answer).unwrap().unwrap();
        let shorts: Vec<String> = page
            .items
            .iter()
            .map(|job| {
                let head = short(job.id, &job.state, job.exit_code);
                format!("{head} of {}.{}", job.array_id, job.array_index)
            })
            .collect();
        assert_eq!(shorts.join(", "), jobs, "{name}");
    }
}

#[test]
fn a_job_has_all_its_details() {
    let recorded = exchange("get_job_2_details_true");
    recorded.assert_request(&request::job(&base(), 2).unwrap());
    let job = response::job(&recorded.answer).unwrap();
    assert_eq!((job.id, job.array_id, job.array_index), (2, 2, 1));
    assert_eq!(job.name.as_deref(), Some("first"));
    assert_eq!(job.state, State::Terminated);
    assert_eq!(job.user.as_deref(), Some("alice"));
    assert_eq!(job.project.as_deref(), Some("p1"));
    assert_eq!(job.queue.as_deref(), Some("besteffort"));
    assert_eq!(job.command.as_deref(), Some("sleep 5; echo hi; exit 0"));
    assert_eq!(job.exit_code, Some(0));
    assert_eq!((job.start_time, job.stop_time), (1_795_245_017, 1_795_245_027));
    assert_eq!(job.launching_directory.as_deref(), Some("/home/alice"));
    assert_eq!(job.stdout_file.as_deref(), Some("OAR.first.2.stdout"));
    assert_eq!(job.stderr_file.as_deref(), Some("OAR.first.2.stderr"));
    assert_eq!(job.message.as_deref(), Some("R=1,W=360,J=P,Q=besteffort,N=first"));
    assert_eq!(job.resubmit_job_id, 0);
    assert_eq!(job.nodes, ["node1"]);
    assert_eq!(job.walltime, Some(300));
    let events: Vec<(u64, &str)> = job.events.iter().map(|e| (e.id, e.kind.as_str())).collect();
    assert_eq!(
        events,
        [
            (2, "SCHEDULER_PRIORITY_UPDATED_START"),
            (3, "SWITCH_INTO_TERMINATE_STATE"),
            (4, "SCHEDULER_PRIORITY_UPDATED_STOP"),
        ]
    );
    assert_eq!(job.events[1].date, 1_795_245_027);
    assert_eq!(job.events[1].description, "[2] Ask to change the job state");
    assert!(!job.events[1].to_check);
}

#[test]
fn a_job_without_details_is_readable_too() {
    let job = response::job(&exchange("resubmitted_waiting_single").answer).unwrap();
    assert_eq!((job.id, job.resubmit_job_id, job.array_id), (11205, 11203, 11203));
    assert_eq!((job.events.len(), job.walltime), (0, None));
}

#[test]
fn a_subjob_has_its_parameters_in_its_command() {
    let page = response::details(&exchange("get_jobs_array_details").answer);
    let second = &page.unwrap().unwrap().items[1];
    assert_eq!(second.command.as_deref(), Some("/bin/echo p1 1"));
    assert_eq!(second.initial_request.as_deref(), Some("/bin/echo"));
}

#[test]
fn the_events_of_a_killed_and_resubmitted_job_are_in_order() {
    let page = response::details(&exchange("array_with_resubmitted").answer);
    let jobs = page.unwrap().unwrap().items;
    let kinds: Vec<&str> = jobs[0].events.iter().map(|e| e.kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "SCHEDULER_PRIORITY_UPDATED_START",
            "BESTEFFORT_KILL",
            "FRAG_JOB_REQUEST",
            "SEND_KILL_JOB",
            "SWITCH_INTO_ERROR_STATE",
            "RESUBMIT_JOB_AUTOMATICALLY",
            "BESTEFFORT_KILL",
            "SCHEDULER_PRIORITY_UPDATED_STOP",
        ]
    );
    assert_eq!(jobs[1].resubmit_job_id, 11187);
}

#[test]
fn jobs_are_readable_in_every_state_of_their_life() {
    let cases = [
        ("lifecycle_missing_dir", "Waiting toLaunch Launching Running Finishing Error"),
        ("lifecycle_exit66", "Waiting toLaunch Launching Running Finishing Terminated"),
        ("lifecycle_selfkill9", "Waiting toLaunch Launching Running Finishing Terminated"),
    ];
    for (name, states) in cases {
        let recorded: Value = serde_json::from_str(&text(name)).unwrap();
        let seen: Vec<String> = recorded["obs"]
            .as_array()
            .unwrap()
            .iter()
            .map(|seen| {
                let job: JobDetails = serde_json::from_value(seen["json"].clone()).unwrap();
                job.state.to_string()
            })
            .collect();
        assert_eq!(seen.join(" "), states, "{name}");
    }
}

#[test]
fn final_states_tell_how_the_job_ended() {
    let cases = [
        ("lifecycle_missing_dir", None, "WORKING_DIRECTOR"),
        ("lifecycle_exit66", Some(16896), "SWITCH_INTO_TERMINATE_STATE"),
        ("lifecycle_selfkill9", Some(9), "SWITCH_INTO_TERMINATE_STATE"),
    ];
    for (name, exit_code, event) in cases {
        let recorded: Value = serde_json::from_str(&text(name)).unwrap();
        let last = recorded["final_single_get_details"].clone();
        let job: JobDetails = serde_json::from_value(last).unwrap();
        assert!(job.state.is_final());
        assert_eq!(job.exit_code, exit_code, "{name}");
        assert_eq!(job.events.last().unwrap().kind, event, "{name}");
    }
}
