//! One axis of a grid: a list, or a range whose values are computed one by one.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::numbers::{BINARY, POWER, log_between, short};

/// The values of one parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Axis {
    /// These, as written.
    List(Vec<String>),
    /// `from`, `from + step`, ... computed in decimal, so that 0.1 + 2 * 0.1 is 0.3.
    Steps {
        /// The first.
        from: Decimal,
        /// What lies between two, of either sign.
        step: Decimal,
        /// How many, from 1.
        count: u64,
    },
    /// So many values at equal distances, both ends included, to 15 digits.
    Linear {
        /// The first.
        from: Decimal,
        /// The last.
        to: Decimal,
        /// How many, from 2.
        count: u64,
    },
    /// So many values at equal ratios, both ends included, to 12 digits (15 at the ends).
    Log {
        /// The first, in digits.
        from: String,
        /// The last, in digits.
        to: String,
        /// How many, from 2.
        count: u64,
    },
}

impl Axis {
    /// How many values it has.
    pub fn len(&self) -> u64 {
        match self {
            Self::List(values) => values.len() as u64,
            Self::Steps { count, .. } | Self::Linear { count, .. } | Self::Log { count, .. } => *count,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at a place (from 0), if there is one.
    pub fn value(&self, at: u64) -> Option<String> {
        if at >= self.len() {
            return None;
        }
        match self {
            Self::List(values) => values.get(usize::try_from(at).ok()?).cloned(),
            Self::Steps { from, step, .. } => {
                let value = from.checked_add(step.checked_mul(at.into())?)?;
                Some(value.normalize().to_string())
            }
            Self::Linear { from, to, count } => {
                let done = to.checked_sub(*from)?.checked_mul(at.into())?;
                let value = from.checked_add(done.checked_div(count.saturating_sub(1).into())?)?;
                Some(value.round_sf(15)?.normalize().to_string())
            }
            Self::Log { from, to, count } => {
                let (from, to, last) = (from.parse().ok()?, to.parse().ok()?, count.saturating_sub(1));
                Some(match at {
                    0 => short(from, BINARY),
                    at if at == last => short(to, BINARY),
                    at => short(log_between(from, to, at as f64 / last as f64), POWER),
                })
            }
        }
    }
}
