//! Intents: tasks leave the bag, a submission and its launching jobs are there, all or nothing.

use cigri_core::group::{self, Place};
use cigri_core::language::ClusterSpec;
use cigri_core::state::{Role, SubmissionState};
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as SqlError};

use crate::bag::{self, Taken, Task};
use crate::bulk::{self, NewJobs};
use crate::connection::Database;
use crate::schema::{cluster as clusters, submission};
use crate::specs::SpecsById;
use crate::submission::{self as submissions, SubmissionRow};
use crate::{Asked, Result, Store, StoreError, asked, endless, failed_on, parameters, reserve, steps};

/// A submission about to be written down.
#[derive(Debug, Clone, PartialEq)]
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
    /// Tasks of this level of the campaign's escalation only; a step has none.
    pub level: Raised,
    /// How they are grouped.
    pub group: Option<NewGroup>,
    /// Other clusters of the campaign that are open to it: tasks that failed here are left to them.
    pub open_elsewhere: &'a [String],
    /// Only tasks of these generations, which ask for the same in place of what the campaign's file says. None: of those
    /// that ask for what it says.
    pub asked: Option<&'a Asked>,
}

/// A level of escalation, and what bounds it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Raised {
    /// The level, from 0.
    pub level: u32,
    /// The cluster's longest walltime of jobs that ask for more than the campaign's file says, seconds.
    pub longest_s: Option<u64>,
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

/// Tasks of grouped jobs taken at once: how many fit into the jobs, their parameters tell.
const PIECE: i64 = 1000;

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
            let asked = asked::current(connection, new.campaign_id, new.asked)?;
            let new = &NewSubmission { asked: asked.as_ref().filter(|_| !new.role.is_step()), ..new.clone() };
            let taken = taken(connection, new, now)?;
            let Some((last, _)) = taken.last() else { return Ok(None) };
            let remote_jobs = last.task.array_index;
            let id = reserve(connection, "submission", 1)?;
            let kind = kind(&self.specs.of(connection, &[new.campaign_id])?, new);
            insert(connection, (new, kind), (id, &name(id)), (taken.len() as i64, remote_jobs, now))?;
            let first = reserve(connection, "job", taken.len() as i64)?;
            let failed: Vec<(i64, String)> = (first..)
                .zip(&taken)
                .filter_map(|(job, (taken, _))| Some((job, taken.failed_on()?.to_owned())))
                .collect();
            let tasks: Vec<(Task, String)> = taken.into_iter().map(|(taken, text)| (taken.task, text)).collect();
            let jobs = NewJobs { submission: id, campaign: new.campaign_id, first, tasks: &tasks };
            bulk::insert_jobs(connection, &jobs)?;
            failed_on::keep(connection, &failed)?;
            Ok(Some((submissions::get(connection, id)?, tasks)))
        })
    }
}

/// What the jobs ask for and the project they are accounted to.
type Kind = (Option<String>, Option<String>);

fn kind(specs: &SpecsById, new: &NewSubmission<'_>) -> Kind {
    let spec = specs.get(&new.campaign_id).and_then(|spec| spec.clusters.get(new.cluster));
    let own =
        |spec: &ClusterSpec| new.asked.map_or_else(|| spec.clone(), |asked| asked.ask.apply(spec, new.level.longest_s));
    let shape = |spec: &ClusterSpec| own(spec).at_level(new.level.level, new.level.longest_s).shape();
    spec.map_or((None, None), |spec| (Some(shape(spec)), spec.project.clone()))
}

fn insert(
    connection: &mut Database,
    (new, (shape, project)): (&NewSubmission<'_>, Kind),
    (id, name): (i64, &str),
    (job_count, remote_count, now): (i64, i64, i64),
) -> Result<()> {
    let known: Option<i64> =
        clusters::table.find(new.cluster).select(clusters::watermark).first(connection).optional()?;
    let results = new.group.map(|group| group.results.as_str());
    diesel::insert_into(submission::table)
        .values((
            (submission::id.eq(id), submission::campaign_id.eq(new.campaign_id), submission::cluster.eq(new.cluster)),
            (submission::owner.eq(new.owner), submission::remote_user.eq(new.remote_user)),
            (submission::state.eq(SubmissionState::Intent.as_str()), submission::name.eq(name)),
            (submission::directory.eq(new.directory), submission::job_count.eq(job_count)),
            (submission::remote_count.eq(remote_count), submission::results.eq(results)),
            (submission::created_at.eq(now), submission::changed_at.eq(now)),
            (submission::watermark.eq(known.unwrap_or(0)), submission::role.eq(new.role.as_str())),
            (submission::shape.eq(shape), submission::project.eq(project)),
            submission::level.eq(new.level.level as i32),
        ))
        .execute(connection)?;
    Ok(())
}

/// The tasks of an intent with their parameters, in the order of the jobs.
fn taken(connection: &mut Database, new: &NewSubmission<'_>, now: i64) -> Result<Vec<(Taken, String)>> {
    if new.role.is_step() {
        let tasks = steps::take(connection, new)?;
        return with_texts(connection, new, tasks.into_iter().map(Taken::from).collect());
    }
    if !steps::fits_stage(connection, new)? {
        return Ok(Vec::new());
    }
    let limit = endless::room(connection, new.campaign_id, new.limit, now)?;
    match &new.group {
        Some(group) => take_grouped(connection, new, (group, limit), now),
        None => {
            let taken = take(connection, new, (limit, now))?;
            with_texts(connection, new, taken)
        }
    }
}

fn take(connection: &mut Database, new: &NewSubmission<'_>, (limit, now): (i64, i64)) -> Result<Vec<Taken>> {
    let wanted = bag::Wanted { limit, level: new.level.level as i32, now };
    bag::take(connection, (new.campaign_id, new.cluster), (new.open_elsewhere, new.asked), wanted)
}

fn with_texts(connection: &mut Database, new: &NewSubmission<'_>, taken: Vec<Taken>) -> Result<Vec<(Taken, String)>> {
    let texts = texts(connection, new, &taken)?;
    Ok(taken.into_iter().zip(texts).collect())
}

fn texts(connection: &mut Database, new: &NewSubmission<'_>, taken: &[Taken]) -> Result<Vec<String>> {
    let indices: Vec<i64> = taken.iter().map(|taken| taken.task.index).collect();
    parameters::texts(connection, new.campaign_id, &indices)
}

/// Takes tasks until the jobs that may go are full, and gives each its place in one. What does not fit any more returns
/// to where it was in the bag, untried: a piece at most.
fn take_grouped(
    connection: &mut Database,
    new: &NewSubmission<'_>,
    (group, limit): (&NewGroup, i64),
    now: i64,
) -> Result<Vec<(Taken, String)>> {
    let most = group.jobs.max(1) as usize;
    let (mut tasks, mut all, mut jobs): (Vec<Taken>, Vec<String>, Vec<usize>) = (Vec::new(), Vec::new(), Vec::new());
    let mut lengths = Vec::new();
    while jobs.len() <= most && (tasks.len() as i64) < limit {
        let wanted = PIECE.min(limit - tasks.len() as i64);
        let piece = take(connection, new, (wanted, now))?;
        let is_last = (piece.len() as i64) < wanted;
        let more = texts(connection, new, &piece)?;
        lengths.extend(more.iter().map(|text| group::characters(text)));
        tasks.extend(piece);
        all.extend(more);
        jobs = group::pack(&lengths, group.tasks);
        if is_last {
            break;
        }
    }
    jobs.truncate(most);
    let rest = tasks.split_off(jobs.iter().sum());
    bag::untake(connection, new.campaign_id, &rest)?;
    let places = (1..).zip(&jobs).flat_map(|(job, count)| (0..*count as i32).map(move |slot| (job, slot)));
    let placed = |(mut taken, (array_index, slot)): (Taken, (i64, i32))| {
        (taken.task.array_index, taken.task.slot) = (array_index, slot);
        taken
    };
    Ok(tasks.into_iter().zip(places).map(placed).zip(all).collect())
}
