//! What must be true when a campaign is over, whatever happened on the way: counted on the cluster, compared with the
//! ledger.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use cigri_core::command::task_of_command;
use cigri_core::group::tasks_of_command;
use cigri_core::ledger::{TEST_SUBMISSION, gate_name, parse_name};

use crate::bench::{Bench, Tasks};
use crate::ledger::Ledger;
use crate::server;

/// How often things ran and were written down.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    /// Tasks with exactly one.
    pub(crate) once: usize,
    /// Tasks with more.
    pub(crate) more: usize,
    /// Tasks with none.
    pub(crate) never: usize,
}

impl Times {
    fn count(times: &BTreeMap<u64, u64>, tasks: u64) -> Times {
        let mut result = Times::default();
        for task in 0..tasks {
            match times.get(&task).copied().unwrap_or(0) {
                0 => result.never += 1,
                1 => result.once += 1,
                _ => result.more += 1,
            }
        }
        result
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {} / {}", self.once, self.more, self.never)
    }
}

/// What was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Verdict {
    /// Ends by itself, on the cluster, per task.
    pub(crate) executed: Times,
    /// Final rows in the ledger, per task.
    pub(crate) recorded: Times,
    /// Attempts that were started.
    pub(crate) attempts: usize,
    /// Submissions that were given up behind their gates.
    pub(crate) given_up: usize,
}

impl Verdict {
    /// Counts, and checks what holds for every campaign: no attempt is started twice.
    pub(crate) fn read(bench: &Bench, tasks: Tasks) -> Verdict {
        let ledger = Ledger::read(&server::data_dir(bench.folder.path()));
        let mut executed = BTreeMap::new();
        let mut attempts = BTreeSet::new();
        for (command, runs) in bench.oar.cluster.runs() {
            for (task, attempt) in task_of_command(&command).into_iter().chain(tasks_of_command(&command)) {
                assert!(runs.started <= 1, "attempt {attempt} of task {task} was started {} times", runs.started);
                attempts.insert((task, attempt));
                // Task ids of the only campaign count from 1.
                *executed.entry(task - 1).or_default() += runs.ended;
            }
        }
        let started = bench.started();
        let distinct: BTreeSet<&String> = started.iter().collect();
        assert_eq!(started.len(), distinct.len(), "a process of one attempt ran twice: {started:?}");
        let mut recorded = BTreeMap::new();
        for job in &ledger.jobs {
            let is_final = ["done", "failed", "cancelled"].contains(&job.state.as_str());
            *recorded.entry(job.task_index as u64).or_default() += u64::from(is_final);
        }
        let live = ["launching", "submitted", "running", "unknown"];
        let left: Vec<_> = ledger.jobs.iter().filter(|job| live.contains(&job.state.as_str())).collect();
        assert!(left.is_empty(), "live in the ledger of an ended campaign: {left:?}");
        Verdict {
            executed: Times::count(&executed, tasks.count),
            recorded: Times::count(&recorded, tasks.count),
            attempts: attempts.len(),
            given_up: ledger.submissions.iter().filter(|row| row.state == "abandoned").count(),
        }
    }

    /// Every task ran to its end once, and was written down once.
    pub(crate) fn is_exactly_once(&self, tasks: Tasks) -> bool {
        let once = Times { once: tasks.count as usize, more: 0, never: 0 };
        self.executed == once && self.recorded == once
    }
}

/// Nothing of ours is left on the cluster that could run: what was given up waits behind its shut gate.
pub(crate) async fn assert_nothing_left(bench: &Bench) {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        let ledger = Ledger::read(&server::data_dir(bench.folder.path()));
        let given_up: BTreeSet<String> = ledger
            .submissions
            .iter()
            .filter(|row| ["abandoned", "refused"].contains(&row.state.as_str()))
            .flat_map(|row| [row.name.clone(), gate_name(&row.name)])
            .collect();
        let left: Vec<String> = bench
            .oar
            .live()
            .await
            .iter()
            .filter(|job| {
                let name = job.name.as_deref().unwrap_or_default();
                let waits = ["Hold", "Waiting"].contains(&job.state.as_str());
                let is_test = parse_name(name).is_some_and(|name| name.submission == TEST_SUBMISSION);
                parse_name(name).is_some() && !((given_up.contains(name) || is_test) && waits)
            })
            .map(|job| format!("{} {:?} {:?}", job.id, job.name, job.state))
            .collect();
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < deadline, "left on the cluster: {left:?}\n{:?}", ledger.submissions);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
