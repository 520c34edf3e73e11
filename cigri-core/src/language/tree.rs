//! A JSON tree that remembers what the usual ones forget: the order and the place of each value, and keys given twice.
//!
//! serde_json checks the syntax and decodes strings; each level is then taken apart from its raw text, whose position is known.

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;

use super::problem::excerpt;

/// One value and where its text begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// Line and column, from 1.
    pub(super) place: (usize, usize),
    /// The value itself.
    pub(super) value: Value,
}

/// A JSON value as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// The digits as written, so that any number can be shown and stored again.
    Number(String),
    Text(String),
    /// A list of strings only: long parameter lists keep no place per item.
    Texts(Vec<String>),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Value {
    /// A short form for messages: never a long text, whatever the value.
    pub(super) fn excerpt(&self) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Number(digits) => excerpt(digits),
            Self::Text(text) => format!("\"{}\"", excerpt(text)),
            Self::Texts(items) => list_excerpt(items.len()),
            Self::List(items) => list_excerpt(items.len()),
            Self::Object(fields) if fields.is_empty() => "{}".into(),
            Self::Object(fields) => format!("an object of {}", counted(fields.len(), "field")),
        }
    }
}

fn list_excerpt(length: usize) -> String {
    match length {
        0 => "[]".into(),
        _ => format!("a list of {}", counted(length, "item")),
    }
}

/// "1 item", "3 items".
pub(super) fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(digits) => {
                RawValue::from_string(digits.clone()).map_err(serde::ser::Error::custom)?.serialize(serializer)
            }
            Self::Text(text) => serializer.serialize_str(text),
            Self::Texts(items) => items.serialize(serializer),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Object(fields) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (key, node) in fields {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
        }
    }
}
