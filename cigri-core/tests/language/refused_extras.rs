//! Bad fields around the tasks: every case with the exact sentence its author gets.

use super::context::{plain, read, refusals, streamed, with_line};

/// What is said of one line of top-level fields, without paths and places.
fn said(line: &str) -> Vec<String> {
    let all = refusals(&with_line(line), &plain());
    all.iter().map(|one| one.split_once(": ").unwrap_or_default().1.to_owned()).collect()
}

/// The only sentence.
#[track_caller]
fn only(line: &str) -> String {
    let all = said(line);
    assert_eq!(all.len(), 1, "{line}: {all:?}");
    all[0].clone()
}

#[test]
fn scripts_that_are_not_whole() {
    for (script, expected) in [
        (r#"["echo 'a", "b"]"#, "expected a script with its ' quotes balanced, found a list of 2 items"),
        (r#""cat <<END\nx""#, "expected a script whose here-document ends in a line `END`, found \"cat <<END\\nx\""),
        (r#""a \\""#, "expected a script that does not end in a backslash, found \"a \\\""),
        (
            r#""a\r\nb""#,
            "expected shell lines without control characters (carriage returns included), found \"a\\r\\nb\"",
        ),
        ("[1, 2]", "expected a list of shell lines, or one text, found a list of 2 items"),
        ("true", "expected a list of shell lines, or one text, found true"),
    ] {
        assert_eq!(only(&format!(r#""prologue": {script}"#)), expected);
    }
    let long = "x".repeat(16_385);
    assert!(only(&format!(r#""epilogue": "{long}""#)).starts_with("expected a script of at most 16384 bytes"));
}

#[test]
fn steps_without_a_script_or_with_a_second_walltime() {
    assert_eq!(
        refusals(&with_line(r#""prologue_walltime": "1""#), &plain()),
        ["prologue_walltime (line 2, column 22): expected nothing, as `prologue` is not given, found \"1\"; \
          add `prologue`, or leave this out"]
    );
    assert_eq!(
        only(r#""prologue": "a", "prologue_resources": "/core=1,walltime=1""#),
        "expected a request without walltime, such as `/core=1`, found \"/core=1,walltime=1\"; \
         `prologue_walltime` and `epilogue_walltime` say how long"
    );
}

#[test]
fn a_field_at_the_top_is_idle_only_if_no_cluster_uses_it() {
    let text = |one: &str| {
        format!(
            r#"{{"name": "n", "nb_jobs": 1, "exec_file": "a", "prologue_walltime": "1",
                "clusters": {{"a": {{}}, "b": {{{one}}}}}}}"#
        )
    };
    assert!(read(&text(r#""prologue": "x""#), &plain()).is_ok());
    assert_eq!(refusals(&text(""), &plain()).len(), 1);
    let own = text(r#""prologue": "", "prologue_walltime": "2""#).replace("\"a\": {}", r#""a": {"prologue": "x"}"#);
    let [only] = &refusals(&own, &plain())[..] else { panic!("{own}") };
    assert!(only.starts_with("clusters.b.prologue_walltime (line 2, "), "{only}");
}

#[test]
fn samples_that_make_no_sense() {
    let expected = "expected `true`, `\"continue\"`, a number of tasks per cluster up to 100, or `{\"jobs\": 3, \"then\": \"wait\"}`";
    for (value, found) in
        [("0", "0"), ("-1", "-1"), ("1.5", "1.5"), ("\"yes\"", "\"yes\""), ("[1]", "a list of 1 item")]
    {
        assert_eq!(only(&format!(r#""test_mode": {value}"#)), format!("{expected}, found {found}"));
    }
    assert_eq!(
        refusals(&with_line(r#""test_mode": {"jobs": 0}"#), &plain()),
        ["test_mode.jobs (line 2, column 23): expected a whole number from 1 to 100, found 0"]
    );
    assert_eq!(only(r#""test_mode": {"then": "stop"}"#), "expected `wait` or `continue`, found \"stop\"");
    assert_eq!(only(r#""test_mode": {"job": 1}"#), "expected `jobs` or `then`, found 1");
    let text = r#"{"name": "n", "nb_jobs": 1, "exec_file": "a",
        "clusters": {"a": {"test_mode": 2}, "b": {"test_mode": 3}, "c": {}}}"#;
    let hint = "write `test_mode` once, at the top of the file";
    assert_eq!(
        refusals(text, &plain()),
        [
            format!(
                "clusters.b.test_mode (line 2, column 64): expected the same sample on all clusters, found 3; {hint}"
            ),
            format!("clusters.c.test_mode: expected the same sample on all clusters, found no sample; {hint}"),
        ]
    );
}

#[test]
fn groups_that_make_no_sense() {
    let turn = "expected `true`, `false`, `auto` or a number of tasks from 2 to 1000";
    for (value, found) in [("0", "0"), ("1001", "1001"), ("\"many\"", "\"many\""), ("2.5", "2.5")] {
        assert_eq!(only(&format!(r#""temporal_grouping": {value}"#)), format!("{turn}, found {found}"));
    }
    let batch = |value: &str| only(&format!(r#""temporal_grouping": 2, "temporal_grouping_batch_duration": {value}"#));
    for value in ["0", "86401", "\"25:0:0\"", "\"soon\"", "-5"] {
        let expected = format!("expected seconds, or a duration `h:m:s`, from 1 s to 86400 s, found {value}");
        assert_eq!(batch(value), expected);
    }
    assert!(only(r#""temporal_grouping_batch_duration": 60"#).contains("as `temporal_grouping` is not given"));
    let side = "expected `true`, `false` or a number of tasks from 2 to 256";
    assert_eq!(only(r#""dimensional_grouping": 257"#), format!("{side}, found 257"));
}

#[test]
fn requests_that_cannot_be_multiplied() {
    for request in [
        "/gpu=1",
        "/nodes=2/core=4",
        "/cpu=1/core=2",
        "{mem > 1}/core=2",
        "/core=1+/core=1",
        "/core=ALL",
        "/core=4000000000",
    ] {
        let said = refusals(&with_line(&format!(r#""dimensional_grouping": 4, "resources": "{request}""#)), &plain());
        assert_eq!(
            said,
            [format!(
                "clusters.dahu.dimensional_grouping (line 1, column 50): expected cores of one node, such as \
                 `/core=2`, which can be multiplied, found the request `{request}`"
            )]
        );
    }
    for request in ["/core=1", "/core=257", "/gpu=2"] {
        let said = only(&format!(r#""dimensional_grouping": true, "resources": "{request}""#));
        let expected = "expected 2 to 256 cores of one node, such as `/nodes=1/core=8`";
        assert!(said.starts_with(expected) && said.contains(request), "{said}");
    }
}

#[test]
fn checkpoints_that_no_cluster_gives() {
    assert_eq!(
        only(r#""checkpointing_type": "blcr""#),
        "expected `signal` or none, found \"blcr\"; clusters only signal a program before its job ends: \
         it has to save its state itself"
    );
    for signal in ["9", "\"KILL\"", "\"usr1\"", "0", "true"] {
        let said = only(&format!(r#""checkpointing_type": true, "checkpointing_signal": {signal}"#));
        let expected = format!("expected `HUP`, `INT`, `USR1`, `USR2` or `TERM`, or its number, found {signal}");
        assert_eq!(said, expected);
    }
    assert_eq!(
        refusals(&with_line(r#""checkpointing_type": true, "checkpointing_period": "0:10:0""#), &plain()),
        [
            "clusters.dahu.checkpointing_period (line 1, column 50): expected less than the walltime, 00:10:00, found 600 s"
        ]
    );
    assert!(only(r#""checkpointing_period": 30"#).contains("as `checkpointing_type` is not given"));
    // The refusal of a type does not bring a second one about its period.
    assert_eq!(said(r#""checkpointing_type": "blcr", "checkpointing_period": 30"#).len(), 1);
}

#[test]
fn files_that_cannot_be_gathered() {
    let method = "expected `collector`, `scp`, `irods` or none";
    assert_eq!(only(r#""output_gathering_method": "ftp", "output_file": "a""#), format!("{method}, found \"ftp\""));
    assert!(only(r#""output_file": "a""#).contains("as `output_gathering_method` is not given"));
    assert!(only(r#""output_destination": "a""#).contains("as `output_gathering_method` is not given"));
    let collector = r#""output_gathering_method": "collector""#;
    assert_eq!(only(collector), "expected the file that each task writes, found nothing");
    for file in ["/a", "../a", "a/../b", "a b", "a,b", "$HOME/a", "`a`", "~/a", "-a", "a//b", "./a", "a/", "a:b", "a;b"]
    {
        let said = only(&format!(r#"{collector}, "output_file": "{file}""#));
        assert!(said.starts_with("expected a path below `exec_directory`, of letters, digits and"), "{file}: {said}");
    }
    for (file, found) in
        [("a{b}", "{b}"), ("a{TASK_ID", "{TASK_ID"), ("a}b", "}b"), ("{a,b}", ""), ("{{TASK_ID}}", "{{TASK_ID}")]
    {
        let said = only(&format!(r#"{collector}, "output_file": "{file}""#));
        assert!(said.contains(found), "{file}: {said}");
    }
    for destination in ["host", "-oProxy=x:/f", ":f", "h:", "h:-f", "h:a b", "h:$x", "h;x:f", "h:a{TASK_ID}"] {
        let fields = r#""output_gathering_method": "scp", "output_file": "{TASK_ID}""#;
        let said = only(&format!(r#"{fields}, "output_destination": "{destination}""#));
        assert!(said.starts_with("expected `host:folder` or `user@host:folder`"), "{destination}: {said}");
    }
    for destination in ["-f", "a b", "`a`"] {
        let fields = r#""output_gathering_method": "irods", "output_file": "{TASK_ID}""#;
        let said = only(&format!(r#"{fields}, "output_destination": "{destination}""#));
        assert!(said.starts_with("expected a collection"), "{destination}: {said}");
    }
}

#[test]
fn priorities_out_of_bounds() {
    for priority in ["101", "-101", "1.5", "\"high\"", "\"+5\"", "true", "[]"] {
        let said = only(&format!(r#""priority": {priority}"#));
        assert!(said.starts_with("expected a whole number from -100 to 100, found"), "{priority}: {said}");
    }
}

#[test]
fn ends_without_an_endless_campaign_and_the_other_way_round() {
    let said_of_successes = "expected nothing, as a bag of tasks ends with its last task, found 5; \
                             only a campaign with `\"jobs_type\": \"desktop_computing\"` needs it";
    assert_eq!(only(r#""successes": 5"#), said_of_successes);
    assert!(only(r#""until": "2027-01-01""#).contains("a bag of tasks ends with its last task"));
    assert_eq!(
        refusals(&with_line(r#""jobs_type": "desktop_computing""#), &plain()),
        ["nb_jobs (line 1, column 26): expected no parameters, as `desktop_computing` starts one command again and \
          again, found 1; `successes` and `until` say when it ends"]
    );
    let endless = with_line(r#""jobs_type": "desktop_computing""#).replace(r#""nb_jobs": 1, "#, "");
    assert!(read(&endless, &plain()).is_ok());
    assert!(refusals(&endless, &streamed())[0].contains("none in an endless campaign"));
    for until in ["tomorrow", "2027-02-30", "2027-01-01T00:00:00", "2027-01-01 00:00", "1969-01-01", "+262142-12-31"] {
        let text = endless.replace(r#""desktop_computing""#, &format!(r#""desktop_computing", "until": "{until}""#));
        assert!(refusals(&text, &plain())[0].contains("expected a date and time with its zone"), "{until}");
    }
}

#[test]
fn more_clusters_than_anybody_has() {
    let clusters: Vec<_> = (0..1001).map(|number| format!("\"c{number}\": {{}}")).collect();
    let text = format!(r#"{{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {{{}}}}}"#, clusters.join(", "));
    assert_eq!(
        refusals(&text, &plain()),
        ["clusters (line 1, column 59): expected at most 1000 clusters, found an object of 1001 fields"]
    );
}

#[test]
fn files_that_the_client_fetches_have_one_folder() {
    let text = |luke: &str| {
        format!(
            r#"{{"name": "n", "nb_jobs": 1, "exec_file": "a", "output_file": "r.{{TASK_ID}}", "output_destination": "here",
            "output_gathering_method": "collector", "clusters": {{"dahu": {{}}, "luke": {luke}}}}}"#
        )
    };
    let said = refusals(&text(r#"{"output_destination": "there"}"#), &plain());
    let expected = "clusters.luke.output_destination (line 2, column 86): expected \"here\", as on dahu, because the client \
                    fetches into one folder, found \"there\"";
    assert_eq!(said, [expected]);
    assert!(read(&text(r#"{"output_destination": ""}"#), &plain()).is_ok());
    let scp = r#"{"output_gathering_method": "scp", "output_destination": "store:there"}"#;
    assert!(read(&text(scp), &plain()).is_ok());
}
