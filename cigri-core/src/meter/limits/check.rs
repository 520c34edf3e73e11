//! What makes no sense in a cluster's limits: each problem with its key, what was found and what was expected.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::{ClusterLimits, FileServerSettings, GiveWay, StressLimit};
use crate::breaker::BreakerSettings;
use crate::language::Problem;
use crate::meter::file_server;
use crate::stuck::StuckLimits;

/// No cluster has more jobs of ours: a larger number is a slip.
const MOST_JOBS: u64 = 10_000_000;
/// A weight above it would leave others nothing that can be told from nothing.
const MOST_WEIGHT: f64 = 1e6;
/// Characters of a note: it is shown in one line.
const LONGEST_NOTE: usize = 500;
const MOST_WINDOWS: usize = 50;
/// 100 days: nobody waits longer.
const MOST_WAIT_S: u64 = 8_640_000;
/// A year: nothing is stuck for longer.
const MOST_SECONDS: u64 = 366 * 86_400;

impl ClusterLimits {
    /// Everything that is wrong, each with its key as path.
    pub fn check(&self) -> Vec<Problem> {
        let mut found = Found::default();
        for (key, jobs) in [
            ("max_waiting", self.max_waiting),
            ("max_running", self.max_running),
            ("max_per_cycle", self.max_per_cycle),
        ] {
            found.whole(key, jobs, 0..=MOST_JOBS);
        }
        found.whole("max_array", self.max_array, 1..=MOST_JOBS);
        found.whole("period_s", self.period_s, 1..=3600);
        found.whole("max_retries", self.max_retries, 0..=1_000_000);
        found.number("requests_per_s", self.requests_per_s, 0.01..=10_000.0);
        found.number("bytes_per_s", self.bytes_per_s, 1000.0..=1e12);
        found.number("busy", self.busy, 0.001..=1.0);
        found.quotas("user_quotas", &self.user_quotas);
        found.quotas("group_quotas", &self.group_quotas);
        found.quotas("project_quotas", &self.project_quotas);
        for (user, weight) in &self.weights {
            found.name("weights", user);
            found.number(&format!("weights.{user}"), *weight, 0.0..=MOST_WEIGHT);
        }
        self.check_rest(&mut found);
        found.0
    }

    fn check_rest(&self, found: &mut Found) {
        let length = self.note.chars().count();
        if length > LONGEST_NOTE || self.note.contains(char::is_control) {
            found.add("note", format!("{length} characters"), format!("one line of at most {LONGEST_NOTE}"));
        }
        if self.windows.len() > MOST_WINDOWS {
            found.add("windows", self.windows.len().to_string(), format!("at most {MOST_WINDOWS}"));
        }
        if let Some(stress) = &self.stress {
            found.stress(stress);
        }
        if let Some(way) = &self.give_way {
            found.give_way(way);
        }
        if let Some(server) = &self.file_server {
            found.file_server(server);
        }
        found.breaker(&self.breaker);
        found.stuck(&self.stuck);
        found.0.extend(self.law.check());
    }
}

#[derive(Default)]
struct Found(Vec<Problem>);

impl Found {
    fn add(&mut self, key: &str, found: String, expected: String) {
        self.0.push(Problem::new(key, found, expected));
    }

    fn whole(&mut self, key: &str, value: u64, good: RangeInclusive<u64>) {
        if !good.contains(&value) {
            let (least, most) = good.into_inner();
            self.add(key, value.to_string(), format!("a whole number from {least} to {most}"));
        }
    }

    fn number(&mut self, key: &str, value: f64, good: RangeInclusive<f64>) {
        // What is no number is in no range.
        if !good.contains(&value) {
            let (least, most) = good.into_inner();
            self.add(key, value.to_string(), format!("a number from {least} to {most}"));
        }
    }

    fn name(&mut self, key: &str, name: &str) {
        if name.is_empty() || name.len() > 255 || name.contains(|c: char| c.is_control() || c.is_whitespace()) {
            self.add(key, format!("{name:?}"), "a name without blanks".to_owned());
        }
    }

    fn quotas(&mut self, key: &str, quotas: &BTreeMap<String, u64>) {
        for (name, jobs) in quotas {
            self.name(key, name);
            self.whole(&format!("{key}.{name}"), *jobs, 0..=MOST_JOBS);
            if name == "*" && key != "user_quotas" {
                let problem = Problem::new(key, "\"*\"", "a name");
                self.0.push(problem.hint("only users have a quota for all others"));
            }
        }
    }

    fn breaker(&mut self, breaker: &BreakerSettings) {
        self.number("breaker.rate", breaker.rate, 0.05..=10.0);
        self.number("breaker.nodes", breaker.nodes, 0.0..=0.5);
        for (key, value, good) in [
            ("breaker.ends", breaker.ends, 10..=1000),
            ("breaker.window_s", breaker.window_s, 60..=86_400),
            ("breaker.least", breaker.least, 2..=1000),
            ("breaker.least_cluster", breaker.least_cluster, 2..=1000),
            ("breaker.pause_s", breaker.pause_s, 1..=86_400),
            ("breaker.longest_s", breaker.longest_s, 1..=86_400),
            ("breaker.node_pause_s", breaker.node_pause_s, 60..=86_400),
        ] {
            self.whole(key, value, good);
        }
        let most = breaker.least.max(breaker.least_cluster);
        if most > breaker.ends {
            self.add("breaker.ends", breaker.ends.to_string(), format!("at least `least` and `least_cluster`, {most}"));
        }
    }

    fn stuck(&mut self, stuck: &StuckLimits) {
        for (key, value) in [
            ("stuck.waiting_s", stuck.waiting_s),
            ("stuck.launching_s", stuck.launching_s),
            ("stuck.over_walltime_s", stuck.over_walltime_s),
            ("stuck.held_s", stuck.held_s),
            ("stuck.finishing_s", stuck.finishing_s),
            ("stuck.give_up_s", stuck.give_up_s),
        ] {
            self.whole(key, value, 60..=MOST_SECONDS);
        }
    }

    fn stress(&mut self, stress: &StressLimit) {
        self.number("stress.reference", stress.reference, 1e-6..=1e9);
        self.number("stress.limit", stress.limit, 1e-6..=1000.0);
    }

    fn give_way(&mut self, way: &GiveWay) {
        self.whole("give_way.after_s", way.after_s, 0..=MOST_WAIT_S);
        self.whole("give_way.most_s", way.most_s, 1..=MOST_WAIT_S);
        if way.most_s <= way.after_s {
            let (most, after) = (way.most_s, way.after_s);
            self.add("give_way.most_s", most.to_string(), format!("more than after_s, {after}"));
        }
    }

    fn file_server(&mut self, server: &FileServerSettings) {
        if server.sensor.trim().is_empty() || server.sensor.contains('\0') {
            self.0.push(Problem::new("file_server.sensor", "nothing", "a URL or a command"));
        }
        self.number("file_server.reference", server.reference, 1e-6..=1e9);
        self.number("file_server.job_mb", server.job_mb, 1e-3..=1e9);
        self.number("file_server.settling", server.settling, 1.0..=15.0);
        if (1.0..=15.0).contains(&server.settling) {
            // What is too slow for cycles that long.
            self.0.extend(file_server::problem(server));
        }
        self.whole("file_server.period_s", server.period_s, 1..=3600);
        self.whole("file_server.ttl_s", server.ttl_s, 1..=86_400);
        self.whole("file_server.floor", server.floor, 0..=MOST_JOBS);
        if server.ttl_s < server.period_s {
            let (ttl, period) = (server.ttl_s, server.period_s);
            self.add("file_server.ttl_s", ttl.to_string(), format!("at least period_s, {period}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(limits: &ClusterLimits) -> Vec<String> {
        limits.check().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_defaults_are_good() {
        assert_eq!(ClusterLimits::default().check(), []);
    }

    #[test]
    fn each_problem_is_said_with_its_key_what_was_found_and_what_was_expected() {
        let limits = ClusterLimits {
            max_waiting: 10_000_001,
            max_array: 0,
            period_s: 0,
            busy: 1.5,
            requests_per_s: -1.0,
            bytes_per_s: f64::NAN,
            user_quotas: BTreeMap::from([("alice".to_owned(), u64::MAX), (String::new(), 1), ("*".to_owned(), 5)]),
            group_quotas: BTreeMap::from([("*".to_owned(), 5)]),
            weights: BTreeMap::from([("bob".to_owned(), -0.5), ("carol".to_owned(), f64::NAN)]),
            note: "x".repeat(501),
            ..ClusterLimits::default()
        };
        assert_eq!(
            told(&limits),
            [
                "max_waiting: expected a whole number from 0 to 10000000, found 10000001",
                "max_array: expected a whole number from 1 to 10000000, found 0",
                "period_s: expected a whole number from 1 to 3600, found 0",
                "requests_per_s: expected a number from 0.01 to 10000, found -1",
                "bytes_per_s: expected a number from 1000 to 1000000000000, found NaN",
                "busy: expected a number from 0.001 to 1, found 1.5",
                "user_quotas: expected a name without blanks, found \"\"",
                "user_quotas.alice: expected a whole number from 0 to 10000000, found 18446744073709551615",
                "group_quotas: expected a name, found \"*\"; only users have a quota for all others",
                "weights.bob: expected a number from 0 to 1000000, found -0.5",
                "weights.carol: expected a number from 0 to 1000000, found NaN",
                "note: expected one line of at most 500, found 501 characters",
            ]
        );
    }

    #[test]
    fn a_law_is_checked_and_a_settling_time_against_the_period() {
        let text = r#"{"sensor": "http://nfs/load", "reference": 6, "settling": 10, "period_s": 60, "ttl_s": 90}"#;
        let limits = ClusterLimits {
            law: serde_json::from_str(r#"{"name": "tap-3", "factor": 0.5}"#).unwrap(),
            file_server: serde_json::from_str(text).unwrap(),
            ..ClusterLimits::default()
        };
        assert_eq!(
            told(&limits),
            [
                "file_server.settling: expected at most 8.0 with cycles of 60 s, found 10 cycles",
                "law.factor: expected a number from 1.01 to 10, found 0.5",
            ]
        );
    }

    #[test]
    fn who_is_given_way_to_has_waited_but_not_for_too_long() {
        let limits = ClusterLimits { give_way: Some(GiveWay { after_s: 9_000_000, most_s: 0 }), ..Default::default() };
        assert_eq!(
            told(&limits),
            [
                "give_way.after_s: expected a whole number from 0 to 8640000, found 9000000",
                "give_way.most_s: expected a whole number from 1 to 8640000, found 0",
                "give_way.most_s: expected more than after_s, 9000000, found 0",
            ]
        );
    }

    #[test]
    fn a_load_needs_a_reference_and_a_file_server_gains_that_can_be_computed() {
        let text = r#"{"sensor": " ", "reference": 0, "settling": 16, "period_s": 60, "ttl_s": 30}"#;
        let limits = ClusterLimits {
            stress: Some(StressLimit { reference: -4.0, limit: f64::INFINITY }),
            file_server: serde_json::from_str(text).unwrap(),
            ..ClusterLimits::default()
        };
        let keys: Vec<String> = limits.check().into_iter().map(|problem| problem.path).collect();
        let server = ["sensor", "reference", "settling", "ttl_s"].map(|key| format!("file_server.{key}"));
        assert_eq!(keys[..2], ["stress.reference", "stress.limit"]);
        assert_eq!(keys[2..], server);
    }
}
