//! How much text the language takes: a campaign file comes from anybody, and is read whole.

/// Bounds on a campaign file and its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest JSON document, in bytes. Streamed parameter files are not bounded by it.
    pub max_bytes: usize,
    /// Deepest nesting of objects and lists; the language itself needs four.
    pub max_depth: usize,
    /// Most values in the document, lists of strings not counted: what a hostile file may cost in memory.
    pub max_values: usize,
    /// Longest parameter, in bytes. Linux passes at most 128 KiB in one argument of a program.
    pub max_parameter_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_depth: 16, max_values: 2_000_000, max_parameter_bytes: 64 << 10 }
    }
}
