//! How often a task is tried again after each class of failures, after what delay, and where: a rule for each, which a
//! campaign can change within its cluster's bound.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::failure::Class;

/// Where in the bag a task comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// Before tasks never tried, on any cluster.
    First,
    /// Before tasks never tried, on another cluster where there is one.
    Elsewhere,
    /// After all others.
    Last,
}

/// What is done about a class of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Retries of one task for such failures; `u32::MAX`: without limit.
    pub most: u32,
    /// Delay of the first retry, seconds; each further one is twice as long.
    pub delay_s: u64,
    /// Longest delay, seconds.
    pub longest_s: u64,
    /// Where it goes next.
    pub place: Place,
}

/// A campaign's own words on one class; what it does not say is as usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Retries of one task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// Delay of the first retry, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_s: Option<u64>,
    /// Where it goes next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A campaign's own words by class.
pub type Retries = BTreeMap<Class, Wanted>;

/// Delays double up to this many times the first.
const MOST_TIMES: u64 = 32;

/// No delay is longer: a day.
pub const LONGEST_S: u64 = 24 * 3600;

/// Of a delay, with the most that chance adds.
const MOST_THOUSANDTHS: u64 = 1200;

/// No moment until which a task waits is further away, milliseconds, but by a clock that was wrong.
pub const FURTHEST_MS: i64 = (LONGEST_S * MOST_THOUSANDTHS) as i64;

/// Whether a task that waits until a moment may go now (epoch milliseconds). A moment that no delay reaches is none: the
/// clock was ahead when it was written down.
pub fn is_due(not_before: i64, now: i64) -> bool {
    not_before <= now || not_before > now.saturating_add(FURTHEST_MS)
}

impl Class {
    /// The classes whose retries a campaign can choose. Others come back without limit (`preempted`, `lost`), or hold the
    /// campaign on the cluster until somebody acts (`program`, `directory`, `output`).
    pub fn has_budget(self) -> bool {
        use Class::{Directory, Lost, Output, Preempted, Program};
        !matches!(self, Preempted | Lost | Program | Directory | Output)
    }
}

/// The usual rule of a class.
pub fn usual(class: Class) -> Rule {
    use Place::{Elsewhere, First};
    let (most, delay_s, place) = match class {
        Class::Preempted | Class::Lost => (u32::MAX, 0, First),
        Class::Program | Class::Directory | Class::Output => (u32::MAX, 0, Elsewhere),
        Class::PersonKill => (3, 0, First),
        Class::Walltime => (2, 0, Elsewhere),
        // CiGri 3's contract: the program asks, the program gets.
        Class::Asked => (100, 0, First),
        // The program's own word: the same again would fail again.
        Class::Exit | Class::Signal => (0, 0, First),
        // The same size would fail again; `escalate` changes it.
        Class::Memory => (0, 0, Elsewhere),
        Class::Disk => (2, 600, Elsewhere),
        Class::MissingFile | Class::MissingModule => (1, 0, Elsewhere),
        Class::Licence => (5, 300, First),
        Class::Node => (3, 0, Elsewhere),
        Class::Unknown => (1, 0, Elsewhere),
    };
    Rule { most, delay_s, longest_s: longest_s(delay_s), place }
}

fn longest_s(delay_s: u64) -> u64 {
    delay_s.saturating_mul(MOST_TIMES).min(LONGEST_S.max(delay_s))
}

/// The rule of a class for a campaign with these words of its own.
pub fn rule(retries: &Retries, class: Class) -> Rule {
    let (usual, own) = (usual(class), retries.get(&class).copied().unwrap_or_default());
    let delay_s = own.delay_s.unwrap_or(usual.delay_s);
    Rule {
        most: own.most.unwrap_or(usual.most),
        delay_s,
        longest_s: longest_s(delay_s),
        place: own.place.unwrap_or(usual.place),
    }
}

impl Rule {
    /// How long a task waits that was tried again `used` times before, milliseconds: doubled each time, and a fifth more
    /// or less by `seed`, so that tasks that failed together don't come back together.
    pub fn delay_ms(&self, used: u32, seed: u64) -> i64 {
        let factor = 2u64.saturating_pow(used.min(20));
        let full = self.delay_s.saturating_mul(factor).min(self.longest_s).min(LONGEST_S);
        let thousandths = 800 + mixed(seed ^ u64::from(used).rotate_left(32)) % (MOST_THOUSANDTHS - 799);
        (full * thousandths) as i64
    }
}

/// splitmix64.
fn mixed(seed: u64) -> u64 {
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_changes_only_what_it_names() {
        let own = Wanted { most: Some(10), delay_s: Some(60), place: None };
        let retries =
            Retries::from([(Class::Licence, own), (Class::Exit, Wanted { most: Some(2), ..Wanted::default() })]);
        assert_eq!(
            rule(&retries, Class::Licence),
            Rule { most: 10, delay_s: 60, longest_s: 1920, place: Place::First }
        );
        assert_eq!(rule(&retries, Class::Exit).most, 2);
        assert_eq!(rule(&retries, Class::Node), usual(Class::Node));
    }

    #[test]
    fn delays_double_up_to_a_bound_and_differ_by_a_fifth_at_most() {
        let rule = usual(Class::Licence);
        let full = |used: u32| (300_000 * 2i64.pow(used.min(5))).min(LONGEST_S as i64 * 1000);
        for used in 0..12 {
            let delays: Vec<i64> = (0..200).map(|seed| rule.delay_ms(used, seed)).collect();
            let within = |delay: &i64| (full(used) * 4 / 5..=full(used) * 6 / 5).contains(delay);
            assert!(delays.iter().all(within), "{used}: {delays:?}");
            let distinct: std::collections::BTreeSet<&i64> = delays.iter().collect();
            assert!(distinct.len() > 50, "{used}: tasks that failed together come back apart");
        }
        assert_eq!(usual(Class::Node).delay_ms(3, 7), 0);
        let huge = Rule { delay_s: u64::MAX, longest_s: u64::MAX, ..rule };
        assert!(huge.delay_ms(u32::MAX, u64::MAX) <= FURTHEST_MS);
    }

    #[test]
    fn no_clock_that_was_ahead_delays_a_task_by_more_than_a_day_and_its_chance() {
        let day = 24 * 3_600_000;
        assert!(is_due(0, 0) && is_due(5, 5) && !is_due(6, 5));
        assert!(!is_due(5 + day * 6 / 5, 5) && is_due(6 + day * 6 / 5, 5));
        assert!(is_due(6, i64::MAX));
    }
}
