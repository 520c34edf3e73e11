//! Submissions: the ledger's rows, from the intent to the open gate.

use cigri_core::group::Place;
use cigri_core::state::{JobState, Role, SubmissionState, Wish};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use crate::bag::{self, Back};
use crate::bulk;
use crate::connection::{Database, storable};
use crate::schema::{job, progress, submission};
use crate::{Result, Store, StoreError, campaign, cluster, setback, steps};

/// A submission as stored. Times are epoch milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubmissionRow {
    /// Submission id.
    pub id: i64,
    /// Campaign id.
    pub campaign_id: i64,
    /// Cluster name.
    pub cluster: String,
    /// Campaign's owner here.
    pub owner: String,
    /// Owner's login on the cluster when it was posted.
    pub remote_user: String,
    /// What its jobs are.
    pub role: Role,
    /// State.
    pub state: SubmissionState,
    /// Remote name of the array.
    pub name: String,
    /// Remote id of the gate, once adopted.
    pub gate_id: Option<i64>,
    /// Remote id of the array, once adopted.
    pub array_id: Option<i64>,
    /// Where its jobs run and, by default, leave their output.
    pub directory: String,
    /// Number of jobs: attempts of tasks.
    pub job_count: i64,
    /// Number of jobs on the cluster; each runs one task, or a group of them.
    pub remote_count: i64,
    /// Where the results of grouped tasks are; `None` where each task is a remote job.
    pub results: Option<Place>,
    /// Waiting jobs at the last look; -1 before the first.
    pub seen_waiting: i64,
    /// Ended jobs at the last look; -1 before the first.
    pub seen_final: i64,
    /// When it was written down.
    pub created_at: i64,
    /// When it last changed its state.
    pub changed_at: i64,
    /// The highest remote id known when it was written down: its own are above.
    pub watermark: i64,
    /// What its jobs ask for: a level of the campaign's escalation, from 0.
    pub level: u32,
}

/// What an adoption writes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdoptedArray {
    /// Remote id of the gate; none where gates don't work.
    pub gate_id: Option<i64>,
    /// Remote id of the array.
    pub array_id: i64,
    /// Remote ids in the order of the jobs; `None` for those that are not there: their jobs are unknown.
    pub remote_ids: Vec<Option<u64>>,
    /// Where the cluster says that they run.
    pub directory: Option<String>,
}

#[derive(Queryable)]
struct Columns {
    id: i64,
    campaign_id: i64,
    cluster: String,
    owner: String,
    remote_user: String,
    role: String,
    state: String,
    name: String,
    gate_id: Option<i64>,
    array_id: Option<i64>,
    directory: String,
    job_count: i64,
    seen_waiting: i64,
    seen_final: i64,
    created_at: i64,
    changed_at: i64,
    watermark: i64,
    remote_count: i64,
    results: Option<String>,
    level: i32,
}

macro_rules! columns {
    () => {
        (
            submission::id,
            submission::campaign_id,
            submission::cluster,
            submission::owner,
            submission::remote_user,
            submission::role,
            submission::state,
            submission::name,
            submission::gate_id,
            submission::array_id,
            submission::directory,
            submission::job_count,
            submission::seen_waiting,
            submission::seen_final,
            submission::created_at,
            submission::changed_at,
            submission::watermark,
            submission::remote_count,
            submission::results,
            submission::level,
        )
    };
}

fn row(columns: Columns) -> Result<SubmissionRow> {
    Ok(SubmissionRow {
        id: columns.id,
        campaign_id: columns.campaign_id,
        cluster: columns.cluster,
        owner: columns.owner,
        remote_user: columns.remote_user,
        role: columns.role.parse().map_err(StoreError::corrupt)?,
        state: columns.state.parse().map_err(StoreError::corrupt)?,
        name: columns.name,
        gate_id: columns.gate_id,
        array_id: columns.array_id,
        directory: columns.directory,
        job_count: columns.job_count,
        seen_waiting: columns.seen_waiting,
        seen_final: columns.seen_final,
        created_at: columns.created_at,
        changed_at: columns.changed_at,
        watermark: columns.watermark,
        remote_count: columns.remote_count,
        results: columns.results.as_deref().map(place).transpose()?,
        level: columns.level.max(0) as u32,
    })
}

fn place(word: &str) -> Result<Place> {
    Place::parse(word).ok_or_else(|| StoreError::corrupt(format!("results kept `{word}`")))
}

/// One submission.
pub(crate) fn get(connection: &mut Database, id: i64) -> Result<SubmissionRow> {
    row(submission::table.find(id).select(columns!()).first(connection)?)
}

/// In the words of the index over such submissions: SQLite uses it for no others.
pub(crate) fn is_unsettled() -> diesel::expression::SqlLiteral<Bool> {
    sql::<Bool>("submission.state IN ('intent', 'unknown', 'submitted', 'open')")
}

/// A submission that is not settled.
pub(crate) struct Unsettled {
    pub(crate) row: SubmissionRow,
    /// What its jobs ask for; none if it was written down before that was kept.
    pub(crate) shape: Option<String>,
    /// The project that they are accounted to.
    pub(crate) project: Option<String>,
}

/// Submissions of a cluster that are not settled, oldest first.
pub(crate) fn unsettled(connection: &mut Database, cluster: &str) -> Result<Vec<Unsettled>> {
    let rows: Vec<(Columns, Option<String>, Option<String>)> = submission::table
        .filter(submission::cluster.eq(cluster))
        .filter(is_unsettled())
        .select((columns!(), submission::shape, submission::project))
        .order(submission::id)
        .load(connection)?;
    let unsettled = |(columns, shape, project)| Ok(Unsettled { row: row(columns)?, shape, project });
    rows.into_iter().map(unsettled).collect()
}

/// Moves a submission along its table; an error if the table forbids it.
pub(crate) fn advance(connection: &mut Database, id: i64, to: SubmissionState, now: i64) -> Result<()> {
    let state: String = submission::table.find(id).select(submission::state).first(connection)?;
    let state: SubmissionState = state.parse().map_err(StoreError::corrupt)?;
    if !state.can_become(to) {
        return Err(StoreError::Conflict(format!("submission {id} is {state}, it cannot become {to}")));
    }
    diesel::update(submission::table.find(id))
        .set((submission::state.eq(to.as_str()), submission::changed_at.eq(now)))
        .execute(connection)?;
    Ok(())
}

impl Store {
    /// Notes that what became of a submission is not known.
    pub fn doubt(&self, id: i64, now: i64) -> Result<()> {
        self.write(|connection| advance(connection, id, SubmissionState::Unknown, now))
    }

    /// Adopts an array. After this commit, and not before, the gate may go.
    pub fn adopt(&self, id: i64, array: &AdoptedArray, now: i64) -> Result<()> {
        self.write(|connection| {
            advance(connection, id, SubmissionState::Submitted, now)?;
            diesel::update(submission::table.find(id))
                .set((submission::gate_id.eq(array.gate_id), submission::array_id.eq(Some(array.array_id))))
                .execute(connection)?;
            if let Some(directory) = &array.directory {
                diesel::update(submission::table.find(id))
                    .set(submission::directory.eq(storable(directory)))
                    .execute(connection)?;
            }
            let (campaign, name) = whose(connection, id)?;
            setback::forget(connection, campaign, &name)?;
            let highest = array.remote_ids.iter().flatten().max().copied();
            cluster::raise_watermark(connection, &name, highest.unwrap_or(0) as i64)?;
            let changed = write_remote_ids(connection, id, (&array.remote_ids, now))?;
            let (jobs, remote): (i64, i64) = submission::table
                .find(id)
                .select((submission::job_count, submission::remote_count))
                .first(connection)?;
            if (changed as i64, array.remote_ids.len() as i64) == (jobs, remote) {
                Ok(())
            } else {
                Err(StoreError::Conflict(format!("submission {id} has {changed} launching jobs")))
            }
        })
    }

    /// Writes down remote ids, by array index, of jobs that were not there when their array was adopted.
    pub fn complete_adoption(&self, id: i64, found: &[(u64, u64)]) -> Result<()> {
        self.write(|connection| {
            for (array_index, remote_id) in found {
                diesel::update(job::table.filter(job::submission_id.eq(id)))
                    .filter(job::array_index.eq(*array_index as i64))
                    .filter(job::remote_id.is_null())
                    .set(job::remote_id.eq(Some(*remote_id as i64)))
                    .execute(connection)?;
            }
            Ok(())
        })
    }

    /// Notes that the gate is verified gone.
    pub fn gate_opened(&self, id: i64, now: i64) -> Result<()> {
        self.write(|connection| advance(connection, id, SubmissionState::Open, now))
    }

    /// Settles a submission that never ran (`Refused` or `Abandoned`): its tasks go back to the bag, or to
    /// cancelled with their campaign or by their owner's wish. The attempts don't count.
    pub fn give_up(&self, id: i64, to: SubmissionState, reason: &str, now: i64) -> Result<()> {
        self.write(|connection| give_up(connection, id, (to, reason), now))
    }

    /// One submission.
    pub fn submission(&self, id: i64) -> Result<SubmissionRow> {
        self.read(|connection| get(connection, id))
    }
}

pub(crate) fn give_up(
    connection: &mut Database,
    id: i64,
    (to, reason): (SubmissionState, &str),
    now: i64,
) -> Result<()> {
    advance(connection, id, to, now)?;
    diesel::update(submission::table.find(id))
        .set(submission::reason.eq(Some(storable(reason))))
        .execute(connection)?;
    let given_up = get(connection, id)?;
    let campaign_id = given_up.campaign_id;
    setback::note(connection, &given_up, (to, reason), now)?;
    let launching = || job::submission_id.eq(id).and(job::state.eq(JobState::Launching.as_str()));
    let unwanted = diesel::update(job::table.filter(launching()).filter(job::wish.eq(Wish::Cancel.as_str())))
        .set((job::state.eq(JobState::Cancelled.as_str()), job::stopped_at.eq(Some(now))))
        .execute(connection)? as i64;
    let jobs: Vec<(i64, i32, i32, Option<String>)> = job::table
        .filter(launching())
        .select((job::task_index, job::generation, job::attempt, job::failed_on))
        .load(connection)?;
    diesel::update(job::table.filter(launching()))
        .set((job::state.eq(JobState::Returned.as_str()), job::stopped_at.eq(Some(now))))
        .execute(connection)?;
    if given_up.role.is_step() {
        steps::given_up(connection, &given_up, unwanted > 0, now)?;
    } else {
        count_cancelled(connection, campaign_id, unwanted)?;
        bag::give_back(connection, campaign_id, &back_first(jobs, given_up.level))?;
    }
    let row = campaign::get(connection, campaign_id)?;
    crate::control::finish_if_over(connection, &row, now)
}

fn count_cancelled(connection: &mut Database, campaign_id: i64, tasks: i64) -> Result<()> {
    if tasks > 0 {
        diesel::update(progress::table.find(campaign_id))
            .set((progress::live.eq(progress::live - tasks), progress::cancelled.eq(progress::cancelled + tasks)))
            .execute(connection)?;
    }
    Ok(())
}

/// Tasks (index, generation, attempts, clusters they failed on before) of one level that come back before those never
/// tried.
pub(crate) fn back_first(jobs: Vec<(i64, i32, i32, Option<String>)>, level: u32) -> Vec<Back> {
    let (place, not_before, level) = (1, 0, level as i32);
    let back = |(index, generation, attempts, failed_on)| Back {
        index,
        generation,
        attempts,
        place,
        failed_on,
        not_before,
        level,
    };
    jobs.into_iter().map(back).collect()
}

/// Campaign and cluster.
fn whose(connection: &mut Database, id: i64) -> Result<(i64, String)> {
    Ok(submission::table.find(id).select((submission::campaign_id, submission::cluster)).first(connection)?)
}

/// Writes the remote ids in the order of array indices; returns how many launching jobs there were.
fn write_remote_ids(connection: &mut Database, id: i64, (remote_ids, now): (&[Option<u64>], i64)) -> Result<usize> {
    let jobs: Vec<(i64, i64)> = job::table
        .filter(job::submission_id.eq(id))
        .filter(job::state.eq(JobState::Launching.as_str()))
        .select((job::id, job::array_index))
        .order((job::array_index, job::slot))
        .load(connection)?;
    let remote_id = |index: i64| remote_ids.get(usize::try_from(index - 1).ok()?).copied().flatten();
    let there = |(job, index): &(i64, i64)| Some((*job, remote_id(*index)? as i64));
    let adopted: Vec<(i64, i64)> = jobs.iter().filter_map(there).collect();
    bulk::submit_jobs(connection, &adopted)?;
    if adopted.len() < jobs.len() {
        diesel::update(job::table.filter(job::submission_id.eq(id)))
            .filter(job::state.eq(JobState::Launching.as_str()))
            .set((job::state.eq(JobState::Unknown.as_str()), job::missing_since.eq(Some(now))))
            .execute(connection)?;
    }
    Ok(jobs.len())
}
