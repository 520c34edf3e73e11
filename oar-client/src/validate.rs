//! What a submission must be before it is sent: everything OAR refuses badly, misreads, or breaks on.

use std::collections::BTreeMap;

use crate::error::Invalid;
use crate::new_job::NewJob;
use crate::property::property_columns;
use crate::property_kinds::{ColumnKind, check_property};
use crate::resource_request::{conditions, resource_columns};

/// Longer names and projects are SQL errors, and break the API for everybody.
const LONGEST_NAME: usize = 100;
const LONGEST_TEXT: usize = 255;
/// OAR stores ids and seconds in 32 bits.
const LARGEST: u64 = i32::MAX as u64;

impl NewJob {
    /// Tells every problem that can be seen without asking the cluster.
    pub fn validate(&self) -> Result<(), Vec<Invalid>> {
        let mut problems = Vec::new();
        problems.extend(self.command_problem());
        problems.extend(self.parameter_problems());
        problems.extend(self.resource_problems());
        problems.extend(self.name_problem());
        problems.extend(self.text_problems());
        problems.extend(self.number_problems());
        if let Some(Err(invalid)) = self.property.as_deref().map(property_columns) {
            problems.push(invalid);
        }
        all_well(problems)
    }

    /// Checks `property`, and the conditions inside `resources`, against the cluster's columns.
    pub fn check_columns(&self, columns: &BTreeMap<String, ColumnKind>) -> Result<(), Vec<Invalid>> {
        let mut problems = Vec::new();
        if let Some(property) = &self.property {
            problems.extend(check_property(property, columns).err().unwrap_or_default());
        }
        for (index, entry) in self.resources.iter().enumerate() {
            for condition in conditions(entry).unwrap_or_default() {
                let found = check_property(condition, columns).err().unwrap_or_default();
                let field = format!("resource[{index}]");
                problems.extend(found.into_iter().map(|i| Invalid::new(&field, i.problem)));
            }
        }
        all_well(problems)
    }

    fn command_problem(&self) -> Option<Invalid> {
        let text = if self.command.is_empty() {
            "empty"
        } else if self.command.contains('\0') {
            "NUL character"
        } else {
            return None;
        };
        Some(Invalid::new("command", text))
    }

    fn parameter_problems(&self) -> Vec<Invalid> {
        let Some(parameters) = &self.parameters else {
            return Vec::new();
        };
        let mut problems = Vec::new();
        if parameters.is_empty() {
            problems.push(Invalid::new("param_file", "an array without any parameter"));
        }
        if self.resources.len() > 1 {
            let text = "several resource requests (moldable) cannot be used with an array";
            problems.push(Invalid::new("resource", text));
        }
        for (index, line) in parameters.iter().enumerate() {
            if line.contains(['\0', '\n', '\r']) {
                let text = "NUL, newline or carriage return in a parameter";
                problems.push(Invalid::new(format!("param_file[{index}]"), text));
            }
        }
        problems
    }

    fn resource_problems(&self) -> Vec<Invalid> {
        let entries = self.resources.iter().enumerate();
        entries
            .filter_map(|(index, entry)| {
                let invalid = resource_columns(entry).err()?;
                Some(Invalid::new(format!("resource[{index}]"), invalid.problem))
            })
            .collect()
    }

    fn name_problem(&self) -> Option<Invalid> {
        let name = self.name.as_deref()?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(allowed) {
            return None;
        }
        let text = format!("{name:?} is not made of 1 to {LONGEST_NAME} of A-Z a-z 0-9 _ . -");
        Some(Invalid::new("name", text))
    }

    fn text_problems(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        problems.extend(plain_text("project", self.project.as_deref(), LONGEST_TEXT));
        problems.extend(plain_text("queue", self.queue.as_deref(), LONGEST_TEXT));
        problems.extend(plain_text("directory", self.directory.as_deref(), usize::MAX));
        for kind in &self.types {
            problems.extend(plain_text("type", Some(kind), LONGEST_TEXT));
        }
        problems.extend(output_file("stdout", self.stdout.as_deref()));
        problems.extend(output_file("stderr", self.stderr.as_deref()));
        problems
    }

    fn number_problems(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        if self.after.iter().any(|id| *id == 0 || *id > LARGEST) {
            problems.push(Invalid::new("after", "0 or a number too large for a job id"));
        }
        if self.checkpoint.is_some_and(|s| u64::from(s) > LARGEST) {
            problems.push(Invalid::new("checkpoint", "too many seconds"));
        }
        if self.signal.is_some_and(|signal| !(1..=64).contains(&signal)) {
            problems.push(Invalid::new("signal", "no number of a signal"));
        }
        problems
    }
}

fn all_well(problems: Vec<Invalid>) -> Result<(), Vec<Invalid>> {
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn plain_text(field: &str, text: Option<&str>, longest: usize) -> Option<Invalid> {
    let text = text?;
    if text.is_empty() {
        Some(Invalid::new(field, "empty"))
    } else if text.chars().any(char::is_control) {
        Some(Invalid::new(field, "control character or newline"))
    } else if text.chars().count() > longest {
        Some(Invalid::new(field, format!("longer than {longest} characters")))
    } else {
        None
    }
}

fn output_file(field: &str, path: Option<&str>) -> Option<Invalid> {
    let path = path?;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_./%\\ -".contains(&b);
    if !path.is_empty() && path.bytes().all(allowed) {
        return None;
    }
    let text = format!("{path:?} is not made of A-Z a-z 0-9 _ . / % \\ - and blanks");
    Some(Invalid::new(field, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> NewJob {
        NewJob { command: "true".into(), ..NewJob::default() }
    }

    fn fields(job: &NewJob) -> Vec<String> {
        let problems = job.validate().err().unwrap_or_default();
        problems.into_iter().map(|invalid| invalid.field).collect()
    }

    #[test]
    fn a_full_job_is_accepted() {
        let job = NewJob {
            resources: vec!["/resource_id=1,walltime=00:05:00".into()],
            types: vec!["besteffort".into()],
            property: Some("mem > 1000 and host='node1'".into()),
            parameters: Some(vec!["a b".into(), String::new()]),
            name: Some("cigri.1.a_b-c".into()),
            project: Some("cigri".into()),
            directory: Some("/home/alice".into()),
            queue: Some("besteffort".into()),
            after: vec![7],
            checkpoint: Some(60),
            signal: Some(10),
            stdout: Some("out/%jobname%.%jobid%".into()),
            ..job()
        };
        assert_eq!(job.validate(), Ok(()));
    }

    #[test]
    fn each_field_is_checked() {
        let text = |text: &str| Some(text.to_owned());
        let cases: [(&str, NewJob); 19] = [
            ("signal", NewJob { signal: Some(0), ..job() }),
            ("command", NewJob::default()),
            ("command", NewJob { command: "true\0x".into(), ..job() }),
            ("name", NewJob { name: text("bad name!"), ..job() }),
            ("name", NewJob { name: text(""), ..job() }),
            ("name", NewJob { name: text(&"n".repeat(101)), ..job() }),
            ("project", NewJob { project: text(&"p".repeat(256)), ..job() }),
            ("project", NewJob { project: text("a\nb"), ..job() }),
            ("directory", NewJob { directory: text("/a\0"), ..job() }),
            ("queue", NewJob { queue: text(""), ..job() }),
            ("type", NewJob { types: vec![String::new()], ..job() }),
            ("stdout", NewJob { stdout: text("a;b"), ..job() }),
            ("stderr", NewJob { stderr: text("é"), ..job() }),
            ("param_file", NewJob { parameters: Some(vec![]), ..job() }),
            ("param_file[1]", NewJob { parameters: Some(vec!["a".into(), "b\n".into()]), ..job() }),
            ("resource[0]", NewJob { resources: vec!["/resource_id".into()], ..job() }),
            ("property", NewJob { property: text("syntax error here ("), ..job() }),
            ("after", NewJob { after: vec![3_000_000_000], ..job() }),
            ("checkpoint", NewJob { checkpoint: Some(u32::MAX), ..job() }),
        ];
        for (field, job) in cases {
            assert_eq!(fields(&job), [field], "{job:?}");
        }
    }

    #[test]
    fn the_longest_name_and_project_are_accepted() {
        let job = NewJob { name: Some("n".repeat(100)), project: Some("p".repeat(255)), ..job() };
        assert_eq!(job.validate(), Ok(()));
    }

    #[test]
    fn a_moldable_array_is_refused() {
        let moldable = NewJob { resources: vec!["/resource_id=1".into(), "/core=1".into()], ..job() };
        assert_eq!(moldable.validate(), Ok(()));
        let array = NewJob { parameters: Some(vec!["1".into()]), ..moldable };
        assert_eq!(fields(&array), ["resource"]);
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let bad = NewJob { name: Some("a b".into()), stdout: Some("a;b".into()), ..NewJob::default() };
        assert_eq!(fields(&bad), ["command", "name", "stdout"]);
    }

    #[test]
    fn columns_are_checked_in_property_and_resources() {
        let columns = BTreeMap::from([("mem".to_owned(), ColumnKind::Integer)]);
        let job = NewJob { property: Some("nosuch = 1".into()), resources: vec!["{mem='x'}/core=1".into()], ..job() };
        let problems = job.check_columns(&columns).unwrap_err();
        let fields: Vec<&str> = problems.iter().map(|i| i.field.as_str()).collect();
        assert_eq!(fields, ["property", "resource[0]"]);
    }
}
