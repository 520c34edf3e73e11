//! When a cluster's database was reset: canaries to tell it by, and what an admin then decides.

use cigri_core::canary::Canary;
use cigri_core::event::{Code, Scope};
use cigri_core::state::{JobState, SubmissionState, Wish};
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::{cluster, gate_test, job, progress, submission};
use crate::specs::Specs;
use crate::submission::{self as submissions, SubmissionRow, Unsettled};
use crate::{
    LiveJob, Result, Store, StoreError, account, bag, campaign, control, event, failed_on, job as jobs, steps,
};

/// Why a job ended that was lost with its cluster's database.
const CAUSE: &str = "cluster_reset";

impl Store {
    /// The last jobs that were seen to end on a cluster since its ids are what they are.
    pub fn canaries(&self, name: &str, count: i64) -> Result<Vec<Canary>> {
        self.read(|connection| {
            let since: i64 = cluster::table.find(name).select(cluster::ids_since).first(connection)?;
            let rows: Vec<(Option<i64>, String, String)> = job::table
                .inner_join(submission::table.on(submission::id.eq(job::submission_id)))
                .filter(submission::cluster.eq(name))
                .filter(submission::created_at.ge(since))
                .filter(job::state.eq_any([JobState::Done.as_str(), JobState::Failed.as_str()]))
                // One for each remote job, however many tasks it ran.
                .filter(job::slot.eq(0))
                .select((job::remote_id, submission::name, submission::remote_user))
                .order(job::id.desc())
                .limit(count)
                .load(connection)?;
            let canary =
                |(id, name, user): (Option<i64>, String, String)| Some(Canary { remote_id: id? as u64, name, user });
            Ok(rows.into_iter().filter_map(canary).collect())
        })
    }

    /// An admin has looked at a cluster whose database seemed to be another: its ids count from now on. Our jobs there
    /// are kept, or lost: then their tasks go back to the bag. Returns how many jobs were lost. An error if the cluster
    /// is not on hold for this.
    pub fn accept_reset(&self, name: &str, jobs_are_lost: bool, now: i64) -> Result<usize> {
        self.write(|connection| {
            close_hold(connection, name, now)?;
            let mut lost = 0;
            for Unsettled { row, .. } in submissions::unsettled(connection, name)? {
                if jobs_are_lost {
                    lost += lose(connection, &self.specs, &row, now)?;
                }
            }
            diesel::update(cluster::table.find(name))
                .set((cluster::watermark.eq(0), cluster::ids_since.eq(now)))
                .execute(connection)?;
            diesel::delete(gate_test::table.find(name)).execute(connection)?;
            Ok(lost)
        })
    }
}

fn close_hold(connection: &mut Database, name: &str, now: i64) -> Result<()> {
    let closed = event::close(connection, Code::ClusterReset, &Scope::cluster(name), now)?;
    match closed {
        0 => Err(StoreError::Conflict(format!("no reset of {name}'s database waits to be accepted"))),
        _ => Ok(()),
    }
}

/// Gives up a submission and its live jobs.
fn lose(connection: &mut Database, specs: &Specs, row: &SubmissionRow, now: i64) -> Result<usize> {
    let live = jobs::live_jobs(connection, row.id)?;
    if matches!(row.state, SubmissionState::Intent | SubmissionState::Unknown) {
        let reason = "the cluster's database was reset";
        submissions::give_up(connection, row.id, (SubmissionState::Abandoned, reason), now)?;
        return Ok(live.len());
    }
    account::charge_lost(connection, specs, row, (&live, now))?;
    let were_running = live.iter().filter(|job| job.state == JobState::Running).count() as i64;
    let (unwanted, wanted): (Vec<&LiveJob>, Vec<&LiveJob>) =
        live.iter().partition(|job| job.wish == Some(Wish::Cancel));
    for (some, state) in [(&unwanted, JobState::Cancelled), (&wanted, JobState::Killed)] {
        for some in some.chunks(jobs::LOOKUPS) {
            diesel::update(job::table.filter(job::id.eq_any(some.iter().map(|job| job.id))))
                .set((job::state.eq(state.as_str()), job::cause.eq(Some(CAUSE)), job::stopped_at.eq(Some(now))))
                .execute(connection)?;
        }
    }
    if row.role.is_step() {
        steps::given_up(connection, row, !unwanted.is_empty(), now)?;
    } else {
        count_lost(connection, row, (were_running, unwanted.len() as i64))?;
        let ids: Vec<i64> = wanted.iter().map(|job| job.id).collect();
        let mut failed_on = failed_on::of_jobs(connection, &ids)?;
        let back = wanted.iter().map(|job| (job.task_index, job.generation, job.attempt, failed_on.remove(&job.id)));
        bag::give_back(connection, row.campaign_id, &submissions::back_first(back.collect(), row.level))?;
    }
    submissions::advance(connection, row.id, SubmissionState::Closed, now)?;
    let campaign = campaign::get(connection, row.campaign_id)?;
    control::finish_if_over(connection, &campaign, now)?;
    Ok(live.len())
}

fn count_lost(connection: &mut Database, row: &SubmissionRow, (were_running, ended): (i64, i64)) -> Result<()> {
    diesel::update(progress::table.find(row.campaign_id))
        .set((
            progress::running.eq(progress::running - were_running),
            (progress::live.eq(progress::live - ended), progress::cancelled.eq(progress::cancelled + ended)),
        ))
        .execute(connection)?;
    Ok(())
}
