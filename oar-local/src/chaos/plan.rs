//! How much of what goes wrong: a small file, or one of two ready plans.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The kinds of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The work is done, its answer is lost.
    LostAfter,
    /// Nothing is done, and nobody says so.
    LostBefore,
    /// The work is done; 500.
    FailedAfter,
    /// Nothing is done; 500.
    FailedBefore,
    /// No answer in time; the work is done later.
    Late,
    /// The connection is reset before anything was read.
    Reset,
    /// Everything is refused for a time.
    Outage,
    /// The API restarts: this request and all the late ones are forgotten, everything is refused for a time.
    Restart,
    /// Everything that needs the database answers 500 for a time.
    Poison,
    /// A submission leaves its first rows only, in Hold.
    Partial,
    /// As [`Kind::Partial`], with array 0.
    Arrayless,
    /// A submission stops with all its rows in Hold, and goes on later, whatever became of them.
    Unfinished,
    /// A submission is dated in the past.
    Skew,
    /// A best-effort job is killed as for a normal one.
    Preempt,
    /// The node of a best-effort job fails: the job is in Error, and some time later OAR mostly makes a copy of it.
    Resubmit,
    /// A best-effort job that waits or runs is gone, without a trace.
    Forget,
    /// Rows are missing in a listing.
    Vanish,
    /// Rows are twice in a listing.
    Duplicate,
}

impl Kind {
    /// Every kind, in the order of the declaration.
    pub const ALL: [Self; 18] = [
        Self::LostAfter,
        Self::LostBefore,
        Self::FailedAfter,
        Self::FailedBefore,
        Self::Late,
        Self::Reset,
        Self::Outage,
        Self::Restart,
        Self::Poison,
        Self::Partial,
        Self::Arrayless,
        Self::Unfinished,
        Self::Skew,
        Self::Preempt,
        Self::Resubmit,
        Self::Forget,
        Self::Vanish,
        Self::Duplicate,
    ];

    /// Whether it can happen to a request of this sort.
    pub(super) fn suits(self, target: Target) -> bool {
        match self {
            Self::Partial | Self::Arrayless | Self::Unfinished | Self::Skew => target == Target::Submission,
            Self::Vanish | Self::Duplicate => target == Target::Listing,
            _ => true,
        }
    }
}

/// Sorts of request that have faults of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Submission,
    Listing,
    Other,
}

/// A range that a length is drawn from, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// Least.
    pub least: u64,
    /// Most.
    pub most: u64,
}

/// What goes wrong, how often and for how long.
///
/// As a file: `{"chances": {"lost_after": 0.05, "late": 0.02}, "late_ms": {"least": 10000, "most": 60000}}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plan {
    /// The probability of each kind, for each request that it can happen to. A request has at most one fault.
    pub chances: BTreeMap<Kind, f64>,
    /// How late a late request is carried out, and how long an unfinished submission stops, milliseconds.
    pub late_ms: Span,
    /// How long an outage, a restart or a poisoning lasts, milliseconds.
    pub outage_ms: Span,
    /// How far in the past a submission is dated, seconds.
    pub skew_s: Span,
    /// How long OAR takes to treat the trouble of a node, milliseconds.
    pub trouble_ms: Span,
}

/// Why a text is not a plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// It cannot be read.
    #[error("the plan cannot be read: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A probability is not between 0 and 1.
    #[error("the chance of {0:?} must be between 0 and 1")]
    Chance(Kind),
    /// More than one fault per request would be needed.
    #[error("the chances of all that can happen to one request add up to more than 1")]
    TooMuch,
}

impl Default for Plan {
    /// Nothing goes wrong.
    fn default() -> Self {
        Self {
            chances: BTreeMap::new(),
            late_ms: Span { least: 5_000, most: 300_000 },
            outage_ms: Span { least: 10_000, most: 120_000 },
            skew_s: Span { least: 100, most: 1_000 },
            trouble_ms: Span { least: 5_000, most: 60_000 },
        }
    }
}

impl Plan {
    /// A bad week: about one request in twelve meets something, and one submission in five is dated wrongly.
    #[must_use]
    pub fn mild() -> Self {
        let chances = Kind::ALL.map(|kind| match kind {
            Kind::Outage | Kind::Restart | Kind::Poison | Kind::Forget => (kind, 0.002),
            Kind::Skew => (kind, 0.2),
            _ => (kind, 0.01),
        });
        Self { chances: chances.into(), outage_ms: Span { least: 5_000, most: 30_000 }, ..Self::default() }
    }

    /// Much worse than any real cluster: more than half of all submissions and listings meet something.
    #[must_use]
    pub fn hostile() -> Self {
        let chances = Kind::ALL.map(|kind| match kind {
            Kind::Outage | Kind::Restart | Kind::Poison => (kind, 0.01),
            Kind::Forget => (kind, 0.02),
            Kind::Vanish | Kind::Duplicate => (kind, 0.1),
            _ => (kind, 0.05),
        });
        Self { chances: chances.into(), ..Self::default() }
    }

    /// Nothing but one kind, at every request that it can happen to.
    #[must_use]
    pub fn always(kind: Kind) -> Self {
        Self { chances: [(kind, 1.0)].into(), ..Self::default() }
    }

    /// The same without some kinds.
    #[must_use]
    pub fn without(mut self, kinds: &[Kind]) -> Self {
        self.chances.retain(|kind, _| !kinds.contains(kind));
        self
    }

    /// Reads a plan written in JSON.
    ///
    /// # Errors
    /// When the text is not one, or its chances make no sense.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let plan: Self = serde_json::from_str(text)?;
        plan.check()?;
        Ok(plan)
    }

    /// Whether the chances make sense.
    ///
    /// # Errors
    /// When one is no probability, or those of one request add up to more than 1.
    pub fn check(&self) -> Result<(), PlanError> {
        let wrong = self.chances.iter().find(|(_, chance)| !(0.0..=1.0).contains(*chance));
        if let Some((kind, _)) = wrong {
            return Err(PlanError::Chance(*kind));
        }
        let total = |target| self.chances.iter().filter(|(kind, _)| kind.suits(target)).map(|(_, chance)| chance).sum();
        let targets = [Target::Submission, Target::Listing, Target::Other];
        // Sums of decimal fractions are not exact.
        if targets.into_iter().map(total).any(|sum: f64| sum > 1.0 + 1e-9) { Err(PlanError::TooMuch) } else { Ok(()) }
    }

    /// The kind that a draw (0 to just below 1) selects for a request, if any.
    pub(super) fn choose(&self, target: Target, draw: f64) -> Option<Kind> {
        let mut bound = 0.0;
        let suitable = self.chances.iter().filter(|(kind, _)| kind.suits(target));
        suitable.into_iter().find_map(|(kind, chance)| {
            bound += chance;
            (draw < bound).then_some(*kind)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_a_small_file() {
        let plan = Plan::parse(r#"{"chances": {"late": 0.5}, "late_ms": {"least": 1, "most": 2}}"#).unwrap();
        assert_eq!(plan.chances, [(Kind::Late, 0.5)].into());
        assert_eq!(plan.late_ms, Span { least: 1, most: 2 });
        assert_eq!(plan.outage_ms, Plan::default().outage_ms);
        let written = serde_json::to_string(&Plan::hostile()).unwrap();
        assert_eq!(Plan::parse(&written).unwrap(), Plan::hostile());
    }

    #[test]
    fn a_plan_that_makes_no_sense_is_refused() {
        let refusal = |text: &str| Plan::parse(text).unwrap_err().to_string();
        assert!(refusal(r#"{"chances": {"flood": 0.5}}"#).contains("flood"));
        assert!(refusal(r#"{"chance": {}}"#).contains("chance"));
        assert!(refusal(r#"{"chances": {"late": 1.5}}"#).contains("Late"));
        assert!(refusal(r#"{"chances": {"late": 0.6, "skew": 0.6}}"#).contains("more than 1"));
        assert!(Plan::parse(r#"{"chances": {"vanish": 1, "skew": 1}}"#).is_ok(), "never at the same request");
    }

    #[test]
    fn the_ready_plans_make_sense_and_leave_no_kind_out() {
        for plan in [Plan::mild(), Plan::hostile()] {
            plan.check().unwrap();
            assert!(Kind::ALL.iter().all(|kind| plan.chances[kind] > 0.0));
        }
    }
}
