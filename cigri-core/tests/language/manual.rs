//! `docs/LANGUAGE.md` says what the program does: its examples are read, its tables tried field by field.

use serde_json::{Map, Value};

use super::context::{plain, read, refusals, streamed};

const MANUAL: &str = include_str!("../../../docs/LANGUAGE.md");

/// The text of the fenced blocks with this info string.
fn blocks(info: &str) -> Vec<String> {
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
fn field_rows() -> Vec<Vec<String>> {
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
    assert_eq!(examples.len(), 3);
    for example in examples {
        let resolved = read(&example, &plain());
        assert!(resolved.is_ok_and(|resolved| resolved.warnings.is_empty()), "{example}");
    }
}

#[test]
fn the_refused_example_is_refused_in_the_words_shown() {
    let said = refusals(&blocks("json refused")[0], &plain());
    assert_eq!(said.join("\n"), blocks("text")[0]);
}

#[test]
fn the_example_of_every_field_is_accepted() {
    let rows = field_rows();
    assert_eq!(rows.len(), 15);
    for row in rows {
        let (field, example) = (&row[0], &row[3]);
        let mut campaign = object(r#"{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {"dahu": {}}}"#);
        if field.starts_with("param") {
            campaign.remove("nb_jobs");
        }
        let example = object(&format!("{{{example}}}"));
        assert!(example.contains_key(field), "{field}");
        campaign.extend(example);
        let context = if field == "param_file" { streamed() } else { plain() };
        let text = Value::Object(campaign).to_string();
        assert!(read(&text, &context).is_ok(), "{text}");
    }
}

#[test]
fn the_fields_said_to_come_later_are_refused_by_name() {
    let (_, rest) = MANUAL.split_once("- These fields of CiGri 3").unwrap();
    let (_, list) = rest.split_once("): ").unwrap();
    let (list, _) = list.split_once("\n- ").unwrap();
    let names: Vec<_> = list.split('`').skip(1).step_by(2).collect();
    assert_eq!(names.len(), 13);
    for name in names {
        let text =
            format!(r#"{{"name": "n", "nb_jobs": 1, "exec_file": "a", "clusters": {{"dahu": {{"{name}": "x"}}}}}}"#);
        assert!(refusals(&text, &plain())[0].contains("not supported yet"), "{name}");
    }
}

#[test]
fn the_command_shown_is_the_generated_one() {
    let mut spec = super::context::cluster_with("");
    spec.exec_file = "EXEC_FILE".into();
    let command =
        cigri_core::command::remote_command(3, "dahu", &cigri_core::task_ids::TaskIds::consecutive(2000, 100), &spec);
    let line = cigri_core::command::parameter_line(2017, 1, "a b");
    assert_eq!(blocks("sh"), [format!("{command} {line}")]);
}
