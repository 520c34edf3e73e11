//! How long tasks run: distributions that are written as short texts, drawn from a seed.

use std::fmt;
use std::str::FromStr;

use chacha20::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, StandardUniform};
use serde::{Deserialize, Serialize};

/// A distribution of durations, in seconds.
///
/// Written `60s`, `uniform:170s,310s`, `lognormal:63s,283s` (median, mean) or `gricad`; units are `s`, `min`, `h`, `d`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Duration {
    /// All alike.
    Constant(f64),
    /// Between two values.
    Uniform(f64, f64),
    /// By median and mean.
    LogNormal(f64, f64),
    /// Quantiles of 3 x 10^7 best-effort tasks of Gricad's clusters, 2017 to 2021 (Compas 2022, hal-03702246).
    Gricad,
}

/// Quantiles between which a logarithm is interpolated, and what is above them: an exponent with which the mean is the
/// published 1 143 s.
const GRICAD: [(f64, f64); 5] = [(0.0, 1.0), (0.5, 63.0), (0.75, 235.0), (0.95, 3938.0), (0.99, 26_920.0)];
const GRICAD_TAIL: f64 = 3.9;
const GRICAD_MOST: f64 = 685_200.0;

impl Duration {
    /// One duration, in milliseconds from 1 to 30 days.
    pub fn draw(&self, rng: &mut ChaCha8Rng) -> u32 {
        let seconds = match self {
            Duration::Constant(seconds) => *seconds,
            Duration::Uniform(least, most) => least + (most - least) * unit(rng),
            Duration::LogNormal(median, mean) => log_normal(*median, *mean, rng),
            Duration::Gricad => gricad(unit(rng)),
        };
        (seconds * 1000.0).clamp(1.0, 30.0 * 86_400e3) as u32
    }
}

/// A number in [0, 1).
pub(crate) fn unit(rng: &mut ChaCha8Rng) -> f64 {
    StandardUniform.sample(rng)
}

/// The mean of a log-normal is its median times exp(sigma^2 / 2).
fn log_normal(median: f64, mean: f64, rng: &mut ChaCha8Rng) -> f64 {
    let sigma = (2.0 * (mean / median).ln()).max(0.0).sqrt();
    LogNormal::new(median.ln(), sigma).map_or(median, |drawn| drawn.sample(rng))
}

fn gricad(at: f64) -> f64 {
    let above = GRICAD.windows(2).find(|pair| at < pair[1].0);
    match above {
        Some(pair) => {
            let part = (at - pair[0].0) / (pair[1].0 - pair[0].0);
            pair[0].1 * (pair[1].1 / pair[0].1).powf(part)
        }
        None => (26_920.0 * ((1.0 - at) / 0.01).powf(-1.0 / GRICAD_TAIL)).min(GRICAD_MOST),
    }
}

impl FromStr for Duration {
    type Err = String;

    /// An error says what was found and what was expected.
    fn from_str(text: &str) -> Result<Duration, String> {
        let expected = || {
            format!("\"{text}\" is no duration; one looks like 60s, uniform:170s,310s, lognormal:63s,283s or gricad")
        };
        let (kind, rest) = text.trim().split_once(':').unwrap_or(("", text.trim()));
        let pair = || rest.split_once(',').and_then(|(a, b)| seconds(a).zip(seconds(b)));
        match kind {
            "" if rest == "gricad" => Ok(Duration::Gricad),
            "" => seconds(rest).map(Duration::Constant).ok_or_else(expected),
            "uniform" => match pair().ok_or_else(expected)? {
                (least, most) if least <= most => Ok(Duration::Uniform(least, most)),
                _ => Err(format!("\"{text}\": the first number is the least, the second the most")),
            },
            "lognormal" => match pair().ok_or_else(expected)? {
                (median, mean) if median <= mean => Ok(Duration::LogNormal(median, mean)),
                _ => Err(format!("\"{text}\": median, then mean; the mean of a log-normal is not below its median")),
            },
            _ => Err(expected()),
        }
    }
}

/// A positive time: `90s`, `4min`, `1.5h`, `2d`, or seconds without a unit.
fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let factor = match &text[at..] {
        "" | "s" => 1.0,
        "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let value: f64 = text[..at].parse().ok()?;
    (value.is_finite() && value > 0.0).then_some(value * factor)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Duration::Constant(seconds) => write!(f, "{seconds}s"),
            Duration::Uniform(least, most) => write!(f, "uniform:{least}s,{most}s"),
            Duration::LogNormal(median, mean) => write!(f, "lognormal:{median}s,{mean}s"),
            Duration::Gricad => f.write_str("gricad"),
        }
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Duration, String> {
        text.parse()
    }
}

impl From<Duration> for String {
    fn from(duration: Duration) -> String {
        duration.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chacha20::rand_core::SeedableRng;

    fn mean(text: &str) -> f64 {
        let duration: Duration = text.parse().unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        (0..200_000).map(|_| f64::from(duration.draw(&mut rng)) / 1000.0).sum::<f64>() / 200_000.0
    }

    #[test]
    fn means_are_those_asked_for() {
        for (text, expected) in [("60s", 60.0), ("uniform:170s,310s", 240.0), ("lognormal:63s,283s", 283.0)] {
            let mean = mean(text);
            assert!((mean / expected - 1.0).abs() < 0.04, "{text}: {mean}");
        }
        let mean = mean("gricad");
        assert!((1050.0..1250.0).contains(&mean), "{mean}");
    }

    #[test]
    fn texts_are_read_and_written_back() {
        for text in ["60s", "uniform:170s,310s", "lognormal:63s,283s", "gricad"] {
            assert_eq!(text.parse::<Duration>().unwrap().to_string(), text);
        }
        assert_eq!("1.5h".parse(), Ok(Duration::Constant(5400.0)));
    }

    #[test]
    fn what_is_no_duration_is_refused_in_words() {
        for text in ["", "-3s", "0s", "nan", "uniform:3s", "lognormal:300s,60s", "weibull:1s,2s", "5 parsecs"] {
            assert!(text.parse::<Duration>().unwrap_err().contains(text), "{text}");
        }
    }
}
