//! What reading `parameters` asks of an object of the campaign file and of its fields.

use super::super::field::Field;
use super::super::problem::{Problem, Report, nearest};
use super::super::tree::{Node, Value};

/// One object of the campaign file.
pub(super) struct Object<'a> {
    pub(super) path: String,
    pub(super) fields: &'a [(String, Node)],
}

impl<'a> Object<'a> {
    /// The object that a field holds, if it is one.
    pub(super) fn of(field: &Field<'a>) -> Option<Self> {
        match &field.node().value {
            Value::Object(fields) => Some(Self { path: field.path().to_owned(), fields }),
            _ => None,
        }
    }

    /// A field by name; `null` is the same as not given.
    pub(super) fn field(&self, name: &str) -> Option<Field<'a>> {
        let given = self.fields.iter().find(|(key, node)| key == name && node.value != Value::Null);
        given.map(|(key, node)| Field::new(&self.path, key, node))
    }

    /// Notes what is wrong with one of its fields.
    pub(super) fn refuse(&self, name: &str, found: &str, expected: &str, report: &mut Report) {
        if let Some(field) = self.field(name) {
            report.refuse(field.found(found, expected));
        }
    }

    /// Refuses keys that it does not know.
    pub(super) fn check_keys(&self, known: &[&str], report: &mut Report) {
        for (key, node) in self.fields.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let expected = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let problem = Field::new(&self.path, key, node).found("an unknown field", &format!("one of {expected}"));
            report.refuse(match nearest(key, known.iter().copied()) {
                Some(name) => problem.hint(format!("did you mean `{name}`?")),
                None => problem,
            });
        }
    }
}

impl Field<'_> {
    /// That something else than the value itself was found there.
    pub(super) fn found(&self, found: &str, expected: &str) -> Problem {
        Problem { found: found.to_owned(), ..self.problem(expected) }
    }

    /// A whole number from 0, written as a number.
    pub(super) fn number_from_0(&self, most: u64) -> Result<u64, Problem> {
        let number = match &self.node().value {
            Value::Number(digits) => digits.parse().ok().filter(|number| *number <= most),
            _ => None,
        };
        number.ok_or_else(|| self.problem(&format!("a whole number from 0 to {most}")))
    }

    pub(super) fn truth(&self) -> Result<bool, Problem> {
        match self.node().value {
            Value::Bool(value) => Ok(value),
            _ => Err(self.problem("`true` or `false`")),
        }
    }
}
