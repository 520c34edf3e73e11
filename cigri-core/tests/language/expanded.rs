//! A resolved campaign written out: every default in it, and nothing lost on the way back.

use cigri_core::language::{
    AfterTest, CampaignSpec, Checkpoint, ClusterSpec, Gathering, Grouping, InTurn, JobKind, Output, Step, TestMode,
    parse, resolve,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::context::{plain, read, with_fields};
use super::generated::campaign;

fn expanded(text: &str) -> Value {
    read(text, &plain()).unwrap().spec.to_jdl()
}

#[test]
fn defaults_and_inheritance_are_written_out() {
    let text = r#"{"Name": "pi", "nb_jobs": 3, "exec_file": "~/pi.sh", "walltime": "1",
        "clusters": {"dahu": {}, "luke": {"resources": "/gpu=1", "type": "normal", "walltime": "0:0:90"}}}"#;
    let dahu = json!({
        "exec_file": "$HOME/pi.sh", "exec_directory": "$HOME", "walltime": "01:00:00", "resources": "/core=1",
        "properties": null, "project": null, "cluster_job_type": null, "type": "best-effort", "max_jobs": null,
        "prologue": [], "epilogue": [], "temporal_grouping": false, "dimensional_grouping": false,
        "checkpointing_type": null, "output_gathering_method": null
    });
    let mut luke = dahu.clone();
    luke["resources"] = json!("/gpu=1");
    luke["type"] = json!("normal");
    luke["walltime"] = json!("00:01:30");
    let whole = json!({"name": "pi", "jobs_type": "normal", "test_mode": false, "priority": 0, "clusters": {"dahu": dahu, "luke": luke}});
    assert_eq!(expanded(text), whole);
}

#[test]
fn all_that_a_campaign_can_ask_for_is_written_out() {
    let step = |script: &str| Some(Step { script: script.into(), walltime_s: 60, resources: "/core=2".into() });
    let spec = ClusterSpec {
        kind: JobKind::Nightly,
        max_jobs: Some(4),
        prologue: step("mkdir out\ntrue"),
        epilogue: step("tar c out"),
        grouping: Grouping { in_turn: InTurn::AtMost(8), batch_s: 600, side_by_side: 4 },
        checkpoint: Some(Checkpoint { before_s: 30, signal: 10 }),
        output: Some(Output { file: "out/{TASK_ID}".into(), method: Gathering::Scp("host:dir".into()) }),
        ..ClusterSpec::new("run.sh", "/work")
    };
    let test = Some(TestMode { jobs: 2, then: AfterTest::Continue });
    let jdl = CampaignSpec { test, ..CampaignSpec::new("c", [("dahu".to_owned(), spec)].into()) }.to_jdl();
    assert_eq!(jdl["test_mode"], json!({"jobs": 2, "then": "continue"}));
    let expected = json!({
        "exec_file": "run.sh", "exec_directory": "/work", "walltime": "02:00:00", "resources": "/core=1",
        "properties": null, "project": null, "cluster_job_type": null, "type": "nightly", "max_jobs": 4,
        "prologue": ["mkdir out", "true"], "prologue_walltime": "00:01:00", "prologue_resources": "/core=2",
        "epilogue": ["tar c out"], "epilogue_walltime": "00:01:00", "epilogue_resources": "/core=2",
        "temporal_grouping": 8, "temporal_grouping_batch_duration": 600, "dimensional_grouping": 4,
        "checkpointing_type": "oar", "checkpointing_period": 30, "checkpointing_signal": 10,
        "output_gathering_method": "scp", "output_file": "out/{TASK_ID}", "output_destination": "host:dir"
    });
    assert_eq!(jdl["clusters"]["dahu"], expected);
}

#[test]
fn an_endless_campaign_says_until_when() {
    let endless = serde_json::from_value(json!({"until": 1_800_000_000_000_i64, "successes": 7})).unwrap();
    let spec = CampaignSpec { endless: Some(endless), ..CampaignSpec::new("c", Default::default()) };
    let expected = json!({"name": "c", "jobs_type": "desktop_computing", "test_mode": false,
        "priority": 0, "until": "2027-01-15T08:00:00Z", "successes": 7, "clusters": {}});
    assert_eq!(spec.to_jdl(), expected);
}

fn again(spec: &CampaignSpec) -> CampaignSpec {
    let mut jdl = spec.to_jdl();
    if spec.endless.is_none() {
        jdl["nb_jobs"] = json!(1);
    }
    let written = parse(jdl.to_string().as_bytes(), &Default::default()).unwrap();
    resolve(written, &plain()).unwrap_or_else(|problems| panic!("{jdl}: {problems}")).spec
}

proptest! {
    #[test]
    fn an_expanded_campaign_is_the_same_campaign(value in campaign()) {
        let spec = read(&value.to_string(), &plain()).unwrap().spec;
        prop_assert_eq!(again(&spec), spec);
    }

    #[test]
    fn any_accepted_command_and_directory_survive(
        command in r#"[a-z~$\\{}/ HOMECAPIGN_D"'=:-]{1,20}"#,
        directory in r"[~$]?(HOME|\{HOME\})?/[a-z{}~ ]{0,8}",
    ) {
        let fields = format!(r#""exec_file": {}, "exec_directory": {}"#, json!(command), json!(directory));
        if let Ok(resolved) = read(&with_fields(&fields), &plain()) {
            prop_assert_eq!(again(&resolved.spec), resolved.spec);
        }
    }
}
