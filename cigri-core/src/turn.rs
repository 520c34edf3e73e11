//! Whose turn it is in a campaign on one cluster: its prologue first, then its sample or its tasks, its epilogue last.

use chrono::DateTime;

use crate::meter::{Bound, Reason};
use crate::state::Role;

/// How far a prologue or an epilogue is on a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// The campaign has none there, or there was no work that it would belong to.
    Unneeded,
    /// It has to be sent, perhaps once more.
    Due,
    /// It was sent.
    Live {
        /// Our id of its job.
        job: i64,
        /// When it was written down, epoch milliseconds.
        since: i64,
    },
    /// It succeeded.
    Done,
}

impl StepState {
    /// The word that clients see.
    pub fn as_str(self) -> &'static str {
        match self {
            StepState::Unneeded => "unneeded",
            StepState::Due => "due",
            StepState::Live { .. } => "live",
            StepState::Done => "done",
        }
    }
}

/// The sample of a campaign that is being tested, on one cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sampling {
    /// Tasks that it should have there.
    pub wanted: u64,
    /// Of these, live or ended for good.
    pub taken: u64,
}

/// What a campaign's turn on a cluster depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Tasks of its bag that may go there now.
    pub pending: u64,
    /// Tasks that have not ended, wherever they are.
    pub left: u64,
    /// Its prologue there.
    pub prologue: StepState,
    /// Its epilogue there.
    pub epilogue: StepState,
    /// Its sample there, while it is being tested.
    pub sampling: Option<Sampling>,
}

impl Facts {
    /// Those of a campaign without steps and sample.
    pub fn plain(pending: u64) -> Facts {
        let (prologue, epilogue) = (StepState::Unneeded, StepState::Unneeded);
        Facts { pending, left: pending, prologue, epilogue, sampling: None }
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// Its tasks.
    Tasks,
    /// So many tasks of its sample.
    Sample(u64),
    /// Its prologue.
    Prologue,
    /// Its epilogue.
    Epilogue,
    /// Nothing, for this reason.
    Wait(Bound),
}

impl Turn {
    /// What is sent then.
    pub fn role(&self) -> Role {
        match self {
            Turn::Sample(_) => Role::Test,
            Turn::Prologue => Role::Prologue,
            Turn::Epilogue => Role::Epilogue,
            Turn::Tasks | Turn::Wait(_) => Role::Tasks,
        }
    }

    /// Whether it goes before other campaigns' tasks, whatever waits there.
    pub fn is_ahead(&self) -> bool {
        matches!(self, Turn::Sample(_) | Turn::Prologue | Turn::Epilogue)
    }
}

/// Decides. A step that is live keeps everything else of its campaign away from the cluster.
pub fn turn(facts: &Facts) -> Turn {
    if let StepState::Live { job, since } = facts.epilogue {
        let text = format!("its epilogue is there since {} (job {job})", moment(since));
        return wait(Reason::Epilogue { text });
    }
    if let StepState::Live { job, since } = facts.prologue {
        let since = moment(since);
        let text = format!("its prologue is there since {since} (job {job}): tasks follow when it has succeeded");
        return wait(Reason::Prologue { text });
    }
    if facts.left == 0 {
        return match facts.epilogue {
            StepState::Due => Turn::Epilogue,
            _ => {
                let text = "every task has ended, its epilogues run on other clusters".to_owned();
                wait(Reason::Epilogue { text })
            }
        };
    }
    match (facts.sampling, facts.prologue) {
        (Some(sampling), _) if sampling.taken >= sampling.wanted => {
            let wanted = sampling.wanted;
            let text =
                format!("its sample of {wanted} was sent there: the others wait until all of the sample has ended");
            wait(Reason::TestMode { text })
        }
        _ if facts.pending == 0 => Turn::Tasks,
        (_, StepState::Due) => Turn::Prologue,
        (Some(sampling), _) => Turn::Sample(sampling.wanted - sampling.taken),
        (None, _) => Turn::Tasks,
    }
}

fn wait(reason: Reason) -> Turn {
    Turn::Wait(Bound::none(reason))
}

fn moment(at: i64) -> String {
    DateTime::from_timestamp_millis(at).map(|at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVE: StepState = StepState::Live { job: 17, since: 1_700_000_000_000 };

    fn reason(turn: Turn) -> String {
        let Turn::Wait(bound) = turn else { return format!("{turn:?}") };
        format!("{}: {}", bound.term().as_str(), bound.reason)
    }

    #[test]
    fn the_prologue_comes_first_where_there_is_something_to_send() {
        let facts = Facts { prologue: StepState::Due, ..Facts::plain(3) };
        assert_eq!(turn(&facts), Turn::Prologue);
        assert_eq!(turn(&Facts { pending: 0, ..facts }), Turn::Tasks, "nothing for this cluster: no prologue either");
        assert_eq!(turn(&Facts { prologue: StepState::Done, ..facts }), Turn::Tasks);
        assert_eq!(
            reason(turn(&Facts { prologue: LIVE, ..facts })),
            "prologue: its prologue is there since 2023-11-14 22:13:20 UTC (job 17): tasks follow when it has succeeded"
        );
    }

    #[test]
    fn the_epilogue_comes_when_no_task_is_left() {
        let facts = Facts { epilogue: StepState::Due, prologue: StepState::Done, ..Facts::plain(0) };
        assert_eq!(turn(&facts), Turn::Epilogue);
        assert_eq!(turn(&Facts { left: 1, ..facts }), Turn::Tasks, "a task runs somewhere");
        assert!(reason(turn(&Facts { prologue: LIVE, ..facts })).starts_with("prologue: "));
        assert!(reason(turn(&Facts { epilogue: StepState::Done, ..facts })).contains("on other clusters"));
    }

    #[test]
    fn tasks_that_came_back_wait_for_an_epilogue_that_runs() {
        let facts = Facts { epilogue: LIVE, ..Facts::plain(5) };
        assert!(reason(turn(&facts)).starts_with("epilogue: its epilogue is there since"));
    }

    #[test]
    fn a_sample_is_sent_after_the_prologue_and_no_more_than_it() {
        let sampling = |taken| Some(Sampling { wanted: 2, taken });
        let facts = Facts { prologue: StepState::Due, sampling: sampling(0), ..Facts::plain(9) };
        assert_eq!(turn(&facts), Turn::Prologue);
        let ready = Facts { prologue: StepState::Done, ..facts };
        assert_eq!(turn(&ready), Turn::Sample(2));
        assert_eq!(turn(&Facts { sampling: sampling(1), ..ready }), Turn::Sample(1));
        assert!(reason(turn(&Facts { sampling: sampling(2), ..ready })).starts_with("test_mode: its sample of 2 "));
    }
}
