//! Jobs: what looks at the clusters change.

use std::collections::{HashMap, HashSet};

use cigri_core::failure::Failure;
use cigri_core::group::Pace;
use cigri_core::reaction::History;
use cigri_core::state::{JobState, SubmissionState, Wish};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as SqlError};

use crate::bag::{self, Back};
use crate::connection::Database;
use crate::schema::{job, progress, remote_job, submission};
use crate::{
    Result, Store, StoreError, account, bulk, control, endless, failed_on, failure, group, max_failures,
    submission as submissions,
};

/// How many rows one query looks up by number: both databases limit a statement's values.
pub(crate) const LOOKUPS: usize = 1000;

/// A live job, as far as a round needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveJob {
    /// Job id.
    pub id: i64,
    /// Id on the cluster, once adopted.
    pub remote_id: Option<i64>,
    /// Task index.
    pub task_index: i64,
    /// Generation.
    pub generation: i32,
    /// Attempt.
    pub attempt: i32,
    /// State.
    pub state: JobState,
    /// Since when its cluster does not show it, epoch milliseconds.
    pub missing_since: Option<i64>,
    /// What its owner wants of it.
    pub wish: Option<Wish>,
    /// When it was seen running, epoch milliseconds.
    pub started_at: Option<i64>,
}

/// Where a task goes when its attempt ended without a verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Return {
    /// After the tasks never tried.
    pub last: bool,
    /// It failed on this cluster: rather not there again, nor to others on which it failed before.
    pub avoid_cluster: Option<String>,
    /// It waits until then, epoch milliseconds; 0: not at all.
    pub not_before: i64,
    /// What it asks for then: a level of the campaign's escalation, from 0.
    pub level: u32,
}

/// The end of a job. `state` is final; `back` is there exactly when it is `Killed`. A step does not come back through the
/// bag, whatever `back` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEnd {
    /// The job.
    pub job: LiveJob,
    /// Its final state.
    pub state: JobState,
    /// Exit code of the program, if it ended by itself.
    pub exit_code: Option<i32>,
    /// Stable word of the cause.
    pub cause: String,
    /// In words: advice, the last lines of stderr.
    pub detail: Option<String>,
    /// Epoch milliseconds.
    pub started_at: Option<i64>,
    /// Epoch milliseconds.
    pub stopped_at: Option<i64>,
    /// Whether the cluster ended it before its program did.
    pub killed: bool,
    /// How the task comes back.
    pub back: Option<Return>,
    /// What is kept of it, if it failed.
    pub failure: Option<Failure>,
}

/// What a look at a submission showed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Jobs waiting on the cluster, for the next look to compare with.
    pub waiting: i64,
    /// Jobs ended on the cluster, for the next look to compare with; -1 makes it look again whatever it counts.
    pub finals: i64,
    /// Jobs seen running for the first time, or again.
    pub started: Vec<i64>,
    /// Jobs that the cluster now denies.
    pub missing: Vec<i64>,
    /// Jobs that it had denied, and that wait there.
    pub found: Vec<i64>,
    /// Jobs that ended.
    pub ends: Vec<JobEnd>,
    /// Whether one of them said that nothing is left to do: the bag of a campaign without an end is closed.
    pub exhausted: bool,
    /// What it says about the pace of grouped tasks.
    pub pace: Pace,
}

impl Store {
    /// Live jobs of a submission, by array index.
    pub fn live_jobs(&self, submission_id: i64) -> Result<Vec<LiveJob>> {
        self.read(|connection| live_jobs(connection, submission_id))
    }

    /// How often each of these tasks' generations was tried again, by class of what had ended it. Only tasks with such
    /// ends are there.
    pub fn histories(&self, campaign_id: i64, jobs: &[&LiveJob]) -> Result<HashMap<(i64, i32), History>> {
        let retried: Vec<&&LiveJob> = jobs.iter().filter(|job| job.attempt > 1).collect();
        let generations: HashSet<(i64, i32)> = retried.iter().map(|job| (job.task_index, job.generation)).collect();
        let mut histories: HashMap<(i64, i32), History> = HashMap::new();
        self.read(|connection| {
            for some in retried.chunks(LOOKUPS) {
                let tasks: Vec<i64> = some.iter().map(|job| job.task_index).collect();
                for (index, generation, class) in failure::of_tasks(connection, campaign_id, &tasks)? {
                    if generations.contains(&(index, generation)) {
                        histories.entry((index, generation)).or_default().count(class);
                    }
                }
            }
            Ok(())
        })?;
        Ok(histories)
    }

    /// Writes down what a look at a submission showed, in one transaction. Returns the tasks that succeeded once more
    /// than they should: each has a success already, and this one is kept as `duplicate_success`.
    pub fn record_look(&self, seen: &submissions::SubmissionRow, look: &Look, now: i64) -> Result<Vec<i64>> {
        match self.try_record_look(seen, look, now) {
            Err(StoreError::Sql(SqlError::DatabaseError(DatabaseErrorKind::UniqueViolation, _))) => {
                let (mut look, mut tasks) = (look.clone(), Vec::new());
                let done = self.successes(seen.campaign_id, &look.ends)?;
                let known = |end: &JobEnd| done.contains(&(end.job.task_index, end.job.generation));
                for end in look.ends.iter_mut().filter(|end| end.state == JobState::Done && known(end)) {
                    (end.state, end.cause) = (JobState::Killed, account::DUPLICATE.to_owned());
                    tasks.push(end.job.task_index);
                }
                self.try_record_look(seen, &look, now)?;
                Ok(tasks)
            }
            other => other.map(|()| Vec::new()),
        }
    }

    /// The task generations among these that have succeeded.
    fn successes(&self, campaign_id: i64, ends: &[JobEnd]) -> Result<HashSet<(i64, i32)>> {
        let mut found = HashSet::new();
        self.read(|connection| {
            for some in ends.chunks(LOOKUPS) {
                let done: Vec<(i64, i32)> = job::table
                    .filter(job::campaign_id.eq(campaign_id))
                    .filter(job::task_index.eq_any(some.iter().map(|end| end.job.task_index)))
                    .filter(job::state.eq(JobState::Done.as_str()))
                    .select((job::task_index, job::generation))
                    .load(connection)?;
                found.extend(done);
            }
            Ok(found)
        })
    }

    fn try_record_look(&self, seen: &submissions::SubmissionRow, look: &Look, now: i64) -> Result<()> {
        self.write(|connection| {
            let were_running = mark_missing(connection, &look.missing, now)?;
            mark_found(connection, &look.found)?;
            let run = mark_running(connection, &look.started, now)?;
            count_running(connection, seen, run - were_running)?;
            mark_ended(connection, seen, &look.ends)?;
            failure::record(connection, seen, &look.ends, now)?;
            account::charge_ends(connection, &self.specs, seen, (&look.ends, now))?;
            group::add_pace(connection, (seen.campaign_id, &seen.cluster), look.pace)?;
            diesel::update(submission::table.find(seen.id))
                .set((submission::seen_waiting.eq(look.waiting), submission::seen_final.eq(look.finals)))
                .execute(connection)?;
            if !look.ends.is_empty() {
                close_if_over(connection, seen.id, now)?;
                let row = endless::close_if_enough(connection, seen.campaign_id, look.exhausted, now)?;
                max_failures::hold_if_passed(connection, &row, now)?;
                control::finish_if_over(connection, &row, now)?;
            }
            Ok(())
        })
    }

    /// Follows OAR's own resubmissions: the same attempts go on under other remote ids, given with each job's own. After
    /// `most` such hops a job is wanted back: a cluster that goes on like that loses node after node.
    pub fn follow(&self, followed: &[(i64, u64)], most: i64) -> Result<()> {
        if followed.is_empty() {
            return Ok(());
        }
        self.write(|connection| followed.iter().try_for_each(|(job, id)| follow(connection, *job, (*id as i64, most))))
    }
}

/// One of them.
fn follow(connection: &mut Database, job_id: i64, (remote_id, most): (i64, i64)) -> Result<()> {
    let old: Option<i64> = job::table.find(job_id).select(job::remote_id).first(connection)?;
    let Some(old) = old.filter(|old| *old != remote_id) else { return Ok(()) };
    let hops: i64 = remote_job::table.filter(remote_job::job_id.eq(job_id)).count().get_result(connection)?;
    diesel::insert_into(remote_job::table)
        .values((remote_job::job_id.eq(job_id), remote_job::hop.eq(hops + 1), remote_job::remote_id.eq(old)))
        .execute(connection)?;
    diesel::update(job::table.find(job_id)).set(job::remote_id.eq(Some(remote_id))).execute(connection)?;
    if hops >= most {
        let wish = Some(Wish::Again.as_str());
        diesel::update(job::table.find(job_id).filter(job::wish.is_null()))
            .set(job::wish.eq(wish))
            .execute(connection)?;
    }
    Ok(())
}

pub(crate) fn live_jobs(connection: &mut Database, submission_id: i64) -> Result<Vec<LiveJob>> {
    type Columns = (i64, Option<i64>, i64, i32, i32, String, Option<i64>, Option<String>, Option<i64>);
    let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
    let found: Vec<Columns> = job::table
        .filter(job::submission_id.eq(submission_id))
        .filter(job::state.eq_any(live))
        .select((
            job::id,
            job::remote_id,
            job::task_index,
            job::generation,
            job::attempt,
            job::state,
            job::missing_since,
            job::wish,
            job::started_at,
        ))
        .order((job::array_index, job::slot))
        .load(connection)?;
    found
        .into_iter()
        .map(|(id, remote_id, task_index, generation, attempt, state, missing_since, wish, started_at)| {
            let state = state.parse().map_err(StoreError::corrupt)?;
            let wish = wish.map(|wish| wish.parse().map_err(StoreError::corrupt)).transpose()?;
            Ok(LiveJob { id, remote_id, task_index, generation, attempt, state, missing_since, wish, started_at })
        })
        .collect()
}

/// What the cluster denies is unknown: neither running nor ended. Returns how many ran.
fn mark_missing(connection: &mut Database, missing: &[i64], now: i64) -> Result<i64> {
    let mut were_running = 0;
    for some in missing.chunks(LOOKUPS) {
        let seen = |state: JobState| job::id.eq_any(some.to_vec()).and(job::state.eq(state.as_str()));
        let unknown = (job::state.eq(JobState::Unknown.as_str()), job::missing_since.eq(Some(now)));
        were_running += diesel::update(job::table.filter(seen(JobState::Running))).set(unknown).execute(connection)?;
        diesel::update(job::table.filter(seen(JobState::Submitted))).set(unknown).execute(connection)?;
    }
    Ok(were_running as i64)
}

/// Steps are in no counter.
fn count_running(connection: &mut Database, seen: &submissions::SubmissionRow, more: i64) -> Result<()> {
    if more != 0 && !seen.role.is_step() {
        diesel::update(progress::table.find(seen.campaign_id))
            .set(progress::running.eq(progress::running + more))
            .execute(connection)?;
    }
    Ok(())
}

/// What was unknown waits on the cluster.
fn mark_found(connection: &mut Database, found: &[i64]) -> Result<()> {
    for some in found.chunks(LOOKUPS) {
        let unknown = job::id.eq_any(some.to_vec()).and(job::state.eq(JobState::Unknown.as_str()));
        diesel::update(job::table.filter(unknown))
            .set((job::state.eq(JobState::Submitted.as_str()), job::missing_since.eq(None::<i64>)))
            .execute(connection)?;
    }
    Ok(())
}

/// Returns how many were not seen running before.
fn mark_running(connection: &mut Database, started: &[i64], now: i64) -> Result<i64> {
    match started {
        [] => Ok(0),
        _ => Ok(bulk::start_jobs(connection, started, now)? as i64),
    }
}

fn mark_ended(connection: &mut Database, seen: &submissions::SubmissionRow, ends: &[JobEnd]) -> Result<()> {
    if ends.is_empty() {
        return Ok(());
    }
    let changed = bulk::end_jobs(connection, seen.id, ends)?;
    if changed != ends.len() {
        return Err(StoreError::Conflict(format!(
            "submission {}: {changed} of {} jobs were live",
            seen.id,
            ends.len()
        )));
    }
    if seen.role.is_step() {
        return Ok(());
    }
    count_ended(connection, seen, ends)?;
    let retried = ends.iter().filter(|end| end.back.is_some() && end.job.attempt > 1);
    let before = failed_on::of_jobs(connection, &retried.map(|end| end.job.id).collect::<Vec<_>>())?;
    let back = ends.iter().filter_map(|end| back_of(end, before.get(&end.job.id).map(String::as_str)).transpose());
    let back: Vec<Back> = back.collect::<Result<_>>()?;
    bag::give_back(connection, seen.campaign_id, &back)
}

fn count_ended(connection: &mut Database, seen: &submissions::SubmissionRow, ends: &[JobEnd]) -> Result<()> {
    let number = |wanted: JobState| ends.iter().filter(|end| end.state == wanted).count() as i64;
    let (done, failed) = (number(JobState::Done), number(JobState::Failed));
    let killed = ends.iter().filter(|end| end.killed).count() as i64;
    let cancelled = number(JobState::Cancelled);
    // A duplicate success neither ends its task, which has ended, nor brings it back.
    let duplicates = ends.iter().filter(|end| end.state == JobState::Killed && end.back.is_none()).count() as i64;
    let was_running = ends.iter().filter(|end| end.job.state == JobState::Running).count() as i64;
    diesel::update(progress::table.find(seen.campaign_id))
        .set((
            progress::live.eq(progress::live - done - failed - cancelled - duplicates),
            progress::running.eq(progress::running - was_running),
            progress::done.eq(progress::done + done),
            progress::failed.eq(progress::failed + failed),
            progress::cancelled.eq(progress::cancelled + cancelled),
            progress::kills.eq(progress::kills + killed),
        ))
        .execute(connection)?;
    Ok(())
}

/// A task that comes back, with the clusters that it failed on: those before, and the one it should avoid now.
fn back_of(end: &JobEnd, before: Option<&str>) -> Result<Option<Back>> {
    let Some(back) = &end.back else { return Ok(None) };
    Ok(Some(Back {
        index: end.job.task_index,
        generation: end.job.generation,
        attempts: end.job.attempt,
        place: i32::from(!back.last),
        failed_on: failed_on::with(before, back.avoid_cluster.as_deref())?,
        not_before: back.not_before,
        level: back.level as i32,
    }))
}

fn close_if_over(connection: &mut Database, submission_id: i64, now: i64) -> Result<()> {
    let live = JobState::ALL.iter().filter(|state| state.is_live()).map(|state| state.as_str());
    let left: i64 = job::table
        .filter(job::submission_id.eq(submission_id))
        .filter(job::state.eq_any(live))
        .count()
        .get_result(connection)?;
    if left == 0 { submissions::advance(connection, submission_id, SubmissionState::Closed, now) } else { Ok(()) }
}
