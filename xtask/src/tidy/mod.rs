//! House rules as a program: what the design promises about the code and a compiler cannot see.

mod dependencies;
mod files;
mod layout;
mod purity;
mod source;
mod wording;

use source::Source;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// One broken rule, and where.
#[derive(Debug, PartialEq, Eq)]
struct Violation {
    path: PathBuf,
    /// Counted from 1.
    line: usize,
    message: String,
}

impl Violation {
    fn new(path: impl AsRef<Path>, line: usize, message: impl Into<String>) -> Violation {
        Violation { path: path.as_ref().to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

/// Checks the repository at `root`, prints all that is wrong with it; success if nothing is.
pub(crate) fn run(root: &Path) -> ExitCode {
    match check(root) {
        Ok(violations) if violations.is_empty() => ExitCode::SUCCESS,
        Ok(violations) => {
            violations.iter().for_each(|v| println!("{v}"));
            println!("tidy: {} violations", violations.len());
            ExitCode::FAILURE
        }
        Err(problem) => {
            eprintln!("tidy: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn check(root: &Path) -> Result<Vec<Violation>, String> {
    let sources = files::read_all(root)?;
    let mut violations = dependencies::check(root)?;
    for source in &sources {
        violations.extend(check_source(source));
        if let Some(warning) = layout::nearly_too_long(source) {
            println!("warning: {warning}");
        }
    }
    Ok(violations)
}

fn check_source(source: &Source) -> Vec<Violation> {
    let rules = [layout::check, purity::check, wording::check];
    rules.iter().flat_map(|rule| rule(source)).collect()
}
