//! The trials in which it is the tasks that are bad: they fail, or never end. Good ones are done once, bad ones fail and
//! are told once, and nobody has to act.

use serde_json::Value;

use crate::bench::{Bench, Tasks};
use crate::experiments::Row;
use crate::scenario::{Scenario, Trial};
use crate::server::{Limits, Server};
use crate::verdict::{self, Times, Verdict};

/// How tasks are bad.
#[derive(Clone, Copy)]
pub(crate) struct Bad {
    /// How many are.
    count: u64,
    /// What a bad one does.
    does: &'static str,
    walltime: &'static str,
    /// The event that tells them.
    code: &'static str,
    /// How often a bad one ends by itself.
    ended: u64,
}

/// They exit with an error.
pub(crate) const FAILING: Bad =
    Bad { count: 8, does: "echo no such luck >&2; exit 1", walltime: "0:10:0", code: "EXIT_ERROR", ended: 1 };
/// They run into their walltime, on every try.
pub(crate) const ENDLESS: Bad =
    Bad { count: 15, does: "exec sleep 600", walltime: "0:0:2", code: "WALLTIME_WARNING", ended: 0 };

/// CiGri 3's rows for both. Its walltime kills came from its cluster's chance, and a second try was enough.
pub(crate) fn all() -> [(Scenario, Bad); 2] {
    let row =
        |name, what, cigri3| Scenario { name, what, trial: Trial::BestEffort(0.0), params: 80, back: &[], cigri3 };
    [
        (
            row(
                "R3b",
                "10 % of jobs exit with 1",
                ["stalled after the first", "31 / 0 / 49 after one fix", "31 / 0 / 49 after one fix"],
            ),
            FAILING,
        ),
        (row("R3d", "15 tasks run into their walltime", ["terminated", "80 / 0 / 0", "80 / 0 / 0"]), ENDLESS),
    ]
}

/// Runs 80 tasks of which some are bad.
pub(crate) async fn run(bad: Bad, period_s: u64) -> Row {
    let bench = Bench::new(4, (0.0, 0), Limits { max_array: 500, max_waiting: 10, period_s, backlog: None });
    let tasks = Tasks { count: 80, sleep: 0.1, failing: u64::MAX };
    let server = bench.serve().await;
    bench.give_tokens(&server).await;
    let mut jdl = bench.campaign(tasks);
    // The first ones are bad: they meet a cluster of which nothing else is known.
    let script = format!(
        "echo \"$CIGRI_TASK_INDEX $CIGRI_ATTEMPT\" >> started\nif [ $CIGRI_TASK_INDEX -lt {} ]; then {}; fi\nsleep {}\n",
        bad.count, bad.does, tasks.sleep
    );
    std::fs::write(bench.folder.path().join("task.sh"), script).unwrap();
    jdl["clusters"]["dahu"]["walltime"] = bad.walltime.into();
    let id = server.post("/campaigns", &jdl).await["id"].as_i64().unwrap();
    let campaign = bench.wait_for_end(&server, id).await;
    verdict::assert_nothing_left(&bench).await;
    let verdict = Verdict::read(&bench, tasks);
    Row {
        outcome: format!("{}, {} failed", campaign["state"].as_str().unwrap(), campaign["failed"]),
        executed: verdict.executed.to_string(),
        recorded: verdict.recorded.to_string(),
        attempts: verdict.attempts,
        given_up: verdict.given_up,
        recovery: None,
        wrong: wrong(bad, (&campaign, verdict), &told(&server, id, bad.code).await),
    }
}

/// How often each event of this code was told.
async fn told(server: &Server, id: i64, code: &str) -> Vec<u64> {
    let events = server.get(&format!("/campaigns/{id}/events?all=1")).await;
    let of_code = |event: &&Value| event["code"] == code;
    let items = events["items"].as_array().unwrap();
    items.iter().filter(of_code).filter_map(|event| event["count"].as_u64()).collect()
}

fn wrong(bad: Bad, (campaign, verdict): (&Value, Verdict), told: &[u64]) -> Vec<String> {
    let good = 80 - bad.count;
    let executed = match bad.ended {
        0 => Times { once: good as usize, more: 0, never: bad.count as usize },
        _ => Times { once: 80, more: 0, never: 0 },
    };
    let mut wrong = Vec::new();
    if verdict.executed != executed || verdict.recorded != (Times { once: 80, more: 0, never: 0 }) {
        wrong.push(format!("not exactly once: {verdict:?}"));
    }
    if campaign["done"] != good || campaign["failed"] != bad.count {
        wrong.push(format!("{good} done and {} failed were expected: {campaign}", bad.count));
    }
    if told != [bad.count] {
        wrong.push(format!("one event that counts {} was expected: {told:?}", bad.count));
    }
    wrong
}
