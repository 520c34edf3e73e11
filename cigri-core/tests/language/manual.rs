//! `docs/LANGUAGE.md` says what the program does: its examples are read, its tables tried field by field.

use cigri_core::language::with_field_tables;
use serde_json::{Map, Value};

use super::context::{plain, read, refusals, streamed};

const MANUAL: &str = include_str!("../../../docs/LANGUAGE.md");

/// The text of the fenced blocks with this info string.
pub(crate) fn blocks(info: &str) -> Vec<String> {
    let opening = format!("```{info}");
    let mut lines = MANUAL.lines();
    let mut blocks = Vec::new();
    while lines.any(|line| line == opening) {
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(block.join("\n"));
    }
    blocks
}

/// The cells of the rows of every table whose heading begins with `field`.
pub(crate) fn field_rows() -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut lines = MANUAL.lines();
    while lines.any(|line| line.starts_with("| field |")) {
        let table = lines.by_ref().skip(1).take_while(|line| line.starts_with('|'));
        rows.extend(table.map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
        }));
    }
    rows
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn the_examples_are_accepted() {
    let examples = blocks("json");
    assert!(examples.len() >= 5);
    for example in examples {
        let resolved = read(&example, &plain());
        assert!(resolved.is_ok_and(|resolved| resolved.warnings.is_empty()), "{example}");
    }
}

#[test]
fn the_tables_are_those_of_the_program() {
    let tables = with_field_tables(MANUAL).unwrap();
    assert!(tables == MANUAL, "docs/LANGUAGE.md is stale: `cargo run -p xtask -- language` writes it anew");
    assert_eq!(with_field_tables("no markers"), Err("no line `<!-- fields: campaign -->`".into()));
}

#[test]
fn the_examples_whose_parameters_come_beside_them_are_accepted() {
    let examples = blocks("json streamed");
    assert_eq!(examples.len(), 1);
    assert!(read(&examples[0], &streamed()).is_ok_and(|resolved| resolved.warnings.is_empty()));
}

#[test]
fn the_refused_example_is_refused_in_the_words_shown() {
    let said = refusals(&blocks("json refused")[0], &plain());
    assert_eq!(said.join("\n"), blocks("text")[0]);
}

#[test]
fn the_example_of_every_field_is_accepted() {
    let rows = field_rows();
    assert!(rows.len() >= 34);
    for (field, campaign) in rows.iter().map(|row| (&row[0], campaign_with_example(row))) {
        let context = if field == "param_file" { streamed() } else { plain() };
        let text = Value::Object(campaign).to_string();
        assert!(read(&text, &context).is_ok(), "{text}");
    }
}

/// A campaign with the example of a row of the tables.
pub(crate) fn campaign_with_example(row: &[String]) -> Map<String, Value> {
    let example = object(&format!("{{{}}}", row[row.len() - 2]));
    assert!(example.contains_key(&row[0]), "{row:?}");
    let mut campaign = object(r#"{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {"dahu": {}}}"#);
    if row[0].starts_with("param") || example.contains_key("jobs_type") {
        campaign.remove("nb_jobs");
    }
    campaign.extend(example);
    campaign
}

#[test]
fn the_command_shown_is_the_generated_one() {
    let mut spec = super::context::cluster_with("");
    spec.exec_file = "EXEC_FILE".into();
    let ids = cigri_core::task_ids::TaskIds::consecutive(2000, 100);
    let command = cigri_core::command::remote_command(3, "dahu", &ids, &spec, &[]);
    let line = cigri_core::command::parameter_line(2017, 1, "a b");
    assert_eq!(blocks("sh"), [format!("{command} {line}")]);
}
