//! The tables of the manual, written from the table of fields, so that the two cannot come apart.

use super::fields::{Facts, PARTS, Scope};

/// The manual with the tables between its markers written anew.
///
/// # Errors
/// The marker that is missing.
pub fn with_field_tables(manual: &str) -> Result<String, String> {
    let mut text = manual.to_owned();
    for (name, scope, fields) in PARTS {
        let (begin, end) = (format!("<!-- fields: {name} -->\n"), "<!-- end -->");
        let (before, rest) = text.split_once(&begin).ok_or_else(|| format!("no line `{}`", begin.trim()))?;
        let (_, after) = rest.split_once(end).ok_or_else(|| format!("no line `{end}` after `{}`", begin.trim()))?;
        text = format!("{before}{begin}\n{}\n{end}{after}", table(scope, fields));
    }
    Ok(text)
}

fn table(scope: Scope, fields: &[Facts]) -> String {
    let mut table = match scope {
        Scope::Campaign => "| field | is | type | default | example | since |\n|---|---|---|---|---|---|\n".to_owned(),
        Scope::Cluster => {
            "| field | is | type | default | inherited | example | since |\n|---|---|---|---|---|---|---|\n".to_owned()
        }
    };
    for facts in fields {
        table.push_str(&row(scope, facts));
    }
    table
}

fn row(scope: Scope, facts: &Facts) -> String {
    let Facts { name, meaning, kind, default, inherited, example, since, .. } = facts;
    let inherited = match scope {
        Scope::Campaign => String::new(),
        Scope::Cluster => format!(" {inherited} |"),
    };
    format!("| `{name}` | {meaning} | {kind} | {default} |{inherited} `{example}` | {since} |\n").replace("|  |", "| |")
}
