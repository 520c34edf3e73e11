//! The parameters of a campaign: one is one task. Text is kept as the user wrote it, because the job's shell reads it.

use super::endless::no_parameters;
use super::field::Field;
use super::fields::SOURCES;
use super::limits::Limits;
use super::problem::{Problem, Report, excerpt};
use super::reader::member_path;
use super::shell::{Open, left_open};
use super::sweep::{NO_FILE, Sweep, read_sweep};
use super::table::{ParameterReader, TableFormat};
use super::tree::{Node, Value};
use super::written::Written;

/// Most tasks that are counted rather than listed.
pub(super) const MOST_JOBS: u64 = 1_000_000_000;

/// How many parameters are named in messages of one kind; the others are counted.
pub(super) const NAMED: usize = 10;

/// The ways to give parameters.
const ONE_SOURCE: &str = "exactly one of `nb_jobs`, `params`, `param_file` and `parameters`";

/// Where the tasks of a campaign come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameters {
    /// `nb_jobs` N: the parameters are the numbers from 0 to N-1.
    Count(u64),
    /// `params`: one task each, in this order; they need not differ.
    Inline(Vec<String>),
    /// They arrive beside the campaign file, one line each: see `LineSplitter`.
    Streamed,
    /// There is no end of them: each task's parameter is its number, from 0.
    Endless,
    /// They have names, and are computed.
    Sweep(Sweep),
    /// They have names, and arrive beside the campaign file as a table.
    Table(TableFormat),
}

impl Parameters {
    /// Number of tasks, unless they are still to arrive or have no end.
    pub fn count(&self) -> Option<u64> {
        match self {
            Self::Count(count) => Some(*count),
            Self::Inline(texts) => Some(texts.len() as u64),
            Self::Sweep(sweep) => u64::try_from(sweep.count()).ok(),
            Self::Streamed | Self::Table(_) | Self::Endless => None,
        }
    }

    /// A reader of those that arrive beside the campaign file; `None` where they do not.
    pub fn reader(&self, limits: &Limits) -> Option<ParameterReader> {
        match self {
            Self::Streamed => Some(ParameterReader::lines(limits)),
            Self::Table(format) => Some(ParameterReader::table(*format, limits)),
            Self::Count(_) | Self::Inline(_) | Self::Sweep(_) | Self::Endless => None,
        }
    }

    /// The parameter of the task with this index (from 0), if it is known here.
    pub fn get(&self, index: u64) -> Option<String> {
        match self {
            Self::Count(count) => (index < *count).then(|| index.to_string()),
            Self::Inline(texts) => texts.get(usize::try_from(index).ok()?).cloned(),
            Self::Endless => Some(index.to_string()),
            Self::Sweep(sweep) => sweep.text(index),
            Self::Streamed | Self::Table(_) => None,
        }
    }
}

/// Checks one parameter. The path of what it returns is `parameter`: the caller knows the place.
///
/// Quotes, blanks, `$` and the like are the user's own business; an open quote gives a warning.
///
/// # Errors
/// A newline, carriage return or NUL (no job could get it), or a text longer than the limit.
pub fn check_parameter(text: &str, limits: &Limits) -> Result<Option<Problem>, Problem> {
    let longest = limits.max_parameter_bytes;
    if text.len() > longest {
        let found = format!("{} bytes", text.len());
        return Err(Problem::new("parameter", found, format!("at most {longest} bytes"))
            .hint("pass the name of a file that holds the data"));
    }
    let refused = text.bytes().find_map(|byte| match byte {
        b'\n' => Some("a newline"),
        b'\r' => Some("a carriage return"),
        0 => Some("a NUL character"),
        _ => None,
    });
    if let Some(found) = refused {
        return Err(Problem::new("parameter", found, "one line of text"));
    }
    Ok(left_open(text).map(|open| {
        let found = match open {
            Open::Quote(quote) => format!("an open {quote} in `{}`", excerpt(text)),
            Open::Backslash => format!("a backslash at the end of `{}`", excerpt(text)),
        };
        let expected = "balanced quotes, because the job's shell reads the parameter";
        Problem::new("parameter", found, expected)
    }))
}

/// Which source the campaign gives, checked; the list itself moves out of `written`.
pub(super) fn resolve_parameters(mut written: Written, streamed: bool, report: &mut Report) -> Option<Parameters> {
    let given: Vec<&str> = SOURCES.into_iter().filter(|name| written.field(name).is_some()).collect();
    match given[..] {
        [] if streamed => Some(Parameters::Streamed),
        [] => {
            report.refuse(Problem::new("params", "no parameters", ONE_SOURCE));
            None
        }
        ["nb_jobs"] if !streamed => count(&written, report),
        ["params"] if !streamed => {
            let at = written.fields.iter().position(|(key, _)| key.eq_ignore_ascii_case("params"))?;
            let (key, node) = written.fields.swap_remove(at);
            inline(&key, node, &written.limits, report)
        }
        ["param_file"] => param_file(&written, streamed, report),
        ["parameters"] => {
            let (key, node) = written.field("parameters")?;
            read_sweep(key, node, streamed, report)
        }
        _ => {
            report.refuse(several(&written, &given, streamed));
            None
        }
    }
}

/// The parameters of an endless campaign: none may be given.
pub(super) fn no_parameters_of(written: &Written, streamed: bool, report: &mut Report) -> Option<Parameters> {
    let given: Vec<_> = SOURCES.into_iter().filter_map(|name| written.field(name)).collect();
    if streamed && given.is_empty() {
        report.refuse(Problem::new("params", "parameters sent beside the file", "none in an endless campaign"));
    }
    for (key, node) in given {
        report.refuse(no_parameters(&Field::new("", key, node)));
    }
    Some(Parameters::Endless)
}

fn several(written: &Written, given: &[&str], streamed: bool) -> Problem {
    let mut names: Vec<String> = given.iter().map(|name| format!("`{name}`")).collect();
    if streamed && !given.contains(&"param_file") {
        names.push("parameters sent beside the file".into());
    }
    let last = given.last().copied().unwrap_or_default();
    let problem = Problem::new(last, names.join(" and "), ONE_SOURCE);
    match written.field(last) {
        Some((key, node)) => problem.at(member_path("", key)).on_line(node.place.0, node.place.1),
        None => problem,
    }
}

fn count(written: &Written, report: &mut Report) -> Option<Parameters> {
    let (key, node) = written.field("nb_jobs")?;
    let field = Field::new("", key, node);
    report.take(field.whole_number(MOST_JOBS)).map(Parameters::Count)
}

fn param_file(written: &Written, streamed: bool, report: &mut Report) -> Option<Parameters> {
    let (key, node) = written.field("param_file")?;
    let field = Field::new("", key, node);
    let named = match &node.value {
        Value::Text(path) => !path.is_empty() && !path.contains(char::is_control),
        _ => false,
    };
    if !named {
        report.refuse(field.problem("the name of a file"));
    } else if !streamed {
        report.refuse(field.problem("the lines of the file, sent beside the campaign").hint(NO_FILE));
    } else {
        return Some(Parameters::Streamed);
    }
    None
}

pub(super) fn inline(key: &str, node: Node, limits: &Limits, report: &mut Report) -> Option<Parameters> {
    let path = member_path("", key);
    let (line, column) = node.place;
    let mut texts = Vec::new();
    match node.value {
        Value::Texts(items) if !items.is_empty() => texts = items,
        Value::List(items) if !items.is_empty() => {
            for (index, item) in items.into_iter().enumerate() {
                let item_path = format!("{path}[{index}]");
                // An empty text keeps the place of a refused item, so that later ones keep their index.
                texts.push(report.take(text_of(item, item_path)).unwrap_or_default());
            }
        }
        other => {
            let problem = Problem::new(path.as_str(), other.excerpt(), "a list of parameters");
            report.refuse(problem.on_line(line, column));
            return None;
        }
    }
    check_all(&texts, &path, limits, report);
    Some(Parameters::Inline(texts))
}

/// Numbers and booleans were taken by CiGri 3 as their text.
fn text_of(node: Node, path: String) -> Result<String, Problem> {
    match node.value {
        Value::Text(text) | Value::Number(text) => Ok(text),
        Value::Bool(value) => Ok(value.to_string()),
        other => Err(Problem::new(path, other.excerpt(), "a text, one line").on_line(node.place.0, node.place.1)),
    }
}

fn check_all(texts: &[String], path: &str, limits: &Limits, report: &mut Report) {
    let (mut refused, mut warned) = (0, 0);
    for (index, text) in texts.iter().enumerate() {
        match check_parameter(text, limits) {
            Ok(None) => {}
            Ok(Some(warning)) => {
                warned += 1;
                if warned <= NAMED {
                    report.warn(warning.at(format!("{path}[{index}]")));
                }
            }
            Err(problem) => {
                refused += 1;
                if refused <= NAMED {
                    report.refuse(problem.at(format!("{path}[{index}]")));
                }
            }
        }
    }
    if refused > NAMED {
        let found = format!("{} more such parameters", refused - NAMED);
        report.refuse(Problem::new(path, found, "parameters that a job can get"));
    }
    if warned > NAMED {
        let found = format!("{} more open quotes", warned - NAMED);
        report.warn(Problem::new(path, found, "balanced quotes"));
    }
}
