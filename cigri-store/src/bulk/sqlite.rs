//! Many rows on SQLite: one prepared statement, once per row.

use cigri_core::state::JobState;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::NewJobs;
use crate::Result;
use crate::bag::Back;
use crate::connection::storable;
use crate::job::JobEnd;
use crate::schema::{job, parameter_chunk, returned_task};

pub(super) fn insert_jobs(connection: &mut SqliteConnection, jobs: &NewJobs<'_>) -> Result<()> {
    for (at, task) in (0i64..).zip(jobs.tasks) {
        diesel::insert_into(job::table)
            .values((
                (job::id.eq(jobs.first + at), job::submission_id.eq(jobs.submission), job::array_index.eq(at + 1)),
                (job::campaign_id.eq(jobs.campaign), job::task_index.eq(task.index)),
                (job::generation.eq(task.generation), job::attempt.eq(task.attempt)),
                job::state.eq(JobState::Launching.as_str()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn submit_jobs(connection: &mut SqliteConnection, adopted: &[(i64, i64)]) -> Result<()> {
    for (job, remote_id) in adopted {
        diesel::update(job::table.find(job))
            .set((job::state.eq(JobState::Submitted.as_str()), job::remote_id.eq(Some(*remote_id))))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn start_jobs(connection: &mut SqliteConnection, jobs: &[i64], now: i64) -> Result<usize> {
    let mut changed = 0;
    for id in jobs {
        changed += diesel::update(job::table.find(id))
            .filter(job::state.eq(JobState::Submitted.as_str()).or(job::state.eq(JobState::Unknown.as_str())))
            .set((
                (job::state.eq(JobState::Running.as_str()), job::missing_since.eq(None::<i64>)),
                job::started_at.eq(Some(now)),
            ))
            .execute(connection)?;
    }
    Ok(changed)
}

pub(super) fn end_jobs(connection: &mut SqliteConnection, submission: i64, ends: &[JobEnd]) -> Result<usize> {
    let mut changed = 0;
    for end in ends {
        let live = job::state
            .eq(JobState::Submitted.as_str())
            .or(job::state.eq(JobState::Running.as_str()))
            .or(job::state.eq(JobState::Unknown.as_str()));
        changed += diesel::update(job::table.find(end.job.id))
            .filter(job::submission_id.eq(submission))
            .filter(live)
            .set((
                (job::state.eq(end.state.as_str()), job::exit_code.eq(end.exit_code)),
                (job::cause.eq(Some(&end.cause)), job::detail.eq(end.detail.as_deref().map(storable))),
                // What was seen stands where the cluster does not say better.
                (job::stopped_at.eq(end.stopped_at), end.started_at.map(|at| job::started_at.eq(Some(at)))),
            ))
            .execute(connection)?;
    }
    Ok(changed)
}

pub(super) fn insert_returned(connection: &mut SqliteConnection, campaign: i64, tasks: &[Back]) -> Result<()> {
    for back in tasks {
        diesel::insert_into(returned_task::table)
            .values((
                (returned_task::campaign_id.eq(campaign), returned_task::task_index.eq(back.index)),
                (returned_task::generation.eq(back.generation), returned_task::attempts.eq(back.attempts)),
                returned_task::place.eq(back.place),
                returned_task::avoid_cluster.eq(back.avoid_cluster.as_deref()),
            ))
            .execute(connection)?;
    }
    Ok(())
}

pub(super) fn delete_returned(connection: &mut SqliteConnection, campaign: i64, indices: &[i64]) -> Result<()> {
    for index in indices {
        diesel::delete(returned_task::table.find((campaign, index))).execute(connection)?;
    }
    Ok(())
}

pub(super) fn insert_chunks(connection: &mut SqliteConnection, campaign: i64, chunks: &[(i64, String)]) -> Result<()> {
    for (first_index, body) in chunks {
        diesel::insert_into(parameter_chunk::table)
            .values((
                parameter_chunk::campaign_id.eq(campaign),
                parameter_chunk::first_index.eq(first_index),
                parameter_chunk::body.eq(body),
            ))
            .execute(connection)?;
    }
    Ok(())
}
