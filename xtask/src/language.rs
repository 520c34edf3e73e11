//! Writes what the docs say of the campaign language, and of events, from the tables that the program goes by.

use std::path::Path;

use cigri_core::event::with_code_table;
use cigri_core::language::{json_schema, with_field_tables};

/// Rewrites the tables of the manuals and the JSON Schema.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    let manual_path = root.join("docs/LANGUAGE.md");
    let manual = std::fs::read_to_string(&manual_path).map_err(|error| failed(&manual_path, &error))?;
    put(&manual_path, &with_field_tables(&manual)?)?;
    let events_path = root.join("docs/EVENTS.md");
    let events = std::fs::read_to_string(&events_path).map_err(|error| failed(&events_path, &error))?;
    put(&events_path, &with_code_table(&events)?)?;
    let schema = serde_json::to_string_pretty(&json_schema()).map_err(|error| error.to_string())?;
    put(&root.join("docs/campaign.schema.json"), &format!("{schema}\n"))
}

fn put(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
