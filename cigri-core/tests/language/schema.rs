//! The JSON Schema that editors use: published as the program has it, and of one mind with the program.

use std::sync::LazyLock;

use cigri_core::language::json_schema;
use jsonschema::Validator;
use serde_json::{Map, Value};

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
