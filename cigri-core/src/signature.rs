//! What the last lines of a failed program's standard error say: the kind of trouble, and the telling line without what
//! differs from task to task, so that the same error of many tasks is one group.
//!
//! Any bytes are taken: a program may print whatever it likes.

mod known;
mod normal;
mod terminal;

pub use known::class_of;
pub use normal::{MOST_CHARS, normalise};
pub use terminal::readable;

/// Words that lines about an error have, in small letters.
const TELLING: &[&str] = &[
    "abort",
    "cannot",
    "can't",
    "denied",
    "error",
    "exceed",
    "exception",
    "fail",
    "fatal",
    "fault",
    "illegal",
    "invalid",
    "killed",
    "no space",
    "no such",
    "not allowed",
    "not available",
    "not found",
    "out of memory",
    "panic",
    "refused",
    "timed out",
    "unable",
    "undefined",
    "unknown",
    "unrecognized",
    "violation",
];

/// The signature of a text: its last line that looks like an error, else its last line, normalised. None of a text
/// without a word.
pub fn signature(text: &str) -> Option<String> {
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next()?;
    let line = lines.find(|line| is_telling(line)).unwrap_or(last);
    Some(normalise(line)).filter(|line| !line.is_empty())
}

fn is_telling(line: &str) -> bool {
    let line = line.to_lowercase();
    TELLING.iter().any(|word| line.contains(word))
}

#[cfg(test)]
mod tests;
