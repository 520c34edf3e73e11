//! Files, resources, tokens, versions.

use oar_client::{Error, column_kinds, request, response};

use crate::exchange::{base, exchange, token};

#[test]
fn files_come_as_bytes() {
    let home = "/home/alice/m";
    let ten = "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\nline 9\nline 10\n";
    let cases = [
        ("media_get", "ten.txt", None, Some(ten)),
        ("media_get_tail5", "ten.txt", Some(5), Some(&ten[35..])),
        ("media_get_empty", "empty", None, Some("")),
        ("media_get_plus", "a+b", None, Some("plus\n")),
        ("media_get_amp", "a&b", None, Some("amp\n")),
        ("media_get_utf8", "été", None, Some("u\n")),
        ("media_get_missing", "nosuch", None, None),
        ("media_get_directory", "sub", None, None),
    ];
    for (name, file, tail, content) in cases {
        let recorded = exchange(name);
        let path = format!("{home}/{file}");
        recorded.assert_request(&request::media(&base(), &token(), &path, tail).unwrap());
        let bytes = response::media(&recorded.answer).unwrap();
        assert_eq!(bytes.as_deref(), content.map(str::as_bytes), "{name}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_not_a_missing_file() {
    let recorded = exchange("media_get_unreadable");
    let error = response::media(&recorded.answer).unwrap_err();
    let detail = "File could not be read: //home/alice/m/unreadable".to_owned();
    assert_eq!(error, Error::Refused { status: 403, detail });
}

#[test]
fn a_wrong_path_of_the_api_is_not_a_missing_file() {
    let error = response::media(&exchange("unknown_path").answer).unwrap_err();
    assert!(matches!(error, Error::Refused { status: 404, .. }));
}

#[test]
fn resources_come_in_pages() {
    let cases: [(&str, u64, u64, &[u64]); 2] =
        [("resources_page1", 0, 3, &[1, 2, 3]), ("resources_page_last", 6, 3, &[7, 8])];
    for (name, offset, limit, ids) in cases {
        let recorded = exchange(name);
        recorded.assert_request(&request::resources(&base(), offset, limit).unwrap());
        let page = response::resources(&recorded.answer).unwrap().unwrap();
        let seen: Vec<u64> = page.items.iter().map(|resource| resource.id).collect();
        assert_eq!((page.total, seen.as_slice()), (8, ids), "{name}");
    }
    let past = exchange("resources_past_end");
    past.assert_request(&request::resources(&base(), 8, 3).unwrap());
    assert_eq!(response::resources(&past.answer), Ok(None));
}

#[test]
fn a_census_reads_states_without_details_and_what_is_busy() {
    let recorded = exchange("resources_default");
    let page = response::resources(&recorded.answer).unwrap().unwrap();
    assert!(page.items.iter().all(|resource| resource.state == "Alive"));
    assert_eq!((page.total, page.items.len()), (8, 8));
    let asked = request::resource_states(&base(), 0, 1000).unwrap();
    assert_eq!(asked.uri().query(), Some("detailed=false&limit=1000&offset=0"));
    let busy = exchange("resources_busy");
    busy.assert_request(&request::get(&base(), "/resources/busy", None).unwrap());
    assert_eq!(response::busy(&busy.answer), Ok(0));
}

#[test]
fn resources_keep_every_column() {
    let page = response::resources(&exchange("resources_detailed").answer);
    let resources = page.unwrap().unwrap().items;
    assert_eq!(resources.len(), 8);
    assert_eq!(resources[0].state, "Alive");
    assert_eq!(resources[0].properties["host"], "node1");
    assert_eq!(resources[0].properties["mem"], 2048);
    let columns: Vec<String> = column_kinds(&resources).into_keys().collect();
    for expected in ["mem", "host", "core", "besteffort", "resource_id", "network_address"] {
        assert!(columns.iter().any(|c| c == expected), "{expected}");
    }
    assert!(!columns.iter().any(|column| column == "id"));
}

#[test]
fn tokens_are_judged_in_three_ways() {
    let whoami = [
        ("whoami_good", Ok(Some("alice".to_owned()))),
        ("whoami_expired", Ok(None)),
        ("whoami_user_revoked", Ok(Some("carol".to_owned()))),
    ];
    for (name, user) in whoami {
        let recorded = exchange(name);
        recorded.assert_request(&request::get(&base(), "/whoami", Some(&token())).unwrap());
        assert_eq!(response::whoami(&recorded.answer), user, "{name}");
    }
    let good = exchange("check_token_good");
    good.assert_request(&request::get(&base(), "/check_token", Some(&token())).unwrap());
    assert_eq!(response::checked_token(&good.answer), Ok("alice".to_owned()));
    for name in ["check_token_expired", "check_token_user_revoked", "check_token_none"] {
        let error = response::checked_token(&exchange(name).answer).unwrap_err();
        assert!(matches!(error, Error::Unauthorized { .. }), "{name}");
    }
    let broken = response::checked_token(&exchange("check_token_nodate").answer);
    assert!(matches!(broken, Err(Error::Server { status: 500, .. })));
}

#[test]
fn a_removed_token_in_the_recording_is_no_token() {
    let recorded = exchange("get_new_token_good");
    recorded.assert_request(&request::get(&base(), "/get_new_token", Some(&token())).unwrap());
    assert!(matches!(response::new_token(&recorded.answer), Err(Error::Garbled { .. })));
}

#[test]
fn a_new_token_is_read() {
    let body = "{\"OAR_API_TOKEN\": \"a.b.c\", \"api_timestamp\": 1.5, \"api_timezone\": \"UTC\"}";
    let answer = http::Response::new(bytes::Bytes::from(body));
    assert_eq!(response::new_token(&answer).unwrap().expose(), "a.b.c");
}

#[test]
fn versions_are_read() {
    let recorded = exchange("version");
    recorded.assert_request(&request::get(&base(), "/version", None).unwrap());
    let version = response::version(&recorded.answer).unwrap();
    assert_eq!((version.oar.as_str(), version.api.as_str()), ("3.0.3dev", "3.0.0.dev11"));
}

#[test]
fn the_stress_factor_is_a_number_in_a_text() {
    let recorded = exchange("stress_factor");
    recorded.assert_request(&request::get(&base(), "/stress_factor", None).unwrap());
    assert_eq!(response::stress_factor(&recorded.answer), Ok(Some(7.52)));
}
