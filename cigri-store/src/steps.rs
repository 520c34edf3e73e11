//! Steps (prologues and epilogues) and samples: what is due on a cluster is read from the jobs that were made there.
//!
//! A step is one job with a negative task index of its own for each cluster and kind, so that the database refuses two
//! live ones, and two successes of one generation, as it does for tasks. A later epilogue is a new generation.

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::language::ClusterSpec;
use cigri_core::sample::Sampled;
use cigri_core::state::{CampaignState, JobState, Role, Stage, SubmissionState};
use cigri_core::turn::StepState;
use diesel::prelude::*;

use crate::campaign::{self, CampaignRow};
use crate::connection::Database;
use crate::schema::{campaign as campaigns, job, submission};
use crate::submission::SubmissionRow;
use crate::{NewSubmission, Result, Store, StoreError, Task, control, event};

/// The last job of a step.
pub(crate) struct Last {
    job: i64,
    generation: i32,
    attempt: i32,
    state: JobState,
    submission: i64,
    since: i64,
}

/// What [`Last::of`] is made of.
macro_rules! last_columns {
    () => {
        (job::id, job::generation, job::attempt, job::state, submission::id, submission::created_at)
    };
}
pub(crate) use last_columns;

impl Last {
    pub(crate) fn of(columns: (i64, i32, i32, String, i64, i64)) -> Result<Last> {
        let (job, generation, attempt, state, submission, since) = columns;
        let state = state.parse().map_err(StoreError::corrupt)?;
        Ok(Last { job, generation, attempt, state, submission, since })
    }
}

/// The task index of a step: the clusters of a campaign are numbered in the order of their names.
fn index_of(row: &CampaignRow, role: Role, cluster: &str) -> Result<i64> {
    let place = row.spec.clusters.keys().position(|name| name == cluster);
    let place = place.ok_or_else(|| StoreError::Missing(format!("cluster {cluster} in campaign {}", row.id)))? as i64;
    Ok(if role == Role::Epilogue { -2 * place - 2 } else { -2 * place - 1 })
}

fn last(connection: &mut Database, row: &CampaignRow, role: Role, cluster: &str) -> Result<Option<Last>> {
    let found: Option<_> = job::table
        .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
        .filter(job::campaign_id.eq(row.id))
        .filter(job::task_index.eq(index_of(row, role, cluster)?))
        .select(last_columns!())
        .order(job::id.desc())
        .first(connection)
        .optional()?;
    found.map(Last::of).transpose()
}

/// How far the prologue is on a cluster.
pub(crate) fn prologue(connection: &mut Database, row: &CampaignRow, cluster: &str) -> Result<StepState> {
    let spec = row.spec.clusters.get(cluster);
    if spec.is_none_or(|spec| spec.prologue.is_none()) {
        return Ok(StepState::Unneeded);
    }
    Ok(prologue_state(spec, last(connection, row, Role::Prologue, cluster)?.as_ref()))
}

/// How far the epilogue is on a cluster.
pub(crate) fn epilogue(connection: &mut Database, row: &CampaignRow, cluster: &str) -> Result<StepState> {
    let spec = row.spec.clusters.get(cluster);
    if spec.is_none_or(|spec| spec.epilogue.is_none()) {
        return Ok(StepState::Unneeded);
    }
    let work = work(connection, row, cluster)?;
    Ok(epilogue_state(spec, last(connection, row, Role::Epilogue, cluster)?.as_ref(), work))
}

/// How far a prologue is whose last job is given.
pub(crate) fn prologue_state(spec: Option<&ClusterSpec>, last: Option<&Last>) -> StepState {
    match last {
        _ if spec.is_none_or(|spec| spec.prologue.is_none()) => StepState::Unneeded,
        Some(last) if last.state.is_live() => StepState::Live { job: last.job, since: last.since },
        Some(last) if last.state == JobState::Done => StepState::Done,
        _ => StepState::Due,
    }
}

/// How far an epilogue is whose last job and the last work before it are given: it is needed where there was work, and
/// again where there was more since.
pub(crate) fn epilogue_state(spec: Option<&ClusterSpec>, last: Option<&Last>, work: Option<i64>) -> StepState {
    match (last, work) {
        _ if spec.is_none_or(|spec| spec.epilogue.is_none()) => StepState::Unneeded,
        (Some(last), _) if last.state.is_live() => StepState::Live { job: last.job, since: last.since },
        (_, None) => StepState::Unneeded,
        (Some(last), Some(work)) if last.state == JobState::Done && last.submission > work => StepState::Done,
        _ => StepState::Due,
    }
}

/// The same while tasks are left: it matters only if it runs, and what worked there needs no look.
pub(crate) fn live_epilogue_state(spec: Option<&ClusterSpec>, last: Option<&Last>) -> StepState {
    epilogue_state(spec, last, None)
}

/// The last submission whose jobs could run on a cluster: of these tasks, or a prologue that succeeded.
pub(crate) fn last_work(tasks: Option<i64>, prologue: Option<&Last>) -> Option<i64> {
    tasks.max(prologue.filter(|last| last.state == JobState::Done).map(|last| last.submission))
}

fn work(connection: &mut Database, row: &CampaignRow, cluster: &str) -> Result<Option<i64>> {
    let opened = [SubmissionState::Open.as_str(), SubmissionState::Closed.as_str()];
    let tasks: Option<i64> = submission::table
        .filter(submission::campaign_id.eq(row.id))
        .filter(submission::cluster.eq(cluster))
        .filter(submission::role.eq_any([Role::Tasks.as_str(), Role::Test.as_str()]))
        .filter(submission::state.eq_any(opened))
        .select(diesel::dsl::max(submission::id))
        .first(connection)?;
    Ok(last_work(tasks, last(connection, row, Role::Prologue, cluster)?.as_ref()))
}

/// Whether nothing more comes of a campaign whose tasks have all ended. Cancelled ones have no epilogue.
pub(crate) fn are_over(connection: &mut Database, row: &CampaignRow) -> Result<bool> {
    for (name, spec) in &row.spec.clusters {
        if spec.prologue.is_some() && matches!(prologue(connection, row, name)?, StepState::Live { .. }) {
            return Ok(false);
        }
        let is_left = match spec.epilogue.as_ref().map(|_| epilogue(connection, row, name)).transpose()? {
            Some(StepState::Live { .. }) => true,
            Some(StepState::Due) => row.state != CampaignState::Cancelled,
            _ => false,
        };
        if is_left {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Takes the step of an intent, unless it is no longer due.
pub(crate) fn take(connection: &mut Database, new: &NewSubmission<'_>) -> Result<Vec<Task>> {
    let row = campaign::get(connection, new.campaign_id)?;
    let state = match new.role {
        Role::Epilogue if row.pending + row.live > 0 => StepState::Unneeded,
        Role::Epilogue => epilogue(connection, &row, new.cluster)?,
        _ => prologue(connection, &row, new.cluster)?,
    };
    if row.state != CampaignState::Active || state != StepState::Due {
        return Ok(Vec::new());
    }
    let index = index_of(&row, new.role, new.cluster)?;
    Ok(vec![match last(connection, &row, new.role, new.cluster)? {
        None => Task { index, generation: 1, attempt: 1, array_index: 1, slot: 0 },
        Some(last) => {
            let generation = last.generation + i32::from(last.state == JobState::Done);
            Task { index, generation, attempt: last.attempt + 1, array_index: 1, slot: 0 }
        }
    }])
}

/// Whether tasks of this kind may be sent: while a campaign is tested only its sample, later none of it.
pub(crate) fn fits_stage(connection: &mut Database, new: &NewSubmission<'_>) -> Result<bool> {
    let stage: String = campaigns::table.find(new.campaign_id).select(campaigns::stage).first(connection)?;
    Ok((stage == Stage::Testing.as_str()) == (new.role == Role::Test))
}

/// A step that never ran is due again; unless its owner did not want it: it waits for them.
pub(crate) fn given_up(connection: &mut Database, row: &SubmissionRow, unwanted: bool, now: i64) -> Result<()> {
    let is_cancelled = campaign::get(connection, row.campaign_id)?.state == CampaignState::Cancelled;
    if !unwanted || is_cancelled {
        return Ok(());
    }
    event::open(connection, &killed_by_owner(row), now)
}

/// The event that holds a campaign on a cluster because its owner killed a step there.
pub(crate) fn killed_by_owner(row: &SubmissionRow) -> NewEvent {
    let (code, scope) = (failure_code(row.role), Scope::campaign_on(row.campaign_id, &row.cluster));
    let message = format!("its {} was killed by its owner; `cigri resume {}` runs it again", row.role, row.campaign_id);
    NewEvent::hold(scope, code, message)
}

fn failure_code(role: Role) -> Code {
    if role == Role::Epilogue { Code::EpilogueFailed } else { Code::PrologueFailed }
}

impl SubmissionRow {
    /// The event by which a failed step of it holds its campaign on its cluster.
    pub fn step_failed(&self, advice: &str) -> NewEvent {
        let id = self.campaign_id;
        let message = format!("its {} failed: {advice}\nMend it, then `cigri resume {id}` runs it again", self.role);
        NewEvent::hold(Scope::campaign_on(id, &self.cluster), failure_code(self.role), message)
    }

    /// The event by which a step that its owner killed does so.
    pub fn step_killed(&self) -> NewEvent {
        killed_by_owner(self)
    }
}

impl Store {
    /// The tasks of a campaign's sample that ended for good, in the order of tasks.
    pub fn sampled(&self, campaign: i64) -> Result<Vec<Sampled>> {
        let ended = [JobState::Done.as_str(), JobState::Failed.as_str(), JobState::Cancelled.as_str()];
        self.read(|connection| {
            let found: Vec<(String, i64, String, Option<String>)> = job::table
                .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
                .filter(submission::campaign_id.eq(campaign))
                .filter(submission::role.eq(Role::Test.as_str()))
                .filter(job::state.eq_any(ended))
                .select((submission::cluster, job::task_index, job::state, job::detail))
                .order((job::task_index, job::id))
                .load(connection)?;
            let sampled = |(cluster, task, state, detail): (String, i64, String, Option<String>)| {
                let done = state == JobState::Done.as_str();
                let killed = (state == JobState::Cancelled.as_str()).then(|| "its owner killed it".to_owned());
                Sampled { cluster, task, done, detail: detail.or(killed) }
            };
            Ok(found.into_iter().map(sampled).collect())
        })
    }

    /// Ends the sample of a campaign: it goes on, or waits for its owner. False if there was no such sample, or some of
    /// it lives.
    pub fn end_sample(&self, id: i64, (goes_on, words): (bool, &str), now: i64) -> Result<bool> {
        self.write(|connection| {
            let row = campaign::get(connection, id)?;
            if row.stage != Stage::Testing || row.state != CampaignState::Active || row.live > 0 {
                return Ok(false);
            }
            let stage = if goes_on { Stage::Open } else { Stage::Tested };
            control::set_stage(connection, &row, stage)?;
            if !goes_on {
                control::set_state(connection, &row, CampaignState::Paused)?;
            }
            event::open(connection, &NewEvent::note(Scope::campaign(id), Code::TestMode, words), now)?;
            if goes_on {
                // For the record: nobody has to do anything.
                event::close(connection, Code::TestMode, &Scope::campaign(id), now)?;
            }
            Ok(true)
        })
    }
}
