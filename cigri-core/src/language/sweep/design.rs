//! Points drawn from a space: each coordinate depends on the seed, the index and the dimension alone.

use serde::{Deserialize, Serialize};

use super::numbers::{BINARY, POWER, log_between, short};
use super::permutation::{image, word};

/// How points are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Design {
    /// Independent and uniform (ChaCha8).
    Random,
    /// In each dimension one point in each of so many slices of equal width.
    LatinHypercube,
    /// Sobol's sequence with Owen's scrambling.
    Sobol,
}

impl Design {
    /// Most points of one seed.
    pub fn most_samples(self) -> u64 {
        match self {
            Self::Random | Self::LatinHypercube => 1_000_000_000,
            Self::Sobol => 1 << 16,
        }
    }
}

/// The bounds that the values of one parameter are drawn between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spread {
    /// Numbers, to 15 digits, or 12 where the logarithm is uniform.
    Real {
        /// Lower bound, in digits.
        from: String,
        /// Upper bound, in digits.
        to: String,
        /// Uniform in the logarithm.
        log: bool,
    },
    /// Whole numbers, both bounds included.
    Whole {
        /// The least.
        from: i64,
        /// The greatest.
        to: i64,
    },
    /// One of these.
    List(Vec<String>),
}

impl Spread {
    /// The value at a place from 0 to below 1.
    pub(super) fn at(&self, unit: f64) -> String {
        match self {
            Self::Real { from, to, log } => {
                let (from, to): (f64, f64) = (from.parse().unwrap_or_default(), to.parse().unwrap_or_default());
                match log {
                    true => short(log_between(from, to, unit), POWER),
                    false => short(from + (to - from) * unit, BINARY),
                }
            }
            Self::Whole { from, to } => {
                let width = to.saturating_sub(*from).saturating_add(1);
                let steps = (unit * width as f64) as i64;
                from.saturating_add(steps.min(width - 1)).to_string()
            }
            Self::List(values) => {
                let at = (unit * values.len() as f64) as usize;
                values.get(at.min(values.len().saturating_sub(1))).cloned().unwrap_or_default()
            }
        }
    }
}

/// One point of a design.
pub(super) struct Place {
    pub(super) design: Design,
    pub(super) samples: u64,
    pub(super) seed: u32,
    /// Below `samples`.
    pub(super) index: u64,
}

/// Where the streams of the permutations begin, apart from those of the coordinates.
const SLICES: u64 = 1 << 32;

impl Place {
    /// The coordinate in a dimension, from 0 to below 1.
    pub(super) fn unit(&self, dimension: u32) -> f64 {
        let stream = u64::from(dimension);
        let random = || (word(self.seed, stream, self.index) >> 11) as f64 / (1_u64 << 53) as f64;
        match self.design {
            Design::Random => random(),
            Design::LatinHypercube => {
                let slice = image(self.seed, SLICES + stream, self.samples, self.index);
                // A large slice leaves no bits for a part close to 1.
                (slice as f64 + random()).min((slice as f64 + 1.0).next_down()) / self.samples as f64
            }
            // The index is below 2^16, which every seed's sequence has.
            Design::Sobol => sobol_burley::sample(self.index as u32, dimension, self.seed).into(),
        }
    }
}
