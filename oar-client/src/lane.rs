//! The way to one cluster: who may send a request now.
//!
//! OAR's API shares one database session among all its requests, and requests that overlap with a write are answered 500:
//! one database request at a time, then. And whatever reaches a cluster counts against its [`Budget`]. Who waits for the one
//! or the other stands in one queue, in the order of arrival plus [`Urgency::deference`]: what is urgent goes first, and
//! nobody is overtaken by what came later than that.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::budget::{Account, Budget, Expense};
use crate::error::Error;
use crate::pressure::{Counter, Counters, Pressure};
use crate::urgency::Urgency;

/// Longer than this nobody waits who reads logs: a person looks on.
const LOGS_PATIENCE: Duration = Duration::from_secs(15);

/// What a request needs before it goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    pub(crate) urgency: Urgency,
    /// It touches OAR's database.
    pub(crate) database: bool,
}

/// The queue of all requests to one cluster.
#[derive(Debug)]
pub(crate) struct Lane {
    shared: Arc<Shared>,
    one_at_a_time: bool,
}

#[derive(Debug)]
struct Shared {
    /// Zero of the account's clock.
    since: Instant,
    state: Mutex<State>,
    /// Rung whenever somebody may have become the next.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// None: whatever comes may go.
    account: Option<Account>,
    /// Since when the one database request is under way.
    held_since: Option<Instant>,
    /// Who waits, by the moment that places it, then by arrival.
    waiting: BTreeMap<(Instant, u64), Waiter>,
    arrivals: u64,
    counters: Counters,
    /// Why nothing may go at all, if so.
    shut: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Waiter {
    need: Need,
    arrived: Instant,
}

/// The right to have a request under way. Dropped: it is over, and its time is charged.
#[derive(Debug)]
pub(crate) struct Pass {
    shared: Arc<Shared>,
    need: Need,
    holds_lane: bool,
    entered: Instant,
    bytes: u64,
}

/// A place in the queue, left when dropped.
struct Place {
    shared: Arc<Shared>,
    at: (Instant, u64),
}

/// Whether it is somebody's turn.
enum Turn {
    Now(Pass),
    /// Not before this time has passed, for want of budget.
    In(Duration),
    /// Others have to end, or to go, first.
    Behind,
    /// Never, for this reason.
    Shut(String),
}

impl Lane {
    /// A lane for one database request at a time, or an open road; under a budget, or without.
    pub(crate) fn new(one_at_a_time: bool, budget: Option<Budget>) -> Lane {
        let state = State {
            account: budget.map(Account::new),
            held_since: None,
            waiting: BTreeMap::new(),
            arrivals: 0,
            counters: Counters::default(),
            shut: None,
        };
        let shared = Shared { since: Instant::now(), state: Mutex::new(state), changed: Notify::new() };
        Lane { shared: Arc::new(shared), one_at_a_time }
    }

    /// Another budget from now on; a road without one stays so.
    pub(crate) fn set_budget(&self, budget: Budget) {
        if let Some(account) = &mut self.shared.lock().account {
            account.set(budget);
        }
        self.shared.changed.notify_waiters();
    }

    /// Lets nothing go any more, for this reason; or lets all go again. What is under way is left alone.
    pub(crate) fn shut(&self, why: Option<&str>) {
        self.shared.lock().shut = why.map(str::to_owned);
        self.shared.changed.notify_waiters();
    }

    /// Waits for its turn, but not longer than the request itself would be given: an unanswered write may hold the lane
    /// for minutes.
    pub(crate) async fn enter(&self, need: Need, patience: Duration) -> Result<Pass, Error> {
        let need = Need { database: need.database && self.one_at_a_time, ..need };
        let patience = if need.urgency == Urgency::Logs { patience.min(LOGS_PATIENCE) } else { patience };
        let arrived = Instant::now();
        let place = self.shared.queue(Waiter { need, arrived });
        loop {
            let changed = self.shared.changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            let now = Instant::now();
            let left = patience.saturating_sub(now - arrived);
            let pause = match self.shared.turn(place.at, now) {
                Turn::Now(pass) => return Ok(pass),
                Turn::Shut(why) => return Err(Error::NotSent(why)),
                _ if left.is_zero() => return Err(self.shared.too_late(need, now)),
                Turn::In(wait) => wait.min(left),
                Turn::Behind => left,
            };
            tokio::time::timeout(pause, changed).await.ok();
        }
    }

    /// How hard it is to get through now, for what is this urgent.
    pub(crate) fn pressure(&self, urgency: Urgency) -> Pressure {
        self.shared.pressure(urgency, Instant::now())
    }

    /// What was sent so far.
    pub(crate) fn counters(&self) -> Counters {
        self.shared.lock().counters
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(self: &Arc<Self>, waiter: Waiter) -> Place {
        let mut state = self.lock();
        state.arrivals += 1;
        let at = (waiter.arrived + waiter.need.urgency.deference(), state.arrivals);
        state.waiting.insert(at, waiter);
        Place { shared: Arc::clone(self), at }
    }

    /// Lets the one at this place go if nothing keeps it, and nobody before it could go.
    fn turn(self: &Arc<Self>, at: (Instant, u64), now: Instant) -> Turn {
        let mut state = self.lock();
        if let Some(why) = &state.shut {
            return Turn::Shut(why.clone());
        }
        let Some(waiter) = state.waiting.get(&at).copied() else { return Turn::Behind };
        let clock = now - self.since;
        let wait = state.ready_in(waiter, now, clock);
        if !wait.is_zero() {
            return Turn::In(wait);
        }
        if waiter.need.database && state.held_since.is_some() || state.somebody_before(at, now, clock) {
            return Turn::Behind;
        }
        state.waiting.remove(&at);
        let need = waiter.need;
        if need.database {
            state.held_since = Some(now);
        }
        state.count(need.urgency, clock, Expense { requests: 1, ..Expense::default() });
        drop(state);
        // Whoever stood behind may have another reason to wait now, or none.
        self.changed.notify_waiters();
        Turn::Now(Pass { shared: Arc::clone(self), need, holds_lane: need.database, entered: now, bytes: 0 })
    }

    fn pressure(&self, urgency: Urgency, now: Instant) -> Pressure {
        let mut state = self.lock();
        let waiter = Waiter { need: Need { urgency, database: false }, arrived: now };
        let wait = state.ready_in(waiter, now, now - self.since);
        let account = state.account.as_ref().filter(|_| !wait.is_zero());
        let which = account.map(Account::scarcest);
        let budget = account.map(Account::budget).unwrap_or_default();
        let lane_blocked_for = state.held_since.map(|since| now - since);
        Pressure { wait, which, budget, lane_blocked_for }
    }

    /// Why a request was not sent, in the end.
    fn too_late(&self, need: Need, now: Instant) -> Error {
        let pressure = self.pressure(need.urgency, now);
        let blocked = need.database.then_some(pressure.lane_blocked_for).flatten();
        Error::NotSent(match (blocked, pressure.sentence()) {
            (Some(_), _) => "an earlier request to this cluster is still unanswered".to_owned(),
            (None, Some(sentence)) => sentence,
            (None, None) => "too many requests to this cluster wait before it".to_owned(),
        })
    }
}

impl State {
    fn ready_in(&mut self, waiter: Waiter, now: Instant, clock: Duration) -> Duration {
        let waited = now - waiter.arrived;
        self.account.as_mut().map_or(Duration::ZERO, |account| account.ready_in(clock, waiter.need.urgency, waited))
    }

    /// Whether someone in front could go now and wants the same: the lane, or the budget.
    fn somebody_before(&mut self, at: (Instant, u64), now: Instant, clock: Duration) -> bool {
        let Some(own) = self.waiting.get(&at).copied() else { return false };
        let before: Vec<Waiter> = self.waiting.range(..at).map(|(_, waiter)| *waiter).collect();
        let lane_is_free = self.held_since.is_none();
        before.into_iter().any(|other| {
            let same_lane = own.need.database && other.need.database;
            let same_budget = self.account.is_some() && !own.need.urgency.may_owe();
            let passable = lane_is_free || !other.need.database;
            (same_lane || same_budget) && passable && self.ready_in(other, now, clock).is_zero()
        })
    }

    fn count(&mut self, urgency: Urgency, clock: Duration, expense: Expense) {
        if let Some(account) = &mut self.account {
            account.spend(clock, expense);
        }
        self.counters.add(urgency, Counter::from(expense));
    }
}

impl Pass {
    /// The request or its answer had so many bytes.
    pub(crate) fn carried(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut state = self.shared.lock();
        if self.holds_lane {
            state.held_since = None;
        }
        let expense = Expense { requests: 0, bytes: self.bytes, busy: now - self.entered };
        state.count(self.need.urgency, now - self.shared.since, expense);
        drop(state);
        self.shared.changed.notify_waiters();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.shared.lock().waiting.remove(&self.at).is_some() {
            self.shared.changed.notify_waiters();
        }
    }
}
