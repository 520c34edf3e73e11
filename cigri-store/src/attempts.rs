//! Every attempt of a task: where it was, what it asked for, and why it ended.

use cigri_core::state::JobState;
use diesel::prelude::*;

use crate::schema::{failure, job, submission};
use crate::{Result, Store, StoreError};

/// One attempt of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastAttempt {
    /// Job id.
    pub job: i64,
    /// Generation of its task, from 1.
    pub generation: i32,
    /// Its number, from 1.
    pub number: i32,
    /// State.
    pub state: JobState,
    /// Cluster name.
    pub cluster: String,
    /// Host, as far as one is known to which the failure belongs.
    pub node: Option<String>,
    /// What its submission asked for, as `/core=1,walltime=02:00:00`; unknown of old ones.
    pub asked: Option<String>,
    /// Stored word of the class of its failure.
    pub class: Option<String>,
    /// Cause of its end.
    pub cause: Option<String>,
    /// Details of its end.
    pub detail: Option<String>,
}

type Ids = (i64, i32, i32, String, String);
type Texts = (Option<String>, Option<String>, Option<String>, Option<String>, Option<String>);

impl Store {
    /// The last attempts of a task, in their order.
    pub fn attempts(&self, campaign: i64, index: i64, most: i64) -> Result<Vec<PastAttempt>> {
        let found: Vec<(Ids, Texts)> = self.read(|connection| {
            Ok(job::table
                .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
                .left_join(failure::table.on(failure::job_id.eq(job::id)))
                .filter(job::campaign_id.eq(campaign))
                .filter(job::task_index.eq(index))
                .select((
                    (job::id, job::generation, job::attempt, job::state, submission::cluster),
                    (failure::node.nullable(), submission::shape, failure::class.nullable(), job::cause, job::detail),
                ))
                .order((job::generation.desc(), job::id.desc()))
                .limit(most)
                .load(connection)?)
        })?;
        let row = |((job, generation, number, state, cluster), (node, asked, class, cause, detail)): (Ids, Texts)| {
            let state: JobState = state.parse().map_err(StoreError::corrupt)?;
            Ok(PastAttempt { job, generation, number, state, cluster, node, asked, class, cause, detail })
        };
        found.into_iter().rev().map(row).collect()
    }
}
