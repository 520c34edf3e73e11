//! Sweeps with named parameters: each point is computed from its index, so that a bag of any size takes no room.

mod axis;
mod design;
mod names;
mod numbers;
mod object;
mod permutation;
mod read;
mod read_axis;

use serde::{Deserialize, Serialize};

pub use axis::Axis;
pub use design::{Design, Spread};
pub(in crate::language) use names::{check_name, check_words};
pub use names::{labelled, named_values, quoted};
pub(in crate::language) use read::{NO_FILE, read_sweep};

/// Name of the parameter that tells the repetitions of a point apart.
const REPEAT: &str = "repeat";

/// The named parameters of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Names of the parameters, in the order of a task's words.
    pub names: Vec<String>,
    /// Where their values come from.
    pub points: Points,
    /// Tasks per point, told apart by the last parameter, `repeat`, from 0; `None` is one without that parameter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u64>,
}

/// Where the values of a sweep come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Points {
    /// They were listed in a file and are stored, one text a task.
    Listed,
    /// Every combination; the last axis varies fastest.
    Product {
        /// Axes of one length that vary together, before the others.
        zip: Vec<Axis>,
        /// Axes that vary on their own.
        grid: Vec<Axis>,
    },
    /// Points drawn from the space between bounds.
    Drawn {
        /// In which manner.
        design: Design,
        /// How many.
        samples: u64,
        /// The same seed gives the same points.
        seed: u32,
        /// Bounds of each parameter.
        axes: Vec<Spread>,
    },
}

impl Sweep {
    /// A sweep whose values are stored.
    pub fn listed(names: Vec<String>) -> Self {
        Self { names, points: Points::Listed, repeat: None }
    }

    /// Number of tasks, as far as 128 bits hold it; 0 where the values are stored.
    pub fn count(&self) -> u128 {
        let points = match &self.points {
            Points::Listed => 0,
            Points::Product { zip, grid } => {
                let together = zip.first().into_iter().map(Axis::len);
                together.chain(grid.iter().map(Axis::len)).fold(1, |all: u128, len| all.saturating_mul(len.into()))
            }
            Points::Drawn { samples, .. } => (*samples).into(),
        };
        points.saturating_mul(self.repeat.unwrap_or(1).into())
    }

    /// The values of the task with this index (from 0), in the order of the names; nothing beyond the last, and where
    /// the values are stored.
    pub fn values(&self, index: u64) -> Option<Vec<String>> {
        if u128::from(index) >= self.count() {
            return None;
        }
        let repeat = self.repeat.unwrap_or(1).max(1);
        let mut values = match &self.points {
            Points::Listed => return None,
            Points::Product { zip, grid } => product(zip, grid, index / repeat)?,
            Points::Drawn { design, samples, seed, axes } => {
                let place = design::Place { design: *design, samples: *samples, seed: *seed, index: index / repeat };
                axes.iter().zip(0..).map(|(axis, dimension)| axis.at(place.unit(dimension))).collect()
            }
        };
        values.extend(self.repeat.is_some().then(|| (index % repeat).to_string()));
        Some(values)
    }

    /// The text of the task with this index: its values as words of a shell.
    pub fn text(&self, index: u64) -> Option<String> {
        self.values(index).map(|values| quoted(&values))
    }
}

fn product(zip: &[Axis], grid: &[Axis], point: u64) -> Option<Vec<String>> {
    let mut rest = point;
    let mut values = Vec::with_capacity(zip.len() + grid.len());
    for axis in grid.iter().rev() {
        values.push(axis.value(rest.checked_rem(axis.len())?)?);
        rest /= axis.len();
    }
    for axis in zip.iter().rev() {
        values.push(axis.value(rest)?);
    }
    values.reverse();
    Some(values)
}
