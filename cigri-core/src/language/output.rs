//! `output_gathering_method`: what becomes of a file that each task writes.

use super::dependents::Dependents;
use super::field::{Field, Setting};
use super::named::is_name;
use super::parts::{Gathering, Output};
use super::problem::{Problem, Report, excerpt};

/// Longest path, in bytes.
const LONGEST: usize = 1024;

/// Macros of `output_file`; a campaign's named parameters come with them.
const MACROS: [&str; 4] = ["CAMPAIGN_ID", "TASK_ID", "TASK_INDEX", "OAR_JOB_ID"];

/// Those that differ between the tasks of a campaign.
const TELLING: [&str; 2] = ["{TASK_ID}", "{TASK_INDEX}"];

/// Who brings a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Collector,
    Scp,
    Irods,
}

/// What one object says of the tasks' files.
#[derive(Debug, Default)]
pub(super) struct OutputFields {
    method: Setting<Method>,
    file: Setting<String>,
    destination: Setting<String>,
}

impl OutputFields {
    /// Reads the field `name` if it is one of the tasks' files.
    pub(super) fn read(&mut self, name: &str, field: &Field<'_>, report: &mut Report) {
        match name {
            "output_gathering_method" => self.method = Setting::read(field, report, method),
            "output_file" => self.file = Setting::read(field, report, file),
            "output_destination" => self.destination = Setting::read(field, report, destination),
            _ => {}
        }
    }

    /// What becomes of the files on a cluster with these fields of its own and these of the top. Whether what is
    /// `named` in them are parameters of the campaign is left to [`check_names`](super::check_names).
    ///
    /// # Errors
    /// What is missing or cannot be used by the method: found and expected, for the caller to place.
    pub(super) fn resolve(
        &self,
        top: &Self,
        named: bool,
        dependents: &mut Dependents,
    ) -> Result<Option<Output>, Problem> {
        let (file, destination) = (self.file.or(&top.file), self.destination.or(&top.destination));
        let method = self.method.or(&top.method);
        let Some(method) = method.value() else {
            if !method.is_unsound() {
                dependents.idle(file, "output_gathering_method");
                dependents.idle(destination, "output_gathering_method");
            }
            return Ok(None);
        };
        if file.is_unsound() || destination.is_unsound() {
            return Ok(None);
        }
        let Some(file) = file.value() else {
            return Err(Problem::new("output_file", "nothing", "the file that each task writes"));
        };
        check_macros(file, |name| named && is_name(name))?;
        let method = gathering(*method, destination.value())?;
        Ok(Some(Output { file: file.clone(), method }))
    }
}

/// That several tasks write the same file, if so; those of a group have one job.
pub(super) fn same_for_all(output: &Output, grouped: bool, named: bool) -> Option<Problem> {
    let told = TELLING.iter().any(|telling| output.file.contains(telling));
    let told = told || (!grouped && output.file.contains("{OAR_JOB_ID}"));
    let rest = output.file.replace("{CAMPAIGN_ID}", "").replace("{OAR_JOB_ID}", "");
    let named = named && rest.contains('{');
    let expected = "a file for each task, such as `out.{TASK_INDEX}`";
    (!told && !named).then(|| Problem::new("output_file", format!("\"{}\"", excerpt(&output.file)), expected))
}

fn method(field: &Field<'_>) -> Result<Method, Problem> {
    match field.as_text() {
        Some("collector") => Ok(Method::Collector),
        Some("scp") => Ok(Method::Scp),
        Some("irods" | "iRods" | "iput") => Ok(Method::Irods),
        _ => Err(field.problem("`collector`, `scp`, `irods` or none")),
    }
}

fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || "_.-+=@%/".contains(character)
}

/// OAR's media API reads no path with blanks, commas, `$` or backquotes; `..` would leave the working directory.
fn file(field: &Field<'_>) -> Result<String, Problem> {
    let expected = "a path below `exec_directory`, of letters, digits and `_.-+=@%/`, and macros in braces";
    let path = field.text(expected, |text| {
        text.len() <= LONGEST
            && text.chars().all(|character| is_plain(character) || "{}".contains(character))
            && !text.starts_with('-')
            && text.split('/').all(|part| !["", ".", ".."].contains(&part))
    })?;
    Ok(path.to_owned())
}

/// Safe to show and to store; the method tells what more it needs.
fn destination(field: &Field<'_>) -> Result<String, Problem> {
    let expected = "a folder, `host:folder` or a collection, without control characters";
    let text = field.text(expected, |text| text.len() <= LONGEST && !text.contains(char::is_control))?;
    Ok(text.trim().to_owned())
}

/// That whatever stands between braces is a macro or a parameter.
pub(super) fn check_macros(file: &str, is_parameter: impl Fn(&str) -> bool) -> Result<(), Problem> {
    let known = |name: &str| MACROS.contains(&name) || is_parameter(name);
    let mut rest = file;
    while let Some(at) = rest.find(['{', '}']) {
        let after = &rest[at..];
        let name = after.strip_prefix('{').and_then(|after| after.split_once('}')).map(|(name, _)| name);
        match name {
            Some(name) if known(name) => rest = &after[name.len() + 2..],
            _ => {
                let found = format!("`{}`", excerpt(name.map_or(after, |name| &after[..name.len() + 2])));
                let expected = "`{CAMPAIGN_ID}`, `{TASK_ID}`, `{TASK_INDEX}`, `{OAR_JOB_ID}` or a named parameter";
                return Err(Problem::new("output_file", found, expected));
            }
        }
    }
    Ok(())
}

fn gathering(method: Method, destination: Option<&String>) -> Result<Gathering, Problem> {
    let is_safe = |text: &str| !text.is_empty() && !text.starts_with('-') && text.chars().all(is_plain);
    let is_host = |text: &str| is_safe(text) && !text.contains(['/', '%', '=', '+']);
    let refused = |expected: &str| {
        let found = destination.map_or_else(|| "nothing".to_owned(), |text| format!("\"{}\"", excerpt(text)));
        Problem::new("output_destination", found, expected)
    };
    match (method, destination) {
        (Method::Collector, destination) => Ok(Gathering::Collector(destination.cloned())),
        (Method::Scp, Some(text))
            if text.split_once(':').is_some_and(|(host, folder)| is_host(host) && is_safe(folder)) =>
        {
            Ok(Gathering::Scp(text.clone()))
        }
        (Method::Scp, _) => Err(refused("`host:folder` or `user@host:folder`, of letters, digits and `_.-+=@%/`")),
        (Method::Irods, Some(text)) if is_safe(text) => Ok(Gathering::Irods(text.clone())),
        (Method::Irods, _) => Err(refused("a collection, of letters, digits and `_.-+=@%/`")),
    }
}
