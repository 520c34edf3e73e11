//! What happens to one request, and the seeded source of such decisions.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request};
use serde::{Deserialize, Serialize};

use super::dice::Dice;
use super::plan::{Kind, Plan, Target};
use crate::machine::Suspicion;

/// What happens to one request; all lengths and choices are drawn already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// [`Kind::LostAfter`]
    LostAfter,
    /// [`Kind::LostBefore`]
    LostBefore,
    /// [`Kind::FailedAfter`]
    FailedAfter,
    /// [`Kind::FailedBefore`]
    FailedBefore,
    /// [`Kind::Late`]
    Late {
        /// Milliseconds until the work is done.
        by_ms: i64,
    },
    /// [`Kind::Reset`]
    Reset,
    /// [`Kind::Outage`]
    Outage {
        /// Its length.
        for_ms: i64,
    },
    /// [`Kind::Restart`]
    Restart {
        /// Time until the API is back.
        for_ms: i64,
    },
    /// [`Kind::Poison`]
    Poison {
        /// Time until somebody repairs it.
        for_ms: i64,
    },
    /// [`Kind::Partial`]
    Partial {
        /// Rows that are made.
        rows: u32,
        /// Whether 500 is answered, or nothing.
        answered: bool,
    },
    /// [`Kind::Arrayless`]
    Arrayless {
        /// Rows that are made.
        rows: u32,
        /// Whether 500 is answered, or nothing.
        answered: bool,
    },
    /// [`Kind::Unfinished`]
    Unfinished {
        /// Milliseconds until the submission goes on.
        by_ms: i64,
    },
    /// [`Kind::Skew`]
    Skew {
        /// How far in the past.
        seconds: i64,
    },
    /// [`Kind::Preempt`], then an answer as always.
    Preempt {
        /// Chooses the job.
        draw: u64,
    },
    /// [`Kind::Resubmit`], then an answer as always.
    Resubmit {
        /// Chooses the job.
        draw: u64,
        /// What OAR makes of it.
        how: Suspicion,
    },
    /// [`Kind::Forget`], then an answer as always.
    Forget {
        /// Chooses the job.
        draw: u64,
    },
    /// [`Kind::Vanish`]
    Vanish {
        /// Chooses the rows.
        draw: u64,
    },
    /// [`Kind::Duplicate`]
    Duplicate {
        /// Chooses the rows.
        draw: u64,
    },
    /// The request came in an outage or a restart.
    Refused,
    /// The request needs the database, and came while the API was poisoned.
    Poisoned,
}

/// What has happened so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Requests seen.
    pub requests: u64,
    /// How many met each kind of fault, also those on which it had no effect: no job to kill, no row to hide.
    pub faults: BTreeMap<Kind, u64>,
    /// Those that came in an outage or a restart.
    pub refused: u64,
    /// Those that a poisoned API could not answer.
    pub poisoned: u64,
}

/// The seeded source of faults. The same seed, plan and requests at the same times give the same faults.
#[derive(Debug)]
pub struct Chaos {
    dice: Dice,
    plan: Plan,
    stopped: bool,
    /// Epoch milliseconds.
    refuses_until: i64,
    poisoned_until: i64,
    report: Report,
}

impl Chaos {
    /// A source of the faults of `plan`.
    #[must_use]
    pub fn new(seed: u64, plan: Plan) -> Self {
        let dice = Dice::new(seed);
        Self { dice, plan, stopped: false, refuses_until: 0, poisoned_until: 0, report: Report::default() }
    }

    /// Draws what happens to a request that finds the API up.
    pub fn decide(&mut self, request: &Request<Bytes>) -> Fault {
        self.report.requests += 1;
        if self.stopped {
            return Fault::None;
        }
        let draw = self.dice.fraction();
        let Some(kind) = self.plan.choose(target_of(request), draw) else { return Fault::None };
        *self.report.faults.entry(kind).or_default() += 1;
        self.draw(kind, request)
    }

    /// What happens to a request that comes at `now` (epoch milliseconds): as [`Chaos::decide`], with the outages
    /// that earlier decisions began.
    pub fn meet(&mut self, request: &Request<Bytes>, now: i64) -> Fault {
        if now < self.refuses_until {
            self.report.requests += 1;
            self.report.refused += 1;
            return Fault::Refused;
        }
        if now < self.poisoned_until && needs_database(request) {
            self.report.requests += 1;
            self.report.poisoned += 1;
            return Fault::Poisoned;
        }
        let fault = self.decide(request);
        match fault {
            Fault::Outage { for_ms } => self.refuses_until = now.saturating_add(for_ms),
            Fault::Restart { for_ms } => {
                self.refuses_until = now.saturating_add(for_ms);
                self.poisoned_until = 0;
            }
            Fault::Poison { for_ms } => self.poisoned_until = now.saturating_add(for_ms),
            _ => {}
        }
        fault
    }

    /// Ends what lasts, and lets nothing go wrong any more. What is late already still comes.
    pub fn stop_faults(&mut self) {
        (self.stopped, self.refuses_until, self.poisoned_until) = (true, 0, 0);
    }

    /// What has happened so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.report.clone()
    }

    fn draw(&mut self, kind: Kind, request: &Request<Bytes>) -> Fault {
        match kind {
            Kind::LostAfter => Fault::LostAfter,
            Kind::LostBefore => Fault::LostBefore,
            Kind::FailedAfter => Fault::FailedAfter,
            Kind::FailedBefore => Fault::FailedBefore,
            Kind::Late => Fault::Late { by_ms: self.length(self.plan.late_ms) },
            Kind::Reset => Fault::Reset,
            Kind::Outage => Fault::Outage { for_ms: self.length(self.plan.outage_ms) },
            Kind::Restart => Fault::Restart { for_ms: self.length(self.plan.outage_ms) },
            Kind::Poison => Fault::Poison { for_ms: self.length(self.plan.outage_ms) },
            Kind::Partial => Fault::Partial { rows: self.rows(request), answered: self.dice.coin() },
            Kind::Arrayless => Fault::Arrayless { rows: self.rows(request), answered: self.dice.coin() },
            Kind::Unfinished => Fault::Unfinished { by_ms: self.length(self.plan.late_ms) },
            Kind::Skew => Fault::Skew { seconds: self.length(self.plan.skew_s) },
            Kind::Preempt => Fault::Preempt { draw: self.dice.next() },
            Kind::Resubmit => Fault::Resubmit { draw: self.dice.next(), how: self.suspicion() },
            Kind::Forget => Fault::Forget { draw: self.dice.next() },
            Kind::Vanish => Fault::Vanish { draw: self.dice.next() },
            Kind::Duplicate => Fault::Duplicate { draw: self.dice.next() },
        }
    }

    fn length(&mut self, span: super::Span) -> i64 {
        i64::try_from(self.dice.between(span.least, span.most)).unwrap_or(i64::MAX)
    }

    /// One trouble in four is treated without a copy.
    fn suspicion(&mut self) -> Suspicion {
        Suspicion { after_ms: self.length(self.plan.trouble_ms), resubmits: self.dice.between(1, 4) > 1 }
    }

    /// From one row to all of them.
    fn rows(&mut self, request: &Request<Bytes>) -> u32 {
        u32::try_from(self.dice.between(1, rows_asked(request.body()))).unwrap_or(u32::MAX)
    }
}

fn target_of(request: &Request<Bytes>) -> Target {
    let is_jobs = matches!(request.uri().path(), "/jobs" | "/jobs/");
    match *request.method() {
        Method::POST if is_jobs => Target::Submission,
        Method::GET if is_jobs => Target::Listing,
        _ => Target::Other,
    }
}

/// The routes that a poisoned API still answers well, as recorded on a real one.
pub(super) fn needs_database(request: &Request<Bytes>) -> bool {
    let first = request.uri().path().split('/').find(|segment| !segment.is_empty());
    matches!(first, Some("jobs" | "resources"))
}

/// The jobs that a submission asks for; at least 1.
fn rows_asked(body: &[u8]) -> u64 {
    #[derive(Deserialize)]
    struct Rows {
        #[serde(default)]
        param_file: Option<String>,
        #[serde(default)]
        array: Option<u64>,
    }
    let Ok(rows) = serde_json::from_slice::<Rows>(body) else { return 1 };
    match (rows.param_file.filter(|text| !text.is_empty()), rows.array) {
        (Some(text), _) => text.split('\n').count() as u64,
        (None, count) => count.unwrap_or(1).max(1),
    }
}
