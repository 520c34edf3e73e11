//! Why no more jobs of a kind should wait, for people.

use serde::{Deserialize, Serialize};

/// Why no more jobs should wait than do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enough {
    /// As many wait as the starts seen call for.
    #[default]
    ForStarts,
    /// No start was seen yet.
    UntilStarts,
    /// Other kinds of jobs have a part of what may wait as well.
    Part,
    /// The queue is filled up in one go, when it is low.
    UntilLow {
        /// Waiting jobs from which on it is.
        low: u64,
    },
    /// Many more were killed than started.
    Storm {
        /// Seconds until jobs are sent again.
        left_s: u64,
    },
    /// None was started for many rounds: there is one to try with.
    Probe,
    /// The number is set.
    Set,
    /// A tap lets so many through at a time.
    Tap,
    /// A tap is closed while jobs wait.
    TapClosed,
    /// A tap is closed until all are done.
    TapLive {
        /// Jobs that are not.
        live: u64,
    },
}
