//! The JSON Schema that editors use: published as the program has it, and of one mind with the program.

use std::sync::LazyLock;

use cigri_core::language::json_schema;
use jsonschema::Validator;
use serde_json::{Map, Value};

use super::context::{plain, read};
use super::manual::{blocks, campaign_with_example, field_rows};

const PUBLISHED: &str = include_str!("../../../docs/campaign.schema.json");

const SAMPLES: [&str; 4] = [
    include_str!("../../../tests/fixtures/campaigns/povray_like.json"),
    include_str!("../../../tests/fixtures/campaigns/monte_carlo.json"),
    include_str!("../../../tests/fixtures/campaigns/inline_params.json"),
    include_str!("../../../examples/sweep/campaign.json"),
];

static VALIDATOR: LazyLock<Validator> = LazyLock::new(|| jsonschema::draft202012::new(&json_schema()).unwrap());

/// What the schema finds wrong with a campaign.
pub(crate) fn faults(campaign: &Value) -> Vec<String> {
    VALIDATOR.iter_errors(campaign).map(|error| error.to_string()).collect()
}

/// The top's keys in small letters, which the schema wants and the program does not.
fn in_small_letters(text: &str) -> Value {
    let fields: Map<String, Value> = serde_json::from_str(text).unwrap();
    fields.into_iter().map(|(key, value)| (key.to_ascii_lowercase(), value)).collect()
}

#[test]
fn the_published_schema_is_that_of_the_program() {
    let published: Value = serde_json::from_str(PUBLISHED).unwrap();
    assert!(published == json_schema(), "docs/campaign.schema.json is stale: `cargo run -p xtask -- language`");
    assert!(jsonschema::draft202012::meta::is_valid(&published));
}

#[test]
fn all_examples_and_samples_fit() {
    let texts = blocks("json").into_iter().chain(SAMPLES.map(str::to_owned));
    for text in texts {
        assert_eq!(faults(&in_small_letters(&text)), [""; 0], "{text}");
    }
    for row in field_rows() {
        let campaign = Value::Object(campaign_with_example(&row));
        assert_eq!(faults(&campaign), [""; 0], "{campaign}");
    }
}

#[test]
fn what_the_manual_shows_as_refused_does_not() {
    let refused = &blocks("json refused")[0];
    let faults = faults(&in_small_letters(refused)).join("\n");
    for word in ["-1", "exec_fil", "10 minutes"] {
        assert!(faults.contains(word), "{faults}");
    }
}

#[test]
fn slips_in_clusters_and_sources_are_seen() {
    for text in [
        r#"{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {"c": {"walltme": "1"}}}"#,
        r#"{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {"c": {"name": "1"}}}"#,
        r#"{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {"a b": {}}}"#,
        r#"{"name": "n", "nb_jobs": 1, "params": ["a"], "exec_file": "a", "clusters": {"c": {}}}"#,
        r#"{"name": "n", "exec_file": "a", "clusters": {"c": {}}}"#,
        r#"{"nb_jobs": 1, "exec_file": "a", "clusters": {}}"#,
    ] {
        assert!(!faults(&in_small_letters(text)).is_empty(), "{text}");
    }
}

#[test]
fn the_program_and_the_schema_take_the_same() {
    let design = |seed: &str| {
        format!(r#"{{"parameters": {{"random": {{"a": {{"from": 0, "to": 1}}}}, "samples": 2, "seed": {seed}}}}}"#)
    };
    let endless = |until: &str| format!(r#"{{"jobs_type": "desktop_computing", "until": {until}}}"#);
    for (fields, is_taken) in [
        (
            r#"{"nb_jobs": 1, "params": null, "until": null, "jobs_type": null, "$schema": null, "walltime": null}"#
                .to_owned(),
            true,
        ),
        (
            r#"{"nb_jobs": null, "params": ["a"], "parameters": null, "clusters": {"c": {"type": null}}}"#.to_owned(),
            true,
        ),
        (r#"{"nb_jobs": null}"#.to_owned(), false),
        (r#"{"nb_jobs": 1, "name": null}"#.to_owned(), false),
        (design("0"), true),
        (design("4294967295"), true),
        (design("4294967296"), false),
        (design("\"7\""), false),
        (endless("\"2027-01-31\""), true),
        (endless("\" 2027-01-31t18:00:00.5+01:00 \""), true),
        (endless("\"2027-01-31 18:00:00Z\""), true),
        (endless("\"2027-01-31T18:00:00\""), false),
        (endless("\"2027-01-31T18:00+01:00\""), false),
        (endless("\"2027-1-31\""), false),
        (endless("\"+027-01-31\""), false),
    ] {
        let mut campaign: Map<String, Value> =
            serde_json::from_str(r#"{"name": "n", "exec_file": "x", "clusters": {"c": {}}}"#).unwrap();
        campaign.extend(serde_json::from_str::<Map<String, Value>>(&fields).unwrap());
        let campaign = Value::Object(campaign);
        assert_eq!(faults(&campaign).is_empty(), is_taken, "the schema: {campaign}");
        assert_eq!(read(&campaign.to_string(), &plain()).is_ok(), is_taken, "the program: {campaign}");
    }
}
