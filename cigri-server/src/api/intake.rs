//! Taking campaigns in: a JSON body, or a multipart one whose parameter list is streamed to the database.

use std::collections::BTreeSet;

use actix_multipart::{Field, Multipart};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use cigri_api::SubmitOptions;
use cigri_core::admission::Applicant;
use cigri_core::language::{
    CampaignSpec, Context, Endless, Limits, Notice, Parameters, Problem, Problems, Resolved, Sweep, adapt_to_local,
    already_over, check_names, parse, resolve,
};
use cigri_store::{CHUNK, NewCampaign, NewKey, Origin};
use futures_util::StreamExt;
use serde::Deserialize;

use super::MAX_JDL_BYTES;
use super::add::Room;
use super::dry_run;
use super::identity::Caller;
use super::incoming::Incoming;
use super::once::{Notes, Once};
use super::properties;
use super::respond::{ApiError, problem};
use crate::clock::now_ms;
use crate::grid::Grid;

/// Parameters that are written in one transaction.
pub(super) const BATCH: usize = 20 * CHUNK;
/// Walltime where a campaign gives none: OAR's own default.
const DEFAULT_WALLTIME_S: u64 = 2 * 3600;
/// Resources where a campaign gives none.
const DEFAULT_RESOURCES: &str = "/resource_id=1";

#[derive(Deserialize)]
pub(super) struct SubmitQuery {
    #[serde(default)]
    dry_run: u8,
}

/// `POST /campaigns` (any local user, for themselves).
pub(super) async fn submit(
    grid: web::Data<Grid>,
    caller: Caller,
    request: HttpRequest,
    query: web::Query<SubmitQuery>,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let dry = query.dry_run != 0;
    let mut once = Once::of(&request, &caller)?;
    // What would become of a campaign may be asked under any key.
    let known = if dry { None } else { once.known(&grid).await? };
    if !is_multipart(&request) {
        let body = read_body(payload, &mut once).await?;
        if let Some(known) = known {
            return once.again(&grid, known).await;
        }
        let campaign = prepare((&grid, &caller), &body, &SubmitOptions::default(), false)?;
        return take(&grid, &caller, (campaign, None), dry, once).await;
    }
    let mut parts = Multipart::from_request(&request, &mut payload.into_inner()).await.map_err(bad_part)?;
    if let Some(known) = known {
        once.read_all(&mut parts).await?;
        return once.again(&grid, known).await;
    }
    let mut options = SubmitOptions::default();
    let mut jdl = None;
    while let Some(field) = parts.next().await {
        let mut field = field.map_err(bad_part)?;
        match field.name() {
            Some("jdl") => jdl = Some(read_part(&mut field, &mut once).await?),
            Some("options") => options = read_options(&mut field, &mut once).await?,
            Some("parameters") => {
                let campaign = prepare((&grid, &caller), &needed(jdl)?, &options, true)?;
                return take(&grid, &caller, (campaign, Some(field)), dry, once).await;
            }
            other => return Err(ApiError::bad_request(format!("unknown part {}", other.unwrap_or("without a name")))),
        }
    }
    let campaign = prepare((&grid, &caller), &needed(jdl)?, &options, false)?;
    take(&grid, &caller, (campaign, None), dry, once).await
}

pub(super) fn is_multipart(request: &HttpRequest) -> bool {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.unwrap_or_default().starts_with("multipart/")
}

/// A body that is not in parts, whole.
pub(super) async fn read_body(payload: web::Payload, once: &mut Once) -> Result<Bytes, ApiError> {
    let body = payload.to_bytes_limited(MAX_JDL_BYTES).await.map_err(|_| too_large())?;
    let body = body.map_err(|error| ApiError::bad_request(error.to_string()))?;
    once.part("");
    once.bytes(&body);
    Ok(body)
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

pub(super) fn bad_part(error: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("the request's parts cannot be read: {error}"))
}

async fn read_part(field: &mut Field, once: &mut Once) -> Result<Vec<u8>, ApiError> {
    let mut body = Vec::new();
    once.part(field.name().unwrap_or_default());
    while let Some(bytes) = field.next().await {
        let bytes = bytes.map_err(bad_part)?;
        if body.len() + bytes.len() > MAX_JDL_BYTES {
            return Err(too_large());
        }
        once.bytes(&bytes);
        body.extend_from_slice(&bytes);
    }
    Ok(body)
}

async fn read_options(field: &mut Field, once: &mut Once) -> Result<SubmitOptions, ApiError> {
    let body = read_part(field, once).await?;
    serde_json::from_slice(&body).map_err(|error| ApiError::bad_request(format!("part `options`: {error}")))
}

/// A campaign that passed every check, not stored yet.
pub(super) struct Prepared {
    pub(super) resolved: Resolved,
    jdl: String,
    origin: Option<Origin>,
    pub(super) notices: Vec<String>,
    local: bool,
}

fn prepare(
    (grid, caller): (&Grid, &Caller),
    text: &[u8],
    options: &SubmitOptions,
    streamed: bool,
) -> Result<Prepared, ApiError> {
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
    resolved.warnings.extend(already_over(&resolved.spec, now_ms()));
    let mut notices = Vec::new();
    if options.local {
        let (spec, found) = adapt_to_local(&resolved.spec);
        resolved.spec = spec;
        notices = found.iter().map(Notice::to_string).collect();
    }
    if !options.local {
        notices.extend(admit(grid, caller, &mut resolved, &context)?);
    }
    let origin = options.origin.clone().map(|origin| Origin { path: origin.path, digest: origin.digest });
    Ok(Prepared { resolved, jdl, origin, notices, local: options.local })
}

/// What the administrator's rules say to a campaign: they refuse it, or rewrite it and tell what they did.
fn admit(
    grid: &Grid,
    caller: &Caller,
    resolved: &mut Resolved,
    context: &Context<'_>,
) -> Result<Vec<String>, ApiError> {
    let rules = grid.admission.rules();
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    let admin = caller.administers(grid).is_ok();
    let applicant = Applicant { user: &caller.login, admin, tasks: resolved.parameters.count() };
    let verdict = rules.weigh(&resolved.spec, applicant, context);
    if let Some(refusal) = verdict.refusal() {
        return Err(ApiError::admission(refusal));
    }
    let notices = verdict.notices();
    resolved.spec = verdict.spec;
    Ok(notices)
}

/// Takes a campaign in, or tells what would become of it.
async fn take(
    grid: &Grid,
    caller: &Caller,
    (mut campaign, stream): (Prepared, Option<Field>),
    dry: bool,
    mut once: Once,
) -> Result<HttpResponse, ApiError> {
    if dry {
        return Ok(HttpResponse::Ok().json(dry_run::report(grid, caller, (campaign, stream), &mut once).await?));
    }
    for (cluster, seen) in properties::look(grid, &campaign.resolved.spec).await? {
        campaign.notices.extend(seen.warning(&cluster));
    }
    store(grid, caller, campaign, stream, once).await
}

async fn store(
    grid: &Grid,
    caller: &Caller,
    campaign: Prepared,
    stream: Option<Field>,
    mut once: Once,
) -> Result<HttpResponse, ApiError> {
    let mut spec = campaign.resolved.spec.clone();
    let parameters = campaign.resolved.parameters.clone();
    let incoming = open_stream((&mut spec, &parameters), stream, &mut once).await?;
    if campaign.local {
        grid.ensure_local(spec.clusters.keys().cloned())?;
    }
    let id = begin(grid, caller, spec, &campaign).await?;
    let mut warnings = campaign.resolved.warnings;
    let received = fill(grid, id, (parameters, incoming), &mut warnings, &mut once).await;
    let notes = Notes { warnings: warnings.iter().map(problem).collect(), notices: campaign.notices, added: None };
    let opened = match received {
        Ok(tasks) => open(grid, id, tasks, once.key(&notes)).await,
        Err(error) => Err(error),
    };
    if let Err(error) = opened {
        // Nothing half-made stays; what even this cannot remove is swept at the next start.
        crate::blocking(&grid.store, move |store| store.drop_received(id)).await.ok();
        return once.or_again(grid, error).await;
    }
    grid.wake_all();
    notes.answer(grid, id).await
}

async fn open(grid: &Grid, id: i64, (count, counted): (i64, bool), key: Option<NewKey>) -> Result<(), ApiError> {
    let opened = move |store: &cigri_store::Store| store.open_campaign_once(id, count, counted, key.as_ref());
    Ok(crate::blocking(&grid.store, opened).await?)
}

/// The parameters that arrive beside the campaign, if any do, as far as their names: these go into its spec.
pub(super) async fn open_stream(
    (spec, parameters): (&mut CampaignSpec, &Parameters),
    stream: Option<Field>,
    once: &mut Once,
) -> Result<Option<Incoming>, ApiError> {
    let incoming = match (parameters.reader(&Limits::default()), stream) {
        (Some(reader), Some(field)) => Incoming::begin(reader, field, once).await?,
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(ApiError::bad_request("the part `parameters` is missing")),
        (None, Some(_)) => {
            return Err(ApiError::bad_request("parameters were sent, but the campaign names no file of them"));
        }
    };
    if !incoming.names.is_empty() {
        spec.sweep = Some(Sweep::listed(incoming.names.clone()));
        refuse_any(check_names(spec))?;
    }
    Ok(Some(incoming))
}

fn refuse_any(problems: Vec<Problem>) -> Result<(), ApiError> {
    if problems.is_empty() { Ok(()) } else { Err(ApiError::campaign(&Problems(problems))) }
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
    (parameters, incoming): (Parameters, Option<Incoming>),
    warnings: &mut Vec<Problem>,
    once: &mut Once,
) -> Result<(i64, bool), ApiError> {
    Ok(match (parameters, incoming) {
        (_, Some(incoming)) => (receive(grid, &mut NewRoom(id), incoming, warnings, once).await?, false),
        // Its numbers do not run out: whatever ends it comes first.
        (Parameters::Endless, None) => (Endless::TASKS as i64, true),
        (Parameters::Inline(texts), None) => {
            let count = texts.len() as i64;
            crate::blocking(&grid.store, move |store| store.append_parameters(id, 0, &texts)).await?;
            (count, false)
        }
        (computed, None) => (computed.count().unwrap_or_default() as i64, true),
    })
}

/// The number of a campaign that is being received.
struct NewRoom(i64);

impl Room for NewRoom {
    async fn append(&mut self, grid: &Grid, first: i64, batch: Vec<String>) -> Result<i64, ApiError> {
        let (id, count) = (self.0, batch.len() as i64);
        crate::blocking(&grid.store, move |store| store.append_parameters(id, first, &batch)).await?;
        Ok(count)
    }
}

/// Streams the parameter list into the database; returns how many there were.
pub(super) async fn receive(
    grid: &Grid,
    room: &mut impl Room,
    incoming: Incoming,
    warnings: &mut Vec<Problem>,
    once: &mut Once,
) -> Result<i64, ApiError> {
    let mut stored = 0i64;
    let keep = async |batch: Vec<String>| {
        stored += room.append(grid, stored, batch).await?;
        Ok(())
    };
    read_parameters(incoming, warnings, once, keep).await.map(|count| count as i64)
}

/// Reads a parameter list in batches (whole chunks but for the last); returns how many there were.
pub(super) async fn read_parameters(
    mut incoming: Incoming,
    warnings: &mut Vec<Problem>,
    once: &mut Once,
    mut take: impl AsyncFnMut(Vec<String>) -> Result<(), ApiError>,
) -> Result<u64, ApiError> {
    let mut count = 0;
    while incoming.read_piece(once).await? {
        let pending = &mut incoming.pending;
        if pending.len() >= BATCH {
            let rest = pending.split_off(pending.len() - pending.len() % CHUNK);
            let batch = std::mem::replace(pending, rest);
            count += batch.len() as u64;
            take(batch).await?;
        }
    }
    warnings.append(&mut incoming.warnings);
    let last = std::mem::take(&mut incoming.pending);
    count += last.len() as u64;
    take(last).await?;
    if count == 0 { Err(incoming.none()) } else { Ok(count) }
}
