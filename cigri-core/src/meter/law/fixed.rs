//! The fixed law: always the same number of jobs waits.

use serde::{Deserialize, Serialize};

use super::{Enough, checked};
use crate::language::Problem;

/// Settings of the fixed law.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FixedSettings {
    /// Jobs of a shape that should wait.
    pub waiting: u64,
}

impl Default for FixedSettings {
    fn default() -> Self {
        FixedSettings { waiting: 50 }
    }
}

impl FixedSettings {
    /// What is wrong with them, in words.
    pub fn check(&self) -> Vec<Problem> {
        checked("waiting", self.waiting as f64, 1.0, 1_000_000.0)
    }
}

/// One shape's backlog.
#[derive(Debug, Clone, PartialEq)]
pub struct Fixed {
    wanted: u64,
    allotted: u64,
}

impl Fixed {
    /// As set.
    pub fn new(settings: FixedSettings) -> Fixed {
        Fixed { wanted: settings.waiting.max(1), allotted: u64::MAX }
    }

    /// Jobs that should wait, were this the only shape.
    pub fn wanted(&self) -> u64 {
        self.wanted
    }

    /// Jobs that should wait, beside other shapes.
    pub fn target(&self) -> u64 {
        self.wanted.min(self.allotted).max(1)
    }

    /// Why no more should wait.
    pub fn why(&self) -> Enough {
        if self.allotted < self.wanted { Enough::Part } else { Enough::Set }
    }

    /// What this shape may have waiting at most.
    pub fn allot(&mut self, most: u64) {
        self.allotted = most;
    }
}
