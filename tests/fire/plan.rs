//! Where to kill: every step of a submission's life, on both sides of what the cluster does, then random instants.

use std::time::Duration;

use crate::ask::Ask;
use crate::dice::Dice;
use crate::proxy::{Fault, Side};

/// One `kill -9`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Strike {
    /// While the `nth` request of a kind, since the server's start, is held back.
    At(Ask, usize, Side),
    /// So long after the campaign was accepted, or the server started again.
    After(Duration),
}

/// When the user cancels the campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    /// Not at all.
    Never,
    /// When tasks run and two submissions are open.
    OnceRunning,
    /// While the first request of the first strike is held.
    WhileHeld,
}

/// What becomes of the request that was held when the server died.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Late {
    /// The cluster carries it out before the next server starts.
    BeforeRestart,
    /// The cluster never sees it.
    Never,
    /// The cluster carries it out under the eyes of the next server.
    AfterRestart,
    /// The cluster carries it out when the campaign is over.
    AtTheEnd,
}

/// One scenario.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What it is called in the table.
    pub(crate) name: &'static str,
    /// What goes wrong before.
    pub(crate) spoil: Vec<(Ask, usize, Fault)>,
    /// The kills, in order.
    pub(crate) strikes: Vec<Strike>,
    /// Whether it is cancelled.
    pub(crate) cancel: Cancel,
    /// Rate of best-effort kills.
    pub(crate) kill_rate: f64,
    /// What becomes of held requests, where the dice do not choose.
    pub(crate) late: Option<Late>,
}

fn plan(name: &'static str, strikes: &[Strike]) -> Plan {
    Plan { name, spoil: Vec::new(), strikes: strikes.to_vec(), cancel: Cancel::Never, kill_rate: 0.0, late: None }
}

fn step(name: &'static str, ask: Ask, side: Side) -> Plan {
    plan(name, &[Strike::At(ask, 1, side)])
}

/// Every named step.
pub(crate) fn named() -> Vec<Plan> {
    use Ask::{
        Adoption, Array, Count, Delete, EndDetails, Gate, GateDelete, GateLook, GateVerify, Listing, LookUp,
        LookUpEnded, LookUpJob, Probe, Tail,
    };
    use Side::{Answer, Request};
    let lost = [(Array, 1, Fault::LoseAnswer(Duration::ZERO))];
    let in_doubt = |name, ask| Plan { spoil: lost.to_vec(), ..step(name, ask, Answer) };
    let cancelled =
        |name, ask, nth, side| Plan { cancel: Cancel::OnceRunning, ..plan(name, &[Strike::At(ask, nth, side)]) };
    let late = |name, ask, late| Plan { late: Some(late), ..step(name, ask, Request) };
    let killing = |name, ask, nth, side| Plan { kill_rate: 0.6, ..plan(name, &[Strike::At(ask, nth, side)]) };
    let shut = Fault::CloseDoor(Duration::from_millis(800));
    vec![
        step("gate POST, not done", Gate, Request),
        step("gate POST, done", Gate, Answer),
        late("array POST, never done", Array, Late::Never),
        late("array POST, done between the servers", Array, Late::BeforeRestart),
        late("array POST, done after the restart", Array, Late::AfterRestart),
        late("array POST, done after the campaign", Array, Late::AtTheEnd),
        step("array POST, done", Array, Answer),
        step("adoption listing", Adoption, Answer),
        step("look at the gate", GateLook, Answer),
        step("gate DELETE, not done", GateDelete, Request),
        step("gate DELETE, done", GateDelete, Answer),
        step("verification of the gate", GateVerify, Answer),
        step("count", Count, Answer),
        plan("second count", &[Strike::At(Count, 2, Answer)]),
        step("listing of the array", Listing, Answer),
        plan("second listing of an array", &[Strike::At(Listing, 2, Answer)]),
        killing("details of ended jobs", EndDetails, 1, Answer),
        killing("second details of ended jobs", EndDetails, 2, Answer),
        step("stderr of a failed job", Tail, Answer),
        plan("gate POST of the second submission", &[Strike::At(Gate, 2, Answer)]),
        killing("array POST of a later submission, not done", Array, 3, Request),
        in_doubt("look-up of a doubt", LookUp),
        in_doubt("look-up of a doubt, ended jobs", LookUpEnded),
        in_doubt("look-up of a doubt, its job", LookUpJob),
        in_doubt("adoption of what a look-up found", Adoption),
        plan("look-up of an intent", &[Strike::At(Array, 1, Answer), Strike::At(LookUp, 1, Answer)]),
        plan(
            "look-up of an intent that is half made",
            &[Strike::At(Gate, 1, Answer), Strike::At(LookUpEnded, 1, Answer)],
        ),
        plan("orphan sweep", &[Strike::At(Count, 2, Answer), Strike::At(LookUp, 1, Answer)]),
        Plan { spoil: vec![(Gate, 1, Fault::Fail)], ..plan("after an abandoned one", &[Strike::At(Gate, 2, Answer)]) },
        Plan { spoil: vec![(Probe, 1, shut)], ..plan("after a refused one", &[Strike::At(Array, 1, Answer)]) },
        Plan { spoil: vec![(Gate, 1, shut)], ..plan("after a refused array", &[Strike::At(Array, 1, Answer)]) },
        cancelled("DELETE of a cancelled job, not done", Delete, 1, Request),
        cancelled("DELETE of a cancelled job, done", Delete, 1, Answer),
        cancelled("DELETE of a later cancelled job, done", Delete, 3, Answer),
        cancelled("details of cancelled jobs", EndDetails, 2, Answer),
        Plan { cancel: Cancel::WhileHeld, ..step("cancelled during the array POST", Array, Answer) },
        Plan { cancel: Cancel::WhileHeld, ..step("cancelled during the gate's DELETE", GateDelete, Request) },
        plan(
            "three kills in one submission",
            &[Strike::At(Gate, 1, Answer), Strike::At(Array, 1, Answer), Strike::At(GateDelete, 1, Request)],
        ),
    ]
}

/// Kills at random instants.
pub(crate) fn random(dice: &mut Dice) -> Plan {
    let strikes: Vec<Strike> =
        (0..=dice.roll(3)).map(|_| Strike::After(Duration::from_millis(dice.roll(2_500)))).collect();
    let kill_rate = [0.0, 0.3][dice.roll(2) as usize];
    Plan { kill_rate, ..plan("random instants", &strikes) }
}
