//! A word of a task's parameters as what it looks like: conditions read it so, and what is told as a condition is written
//! so that it is read as the same.

/// What a word is taken for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Word<'a> {
    /// A whole number.
    Whole(i64),
    /// Another number.
    Number(f64),
    /// Anything else.
    Text(&'a str),
}

impl Word<'_> {
    pub(crate) fn read(word: &str) -> Word<'_> {
        if let Ok(number) = word.parse::<i64>() {
            return Word::Whole(number);
        }
        match word.parse::<f64>() {
            Ok(number) if number.is_finite() => Word::Number(number),
            _ => Word::Text(word),
        }
    }

    /// The same in CEL; none for texts with signs that are written in ways of its own.
    pub(crate) fn literal(self) -> Option<String> {
        match self {
            Word::Whole(number) => Some(number.to_string()),
            Word::Number(number) => Some(format!("{number:?}")),
            Word::Text(text) if text.chars().any(char::is_control) => None,
            Word::Text(text) => Some(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))),
        }
    }
}
