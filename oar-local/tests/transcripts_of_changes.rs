//! As `transcripts`, for requests that change something: submissions, deletions, holds.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use serde_json::json;
use support::recorded::{assert_alike, assert_same, assert_shape, ended, exchange, fixture, held, lab, replay};

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
