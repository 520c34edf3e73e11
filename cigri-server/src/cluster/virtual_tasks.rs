//! What tasks and steps do on a cluster in virtual time: as their command says.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use cigri_core::command::step_of_command;
use oar_local::chaos::{Execute, Run};
use oar_local::machine::{Job, Settings};

/// How long every task runs.
const TAKES_MS: i64 = 20_000;
/// How long every prologue and epilogue runs.
const STEP_TAKES_MS: i64 = 50_000;

/// Tasks do as they are told, and so do steps.
pub(super) fn execute(step_exit: &Arc<AtomicI32>, nodes: Settings) -> Execute {
    let step_exit = Arc::clone(step_exit);
    Box::new(move |job| match step_of_command(&job.command()) {
        Some(_) => Run { takes_ms: STEP_TAKES_MS, status: step_exit.load(Ordering::SeqCst) * 256 },
        None => task(job, &nodes),
    })
}

/// What a task's command says of it: `takes_ms=N`; `fails=A..B`: tasks of these parameters, or `fails=A/B`: A of B of them,
/// exit with 1, as does everything at once on the node of `hole=NODE`.
fn task(job: &Job, nodes: &Settings) -> Run {
    let command = job.command();
    if said(&command, "hole=") == Some(nodes.node_of_job(job)) {
        return Run { takes_ms: 1_000, status: 256 };
    }
    let number = |text: &str| text.parse::<i64>().unwrap_or_default();
    let parameter =
        command.split_whitespace().filter_map(|word| word.trim_matches('\'').parse::<i64>().ok()).next_back();
    let fails = said(&command, "fails=").zip(parameter).is_some_and(|(which, parameter)| {
        let range = which.split_once("..").map(|(from, to)| (number(from)..number(to)).contains(&parameter));
        let part = which.split_once('/').map(|(some, of)| parameter.rem_euclid(number(of).max(1)) < number(some));
        range.or(part).unwrap_or(false)
    });
    let takes_ms = said(&command, "takes_ms=").map_or(TAKES_MS, |text| number(&text));
    Run { takes_ms, status: if fails { 256 } else { 0 } }
}

/// The word behind a key.
fn said(command: &str, key: &str) -> Option<String> {
    let (_, rest) = command.split_once(key)?;
    let is_end = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ';' | ')');
    rest.split(is_end).next().map(str::to_owned)
}
