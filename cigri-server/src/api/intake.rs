//! Taking campaigns in: a JSON body, or a multipart one whose parameter list is streamed to the database.

use std::collections::BTreeSet;

use actix_multipart::{Field, Multipart};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use cigri_api::{SubmitOptions, Submitted};
use cigri_core::language::{
    CampaignSpec, Context, Endless, Limits, LineSplitter, Notice, Parameters, Problem, Problems, Resolved,
    adapt_to_local, parse, resolve,
};
use cigri_store::{CHUNK, NewCampaign, Origin};
use futures_util::StreamExt;

use super::MAX_JDL_BYTES;
use super::campaigns;
use super::identity::Caller;
use super::respond::{ApiError, problem};
use crate::clock::now_ms;
use crate::grid::Grid;

/// Parameters that are written in one transaction.
const BATCH: usize = 20 * CHUNK;
/// Walltime where a campaign gives none: OAR's own default.
const DEFAULT_WALLTIME_S: u64 = 2 * 3600;
/// Resources where a campaign gives none.
const DEFAULT_RESOURCES: &str = "/resource_id=1";

/// `POST /campaigns` (any local user, for themselves).
pub(super) async fn submit(
    grid: web::Data<Grid>,
    caller: Caller,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("multipart/") {
        let body = payload.to_bytes_limited(MAX_JDL_BYTES).await.map_err(|_| too_large())?;
        let body = body.map_err(|error| ApiError::bad_request(error.to_string()))?;
        let campaign = prepare(&grid, &body, &SubmitOptions::default(), false)?;
        return store(&grid, &caller, campaign, None).await;
    }
    let mut parts = Multipart::from_request(&request, &mut payload.into_inner()).await.map_err(bad_part)?;
    let mut options = SubmitOptions::default();
    let mut jdl = None;
    while let Some(field) = parts.next().await {
        let mut field = field.map_err(bad_part)?;
        match field.name() {
            Some("jdl") => jdl = Some(read_part(&mut field).await?),
            Some("options") => options = read_options(&mut field).await?,
            Some("parameters") => {
                let campaign = prepare(&grid, &needed(jdl)?, &options, true)?;
                return store(&grid, &caller, campaign, Some(field)).await;
            }
            other => return Err(ApiError::bad_request(format!("unknown part {}", other.unwrap_or("without a name")))),
        }
    }
    let campaign = prepare(&grid, &needed(jdl)?, &options, false)?;
    store(&grid, &caller, campaign, None).await
}

fn needed(jdl: Option<Vec<u8>>) -> Result<Vec<u8>, ApiError> {
    jdl.ok_or_else(|| ApiError::bad_request("the part `jdl` must come before the parameters"))
}

fn too_large() -> ApiError {
    ApiError::too_large(format!(
        "a campaign file may have {} MB; send longer parameter lists as a param_file",
        MAX_JDL_BYTES >> 20
    ))
}

fn bad_part(error: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("the request's parts cannot be read: {error}"))
}

async fn read_part(field: &mut Field) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    while let Some(bytes) = field.next().await {
        let bytes = bytes.map_err(bad_part)?;
        if body.len() + bytes.len() > MAX_JDL_BYTES {
            return Err(too_large());
        }
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

async fn read_options(field: &mut Field) -> Result<SubmitOptions, ApiError> {
    let body = read_part(field).await?;
    serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("part `options`: {error}")))
}

/// A campaign that passed every check, not stored yet.
struct Prepared {
    resolved: Resolved,
    jdl: String,
    origin: Option<Origin>,
    notices: Vec<String>,
    local: bool,
}

fn prepare(grid: &Grid, text: &[u8], options: &SubmitOptions, streamed: bool) -> Result<Prepared, ApiError> {
    if options.local && grid.local.is_none() {
        return Err(ApiError::bad_request("this server runs no local processes: submit without `local`"));
    }
    let written = parse(text, &Limits::default()).map_err(|problems| ApiError::campaign(&problems))?;
    let jdl = written.without_parameters();
    let known: BTreeSet<String> = grid.clusters().iter().map(|handle| handle.row.name.clone()).collect();
    let context = Context {
        known_clusters: (!options.local).then_some(&known),
        default_directory: options.default_directory.as_deref(),
        parameters_streamed: streamed,
        default_walltime_s: DEFAULT_WALLTIME_S,
        default_resources: DEFAULT_RESOURCES,
    };
    let mut resolved = resolve(written, &context).map_err(|problems| ApiError::campaign(&problems))?;
    let mut notices = Vec::new();
    if options.local {
        let (spec, found) = adapt_to_local(&resolved.spec);
        resolved.spec = spec;
        notices = found.iter().map(Notice::to_string).collect();
    }
    let origin = options.origin.clone().map(|origin| Origin { path: origin.path, digest: origin.digest });
    Ok(Prepared { resolved, jdl, origin, notices, local: options.local })
}

async fn store(
    grid: &Grid,
    caller: &Caller,
    campaign: Prepared,
    stream: Option<Field>,
) -> Result<HttpResponse, ApiError> {
    let spec = campaign.resolved.spec.clone();
    if campaign.local {
        grid.ensure_local(spec.clusters.keys().cloned())?;
    }
    let id = begin(grid, caller, spec, &campaign).await?;
    let parameters = match campaign.resolved.spec.endless {
        Some(_) => Parameters::Count(Endless::TASKS),
        None => campaign.resolved.parameters,
    };
    let mut warnings = campaign.resolved.warnings;
    if let Err(error) = fill(grid, id, (parameters, stream), &mut warnings).await {
        // Nothing half-made stays; what even this cannot remove is swept at the next start.
        crate::blocking(&grid.store, move |store| store.drop_received(id)).await.ok();
        return Err(error);
    }
    grid.wake_all();
    let answer = Submitted {
        campaign: campaigns::read(grid, id).await?,
        warnings: warnings.iter().map(problem).collect(),
        notices: campaign.notices,
    };
    Ok(HttpResponse::Created().insert_header(("Location", format!("/campaigns/{id}"))).json(answer))
}

async fn begin(grid: &Grid, caller: &Caller, spec: CampaignSpec, campaign: &Prepared) -> Result<i64, ApiError> {
    let (owner, jdl, origin) = (caller.login.clone(), campaign.jdl.clone(), campaign.origin.clone());
    let begun = crate::blocking(&grid.store, move |store| {
        store.begin_campaign(&NewCampaign { owner: &owner, spec: &spec, jdl: &jdl, origin }, now_ms())
    });
    Ok(begun.await?)
}

async fn fill(
    grid: &Grid,
    id: i64,
    (parameters, stream): (Parameters, Option<Field>),
    warnings: &mut Vec<Problem>,
) -> Result<(), ApiError> {
    let (count, counted) = match (parameters, stream) {
        (Parameters::Streamed, Some(field)) => (receive(grid, id, field, warnings).await?, false),
        (Parameters::Streamed, None) => return Err(ApiError::bad_request("the part `parameters` is missing")),
        (_, Some(_)) => {
            return Err(ApiError::bad_request("parameters were sent, but the campaign names no param_file"));
        }
        (Parameters::Count(count), None) => (count as i64, true),
        (Parameters::Inline(texts), None) => {
            let count = texts.len() as i64;
            crate::blocking(&grid.store, move |store| store.append_parameters(id, 0, &texts)).await?;
            (count, false)
        }
    };
    Ok(crate::blocking(&grid.store, move |store| store.open_campaign(id, count, counted)).await?)
}

/// Streams the parameter list into the database; returns how many there were.
async fn receive(grid: &Grid, id: i64, mut field: Field, warnings: &mut Vec<Problem>) -> Result<i64, ApiError> {
    let invalid = |problem: Problem| ApiError::campaign(&Problems(vec![problem]));
    let mut splitter = LineSplitter::new(&Limits::default());
    let mut pending = Vec::new();
    let mut stored = 0i64;
    while let Some(bytes) = field.next().await {
        splitter.push(&bytes.map_err(bad_part)?, &mut pending).map_err(invalid)?;
        if pending.len() >= BATCH {
            let rest = pending.split_off(pending.len() - pending.len() % CHUNK);
            let batch = std::mem::replace(&mut pending, rest);
            stored += append(grid, id, stored, batch).await?;
        }
    }
    warnings.extend(splitter.finish(&mut pending).map_err(invalid)?);
    stored += append(grid, id, stored, pending).await?;
    if stored == 0 {
        let problem = Problem {
            path: "param_file".to_owned(),
            found: "no parameter".to_owned(),
            expected: "at least one line".to_owned(),
            hint: None,
            line: None,
        };
        return Err(invalid(problem));
    }
    Ok(stored)
}

async fn append(grid: &Grid, id: i64, first: i64, batch: Vec<String>) -> Result<i64, ApiError> {
    let count = batch.len() as i64;
    crate::blocking(&grid.store, move |store| store.append_parameters(id, first, &batch)).await?;
    Ok(count)
}
