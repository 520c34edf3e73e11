//! The fields that a cluster can have, read from one object: the top of the file or one of its clusters. Nothing is defaulted.

use super::checks;
use super::problem::{Problem, Report};
use super::reader::member_path;
use super::resources::{self, Request, parse_request};
use super::spec::JobKind;
use super::tree::{Node, Value};
use super::walltime::{self, parse_walltime};

/// One field and its place.
pub(super) struct Field<'a> {
    path: String,
    node: &'a Node,
}

impl<'a> Field<'a> {
    /// The field `key` of the object at `parent`.
    pub(super) fn new(parent: &str, key: &str, node: &'a Node) -> Self {
        Self { path: member_path(parent, key), node }
    }

    /// That the field's value is not what was expected.
    pub(super) fn problem(&self, expected: &str) -> Problem {
        Problem::new(self.path.as_str(), self.node.value.excerpt(), expected)
            .on_line(self.node.place.0, self.node.place.1)
    }

    /// A text that passes a check; `expected` says what the check wants.
    pub(super) fn text(&self, expected: &str, fits: impl Fn(&str) -> bool) -> Result<&'a str, Problem> {
        match &self.node.value {
            Value::Text(text) if fits(text) => Ok(text),
            _ => Err(self.problem(expected)),
        }
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
        let digits = match &self.node.value {
            Value::Number(digits) | Value::Text(digits) => digits.as_str(),
            _ => "",
        };
        Some(digits)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| self.problem(&format!("a whole number from 1 to {most}")))
    }

    fn walltime(&self) -> Result<u64, Problem> {
        // A bare number counts hours, as OAR reads it.
        let text = match &self.node.value {
            Value::Text(text) | Value::Number(text) => text.as_str(),
            _ => "",
        };
        parse_walltime(text).ok_or_else(|| self.problem(walltime::EXPECTED))
    }

    fn resources(&self) -> Result<Request, Problem> {
        match &self.node.value {
            Value::Text(text) => parse_request(text),
            _ => None,
        }
        .ok_or_else(|| self.problem(resources::EXPECTED))
    }

    fn kind(&self) -> Result<JobKind, Problem> {
        let name = match &self.node.value {
            Value::Text(text) => text.as_str(),
            _ => "",
        };
        match name {
            "best-effort" | "besteffort" => Ok(JobKind::BestEffort),
            "normal" => Ok(JobKind::Normal),
            "semi-best-effort" | "nightly" => {
                Err(self.problem("`best-effort` or `normal`").hint(format!("`{name}` is not supported yet")))
            }
            _ => Err(self.problem("`best-effort` or `normal`")),
        }
    }
}

/// What one object says of a cluster; `None` where it says nothing (or nothing valid: then a problem is noted).
/// A label is `Some(None)` where it is given as empty, which keeps a cluster from inheriting it.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) exec_file: Option<String>,
    pub(super) exec_directory: Option<String>,
    pub(super) walltime_s: Option<u64>,
    pub(super) request: Option<Request>,
    pub(super) properties: Option<Option<String>>,
    pub(super) project: Option<Option<String>>,
    pub(super) cluster_job_type: Option<Option<String>>,
    pub(super) kind: Option<JobKind>,
    pub(super) max_jobs: Option<u32>,
}

/// Reads the settings of one object; other keys are left to `fields`.
pub(super) fn read_settings(fields: &[(String, Node)], parent: &str, top: bool, report: &mut Report) -> Settings {
    let mut settings = Settings::default();
    for (key, node) in fields {
        if node.value == Value::Null {
            continue;
        }
        let name = if top { key.to_ascii_lowercase() } else { key.clone() };
        read_field(&mut settings, &name, &Field::new(parent, key, node), report);
    }
    settings
}

fn read_field(settings: &mut Settings, name: &str, field: &Field<'_>, report: &mut Report) {
    match name {
        "exec_file" => {
            settings.exec_file = report.take(checks::exec_file(field));
            checks::warn_of_exec_file(field, settings.exec_file.as_deref(), report);
        }
        "exec_directory" => {
            settings.exec_directory = report.take(checks::exec_directory(field));
            checks::warn_of_directory(field, settings.exec_directory.as_deref(), report);
        }
        "walltime" => settings.walltime_s = report.take(field.walltime()),
        "resources" => settings.request = report.take(field.resources()),
        "properties" => settings.properties = report.take(checks::properties(field)),
        "project" => settings.project = report.take(checks::project(field)),
        "cluster_job_type" => settings.cluster_job_type = report.take(checks::job_type(field)),
        "type" => settings.kind = report.take(field.kind()),
        "max_jobs" => {
            let number = report.take(field.whole_number(u64::from(u32::MAX)));
            settings.max_jobs = number.and_then(|number| u32::try_from(number).ok());
        }
        _ => {}
    }
}
