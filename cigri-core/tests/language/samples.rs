//! CiGri 3's sample campaigns: accepted but for the fields that are not carried out yet.

use cigri_core::language::{JobKind, Parameters, resolve};
use cigri_core::language::{Limits, LineSplitter, parse};
use serde_json::Value;

use super::context::{plain, read, refusals, streamed};

const RENDER: &str = include_str!("../../../tests/fixtures/campaigns/povray_like.json");
const MONTE_CARLO: &str = include_str!("../../../tests/fixtures/campaigns/monte_carlo.json");
const INLINE: &str = include_str!("../../../tests/fixtures/campaigns/inline_params.json");
const RENDER_LINES: &str = include_str!("../../../tests/fixtures/campaigns/render_params.txt");

fn without(text: &str, fields: &[&str]) -> String {
    let mut campaign: Value = serde_json::from_str(text).unwrap();
    for field in fields {
        campaign.as_object_mut().unwrap().remove(*field).unwrap();
    }
    campaign.to_string()
}

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
fn the_monte_carlo_sample_is_refused_for_its_grouping_only() {
    assert_eq!(
        refusals(MONTE_CARLO, &plain()),
        ["temporal_grouping (line 1, column 111): expected nothing: \
          `temporal_grouping` is not supported yet, found \"true\""]
    );
    let resolved = read(&without(MONTE_CARLO, &["temporal_grouping"]), &plain()).unwrap();
    assert_eq!(resolved.parameters, Parameters::Count(1000));
    assert_eq!(resolved.spec.clusters["dahu"].exec_file, "$HOME/mc/pi.sh");
    assert_eq!(resolved.spec.clusters["dahu"].resources, "/core=1");
    assert_eq!(resolved.spec.clusters["bigfoot"].resource_request(), "/gpu=1,walltime=00:02:00");
}

#[test]
fn the_render_sample_is_refused_for_what_is_not_carried_out_yet_only() {
    let paths: Vec<_> = read(RENDER, &streamed()).unwrap_err().0.into_iter().map(|problem| problem.path).collect();
    let later = ["test_mode", "prologue", "epilogue", "prologue_walltime"];
    assert_eq!(paths, later);

    let resolved = read(&without(RENDER, &later), &streamed()).unwrap();
    assert_eq!(resolved.parameters, Parameters::Streamed);
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
