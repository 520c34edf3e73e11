//! What is wrong with a campaign file, said so that its author can mend it: where, what was found, what was expected.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One problem (or warning) of a campaign file or of a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// JSON path (`clusters.dahu.walltime`, `params[3]`); empty for the whole document.
    pub path: String,
    /// What is there: a short excerpt on one line.
    pub found: String,
    /// What should be there.
    pub expected: String,
    /// A remedy, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Line and column, both counted from 1, columns in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<(usize, usize)>,
}

impl Problem {
    /// A problem at a path, without hint or line.
    pub fn new(path: impl Into<String>, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self { path: path.into(), found: found.into(), expected: expected.into(), hint: None, line: None }
    }

    /// The same with a remedy.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with its place in the text.
    #[must_use]
    pub fn on_line(mut self, line: usize, column: usize) -> Self {
        self.line = Some((line, column));
        self
    }

    /// The same at another path.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.path.as_str(), self.line) {
            ("", None) => {}
            ("", Some((line, column))) => write!(out, "line {line}, column {column}: ")?,
            (path, None) => write!(out, "{path}: ")?,
            (path, Some((line, column))) => {
                write!(out, "{path} (line {line}, column {column}): ")?;
            }
        }
        write!(out, "expected {}, found {}", self.expected, self.found)?;
        match &self.hint {
            Some(hint) => write!(out, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// All problems of one text, in the order of the text where places are known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write!(out, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

/// Problems and warnings while they are gathered; bounded, because the text is not ours.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Report {
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
    left_off: usize,
}

/// How many problems (and how many warnings) one report keeps.
const KEPT: usize = 100;

impl Report {
    /// Adds a problem: the text will be refused.
    pub(super) fn refuse(&mut self, problem: Problem) {
        self.refuse_with(|| problem);
    }

    /// Adds a problem that costs something to word, unless the report is full.
    pub(super) fn refuse_with(&mut self, problem: impl FnOnce() -> Problem) {
        if self.problems.len() < KEPT {
            self.problems.push(problem());
        } else {
            self.left_off += 1;
        }
    }

    /// Adds a warning: the text may still be accepted.
    pub(super) fn warn(&mut self, warning: Problem) {
        if self.warnings.len() < KEPT {
            self.warnings.push(warning);
        }
    }

    /// The value, or `None` with its problem noted.
    pub(super) fn take<T>(&mut self, result: Result<T, Problem>) -> Option<T> {
        result.map_err(|problem| self.refuse(problem)).ok()
    }

    /// The warnings, or every problem in the order of the text.
    pub(super) fn finish(mut self) -> Result<Vec<Problem>, Problems> {
        if self.problems.is_empty() {
            return Ok(self.warnings);
        }
        self.problems.sort_by_key(|problem| problem.line.unwrap_or((usize::MAX, 0)));
        if self.left_off > 0 {
            let found = format!("{} more problems", self.left_off);
            self.problems.push(Problem::new("...", found, "the ones above to be mended first"));
        }
        Err(Problems(self.problems))
    }
}

/// Longest excerpt shown of what was found, in characters.
const EXCERPT: usize = 60;

/// A text as a one-line excerpt: control characters escaped, cut after some sixty characters.
pub(super) fn excerpt(text: &str) -> String {
    let mut out = String::new();
    for (index, character) in text.chars().enumerate() {
        if index == EXCERPT {
            out.push_str("...");
            break;
        }
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// The candidate that `word` was probably meant to be: same but for case, or one or two slips away.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word far longer than any candidate would only cost time.
    if word.len() > 100 {
        return None;
    }
    let lower = word.to_lowercase();
    let allowed = 1 + lower.chars().count() / 4;
    candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
