//! Bad fields: every case with the exact sentence its author gets. Fields under test stand alone on line 2.

use super::context::{plain, read, refusals, with_line};

/// One problem of one top-level field, without its path and place.
fn refusal(line: &str) -> String {
    let all = refusals(&with_line(line), &plain());
    let [only] = &all[..] else {
        panic!("{line} has {} problems: {all:?}", all.len());
    };
    let (place, sentence) = only.split_once(": ").unwrap();
    assert!(place.contains("(line 2, column "), "{only}");
    sentence.to_owned()
}

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_text() {
    let text = r#"{
  "name": "",
  "nb_jobs": -1,
  "exec_fil": "run.sh",
  "clusters": {
    "dahu": { "walltime": "abc", "Resources": "core=1" },
    "bigfoot": { "exec_file": "it's", "prologue": 3 }
  },
  "test_mode": "maybe"
}"#;
    assert_eq!(
        refusals(text, &plain()),
        [
            "name (line 2, column 11): expected a name of 1 to 255 characters, without control characters, found \"\"",
            "nb_jobs (line 3, column 14): expected a whole number from 1 to 1000000000, found -1",
            "exec_fil (line 4, column 15): expected a field of the language, found an unknown field; did you mean `exec_file`?",
            "clusters.dahu.exec_file (line 6, column 13): expected a command, here or at the top of the file, found nothing",
            "clusters.dahu.walltime (line 6, column 27): expected a duration `h`, `h:m` or `h:m:s`, above 0 and below a year, found \"abc\"",
            "clusters.dahu.Resources (line 6, column 47): expected a field of the language, found an unknown field; did you mean `resources`?",
            "clusters.bigfoot.exec_file (line 7, column 31): expected a command with its ' quotes balanced, found \"it's\"",
            "clusters.bigfoot.prologue (line 7, column 51): expected a list of shell lines, or one text, found 3",
            "test_mode (line 9, column 16): expected `true`, `\"continue\"`, a number of tasks per cluster up to 100, or `{\"jobs\": 3, \"then\": \"wait\"}`, found \"maybe\"",
        ]
    );
}

#[test]
fn unknown_fields_name_the_nearest_known_one() {
    let hint = |line: &str| {
        let problem = read(&with_line(line), &plain()).unwrap_err().0.remove(0);
        assert_eq!(problem.found, "an unknown field", "{line}");
        problem.hint
    };
    let meant = |name: &str| Some(format!("did you mean `{name}`?"));
    assert_eq!(hint(r#""execfile": "x""#), meant("exec_file"));
    assert_eq!(hint(r#""WALTIME": "x""#), meant("walltime"));
    assert_eq!(hint(r#""nbjobs": 1"#), meant("nb_jobs"));
    assert_eq!(hint(r#""campaign_type": "normal""#), meant("type"));
    assert_eq!(hint(r#""command": "x""#), meant("exec_file"));
    assert_eq!(hint(r#""prolog": []"#), meant("prologue"));
    assert_eq!(hint(r#""sucesses": 1"#), meant("successes"));
    assert_eq!(hint(r#""colour": "red""#), None);
    assert_eq!(hint(&format!(r#""{}": 1"#, "x".repeat(10_000))), None);
    let inside =
        refusals(r#"{"name": "n", "nb_jobs": 1, "clusters": {"c": {"exec_file": "a", "params": []}}}"#, &plain());
    assert_eq!(
        inside,
        ["clusters.c.params (line 1, column 76): expected a field of the language, found an unknown field; \
          `params` belongs to the top of the file, not to a cluster"]
    );
}

#[test]
fn numbers_of_tasks_are_whole_and_bounded() {
    let cases = [
        ("-1", "-1"),
        ("0", "0"),
        ("1.5", "1.5"),
        ("1e3", "1e3"),
        ("1000000001", "1000000001"),
        ("100000000000000000000", "100000000000000000000"),
        ("\"abc\"", "\"abc\""),
        ("\"\"", "\"\""),
        ("\" 1\"", "\" 1\""),
        ("\"+1\"", "\"+1\""),
        ("true", "true"),
        ("[1]", "a list of 1 item"),
    ];
    for (written, found) in cases {
        let text =
            format!("{{\"name\": \"n\", \"clusters\": {{\"c\": {{\"exec_file\": \"a\"}}}},\n\"nb_jobs\": {written}}}");
        assert_eq!(
            refusals(&text, &plain()),
            [format!("nb_jobs (line 2, column 12): expected a whole number from 1 to 1000000000, found {found}")]
        );
    }
    assert_eq!(refusal(r#""max_jobs": "0""#), "expected a whole number from 1 to 4294967295, found \"0\"");
}

#[test]
fn walltimes_that_oar_would_misread_are_refused() {
    for written in [
        "\"abc\"",
        "\"\"",
        "\"0\"",
        "\"0:0:0\"",
        "0",
        "-1",
        "\"-1\"",
        "1.5",
        "\"1:2:3:4\"",
        "\" 1\"",
        "\"1: 2\"",
        "\"1:\"",
        "\":30\"",
        "\"8760\"",
        "\"99999999999999999999\"",
        "\"5124095576030431:0\"",
        "true",
    ] {
        assert_eq!(
            refusal(&format!("\"walltime\": {written}")),
            format!("expected a duration `h`, `h:m` or `h:m:s`, above 0 and below a year, found {written}")
        );
    }
}

#[test]
fn resources_that_oar_would_not_understand_are_refused() {
    for written in [
        "",
        "core",
        "core=",
        "core=0",
        "core=-1",
        "core=x",
        "core = 1",
        "/",
        "//core=1",
        "/core=1/",
        "=1",
        "core=1,",
        "core=1,core=2",
        "core=1,walltime=abc",
        "core=1,walltime=0",
        "core=1 walltime=1:0:0",
        "{mem > 1/core=1",
        "{a='}/core=1",
        "{mem > 1}",
        "{a{b}}/core=1",
        "mem}/core=1",
        "core=1+",
        "+core=1",
        "1core=1",
        "core=1;x",
        "core=99999999999",
        "walltime=",
        "core=1,walltime=1,walltime=2",
        "/walltime=1",
    ] {
        assert_eq!(
            refusal(&format!("\"resources\": \"{written}\"")),
            format!(
                "expected a request such as `/core=1`, `/nodes=1/core=4` or `{{mem > 16}}/core=2`, found \"{written}\""
            )
        );
    }
}

#[test]
fn two_different_walltimes_are_one_too_many() {
    let line = r#""walltime": "2", "resources": "core=1,walltime=0:1:0""#;
    assert_eq!(
        refusals(&with_line(line), &plain()),
        ["clusters.dahu.walltime (line 1, column 50): expected one walltime, \
          found `walltime` 02:00:00 and 00:01:00 in `resources`"]
    );
}

#[test]
fn conditions_that_would_break_a_clusters_api_are_refused() {
    for written in ["mem > 1; drop", "a = 'b", "a = \\\"b", "(mem > 1", "mem > 1)", ")(", "a\\nb"] {
        let sentence = refusal(&format!("\"properties\": \"{written}\""));
        assert!(
            sentence.starts_with("expected an SQL condition on one line, quotes and parentheses balanced, without `;`"),
            "{sentence}"
        );
    }
    assert!(read(&with_line(r#""properties": "a = ';(' AND (b > 1)""#), &plain()).is_ok());
}

#[test]
fn labels_are_short_lines() {
    let long = "x".repeat(256);
    let shown = format!("\"{}...\"", "x".repeat(60));
    assert_eq!(
        refusal(&format!("\"project\": \"{long}\"")),
        format!("expected a project of at most 255 characters, without control characters, found {shown}")
    );
    assert_eq!(
        refusal(r#""cluster_job_type": "a\u0007""#),
        "expected a job type of the cluster, at most 255 characters, without control characters, found \"a\\u{7}\""
    );
    assert_eq!(
        refusal(r#""cluster_job_type": "besteffort""#),
        "expected a job type beside best-effort, found \"besteffort\"; say `\"type\": \"best-effort\"`"
    );
    assert_eq!(
        refusal(r#""cluster_job_type": "idempotent""#),
        "expected a job type other than `idempotent`, found \"idempotent\"; CiGri itself brings killed tasks back"
    );
    assert_eq!(
        refusal(r#""type": "fast""#),
        "expected `best-effort`, `normal`, `semi-best-effort` or `nightly`, found \"fast\""
    );
    assert_eq!(refusal(r#""jobs_type": 3"#), "expected `normal` or `desktop_computing`, found 3");
}

#[test]
fn programs_that_would_swallow_the_parameter_are_refused() {
    let refused = |command: &str| {
        let quoted = serde_json::to_string(command).unwrap();
        let text =
            format!("{{\"name\": \"n\", \"nb_jobs\": 1, \"clusters\": {{\"c\": {{}}}},\n\"exec_file\": {quoted}}}");
        let all = refusals(&text, &plain());
        all[0].split_once("): ").unwrap().1.to_owned()
    };
    let follow = "expected a command that the parameter can follow";
    let cases = [
        ("  ", "expected a command on one line, found \"  \"".to_owned()),
        ("a\nb", "expected a command on one line, found \"a\\nb\"".to_owned()),
        ("a\0", "expected a command on one line, found \"a\\u{0}\"".to_owned()),
        ("echo \"a", "expected a command with its \" quotes balanced, found \"echo \"a\"".to_owned()),
        ("echo `a", "expected a command with its ` quotes balanced, found \"echo `a\"".to_owned()),
        ("run \\", "expected a command that does not end in a backslash, found \"run \\\"".to_owned()),
        ("run \\ ", "expected a command that does not end in a backslash, found \"run \\ \"".to_owned()),
        (
            "run # all",
            format!(
                "{follow}, found \"run # all\"; a `#` begins a comment, which would swallow the parameter; quote it"
            ),
        ),
        (
            "a;#b",
            format!("{follow}, found \"a;#b\"; a `#` begins a comment, which would swallow the parameter; quote it"),
        ),
        (
            "cat <<EOF",
            format!("{follow}, found \"cat <<EOF\"; a here-document (`<<`) needs further lines; use a script"),
        ),
        ("a; }; _c 1 1", format!("{follow}, found \"a; }}; _c 1 1\"; `}}; _c` is the end of CiGri's own command")),
    ];
    for (command, expected) in cases {
        assert_eq!(refused(command), expected);
    }
    assert!(refused(&"x".repeat(8193)).starts_with("expected a command of at most 8192 bytes"));
}

#[test]
fn directories_that_a_cluster_cannot_find_are_refused() {
    let expected = "expected an absolute directory, or one that begins with `$HOME`, `{HOME}` or `~`";
    for written in ["", "data/x", "./x", "$HOMER/x", "~bob/x", "$WORK/x", "\\u0000", "/a\\nb"] {
        assert!(refusal(&format!("\"exec_directory\": \"{written}\"")).starts_with(expected), "{written}");
    }
    assert_eq!(
        refusal(r#""exec_directory": "/scratch/$USER""#),
        format!(
            "{expected}, found \"/scratch/$USER\"; clusters replace only a `$HOME` at the beginning, no other variable"
        )
    );
    assert_eq!(
        refusal(r#""exec_directory": "~/{OAR_JOB_ID}""#),
        format!(
            "{expected}, found \"~/{{OAR_JOB_ID}}\"; a job's number is not known before it is sent; `{{CAMPAIGN_ID}}` is"
        )
    );
}

#[test]
fn a_directory_has_no_other_macros() {
    for word in ["TASK_INDEX", "alpha", "HOME"] {
        let said = refusal(&format!(r#""exec_directory": "/data/{{CAMPAIGN_ID}}/{{{word}}}""#));
        assert!(said.contains(&format!("; `{{{word}}}` stands for nothing there")), "{said}");
    }
}

#[test]
fn a_default_directory_must_be_sound_too() {
    for bad in ["", "data", "~/x", "/a\nb"] {
        let mut context = plain();
        context.default_directory = Some(bad);
        let said = refusals(&with_line(r#""max_jobs": 1"#), &context);
        assert!(said[0].starts_with("exec_directory: expected an absolute directory on one line"), "{said:?}");
    }
}
