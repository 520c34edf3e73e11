//! Reading jobs and their output.

use actix_web::{HttpResponse, web};
use cigri_api::{Accepted, Job, List, Output};
use cigri_core::state::Wish;
use cigri_core::task_ids::TaskIds;
use cigri_store::{JobFilter, JobRow};
use serde::Deserialize;

use super::identity::Caller;
use super::looking::Looking;
use super::respond::ApiError;
use crate::cluster::results_folder as folder;
use crate::grid::Grid;
use crate::output::{self, Stream};

#[derive(Deserialize)]
pub(super) struct JobQuery {
    state: Option<String>,
    task: Option<i64>,
    #[serde(default)]
    after: i64,
    limit: Option<i64>,
}

pub(super) async fn list(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<JobQuery>,
) -> Result<web::Json<List<Job>>, ApiError> {
    let state = query.state.as_deref().map(str::parse).transpose();
    let filter = JobFilter {
        state: state.map_err(|error: cigri_core::state::UnknownState| ApiError::bad_request(error.to_string()))?,
        task_index: query.task,
        after: query.after,
        limit: query.limit.unwrap_or(100).clamp(1, 10_000),
    };
    let id = *id;
    caller.owns(&grid, id).await?;
    let list = crate::blocking(&grid.store, move |store| {
        let rows = store.list_jobs(id, &filter)?;
        // Read after the jobs: a task that was just added has its id then.
        let ids = store.campaign(id)?.task_ids;
        let full = rows.len() as i64 == filter.limit;
        let next = rows.last().filter(|_| full).map(|row| row.id);
        let items = rows.into_iter().map(|row| job(row, &ids)).collect();
        Ok(List { items, total: store.count_jobs(id, &filter)? as u64, next })
    });
    Ok(web::Json(list.await?))
}

pub(super) async fn show(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
) -> Result<web::Json<Job>, ApiError> {
    let id = *id;
    let found = crate::blocking(&grid.store, move |store| {
        let row = store.job(id)?;
        let ids = store.campaign(row.campaign_id)?.task_ids;
        Ok(job(row, &ids))
    });
    let job = found.await?;
    caller.owns(&grid, job.campaign_id).await?;
    Ok(web::Json(job))
}

#[derive(Deserialize)]
pub(super) struct KillQuery {
    again: Option<String>,
}

/// `DELETE /jobs/{id}`: the job is killed, at whatever moment of its submission, and its task ends as cancelled; with
/// `?again=1` the task goes back to the bag (owner).
pub(super) async fn kill(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<KillQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = *id;
    let row = crate::blocking(&grid.store, move |store| store.job(id)).await?;
    caller.owns(&grid, row.campaign_id).await?;
    let (wish, then) = match (&query.again, row.role.is_step()) {
        (None, false) => (Wish::Cancel, "its task ends as cancelled".to_owned()),
        (Some(_), false) => (Wish::Again, "its task is sent again".to_owned()),
        (None, true) => (Wish::Cancel, format!("its campaign is then on hold on {}", row.cluster)),
        (Some(_), true) => (Wish::Again, format!("the {} is sent again", row.role)),
    };
    let neighbours = crate::blocking(&grid.store, move |store| {
        store.wish(id, wish)?;
        store.neighbours(id)
    })
    .await?;
    grid.wake_all();
    let message = match neighbours {
        0 => format!("job {id} is being killed; {then}"),
        _ => format!("job {id} is being killed; {then}. {neighbours} more tasks of its group are sent again"),
    };
    Ok(HttpResponse::Accepted().json(Accepted { status: 202, title: "Accepted".to_owned(), message }))
}

#[derive(Deserialize)]
pub(super) struct TailQuery {
    tail: Option<u32>,
}

/// Standard output of a job, read on its cluster as its owner (owner).
pub(super) async fn stdout(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<TailQuery>,
) -> Result<web::Json<Output>, ApiError> {
    read(&grid, &caller, (*id, query.tail), Stream::Out).await
}

/// Standard error of a job, read on its cluster as its owner (owner).
pub(super) async fn stderr(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<TailQuery>,
) -> Result<web::Json<Output>, ApiError> {
    read(&grid, &caller, (*id, query.tail), Stream::Err).await
}

async fn read(
    grid: &Grid,
    caller: &Caller,
    (id, tail): (i64, Option<u32>),
    stream: Stream,
) -> Result<web::Json<Output>, ApiError> {
    let (row, submission, campaign) = crate::blocking(&grid.store, move |store| {
        let row = store.job(id)?;
        let submission = store.submission(row.submission_id)?;
        let campaign = store.campaign(row.campaign_id)?;
        Ok((row, submission, campaign))
    })
    .await?;
    caller.may_change(&submission.owner, grid)?;
    let remote_id =
        row.remote_id.ok_or_else(|| ApiError::not_found(format!("job {id} never started: it has no output")))?;
    let handle = grid.cluster(&row.cluster).ok_or_else(|| ApiError::not_found(format!("cluster {}", row.cluster)))?;
    let (token, _) = grid.token(&submission.owner, &handle)?.map_err(ApiError::unavailable)?;
    let path = match submission.results {
        None => output::path(&submission.directory, &submission.name, remote_id as u64, stream),
        Some(_) => output::grouped_path(&folder(&submission, &campaign), remote_id as u64, row.slot, stream),
    };
    let way = Looking::at(grid, &handle).await?;
    let bytes = way.client.media(&token, &path, tail).await.map_err(|error| way.failed(&error))?;
    // A group keeps no empty files.
    let is_empty = submission.results.is_some() && !row.state.is_live();
    let bytes = bytes.or(is_empty.then(Default::default));
    let bytes = bytes.ok_or_else(|| ApiError::not_found(format!("job {id} has no file {path} on {}", row.cluster)))?;
    Ok(web::Json(Output { output: String::from_utf8_lossy(&bytes).into_owned() }))
}

fn job(row: JobRow, ids: &TaskIds) -> Job {
    Job {
        id: row.id,
        campaign_id: row.campaign_id,
        role: row.role.as_str().to_owned(),
        task_id: match row.role.is_step() {
            true => 0,
            false => ids.id_of(row.task_index as u64).unwrap_or_default() as i64,
        },
        task_index: row.task_index,
        generation: row.generation,
        attempt: row.attempt,
        state: row.state.as_str().to_owned(),
        cluster: row.cluster,
        remote_id: row.remote_id,
        exit_code: row.exit_code,
        cause: row.cause,
        detail: row.detail,
        submit_time: row.submitted_at / 1000,
        start_time: row.started_at.map(|at| at / 1000),
        stop_time: row.stopped_at.map(|at| at / 1000),
        slot: row.slot,
        parameters: row.parameters,
    }
}
