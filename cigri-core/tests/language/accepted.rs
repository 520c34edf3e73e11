//! How accepted campaigns are read: defaults, inheritance, lenient values, macros.

use cigri_core::language::{ClusterSpec, Context, Grouping, JobKind, Parameters};

use super::context::{cluster_with, plain, read, streamed, with_fields};

#[test]
fn everything_but_the_program_has_a_default() {
    assert_eq!(
        cluster_with(""),
        ClusterSpec {
            exec_file: "run.sh".into(),
            exec_directory: "$HOME".into(),
            walltime_s: 600,
            resources: "/core=1".into(),
            properties: None,
            project: None,
            cluster_job_type: None,
            kind: JobKind::BestEffort,
            max_jobs: None,
            prologue: None,
            epilogue: None,
            grouping: Grouping::default(),
            checkpoint: None,
            output: None,
            retries: Default::default(),
            escalate: None,
        }
    );
}

#[test]
fn the_directory_of_the_campaign_file_may_be_the_default() {
    let mut context = plain();
    context.default_directory = Some("/data/alice/sweep");
    let resolved = read(&with_fields(r#""exec_file": "a""#), &context).unwrap();
    assert_eq!(resolved.spec.clusters["dahu"].exec_directory, "/data/alice/sweep");
}

#[test]
fn a_cluster_takes_from_the_top_what_it_does_not_say_itself() {
    let text = r#"{ "name": "n", "nb_jobs": 2, "exec_file": "top", "project": "p", "max_jobs": 5,
        "type": "normal", "walltime": "1",
        "clusters": {
            "same": {},
            "own": { "exec_file": "own", "project": "", "max_jobs": 7, "type": "besteffort",
                     "walltime": null, "resources": "/gpu=2" } } }"#;
    let clusters = read(text, &plain()).unwrap().spec.clusters;
    let (same, own) = (&clusters["same"], &clusters["own"]);
    assert_eq!(
        (same.exec_file.as_str(), same.project.as_deref(), same.max_jobs, same.kind),
        ("top", Some("p"), Some(5), JobKind::Normal)
    );
    // An empty project is a cluster's way of saying "none"; null says nothing, so the top's walltime holds.
    assert_eq!(
        (own.exec_file.as_str(), own.project.as_deref(), own.max_jobs, own.kind),
        ("own", None, Some(7), JobKind::BestEffort)
    );
    assert_eq!(own.resource_request(), "/gpu=2,walltime=01:00:00");
}

#[test]
fn a_cluster_that_only_adds_a_walltime_keeps_the_resources_of_the_top() {
    let text = r#"{ "name": "n", "nb_jobs": 1, "exec_file": "a", "resources": "/core=4,walltime=1",
        "clusters": { "long": { "resources": "walltime=9" }, "wide": { "resources": "/core=8" }, "same": {} } }"#;
    let clusters = read(text, &plain()).unwrap().spec.clusters;
    assert_eq!(clusters["long"].resource_request(), "/core=4,walltime=09:00:00");
    assert_eq!(clusters["wide"].resource_request(), "/core=8,walltime=01:00:00", "and the other way round");
    assert_eq!(clusters["same"].resource_request(), "/core=4,walltime=01:00:00");
}

#[test]
fn top_level_keys_may_be_written_in_any_case() {
    let text = r#"{"NAME": "n", "Nb_Jobs": 1, "Clusters": {"c": {}}, "EXEC_FILE": "a", "Test_Mode": "false"}"#;
    assert_eq!(read(text, &plain()).unwrap().spec.name, "n");
}

#[test]
fn numbers_may_be_strings_and_strings_numbers() {
    let counts = |value: &str| {
        let text = format!(r#"{{"name": 7, "nb_jobs": {value}, "clusters": {{"c": {{"exec_file": "a"}}}}}}"#);
        let resolved = read(&text, &plain()).unwrap();
        assert_eq!(resolved.spec.name, "7");
        resolved.parameters.count()
    };
    assert_eq!(counts("100"), Some(100));
    assert_eq!(counts("\"100\""), Some(100));
    assert_eq!(counts("1000000000"), Some(1_000_000_000));
    assert_eq!(cluster_with(r#", "max_jobs": "50""#).max_jobs, Some(50));
    assert_eq!(cluster_with(r#", "project": 42"#).project.as_deref(), Some("42"));
}

#[test]
fn walltimes_are_hours_minutes_seconds() {
    let cases = [
        ("\"2\"", 7200, "02:00:00"),
        ("2", 7200, "02:00:00"),
        ("\"1:30\"", 5400, "01:30:00"),
        ("\"00:5:00\"", 300, "00:05:00"),
        ("\"0:90:0\"", 5400, "01:30:00"),
        ("\"0:0:1\"", 1, "00:00:01"),
        ("\"100:00:00\"", 360_000, "100:00:00"),
    ];
    for (written, seconds, requested) in cases {
        let cluster = cluster_with(&format!(r#", "walltime": {written}"#));
        assert_eq!(cluster.walltime_s, seconds, "{written}");
        assert_eq!(cluster.resource_request(), format!("/core=1,walltime={requested}"));
    }
}

#[test]
fn a_walltime_may_be_part_of_the_resources() {
    let requests = |fields: &str| cluster_with(fields).resource_request();
    assert_eq!(requests(r#", "resources": "core=1,walltime=0:1:0""#), "core=1,walltime=00:01:00");
    assert_eq!(requests(r#", "resources": "walltime=0:1:0""#), "/core=1,walltime=00:01:00");
    assert_eq!(
        requests(r#", "resources": "core=1,walltime=0:1:0", "walltime": "00:01:00""#),
        "core=1,walltime=00:01:00"
    );
}

#[test]
fn resource_requests_are_kept_and_their_cores_counted() {
    let cases = [
        ("core=1", 1),
        ("/core=6", 6),
        ("/nodes=2/core=4", 8),
        ("/nodes=2/cpu=2/core=4", 16),
        ("/resource_id=3", 3),
        ("/nodes=3+licence=2", 3),
        ("/core=2+/core=3", 5),
        ("/gpu=4", 1),
        ("/switch=1/nodes=2", 2),
        ("/nodes=1/core=ALL", 1),
        ("{mem > 16 AND cluster = 'a,b/c+d}'}/nodes=1/core=2", 2),
        ("{type='gpu'}core=3", 3),
        ("/core=4000000000/cpu=4000000000", u32::MAX),
    ];
    for (request, cores) in cases {
        let cluster = cluster_with(&format!(r#", "resources": "{request}""#));
        assert_eq!(cluster.resources, request);
        assert_eq!(cluster.cores(), cores, "{request}");
    }
}

#[test]
fn job_types_are_best_effort_and_the_clusters_own() {
    assert_eq!(types(&cluster_with("")), ["besteffort"]);
    assert_eq!(types(&cluster_with(r#", "type": "besteffort""#)), ["besteffort"]);
    assert_eq!(
        types(&cluster_with(r#", "type": "best-effort", "cluster_job_type": "devel""#)),
        ["besteffort", "devel"]
    );
    assert!(types(&cluster_with(r#", "type": "normal", "cluster_job_type": """#)).is_empty());
}

#[test]
fn every_spelling_of_the_home_directory_is_one() {
    let cases = [
        ("~/a.sh", "$HOME/a.sh"),
        ("~", "$HOME"),
        ("{HOME}/a.sh -o {HOME}/out", "$HOME/a.sh -o $HOME/out"),
        (r"\$HOME/a.sh", "$HOME/a.sh"),
        ("cd ~;~/a.sh >~/out", "cd $HOME;$HOME/a.sh >$HOME/out"),
        // What the shell would not read as a home directory is left alone.
        ("a.sh x~ ~bob/x '~' \"~/x\" a~b", "a.sh x~ ~bob/x '~' \"~/x\" a~b"),
        ("${HOME}/a.sh", "${HOME}/a.sh"),
        (r"\$HOMER \\$HOME", r"\$HOMER \\$HOME"),
        ("a.sh {CAMPAIGN_ID} {OAR_JOB_ID}", "a.sh {CAMPAIGN_ID} {OAR_JOB_ID}"),
    ];
    for (written, expected) in cases {
        let quoted = serde_json::to_string(written).unwrap();
        let text = with_fields(&format!(r#""exec_file": {quoted}"#));
        let resolved = read(&text, &plain()).unwrap();
        assert_eq!(resolved.spec.clusters["dahu"].exec_file, expected);
    }
}

#[test]
fn directories_are_absolute_or_below_the_home_directory() {
    let cases = [
        ("~", "$HOME"),
        ("~/x", "$HOME/x"),
        ("{HOME}/x", "$HOME/x"),
        ("$HOME/x", "$HOME/x"),
        ("${HOME}/x", "$HOME/x"),
        (r"\\$HOME/x", "$HOME/x"),
        ("/scratch/run_{CAMPAIGN_ID}", "/scratch/run_{CAMPAIGN_ID}"),
        ("/", "/"),
    ];
    for (written, expected) in cases {
        let cluster = cluster_with(&format!(r#", "exec_directory": "{written}""#));
        assert_eq!(cluster.exec_directory, expected);
    }
}

#[test]
fn shell_text_in_the_program_is_kept_as_written() {
    let commands = [
        "cd 'a b' && ./run \"x y\" | tee log;true",
        "./run '#' a#b $#  ${x#y}",
        "./run $((1<<3)) <<< word",
        "./run\tx",
        r"printf %s\\n $'it\'s'",
        "echo `date` \"$(echo \"a b\")\"",
    ];
    for command in commands {
        let quoted = serde_json::to_string(command).unwrap();
        let resolved = read(&with_fields(&format!(r#""exec_file": {quoted}"#)), &plain()).unwrap();
        assert_eq!(resolved.spec.clusters["dahu"].exec_file, command);
    }
}

#[test]
fn neutral_values_ask_for_nothing() {
    for value in ["false", "\"false\"", "\"False\"", "\"None\"", "\"\"", "[]", "{}", "null"] {
        for field in ["test_mode", "prologue", "temporal_grouping", "output_gathering_method", "checkpointing_type"] {
            let cluster = cluster_with(&format!(r#", "{field}": {value}, "jobs_type": "normal""#));
            assert_eq!(cluster, cluster_with(""), "{field}: {value}");
        }
    }
}

#[test]
fn parameters_come_from_one_of_three_sources() {
    let parameters = |fields: &str, context: &Context<'_>| {
        let text = format!(r#"{{"name": "n", "clusters": {{"c": {{"exec_file": "a"}}}} {fields}}}"#);
        read(&text, context).unwrap().parameters
    };
    let count = parameters(r#", "nb_jobs": 3"#, &plain());
    assert_eq!(count, Parameters::Count(3));
    assert_eq!((count.get(0), count.get(2), count.get(3)), (Some("0".into()), Some("2".into()), None));

    let inline = parameters(r#", "params": ["a", 2, true, "a", "", 1.50]"#, &plain());
    let texts = ["a", "2", "true", "a", "", "1.50"].map(str::to_owned);
    assert_eq!(inline, Parameters::Inline(texts.to_vec()));
    assert_eq!((inline.count(), inline.get(3)), (Some(6), Some("a".into())));

    assert_eq!(parameters(r#", "param_file": "p.txt""#, &streamed()), Parameters::Streamed);
    assert_eq!(parameters("", &streamed()), Parameters::Streamed);
}

#[test]
fn what_is_accepted_but_odd_gives_a_warning() {
    let warnings = |fields: &str| -> Vec<String> {
        let resolved = read(&with_fields(fields), &plain()).unwrap();
        resolved.warnings.iter().map(ToString::to_string).collect()
    };
    assert_eq!(
        warnings(r#""exec_file": "a &""#),
        ["exec_file (line 1, column 68): expected a command that the parameter can follow, \
          found \"a &\"; the parameter would be run as a command of its own"]
    );
    assert_eq!(
        warnings(r#""exec_file": "a", "exec_directory": "/my data""#),
        ["exec_directory (line 1, column 91): expected a directory without blanks, commas and \
          backquotes, found \"/my data\"; OAR's API cannot read files there: `cigri logs` would \
          show nothing"]
    );
    let page = warnings(r#""exec_file": "run $HOMEPAGE $HOME ${HOMEPAGE}""#);
    assert_eq!(
        page,
        ["exec_file (line 1, column 68): expected `$HOME` apart from longer names, found \
          \"run $HOMEPAGE $HOME ${HOMEPAGE}\"; OAR 3 replaces `$HOME` even within `$HOMEPAGE`; write `${HOMEPAGE}`"]
    );
    assert!(warnings(r#""exec_file": "run $HOME/a ${HOMEPAGE}""#).is_empty());
}

/// The job types by day of a kind that does not change by night.
fn types(spec: &ClusterSpec) -> Vec<String> {
    spec.types(spec.kind == JobKind::BestEffort)
}
