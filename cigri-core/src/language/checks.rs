//! The checks of single values. They refuse what would fail late and obscurely: on the cluster, in its shell, or in its API.

use super::field::Field;
use super::macros::{continues_name, home_in_command, home_in_directory};
use super::named::braced;
use super::problem::{Problem, Report};
use super::shell::{Mark, Open, Parentheses, left_open, marks};

/// Longest name, project or job type, in characters; OAR's columns hold as many.
const LABEL: usize = 255;

/// Longest command line or condition, in bytes: every listing of a cluster's jobs repeats it.
const COMMAND: usize = 8192;

/// Where the generated command ends (see `command`); a command line that contains it could pass for another task.
pub(crate) const COMMAND_END: &str = "}; _c";

fn is_label(text: &str) -> bool {
    text.chars().count() <= LABEL && !text.contains(char::is_control)
}

/// Control characters other than the tabulator have no place in a command or condition.
fn breaks_line(character: char) -> bool {
    character.is_control() && character != '\t'
}

/// The campaign's name.
pub(super) fn name(field: &Field<'_>) -> Result<String, Problem> {
    let expected = "a name of 1 to 255 characters, without control characters";
    field.label(expected, |text| is_label(text) && !text.trim().is_empty())?.ok_or_else(|| field.problem(expected))
}

/// The project that jobs are accounted to.
pub(super) fn project(field: &Field<'_>) -> Result<Option<String>, Problem> {
    field.label("a project of at most 255 characters, without control characters", is_label)
}

/// OAR's job type beside best-effort.
pub(super) fn job_type(field: &Field<'_>) -> Result<Option<String>, Problem> {
    let expected = "a job type of the cluster, at most 255 characters, without control characters";
    let label = field.label(expected, is_label)?;
    match label.as_deref() {
        Some("besteffort" | "best-effort") => {
            Err(field.problem("a job type beside best-effort").hint("say `\"type\": \"best-effort\"`"))
        }
        // OAR would start a task again by itself, unknown to the count of attempts.
        Some("idempotent") => {
            Err(field.problem("a job type other than `idempotent`").hint("CiGri itself brings killed tasks back"))
        }
        _ => Ok(label),
    }
}

/// SQL condition on resources. OAR 3's API stops working after a condition it cannot parse, so it is checked first.
pub(super) fn properties(field: &Field<'_>) -> Result<Option<String>, Problem> {
    field.label("an SQL condition on one line, quotes and parentheses balanced, without `;`", |text| {
        text.len() <= COMMAND && is_condition(text)
    })
}

fn is_condition(text: &str) -> bool {
    let (mut depth, mut quote) = (0_u32, None);
    for character in text.chars() {
        match (quote, character) {
            (_, character) if breaks_line(character) => return false,
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(character),
            (None, ';') => return false,
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => return false,
            (None, ')') => depth -= 1,
            _ => {}
        }
    }
    quote.is_none() && depth == 0
}

/// A cluster's name goes unquoted into commands and file names.
pub(super) fn is_cluster_name(name: &str) -> bool {
    let word = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_alphanumeric()) && name.chars().all(word)
}

/// What a cluster's name looks like, for messages.
pub(super) const CLUSTER_NAME: &str =
    "a cluster's name: letters, digits, `_`, `.` and `-`, at most 64, a letter or digit first";

/// The command line, with its home directories made `$HOME`.
pub(super) fn exec_file(field: &Field<'_>) -> Result<String, Problem> {
    let text =
        field.text("a command on one line", |text| !text.trim().is_empty() && !text.contains(breaks_line))?.trim();
    if text.len() > COMMAND {
        return Err(field
            .problem(&format!("a command of at most {COMMAND} bytes"))
            .hint("put it into a script on the cluster"));
    }
    match left_open(text) {
        Some(Open::Quote(quote)) => {
            return Err(field.problem(&format!("a command with its {quote} quotes balanced")));
        }
        Some(Open::Backslash) => {
            return Err(field.problem("a command that does not end in a backslash"));
        }
        None => {}
    }
    match swallowed_by(text) {
        Some(reason) => Err(field.problem("a command that the parameter can follow").hint(reason)),
        None => Ok(home_in_command(text)),
    }
}

/// What in a command line would swallow the parameter appended to it.
fn swallowed_by(text: &str) -> Option<&'static str> {
    if text.contains(COMMAND_END) {
        return Some("`}; _c` is the end of CiGri's own command");
    }
    let (marks, _) = marks(text);
    if marks.iter().any(|mark| mark.character == '#' && mark.word_start) {
        return Some("a `#` begins a comment, which would swallow the parameter; quote it");
    }
    has_here_document(&marks).then_some("a here-document (`<<`) needs further lines; use a script")
}

/// `<<` but neither `<<<` (a here-string) nor a shift within `$((...))`.
fn has_here_document(marks: &[Mark]) -> bool {
    let mut run = 0;
    let mut parentheses = Parentheses::default();
    for (index, mark) in marks.iter().enumerate() {
        let next = marks.get(index + 1).map(|next| next.character);
        if mark.is_bare() {
            run += u32::from(mark.character == '<');
            parentheses.see(mark.character, next);
        }
        if run == 2 && next != Some('<') && !parentheses.in_arithmetic() {
            return true;
        }
        if mark.character != '<' {
            run = 0;
        }
    }
    false
}

/// Warns of a command line after which the parameter would be a command of its own.
pub(super) fn warn_of_exec_file(field: &Field<'_>, command: Option<&str>, report: &mut Report) {
    let command = command.unwrap_or_default();
    let (marks, _) = marks(command);
    let ends_a_command = |mark: &Mark| mark.is_bare() && ";&|".contains(mark.character);
    if marks.last().is_some_and(ends_a_command) {
        report.warn(
            field
                .problem("a command that the parameter can follow")
                .hint("the parameter would be run as a command of its own"),
        );
    }
    if command.split("$HOME").skip(1).any(continues_name) {
        report.warn(
            field
                .problem("`$HOME` apart from longer names")
                .hint("OAR 3 replaces `$HOME` even within `$HOMEPAGE`; write `${HOMEPAGE}`"),
        );
    }
}

/// The working directory, with its home directory made `$HOME`.
pub(super) fn exec_directory(field: &Field<'_>) -> Result<String, Problem> {
    let expected = "an absolute directory, or one that begins with `$HOME`, `{HOME}` or `~`";
    let text = field.text(expected, |text| !text.contains(char::is_control))?;
    let directory = home_in_directory(text.trim());
    let rest = match directory.strip_prefix("$HOME") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest,
        _ if directory.starts_with('/') => directory.as_str(),
        _ => return Err(field.problem(expected)),
    };
    if rest.contains('$') {
        return Err(field
            .problem(expected)
            .hint("clusters replace only a `$HOME` at the beginning, no other variable"));
    }
    if rest.contains("{OAR_JOB_ID}") {
        return Err(field.problem(expected).hint("a job's number is not known before it is sent; `{CAMPAIGN_ID}` is"));
    }
    let mut words = rest.match_indices('{').filter_map(|(at, _)| rest.get(at..).and_then(braced));
    if let Some(word) = words.find(|word| *word != "CAMPAIGN_ID") {
        let hint =
            format!("`{{{word}}}` stands for nothing there; `{{HOME}}` at the beginning and `{{CAMPAIGN_ID}}` do");
        return Err(field.problem(expected).hint(hint));
    }
    Ok(directory)
}

/// Whether a directory that the client gives as default is sound: a path, taken as it is.
pub(super) fn is_default_directory(directory: &str) -> bool {
    let rooted = directory.starts_with('/') || directory == "$HOME" || directory.starts_with("$HOME/");
    rooted && !directory.contains(char::is_control)
}

/// Warns of characters that OAR's media API cannot read back.
pub(super) fn warn_of_directory(field: &Field<'_>, directory: Option<&str>, report: &mut Report) {
    if directory.is_some_and(|directory| directory.contains([' ', ',', '`'])) {
        report.warn(
            field
                .problem("a directory without blanks, commas and backquotes")
                .hint("OAR's API cannot read files there: `cigri logs` would show nothing"),
        );
    }
}
