//! What happens around the tasks: steps, samples, packing, signals, files, and campaigns without end, as they are read.

use cigri_core::language::{
    AfterTest, Checkpoint, Endless, Gathering, Grouping, InTurn, JobKind, Output, Parameters, Step, TestMode,
};

use super::context::{cluster_with, plain, read, with_fields};

fn campaign(fields: &str) -> cigri_core::language::Resolved {
    read(&with_fields(&format!(r#""exec_file": "a", {fields}"#)), &plain())
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn a_prologue_is_a_list_of_lines_or_one_text() {
    let step = |fields: &str| cluster_with(fields).prologue;
    let expected = Step { script: "set -e\ncd ~/x".into(), walltime_s: 600, resources: "/core=1".into() };
    assert_eq!(step(r#", "prologue": ["set -e", "cd ~/x"]"#), Some(expected.clone()));
    assert_eq!(step(r#", "prologue": "set -e\ncd ~/x""#), Some(expected));
    for none in ["[]", "\"\"", "false", "\"None\"", "[\"\"]", "\" \\n\""] {
        assert_eq!(step(&format!(r#", "prologue": {none}"#)), None, "{none}");
    }
}

#[test]
fn a_step_has_a_walltime_and_resources_of_its_own() {
    let cluster = cluster_with(
        r#", "walltime": "2", "prologue": "a {HOME} {CAMPAIGN_ID} {OAR_JOB_ID} '{HOME}'", "epilogue": ["b"],
           "epilogue_walltime": "0:5:0", "epilogue_resources": "/nodes=1""#,
    );
    let prologue = cluster.prologue.unwrap();
    assert_eq!(prologue.script, "a $HOME {CAMPAIGN_ID} {OAR_JOB_ID} '$HOME'");
    assert_eq!((prologue.walltime_s, prologue.resources.as_str()), (7200, "/core=1"));
    let epilogue = cluster.epilogue.unwrap();
    assert_eq!((epilogue.walltime_s, epilogue.resources.as_str()), (300, "/nodes=1"));
}

#[test]
fn a_script_may_hold_any_quotes_where_the_shell_reads_none() {
    let script = "# don't\ncat > x <<EOF\nit's\nEOF\necho \"two\nlines\" # isn't it";
    let text = serde_json::to_string(script).unwrap();
    assert_eq!(cluster_with(&format!(r#", "epilogue": {text}"#)).epilogue.unwrap().script, script);
}

#[test]
fn extras_are_inherited_one_by_one_and_stopped_by_empty_values() {
    let text = r#"{ "name": "n", "nb_jobs": 2, "exec_file": "a", "walltime": "2",
        "prologue": "top", "prologue_walltime": "1", "temporal_grouping": 10,
        "output_gathering_method": "collector", "output_file": "o.{TASK_ID}", "output_destination": "here",
        "clusters": {
            "single": { "temporal_grouping": false },
            "own": { "prologue": "own", "output_destination": "" },
            "none": { "prologue": [], "output_gathering_method": "none" } } }"#;
    let clusters = read(text, &plain()).unwrap().spec.clusters;
    let (single, own, none) = (&clusters["single"], &clusters["own"], &clusters["none"]);
    let script = |step: &Option<Step>| step.as_ref().map(|step| (step.script.clone(), step.walltime_s));
    assert_eq!(script(&single.prologue), Some(("top".into(), 3600)));
    assert_eq!(script(&own.prologue), Some(("own".into(), 3600)));
    assert_eq!(script(&none.prologue), None);
    assert_eq!(single.grouping, Grouping::default());
    assert_eq!(own.grouping.in_turn, InTurn::AtMost(10));
    let output = |destination: Option<&str>| {
        let method = Gathering::Collector(destination.map(str::to_owned));
        Some(Output { file: "o.{TASK_ID}".into(), method })
    };
    assert_eq!((&single.output, &own.output, &none.output), (&output(Some("here")), &output(None), &None));
}

#[test]
fn test_mode_is_a_sample_and_what_comes_after_it() {
    let test = |value: &str| campaign(&format!(r#""test_mode": {value}"#)).spec.test;
    let sample = |jobs, then| Some(TestMode { jobs, then });
    for value in ["false", "\"false\"", "\"\"", "\"None\"", "null", "{}"] {
        assert_eq!(test(value), None, "{value}");
    }
    for value in ["true", "\"true\"", "1", "\"wait\"", r#"{"jobs": 1}"#] {
        assert_eq!(test(value), sample(1, AfterTest::Wait), "{value}");
    }
    assert_eq!(test("\"continue\""), sample(1, AfterTest::Continue));
    assert_eq!(test("\"12\""), sample(12, AfterTest::Wait));
    assert_eq!(test(r#"{"then": "continue", "jobs": "3"}"#), sample(3, AfterTest::Continue));
}

#[test]
fn test_mode_may_be_written_in_clusters_if_all_agree() {
    let text = r#"{ "name": "n", "nb_jobs": 2, "exec_file": "a", "test_mode": 3,
        "clusters": { "a": {}, "b": { "test_mode": {"jobs": 3} } } }"#;
    assert_eq!(read(text, &plain()).unwrap().spec.test, Some(TestMode { jobs: 3, then: AfterTest::Wait }));
}

#[test]
fn tasks_are_grouped_in_turn() {
    let grouping = |fields: &str| cluster_with(&format!(", {fields}")).grouping;
    let in_turn = |value: &str| grouping(&format!(r#""temporal_grouping": {value}"#)).in_turn;
    for value in ["true", "\"true\"", "\"auto\""] {
        assert_eq!(in_turn(value), InTurn::Auto, "{value}");
    }
    for value in ["false", "\"false\"", "1", "\"1\""] {
        assert_eq!(in_turn(value), InTurn::One, "{value}");
    }
    assert_eq!((in_turn("2"), in_turn("\"1000\"")), (InTurn::AtMost(2), InTurn::AtMost(1000)));
    let batch = |value: &str| {
        grouping(&format!(r#""temporal_grouping": true, "temporal_grouping_batch_duration": {value}"#)).batch_s
    };
    assert_eq!(grouping(r#""temporal_grouping": true"#).batch_s, 900);
    // Unlike a walltime, a bare number counts seconds.
    assert_eq!((batch("60"), batch("\"60\""), batch("\"0:10:0\""), batch("\"24:00\"")), (60, 60, 600, 86400));
}

#[test]
fn tasks_are_grouped_side_by_side() {
    let group = |fields: &str| {
        let cluster = cluster_with(&format!(", {fields}"));
        (cluster.grouping.side_by_side, cluster.resources)
    };
    // A number: the resources are those of one task.
    assert_eq!(group(r#""dimensional_grouping": 8"#), (8, "/core=1".into()));
    assert_eq!(group(r#""dimensional_grouping": "4", "resources": "core=2""#), (4, "core=2".into()));
    assert_eq!(group(r#""dimensional_grouping": 256, "resources": "/node=1/core=2""#), (256, "/node=1/core=2".into()));
    assert_eq!(group(r#""dimensional_grouping": 1, "resources": "/gpu=1""#), (1, "/gpu=1".into()));
    // `true`: they are those of the job, with a task on each core.
    assert_eq!(group(r#""dimensional_grouping": true, "resources": "/nodes=1/core=16""#), (16, "/core=1".into()));
    assert_eq!(group(r#""dimensional_grouping": "true", "resources": "core=3""#), (3, "/core=1".into()));
    assert_eq!(group(r#""dimensional_grouping": false, "resources": "/gpu=1""#), (1, "/gpu=1".into()));
}

#[test]
fn kinds_of_jobs_are_four() {
    let kind = |name: &str| cluster_with(&format!(r#", "type": "{name}""#)).kind;
    assert_eq!(kind("semi-best-effort"), JobKind::SemiBestEffort);
    assert_eq!(kind("nightly"), JobKind::Nightly);
    assert_eq!(
        (kind("besteffort"), kind("best-effort"), kind("normal")),
        (JobKind::BestEffort, JobKind::BestEffort, JobKind::Normal)
    );
}

#[test]
fn a_checkpoint_is_a_signal_before_the_end() {
    let checkpoint = |fields: &str| cluster_with(&format!(", {fields}")).checkpoint;
    for value in ["\"signal\"", "\"oar\"", "true", "\"true\""] {
        let expected = Some(Checkpoint { before_s: 60, signal: 12 });
        assert_eq!(checkpoint(&format!(r#""checkpointing_type": {value}"#)), expected, "{value}");
    }
    let with = |period: &str, signal: &str| {
        let fields = format!(
            r#""checkpointing_type": true, "checkpointing_period": {period}, "checkpointing_signal": {signal}"#
        );
        checkpoint(&fields).map(|checkpoint| (checkpoint.before_s, checkpoint.signal))
    };
    assert_eq!(with("300", "\"USR1\""), Some((300, 10)));
    assert_eq!(with("\"0:5:0\"", "\"SIGTERM\""), Some((300, 15)));
    assert_eq!(with("599", "1"), Some((599, 1)));
    assert_eq!(checkpoint(r#""checkpointing_type": "None""#), None);
}

#[test]
fn files_of_tasks_are_gathered_in_three_ways() {
    let method = |fields: &str| {
        let fields =
            format!(r#", "output_file": "out/{{CAMPAIGN_ID}}/{{TASK_INDEX}}.{{TASK_ID}}.{{OAR_JOB_ID}}", {fields}"#);
        cluster_with(&fields).output.unwrap().method
    };
    assert_eq!(method(r#""output_gathering_method": "collector""#), Gathering::Collector(None));
    let folder = r#""output_gathering_method": "collector", "output_destination": "my results""#;
    assert_eq!(method(folder), Gathering::Collector(Some("my results".into())));
    let scp = r#""output_gathering_method": "scp", "output_destination": "al@store.example:/data/out-1""#;
    assert_eq!(method(scp), Gathering::Scp("al@store.example:/data/out-1".into()));
    for name in ["irods", "iRods", "iput"] {
        let irods = format!(r#""output_gathering_method": "{name}", "output_destination": "/zone/home/al""#);
        assert_eq!(method(&irods), Gathering::Irods("/zone/home/al".into()));
    }
}

#[test]
fn a_file_that_all_tasks_share_gives_a_warning() {
    let warnings = |file: &str| {
        let fields = format!(r#""output_gathering_method": "collector", "output_file": "{file}""#);
        campaign(&fields).warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings("out.{CAMPAIGN_ID}"),
        ["clusters.dahu.output_file (line 1, column 50): expected a file for each task, such as \
          `out.{TASK_INDEX}`, found \"out.{CAMPAIGN_ID}\""]
    );
    assert!(warnings("out.{TASK_ID}").is_empty());
    assert!(warnings("out.{OAR_JOB_ID}").is_empty());
    assert_eq!(warnings("out.{OAR_JOB_ID}\", \"temporal_grouping\": \"auto").len(), 1, "a group has one job");
}

#[test]
fn a_campaign_may_go_before_its_owners_others() {
    let priority = |fields: &str| {
        let text = format!(r#"{{"name": "n", "exec_file": "a", "nb_jobs": 1, "clusters": {{"c": {{}}}}{fields}}}"#);
        read(&text, &plain()).unwrap_or_else(|problems| panic!("{problems}")).spec.priority
    };
    assert_eq!(
        ["", r#", "priority": null"#, r#", "priority": 100"#, r#", "priority": "-7""#].map(priority),
        [0, 0, 100, -7]
    );
}

#[test]
fn a_campaign_may_have_no_end() {
    let endless = |fields: &str| {
        let text = format!(
            r#"{{"name": "n", "exec_file": "a", "clusters": {{"c": {{}}}}, "jobs_type": "desktop_computing"{fields}}}"#
        );
        let resolved = read(&text, &plain()).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(resolved.parameters, Parameters::Endless);
        resolved.spec.endless.unwrap()
    };
    assert_eq!(endless(""), Endless::default());
    assert_eq!(endless(r#", "successes": "50""#), Endless { until: None, successes: Some(50) });
    let until = |text: &str| endless(&format!(r#", "until": "{text}""#)).until;
    assert_eq!(until("1970-01-01T01:00:00.250+00:00"), Some(3_600_250));
    assert_eq!(until("1970-01-02T01:00:00+01:00"), Some(86_400_000));
    // A date counts whole, in UTC.
    assert_eq!(until("1970-01-01"), Some(86_400_000));
    assert_eq!((Parameters::Endless.count(), Parameters::Endless.get(7)), (None, Some("7".into())));
}
