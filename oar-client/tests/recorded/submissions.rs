//! `POST /jobs`.

use oar_client::{Error, NewJob, request, response};
use serde_json::Value;

use crate::exchange::{base, exchange, token};

/// The job that a recorded body stands for.
fn job(body: &str) -> NewJob {
    let body: Value = serde_json::from_str(body).unwrap();
    let text = |key: &str| body[key].as_str().map(str::to_owned);
    let texts = |key: &str| -> Vec<String> {
        let list = body[key].as_array().cloned().unwrap_or_default();
        list.iter().map(|v| v.as_str().unwrap().to_owned()).collect()
    };
    let after = body["after"].as_array().cloned().unwrap_or_default();
    NewJob {
        command: text("command").unwrap(),
        resources: texts("resource"),
        types: texts("type"),
        property: text("property"),
        parameters: text("param_file").map(|f| f.split('\n').map(str::to_owned).collect()),
        name: text("name"),
        project: text("project"),
        directory: text("directory"),
        queue: text("queue"),
        hold: body["hold"].as_bool().unwrap_or(false),
        after: after.iter().map(|id| id.as_u64().unwrap()).collect(),
        checkpoint: None,
        signal: None,
        stdout: text("stdout"),
        stderr: text("stderr"),
    }
}

#[test]
fn accepted_jobs_give_their_id() {
    let cases = [
        ("post_minimal", 3),
        ("post_single_full_hold", 4),
        ("post_core2", 10),
        ("post_nodes2", 11),
        ("post_walltime_spaces", 15),
        ("post_walltime_only", 16),
        ("post_moldable", 17),
        ("post_queue_besteffort", 19),
        ("post_name_100", 20),
        ("post_unicode_command", 23),
        ("post_after_missing_job", 28),
        ("post_home_subst", 30),
        ("post_stdout_tpl", 31),
        ("post_array_1", 33),
        ("post_array_2", 34),
        ("post_array_blank_lines", 41),
        ("post_array_home", 52),
        ("post_array_two_groups", 58),
        ("lc_submit_relative_stdout", 11183),
        ("lc_submit_array3", 11189),
        ("lc_submit_besteffort_idempotent_killed", 11187),
    ];
    for (name, id) in cases {
        let recorded = exchange(name);
        let job = job(recorded.body.as_ref().unwrap());
        recorded.assert_request(&request::submit(&base(), &token(), &job).unwrap());
        assert_eq!(response::submitted(&recorded.answer), Ok(id), "{name}");
    }
}

#[test]
fn refused_jobs_say_why() {
    let rule = "A failed admission rule prevented submitting the job: ";
    let cases = [
        ("post_admission_type", 403, format!("{rule}[ADMISSION RULE] Error: unknown job type: foo.")),
        ("post_as_root", 403, format!("{rule}root and oar users are not allowed to submit jobs..")),
        ("post_unknown_queue", 400, "queue nosuch does not exist".to_owned()),
        ("post_too_many_resources", 400, "There are not enough resources for your request".to_owned()),
        ("post_property_no_match", 400, "There are not enough resources for your request".to_owned()),
        (
            "post_unknown_resource_name",
            400,
            "Bad resources name: foo is not a valid resources name.Valid resource names are: \
             network_address, cpu, core, resource_id"
                .to_owned(),
        ),
    ];
    for (name, status, detail) in cases {
        let recorded = exchange(name);
        let job = job(recorded.body.as_ref().unwrap());
        recorded.assert_request(&request::submit(&base(), &token(), &job).unwrap());
        let error = response::submitted(&recorded.answer).unwrap_err();
        assert!(error.certainly_not_done(), "{name}");
        assert_eq!(error, Error::Refused { status, detail }, "{name}");
    }
}

#[test]
fn server_failures_leave_a_doubt() {
    for name in ["post_after_sql_error", "post_array_unknown_property", "post_array_too_many_resources"] {
        let recorded = exchange(name);
        let job = job(recorded.body.as_ref().unwrap());
        recorded.assert_request(&request::submit(&base(), &token(), &job).unwrap());
        let error = response::submitted(&recorded.answer).unwrap_err();
        assert!(error.is_doubt(), "{name}");
        let body = "Internal Server Error".to_owned();
        assert_eq!(error, Error::Server { status: 500, body }, "{name}");
    }
}

#[test]
fn what_broke_or_misled_oar_is_refused_before_sending() {
    let cases = [
        ("post_name_101", "name"),
        ("post_bad_name", "name"),
        ("post_project_256", "project"),
        ("post_property_syntax", "property"),
        ("post_nul_command", "command"),
        ("post_empty_command", "command"),
        ("post_bad_stdout", "stdout"),
        ("post_bad_resource_noeq", "resource[0]"),
        ("post_bad_resource_garbage", "resource[0]"),
        ("post_bad_resource_value", "resource[0]"),
        ("post_zero_resource", "resource[0]"),
        ("post_bad_walltime", "resource[0]"),
        ("post_bad_walltime4", "resource[0]"),
        ("post_neg_walltime", "resource[0]"),
        ("post_zero_walltime", "resource[0]"),
        ("post_array_moldable", "resource"),
        ("post_array_crlf", "param_file[0]"),
    ];
    for (name, field) in cases {
        let job = job(exchange(name).body.as_ref().unwrap());
        let error = request::submit(&base(), &token(), &job).unwrap_err();
        let Error::Invalid(problems) = error else {
            panic!("{name}: {error:?}");
        };
        assert_eq!(problems[0].field, field, "{name}");
    }
}

#[test]
fn an_answer_without_an_id_is_no_success() {
    let error = response::submitted(&exchange("post_array_moldable").answer).unwrap_err();
    assert_eq!(error, Error::Garbled { what: "the id of the new job".into(), excerpt: "{}".into() });
    assert!(error.is_doubt());
}
