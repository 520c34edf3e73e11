//! States of campaigns, submissions and jobs, each with its visible transition table.

use serde::{Deserialize, Serialize};

/// A word in the database that is not a state of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is not a {kind} state")]
pub struct UnknownState {
    kind: &'static str,
    word: String,
}

/// Declares a state enum with its stored words and its table of allowed moves.
macro_rules! states {
    ($(#[$doc:meta])* $name:ident, $kind:literal, { $($(#[$vdoc:meta])* $variant:ident = $word:literal => [$($next:ident),*]),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every state, in the order of the table.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word stored in the database.
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $word),+ }
            }

            /// Whether the table allows the move from `self` to `next`.
            pub fn can_become(self, next: $name) -> bool {
                let allowed: &[$name] = match self { $($name::$variant => &[$($name::$next),*]),+ };
                allowed.contains(&next)
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownState;
            fn from_str(word: &str) -> Result<Self, UnknownState> {
                match word {
                    $($word => Ok($name::$variant),)+
                    other => Err(UnknownState { kind: $kind, word: other.to_owned() }),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

states! {
    /// Life of a campaign.
    CampaignState, "campaign", {
        /// Its parameters are still arriving; nobody sees it, and a restart sweeps it.
        Receiving = "receiving" => [Active],
        /// Tasks are sent and followed.
        Active = "active" => [Paused, Finished, Cancelled],
        /// Nothing new is sent; live jobs go on.
        Paused = "paused" => [Active, Finished, Cancelled],
        /// Every task has ended. A retry opens it again.
        Finished = "finished" => [Active],
        /// Ended by its owner; live jobs are being killed or are gone.
        Cancelled = "cancelled" => [],
    }
}

states! {
    /// The bag of a campaign without an end: open, or why it was closed.
    BagState, "bag", {
        /// Its tasks are tried again and again.
        Open = "open" => [Until, Successes, Exhausted, Cancelled],
        /// Its time was over.
        Until = "until" => [],
        /// As many tasks succeeded as were wanted.
        Successes = "successes" => [],
        /// A task said that nothing is left to do (exit 67).
        Exhausted = "exhausted" => [],
        /// The campaign was cancelled.
        Cancelled = "cancelled" => [],
    }
}

states! {
    /// Life of a submission: one POST to a cluster, under a gate.
    SubmissionState, "submission", {
        /// Written down before anything was sent; its tasks have left the bag.
        Intent = "intent" => [Submitted, Unknown, Refused, Abandoned],
        /// The answer of the cluster is missing or unclear: it is looked up by name.
        Unknown = "unknown" => [Submitted, Abandoned],
        /// Adopted: every remote id is in the ledger; the gate may still be shut.
        Submitted = "submitted" => [Open, Closed],
        /// The gate is verified gone: the cluster may start the jobs.
        Open = "open" => [Closed],
        /// Every job of it has ended.
        Closed = "closed" => [],
        /// The cluster said no, or was not reached: its tasks are back in the bag.
        Refused = "refused" => [],
        /// Given up in doubt: its gate stays shut for ever, its tasks went back to the bag.
        Abandoned = "abandoned" => [],
    }
}

states! {
    /// Life of a job: one attempt to run a task on a cluster.
    JobState, "job", {
        /// In a submission that is being sent.
        Launching = "launching" => [Submitted, Unknown, Returned, Cancelled],
        /// Known to the cluster, not seen running.
        Submitted = "submitted" => [Running, Unknown, Done, Failed, Killed, Cancelled],
        /// Seen running.
        Running = "running" => [Submitted, Unknown, Done, Failed, Killed, Cancelled],
        /// Missing where it should be listed: neither success nor failure until a second source speaks.
        Unknown = "unknown" => [Submitted, Running, Done, Failed, Killed, Cancelled],
        /// Success; ends the task's generation.
        Done = "done" => [],
        /// Failed for good; ends the task's generation.
        Failed = "failed" => [],
        /// The attempt ended without a verdict on the task, which is back in the bag.
        Killed = "killed" => [],
        /// Never ran: its submission was refused or abandoned. The task is back in the bag.
        Returned = "returned" => [],
        /// Ended because its campaign was cancelled; ends the task's generation.
        Cancelled = "cancelled" => [],
    }
}

states! {
    /// How far a campaign is with its sample.
    Stage, "stage", {
        /// Only the sample is sent.
        Testing = "testing" => [Tested, Open],
        /// The sample has ended; the campaign waits for its owner.
        Tested = "tested" => [Open],
        /// Every task may be sent: there is no sample, or it is over.
        Open = "open" => [],
    }
}

/// What the jobs of a submission are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Tasks.
    #[default]
    Tasks,
    /// Tasks of the campaign's sample.
    Test,
    /// The one job that is run on a cluster before the campaign's tasks.
    Prologue,
    /// The one job that is run there after the campaign's last task.
    Epilogue,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Role] = &[Role::Tasks, Role::Test, Role::Prologue, Role::Epilogue];

    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Tasks => "tasks",
            Role::Test => "test",
            Role::Prologue => "prologue",
            Role::Epilogue => "epilogue",
        }
    }

    /// Whether it is one job that is no task: no bag knows it, and no counter.
    pub fn is_step(self) -> bool {
        matches!(self, Role::Prologue | Role::Epilogue)
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownState;
    fn from_str(word: &str) -> Result<Self, UnknownState> {
        let role = Role::ALL.iter().find(|role| role.as_str() == word).copied();
        role.ok_or_else(|| UnknownState { kind: "role", word: word.to_owned() })
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was asked for one job, until it is seen dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wish {
    /// Its task ends as cancelled.
    Cancel,
    /// Its task goes back to the bag.
    Again,
}

impl Wish {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Wish::Cancel => "cancel",
            Wish::Again => "again",
        }
    }
}

impl std::str::FromStr for Wish {
    type Err = UnknownState;
    fn from_str(word: &str) -> Result<Self, UnknownState> {
        match word {
            "cancel" => Ok(Wish::Cancel),
            "again" => Ok(Wish::Again),
            other => Err(UnknownState { kind: "wish", word: other.to_owned() }),
        }
    }
}

impl JobState {
    /// Whether the job may still be running, or run, on its cluster.
    pub fn is_live(self) -> bool {
        matches!(self, JobState::Launching | JobState::Submitted | JobState::Running | JobState::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for state in JobState::ALL {
            assert_eq!(state.as_str().parse::<JobState>(), Ok(*state));
        }
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>(), Ok(*role));
        }
        assert_eq!("zombie".parse::<CampaignState>().unwrap_err().to_string(), "`zombie` is not a campaign state");
    }

    #[test]
    fn final_jobs_never_move_and_live_ones_can_end() {
        for state in JobState::ALL {
            let moves = JobState::ALL.iter().any(|next| state.can_become(*next));
            assert_eq!(moves, state.is_live(), "{state}");
        }
    }

    #[test]
    fn a_cancelled_campaign_never_comes_back() {
        assert!(CampaignState::ALL.iter().all(|next| !CampaignState::Cancelled.can_become(*next)));
    }
}
