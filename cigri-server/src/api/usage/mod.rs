//! What was had of clusters, and how they are used.
//!
//! Everybody may see how clusters are used, and what all users together had of each. Users see their own accounts, admins
//! all.

mod accounts;
mod asked;
mod grid;
mod table;

#[cfg(test)]
mod tests;

use actix_web::http::header::ACCEPT;
use actix_web::{HttpRequest, HttpResponse, web};
use cigri_core::usage::By;
use cigri_store::{AccountFilter, AccountSum, CampaignNames, SampleFilter, Store, StoreError};

use self::asked::{GridQuery, UsageQuery};
use super::identity::Caller;
use super::respond::ApiError;
use crate::grid::Grid;

/// `GET /usage`: accounts (one's own; everybody's by cluster, and to admins).
pub(super) async fn accounts(
    grid: web::Data<Grid>,
    caller: Caller,
    request: HttpRequest,
    query: web::Query<UsageQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.into_inner();
    let csv = wants_csv(&request, query.format.as_deref())?;
    let (by, days) = (query.by()?, query.days()?);
    let user = whose(&grid, &caller, by, &query).await?;
    let filter = AccountFilter {
        from: days.0,
        to: days.1,
        owner: user.clone(),
        campaign: query.campaign()?,
        cluster: query.cluster.clone(),
    };
    let (rows, names) = crate::blocking(&grid.store, move |store| read(store, &filter, by)).await?;
    let usage = accounts::usage(by, user, days, &rows, &names);
    if csv { Ok(table::answer(table::of_usage(&usage)?)) } else { Ok(HttpResponse::Ok().json(usage)) }
}

fn read(store: &Store, filter: &AccountFilter, by: By) -> Result<(Vec<AccountSum>, CampaignNames), StoreError> {
    let rows = store.account_sums(filter, by)?;
    let names = match by {
        By::Campaign => store.campaign_names(rows.iter().filter_map(|row| row.campaign).collect())?,
        _ => CampaignNames::new(),
    };
    Ok((rows, names))
}

/// Whose accounts may be shown: the user who was asked for, or all; an error if the caller may not see them.
async fn whose(grid: &Grid, caller: &Caller, by: By, query: &UsageQuery) -> Result<Option<String>, ApiError> {
    if let Some(campaign) = query.campaign()? {
        caller.owns(grid, campaign).await?;
        return Ok(query.user.clone());
    }
    if let Some(user) = &query.user {
        caller.may_change(user, grid)?;
        return Ok(Some(user.clone()));
    }
    let sees_all = by == By::Cluster || caller.administers(grid).is_ok();
    Ok((!sees_all).then(|| caller.login.clone()))
}

/// `GET /gridusage`: how clusters are used (any user).
pub(super) async fn grid(
    grid: web::Data<Grid>,
    _: Caller,
    request: HttpRequest,
    query: web::Query<GridQuery>,
) -> Result<HttpResponse, ApiError> {
    let query = query.into_inner();
    let csv = wants_csv(&request, query.format.as_deref())?;
    let range = query.range()?;
    let step_s = query.step()?;
    let cluster = query.cluster.clone();
    let found = crate::blocking(&grid.store, move |store| match range {
        None => store.last_samples(cluster.as_deref()),
        Some((from, to)) => {
            let (from, to) = (from * 1000, to.saturating_mul(1000).saturating_add(999));
            let step_ms = step_s.unwrap_or_default() * 1000;
            store.samples(&SampleFilter { from, to, cluster, step_ms }, grid::MOST_SHOWN + 1)
        }
    });
    let rows = found.await?;
    if rows.len() as i64 > grid::MOST_SHOWN {
        return Err(grid::too_many(step_s.is_some()));
    }
    let usage = grid::usage(range, &rows, request.uri().path_and_query().map_or("", |place| place.as_str()));
    if csv { Ok(table::answer(table::of_grid(&usage)?)) } else { Ok(HttpResponse::Ok().json(usage)) }
}

/// Whether the answer is to be a table for spreadsheets.
fn wants_csv(request: &HttpRequest, format: Option<&str>) -> Result<bool, ApiError> {
    match format {
        Some("csv") => return Ok(true),
        Some("json") => return Ok(false),
        Some(other) => return Err(ApiError::bad_request(format!("format: found `{other}`, expected `json` or `csv`"))),
        None => {}
    }
    let accepted = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ok(accepted.split(',').any(|kind| kind.split(';').next().is_some_and(|kind| kind.trim() == "text/csv")))
}
