//! What goes where: results on standard output, everything said beside them on standard error.

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::cli::Global;
use crate::exit::Failure;

/// How the user wants to be told things.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// Print the API's JSON instead of tables and sentences.
    pub(crate) json: bool,
    /// Say nothing but errors and warnings.
    pub(crate) quiet: bool,
    /// Colours are wanted (they still need a terminal).
    pub(crate) color: bool,
}

impl Screen {
    /// As the global options and `NO_COLOR` say.
    pub(crate) fn of(global: &Global) -> Self {
        let forbidden = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { json: global.json, quiet: global.quiet, color: !global.no_color && !forbidden }
    }

    /// Writes a result to standard output, as it is.
    pub(crate) fn write(&self, text: &str) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Failure::Output)
    }

    /// Writes a line to standard output.
    pub(crate) fn line(&self, text: &str) -> Result<(), Failure> {
        self.write(&format!("{text}\n"))
    }

    /// Writes a value as JSON to standard output.
    pub(crate) fn value(&self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))?;
        self.line(&text)
    }

    /// Says something on standard error, unless quiet was asked for.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            say(text);
        }
    }

    /// Warns on standard error.
    pub(crate) fn warn(&self, text: &str) {
        say(&format!("warning: {text}"));
    }

    /// True when progress can be drawn on one line that is written again and again.
    pub(crate) fn draws(&self) -> bool {
        !self.quiet && std::io::stderr().is_terminal()
    }
}

/// A line on standard error; nobody is left to be told when that is closed.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// A text on one line that cannot command the terminal: control characters are shown escaped.
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            out.extend(character.escape_default());
        } else {
            out.push(character);
        }
    }
    out
}

/// The same, cut after `most` characters.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let mut out = plain(text);
    if let Some((end, _)) = out.char_indices().nth(most) {
        out.truncate(end);
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_command_the_terminal() {
        assert_eq!(plain("a\x1b[31mb\nc"), "a\\u{1b}[31mb\\nc");
        assert_eq!(plain("é ok"), "é ok");
    }

    #[test]
    fn an_excerpt_counts_characters() {
        assert_eq!(excerpt("éééé", 2), "éé...");
        assert_eq!(excerpt("ab", 2), "ab");
    }
}
