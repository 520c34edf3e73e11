//! `temporal_grouping` and `dimensional_grouping`: how many tasks a remote job runs, in turn and side by side.

use super::dependents::Dependents;
use super::field::{Field, Setting};
use super::parts::{Grouping, InTurn};
use super::problem::{Problem, Report, excerpt};
use super::resources::{Part, groups};

/// Most tasks in turn.
const MOST_IN_TURN: u64 = 1000;

/// Most tasks side by side: more cores than any node has.
const MOST_SIDE_BY_SIDE: u32 = 256;

/// Longest batch, in seconds: the walltime of a grouped job grows by it.
const LONGEST_BATCH_S: u64 = 24 * 3600;

/// How tasks are to be put side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// So many, each on the resources that the campaign gives.
    Tasks(u32),
    /// One on each core of those resources.
    Cores,
}

/// What one object says of grouping.
#[derive(Debug, Default)]
pub(super) struct GroupingFields {
    in_turn: Setting<InTurn>,
    batch_s: Setting<u64>,
    side: Setting<Side>,
}

impl GroupingFields {
    /// Reads the field `name` if it is one of grouping.
    pub(super) fn read(&mut self, name: &str, field: &Field<'_>, report: &mut Report) {
        match name {
            "temporal_grouping" => self.in_turn = Setting::read(field, report, in_turn),
            "temporal_grouping_batch_duration" => {
                self.batch_s = Setting::read(field, report, |field| field.seconds(LONGEST_BATCH_S));
            }
            "dimensional_grouping" => self.side = Setting::read(field, report, side),
            _ => {}
        }
    }

    /// Whether tasks are put side by side, by these fields of a cluster's own or these of the top.
    pub(super) fn is_wide(&self, top: &Self) -> bool {
        self.side.or(&top.side).value().is_some_and(|side| *side != Side::Tasks(1))
    }

    /// The grouping of a cluster with these fields of its own and these of the top, and the request of one task.
    ///
    /// # Errors
    /// A request that cannot be multiplied: found and expected, for the caller to place.
    pub(super) fn resolve(
        &self,
        top: &Self,
        request: &str,
        dependents: &mut Dependents,
    ) -> Result<(Grouping, String), Problem> {
        let (turn, batch) = (self.in_turn.or(&top.in_turn), self.batch_s.or(&top.batch_s));
        let in_turn = turn.value().copied().unwrap_or(InTurn::One);
        if in_turn == InTurn::One && !turn.is_unsound() {
            dependents.idle(batch, "temporal_grouping");
        }
        let batch_s = batch.value().copied().unwrap_or(Grouping::BATCH_S);
        let (side_by_side, resources) = match self.side.or(&top.side).value() {
            None | Some(Side::Tasks(1)) => (1, request.to_owned()),
            Some(Side::Tasks(tasks)) => (multiplied(request, *tasks)?, request.to_owned()),
            Some(Side::Cores) => (split(request)?, "/core=1".to_owned()),
        };
        Ok((Grouping { in_turn, batch_s, side_by_side }, resources))
    }
}

fn in_turn(field: &Field<'_>) -> Result<InTurn, Problem> {
    if field.is_true() || field.as_text() == Some("auto") {
        return Ok(InTurn::Auto);
    }
    match field.digits(MOST_IN_TURN).and_then(|tasks| u32::try_from(tasks).ok()) {
        Some(1) => Ok(InTurn::One),
        Some(tasks) => Ok(InTurn::AtMost(tasks)),
        None => Err(field.problem(&format!("`true`, `false`, `auto` or a number of tasks from 2 to {MOST_IN_TURN}"))),
    }
}

fn side(field: &Field<'_>) -> Result<Side, Problem> {
    if field.is_true() {
        return Ok(Side::Cores);
    }
    let tasks = field.digits(u64::from(MOST_SIDE_BY_SIDE)).and_then(|tasks| u32::try_from(tasks).ok());
    tasks
        .map(Side::Tasks)
        .ok_or_else(|| field.problem(&format!("`true`, `false` or a number of tasks from 2 to {MOST_SIDE_BY_SIDE}")))
}

/// Checks that a job can ask for one node with so many times the cores of one task.
fn multiplied(request: &str, tasks: u32) -> Result<u32, Problem> {
    match cores_of_a_node(request) {
        Some(cores) if cores.checked_mul(tasks).is_some() => Ok(tasks),
        _ => Err(unfit(request, "cores of one node, such as `/core=2`, which can be multiplied")),
    }
}

/// One task for each core of a request.
fn split(request: &str) -> Result<u32, Problem> {
    match cores_of_a_node(request) {
        Some(cores @ 2..=MOST_SIDE_BY_SIDE) => Ok(cores),
        _ => {
            let expected = format!("2 to {MOST_SIDE_BY_SIDE} cores of one node, such as `/nodes=1/core=8`");
            Err(unfit(request, &expected).hint("with `true`, each core of the request runs a task"))
        }
    }
}

fn unfit(request: &str, expected: &str) -> Problem {
    Problem::new("dimensional_grouping", format!("the request `{}`", excerpt(request)), expected)
}

/// Cores of `/core=N`, `/resource_id=N` or `/nodes=1/core=N`; `None` for everything else that OAR can be asked for.
fn cores_of_a_node(request: &str) -> Option<u32> {
    let all = groups(request)?;
    let [group] = all.as_slice() else { return None };
    let is_node = |name: &str| ["host", "network_address", "node", "nodes"].contains(&name);
    match group.as_slice() {
        // Where a campaign asks for nothing, the server asks for a resource of the smallest kind.
        [Part::Count { name: "core" | "resource_id", count }] => *count,
        [Part::Count { name, count: Some(1) }, Part::Count { name: "core", count }] if is_node(name) => *count,
        _ => None,
    }
}
