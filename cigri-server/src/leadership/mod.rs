//! Who leads, where several servers share a database: one runs the clusters' loops and writes, the others stand by.
//!
//! [`keeper`] takes and renews the lease from a thread of its own; [`turn`] runs the loops while it is held. Both talk
//! through a [`Leadership`], which requests ask too. What keeps a server that lost the lead from harm is not here: the
//! database refuses its transactions by their epoch. Here it is kept from trying.

mod door;
mod guard;
mod keeper;
mod leader;
pub(crate) mod passport;
mod turn;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use crate::clock::monotonic;

pub(crate) use door::Door;
pub(crate) use guard::Guarded;
pub(crate) use keeper::{Keeper, keep};
pub(crate) use leader::Leader;
pub(crate) use turn::lead;

/// What this server does about the lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Stands by, and takes the lease when it is free.
    Follows,
    /// Has the lease, and makes ready.
    Prepares,
    /// Leads.
    Acts,
    /// Led; takes nothing before its loops have ended.
    Leaves,
}

/// A lease as its holder knows it.
#[derive(Clone)]
struct Held {
    epoch: i64,
    /// Counted from before the statement that took or renewed it: not later than on the database's clock.
    until: Instant,
    /// What signs the requests that others pass on.
    secret: Arc<str>,
}

struct State {
    phase: Phase,
    held: Option<Held>,
    /// The other server that leads, as last seen.
    leader: Option<Arc<Leader>>,
}

/// This server's part in the lead, seen by everything that depends on it.
pub(crate) struct Leadership {
    /// `None` where there is only one server, which always leads.
    state: Option<watch::Sender<State>>,
}

impl Leadership {
    /// The only server of its database.
    pub(crate) fn alone() -> Leadership {
        Leadership { state: None }
    }

    /// One of several, standing by at first.
    pub(crate) fn shared() -> Leadership {
        let state = State { phase: Phase::Follows, held: None, leader: None };
        Leadership { state: Some(watch::Sender::new(state)) }
    }

    /// Whether this server may change things now.
    pub(crate) fn leads(&self) -> bool {
        self.state.as_ref().is_none_or(|state| state.borrow().leads())
    }

    /// The epoch in which this server leads, or the secret of requests passed on to it.
    fn held<T>(&self, get: impl FnOnce(&Held) -> T) -> Option<T> {
        let state = self.state.as_ref()?.borrow();
        if state.leads() { state.held.as_ref().map(get) } else { None }
    }

    /// The epoch in which this server leads a shared database.
    pub(crate) fn epoch(&self) -> Option<i64> {
        self.held(|held| held.epoch)
    }

    /// What signs the requests that others pass on to this leader.
    pub(crate) fn secret(&self) -> Option<Arc<str>> {
        self.held(|held| Arc::clone(&held.secret))
    }

    /// The other server that leads, as last seen.
    pub(crate) fn leader(&self) -> Option<Arc<Leader>> {
        self.state.as_ref()?.borrow().leader.clone()
    }

    /// Ends when this server does not lead (any more).
    async fn lost(&self) {
        let Some(mut states) = self.state.as_ref().map(watch::Sender::subscribe) else {
            return std::future::pending().await;
        };
        loop {
            let until = {
                let state = states.borrow_and_update();
                match &state.held {
                    Some(held) if state.leads() => held.until,
                    _ => return,
                }
            };
            tokio::select! {
                _ = states.changed() => {}
                () = tokio::time::sleep_until(until.into()) => {}
            }
        }
    }

    /// Ends when the server that led in `epoch` is not known to lead any more.
    pub(crate) async fn overtaken(&self, epoch: i64) {
        let Some(state) = &self.state else { return std::future::pending().await };
        let is_over = |state: &State| state.leader.as_ref().is_none_or(|leader| leader.epoch != epoch);
        state.subscribe().wait_for(is_over).await.ok();
    }

    /// Ends when the lease was taken, and the server is to make ready.
    async fn taken(&self) {
        let Some(state) = &self.state else { return std::future::pending().await };
        // Fails only without a sender, which is this value.
        state.subscribe().wait_for(|state| state.phase == Phase::Prepares).await.ok();
    }

    /// Goes to another phase; false if the present one is not `from`.
    fn advance(&self, from: &[Phase], to: Phase) -> bool {
        let go = |state: &mut State| {
            let goes = from.contains(&state.phase);
            if goes {
                state.phase = to;
            }
            goes
        };
        self.state.as_ref().is_some_and(|state| state.send_if_modified(go))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        if let Some(state) = &self.state {
            state.send_modify(change);
        }
    }
}

impl State {
    fn leads(&self) -> bool {
        self.phase == Phase::Acts && self.held.as_ref().is_some_and(|held| monotonic() < held.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn holding(lasts: Duration) -> Leadership {
        let leadership = Leadership::shared();
        let held = Held { epoch: 3, until: monotonic() + lasts, secret: "s".into() };
        leadership.change(|state| state.held = Some(held));
        leadership
    }

    #[test]
    fn the_only_server_leads_and_one_of_several_stands_by_at_first() {
        assert!(Leadership::alone().leads());
        assert!(!Leadership::shared().leads());
    }

    #[test]
    fn a_lease_alone_is_not_enough_to_change_things() {
        let leadership = holding(Duration::from_secs(600));
        for (phase, leads) in
            [(Phase::Follows, false), (Phase::Prepares, false), (Phase::Acts, true), (Phase::Leaves, false)]
        {
            leadership.change(|state| state.phase = phase);
            assert_eq!((leadership.leads(), leadership.epoch()), (leads, leads.then_some(3)), "{phase:?}");
        }
    }

    #[tokio::test]
    async fn a_lease_that_is_not_renewed_is_lost_when_its_time_is_over() {
        let leadership = holding(Duration::from_millis(50));
        leadership.change(|state| state.phase = Phase::Acts);
        assert!(leadership.leads());
        leadership.lost().await;
        assert!(!leadership.leads());
        assert_eq!(leadership.secret(), None);
    }
}
