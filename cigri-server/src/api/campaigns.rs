//! Reading campaigns.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use cigri_api::{Campaign, CampaignState, ClusterShare, Endless, List, Origin};
use cigri_core::event::{Code, Scope};
use cigri_core::state::{self, Stage};
use cigri_core::turn::StepState;
use cigri_store::{CampaignFilter, CampaignRow, Share, Store, StoreError};
use serde::Deserialize;

use super::identity::Caller;
use super::respond::ApiError;
use crate::grid::Grid;

#[derive(Deserialize)]
pub(super) struct ListQuery {
    #[serde(default)]
    all: u8,
    origin: Option<String>,
}

/// Everybody's campaigns, but the files of others are nobody else's.
pub(super) async fn list(
    grid: web::Data<Grid>,
    caller: Caller,
    query: web::Query<ListQuery>,
) -> Result<web::Json<List<Campaign>>, ApiError> {
    let of_file = query.origin.is_some();
    let filter = CampaignFilter { origin_path: query.origin.clone(), ended_too: query.all != 0 };
    let items = crate::blocking(&grid.store, move |store| {
        let rows = store.list_campaigns(&filter)?;
        rows.into_iter().map(|row| shown(store, row)).collect::<Result<Vec<_>, _>>()
    })
    .await?;
    let items: Vec<Campaign> = items
        .into_iter()
        .filter(|item| !of_file || item.user == caller.login)
        .map(|item| outside(item, &caller, &grid))
        .collect();
    Ok(web::Json(List { total: items.len() as u64, items, next: None }))
}

pub(super) async fn show(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
) -> Result<web::Json<Campaign>, ApiError> {
    let shown = read(&grid, *id).await?;
    Ok(web::Json(outside(shown, &caller, &grid)))
}

/// What everybody may see of a campaign: how far it got, not where it came from or what its jobs said.
fn outside(mut campaign: Campaign, caller: &Caller, grid: &Grid) -> Campaign {
    if caller.may_change(&campaign.user, grid).is_err() {
        campaign.sample = campaign.sample.map(|_| "it is being tested".to_owned());
        campaign.origin = None;
        let holds = campaign.clusters.values_mut().filter_map(|share| share.hold.as_mut());
        holds.for_each(|hold| *hold = "on hold".to_owned());
    }
    campaign
}

/// The campaign as the API shows it.
pub(super) async fn read(grid: &Grid, id: i64) -> Result<Campaign, ApiError> {
    Ok(crate::blocking(&grid.store, move |store| shown(store, store.campaign(id)?)).await?)
}

pub(super) fn shown(store: &Store, row: CampaignRow) -> Result<Campaign, StoreError> {
    let shares = store.shares(&row)?;
    let sample = match row.stage {
        Stage::Testing => row.spec.test.map(|test| format!("only a sample is sent: {} tasks per cluster", test.jobs)),
        Stage::Tested => store.find_message(Code::TestMode, &Scope::campaign(row.id))?,
        Stage::Open => None,
    };
    Ok(Campaign { sample, ..campaign(row, shares) })
}

#[derive(Deserialize)]
pub(super) struct JdlQuery {
    #[serde(default)]
    written: u8,
}

/// The campaign with every default filled in; or, with `?written=1`, as its file says it.
pub(super) async fn jdl(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<JdlQuery>,
) -> Result<HttpResponse, ApiError> {
    let id = *id;
    caller.owns(&grid, id).await?;
    if query.written == 0 {
        let row = crate::blocking(&grid.store, move |store| store.campaign(id)).await?;
        return Ok(HttpResponse::Ok().json(row.spec.to_jdl()));
    }
    let text = crate::blocking(&grid.store, move |store| store.jdl(id)).await?;
    Ok(HttpResponse::Ok().content_type("application/json").body(text))
}

#[derive(Deserialize)]
pub(super) struct PageQuery {
    #[serde(default)]
    offset: i64,
    #[serde(default = "default_page")]
    limit: i64,
}

fn default_page() -> i64 {
    1000
}

pub(super) async fn parameters(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    page: web::Query<PageQuery>,
) -> Result<web::Json<List<String>>, ApiError> {
    let (id, offset, limit) = (*id, page.offset.max(0), page.limit.clamp(0, 10_000));
    caller.owns(&grid, id).await?;
    let list = crate::blocking(&grid.store, move |store| {
        let total = store.campaign(id)?.task_count;
        let items = store.parameters(id, offset, limit)?;
        let end = offset + items.len() as i64;
        Ok(List { items, total: total as u64, next: (end < total).then_some(end) })
    });
    Ok(web::Json(list.await?))
}

fn campaign(row: CampaignRow, shares: BTreeMap<String, Share>) -> Campaign {
    let number = |value: i64| value.max(0) as u64;
    let stalled = is_stalled(&row, &shares);
    let word = |state: Option<StepState>| state.map(|state| state.as_str().to_owned());
    let share = |share: Share| ClusterShare {
        active_jobs: number(share.live),
        hold: share.hold,
        prologue: word(share.prologue),
        epilogue: word(share.epilogue),
    };
    Campaign {
        id: row.id,
        parameter_names: row.spec.parameter_names().to_vec(),
        name: row.spec.name.clone(),
        user: row.owner,
        state: wire_state(row.state),
        submission_time: row.submitted_at / 1000,
        finish_time: row.finished_at.map(|at| at / 1000),
        total_jobs: number(row.task_count),
        pending: number(row.pending),
        live: number(row.live),
        running: number(row.running),
        done: number(row.done),
        failed: number(row.failed),
        cancelled: number(row.cancelled),
        kills: number(row.kills),
        clusters: shares.into_iter().map(|(name, one)| (name, share(one))).collect(),
        stalled,
        sample: None,
        endless: row.spec.endless.zip(row.bag).map(|(endless, bag)| Endless {
            until: endless.until.map(|at| at / 1000),
            successes: endless.successes,
            bag: bag.as_str().to_owned(),
        }),
        origin: row.origin.map(|origin| Origin { path: origin.path, digest: origin.digest }),
    }
}

/// Nothing of it is live, and what is left (tasks, or the epilogues that are due) is on hold everywhere.
fn is_stalled(row: &CampaignRow, shares: &BTreeMap<String, Share>) -> bool {
    if row.state != state::CampaignState::Active || row.live > 0 || shares.values().any(|share| share.live > 0) {
        return false;
    }
    let is_left = |share: &&Share| row.pending > 0 || share.epilogue == Some(StepState::Due);
    let left: Vec<&Share> = shares.values().filter(is_left).collect();
    !left.is_empty() && left.iter().all(|share| share.hold.is_some())
}

fn wire_state(state: state::CampaignState) -> CampaignState {
    match state {
        state::CampaignState::Receiving => CampaignState::Receiving,
        state::CampaignState::Active => CampaignState::InTreatment,
        state::CampaignState::Paused => CampaignState::Paused,
        state::CampaignState::Finished => CampaignState::Terminated,
        state::CampaignState::Cancelled => CampaignState::Cancelled,
    }
}
