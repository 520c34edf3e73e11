//! From JSON text to the tree: size, encoding, syntax, depth and duplicate keys are settled here, each with line and column.

use std::collections::HashMap;

use serde_json::value::RawValue;

use super::level::{Level, read_level};
use super::limits::Limits;
use super::problem::{Problem, Problems, Report, excerpt};
use super::tree::{Node, Value};

/// Reads a document into a tree. Keys given twice come with it, to be told along with the faults of the fields.
///
/// # Errors
/// The first fault of size, encoding or syntax, or else all values nested too deep.
pub(super) fn read(text: &[u8], limits: &Limits) -> Result<(Node, Report), Problems> {
    let text = decode(text, limits)?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| syntax_problem(text, 0, &error))?;
    let mut reader = Reader {
        text,
        cursor: Cursor::default(),
        limits,
        values_left: limits.max_values,
        report: Report::default(),
        twice: Report::default(),
    };
    let root = reader.node(raw, "", 1)?;
    reader.report.finish()?;
    Ok((root, reader.twice))
}

fn decode<'a>(text: &'a [u8], limits: &Limits) -> Result<&'a str, Problem> {
    if text.len() > limits.max_bytes {
        let expected = format!("at most {} bytes", limits.max_bytes);
        return Err(Problem::new("", format!("{} bytes", text.len()), expected)
            .hint("put the parameters into a `param_file`, which may have any size")
            .on_line(1, 1));
    }
    // Editors on other systems write a byte order mark; JSON itself knows none.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    std::str::from_utf8(text).map_err(|error| {
        let start = error.valid_up_to();
        let valid = std::str::from_utf8(&text[..start]).unwrap_or_default();
        let (line, column) = Cursor::default().advance(valid, start);
        let found = text.get(start).copied().unwrap_or_default();
        Problem::new("", format!("the byte 0x{found:02x}"), "UTF-8 text").on_line(line, column)
    })
}

struct Reader<'a> {
    text: &'a str,
    cursor: Cursor,
    limits: &'a Limits,
    values_left: usize,
    /// Values nested too deep.
    report: Report,
    /// Keys given twice.
    twice: Report,
}

impl Reader<'_> {
    fn node(&mut self, raw: &RawValue, path: &str, depth: usize) -> Result<Node, Problem> {
        let start = self.offset(raw.get());
        let place = self.cursor.advance(self.text, start);
        let value = match raw.get().as_bytes().first() {
            Some(b'{' | b'[') if depth > self.limits.max_depth => self.too_deep(path, place),
            Some(b'{') => self.object(raw.get(), path, depth)?,
            Some(b'[') => self.list(raw.get(), path, depth)?,
            Some(b'"') => Value::Text(self.decoded(raw.get())?),
            Some(b't') => Value::Bool(true),
            Some(b'f') => Value::Bool(false),
            Some(b'n') => Value::Null,
            _ => Value::Number(raw.get().to_owned()),
        };
        Ok(Node { place, value })
    }

    fn object(&mut self, raw: &str, path: &str, depth: usize) -> Result<Value, Problem> {
        let members = self.level(raw)?;
        let mut seen: HashMap<String, (usize, usize)> = HashMap::with_capacity(members.len());
        let mut fields = Vec::with_capacity(members.len());
        for (key, raw) in members {
            let path = member_path(path, &key);
            let node = self.node(raw, &path, depth + 1)?;
            // CiGri 3 takes top-level keys in any case, so two spellings of one key are twice the same.
            let name = if depth == 1 { key.to_ascii_lowercase() } else { key.clone() };
            if let Some(first) = seen.insert(name, node.place) {
                self.twice.refuse(
                    Problem::new(
                        path,
                        format!("a second value (the first is on line {})", first.0),
                        "each key only once",
                    )
                    .on_line(node.place.0, node.place.1),
                );
            }
            fields.push((key, node));
        }
        Ok(Value::Object(fields))
    }

    fn list(&mut self, raw: &str, path: &str, depth: usize) -> Result<Value, Problem> {
        if let Ok(texts) = serde_json::from_str::<Vec<String>>(raw) {
            return Ok(Value::Texts(texts));
        }
        self.level(raw)?
            .into_iter()
            .enumerate()
            .map(|(index, (_, item))| self.node(item, &format!("{path}[{index}]"), depth + 1))
            .collect::<Result<_, _>>()
            .map(Value::List)
    }

    /// Takes one level apart, within the bound on all values of the document.
    fn level<'de>(&mut self, raw: &'de str) -> Result<Level<'de>, Problem> {
        let level =
            read_level(raw, self.values_left).map_err(|error| syntax_problem(self.text, self.offset(raw), &error))?;
        let Some(level) = level else {
            let expected = format!("at most {} values", self.limits.max_values);
            let (line, column) = self.cursor.advance(self.text, self.offset(raw));
            return Err(Problem::new("", "more values", expected)
                .hint("put the parameters into a `param_file`, which may have any size")
                .on_line(line, column));
        };
        self.values_left -= level.len();
        Ok(level)
    }

    fn too_deep(&mut self, path: &str, (line, column): (usize, usize)) -> Value {
        self.report.refuse(
            Problem::new(
                path,
                format!("a value nested {} deep", self.limits.max_depth + 1),
                format!("at most {} levels of nesting", self.limits.max_depth),
            )
            .on_line(line, column),
        );
        Value::Null
    }

    /// Decodes a string; what the syntax check lets through and decoding refuses is a lone surrogate.
    fn decoded(&self, raw: &str) -> Result<String, Problem> {
        serde_json::from_str(raw).map_err(|error| syntax_problem(self.text, self.offset(raw), &error))
    }

    /// Where a slice of the text begins in it.
    fn offset(&self, slice: &str) -> usize {
        (slice.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }
}

/// `clusters` then `dahu` is `clusters.dahu`; strange keys are cut and escaped.
pub(super) fn member_path(parent: &str, key: &str) -> String {
    match parent {
        "" => excerpt(key),
        _ => format!("{parent}.{}", excerpt(key)),
    }
}

/// A place that only moves forward, so that all places of a text cost one pass over it.
struct Cursor {
    offset: usize,
    line: usize,
    column: usize,
}

impl Default for Cursor {
    fn default() -> Self {
        Self { offset: 0, line: 1, column: 1 }
    }
}

impl Cursor {
    /// Moves to a byte offset that is not before the present one; gives its line and column.
    fn advance(&mut self, text: &str, offset: usize) -> (usize, usize) {
        for character in text.get(self.offset..offset).unwrap_or_default().chars() {
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        self.offset = offset;
        (self.line, self.column)
    }
}

/// serde_json's complaint about `text[base..]` as a problem of `text`.
fn syntax_problem(text: &str, base: usize, error: &serde_json::Error) -> Problem {
    let slice = text.get(base..).unwrap_or_default();
    let line_start: usize = slice.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let mut offset = base + line_start + error.column().saturating_sub(1);
    while offset > 0 && !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let (line, column) = Cursor::default().advance(text, offset);
    let rest = text.get(offset..).unwrap_or_default();
    let found = match rest.lines().next().map(str::trim) {
        None => "the end of the text".into(),
        Some(_) if error.is_eof() => "the end of the text".into(),
        Some("") => "the end of the line".into(),
        Some(rest) => format!("`{}`", excerpt(rest)),
    };
    let message = error.to_string();
    let reason = message.split(" at line ").next().unwrap_or_default();
    let problem = Problem::new("", found, format!("valid JSON ({reason})")).on_line(line, column);
    let before = text.get(..offset).unwrap_or_default().trim_end();
    match before.ends_with(',') && rest.starts_with(['}', ']']) {
        true => problem.hint("a comma stands only between two entries: remove the last one"),
        false => problem,
    }
}
