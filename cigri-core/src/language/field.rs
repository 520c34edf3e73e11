//! One field as written: its place, and the readings that many fields share.

use super::fields::Scope;
use super::problem::Problem;
use super::reader::member_path;
use super::tree::{Node, Value};
use super::walltime::{self, parse_walltime};

/// One field and its place.
pub(super) struct Field<'a> {
    path: String,
    scope: Scope,
    pub(super) node: &'a Node,
}

impl<'a> Field<'a> {
    /// The field `key` of the object at `parent`.
    pub(super) fn new(parent: &str, key: &str, node: &'a Node) -> Self {
        let scope = if parent.is_empty() { Scope::Campaign } else { Scope::Cluster };
        Self { path: member_path(parent, key), scope, node }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// What it holds.
    pub(super) fn node(&self) -> &'a Node {
        self.node
    }

    /// That the field's value is not what was expected.
    pub(super) fn problem(&self, expected: &str) -> Problem {
        Problem::new(self.path.as_str(), self.node.value.excerpt(), expected)
            .on_line(self.node.place.0, self.node.place.1)
    }

    /// The value where it is a text.
    pub(super) fn as_text(&self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// `true`, as a boolean or, as CiGri 3 wanted it, as a text.
    pub(super) fn is_true(&self) -> bool {
        self.node.value == Value::Bool(true) || self.as_text() == Some("true")
    }

    /// Values by which CiGri 3's users say "none of it".
    pub(super) fn is_none(&self) -> bool {
        match &self.node.value {
            Value::Null | Value::Bool(false) => true,
            Value::Text(text) => ["", "false", "none"].contains(&text.trim().to_ascii_lowercase().as_str()),
            Value::Texts(items) => items.is_empty(),
            Value::List(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(true) | Value::Number(_) => false,
        }
    }

    /// A text that passes a check; `expected` says what the check wants.
    pub(super) fn text(&self, expected: &str, fits: impl Fn(&str) -> bool) -> Result<&'a str, Problem> {
        self.as_text().filter(|text| fits(text)).ok_or_else(|| self.problem(expected))
    }

    /// The same, where a number may stand for its digits; an empty text is the same as none.
    pub(super) fn label(&self, expected: &str, fits: impl Fn(&str) -> bool) -> Result<Option<String>, Problem> {
        match &self.node.value {
            Value::Text(text) if text.is_empty() => Ok(None),
            Value::Text(text) | Value::Number(text) if fits(text) => Ok(Some(text.clone())),
            _ => Err(self.problem(expected)),
        }
    }

    /// A whole number from 1, written as a number or as a text of digits.
    pub(super) fn whole_number(&self, most: u64) -> Result<u64, Problem> {
        self.digits(most).ok_or_else(|| self.problem(&format!("a whole number from 1 to {most}")))
    }

    /// The same, or `None` if it is none.
    pub(super) fn digits(&self, most: u64) -> Option<u64> {
        let digits = match &self.node.value {
            Value::Number(digits) | Value::Text(digits) => digits.as_str(),
            _ => "",
        };
        Some(digits)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|number| (1..=most).contains(number))
    }

    /// A whole number within bounds, perhaps below zero, written as a number or as a text.
    pub(super) fn signed_number(&self, (least, most): (i32, i32)) -> Result<i32, Problem> {
        let text = match &self.node.value {
            Value::Number(text) | Value::Text(text) => text.as_str(),
            _ => "",
        };
        let number = Some(text).filter(|text| !text.starts_with('+')).and_then(|text| text.parse().ok());
        let fitting = number.filter(|number| (least..=most).contains(number));
        fitting.ok_or_else(|| self.problem(&format!("a whole number from {least} to {most}")))
    }

    /// A duration whose bare number counts hours, as OAR reads it.
    pub(super) fn walltime(&self) -> Result<u64, Problem> {
        let text = match &self.node.value {
            Value::Text(text) | Value::Number(text) => text.as_str(),
            _ => "",
        };
        parse_walltime(text).ok_or_else(|| self.problem(walltime::EXPECTED))
    }

    /// A duration whose bare number counts seconds.
    pub(super) fn seconds(&self, most: u64) -> Result<u64, Problem> {
        let written = self.as_text().filter(|text| text.contains(':')).and_then(parse_walltime);
        let expected = || self.problem(&format!("seconds, or a duration `h:m:s`, from 1 s to {most} s"));
        written.filter(|seconds| *seconds <= most).or_else(|| self.digits(most)).ok_or_else(expected)
    }
}

/// What an object says of one of the fields that belong together.
#[derive(Debug, Default)]
pub(super) enum Setting<T> {
    /// Nothing: what is inherited holds.
    #[default]
    Absent,
    /// Something that is refused; the problem is noted.
    Unsound,
    /// That there is to be none, whatever could be inherited.
    Nothing,
    /// This.
    Given(T, Source),
}

/// Where a setting was written.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) scope: Scope,
    /// A problem at its place, with nothing expected yet.
    problem: Problem,
}

impl Source {
    /// That what is written here is not what was expected.
    pub(super) fn problem(&self, expected: impl Into<String>) -> Problem {
        Problem { expected: expected.into(), ..self.problem.clone() }
    }
}

impl<T> Setting<T> {
    /// Reads a field whose neutral values mean "none".
    pub(super) fn read(
        field: &Field<'_>,
        report: &mut super::problem::Report,
        read: impl FnOnce(&Field<'_>) -> Result<T, Problem>,
    ) -> Self {
        if field.is_none() {
            return Self::Nothing;
        }
        match report.take(read(field)) {
            Some(value) => Self::Given(value, Source { scope: field.scope, problem: field.problem("") }),
            None => Self::Unsound,
        }
    }

    /// This, or what is inherited.
    pub(super) fn or<'a>(&'a self, inherited: &'a Self) -> &'a Self {
        match self {
            Self::Absent => inherited,
            _ => self,
        }
    }

    /// The value, where there is a sound one.
    pub(super) fn value(&self) -> Option<&T> {
        match self {
            Self::Given(value, _) => Some(value),
            _ => None,
        }
    }

    /// True where something was written that is refused: nothing can be said about what depends on it.
    pub(super) fn is_unsound(&self) -> bool {
        matches!(self, Self::Unsound)
    }
}
