//! Deletes, holds and resumes: always 200, so the words and the exit status count.

use oar_client::{DeleteOutcome, Error, request, response};

use crate::exchange::{base, exchange, token};

#[test]
fn deletes_are_judged_by_their_exit_status() {
    let cases = [
        ("delete_own_hold", 11162, false, DeleteOutcome::Accepted),
        ("delete_finished", 2, false, DeleteOutcome::Accepted),
        ("delete_launching", 1, false, DeleteOutcome::Accepted),
        ("delete_own_again", 11162, false, DeleteOutcome::AlreadyKilled),
        ("delete_other_user", 11163, false, DeleteOutcome::NotOwner),
        ("delete_missing", 999_999_999, false, DeleteOutcome::Missing),
        ("delete_running_array", 11201, true, DeleteOutcome::Accepted),
        ("delete_array", 11164, true, DeleteOutcome::AlreadyKilled),
        ("delete_array_again", 11164, true, DeleteOutcome::AlreadyKilled),
        ("delete_array_other_user", 11167, true, DeleteOutcome::NotOwner),
        ("delete_array_missing", 999_999_999, true, DeleteOutcome::Missing),
        ("zombie_delete_array", 2, true, DeleteOutcome::Accepted),
    ];
    for (name, id, array, outcome) in cases {
        let recorded = exchange(name);
        recorded.assert_request(&request::delete(&base(), &token(), id, array).unwrap());
        assert_eq!(response::deleted(&recorded.answer), Ok(outcome), "{name}");
    }
}

#[test]
fn holds_and_resumes_say_yes_or_no() {
    let holds = [("hold_own_hold_new", 11171, true), ("hold_finished", 2, false), ("hold_missing", 999_999_999, false)];
    for (name, id, accepted) in holds {
        let recorded = exchange(name);
        recorded.assert_request(&request::hold(&base(), &token(), id).unwrap());
        assert_eq!(response::accepted(&recorded.answer), Ok(accepted), "{name}");
    }
    let resumes = [
        ("resume_own_held_job", 11194, true),
        ("resume_own", 11171, false),
        ("resume_other", 11171, false),
        ("resume_missing", 999_999_999, false),
    ];
    for (name, id, accepted) in resumes {
        let recorded = exchange(name);
        recorded.assert_request(&request::resume(&base(), &token(), id).unwrap());
        assert_eq!(response::accepted(&recorded.answer), Ok(accepted), "{name}");
    }
}

#[test]
fn a_redirection_is_not_followed() {
    let error = response::deleted(&exchange("delete_trailing_slash").answer).unwrap_err();
    assert_eq!(error, Error::Refused { status: 307, detail: "redirected to http://127.0.0.1:6668/jobs/11170".into() });
}
