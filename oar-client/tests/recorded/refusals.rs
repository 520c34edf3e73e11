//! Every shape of error that OAR's API has.

use oar_client::{Error, response};

use crate::exchange::exchange;

fn refused(status: u16, detail: &str) -> Error {
    Error::Refused { status, detail: detail.to_owned() }
}

fn unauthorized(status: u16, detail: &str) -> Error {
    Error::Unauthorized { status, detail: detail.to_owned() }
}

fn server() -> Error {
    Error::Server { status: 500, body: "Internal Server Error".to_owned() }
}

#[test]
fn each_status_becomes_its_error() {
    let credentials = "Could not validate credentials !!!";
    let revoked = "Token not valid anymore (revoked by an admin)";
    let cases = [
        ("post_jobs_token_none", unauthorized(403, "Not authenticated")),
        ("post_jobs_token_expired", unauthorized(401, credentials)),
        ("post_jobs_token_user_revoked", unauthorized(401, revoked)),
        ("delete_no_token", unauthorized(403, "Not authenticated")),
        ("delete_bad_token", unauthorized(401, credentials)),
        ("whoami_basic_scheme", unauthorized(403, "Invalid authentication credentials")),
        ("post_bad_name", refused(501, "Not Implemented")),
        ("post_missing_command", refused(422, "body.command: field required")),
        ("get_jobs_bad_id", refused(422, "query.job_ids.0: value is not a valid integer")),
        ("method_not_allowed", refused(405, "Method Not Allowed")),
        ("unknown_path", refused(404, "Not Found")),
        ("get_jobs_offset_neg", refused(404, "Pagination out of bounds")),
        ("get_job_missing", server()),
        ("get_job_over_int4", server()),
        ("get_jobs_limit_neg", server()),
        ("get_jobs_states_unknown", server()),
        ("media_get_as_nosuchuser", server()),
    ];
    for (name, error) in cases {
        let answer = exchange(name).answer;
        assert_eq!(response::job(&answer), Err(error.clone()), "{name}");
        assert_eq!(response::summaries(&answer), Err(error.clone()), "{name}");
        assert_eq!(response::submitted(&answer), Err(error), "{name}");
    }
}

#[test]
fn json_of_another_shape_is_told_apart() {
    let error = response::summaries(&exchange("version").answer).unwrap_err();
    let Error::Garbled { what, excerpt } = error else {
        panic!("{error:?}");
    };
    assert_eq!(what, "a page of jobs");
    assert!(excerpt.starts_with("{\"oar_server_version\""), "{excerpt}");
}
