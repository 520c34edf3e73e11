//! The life of a user's token for a cluster: when it is renewed, when its user is warned, and whether it outlasts a
//! campaign. Times are epoch seconds.

use serde::{Deserialize, Serialize};

use crate::event::Severity;

const DAY_S: i64 = 86_400;
/// Days before its end at which the user is told, the first of them that from which it is renewed; the last is its end.
const MARKS: [i64; 5] = [14, 7, 3, 1, 0];
/// Nobody is told of a token any more that ended so long ago, and that nobody needs.
const FORGOTTEN_S: i64 = 3 * DAY_S;
/// The marks of a short life are nearer: the first comes when this part of it is left.
const PART: i64 = 3;
/// What is left at these is urgent.
const URGENT: u32 = 3;
/// Between two attempts to renew: at first, and at last.
const PAUSES_S: (i64, i64) = (3600, DAY_S);
/// Not even a token that ends soon is asked for more often.
const SHORTEST_PAUSE_S: i64 = 60;

/// When the server asks a cluster for a new token by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Renewal {
    /// While campaigns of its user may run there.
    #[default]
    Needed,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Renewal {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Renewal::Needed => "needed",
            Renewal::Always => "always",
            Renewal::Never => "never",
        }
    }

    /// The word read back.
    pub fn parse(word: &str) -> Option<Renewal> {
        [Renewal::Needed, Renewal::Always, Renewal::Never].into_iter().find(|one| one.as_str() == word)
    }

    /// Whether it is renewed now, if its time has come.
    pub fn applies(self, is_needed: bool) -> bool {
        self == Renewal::Always || self == Renewal::Needed && is_needed
    }
}

/// From when until when a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// When it was issued, if that is known.
    pub issued_at: Option<i64>,
    /// When it ends.
    pub expires_at: i64,
}

impl Life {
    /// Seconds that are left.
    pub fn left_s(&self, now: i64) -> i64 {
        self.expires_at.saturating_sub(now)
    }

    /// What is left at one of the marks: a third of a life shorter than six weeks comes in place of the first, the
    /// others in proportion.
    fn left_at(&self, mark: i64) -> i64 {
        let first = MARKS[0] * DAY_S;
        let life = self.issued_at.map_or(i64::MAX, |at| self.expires_at.saturating_sub(at).max(0));
        let nearest = (life / PART).min(first);
        mark.saturating_mul(DAY_S).saturating_mul(nearest) / first
    }

    /// When it is time for a new one: fourteen days before the end, or when a third of its life is left.
    pub fn renew_at(&self) -> i64 {
        self.expires_at.saturating_sub(self.left_at(MARKS[0]))
    }

    /// How many of the marks are passed: 0 while there is nothing to tell.
    pub fn marks(&self, now: i64) -> u32 {
        let left = self.left_s(now);
        MARKS.iter().filter(|mark| left <= self.left_at(**mark)).count() as u32
    }

    /// Whether it ended so long ago that its user, who has nothing to do there, has left.
    pub fn is_forgotten(&self, now: i64) -> bool {
        self.left_s(now) <= -FORGOTTEN_S
    }

    /// How long to wait after so many vain attempts to renew it: 1, 2, 4... hours, at most a day and at most a quarter of
    /// what is left.
    pub fn pause_s(&self, failures: u32, now: i64) -> i64 {
        let (first, longest) = PAUSES_S;
        let grown = first.saturating_mul(1 << failures.saturating_sub(1).min(10));
        grown.min(longest).min(self.left_s(now) / 4).max(SHORTEST_PAUSE_S)
    }
}

/// How urgent it is, after so many marks.
pub fn severity(marks: u32) -> Severity {
    if marks >= URGENT { Severity::High } else { Severity::Medium }
}

/// What is known of how long a campaign takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prospect {
    /// Its tasks; `None` without an end.
    pub tasks: Option<u64>,
    /// The longest walltime of its jobs.
    pub walltime_s: u64,
    /// Jobs a day that its clusters ended lately; 0 if nobody knows.
    pub jobs_a_day: f64,
    /// How long all its tasks take at most, if as many run at a time as may; `None` without an end.
    pub at_best_s: Option<u64>,
}

/// On what a prediction rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// What the clusters did lately.
    Pace,
    /// The walltime of all tasks, as many at a time as may run.
    Walltimes,
    /// Nothing: one walltime and a day.
    Nothing,
}

impl Basis {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Basis::Pace => "at the clusters' pace of late",
            Basis::Walltimes => "by its walltimes",
            Basis::Nothing => "a walltime and a day",
        }
    }
}

impl Prospect {
    /// In how many seconds its last job ends, and what that rests on: its clusters' pace of late; else the walltimes of its
    /// tasks; else one walltime and a day, within which a job that is sent today has surely ended.
    pub fn ends_in_s(&self) -> (u64, Basis) {
        match (self.tasks, self.at_best_s) {
            (Some(tasks), _) if self.jobs_a_day > 0.0 => {
                let seconds = tasks as f64 / self.jobs_a_day * DAY_S as f64;
                (self.walltime_s.saturating_add(seconds as u64), Basis::Pace)
            }
            (Some(_), Some(at_best_s)) => (at_best_s.max(self.walltime_s), Basis::Walltimes),
            _ => (self.walltime_s.saturating_add(DAY_S as u64), Basis::Nothing),
        }
    }
}

/// Seconds as a person counts them: `12 days`, `5 hours`, `3 minutes`.
pub fn in_words(seconds: i64) -> String {
    let (count, unit) = match seconds.max(0) {
        seconds @ 172_800.. => (seconds / DAY_S, "day"),
        seconds @ 7200.. => (seconds / 3600, "hour"),
        seconds @ 120.. => (seconds / 60, "minute"),
        seconds => (seconds, "second"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// OAR's packaged life: 364 days.
    const LONG: Life = Life { issued_at: Some(0), expires_at: 364 * DAY_S };

    #[test]
    fn a_long_life_is_renewed_two_weeks_before_its_end() {
        assert_eq!(LONG.renew_at(), 350 * DAY_S);
        assert_eq!(Life { issued_at: None, ..LONG }.renew_at(), 350 * DAY_S);
    }

    #[test]
    fn a_short_life_is_renewed_when_a_third_is_left() {
        let hour = Life { issued_at: Some(0), expires_at: 3600 };
        assert_eq!(hour.renew_at(), 2400);
        assert_eq!((hour.marks(2399), hour.marks(2400), hour.marks(3600)), (0, 1, 5));
        let month = Life { issued_at: Some(0), expires_at: 30 * DAY_S };
        assert_eq!(month.renew_at(), 20 * DAY_S);
    }

    #[test]
    fn the_user_is_told_at_fourteen_seven_three_days_and_one_and_at_the_end() {
        let marks = |days_left: i64| LONG.marks((364 - days_left) * DAY_S);
        assert_eq!([15, 14, 8, 7, 4, 3, 2, 1, 0, -5].map(marks), [0, 1, 1, 2, 2, 3, 3, 4, 5, 5]);
        assert_eq!([-2, -3].map(|days_left| LONG.is_forgotten((364 - days_left) * DAY_S)), [false, true]);
        assert_eq!([1, 2, 3, 4].map(severity), [Severity::Medium, Severity::Medium, Severity::High, Severity::High]);
    }

    #[test]
    fn vain_attempts_come_less_and_less_often_but_before_the_end() {
        let pauses: Vec<i64> = (1..8).map(|failures| LONG.pause_s(failures, 350 * DAY_S) / 3600).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 24, 24]);
        assert_eq!(LONG.pause_s(3, 364 * DAY_S - 4000), 1000);
        assert_eq!(LONG.pause_s(u32::MAX, 364 * DAY_S + 5), 60);
    }

    #[test]
    fn a_token_is_renewed_while_it_is_needed_unless_its_user_says_otherwise() {
        let applies = |renewal: Renewal| [renewal.applies(true), renewal.applies(false)];
        assert_eq!(applies(Renewal::Needed), [true, false]);
        assert_eq!(applies(Renewal::Always), [true, true]);
        assert_eq!(applies(Renewal::Never), [false, false]);
        for renewal in [Renewal::Needed, Renewal::Always, Renewal::Never] {
            assert_eq!(Renewal::parse(renewal.as_str()), Some(renewal));
        }
        assert_eq!(Renewal::parse("sometimes"), None);
    }

    #[test]
    fn a_campaign_ends_as_fast_as_its_clusters_went_lately() {
        let prospect = Prospect { tasks: Some(1000), walltime_s: 3600, jobs_a_day: 500.0, at_best_s: Some(7200) };
        assert_eq!(prospect.ends_in_s(), (2 * 86_400 + 3600, Basis::Pace));
        let idle = Prospect { jobs_a_day: 0.0, ..prospect };
        assert_eq!(idle.ends_in_s(), (7200, Basis::Walltimes));
        for unknown in [Prospect { tasks: None, ..prospect }, Prospect { at_best_s: None, ..idle }] {
            assert_eq!(unknown.ends_in_s(), (86_400 + 3600, Basis::Nothing));
        }
    }

    #[test]
    fn seconds_are_told_as_a_person_counts_them() {
        let told = [-1, 1, 119, 150, 7300, 200_000].map(in_words);
        assert_eq!(told, ["0 seconds", "1 second", "119 seconds", "2 minutes", "2 hours", "2 days"]);
    }
}
