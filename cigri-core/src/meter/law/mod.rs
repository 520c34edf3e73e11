//! Laws: how many of our jobs should wait in a cluster's queue, from what was seen there.
//!
//! A law is kept for each kind of job ([`Key`]) and moved by every look ([`Sighting`]); it never sees a clock but that
//! of the look.

mod adaptive;

use std::sync::Arc;

pub use adaptive::{Adaptive, AdaptiveSettings};
use serde::{Deserialize, Serialize};

/// Which law, with its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum LawSettings {
    /// Follows the starts seen.
    Adaptive(AdaptiveSettings),
}

impl Default for LawSettings {
    fn default() -> LawSettings {
        LawSettings::Adaptive(AdaptiveSettings::default())
    }
}

/// What a law is kept for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Jobs that ask for the same: a scheduler starts, or leaves, them alike.
    Shape(Arc<str>),
    /// A campaign's jobs.
    Campaign(i64),
}

/// What a look showed of one key's jobs, since the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sighting {
    /// Jobs launching, in doubt, held or waiting, by the ledger.
    pub waiting: u64,
    /// Jobs that left the queue since the last look.
    pub starts: u64,
    /// Jobs that were killed for others since the last look.
    pub kills: u64,
}

/// One law at work.
#[derive(Debug, Clone, PartialEq)]
pub enum Law {
    /// See [`Adaptive`].
    Adaptive(Adaptive),
}

impl Law {
    /// Before anything was seen.
    pub fn new(settings: &LawSettings) -> Law {
        match settings {
            LawSettings::Adaptive(settings) => Law::Adaptive(Adaptive::new(*settings)),
        }
    }

    /// Moves after a look at `now` (epoch milliseconds); `most` jobs may wait.
    pub fn observe(&mut self, now: i64, seen: &Sighting, most: u64) {
        match self {
            Law::Adaptive(law) => law.observe(now, seen, most),
        }
    }

    /// Jobs were sent at `now`.
    pub fn sent(&mut self, _now: i64, _jobs: u64) {}

    /// Jobs that should wait.
    pub fn target(&self) -> u64 {
        match self {
            Law::Adaptive(law) => law.target(),
        }
    }

    /// Jobs that may be sent while `waiting` wait.
    pub fn room(&self, waiting: u64) -> u64 {
        match self {
            Law::Adaptive(law) => law.room(waiting),
        }
    }
}
