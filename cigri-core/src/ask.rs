//! What a user asks for the next attempts of tasks in place of what the campaign's file says: more time, other resources.

use serde::{Deserialize, Serialize};

use crate::language::{ClusterSpec, parse_resources, parse_walltime};

/// OAR adds walltimes to dates: a year and more is a slip.
const LONGEST_S: u64 = 365 * 24 * 3600 - 1;
/// Nobody means more than that.
const MOST_TIMES: f64 = 1000.0;

/// How long tasks may take.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Time {
    /// So many times as long as the campaign's file says for the cluster.
    Times(f64),
    /// So many seconds, on every cluster.
    Seconds(u64),
}

/// What is asked for; what is not there is as the campaign's file says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ask {
    /// Walltime.
    pub time: Option<Time>,
    /// Resources, without walltime.
    pub resources: Option<String>,
}

/// A word that is no walltime, or no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// Neither a factor nor a duration.
    #[error("`{0}` is no walltime: `x2` (twice as long, up to x1000) or `h`, `h:m`, `h:m:s` below a year was expected")]
    Time(String),
    /// OAR would not understand it.
    #[error("`{0}` is no request without walltime, such as `/core=2` or `/nodes=1/core=4`")]
    Resources(String),
}

/// Reads `x2`, `x1.5`, `2:00:00`.
pub fn parse_time(text: &str) -> Result<Time, AskError> {
    let wrong = || AskError::Time(text.to_owned());
    match text.strip_prefix(['x', 'X']) {
        Some(factor) => {
            let factor = factor.parse::<f64>().ok().filter(|factor| *factor > 0.0 && *factor <= MOST_TIMES);
            factor.map(Time::Times).ok_or_else(wrong)
        }
        None => parse_walltime(text).map(Time::Seconds).ok_or_else(wrong),
    }
}

impl Ask {
    /// What a user types.
    pub fn parse(walltime: Option<&str>, resources: Option<&str>) -> Result<Ask, AskError> {
        let time = walltime.map(parse_time).transpose()?;
        let read = |text: &str| parse_resources(text).ok_or_else(|| AskError::Resources(text.to_owned()));
        Ok(Ask { time, resources: resources.map(read).transpose()? })
    }

    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.time.is_none() && self.resources.is_none()
    }

    /// Whether what it asks for depends on what was asked for before.
    pub fn is_relative(&self) -> bool {
        matches!(self.time, Some(Time::Times(_)))
    }

    /// The same after another: a factor multiplies, all else takes its place.
    pub fn after(&self, before: &Ask) -> Ask {
        let time = match (self.time, before.time) {
            (Some(Time::Times(factor)), Some(Time::Times(known))) => {
                Some(Time::Times((factor * known).min(MOST_TIMES)))
            }
            (Some(Time::Times(factor)), Some(Time::Seconds(known))) => Some(Time::Seconds(times(known, factor))),
            (own, known) => own.or(known),
        };
        Ask { time, resources: self.resources.clone().or_else(|| before.resources.clone()) }
    }

    /// What the tasks ask for on a cluster whose best-effort jobs may take `longest_s`, if that is known. What the
    /// campaign's file asks for is never cut.
    pub fn apply(&self, spec: &ClusterSpec, longest_s: Option<u64>) -> ClusterSpec {
        let wanted = match self.time {
            None => spec.walltime_s,
            Some(Time::Times(factor)) => times(spec.walltime_s, factor),
            Some(Time::Seconds(seconds)) => seconds.min(LONGEST_S),
        };
        let longest_s = longest_s.filter(|_| spec.kind.may_be_killed()).unwrap_or(LONGEST_S);
        ClusterSpec {
            walltime_s: wanted.min(longest_s.max(spec.walltime_s)),
            resources: self.resources.clone().unwrap_or_else(|| spec.resources.clone()),
            ..spec.clone()
        }
    }
}

/// At least a second; a float's fractions of one do not matter.
fn times(seconds: u64, factor: f64) -> u64 {
    ((seconds as f64 * factor).round() as u64).clamp(1, LONGEST_S)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::JobKind;

    fn spec() -> ClusterSpec {
        ClusterSpec { walltime_s: 3600, ..ClusterSpec::new("./sim", "/home/alice") }
    }

    fn walltime(text: &str, longest_s: Option<u64>) -> u64 {
        Ask::parse(Some(text), None).unwrap().apply(&spec(), longest_s).walltime_s
    }

    #[test]
    fn a_walltime_is_a_factor_or_a_duration() {
        assert_eq!([walltime("x2", None), walltime("x1.5", None), walltime("2:30", None)], [7200, 5400, 9000]);
        for wrong in ["2x", "x0", "x-1", "xNaN", "xinf", "x1001", "", "x", "0", "9000:0:0", "1:-1"] {
            assert!(parse_time(wrong).is_err(), "{wrong}");
        }
        let more = Ask::parse(None, Some("/core=4")).unwrap();
        assert_eq!(more.apply(&spec(), None).resource_request(), "/core=4,walltime=01:00:00");
        for wrong in ["/core=", "/core=1,walltime=1", "walltime=1", ""] {
            assert!(Ask::parse(None, Some(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cluster_has_its_limit_for_jobs_that_it_may_kill() {
        assert_eq!([walltime("x4", Some(7200)), walltime("x4", Some(60))], [7200, 3600], "never below the file's");
        let by_day = ClusterSpec { kind: JobKind::SemiBestEffort, ..spec() };
        assert_eq!(Ask::parse(Some("x4"), None).unwrap().apply(&by_day, Some(7200)).walltime_s, 7200);
        let normal = ClusterSpec { kind: JobKind::Normal, ..spec() };
        assert_eq!(Ask::parse(Some("x4"), None).unwrap().apply(&normal, Some(7200)).walltime_s, 14_400);
    }

    #[test]
    fn factors_multiply_and_the_rest_is_replaced() {
        let ask = |time: Option<&str>, resources: Option<&str>| Ask::parse(time, resources).unwrap();
        let twice = ask(Some("x2"), Some("/core=2"));
        assert_eq!(ask(Some("x2"), None).after(&twice), ask(Some("x4"), Some("/core=2")));
        assert_eq!(ask(Some("x2"), None).after(&ask(Some("1:00"), None)), ask(Some("2:00"), None));
        assert_eq!(ask(Some("3:00"), None).after(&twice).time, Some(Time::Seconds(10_800)));
        assert_eq!(ask(None, Some("/core=8")).after(&twice), ask(Some("x2"), Some("/core=8")));
    }
}
