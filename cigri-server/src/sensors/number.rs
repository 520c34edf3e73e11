//! What a sensor printed, as a number.

/// A number that a sensor told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Reading {
    /// The load.
    pub(crate) value: f64,
    /// Epoch milliseconds.
    pub(crate) at: i64,
}

/// Loads above this are no loads.
const MOST: f64 = 1e9;

/// The number with which the text begins; an error says what was found instead.
pub(crate) fn parse(text: &str) -> Result<f64, String> {
    let Some(word) = text.split_whitespace().next() else { return Err("it prints nothing".to_owned()) };
    let shown: String = word.chars().take(40).collect();
    match word.parse::<f64>() {
        Ok(value) if (0.0..MOST).contains(&value) => Ok(value),
        Ok(_) => Err(format!("it prints {shown}; a load is a number from 0 to {MOST:e}")),
        Err(_) => Err(format!("it prints \"{shown}\", which is no number")),
    }
}
