//! What the user wrote: the checked tree of a campaign file, before any default or inheritance.

use serde::Serialize;

use super::limits::Limits;
use super::problem::{Problem, Problems, Report};
use super::reader::read;
use super::tree::{Node, Value};

/// A campaign file that is sound JSON with an object at its top; its fields are not checked yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub(super) fields: Vec<(String, Node)>,
    pub(super) limits: Limits,
    /// Keys given twice: `resolve` refuses them along with everything else.
    pub(super) twice: Report,
}

/// Reads the text of a campaign file.
///
/// # Errors
/// The first fault of size, encoding or syntax (with line and column), or all values nested too deep. Everything else is
/// left to `resolve`, which tells all of it at once.
pub fn parse(text: &[u8], limits: &Limits) -> Result<Written, Problems> {
    let (root, twice) = read(text, limits)?;
    match root.value {
        Value::Object(fields) => Ok(Written { fields, limits: limits.clone(), twice }),
        other => {
            Err(Problem::new("", other.excerpt(), "a campaign: an object with `name`, `clusters`, `exec_file`...")
                .on_line(root.place.0, root.place.1)
                .into())
        }
    }
}

/// Fields that give parameters.
const SOURCES: [&str; 4] = ["nb_jobs", "params", "param_file", "parameters"];

impl Written {
    /// The same with another field `parameters`, given as JSON, in place of whatever gave its parameters.
    ///
    /// # Errors
    /// As `parse`, for that text.
    pub fn with_parameters(mut self, json: &str) -> Result<Self, Problems> {
        let (node, twice) = read(json.as_bytes(), &self.limits)?;
        twice.finish()?;
        self.fields.retain(|(key, _)| !SOURCES.iter().any(|source| key.eq_ignore_ascii_case(source)));
        self.fields.push(("parameters".to_owned(), node));
        Ok(self)
    }

    /// The campaign as written, without the list of parameters: pretty JSON, fit to be stored and compared.
    /// A `param_file` is kept by name, `nb_jobs` as it is.
    pub fn without_parameters(&self) -> String {
        let kept = Kept(&self.fields);
        // Strings, numbers and their nesting always have a JSON form.
        serde_json::to_string_pretty(&kept).unwrap_or_default()
    }

    /// The parameter file that the campaign names, if any.
    pub fn param_file(&self) -> Option<&str> {
        match &self.field("param_file")?.1.value {
            Value::Text(path) => Some(path),
            _ => None,
        }
    }

    /// The file that the campaign's parameters are to be read from, if any: its `param_file`, or a table.
    pub fn parameter_file(&self) -> Option<&str> {
        let table = match self.field("parameters").map(|(_, node)| &node.value) {
            Some(Value::Object(fields)) => fields.iter().find(|(key, _)| ["csv", "jsonl"].contains(&key.as_str())),
            _ => None,
        };
        let named = self.field("param_file").map(|(_, node)| node).or(table.map(|(_, node)| node));
        match &named?.value {
            Value::Text(path) => Some(path),
            _ => None,
        }
    }

    /// The clusters that the campaign names, in the order of the text.
    pub fn cluster_names(&self) -> Vec<String> {
        match self.field("clusters").map(|(_, node)| &node.value) {
            Some(Value::Object(clusters)) => clusters.iter().map(|(name, _)| name.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// A top-level field under any spelling of its key; `null` is the same as not given.
    pub(super) fn field(&self, name: &str) -> Option<(&str, &Node)> {
        self.fields
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .filter(|(_, node)| node.value != Value::Null)
            .map(|(key, node)| (key.as_str(), node))
    }
}

/// The fields of a campaign that are stored.
struct Kept<'a>(&'a [(String, Node)]);

impl Serialize for Kept<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0.iter().filter(|(key, _)| !key.eq_ignore_ascii_case("params")).map(|(key, node)| (key, node)),
        )
    }
}
