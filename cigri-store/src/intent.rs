//! Intents: tasks leave the bag, a submission and its launching jobs are there, all or nothing.

use cigri_core::group::{self, Place};
use cigri_core::state::{Role, SubmissionState};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as SqlError};

use crate::bag::{self, Task};
use crate::bulk::{self, NewJobs};
use crate::connection::Database;
use crate::schema::{cluster as clusters, submission};
use crate::submission::{self as submissions, SubmissionRow};
use crate::{Result, Store, StoreError, endless, parameters, reserve, steps};

/// A submission about to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSubmission<'a> {
    /// Campaign id.
    pub campaign_id: i64,
    /// What its jobs are. That of a step is one, whatever the limit.
    pub role: Role,
    /// Cluster name.
    pub cluster: &'a str,
    /// Campaign's owner here.
    pub owner: &'a str,
    /// Owner's login on the cluster.
    pub remote_user: &'a str,
    /// Where its jobs run.
    pub directory: &'a str,
    /// At most this many tasks.
    pub limit: i64,
    /// How they are grouped.
    pub group: Option<NewGroup>,
    /// Take tasks that should rather go elsewhere: there is nowhere else.
    pub even_avoided: bool,
}

/// How the tasks of a submission are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewGroup {
    /// At most this many remote jobs.
    pub jobs: i64,
    /// At most this many tasks in each.
    pub tasks: u64,
    /// Where their results are kept.
    pub results: Place,
}

/// A submission just written down, and its tasks with their parameters in the order of the jobs.
pub type Intent = (SubmissionRow, Vec<(Task, String)>);

impl Store {
    /// Writes an intent down: tasks leave the bag, a submission and its launching jobs are there, all or nothing.
    /// `name` makes the remote name from the submission's id. `None` if the bag had nothing. A task that is in the bag
    /// although a job of it is live is taken out of the bag, with an event: it must not stop the others for ever.
    pub fn intend(
        &self,
        new: &NewSubmission<'_>,
        mut name: impl FnMut(i64) -> String,
        now: i64,
    ) -> Result<Option<Intent>> {
        match self.try_intend(new, &mut name, now) {
            Err(StoreError::Sql(SqlError::DatabaseError(DatabaseErrorKind::UniqueViolation, text))) => {
                match self.write(|connection| bag::drop_live(connection, new, now))? {
                    0 => Err(StoreError::Sql(SqlError::DatabaseError(DatabaseErrorKind::UniqueViolation, text))),
                    _ => self.try_intend(new, &mut name, now),
                }
            }
            other => other,
        }
    }

    fn try_intend(
        &self,
        new: &NewSubmission<'_>,
        mut name: impl FnMut(i64) -> String,
        now: i64,
    ) -> Result<Option<Intent>> {
        self.write(|connection| {
            let tasks = match new.role.is_step() {
                true => steps::take(connection, new)?,
                false if steps::fits_stage(connection, new)? => {
                    let limit = endless::room(connection, new.campaign_id, new.limit, now)?;
                    bag::take(connection, new.campaign_id, new.cluster, limit, new.even_avoided)?
                }
                false => Vec::new(),
            };
            if tasks.is_empty() {
                return Ok(None);
            }
            let id = reserve(connection, "submission", 1)?;
            insert(connection, new, (id, &name(id)), (tasks.len() as i64, now))?;
            let indices: Vec<i64> = tasks.iter().map(|task| task.index).collect();
            let texts = parameters::texts(connection, new.campaign_id, &indices)?;
            let tasks = arrange(connection, (id, new), tasks.into_iter().zip(texts).collect())?;
            let first = reserve(connection, "job", tasks.len() as i64)?;
            let jobs = NewJobs { submission: id, campaign: new.campaign_id, first, tasks: &tasks };
            bulk::insert_jobs(connection, &jobs)?;
            Ok(Some((submissions::get(connection, id)?, tasks)))
        })
    }
}

fn insert(
    connection: &mut Database,
    new: &NewSubmission<'_>,
    (id, name): (i64, &str),
    (job_count, now): (i64, i64),
) -> Result<()> {
    let known: Option<i64> =
        clusters::table.find(new.cluster).select(clusters::watermark).first(connection).optional()?;
    diesel::insert_into(submission::table)
        .values((
            (submission::id.eq(id), submission::campaign_id.eq(new.campaign_id), submission::cluster.eq(new.cluster)),
            (submission::owner.eq(new.owner), submission::remote_user.eq(new.remote_user)),
            (submission::state.eq(SubmissionState::Intent.as_str()), submission::name.eq(name)),
            (submission::directory.eq(new.directory), submission::job_count.eq(job_count)),
            submission::remote_count.eq(job_count),
            (submission::created_at.eq(now), submission::changed_at.eq(now)),
            (submission::watermark.eq(known.unwrap_or(0)), submission::role.eq(new.role.as_str())),
        ))
        .execute(connection)?;
    Ok(())
}

/// Gives each task its place in a remote job. What does not fit into the jobs that may go returns to the bag, untried.
fn arrange(
    connection: &mut Database,
    (id, new): (i64, &NewSubmission<'_>),
    mut tasks: Vec<(Task, String)>,
) -> Result<Vec<(Task, String)>> {
    let Some(group) = &new.group else { return Ok(tasks) };
    let lengths: Vec<usize> = tasks.iter().map(|(_, text)| group::characters(text)).collect();
    let mut jobs = group::pack(&lengths, group.tasks);
    jobs.truncate(group.jobs.max(1) as usize);
    let rest = tasks.split_off(jobs.iter().sum());
    let back: Vec<(i64, i32, i32)> =
        rest.iter().map(|(task, _)| (task.index, task.generation, task.attempt - 1)).collect();
    bag::give_back(connection, new.campaign_id, &submissions::back_first(&back))?;
    let places = (1..).zip(&jobs).flat_map(|(job, count)| (0..*count as i32).map(move |slot| (job, slot)));
    for ((task, _), (array_index, slot)) in tasks.iter_mut().zip(places) {
        (task.array_index, task.slot) = (array_index, slot);
    }
    diesel::update(submission::table.find(id))
        .set((
            submission::job_count.eq(tasks.len() as i64),
            submission::remote_count.eq(jobs.len() as i64),
            submission::results.eq(Some(group.results.as_str())),
        ))
        .execute(connection)?;
    Ok(tasks)
}
