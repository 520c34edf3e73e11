//! The face against exchanges recorded on a real OAR 3: the same requests must get answers of the same status and
//! the same shape (field names and JSON types, at every depth), and where nothing depends on the installation the
//! same text. Here: what only reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::{Value, json};
use support::recorded::{assert_alike, assert_same, assert_shape, ended, exchange, lab, replay};

#[test]
fn versions_and_tokens() {
    let mut lab = lab();
    for name in ["root", "root_auth", "version", "timezone", "get_new_token_good", "stress_factor"] {
        assert_alike(&mut lab, name, &[]);
    }
    for name in ["whoami_good", "whoami_lowercase_bearer", "whoami_garbage", "whoami_expired", "check_token_good"] {
        let exchange = exchange(name, &[], &lab);
        let answer = replay(&mut lab, &exchange);
        assert_shape(&answer, &exchange.answer, name);
        assert_eq!(answer["authenticated_user"], exchange.answer["authenticated_user"], "{name}");
        assert_eq!(answer["user"], exchange.answer["user"], "{name}");
    }
    for name in [
        "whoami_no_token",
        "whoami_basic_scheme",
        "whoami_bearer_empty",
        "check_token_none",
        "check_token_expired",
        "post_jobs_token_none",
        "post_jobs_token_expired",
        "delete_no_token",
        "delete_bad_token",
        "media_get_no_token",
        "media_get_bad_token",
    ] {
        assert_same(&mut lab, name, &[]);
    }
}

#[test]
fn tokens_without_a_user_or_an_end() {
    let mut lab = lab();
    let sign = |claims: Value| {
        let key = jsonwebtoken::EncodingKey::from_secret(b"secret");
        let token = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
        format!("Bearer {token}")
    };
    let nobody = sign(json!({ "exp": 4_000_000_000_u64, "date": "2026-11-21 07:00:00" }));
    assert_eq!(lab.call("GET", "/whoami", &nobody, "").0, 500);
    assert_eq!(lab.call("GET", "/check_token", &nobody, "").0, 401);
    let for_ever = sign(json!({ "user": "alice", "date": "2026-11-21 07:00:00" }));
    assert_eq!(lab.call("GET", "/check_token", &for_ever, "").0, 200);
}

#[test]
fn resources() {
    let mut lab = lab();
    for name in ["resources_default", "resources_detailed", "resources_page1", "resources_page_last", "resources_slash"]
    {
        assert_alike(&mut lab, name, &[]);
    }
    for name in ["resources_by_na", "resources_by_na_none", "resources_busy", "resources_limit0"] {
        assert_alike(&mut lab, name, &[]);
    }
    for name in ["resources_past_end", "resources_offset_neg", "resources_limit_bad", "resources_limit_neg"] {
        assert_same(&mut lab, name, &[]);
    }
    assert_eq!(lab.get("/resources")["total"], 8);
}

#[test]
fn reading_jobs() {
    let mut lab = lab();
    let job = ended(&mut lab);
    for name in ["get_job_2", "get_job_2_details", "get_job_2_details_true", "get_job_events"] {
        assert_alike(&mut lab, name, &[(2, job)]);
    }
    for name in [
        "get_job_missing",
        "get_job_bad_id",
        "get_job_neg",
        "get_job_overflow",
        "get_job_2_details_bad",
        "get_job_events_missing",
        "get_jobs_bad_id",
        "get_jobs_empty_id",
        "get_jobs_array_bad",
        "get_jobs_offset_far",
        "get_jobs_offset_neg",
        "get_jobs_states_unknown",
        "get_jobs_states_comma",
        "get_jobs_limit_neg",
        "get_jobs_all_missing",
        "get_jobs_overflow",
        "get_jobs_array_missing",
        "jobs_details_legacy",
        "method_not_allowed",
        "unknown_path",
    ] {
        assert_same(&mut lab, name, &[]);
    }
}

#[test]
fn listing_jobs() {
    let mut lab = lab();
    let done = ended(&mut lab);
    let running = lab.submit(&json!({ "command": "x", "name": "first", "type": ["besteffort"], "project": "p1" }));
    lab.execute();
    for name in ["get_jobs_plain", "get_jobs_user", "get_jobs_limit0", "get_jobs_user_none"] {
        assert_alike(&mut lab, name, &[]);
    }
    for name in ["get_jobs_states_two", "get_jobs_states_terminated", "get_jobs_garbage_token_ok"] {
        assert_alike(&mut lab, name, &[(2, done)]);
    }
    assert_alike(&mut lab, "get_jobs_1_ids", &[(1162, running)]);
    for name in ["get_jobs_details_empty", "get_jobs_legacy_ids_ignored"] {
        assert_alike(&mut lab, name, &[(2, done)]);
    }
    lab.exit(running, 0);
    assert_eq!(lab.get("/jobs")["total"], 0, "only live jobs without a filter");
    assert_alike(&mut lab, "get_jobs_details_false", &[(2, done)]);
    assert_eq!(lab.get("/jobs?start_time=1")["total"], 2, "a window shows the ended ones too");
    assert_eq!(lab.get("/jobs?start_time=1&stop_time=2")["total"], 0);
    assert_eq!(lab.get("/jobs?array=0")["total"], 0, "array=0 is no filter");
}

#[test]
fn media() {
    let mut lab = lab();
    for name in [
        "media_get_missing",
        "media_get_no_param",
        "media_get_tail_bad",
        "media_get_unreadable",
        "media_get_as_nosuchuser",
    ] {
        assert_same(&mut lab, name, &[]);
    }
    for name in ["media_get_empty_path", "media_get_space", "media_get_dollar", "media_get_comma"] {
        assert_same(&mut lab, name, &[]);
    }
    for name in ["media_get", "media_get_relative", "media_get_tail5", "media_get_slash"] {
        let exchange = exchange(name, &[], &lab);
        assert_eq!(replay(&mut lab, &exchange), "line 1\nline 2\n", "{name}");
    }
}
