//! Circuit breakers: where most of what is sent fails, nothing more is sent for a while; then one job tries.
//!
//! There is one for each campaign on a cluster, one for each cluster, and one for each of its nodes. A [`Window`] of the
//! last ends says whether one opens ([`judge`], [`nodes`]): on a rate of failures, never on the first. What became of it
//! after that is [`Breaker`]'s table:
//!
//! ```text
//! closed    > open       most of the last ends failed
//! open      > half_open  its pause is over
//! half_open > closed     the job that tried ended well
//! half_open > open       it failed: a pause of twice the length
//! ```
//! Nobody has to help. A campaign whose owner closes the event is `exempt` from then on: that all its tasks fail opens
//! its breaker no more, and what the cluster fails does.

mod judge;
pub mod nodes;
mod settings;
mod window;

use serde::{Deserialize, Serialize};

pub use judge::{Beside, Serves, campaign, cluster};
pub use settings::BreakerSettings;
pub use window::{End, Verdict, Window, verdict};

/// Whose jobs a breaker holds back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guards {
    /// One campaign's on a cluster.
    #[default]
    Campaign,
    /// Everybody's on a cluster.
    Cluster,
}

/// What a breaker is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// All jobs of a cluster.
    Cluster,
    /// A campaign's jobs there.
    Campaign(i64),
    /// One of its nodes.
    Node(String),
}

/// Why a breaker opened: what was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// Ends that failed.
    pub failures: u32,
    /// Ends that were counted.
    pub ends: u32,
    /// Of which kind most of the failures were, such as `exit 1`.
    pub mostly: String,
}

impl Trip {
    /// Whether most of the failures were the cluster's fault.
    pub fn is_by_cluster(&self) -> bool {
        self.mostly.parse().ok().and_then(verdict) == Some(Verdict::Cluster)
    }
}

/// Where a breaker stands. Times are epoch milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is held back.
    Closed,
    /// Nothing is sent before this time.
    Open {
        /// When its pause is over.
        until: i64,
    },
    /// One job may try, sent after this time.
    HalfOpen {
        /// When the pause was over.
        since: i64,
    },
    /// Nothing is held back: the owner wants a campaign to go on although everything fails.
    Exempt,
}

impl State {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Closed => "closed",
            State::Open { .. } => "open",
            State::HalfOpen { .. } => "half_open",
            State::Exempt => "exempt",
        }
    }

    /// Its time; 0 without one.
    pub fn time(self) -> i64 {
        match self {
            State::Closed | State::Exempt => 0,
            State::Open { until } => until,
            State::HalfOpen { since } => since,
        }
    }

    /// The state of a stored word and time; `None` for another word.
    pub fn read(word: &str, time: i64) -> Option<State> {
        match word {
            "closed" => Some(State::Closed),
            "exempt" => Some(State::Exempt),
            "open" => Some(State::Open { until: time }),
            "half_open" => Some(State::HalfOpen { since: time }),
            _ => None,
        }
    }
}

/// A breaker: its state, and what it went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    /// Where it stands.
    pub state: State,
    /// How often in a row it opened; forgotten when it stayed closed for as long as the longest pause.
    pub streak: u32,
    /// When it moved last, epoch milliseconds.
    pub changed_at: i64,
    /// What opened it.
    pub trip: Trip,
}

/// Pauses: the first, and the longest, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// After the first failure.
    pub first_s: u64,
    /// It doubles up to this.
    pub longest_s: u64,
}

impl Pauses {
    /// The pause after so many openings in a row, milliseconds.
    pub fn after(self, streak: u32) -> i64 {
        let doubled = self.first_s.saturating_mul(1 << streak.saturating_sub(1).min(20));
        (doubled.min(self.longest_s.max(self.first_s)) as i64).saturating_mul(1000)
    }
}

impl Breaker {
    /// Opens: for the first time, or again after `before` closed.
    pub fn open(before: Option<&Breaker>, trip: Trip, now: i64, pauses: Pauses) -> Breaker {
        let memory_ms = (pauses.longest_s as i64).saturating_mul(1000);
        let is_recent = |breaker: &&Breaker| (0..memory_ms).contains(&(now - breaker.changed_at));
        let streak = before.filter(is_recent).map_or(0, |breaker| breaker.streak) + 1;
        Breaker { state: State::Open { until: now + pauses.after(streak) }, streak, changed_at: now, trip }
    }

    /// Where it stands at `now`. A clock that went back makes no pause longer.
    pub fn at(self, now: i64, pauses: Pauses) -> Breaker {
        match self.state {
            State::Open { until } if now >= until => {
                Breaker { state: State::HalfOpen { since: now }, changed_at: now, ..self }
            }
            State::Open { until } => {
                let latest = now.saturating_add(pauses.after(self.streak));
                Breaker { state: State::Open { until: until.min(latest) }, ..self }
            }
            // What is sent from now on is sent after it all the same.
            State::HalfOpen { since } if since > now => Breaker { state: State::HalfOpen { since: now }, ..self },
            _ => self,
        }
    }

    /// What becomes of one that is half open when the job that tried has ended. Others are left as they are.
    pub fn tried(self, is_well: bool, now: i64, pauses: Pauses) -> Breaker {
        match self.state {
            State::HalfOpen { .. } if is_well => Breaker { state: State::Closed, changed_at: now, ..self },
            State::HalfOpen { .. } => {
                let streak = self.streak.saturating_add(1);
                Breaker { state: State::Open { until: now + pauses.after(streak) }, streak, changed_at: now, ..self }
            }
            _ => self,
        }
    }

    /// Whether nothing but one job that tries may be sent.
    pub fn holds(&self) -> bool {
        matches!(self.state, State::Open { .. } | State::HalfOpen { .. })
    }

    /// In another state from now on.
    pub fn moved(self, state: State, now: i64) -> Breaker {
        Breaker { state, changed_at: now, ..self }
    }

    /// Whether it let one job try for as long as its first pause, and nothing came of it.
    pub fn is_tried_in_vain(&self, now: i64, pauses: Pauses) -> bool {
        matches!(self.state, State::HalfOpen { since } if now - since >= pauses.after(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSES: Pauses = Pauses { first_s: 300, longest_s: 3600 };

    fn trip() -> Trip {
        Trip { failures: 48, ends: 50, mostly: "exit 1".to_owned() }
    }

    fn opened(now: i64) -> Breaker {
        Breaker::open(None, trip(), now, PAUSES)
    }

    #[test]
    fn it_opens_for_a_pause_then_lets_one_try_and_closes_when_that_is_well() {
        let open = opened(1_000);
        assert_eq!(open.state, State::Open { until: 301_000 });
        assert_eq!(open.clone().at(300_999, PAUSES), open);
        let half = open.at(301_000, PAUSES);
        assert_eq!(half.state, State::HalfOpen { since: 301_000 });
        assert!(half.holds());
        let closed = half.tried(true, 320_000, PAUSES);
        assert_eq!((closed.state, closed.holds()), (State::Closed, false));
    }

    #[test]
    fn each_failure_of_a_trial_doubles_the_pause_up_to_the_longest() {
        let (mut breaker, mut now, mut pauses) = (opened(0), 0, Vec::new());
        for _ in 0..6 {
            let State::Open { until } = breaker.state else { panic!("{breaker:?}") };
            pauses.push((until - now) / 1000);
            now = until;
            breaker = breaker.at(now, PAUSES).tried(false, now, PAUSES);
        }
        assert_eq!(pauses, [300, 600, 1200, 2400, 3600, 3600]);
    }

    #[test]
    fn one_that_opens_soon_again_goes_on_where_it_was_and_one_that_stayed_closed_begins_anew() {
        let closed = opened(0).at(300_000, PAUSES).tried(true, 310_000, PAUSES);
        assert_eq!(Breaker::open(Some(&closed), trip(), 400_000, PAUSES).streak, 2);
        assert_eq!(Breaker::open(Some(&closed), trip(), 310_000 + 3_600_000, PAUSES).streak, 1);
    }

    #[test]
    fn only_a_trial_moves_it_and_only_while_one_is_due() {
        let open = opened(0);
        assert_eq!(open.clone().tried(true, 10, PAUSES), open, "a job that was sent before says nothing");
        let closed = opened(0).at(300_000, PAUSES).tried(true, 310_000, PAUSES);
        assert_eq!(closed.clone().tried(false, 320_000, PAUSES), closed);
    }

    #[test]
    fn a_clock_that_goes_back_keeps_nobody_longer_than_the_pause() {
        let open = opened(1_000_000_000);
        assert_eq!(open.at(5_000, PAUSES).state, State::Open { until: 305_000 });
        let half = opened(0).at(900_000, PAUSES);
        assert_eq!(half.at(5_000, PAUSES).state, State::HalfOpen { since: 5_000 });
    }

    #[test]
    fn states_are_read_back_from_what_is_stored() {
        for state in [State::Closed, State::Exempt, State::Open { until: 7 }, State::HalfOpen { since: 9 }] {
            assert_eq!(State::read(state.as_str(), state.time()), Some(state));
        }
        assert_eq!(State::read("ajar", 0), None);
    }
}
