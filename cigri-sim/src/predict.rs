//! When a campaign would end: the same run under many seeds, and what would change if one setting were another.

use serde::Serialize;

use crate::grid::{Run, run};
use crate::load::Others;
use crate::outcome::Outcome;
use crate::scenario::{Campaign, Cluster, Scenario, ScenarioError, Traces};

/// The name under which [`Asked::scenario`] wants its trace.
pub const TRACE: &str = "trace";

/// What is known of a campaign and of its clusters. They are taken to be idle, or to have the same trace each; our other
/// campaigns are not there.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Whose it is, for quotas.
    pub user: String,
    /// The campaign's clusters.
    pub clusters: Vec<Place>,
    /// How many tasks it has.
    pub tasks: u64,
    /// How long they run.
    pub duration: crate::duration::Duration,
    /// Seconds between two rounds of the clusters' schedulers.
    pub round_s: f64,
    /// Whether other users do what a trace says, which is given as [`TRACE`].
    pub trace: bool,
    /// Limits by key, as in the server's configuration.
    pub limits: toml::Table,
}

/// A cluster that the campaign may go to.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Jobs of this campaign that it runs at a time when it is idle.
    pub slots: u32,
    /// The campaign's `max_jobs` there.
    pub max_jobs: Option<u64>,
}

impl Asked {
    /// On idle clusters whose schedulers come every 30 s, under the default limits.
    pub fn new(clusters: Vec<Place>, tasks: u64, duration: crate::duration::Duration) -> Asked {
        let user = "anybody".to_owned();
        Asked { user, clusters, tasks, duration, round_s: 30.0, trace: false, limits: toml::Table::new() }
    }

    /// As a scenario.
    ///
    /// # Errors
    /// [`ScenarioError`], with the key.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        let others = if self.trace { Others::Trace { file: TRACE.to_owned(), faster: 1.0 } } else { Others::default() };
        let cluster = |place: &Place| Cluster {
            slots: place.slots,
            round_s: self.round_s,
            jitter: 0.1,
            others: others.clone(),
            ..Cluster::named(&place.name)
        };
        let max_jobs = self.clusters.iter().filter_map(|place| Some((place.name.clone(), place.max_jobs?)));
        let campaign = Campaign {
            owner: self.user.clone(),
            max_jobs_on: max_jobs.collect(),
            clusters: self.clusters.iter().map(|place| place.name.clone()).collect(),
            ..Campaign::new(self.tasks, self.duration.clone())
        };
        Scenario {
            name: "campaign".to_owned(),
            about: String::new(),
            limit_h: 24.0 * 365.0,
            most_seeds: u64::MAX,
            normal_seeds: 0,
            limits: self.limits.clone(),
            clusters: self.clusters.iter().map(cluster).collect(),
            campaigns: vec![campaign],
        }
        .resolved()
    }

    /// Sets one key: `max_jobs`, `max_jobs.CLUSTER`, `slots.CLUSTER`, `tasks`, `task_time`, `round`, or one of the limits:
    /// the whole, or a part of it (`user_quotas.alice`). Texts, and a single window, need no quotes or brackets.
    ///
    /// # Errors
    /// In words: the key, what was found, what was expected.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|_| format!("{key}: {value:?} is no whole number"));
        let (what, name) = key.split_once('.').unwrap_or((key, ""));
        match what {
            "max_jobs" => {
                let most = Some(number()?);
                self.places(name, key)?.for_each(|place| place.max_jobs = most);
            }
            "slots" => {
                let slots = u32::try_from(number()?).map_err(|_| format!("{key}: {value} is too large"))?;
                self.places(name, key)?.for_each(|place| place.slots = slots);
            }
            "tasks" => self.tasks = number()?,
            "task_time" => self.duration = value.parse().map_err(|problem| format!("{key}: {problem}"))?,
            "round" => {
                let seconds = value.trim_end_matches('s').parse();
                self.round_s = seconds.map_err(|_| format!("{key}: {value:?} is no number of seconds"))?;
            }
            _ => self.set_limit(key, value)?,
        }
        Ok(())
    }

    fn set_limit(&mut self, key: &str, value: &str) -> Result<(), String> {
        let line = |value: &str| toml::from_str::<toml::Table>(&format!("{key} = {value}"));
        let parsed = line(value).or_else(|_| line(&format!("{value:?}")));
        for (name, new) in parsed.map_err(|error| format!("{key}: {}", error.message()))? {
            let new = match new {
                toml::Value::String(_) if name == "windows" => toml::Value::Array(vec![new]),
                new => new,
            };
            match (self.limits.get_mut(&name), new) {
                (Some(toml::Value::Table(old)), toml::Value::Table(part)) if key.contains('.') => old.extend(part),
                (_, new) => {
                    self.limits.insert(name, new);
                }
            }
        }
        Ok(())
    }

    /// The cluster of this name, or all of them without one.
    fn places(&mut self, name: &str, key: &str) -> Result<impl Iterator<Item = &mut Place>, String> {
        if !name.is_empty() && self.clusters.iter().all(|place| place.name != name) {
            return Err(format!("{key}: the campaign has no cluster {name:?}"));
        }
        let name = name.to_owned();
        Ok(self.clusters.iter_mut().filter(move |place| name.is_empty() || place.name == name))
    }
}

/// A tenth of the runs are below the first number, half below the second, nine tenths below the third.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// Tenth centile.
    pub p10: f64,
    /// Median.
    pub p50: f64,
    /// Ninetieth centile.
    pub p90: f64,
}

impl Interval {
    fn of(mut values: Vec<f64>) -> Interval {
        values.sort_by(f64::total_cmp);
        let at = |part: f64| values.get(((values.len().max(1) - 1) as f64 * part).round() as usize).copied();
        let [p10, p50, p90] = [0.1, 0.5, 0.9].map(|part| at(part).unwrap_or_default());
        Interval { p10, p50, p90 }
    }
}

/// What was predicted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Prediction {
    /// Runs, each under a seed of its own.
    pub runs: u64,
    /// Of these, runs that were cut before every task was done: their time is the least that it would take.
    pub cut: u64,
    /// Seconds from now to the last task's end.
    pub finish_s: Interval,
    /// Part of the free slots that it would use while it has tasks, 0 to 1.
    pub utilisation: f64,
    /// Jobs that would be killed for normal ones.
    pub kills: f64,
    /// One per cluster, means.
    pub clusters: Vec<PlacePrediction>,
}

/// One cluster's part.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlacePrediction {
    /// Its name.
    pub name: String,
    /// Jobs that would be sent there.
    pub jobs: f64,
    /// Jobs that would wait there, on average.
    pub waiting: f64,
}

/// Plays a scenario under the seeds 1 to `seeds`.
pub fn predict(scenario: &Scenario, traces: &Traces, seeds: u64) -> Prediction {
    let one = |seed| run(Run { scenario, traces, seed, law: None, steered: true });
    let runs: Vec<Outcome> = (1..=seeds.max(1)).map(one).collect();
    let mean = |of: &dyn Fn(&Outcome) -> f64| runs.iter().map(of).sum::<f64>() / runs.len() as f64;
    let cluster = |(at, cluster): (usize, &Cluster)| PlacePrediction {
        name: cluster.name.clone(),
        jobs: mean(&|run| run.clusters[at].jobs as f64),
        waiting: mean(&|run| run.clusters[at].waiting_mean),
    };
    Prediction {
        runs: runs.len() as u64,
        cut: runs.iter().filter(|run| !run.finished).count() as u64,
        finish_s: Interval::of(runs.iter().map(|run| run.makespan_s).collect()),
        utilisation: mean(&|run| run.utilisation),
        kills: mean(&|run| run.kills as f64),
        clusters: scenario.clusters.iter().enumerate().map(cluster).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Asked {
        let place = Place { name: "dahu".to_owned(), slots: 50, max_jobs: None };
        Asked::new(vec![place], 500, "60s".parse().unwrap())
    }

    fn predicted(asked: &Asked) -> Prediction {
        predict(&asked.scenario().unwrap(), &Traces::new(), 5)
    }

    #[test]
    fn five_hundred_minutes_on_fifty_slots_take_between_ten_and_twenty_minutes() {
        let prediction = predicted(&asked());
        let Interval { p10, p50, p90 } = prediction.finish_s;
        assert!(600.0 <= p10 && p10 <= p50 && p50 <= p90 && p90 < 1200.0, "{prediction:?}");
        assert_eq!((prediction.cut, prediction.clusters[0].jobs), (0, 500.0));
    }

    #[test]
    fn a_tenth_of_the_slots_takes_far_longer_whoever_sets_it() {
        let free = predicted(&asked()).finish_s.p50;
        for (key, value) in [("max_jobs", "5"), ("max_jobs.dahu", "5"), ("slots.dahu", "5"), ("max_running", "5")] {
            let mut narrow = asked();
            narrow.set(key, value).unwrap();
            let slow = predicted(&narrow).finish_s.p50;
            assert!(slow > 5.0 * free, "{key}: {slow} against {free}");
        }
    }

    #[test]
    fn while_no_window_is_open_nothing_is_sent() {
        let mut late = asked();
        late.set("windows", "Mon 02:00-03:00").unwrap();
        let finish = predicted(&late).finish_s;
        assert!(finish.p10 > 2.0 * 3600.0 + 600.0 && finish.p90 < 2.0 * 3600.0 + 2400.0, "{finish:?}");
        late.set("windows", r#"["Sun", "Mon 00:00-02:00"]"#).unwrap();
        assert_eq!(predicted(&late), predicted(&asked()));
    }

    #[test]
    fn a_quota_binds_the_user_whom_it_names() {
        let free = predicted(&asked());
        let mut of_others = asked();
        of_others.set("user_quotas.bob", "5").unwrap();
        of_others.set("user_quotas.carol", "6").unwrap();
        assert_eq!(predicted(&of_others), free);
        of_others.user = "bob".to_owned();
        assert!(predicted(&of_others).finish_s.p50 > 5.0 * free.finish_s.p50);
    }

    #[test]
    fn a_campaign_that_never_moves_is_cut_soon_enough_to_wait_for() {
        let mut stuck = asked();
        stuck.set("max_jobs", "0").unwrap();
        assert_eq!(predicted(&stuck).cut, 5);
    }

    #[test]
    fn what_cannot_be_set_is_told_with_its_key() {
        let cases = [("max_jobs", "many"), ("slots.luke", "5"), ("task_time", "soon"), ("round", "often")];
        for (key, value) in cases {
            assert!(asked().set(key, value).unwrap_err().starts_with(key), "{key}");
        }
        let mut unknown = asked();
        unknown.set("max_waitings", "5").unwrap();
        assert!(unknown.scenario().unwrap_err().to_string().contains("max_waitings"));
    }
}
