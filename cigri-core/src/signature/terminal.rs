//! Bytes that were meant for a terminal, as a text: no escape sequences, no control characters, no bytes that are no text.

use std::iter::Peekable;
use std::str::Chars;

/// Only so many last bytes are read.
const MOST_BYTES: usize = 64 * 1024;

const ESCAPE: char = '\u{1b}';

/// The last lines of what was printed: bytes that are no UTF-8 are replaced, a line that was written over (a progress
/// bar) becomes several.
pub fn readable(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(MOST_BYTES);
    let text = String::from_utf8_lossy(bytes.get(start..).unwrap_or_default());
    let mut plain = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            ESCAPE => skip_sequence(&mut rest),
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' | '\n' => plain.push('\n'),
            '\t' => plain.push(' '),
            other if other.is_control() => {}
            other => plain.push(other),
        }
    }
    plain
}

/// Skips what follows an escape: `[` up to a letter or one of `@` to `~`, `]` up to a bell or the next escape, else one
/// character. A line's end ends any of them.
fn skip_sequence(rest: &mut Peekable<Chars<'_>>) {
    let ends: fn(char) -> bool = match rest.next_if(|next| !['\n', '\r', ESCAPE].contains(next)) {
        Some('[') => |character| ('@'..='~').contains(&character),
        Some(']') => |character| character == '\u{7}',
        _ => return,
    };
    while let Some(character) = rest.next_if(|next| !['\n', '\r', ESCAPE].contains(next)) {
        if ends(character) {
            return;
        }
    }
}
