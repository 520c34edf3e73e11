//! Checks a `property` against a cluster's real columns and their types: PostgreSQL refuses to compare a
//! text column with a number, and that refusal is enough to break OAR's API.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::Invalid;
use crate::property::{Comparison, Operand, Test, comparisons};
use crate::resource::Resource;
use crate::sql_words::problem;

/// What a column holds, judged by the values seen in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Whole numbers.
    Integer,
    /// Numbers with a fraction.
    Real,
    /// Texts.
    Text,
    /// No value on any resource, or a type this program does not know.
    Unknown,
}

/// The columns of these resources and what they hold.
pub fn column_kinds(resources: &[Resource]) -> BTreeMap<String, ColumnKind> {
    let mut kinds = BTreeMap::new();
    for resource in resources {
        // The API shows the column `resource_id` as `id`.
        kinds.insert("resource_id".to_owned(), ColumnKind::Integer);
        kinds.insert("state".to_owned(), ColumnKind::Text);
        for (column, value) in &resource.properties {
            let seen = kinds.entry(column.clone()).or_insert(ColumnKind::Unknown);
            if *seen == ColumnKind::Unknown || *seen == ColumnKind::Integer && value.is_f64() {
                *seen = kind_of(value);
            }
        }
    }
    kinds
}

/// Refuses a property that is not understood, names a missing column, or compares what cannot be compared.
pub fn check_property(property: &str, columns: &BTreeMap<String, ColumnKind>) -> Result<(), Vec<Invalid>> {
    let problems: Vec<Invalid> = comparisons(property)
        .map_err(|invalid| vec![invalid])?
        .iter()
        .flat_map(|comparison| check(comparison, columns))
        .collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn kind_of(value: &Value) -> ColumnKind {
    match value {
        Value::String(_) => ColumnKind::Text,
        Value::Number(number) if number.is_f64() => ColumnKind::Real,
        Value::Number(_) => ColumnKind::Integer,
        _ => ColumnKind::Unknown,
    }
}

fn check(comparison: &Comparison, columns: &BTreeMap<String, ColumnKind>) -> Vec<Invalid> {
    let sides = std::iter::once(&comparison.left).chain(&comparison.right);
    let unknown: Vec<Invalid> = sides.filter_map(|side| missing(side, columns)).collect();
    if !unknown.is_empty() {
        return unknown;
    }
    let left = &comparison.left;
    let right = &comparison.right;
    match comparison.test {
        Test::Null => Vec::new(),
        Test::Like => std::iter::once(left).chain(right).filter_map(|side| not_text(side, columns)).collect(),
        Test::Compare => right.iter().filter_map(|side| incomparable(left, side, columns)).collect(),
    }
}

fn missing(side: &Operand, columns: &BTreeMap<String, ColumnKind>) -> Option<Invalid> {
    let Operand::Column(name) = side else {
        return None;
    };
    let text = format!("`{name}` is no column of this cluster's resources");
    (!columns.contains_key(name)).then(|| problem(text))
}

fn not_text(side: &Operand, columns: &BTreeMap<String, ColumnKind>) -> Option<Invalid> {
    match kind(side, columns) {
        ColumnKind::Text => None,
        _ => Some(problem(format!("LIKE needs texts, but {} is none", shown(side)))),
    }
}

fn incomparable(left: &Operand, right: &Operand, columns: &BTreeMap<String, ColumnKind>) -> Option<Invalid> {
    let kinds = (kind(left, columns), kind(right, columns));
    let comparable = match (left, right) {
        _ if kinds.0 == ColumnKind::Unknown || kinds.1 == ColumnKind::Unknown => false,
        (Operand::Text(text), _) => reads_as(text, kinds.1),
        (_, Operand::Text(text)) => reads_as(text, kinds.0),
        _ => (kinds.0 == ColumnKind::Text) == (kinds.1 == ColumnKind::Text),
    };
    (!comparable).then(|| {
        let sides = (shown(left), shown(right));
        problem(format!("{} cannot be compared with {}", sides.0, sides.1))
    })
}

/// PostgreSQL reads a quoted literal as the type of the other side.
fn reads_as(text: &str, kind: ColumnKind) -> bool {
    match kind {
        ColumnKind::Text => true,
        ColumnKind::Integer => text.trim().parse::<i32>().is_ok(),
        ColumnKind::Real => text.trim().parse::<f64>().is_ok_and(f64::is_finite),
        ColumnKind::Unknown => false,
    }
}

fn kind(side: &Operand, columns: &BTreeMap<String, ColumnKind>) -> ColumnKind {
    match side {
        Operand::Column(name) => columns.get(name).copied().unwrap_or(ColumnKind::Unknown),
        Operand::Number(digits) if digits.contains('.') => ColumnKind::Real,
        Operand::Number(_) => ColumnKind::Integer,
        Operand::Text(_) => ColumnKind::Text,
    }
}

fn shown(side: &Operand) -> String {
    match side {
        Operand::Column(name) => format!("`{name}`"),
        Operand::Number(digits) => digits.clone(),
        Operand::Text(text) => format!("'{text}'"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> BTreeMap<String, ColumnKind> {
        let rows = r#"[
            {"id":1,"state":"Alive","mem":null,"host":"node1","load":1,"team":null},
            {"id":2,"state":"Dead","mem":2048,"host":null,"load":0.5,"team":null}]"#;
        let resources: Vec<Resource> = serde_json::from_str(rows).unwrap();
        column_kinds(&resources)
    }

    #[test]
    fn kinds_come_from_the_values_seen() {
        let kinds: Vec<(String, ColumnKind)> = columns().into_iter().collect();
        let expected = [
            ("host", ColumnKind::Text),
            ("load", ColumnKind::Real),
            ("mem", ColumnKind::Integer),
            ("resource_id", ColumnKind::Integer),
            ("state", ColumnKind::Text),
            ("team", ColumnKind::Unknown),
        ];
        assert_eq!(kinds, expected.map(|(name, kind)| (name.to_owned(), kind)));
    }

    #[test]
    fn comparisons_that_postgresql_carries_out_are_accepted() {
        for good in [
            "mem > 1000 and host = 'node1'",
            "mem = '1000'",
            "load < 3",
            "load < mem",
            "host like 'n%'",
            "host in ('a', '3')",
            "mem between 1 and 2.5",
            "team is null",
            "resource_id = 3",
            "1 = 1",
        ] {
            let result = check_property(good, &columns());
            assert_eq!(result, Ok(()), "{good}");
        }
    }

    #[test]
    fn comparisons_that_would_break_the_api_are_refused() {
        for bad in [
            "nosuch='x'",
            "host = 3",
            "mem = 'much'",
            "mem = '1.5'",
            "mem like '1%'",
            "host < mem",
            "host in ('a', 3)",
            "'a' = 3",
            "team = 'x'",
            "load = 'nan'",
        ] {
            assert!(check_property(bad, &columns()).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_problem_is_told() {
        let problems = check_property("nosuch='x' and host=3", &columns()).unwrap_err();
        let texts: Vec<String> = problems.iter().map(Invalid::to_string).collect();
        assert_eq!(
            texts,
            [
                "property: `nosuch` is no column of this cluster's resources",
                "property: `host` cannot be compared with 3"
            ]
        );
    }
}
