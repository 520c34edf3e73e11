//! Where to kill: every step of a submission's life, on both sides of what the cluster does, then random instants.

use std::time::Duration;

use crate::ask::Ask::{
    self, Adoption, Array, Count, Delete, EndDetails, Gate, GateDelete, GateLook, GateVerify, Listing, LookUp,
    LookUpEnded, LookUpJob, Probe, SecondLook, Tail,
};
use crate::dice::Dice;
use crate::proxy::Fault;
use crate::proxy::Side::{self, Answer, Request};

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
    /// Seconds that a task takes, where the dice do not choose.
    pub(crate) sleep: Option<f64>,
    /// What becomes of held requests, where the dice do not choose.
    pub(crate) late: Option<Late>,
}

fn plan(name: &'static str, strikes: &[Strike]) -> Plan {
    Plan {
        name,
        spoil: Vec::new(),
        strikes: strikes.to_vec(),
        cancel: Cancel::Never,
        kill_rate: 0.0,
        sleep: None,
        late: None,
    }
}

fn step(name: &'static str, ask: Ask, side: Side) -> Plan {
    plan(name, &[Strike::At(ask, 1, side)])
}

fn killing(name: &'static str, ask: Ask, nth: usize, side: Side) -> Plan {
    Plan { kill_rate: 0.6, ..plan(name, &[Strike::At(ask, nth, side)]) }
}

/// Every named step.
pub(crate) fn named() -> Vec<Plan> {
    [sending(), opening(), observing(), settling(), starting_again(), cancelling()].concat()
}

fn sending() -> Vec<Plan> {
    let late = |name, late| Plan { late: Some(late), ..step(name, Array, Request) };
    vec![
        step("gate POST, not done", Gate, Request),
        step("gate POST, done", Gate, Answer),
        late("array POST, never done", Late::Never),
        late("array POST, done between the servers", Late::BeforeRestart),
        late("array POST, done after the restart", Late::AfterRestart),
        late("array POST, done after the campaign", Late::AtTheEnd),
        step("array POST, done", Array, Answer),
        plan("gate POST of the second submission", &[Strike::At(Gate, 2, Answer)]),
        killing("array POST of a later submission, not done", Array, 3, Request),
    ]
}

fn opening() -> Vec<Plan> {
    vec![
        step("adoption listing", Adoption, Answer),
        step("look at the gate", GateLook, Answer),
        step("gate DELETE, not done", GateDelete, Request),
        step("gate DELETE, done", GateDelete, Answer),
        step("verification of the gate", GateVerify, Answer),
    ]
}

fn observing() -> Vec<Plan> {
    let hidden = |name, ask, nth, spoil: &[_]| Plan {
        spoil: spoil.to_vec(),
        sleep: Some(1.5),
        ..plan(name, &[Strike::At(ask, nth, Answer)])
    };
    let (hide, fail) = ((Listing, 1, Fault::Hide), (SecondLook, 1, Fault::Fail));
    vec![
        step("count", Count, Answer),
        plan("second count", &[Strike::At(Count, 2, Answer)]),
        step("listing of the array", Listing, Answer),
        plan("second listing of an array", &[Strike::At(Listing, 2, Answer)]),
        hidden("look at a job that its listing lacks", SecondLook, 1, &[hide]),
        hidden("count after a job was missing everywhere", Count, 3, &[hide, fail]),
        killing("details of ended jobs", EndDetails, 1, Answer),
        killing("second details of ended jobs", EndDetails, 2, Answer),
        step("stderr of a failed job", Tail, Answer),
    ]
}

/// After a POST whose answer was lost, and after one whose server died.
fn settling() -> Vec<Plan> {
    let lost = (Array, 1, Fault::LoseAnswer(Duration::ZERO));
    let in_doubt = |name, ask| Plan { spoil: vec![lost], ..step(name, ask, Answer) };
    let after = |name, first, second| plan(name, &[Strike::At(first, 1, Answer), Strike::At(second, 1, Answer)]);
    let sweep = [Strike::At(Count, 2, Answer), Strike::At(LookUp, 1, Answer)];
    let thrice = [Strike::At(Gate, 1, Answer), Strike::At(Array, 1, Answer), Strike::At(GateDelete, 1, Request)];
    vec![
        in_doubt("look-up of a doubt", LookUp),
        in_doubt("look-up of a doubt, ended jobs", LookUpEnded),
        in_doubt("look-up of a doubt, its job", LookUpJob),
        in_doubt("adoption of what a look-up found", Adoption),
        after("look-up of an intent", Array, LookUp),
        after("look-up of an intent that is half made", Gate, LookUpEnded),
        plan("orphan sweep", &sweep),
        plan("three kills in one submission", &thrice),
    ]
}

/// In a submission whose predecessor came to nothing.
fn starting_again() -> Vec<Plan> {
    let shut = Fault::CloseDoor(Duration::from_millis(800));
    let after = |name, spoil, ask, nth| Plan { spoil: vec![spoil], ..plan(name, &[Strike::At(ask, nth, Answer)]) };
    vec![
        after("after an abandoned one", (Gate, 1, Fault::Fail), Gate, 2),
        after("after a refused one", (Probe, 1, shut), Array, 1),
        after("after a refused array", (Gate, 1, shut), Array, 1),
    ]
}

fn cancelling() -> Vec<Plan> {
    let running =
        |name, ask, nth, side| Plan { cancel: Cancel::OnceRunning, ..plan(name, &[Strike::At(ask, nth, side)]) };
    let held = |name, ask, side| Plan { cancel: Cancel::WhileHeld, ..step(name, ask, side) };
    vec![
        running("DELETE of a cancelled job, not done", Delete, 1, Request),
        running("DELETE of a cancelled job, done", Delete, 1, Answer),
        running("DELETE of a later cancelled job, done", Delete, 3, Answer),
        running("details of cancelled jobs", EndDetails, 2, Answer),
        held("cancelled during the array POST", Array, Answer),
        held("cancelled during the gate's DELETE", GateDelete, Request),
    ]
}

/// Kills at random instants.
pub(crate) fn random(dice: &mut Dice) -> Plan {
    let strikes: Vec<Strike> =
        (0..=dice.roll(3)).map(|_| Strike::After(Duration::from_millis(dice.roll(2_500)))).collect();
    let kill_rate = [0.0, 0.3][dice.roll(2) as usize];
    Plan { kill_rate, ..plan("random instants", &strikes) }
}
