//! CiGri 3's sample campaigns: accepted as they are.

use cigri_core::language::{AfterTest, InTurn, JobKind, Parameters, TestMode, resolve};
use cigri_core::language::{Limits, LineSplitter, parse};
use serde_json::Value;

use super::context::{plain, read, streamed};

const RENDER: &str = include_str!("../../../tests/fixtures/campaigns/povray_like.json");
const MONTE_CARLO: &str = include_str!("../../../tests/fixtures/campaigns/monte_carlo.json");
const INLINE: &str = include_str!("../../../tests/fixtures/campaigns/inline_params.json");
const RENDER_LINES: &str = include_str!("../../../tests/fixtures/campaigns/render_params.txt");

#[test]
fn the_inline_sample_is_accepted_as_it_is() {
    let resolved = read(INLINE, &plain()).unwrap();
    let cluster = &resolved.spec.clusters["dahu"];
    assert_eq!(resolved.spec.name, "inline");
    assert_eq!(cluster.exec_file, "echo");
    assert_eq!(cluster.resource_request(), "core=1,walltime=00:01:00");
    assert_eq!(cluster.types(cluster.kind == JobKind::BestEffort), ["devel"]);
    assert_eq!(cluster.project.as_deref(), Some("chem"));
    let expected = ["a 1", "a 2", "b \"quoted word\"", "it's", "$HOME/x", "*.txt", "é à ü", "0"];
    assert_eq!(resolved.parameters, Parameters::Inline(expected.map(str::to_owned).to_vec()));
    assert_eq!(
        resolved.warnings[0].to_string(),
        "params[3]: expected balanced quotes, because the job's shell reads the parameter, \
         found an open ' in `it's`"
    );
    assert_eq!(resolved.warnings.len(), 1);
}

#[test]
fn the_monte_carlo_sample_is_accepted_with_its_grouping() {
    let resolved = read(MONTE_CARLO, &plain()).unwrap();
    assert_eq!(resolved.parameters, Parameters::Count(1000));
    let clusters = &resolved.spec.clusters;
    assert!(clusters.values().all(|cluster| cluster.grouping.in_turn == InTurn::Auto));
    assert_eq!(clusters["dahu"].exec_file, "$HOME/mc/pi.sh");
    assert_eq!(clusters["dahu"].resources, "/core=1");
    assert_eq!(clusters["bigfoot"].resource_request(), "/gpu=1,walltime=00:02:00");
}

#[test]
fn the_render_sample_is_accepted_with_its_steps_and_its_sample() {
    let resolved = read(RENDER, &streamed()).unwrap();
    assert_eq!(resolved.parameters, Parameters::Streamed);
    assert_eq!(resolved.spec.test, Some(TestMode { jobs: 1, then: AfterTest::Wait }));
    let luke = &resolved.spec.clusters["luke"];
    let (prologue, epilogue) = (luke.prologue.as_ref().unwrap(), luke.epilogue.as_ref().unwrap());
    assert_eq!(prologue.script.lines().count(), 5);
    assert!(
        prologue.script.ends_with("echo prologue of {OAR_JOB_ID} in $HOME > render_results/{CAMPAIGN_ID}/prologue.log")
    );
    assert_eq!((prologue.walltime_s, epilogue.walltime_s), (300, 3600));
    assert_eq!(epilogue.script, "cd ~/render_results/{CAMPAIGN_ID}\ntar cf ../{CAMPAIGN_ID}.tar .");

    let clusters = &resolved.spec.clusters;
    assert_eq!(clusters["gofree"].max_jobs, Some(50));
    assert_eq!(clusters["gofree"].exec_file, "$HOME/render/start.bash");
    assert_eq!(clusters["fontaine"].exec_file, "$HOME/render/start_old.bash");
    assert_eq!(clusters["froggy"].walltime_s, 300);
    assert_eq!(clusters["froggy"].project.as_deref(), Some("test"));
    assert_eq!(clusters["luke"].properties.as_deref(), Some("cluster = 'luke' AND mem > 16"));
    assert_eq!(clusters["luke"].resource_request(), "/nodes=1/core=4,walltime=01:00:00");
    assert!(clusters.values().all(|cluster| cluster.kind == JobKind::BestEffort));
    assert!(clusters.values().all(|cluster| cluster.exec_directory == "$HOME/render"));
}

#[test]
fn the_parameter_file_of_the_render_sample_has_three_tasks() {
    let mut lines = Vec::new();
    let mut splitter = LineSplitter::new(&Limits::default());
    splitter.push(RENDER_LINES.as_bytes(), &mut lines).unwrap();
    assert_eq!(splitter.finish(&mut lines).unwrap(), []);
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[2], "frame003 -w 800 -h 600 \"scene with spaces.pov\"");
}

#[test]
fn what_is_written_can_be_asked_before_it_is_resolved() {
    let written = parse(RENDER.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(written.param_file(), Some("render_params.txt"));
    assert_eq!(written.cluster_names(), ["gofree", "fontaine", "froggy", "luke"]);

    let inline = parse(INLINE.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(inline.param_file(), None);
    let stored: Value = serde_json::from_str(&inline.without_parameters()).unwrap();
    let mut expected: Value = serde_json::from_str(INLINE).unwrap();
    expected.as_object_mut().unwrap().remove("params");
    assert_eq!(stored, expected);
    let again = parse(inline.without_parameters().as_bytes(), &Limits::default()).unwrap();
    assert!(resolve(again, &streamed()).is_ok());
}
