//! Laws: how many of our jobs should wait in a cluster's queue, from what was seen there.
//!
//! A law is kept for each kind of job ([`Key`]) and moved by every look ([`Sighting`]); it never sees a clock but that
//! of the look.

mod adaptive;
mod enough;
mod fixed;
mod quiet;
mod tap;

#[cfg(test)]
mod contest_tests;
#[cfg(test)]
mod law_tests;

use std::sync::Arc;

pub use adaptive::{Adaptive, AdaptiveSettings};
pub use enough::Enough;
pub use fixed::{Fixed, FixedSettings};
pub(super) use quiet::Quiet;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
pub use tap::{Tap3, Tap3Settings, TapPaper, TapPaperSettings};

use crate::language::Problem;

/// Rounds of 90 s without a start: CiGri 3's patience with a waiting job.
const PATIENCE: u32 = 10;

/// Which law, with its settings; read from its name alone as well, which leaves them at their defaults.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", tag = "name", rename_all = "kebab-case")]
pub enum LawSettings {
    /// Follows the starts seen.
    Adaptive(AdaptiveSettings),
    /// CiGri 3's.
    #[serde(rename = "tap-3")]
    Tap3(Tap3Settings),
    /// The one that the papers about CiGri describe.
    TapPaper(TapPaperSettings),
    /// Always as many jobs wait.
    Fixed(FixedSettings),
}

impl Default for LawSettings {
    fn default() -> LawSettings {
        LawSettings::Adaptive(AdaptiveSettings::default())
    }
}

impl Serialize for LawSettings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LawSettings::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for LawSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LawSettings, D::Error> {
        let settings = match Value::deserialize(deserializer)? {
            Value::String(name) => json!({ "name": name }),
            settings => settings,
        };
        LawSettings::deserialize(settings).map_err(D::Error::custom)
    }
}

impl LawSettings {
    /// The names of all.
    pub const NAMES: [&str; 4] = ["adaptive", "tap-3", "tap-paper", "fixed"];

    /// What is wrong with the settings, in words: which one, what it is and what it may be.
    pub fn check(&self) -> Vec<Problem> {
        match self {
            LawSettings::Adaptive(settings) => settings.check(),
            LawSettings::Tap3(settings) => settings.check(),
            LawSettings::TapPaper(settings) => settings.check(),
            LawSettings::Fixed(settings) => settings.check(),
        }
    }

    /// The name that the configuration knows it by.
    pub fn name(&self) -> &'static str {
        match self {
            LawSettings::Adaptive(_) => "adaptive",
            LawSettings::Tap3(_) => "tap-3",
            LawSettings::TapPaper(_) => "tap-paper",
            LawSettings::Fixed(_) => "fixed",
        }
    }

    /// Whether a round serves one campaign only, and none behind a tap that closed lately: CiGri 3's way.
    pub fn serves_one_campaign(&self) -> bool {
        matches!(self, LawSettings::Tap3(_))
    }

    /// Rounds without a start after which what waits is taken back, but for one probe; 0: never.
    pub(super) fn patience(&self) -> u32 {
        match self {
            LawSettings::Adaptive(settings) => settings.patience,
            _ => PATIENCE,
        }
    }

    /// Whether it is kept for each campaign, not for each shape.
    pub(super) fn is_of_campaigns(&self) -> bool {
        matches!(self, LawSettings::Tap3(_) | LawSettings::TapPaper(_))
    }
}

/// `key` is what is wrong, unless `value` is within `least` and `most`.
fn checked(key: &str, value: f64, least: f64, most: f64) -> Vec<Problem> {
    if (least..=most).contains(&value) {
        return Vec::new();
    }
    vec![Problem::new(format!("law.{key}"), value.to_string(), format!("a number from {least} to {most}"))]
}

/// SplitMix64's mixing step: chance, from a seed.
fn mixed(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What a law is kept for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// Jobs that ask for the same: a scheduler starts, or leaves, them alike.
    Shape(Arc<str>),
    /// A campaign's jobs.
    Campaign(i64),
}

impl Key {
    /// A seed of its own for each key.
    pub(super) fn seed(&self, seed: u64) -> u64 {
        match self {
            Key::Shape(shape) => shape.bytes().fold(mixed(seed), |seed, byte| mixed(seed ^ u64::from(byte))),
            Key::Campaign(id) => mixed(mixed(seed) ^ *id as u64),
        }
    }
}

/// What a look showed of one key's jobs, since the last one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sighting {
    /// Jobs launching, in doubt, held or waiting, by the ledger.
    pub waiting: u64,
    /// Jobs that run, by the ledger.
    pub running: u64,
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
    /// See [`Tap3`].
    Tap3(Tap3),
    /// See [`TapPaper`].
    TapPaper(TapPaper),
    /// See [`Fixed`].
    Fixed(Fixed),
}

impl Law {
    /// Before anything was seen. What is left to chance is decided by `seed`.
    pub fn new(settings: &LawSettings, seed: u64) -> Law {
        match settings {
            LawSettings::Adaptive(settings) => Law::Adaptive(Adaptive::new(*settings, seed)),
            LawSettings::Tap3(settings) => Law::Tap3(Tap3::new(*settings)),
            LawSettings::TapPaper(settings) => Law::TapPaper(TapPaper::new(*settings)),
            LawSettings::Fixed(settings) => Law::Fixed(Fixed::new(*settings)),
        }
    }

    /// Moves after a look at `now` (epoch milliseconds); `most` jobs may wait.
    pub fn observe(&mut self, now: i64, seen: &Sighting, most: u64) {
        match self {
            Law::Adaptive(law) => law.observe(now, seen, most),
            Law::Tap3(law) => law.observe(now, seen),
            Law::TapPaper(law) => law.observe(seen),
            Law::Fixed(_) => {}
        }
    }

    /// Jobs were sent.
    pub fn sent(&mut self, jobs: u64) {
        match self {
            Law::Adaptive(law) => law.sent(jobs),
            Law::Tap3(law) => law.sent(jobs),
            Law::TapPaper(law) => law.sent(jobs),
            Law::Fixed(_) => {}
        }
    }

    /// Jobs that should wait, were there no other law beside it.
    pub fn wanted(&self) -> u64 {
        match self {
            Law::Adaptive(law) => law.wanted(),
            Law::Fixed(law) => law.wanted(),
            Law::Tap3(_) | Law::TapPaper(_) => self.target(),
        }
    }

    /// What it may have waiting, beside others. Taps know no others.
    pub fn allot(&mut self, most: u64) {
        match self {
            Law::Adaptive(law) => law.allot(most),
            Law::Fixed(law) => law.allot(most),
            Law::Tap3(_) | Law::TapPaper(_) => {}
        }
    }

    /// Jobs that should wait; of a tap, jobs per submission. Never 0.
    pub fn target(&self) -> u64 {
        match self {
            Law::Adaptive(law) => law.target(),
            Law::Tap3(law) => law.rate(),
            Law::TapPaper(law) => law.rate(),
            Law::Fixed(law) => law.target(),
        }
    }

    /// Jobs that may be sent while `waiting` wait.
    pub fn room(&self, waiting: u64) -> u64 {
        match self {
            Law::Adaptive(law) => law.room(waiting),
            Law::Tap3(law) => law.room(),
            Law::TapPaper(law) => law.room(),
            Law::Fixed(law) => law.target().saturating_sub(waiting),
        }
    }

    /// Why no more should wait.
    pub fn why(&self) -> Enough {
        match self {
            Law::Adaptive(law) => law.why(),
            Law::Tap3(law) => law.why(),
            Law::TapPaper(law) => law.why(),
            Law::Fixed(law) => law.why(),
        }
    }

    /// Whether campaigns behind this one's have to wait as well.
    pub fn holds_others(&self) -> bool {
        matches!(self, Law::Tap3(law) if law.holds_others())
    }
}
