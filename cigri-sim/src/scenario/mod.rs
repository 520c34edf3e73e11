//! A scenario: clusters, what others do there, what goes wrong, and the campaigns that arrive. One text file.

mod check;

use std::collections::BTreeMap;

use cigri_core::meter::ClusterLimits;
use serde::{Deserialize, Serialize};

use crate::duration::Duration;
use crate::load::Others;

/// What is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// Not the format, a key that does not exist, or a value of another kind; the text names the line and the key.
    #[error("{0}")]
    Format(String),
    /// A value that cannot be.
    #[error("{key}: {problem}")]
    Value {
        /// As in the file: `cluster[1].slots`.
        key: String,
        /// What was found and what was expected.
        problem: String,
    },
}

/// Everything that one run depends on, but for the seed and the traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called in tables.
    pub name: String,
    /// One sentence.
    #[serde(default)]
    pub about: String,
    /// The run is cut after so many hours.
    #[serde(default = "limit_h")]
    pub limit_h: f64,
    /// In comparisons it is run under so many seeds at most: for long ones.
    #[serde(default = "most_seeds")]
    pub most_seeds: u64,
    /// In comparisons other people's waits are taken from so many seeds, if these are more than the others: their queues
    /// are chaotic.
    #[serde(default)]
    pub normal_seeds: u64,
    /// The admin's limits on all clusters; a cluster's own go before.
    #[serde(default)]
    pub limits: toml::Table,
    /// At least one.
    #[serde(rename = "cluster")]
    pub clusters: Vec<Cluster>,
    /// At least one.
    #[serde(rename = "campaign")]
    pub campaigns: Vec<Campaign>,
}

fn limit_h() -> f64 {
    720.0
}

fn most_seeds() -> u64 {
    u64::MAX
}

/// A modelled cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Jobs of one slot that it runs at a time.
    pub slots: u32,
    /// Seconds between two rounds of its scheduler.
    #[serde(default = "round_s")]
    pub round_s: f64,
    /// Part of the round by which it may come earlier or later, 0 to 1.
    #[serde(default)]
    pub jitter: f64,
    /// What other users do.
    #[serde(default)]
    pub others: Others,
    /// The admin's limits here.
    #[serde(default)]
    pub limits: toml::Table,
    /// Every job that starts there fails within a second.
    #[serde(default)]
    pub black_hole: bool,
    /// When its API answers nothing.
    #[serde(default)]
    pub outages: Vec<Span>,
    /// The file server that its jobs use.
    pub file_server: Option<FileServer>,
    /// The limits in force: the default ones, the scenario's, its own.
    #[serde(skip)]
    pub resolved: ClusterLimits,
}

fn round_s() -> f64 {
    15.0
}

impl Cluster {
    /// An idle cluster of one slot, all the rest as in a file that does not say it.
    pub fn named(name: &str) -> Cluster {
        Cluster {
            name: name.to_owned(),
            slots: 1,
            round_s: round_s(),
            jitter: 0.0,
            others: Others::default(),
            limits: toml::Table::new(),
            black_hole: false,
            outages: Vec::new(),
            file_server: None,
            resolved: ClusterLimits::default(),
        }
    }
}

/// A span of time that may come again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Seconds from the beginning of the run.
    pub from_s: f64,
    /// Seconds.
    pub for_s: f64,
    /// Seconds from one beginning to the next; none: it comes once.
    pub every_s: Option<f64>,
}

impl Span {
    /// Whether `now` (milliseconds) is in it.
    pub fn contains(&self, now: i64) -> bool {
        let since = now as f64 / 1e3 - self.from_s;
        let since = self.every_s.map_or(since, |every| if since < 0.0 { since } else { since % every });
        (0.0..self.for_s).contains(&since)
    }
}

/// A file server: its load follows y' = a y + (1 - a) 0.00179 MB, every 30 s, with the megabytes that jobs moved
/// meanwhile and a = exp(-0.5), the kernel's load average (Guilloteau, hal-03167242).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileServer {
    /// The load above which it is overloaded: its cores.
    #[serde(default = "cores")]
    pub limit: f64,
    /// When its sensor prints nothing.
    #[serde(default)]
    pub silent: Vec<Span>,
    /// When its sensor says that there is no load.
    #[serde(default)]
    pub lies: Vec<Span>,
}

fn cores() -> f64 {
    8.0
}

/// A campaign that arrives.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// Login.
    #[serde(default = "owner")]
    pub owner: String,
    /// How many.
    pub tasks: u64,
    /// How long each runs.
    pub duration: Duration,
    /// Seconds from the beginning of the run.
    #[serde(default)]
    pub at_s: f64,
    /// Among its owner's, a higher one goes first.
    #[serde(default)]
    pub priority: i32,
    /// Live jobs per cluster.
    pub max_jobs: Option<u64>,
    /// Live jobs on clusters that are named.
    #[serde(default)]
    pub max_jobs_on: BTreeMap<String, u64>,
    /// Slots that each of its jobs takes.
    #[serde(default = "slots")]
    pub slots: u32,
    /// Megabytes that each of its jobs moves when it ends.
    #[serde(default)]
    pub job_mb: f64,
    /// Where it may run; everywhere, if none is named.
    #[serde(default)]
    pub clusters: Vec<String>,
}

fn owner() -> String {
    "alice".to_owned()
}

fn slots() -> u32 {
    1
}

impl Campaign {
    /// One that is there from the beginning, all the rest as in a file that does not say it.
    pub fn new(tasks: u64, duration: Duration) -> Campaign {
        Campaign {
            owner: owner(),
            tasks,
            duration,
            at_s: 0.0,
            priority: 0,
            max_jobs: None,
            max_jobs_on: BTreeMap::new(),
            slots: slots(),
            job_mb: 0.0,
            clusters: Vec::new(),
        }
    }
}

impl Scenario {
    /// Reads and checks a scenario.
    ///
    /// # Errors
    /// [`ScenarioError`], with the key.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let scenario: Scenario = toml::from_str(text).map_err(|error| ScenarioError::Format(error.to_string()))?;
        scenario.resolved()
    }

    /// With the limits in force, and checked.
    ///
    /// # Errors
    /// [`ScenarioError`], with the key.
    pub fn resolved(mut self) -> Result<Scenario, ScenarioError> {
        for (index, cluster) in self.clusters.iter_mut().enumerate() {
            cluster.resolved = resolve(&self.limits, &cluster.limits, index)?;
        }
        check::check(&self)?;
        Ok(self)
    }

    /// The traces that it names.
    pub fn traces(&self) -> impl Iterator<Item = &str> {
        self.clusters.iter().filter_map(|cluster| match &cluster.others {
            Others::Trace { file, .. } => Some(file.as_str()),
            _ => None,
        })
    }
}

/// Parsed traces, by the name that scenarios give them.
pub type Traces = BTreeMap<String, Vec<crate::load::OtherJob>>;

fn resolve(common: &toml::Table, own: &toml::Table, index: usize) -> Result<ClusterLimits, ScenarioError> {
    let mut table = common.clone();
    table.extend(own.clone());
    if let Some(toml::Value::String(name)) = table.get("law") {
        let named = toml::Table::from_iter([("name".to_owned(), toml::Value::String(name.clone()))]);
        table.insert("law".to_owned(), toml::Value::Table(named));
    }
    // One key at a time first: the error of a whole table does not say which one it is about.
    for (key, value) in &table {
        let alone = toml::Table::from_iter([(key.clone(), value.clone())]);
        read_limits(alone, format!("cluster[{index}].limits.{key}"))?;
    }
    read_limits(table, format!("cluster[{index}].limits"))
}

fn read_limits(table: toml::Table, key: String) -> Result<ClusterLimits, ScenarioError> {
    let value = |error: toml::de::Error| ScenarioError::Value { key, problem: error.message().to_owned() };
    table.try_into().map_err(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name = \"a\"\n[limits]\nmax_waiting = 60\n[[cluster]]\nname = \"dahu\"\nslots = 10\n\
                        [[campaign]]\ntasks = 5\nduration = \"60s\"\n";

    #[test]
    fn a_cluster_has_the_common_limits_and_its_own() {
        let text = GOOD.replace("slots = 10", "slots = 10\nlimits = { max_per_cycle = 7 }");
        let limits = Scenario::parse(&text).unwrap().clusters[0].resolved.clone();
        assert_eq!((limits.max_waiting, limits.max_per_cycle, limits.max_array), (60, 7, 500));
    }

    #[test]
    fn a_law_may_be_its_name_alone() {
        let text = GOOD.replace("max_waiting = 60", "law = \"fixed\"");
        assert_eq!(Scenario::parse(&text).unwrap().clusters[0].resolved.law.name(), "fixed");
        let wrong = GOOD.replace("max_waiting = 60", "law = \"fxied\"");
        assert!(Scenario::parse(&wrong).unwrap_err().to_string().starts_with("cluster[0].limits.law: "));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_key() {
        let cases = [
            ("slots = 10", "slots = 0", "cluster[0].slots: 0"),
            ("slots = 10", "slotz = 10", "slotz"),
            ("max_waiting", "max_waitings", "cluster[0].limits.max_waitings: unknown field `max_waitings`"),
            ("max_waiting = 60", "max_waiting = -3", "cluster[0].limits.max_waiting: invalid value"),
            ("\"60s\"", "\"soon\"", "\"soon\" is no duration"),
            ("tasks = 5", "tasks = 0", "campaign[0].tasks: 0"),
            ("tasks = 5", "tasks = 5\nclusters = [\"luke\"]", "campaign[0].clusters: \"luke\""),
            ("tasks = 5", "tasks = 5\nslots = 11", "campaign[0].slots: 11"),
            ("slots = 10", "slots = 10\nround_s = -1.0", "cluster[0].round_s: -1"),
            ("slots = 10", "slots = 10\njitter = 2.0", "cluster[0].jitter: 2"),
            ("max_waiting = 60", "requests_per_s = 5", "limits.requests_per_s: the model does not know"),
            ("max_waiting = 60", "project_quotas = { p = 5 }", "limits.project_quotas: the model does not know"),
            ("slots = 10", "slots = 10\nlimits = { busy = 0.5 }", "cluster[0].limits.busy: the model does not know"),
            ("max_waiting = 60", "mode = \"drained\"", "cluster[0].limits.mode: drained"),
            (
                "max_waiting = 60",
                "file_server = { sensor = \"s\", reference = 6.0 }",
                "cluster[0].limits.file_server: the model has no file server there",
            ),
            ("slots = 10", "slots = 10\nothers = { kind = \"flood\" }", "flood"),
        ];
        for (good, bad, expected) in cases {
            let error = Scenario::parse(&GOOD.replace(good, bad)).unwrap_err().to_string();
            assert!(error.contains(expected), "{bad}: {error}");
        }
        Scenario::parse(GOOD).unwrap();
    }

    #[test]
    fn a_span_comes_again_when_it_should() {
        let once = Span { from_s: 10.0, for_s: 5.0, every_s: None };
        assert_eq!(
            [9_000, 10_000, 14_999, 15_000, 30_000].map(|now| once.contains(now)),
            [false, true, true, false, false]
        );
        let often = Span { every_s: Some(20.0), ..once };
        assert_eq!([9_000, 12_000, 29_000, 32_000].map(|now| often.contains(now)), [false, true, false, true]);
    }
}
