//! The face against exchanges recorded on a real OAR 3: the same requests must get answers of the same status and
//! the same shape (field names and JSON types, at every depth), and where nothing depends on the installation the
//! same text.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use oar_local::machine::{LaunchFailure, Settings};
use serde_json::{Value, json};
use support::{Lab, settings};

fn fixture(name: &str) -> Value {
    let path = format!("{}/../tests/fixtures/oar3/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap()
}

/// A recorded exchange, with the ids of its jobs replaced by ours.
struct Exchange {
    name: String,
    method: String,
    path: String,
    authorization: String,
    body: String,
    status: u16,
    answer: Value,
}

fn exchange(name: &str, ids: &[(u64, u64)], lab: &Lab) -> Exchange {
    let recorded = fixture(name);
    let rename = |text: &str| {
        ids.iter().fold(text.to_owned(), |text, (theirs, ours)| text.replace(&theirs.to_string(), &ours.to_string()))
    };
    let (request, response) = (&recorded["request"], &recorded["response"]);
    let line = rename(request["line"].as_str().unwrap());
    let mut words = line.split(' ');
    let authorization = request["headers"]["Authorization"].as_str().unwrap_or_default();
    let text = rename(response["body"].as_str().unwrap_or_default());
    Exchange {
        name: name.to_owned(),
        method: words.next().unwrap().to_owned(),
        path: words.next().unwrap().to_owned(),
        authorization: authorization_like(name, authorization, lab),
        body: rename(request["body"].as_str().unwrap_or_default()),
        status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
        answer: serde_json::from_str(&text).unwrap_or(Value::String(text)),
    }
}

/// The recordings have `<jwt USER>` in the place of good tokens, and `<jwt>` in that of bad ones.
fn authorization_like(name: &str, recorded: &str, lab: &Lab) -> String {
    if let Some((scheme, user)) = recorded.split_once("<jwt ") {
        let token = lab.auth.issue(user.trim_end_matches('>'), 3600, lab.now);
        return format!("{scheme}{token}");
    }
    if recorded.contains("<jwt>") && name.contains("expired") {
        return format!("Bearer {}", lab.auth.issue("alice", -10, lab.now));
    }
    recorded.to_owned()
}

fn replay(lab: &mut Lab, exchange: &Exchange) -> Value {
    let (status, answer) = lab.call(&exchange.method, &exchange.path, &exchange.authorization, &exchange.body);
    assert_eq!(status, exchange.status, "{}: {answer}", exchange.name);
    answer
}

fn assert_same(lab: &mut Lab, name: &str, ids: &[(u64, u64)]) {
    let exchange = exchange(name, ids, lab);
    let answer = replay(lab, &exchange);
    assert_eq!(answer, exchange.answer, "{name}");
}

fn assert_alike(lab: &mut Lab, name: &str, ids: &[(u64, u64)]) {
    let exchange = exchange(name, ids, lab);
    let answer = replay(lab, &exchange);
    assert_shape(&answer, &exchange.answer, name);
}

/// Same names and types; lists are compared by their first items.
fn assert_shape(ours: &Value, theirs: &Value, place: &str) {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let names = |fields: &serde_json::Map<String, Value>| {
                let mut names: Vec<_> = fields.keys().cloned().collect();
                names.sort_unstable();
                names
            };
            assert_eq!(names(ours), names(theirs), "{place}");
            ours.iter().for_each(|(name, value)| assert_shape(value, &theirs[name], &format!("{place}.{name}")));
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            assert_eq!(ours.is_empty(), theirs.is_empty(), "{place}: {ours:?}");
            if let (Some(ours), Some(theirs)) = (ours.first(), theirs.first()) {
                assert_shape(ours, theirs, &format!("{place}[0]"));
            }
        }
        (Value::Number(ours), Value::Number(theirs)) => assert_eq!(ours.is_f64(), theirs.is_f64(), "{place}"),
        _ => {
            let same = std::mem::discriminant(ours) == std::mem::discriminant(theirs);
            assert!(same, "{place}: {ours} against {theirs}");
        }
    }
}

/// Eight cores, as the recorded instance had.
fn lab() -> Lab {
    Lab::with(Settings { memory: 2048, ..settings(8) })
}

/// A job like the recorded job 2: best-effort, named, ended with 0.
fn ended(lab: &mut Lab) -> u64 {
    let id = lab.submit(&json!({
        "command": "sleep 5; echo hi; exit 0", "name": "first", "project": "p1", "type": ["besteffort"],
    }));
    lab.execute();
    lab.exit(id, 0);
    id
}

fn held(lab: &mut Lab, user: &str, name: &str) -> u64 {
    let body = json!({ "command": "sleep 1", "name": name, "hold": true });
    lab.post_as(user, "/jobs", &body)["id"].as_u64().unwrap()
}

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
fn arrays() {
    let mut lab = lab();
    let posted = exchange("post_array_hold2", &[], &lab);
    let first = replay(&mut lab, &posted)["id"].as_u64().unwrap();
    let ids = [(60, first), (61, first + 1)];
    for name in ["get_jobs_array_details", "get_jobs_array_nodetails"] {
        let recorded = exchange(name, &[], &lab);
        let answer =
            lab.get(&format!("/jobs?array={first}{}", if name.ends_with("nodetails") { "" } else { "&details=1" }));
        assert_shape(&answer, &recorded.answer, name);
    }
    let member = exchange("get_job_subjob", &ids, &lab);
    let mut answer = replay(&mut lab, &member);
    for (field, value) in member.answer.as_object().unwrap() {
        if !matches!(field.as_str(), "submission_time" | "info_type") {
            assert_eq!(&answer[field], value, "{field}");
        }
    }
    answer = lab.get(&format!("/jobs?array={first}&limit=1&offset=1"));
    assert_eq!((&answer["total"], &answer["items"][0]["id"]), (&json!(2), &json!(first + 1)));
    let (status, _) = lab.call("GET", &format!("/jobs?array={first}&offset=2"), "", "");
    assert_eq!(status, 404);
}

#[test]
fn commands_of_arrays() {
    let commands = |name: &str| {
        let mut lab = lab();
        let posted = exchange(name, &[], &lab);
        let first = replay(&mut lab, &posted)["id"].as_u64().unwrap();
        let page = lab.get(&format!("/jobs?array={first}&details=1"));
        let items = page["items"].as_array().unwrap().clone();
        items.iter().map(|job| job["command"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(commands("post_array_2_trailing_newline"), ["/bin/echo p0 0", "/bin/echo p1 1", "/bin/echo "]);
    assert_eq!(commands("post_array_crlf"), ["/bin/echo a\r", "/bin/echo b\r", "/bin/echo "]);
    assert_eq!(commands("post_array_number_3"), ["/bin/echo"; 3]);
    assert_eq!(
        commands("post_array_home"),
        ["/bin/echo /home/alice $HOME/x", "/bin/echo /home/alice $OAR_JOB_ID"],
        "the API replaces $HOME in the command, the job's shell in the lines"
    );
    assert_eq!(commands("post_array_empty_param_file"), ["/bin/echo"]);
}

#[test]
fn accepted_submissions() {
    let mut lab = lab();
    for name in [
        "post_minimal",
        "post_json_no_content_type",
        "post_trailing_slash",
        "post_core2",
        "post_single_full_hold",
        "post_moldable",
        "post_name_100",
        "post_neg_walltime",
        "post_zero_walltime",
        "post_walltime_spaces",
        "post_walltime_only",
        "post_bad_walltime4",
        "post_queue_besteffort",
        "post_unknown_key",
        "post_types_key",
        "post_properties_key",
        "post_resources_legacy_key",
        "post_after_missing_job",
        "post_bad_reservation",
        "post_unicode_command",
        "post_home_subst",
        "post_stdout_tpl",
        "post_array_1",
        "post_array_100",
        "post_array_unknown_queue",
        "post_missing_dir_hold",
        "post_array_two_groups",
    ] {
        // The properties of the recorded requests name the node as ours is named too.
        assert_alike(&mut lab, name, &[]);
    }
    assert_same(&mut lab, "post_array_moldable", &[]);
}

#[test]
fn refused_submissions() {
    let mut lab = lab();
    for name in [
        "post_empty_command",
        "post_missing_command",
        "post_null_command",
        "post_empty_object",
        "post_resource_string",
        "post_type_string",
        "post_bad_name",
        "post_name_101",
        "post_project_256",
        "post_nul_command",
        "post_bad_stdout",
        "post_bad_notify",
        "post_unknown_queue",
        "post_admin_queue",
        "post_too_many_resources",
        "post_zero_resource",
        "post_property_no_match",
        "post_unknown_resource_name",
        "post_resource_not_in_hierarchy",
        "post_admission_resource",
        "post_admission_type",
        "post_as_oar",
        "post_as_root",
        "post_bad_resource_noeq",
        "post_bad_resource_value",
        "post_bad_resource_garbage",
        "post_bad_walltime",
        "post_array_too_many_resources",
        "post_array_unknown_property",
        "post_array_unknown_resource",
    ] {
        assert_same(&mut lab, name, &[]);
    }
    // These name a path of the recorded installation, or a parser's own idea of a position.
    assert_alike(&mut lab, "post_invalid_json", &[]);
    assert_alike(&mut lab, "post_unknown_property", &[]);
    assert_alike(&mut lab, "post_property_syntax", &[]);
    assert_eq!(lab.get("/jobs")["total"], 0, "no refusal left a job");
}

#[test]
fn deleting() {
    let mut lab = lab();
    let (own, finished) = (held(&mut lab, "alice", "del"), ended(&mut lab));
    let other = held(&mut lab, "bob", "del");
    for (name, theirs, ours) in [
        ("delete_own_hold", 11162, own),
        ("delete_own_again", 11162, own),
        ("delete_other_user", 11163, other),
        ("delete_missing", 0, 0),
        ("delete_array_missing", 0, 0),
        ("delete_bad_id", 0, 0),
    ] {
        assert_same(&mut lab, name, &[(theirs, ours)][..usize::from(theirs != 0)]);
    }
    assert_alike(&mut lab, "get_deleted_hold", &[(11162, own)]);
    let finish = lab.delete_as("alice", &format!("/jobs/{finished}"));
    let text =
        format!("Deleting the job = {finished} ...\n\nThe job(s) [{finished}]  will be deleted in the near future.\n");
    assert_eq!(finish, json!({ "id": finished, "cmd_output": text, "exit_status": 0 }));
    assert_eq!(lab.state(finished), "Terminated");
}

#[test]
fn deleting_arrays() {
    let mut lab = lab();
    let body = json!({ "command": "/bin/echo", "param_file": "a\nb\nc", "hold": true, "name": "delarr" });
    let first = lab.submit(&body);
    let own = [(11164, first), (11165, first + 1), (11166, first + 2)];
    let other = lab.post_as("bob", "/jobs", &json!({ "command": "x", "param_file": "a\nb", "hold": true }));
    let other = other["id"].as_u64().unwrap();
    let single = held(&mut lab, "alice", "deletions");
    for name in ["delete_array_member", "delete_array", "delete_array_again"] {
        assert_same(&mut lab, name, &own);
    }
    assert_same(&mut lab, "delete_array_other_user", &[(11167, other), (11168, other + 1)]);
    assert_same(&mut lab, "post_deletions_new", &[(11169, single)]);
    let (status, _) = lab.call("DELETE", &format!("/jobs/{single}/"), "", "");
    assert_eq!(status, fixture("delete_trailing_slash")["response"]["status"].as_u64().unwrap() as u16);
}

#[test]
fn holding_resuming_and_the_rest() {
    let mut lab = lab();
    // Something runs everywhere, so that a job can wait.
    lab.submit(&json!({ "command": "x", "resource": ["/core=8"] }));
    let job = lab.submit(&json!({ "command": "sleep 1", "name": "forhold", "resource": ["/resource_id=8"] }));
    let ids = [(11171, job)];
    for name in
        ["resume_own", "resume_other", "resume_as_oar", "hold_own_hold_new", "hold_own_holds_new", "hold_any_word"]
    {
        assert_same(&mut lab, name, &ids);
    }
    for name in ["hold_as_oar", "rhold_as_oar", "hold_missing", "resume_missing", "checkpoint_missing"] {
        assert_same(&mut lab, name, &ids);
    }
    assert_alike(&mut lab, "get_held", &ids);
    assert_same(&mut lab, "resume_own_held_job", &[(11194, job)]);
}

#[test]
fn finished_jobs_refuse_everything() {
    let mut lab = lab();
    let mut last = 0;
    while last < 2 {
        last = ended(&mut lab);
    }
    for name in ["hold_finished", "resume_finished", "checkpoint_finished", "signal_finished", "delete_finished"] {
        assert_same(&mut lab, name, &[]);
    }
}

#[test]
fn media() {
    let mut lab = lab();
    for name in ["media_get_missing", "media_get_no_param", "media_get_tail_bad", "media_get_unreadable"] {
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

/// The recorded end of a life, against ours: same shape, same events with the same texts but for numbers and nodes.
fn assert_life(name: &str, live: impl FnOnce(&mut Lab, u64)) {
    let recorded = fixture(&format!("lifecycle_{name}"));
    let mut lab = lab();
    let id = lab.submit(&recorded["submit_request"]);
    live(&mut lab, id);
    let (ours, theirs) = (lab.job(id), &recorded["final_single_get_details"]);
    assert_shape(&ours, theirs, name);
    let mut single = ours.clone();
    for field in ["types", "resources", "nodes", "events", "walltime", "actual_resources"] {
        single.as_object_mut().unwrap().remove(field);
    }
    assert_shape(&single, &recorded["final_single_get"], name);
    let list = lab.get(&format!("/jobs?job_ids={id}"));
    assert_shape(&list, &recorded["final_list_nodetails"], name);
    for field in ["state", "exit_code", "exit_status_code", "message", "walltime", "properties", "command"] {
        // OAR drops the walltime from the message of some jobs when it ends them.
        let text = |job: &Value| job[field].to_string().replace("W=240,", "");
        assert_eq!(text(&ours), text(theirs), "{name}: {field}");
    }
    assert_eq!(story(&ours["events"]), story(theirs.get("events").unwrap()), "{name}");
}

/// Events in order, without what changes from run to run.
fn story(events: &Value) -> Vec<String> {
    let mut events = events.as_array().unwrap().clone();
    events.sort_by_key(|event| event["id"].as_u64());
    let quiet = |text: &str| -> String {
        let text =
            text.replace("node4", "node").replace("node3", "node").replace("node2", "node").replace("node1", "node");
        text.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect::<String>().replace("##", "#")
    };
    let mut ended = false;
    events.retain(|event| {
        let kind = event["type"].as_str().unwrap();
        // Noise of that installation, and OAR's second thought about a job that is over.
        let late = ended && kind == "BESTEFFORT_KILL";
        ended |= kind.starts_with("SWITCH_INTO");
        !kind.starts_with("SCHEDULER_PRIORITY") && !late
    });
    let tell = |event: &Value| {
        let mut text = quiet(event["description"].as_str().unwrap());
        while text.contains("##") {
            text = text.replace("##", "#");
        }
        format!("{}: {text}", event["type"].as_str().unwrap())
    };
    events.iter().map(tell).collect()
}

#[test]
fn lives_end_as_recorded() {
    let exit = |status: i32| {
        move |lab: &mut Lab, id: u64| {
            lab.execute();
            lab.exit(id, status);
        }
    };
    assert_life("success", exit(0));
    assert_life("exit66", exit(66 << 8));
    assert_life("missing_exe", exit(127 << 8));
    assert_life("selfkill9", exit(9));
    assert_life("walltime", |lab, id| {
        lab.execute();
        lab.pass(30_000);
        lab.execute();
        lab.exit(id, 9);
    });
    assert_life("user_delete_running", |lab, id| {
        lab.execute();
        lab.delete_as("alice", &format!("/jobs/{id}"));
        lab.exit(id, 9);
    });
    assert_life("missing_dir", |lab, id| {
        lab.machine.launch_failed(id, LaunchFailure::WorkingDirectory, lab.now);
    });
    assert_life("bad_stdout", |lab, id| {
        lab.machine.launch_failed(id, LaunchFailure::OutputFiles, lab.now);
    });
    assert_life("hold_resume", |lab, id| {
        lab.post_as("alice", &format!("/jobs/{id}/resumptions/new"), &Value::Null);
        lab.execute();
        lab.exit(id, 0);
    });
}

#[test]
fn a_preempted_life_ends_as_recorded() {
    assert_life("besteffort_killed", |lab, id| {
        lab.execute();
        lab.submit(&json!({ "command": "sleep 5", "resource": ["/core=8"] }));
        lab.exit(id, 9);
    });
}
