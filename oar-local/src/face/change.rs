//! What users ask of existing jobs. Everything with a good token answers 200; `exit_status` tells the truth.

use serde_json::json;

use super::answer::{Answer, Fault, Problem, ok};
use super::auth;
use super::call::{Call, path_id, read_integer};
use crate::machine::{Machine, Outcome, State};

pub(super) fn delete(machine: &mut Machine, call: &Call<'_>, id: &str) -> Answer {
    let (user, id) = (auth::user(call)?, path_id(id)?);
    let outcome = if call.boolean("array")? {
        machine.delete_array(id, &user, call.now)
    } else {
        machine.delete(id, &user, call.now)
    };
    show(id, &outcome)
}

pub(super) fn hold(machine: &mut Machine, call: &Call<'_>, id: &str) -> Answer {
    let (user, id) = (auth::user(call)?, path_id(id)?);
    show(id, &machine.hold(id, &user, call.now))
}

pub(super) fn resume(machine: &mut Machine, call: &Call<'_>, id: &str) -> Answer {
    let (user, id) = (auth::user(call)?, path_id(id)?);
    show(id, &machine.resume(id, &user, call.now))
}

/// Holding a running job needs cpusets, which this cluster does not have.
pub(super) fn hold_running(call: &Call<'_>, id: &str) -> Answer {
    auth::user(call)?;
    let text = "#WARNING: CPUSET tag is not configured in the oar.conf 2\n".to_owned();
    show(path_id(id)?, &Outcome { text, exit_status: 2 })
}

pub(super) fn checkpoint(machine: &Machine, call: &Call<'_>, id: &str) -> Answer {
    let (user, id) = (auth::user(call)?, path_id(id)?);
    let begin = format!("Checkpointing the job {id} ...");
    let node = &machine.settings().node;
    let outcome = refuse_signal(machine, id, &user, &begin).unwrap_or_else(|| Outcome {
        text: format!("{begin}\nERROR\n#ERROR: Cannot contact {node}, operation timouted (120 s). 3\n"),
        exit_status: 3,
    });
    show(id, &outcome)
}

/// OAR crashes when asked to signal a running job.
pub(super) fn signal(machine: &Machine, call: &Call<'_>, id: &str, number: &str) -> Answer {
    let (user, id) = (auth::user(call)?, path_id(id)?);
    read_integer(number).ok_or_else(|| Fault::integer(&["path", "signal"]))?;
    let begin = format!("Signaling the job {id} with SIGURG signal {user}.");
    let outcome = refuse_signal(machine, id, &user, &begin).ok_or(Problem::Crash)?;
    show(id, &outcome)
}

fn refuse_signal(machine: &Machine, id: u64, user: &str, begin: &str) -> Option<Outcome> {
    let refuse = |why: &str, exit_status| {
        let text = format!("{begin}\nERROR\n#ERROR: Cannot signal {id} ; {why}\n");
        Some(Outcome { text, exit_status })
    };
    match machine.find_job(id) {
        Some(job) if job.batch.user == user || matches!(user, "oar" | "root") => {
            if job.state == State::Running {
                None
            } else {
                refuse("This job is not running. 2", 5)
            }
        }
        _ => refuse("You are not the right user. 1", 1),
    }
}

fn show(id: u64, outcome: &Outcome) -> Answer {
    ok(&json!({ "id": id, "cmd_output": outcome.text, "exit_status": outcome.exit_status }))
}
