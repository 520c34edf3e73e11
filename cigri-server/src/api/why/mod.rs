//! Why no more of a campaign is sent (its owner and admins): the last round's decision on each of its clusters, and
//! what can be said of the campaign as a whole, or of one task.

mod history;
mod task;
mod words;

use actix_web::web;
use cigri_api::{Campaign, CampaignState, Refusal, TaskPlace, TermShown, Why};
use cigri_core::event::Code;
use cigri_core::meter::{Bound, Reason, Term};
use cigri_store::{CampaignRow, DecisionRow, EventRow, Store, StoreError, TaskState};
use serde::Deserialize;

use super::campaigns::shown;
use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;
use words::{failing, is_all_sent, span};

/// Decisions that one answer tells.
const MOST_HISTORY: i64 = 1000;
/// And attempts of a task.
const MOST_ATTEMPTS: i64 = 100;

#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct WhyQuery {
    task: Option<i64>,
    history: Option<i64>,
}

/// What the answer is made of.
struct Found {
    campaign: Campaign,
    clusters: Vec<String>,
    decisions: Vec<DecisionRow>,
    /// Open events about clusters as a whole that fail.
    failures: Vec<EventRow>,
    task: Option<TaskPlace>,
    history: Vec<DecisionRow>,
    now: i64,
}

/// `GET /campaigns/{id}/why`.
pub(super) async fn why(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<WhyQuery>,
) -> Result<web::Json<Why>, ApiError> {
    let (id, query) = (*id, *query);
    caller.owns(&grid, id).await?;
    let found = crate::blocking(&grid.store, move |store| found(store, store.campaign(id)?, query)).await?;
    let known: Vec<String> = grid.clusters().iter().map(|handle| handle.row.name.clone()).collect();
    let asleep = grid.local.as_ref().is_some_and(|pool| !pool.runs_jobs);
    Ok(web::Json(answer(found, &known, asleep)))
}

fn found(store: &Store, row: CampaignRow, query: WhyQuery) -> Result<Found, StoreError> {
    let (id, now) = (row.id, now_ms());
    let clusters = row.spec.clusters.keys().cloned().collect::<Vec<_>>();
    let fails = |event: &EventRow| {
        let codes = [Code::ApiFailure.as_str(), Code::ServiceFailure.as_str()];
        event.campaign_id.is_none() && event.owner.is_none() && codes.contains(&event.code.as_str())
    };
    let mut failures = store.campaign_events(id, &clusters, false)?;
    failures.retain(fails);
    let place = |index: i64| {
        let (state, attempts) = (store.task_state(id, index)?, store.attempts(id, index, MOST_ATTEMPTS)?);
        let history = history::shown(&attempts, matches!(state, TaskState::InBag { .. }));
        Ok::<_, StoreError>(TaskPlace { history, ..task::place(index, &state, now) })
    };
    let past = |limit: i64| store.decision_history(id, None, limit.clamp(1, MOST_HISTORY));
    Ok(Found {
        campaign: shown(store, row)?,
        decisions: store.decisions(id)?,
        clusters,
        failures,
        task: query.task.map(place).transpose()?,
        history: query.history.map(past).transpose()?.unwrap_or_default(),
        now,
    })
}

fn answer(found: Found, known: &[String], asleep: bool) -> Why {
    let campaign = &found.campaign;
    // What the last rounds decided is past for all others.
    let concerned = match campaign.state {
        CampaignState::InTreatment => !is_all_sent(campaign),
        CampaignState::Paused => campaign.sample.is_some(),
        _ => false,
    };
    let clusters: &[String] = if concerned { &found.clusters } else { &[] };
    let items: Vec<Refusal> = clusters.iter().map(|cluster| refusal(&found, cluster, known)).collect();
    let summary = words::summary(campaign, asleep);
    let history = found.history.iter().map(|row| decision(row, campaign)).collect();
    Why { total: items.len() as u64, items, summary, task: found.task, history }
}

fn refusal(found: &Found, cluster: &str, known: &[String]) -> Refusal {
    let (campaign, now) = (&found.campaign, found.now);
    let failure = found.failures.iter().find(|event| event.cluster.as_deref() == Some(cluster));
    let gone = !known.iter().any(|name| name == cluster);
    match found.decisions.iter().find(|row| row.cluster == cluster) {
        _ if gone => {
            let reason = "the server's configuration no longer names this cluster".to_owned();
            let remedy = "an admin can add it again; until then its jobs there are not followed".to_owned();
            Refusal { remedy: Some(remedy), ..undecided(campaign, cluster, ("cluster_gone", reason)) }
        }
        None => {
            let none = || "no round was held there yet: the first comes within a minute".to_owned();
            undecided(campaign, cluster, ("no_round", failure.map_or_else(none, |event| failing(event, now))))
        }
        Some(_) if campaign.state == CampaignState::Paused => {
            let sample = campaign.sample.clone().unwrap_or_default();
            Refusal { at: now / 1000, ..undecided(campaign, cluster, (Term::TestMode.as_str(), sample)) }
        }
        Some(row) => {
            let shown = |bound: &Bound| TermShown {
                term: bound.term().as_str().to_owned(),
                allowed: bound.allowed,
                reason: bound.reason.to_string(),
            };
            let age = span(now - row.decided_at);
            Refusal {
                terms: row.terms.iter().map(shown).collect(),
                outdated: failure.map(|event| format!("this was decided {age} ago, and {}", failing(event, now))),
                ..decision(row, campaign)
            }
        }
    }
}

fn undecided(campaign: &Campaign, cluster: &str, (bound_by, reason): (&str, String)) -> Refusal {
    Refusal {
        cluster: cluster.to_owned(),
        at: 0,
        allowed: 0,
        of: campaign.pending,
        bound_by: bound_by.to_owned(),
        reason,
        remedy: None,
        outdated: None,
        inputs: serde_json::Value::Null,
        terms: Vec::new(),
    }
}

/// What a round decided, and who could change that.
fn decision(row: &DecisionRow, campaign: &Campaign) -> Refusal {
    let term = || {
        let tasks = |bound: &Bound| if let Reason::Pending { tasks } = bound.reason { Some(tasks) } else { None };
        row.terms.iter().find_map(tasks)
    };
    let pending = row.inputs["campaign"]["pending"].as_u64().or_else(term);
    let bound = row.terms.iter().find(|bound| bound.term().as_str() == row.bound_by);
    Refusal {
        at: row.decided_at / 1000,
        allowed: row.allowed.max(0) as u64,
        of: pending.unwrap_or(campaign.pending),
        inputs: row.inputs.clone(),
        remedy: bound.and_then(|bound| bound.reason.remedy(&row.cluster, campaign.id)),
        ..undecided(campaign, &row.cluster, (&row.bound_by, row.reason.clone()))
    }
}

#[cfg(test)]
mod tests;
