//! Changing campaigns: cancel, pause, resume.

use actix_web::{HttpResponse, web};
use cigri_api::Accepted;
use serde::Deserialize;

use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;

#[derive(Deserialize)]
pub(super) struct ChangeQuery {
    hold: Option<String>,
    resume: Option<String>,
}

/// `DELETE /campaigns/{id}` cancels; `?hold=1` pauses, `?resume=1` resumes and lifts holds (owner).
pub(super) async fn change(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<ChangeQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = *id;
    caller.owns(&grid, id).await?;
    let (hold, resume, now) = (query.hold.is_some(), query.resume.is_some(), now_ms());
    let done = crate::blocking(&grid.store, move |store| match (hold, resume) {
        (true, _) => store.pause_campaign(id).map(|()| "paused"),
        (_, true) => store.resume_campaign(id, now).map(|_| "resumed"),
        _ => store.cancel_campaign(id, now).map(|()| "cancelled"),
    });
    let message = format!("Campaign {id} {}", done.await?);
    grid.wake_all();
    Ok(HttpResponse::Accepted().json(Accepted { status: 202, title: "Accepted".to_owned(), message }))
}
