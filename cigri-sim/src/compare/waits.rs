//! How much longer other people's normal jobs wait with us, and how sure that is: their queues are chaotic, one start
//! more or less moves many others.

use std::fmt;

use crate::outcome::Outcome;

/// A mean over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error; none with a single seed.
    pub error: Option<f64>,
}

impl Estimate {
    fn of(values: &[f64]) -> Estimate {
        let count = values.len().max(1) as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (values.len() > 1).then(|| (squares / (count - 1.0) / count).sqrt());
        Estimate { mean, error }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:+.2}", self.mean)?;
        self.error.map_or(Ok(()), |error| write!(f, " ± {error:.2}"))
    }
}

/// By how many scheduling rounds the mean wait of normal jobs, and its 95th centile, are longer with us: over the runs;
/// none where there are no normal jobs.
pub(super) fn rounds_worse(runs: &[Outcome]) -> Option<[Estimate; 2]> {
    let worse: Vec<(f64, f64)> = runs.iter().filter_map(|run| Some(run.normal?.rounds_worse())).collect();
    if worse.is_empty() {
        return None;
    }
    let (means, centiles): (Vec<f64>, Vec<f64>) = worse.into_iter().unzip();
    Some([Estimate::of(&means), Estimate::of(&centiles)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_told_with_its_standard_error() {
        let estimate = Estimate::of(&[1.0, 3.0, 5.0, 7.0]);
        // The deviations' squares are 20: of a value sqrt(20 / 3), of the mean half of that.
        assert_eq!((estimate.mean, estimate.error), (4.0, Some((5.0f64 / 3.0).sqrt())));
        assert_eq!(estimate.to_string(), "+4.00 ± 1.29");
        assert_eq!(Estimate::of(&[-0.5]).to_string(), "-0.50");
    }
}
