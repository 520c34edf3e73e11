//! Objects of JSON, one on each line, read in pieces.

use serde_json::value::RawValue;

use super::super::level::{Level, read_level};
use super::super::problem::{Problem, excerpt};
use super::{MOST_NAMES, Rows};

/// A table whose rows all have the keys of the first.
#[derive(Debug)]
pub(super) struct JsonLines {
    rows: Rows,
    /// Bytes of a line whose end has not come yet.
    partial: Vec<u8>,
    line: usize,
}

impl JsonLines {
    pub(super) fn new(rows: Rows) -> Self {
        Self { rows, partial: Vec::new(), line: 1 }
    }

    pub(super) fn names(&self) -> &[String] {
        &self.rows.names
    }

    pub(super) fn push(&mut self, chunk: &[u8], texts: &mut Vec<String>) -> Result<(), Problem> {
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            // Escapes make a text up to six times as long.
            let longest = self.rows.limits.max_parameter_bytes.saturating_mul(6);
            if piece.len() > longest.saturating_sub(self.partial.len()) {
                return Err(self.rows.too_long(self.line));
            }
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.take_line(texts)?;
            }
        }
        Ok(())
    }

    pub(super) fn finish(mut self, texts: &mut Vec<String>) -> Result<Vec<String>, Problem> {
        self.take_line(texts)?;
        Ok(self.rows.names)
    }

    fn take_line(&mut self, texts: &mut Vec<String>) -> Result<(), Problem> {
        let bytes = std::mem::take(&mut self.partial);
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").filter(|_| self.line == 1).unwrap_or(&bytes);
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let byte = bytes.get(error.valid_up_to()).copied().unwrap_or_default();
            self.rows.problem(self.line, format!("the byte 0x{byte:02x}"), "UTF-8 text")
        })?;
        if !text.trim().is_empty() {
            self.take_row(text.trim(), texts)?;
        }
        self.line += 1;
        Ok(())
    }

    fn take_row(&mut self, text: &str, texts: &mut Vec<String>) -> Result<(), Problem> {
        let syntax = |error: serde_json::Error| {
            let message = error.to_string();
            let reason = message.split(" at line ").next().unwrap_or_default();
            let found = format!("`{}`", excerpt(text));
            self.rows.problem(self.line, found, format!("an object of JSON on each line ({reason})"))
        };
        let _: &RawValue = serde_json::from_str(text).map_err(syntax)?;
        if !text.starts_with('{') {
            return Err(self.rows.problem(self.line, format!("`{}`", excerpt(text)), "an object of JSON on each line"));
        }
        let Some(members) = read_level(text, MOST_NAMES).map_err(syntax)? else {
            let expected = format!("at most {MOST_NAMES} keys");
            return Err(self.rows.problem(self.line, "an object with more", expected));
        };
        if self.rows.names.is_empty() {
            self.rows.set_names(members.iter().map(|(name, _)| name.clone()).collect(), self.line)?;
        }
        let values = self.values(&members)?;
        texts.push(self.rows.text(&values, self.line)?);
        Ok(())
    }

    /// The values in the order of the names.
    fn values(&self, members: &Level<'_>) -> Result<Vec<String>, Problem> {
        for (at, (key, _)) in members.iter().enumerate() {
            let key_shown = format!("the key \"{}\"", excerpt(key));
            if !self.rows.names.contains(key) {
                return Err(self.rows.problem(self.line, key_shown, "the keys of the first line only"));
            }
            if members.iter().take(at).any(|(earlier, _)| earlier == key) {
                return Err(self.rows.problem(self.line, format!("{key_shown} twice"), "each key only once"));
            }
        }
        let value = |name: &String| {
            let member = members.iter().find(|(key, _)| key == name);
            let (_, raw) = member.ok_or_else(|| {
                self.rows.problem(self.line, format!("no key \"{name}\""), "all keys of the first line")
            })?;
            scalar(raw).ok_or_else(|| {
                let found = format!("`{}`", excerpt(raw.get()));
                let problem = self.rows.problem(self.line, found, "a text, a number, `true` or `false`");
                problem.at(format!("{}.{name}", self.rows.path))
            })
        };
        self.rows.names.iter().map(value).collect()
    }
}

/// A text decoded, a number or boolean as written.
fn scalar(raw: &RawValue) -> Option<String> {
    match raw.get().as_bytes().first()? {
        b'"' => serde_json::from_str(raw.get()).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(raw.get().to_owned()),
    }
}
