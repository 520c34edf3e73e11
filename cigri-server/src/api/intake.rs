//! Taking campaigns in: a JSON body, or a multipart one whose parameter list is streamed to the database.

use std::collections::BTreeSet;

use actix_multipart::{Field, Multipart};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use bytes::Bytes;
use cigri_api::SubmitOptions;
use cigri_core::language::{
    CampaignSpec, Context, Endless, Limits, Notice, Parameters, Problem, Problems, Resolved, Sweep, adapt_to_local,
    already_over, check_names, parse, resolve,
};
use cigri_store::{CHUNK, NewCampaign, NewKey, Origin};
use futures_util::StreamExt;
use serde::Deserialize;

use super::MAX_JDL_BYTES;
use super::add::Room;
use super::admit;
use super::dry_run;
use super::identity::Caller;
use super::incoming::Incoming;
use super::once::{Notes, Once};
use super::properties;
use super::prospect::{self, Doubt};
use super::respond::{ApiError, problem};
use crate::clock::now_ms;
use crate::grid::Grid;

/// Parameters that are written in one transaction.
pub(super) const BATCH: usize = 20 * CHUNK;
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
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
                return take(&grid, &caller, (campaign, Some((field, parts))), dry, once).await;
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
    /// What was asked for, before any rule.
    asked: CampaignSpec,
    jdl: String,
    origin: Option<Origin>,
    pub(super) notices: Vec<String>,
    /// How many of them, the first ones, tell what rules did.
    of_rules: usize,
    local: bool,
}

impl Prepared {
    /// Weighs what was asked for again, now that its parameters have been read: their names and their number count.
    pub(super) fn weigh_again(&mut self, grid: &Grid, caller: &Caller, tasks: u64) -> Result<(), ApiError> {
        if self.local {
            return Ok(());
        }
        self.asked.sweep.clone_from(&self.resolved.spec.sweep);
        let (spec, notices) = admit::weigh(grid, caller, &self.asked, Some(tasks))?;
        self.resolved.spec = spec;
        let count = notices.len();
        self.notices.splice(..self.of_rules, notices);
        self.of_rules = count;
        Ok(())
    }
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
        ..admit::defaults()
    };
    let mut resolved = resolve(written, &context).map_err(|problems| ApiError::campaign(&problems))?;
    resolved.warnings.extend(already_over(&resolved.spec, now_ms()));
    let asked = resolved.spec.clone();
    let notices;
    if options.local {
        let (spec, found) = adapt_to_local(&resolved.spec);
        resolved.spec = spec;
        notices = found.iter().map(Notice::to_string).collect();
    } else {
        (resolved.spec, notices) = admit::weigh(grid, caller, &asked, resolved.parameters.count())?;
    }
    let origin = options.origin.clone().map(|origin| Origin { path: origin.path, digest: origin.digest });
    let of_rules = if options.local { 0 } else { notices.len() };
    Ok(Prepared { resolved, asked, jdl, origin, notices, of_rules, local: options.local })
}

/// The part that holds a campaign's parameters, and what comes after it.
pub(super) type Stream = (Field, Multipart);

/// Takes a campaign in, or tells what would become of it.
async fn take(
    grid: &Grid,
    caller: &Caller,
    (mut campaign, stream): (Prepared, Option<Stream>),
    dry: bool,
    mut once: Once,
) -> Result<HttpResponse, ApiError> {
    if !campaign.local {
        admit::check_retries(grid, &campaign.resolved.spec).await?;
    }
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
    mut campaign: Prepared,
    stream: Option<Stream>,
    mut once: Once,
) -> Result<HttpResponse, ApiError> {
    let parameters = campaign.resolved.parameters.clone();
    let incoming = open_stream((&mut campaign.resolved.spec, &parameters), stream, &mut once).await?;
    if campaign.local {
        grid.ensure_local(campaign.resolved.spec.clusters.keys().cloned())?;
    }
    let id = begin(grid, caller, &campaign).await?;
    let streamed = incoming.is_some();
    let mut warnings = std::mem::take(&mut campaign.resolved.warnings);
    let mut received = fill(grid, id, (parameters, incoming), &mut warnings, &mut once).await;
    if let (Ok((tasks, _)), true) = (&received, streamed)
        && let Err(error) = settle(grid, caller, (id, *tasks), &mut campaign).await
    {
        received = Err(error);
    }
    if let Ok((tasks, _)) = &received {
        // Nobody is refused for want of a warning.
        let spec = &campaign.resolved.spec;
        let doubts = prospect::doubts(grid, caller, spec, Some(*tasks as u64)).await.unwrap_or_default();
        warnings.extend(doubts.iter().map(Doubt::problem));
    }
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

/// What the rules say now that all parameters have come.
async fn settle(
    grid: &Grid,
    caller: &Caller,
    (id, tasks): (i64, i64),
    campaign: &mut Prepared,
) -> Result<(), ApiError> {
    let before = campaign.resolved.spec.clone();
    campaign.weigh_again(grid, caller, tasks as u64)?;
    let spec = campaign.resolved.spec.clone();
    if spec == before {
        return Ok(());
    }
    Ok(crate::blocking(&grid.store, move |store| store.restate_campaign(id, &spec)).await?)
}

async fn open(grid: &Grid, id: i64, (count, counted): (i64, bool), key: Option<NewKey>) -> Result<(), ApiError> {
    let opened = move |store: &cigri_store::Store| store.open_campaign_once(id, count, counted, key.as_ref());
    Ok(crate::blocking(&grid.store, opened).await?)
}

/// The parameters that arrive beside the campaign, if any do, as far as their names: these go into its spec.
pub(super) async fn open_stream(
    (spec, parameters): (&mut CampaignSpec, &Parameters),
    stream: Option<Stream>,
    once: &mut Once,
) -> Result<Option<Incoming>, ApiError> {
    let incoming = match (parameters.reader(&Limits::default()), stream) {
        (Some(reader), Some(stream)) => Incoming::begin(reader, stream, once).await?,
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

async fn begin(grid: &Grid, caller: &Caller, campaign: &Prepared) -> Result<i64, ApiError> {
    let spec = campaign.resolved.spec.clone();
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
