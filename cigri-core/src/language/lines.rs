//! Streamed parameters: chunks of bytes of any size in, complete lines out, in bounded memory. One line is one task.

use super::limits::Limits;
use super::parameters::check_parameter;
use super::problem::Problem;
use super::sweep::check_words;
use super::tree::counted;

/// Path of what is said about a streamed line; its number is the problem's line.
const PATH: &str = "param_file";

/// Cuts a stream of bytes into parameters.
///
/// Lines end in a newline; a last line may lack it. A carriage return before it is dropped and blank lines are skipped,
/// with one warning each for the whole stream. Lines that begin with `#` are parameters like any other.
#[derive(Debug)]
pub struct LineSplitter {
    limits: Limits,
    /// Names of the values that each line gives, if they have any.
    names: Vec<String>,
    /// Bytes of a line whose end has not come yet; bounded by the longest parameter.
    partial: Vec<u8>,
    /// Lines begun so far.
    line: usize,
    carriage_returns: Tally,
    blank: Tally,
    open_quotes: Tally,
}

/// How often something was met, and on which line first.
#[derive(Debug, Default)]
struct Tally {
    count: usize,
    first: usize,
}

impl Tally {
    fn add(&mut self, line: usize) {
        if self.count == 0 {
            self.first = line;
        }
        self.count += 1;
    }

    fn warning(&self, what: &str, expected: &str) -> Option<Problem> {
        (self.count > 0).then(|| {
            let found = format!("{} {what}", counted(self.count, "line"));
            Problem::new(PATH, found, expected).on_line(self.first, 1)
        })
    }
}

impl LineSplitter {
    /// A splitter at the beginning of a stream.
    pub fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            names: Vec::new(),
            partial: Vec::new(),
            line: 1,
            carriage_returns: Tally::default(),
            blank: Tally::default(),
            open_quotes: Tally::default(),
        }
    }

    /// The same, whose lines have to give one word for each of these names.
    #[must_use]
    pub fn naming(self, names: &[String]) -> Self {
        Self { names: names.to_vec(), ..self }
    }

    /// Takes the next bytes, and appends the parameters that they complete to `parameters`.
    ///
    /// # Errors
    /// The first line that is too long, not UTF-8, or holds a NUL or carriage return, with its number.
    /// The stream is then to be given up: what follows is not checked.
    pub fn push(&mut self, chunk: &[u8], parameters: &mut Vec<String>) -> Result<(), Problem> {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let (head, tail) = rest.split_at(end);
            rest = tail.get(1..).unwrap_or_default();
            if self.partial.is_empty() {
                self.line(head, parameters)?;
            } else {
                self.keep(head)?;
                let line = std::mem::take(&mut self.partial);
                self.line(&line, parameters)?;
            }
            self.line += 1;
        }
        self.keep(rest)
    }

    /// Ends the stream: appends a last line without newline, and gives the warnings.
    ///
    /// # Errors
    /// As `push`, for that last line.
    pub fn finish(mut self, parameters: &mut Vec<String>) -> Result<Vec<Problem>, Problem> {
        let line = std::mem::take(&mut self.partial);
        if !line.is_empty() {
            self.line(&line, parameters)?;
        }
        let warnings = [
            self.carriage_returns
                .warning("ending in a carriage return, which was dropped", "lines ending in a newline only"),
            self.blank.warning("left blank, which were skipped", "a parameter on each line"),
            self.open_quotes.warning("with an open quote", "quotes balanced, because the job's shell reads them"),
        ];
        Ok(warnings.into_iter().flatten().collect())
    }

    /// Number of the line that the next byte belongs to, from 1.
    pub fn line_number(&self) -> usize {
        self.line
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Problem> {
        // One more for a carriage return that will be dropped.
        let longest = self.limits.max_parameter_bytes.saturating_add(1);
        if bytes.len() > longest.saturating_sub(self.partial.len()) {
            let expected = format!("at most {} bytes", self.limits.max_parameter_bytes);
            return Err(Problem::new(PATH, "a longer line", expected)
                .hint("pass the name of a file that holds the data")
                .on_line(self.line, 1));
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }

    fn line(&mut self, bytes: &[u8], parameters: &mut Vec<String>) -> Result<(), Problem> {
        let bytes = match (self.line, bytes.strip_prefix(b"\xef\xbb\xbf")) {
            (1, Some(bytes)) => bytes,
            _ => bytes,
        };
        let bytes = match bytes.strip_suffix(b"\r") {
            Some(bytes) => {
                self.carriage_returns.add(self.line);
                bytes
            }
            None => bytes,
        };
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let column = String::from_utf8_lossy(valid).chars().count() + 1;
            Problem::new(PATH, format!("the byte 0x{byte:02x}"), "UTF-8 text").on_line(self.line, column)
        })?;
        if text.trim().is_empty() {
            self.blank.add(self.line);
            return Ok(());
        }
        let here = |problem: Problem| problem.at(PATH).on_line(self.line, 1);
        let warning = check_parameter(text, &self.limits).map_err(here)?;
        check_words(&self.names, text).map_err(here)?;
        if warning.is_some() {
            self.open_quotes.add(self.line);
        }
        parameters.push(text.to_owned());
        Ok(())
    }
}
