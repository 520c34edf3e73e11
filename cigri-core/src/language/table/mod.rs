//! Named parameters listed in a file: chunks of bytes of any size in, one text a row out, in bounded memory.

mod csv;
mod json_lines;

use super::limits::Limits;
use super::lines::LineSplitter;
use super::parameters::check_parameter;
use super::problem::{Problem, excerpt};
use super::sweep::{check_name, quoted};
use csv::Csv;
use json_lines::JsonLines;

/// Most columns of a table.
const MOST_NAMES: usize = 64;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Values separated by commas, the names in the first row (RFC 4180).
    Csv,
    /// One object of JSON on each line, all with the same keys.
    JsonLines,
}

impl TableFormat {
    fn path(self) -> &'static str {
        match self {
            Self::Csv => "parameters.csv",
            Self::JsonLines => "parameters.jsonl",
        }
    }
}

/// Reads the parameters that arrive beside a campaign, in whatever form it says they have.
#[derive(Debug)]
pub struct ParameterReader(Form);

#[derive(Debug)]
enum Form {
    Lines(LineSplitter),
    Csv(Box<Csv>),
    JsonLines(JsonLines),
}

impl ParameterReader {
    /// A reader of plain lines, at the beginning of a stream.
    pub fn lines(limits: &Limits) -> Self {
        Self(Form::Lines(LineSplitter::new(limits)))
    }

    /// A reader of plain lines that are each to give one word for each of these names, if there are any.
    pub fn lines_naming(names: &[String], limits: &Limits) -> Self {
        Self(Form::Lines(LineSplitter::new(limits).naming(names)))
    }

    /// A reader of a table, at the beginning of a stream.
    pub fn table(format: TableFormat, limits: &Limits) -> Self {
        let rows = Rows { path: format.path(), limits: limits.clone(), names: Vec::new() };
        Self(match format {
            TableFormat::Csv => Form::Csv(Box::new(Csv::new(rows))),
            TableFormat::JsonLines => Form::JsonLines(JsonLines::new(rows)),
        })
    }

    /// Takes the next bytes, and appends the texts of the tasks that they complete.
    ///
    /// # Errors
    /// The first line that does not fit, with its number. The stream is then to be given up.
    pub fn push(&mut self, chunk: &[u8], texts: &mut Vec<String>) -> Result<(), Problem> {
        match &mut self.0 {
            Form::Lines(lines) => lines.push(chunk, texts),
            Form::Csv(table) => table.push(chunk, texts),
            Form::JsonLines(table) => table.push(chunk, texts),
        }
    }

    /// Ends the stream: appends what a last line without newline holds, and gives the names and the warnings.
    ///
    /// # Errors
    /// As `push`, for that last line.
    pub fn finish(self, texts: &mut Vec<String>) -> Result<(Vec<String>, Vec<Problem>), Problem> {
        match self.0 {
            Form::Lines(lines) => lines.finish(texts).map(|warnings| (Vec::new(), warnings)),
            Form::Csv(table) => table.finish(texts).map(|names| (names, Vec::new())),
            Form::JsonLines(table) => table.finish(texts).map(|names| (names, Vec::new())),
        }
    }

    /// Names of the parameters: none before the first row has come, nor where they have no names.
    pub fn names(&self) -> &[String] {
        match &self.0 {
            Form::Lines(_) => &[],
            Form::Csv(table) => table.names(),
            Form::JsonLines(table) => table.names(),
        }
    }

    /// Whether the parameters have names, which come first.
    pub fn is_table(&self) -> bool {
        !matches!(self.0, Form::Lines(_))
    }

    /// The field of the campaign that the stream belongs to.
    pub fn path(&self) -> &'static str {
        match &self.0 {
            Form::Lines(_) => "param_file",
            Form::Csv(_) => TableFormat::Csv.path(),
            Form::JsonLines(_) => TableFormat::JsonLines.path(),
        }
    }
}

/// What the rows of every table must satisfy.
#[derive(Debug)]
struct Rows {
    path: &'static str,
    limits: Limits,
    /// Empty until the first row.
    names: Vec<String>,
}

impl Rows {
    fn problem(&self, line: usize, found: impl Into<String>, expected: impl Into<String>) -> Problem {
        Problem::new(self.path, found, expected).on_line(line, 1)
    }

    fn set_names(&mut self, names: Vec<String>, line: usize) -> Result<(), Problem> {
        if !(1..=MOST_NAMES).contains(&names.len()) {
            let found = format!("{} columns", names.len());
            return Err(self.problem(line, found, format!("1 to {MOST_NAMES} columns")));
        }
        for (at, name) in names.iter().enumerate() {
            let found = format!("the name \"{}\"", excerpt(name));
            check_name(name).map_err(|expected| self.problem(line, &found, expected))?;
            if names.iter().take(at).any(|earlier| earlier == name) {
                return Err(self.problem(line, format!("{found} twice"), "each name only once"));
            }
        }
        self.names = names;
        Ok(())
    }

    /// The text of a task whose values are in the order of the names.
    fn text(&self, values: &[String], line: usize) -> Result<String, Problem> {
        for (name, value) in self.names.iter().zip(values) {
            let path = format!("{}.{name}", self.path);
            check_parameter(value, &self.limits).map_err(|problem| problem.at(path).on_line(line, 1))?;
        }
        let text = quoted(values);
        check_parameter(&text, &self.limits).map_err(|problem| problem.at(self.path).on_line(line, 1))?;
        Ok(text)
    }

    fn too_long(&self, line: usize) -> Problem {
        let expected = format!("at most {} bytes", self.limits.max_parameter_bytes);
        self.problem(line, "a longer row", expected).hint("a quote that is never closed makes one, too")
    }
}
