//! Why no more of a campaign is sent (its owner and admins): the last round's decision on each of its clusters, and
//! what can be said of the campaign as a whole.

use actix_web::web;
use cigri_api::{Campaign, CampaignState, Refusal, Why};
use cigri_core::event::Code;
use cigri_core::meter::Term;
use cigri_store::{CampaignRow, DecisionRow, EventRow, Store, StoreError};

use super::campaigns::shown;
use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;

/// What the answer is made of.
struct Found {
    campaign: Campaign,
    clusters: Vec<String>,
    decisions: Vec<DecisionRow>,
    /// Open events about clusters as a whole that fail.
    failures: Vec<EventRow>,
}

/// `GET /campaigns/{id}/why`.
pub(super) async fn why(grid: web::Data<Grid>, caller: Caller, id: web::Path<i64>) -> Result<web::Json<Why>, ApiError> {
    let id = *id;
    caller.owns(&grid, id).await?;
    let found = crate::blocking(&grid.store, move |store| found(store, store.campaign(id)?)).await?;
    let known: Vec<String> = grid.clusters().iter().map(|handle| handle.row.name.clone()).collect();
    let items = match found.campaign.state {
        CampaignState::InTreatment if is_all_sent(&found.campaign) => Vec::new(),
        CampaignState::InTreatment => refusals(&found, &known, now_ms()),
        // What the last rounds decided is past.
        CampaignState::Paused if found.campaign.sample.is_some() => refusals(&found, &known, now_ms()),
        _ => Vec::new(),
    };
    let asleep = grid.local.as_ref().is_some_and(|pool| !pool.runs_jobs);
    let summary = summary(&found.campaign, asleep);
    Ok(web::Json(Why { total: items.len() as u64, items, summary, task: None, history: Vec::new() }))
}

fn found(store: &Store, row: CampaignRow) -> Result<Found, StoreError> {
    let (id, clusters) = (row.id, row.spec.clusters.keys().cloned().collect::<Vec<_>>());
    let fails = |event: &EventRow| {
        let codes = [Code::ApiFailure.as_str(), Code::ServiceFailure.as_str()];
        event.campaign_id.is_none() && event.owner.is_none() && codes.contains(&event.code.as_str())
    };
    let mut failures = store.campaign_events(id, &clusters, false)?;
    failures.retain(fails);
    Ok(Found { campaign: shown(store, row)?, decisions: store.decisions(id)?, clusters, failures })
}

/// One refusal per cluster of the campaign, by name.
fn refusals(found: &Found, known: &[String], now: i64) -> Vec<Refusal> {
    found.clusters.iter().map(|cluster| refusal(found, cluster, known, now)).collect()
}

fn refusal(found: &Found, cluster: &str, known: &[String], now: i64) -> Refusal {
    let failure = found.failures.iter().find(|event| event.cluster.as_deref() == Some(cluster));
    let decided = found.decisions.iter().find(|row| row.cluster == cluster);
    let of = found.campaign.pending;
    match decided {
        _ if !known.iter().any(|name| name == cluster) => undecided(
            cluster,
            of,
            (
                "cluster_gone",
                "the server's configuration no longer names this cluster".to_owned(),
                Some("An admin can add it again; until then its jobs there are not followed".to_owned()),
            ),
        ),
        None => undecided(cluster, of, ("no_round", no_round(failure, now), None)),
        Some(_) if found.campaign.state == CampaignState::Paused => {
            let sample = found.campaign.sample.clone().unwrap_or_default();
            Refusal { at: now / 1000, ..undecided(cluster, of, (Term::TestMode.as_str(), sample, None)) }
        }
        Some(row) => decision(row, of, failure, now),
    }
}

fn undecided(cluster: &str, of: u64, (bound_by, reason, remedy): (&str, String, Option<String>)) -> Refusal {
    Refusal {
        cluster: cluster.to_owned(),
        at: 0,
        allowed: 0,
        of,
        bound_by: bound_by.to_owned(),
        reason,
        remedy,
        outdated: None,
        terms: Vec::new(),
    }
}

fn no_round(failure: Option<&EventRow>, now: i64) -> String {
    let failing = failure.map(|event| failing(event, now));
    failing.unwrap_or_else(|| "no round was held there yet: the first is at most a minute away".to_owned())
}

fn decision(row: &DecisionRow, of: u64, failure: Option<&EventRow>, now: i64) -> Refusal {
    let outdated = failure.map(|event| {
        format!("This was decided {} ago; since then {}", span(now - row.decided_at), failing(event, now))
    });
    Refusal {
        at: row.decided_at / 1000,
        allowed: row.allowed.max(0) as u64,
        outdated,
        ..undecided(&row.cluster, of, (&row.bound_by, row.reason.clone(), None))
    }
}

/// `rounds have failed for 12 min: event 31: connection refused`.
fn failing(event: &EventRow, now: i64) -> String {
    let first = event.message.lines().next().unwrap_or_default();
    format!("rounds there have failed for {}: event {}: {first}", span(now - event.opened_at), event.id)
}

/// Milliseconds in words.
fn span(ms: i64) -> String {
    match ms.max(0) / 1000 {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Nothing is left in the bag, and something is on its way.
fn is_all_sent(campaign: &Campaign) -> bool {
    campaign.pending == 0 && campaign.live > 0
}

/// What concerns the whole campaign, in a sentence.
fn summary(campaign: &Campaign, asleep: bool) -> Option<String> {
    let Campaign { id, live, running, .. } = campaign;
    match campaign.state {
        CampaignState::Receiving => {
            Some(format!("campaign {id} is still being received: nothing is sent before its end"))
        }
        CampaignState::Paused if campaign.sample.is_some() => None,
        CampaignState::Paused => Some(format!("campaign {id} is paused: `cigri resume {id}` goes on with it")),
        CampaignState::Terminated => {
            let Campaign { done, failed, cancelled, .. } = campaign;
            let retry = format!("; `cigri retry {id}` tries what failed again");
            let retry = if failed + cancelled > 0 { retry.as_str() } else { "" };
            Some(format!("campaign {id} has ended: {done} done, {failed} failed, {cancelled} cancelled{retry}"))
        }
        CampaignState::Cancelled if *live > 0 => {
            Some(format!("campaign {id} is cancelled: {live} of its jobs are still being ended"))
        }
        CampaignState::Cancelled => Some(format!("campaign {id} is cancelled")),
        CampaignState::InTreatment if asleep => {
            Some(format!("nobody runs jobs in this data directory now: `cigri run FILE` goes on with campaign {id}"))
        }
        CampaignState::InTreatment if is_all_sent(campaign) => {
            let sent = live.saturating_sub(*running);
            Some(format!("all that is left of campaign {id} is sent: {running} running, {sent} sent"))
        }
        CampaignState::InTreatment => None,
    }
}
