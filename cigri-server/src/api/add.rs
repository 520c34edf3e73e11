//! Adding tasks to a campaign: a JSON list, or a multipart form whose list is streamed to the database.

use actix_multipart::Multipart;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use cigri_core::language::{Limits, ParameterReader, Problem, parse_added};
use cigri_store::{NewKey, NewTasks, Store, StoreError};
use futures_util::StreamExt;

use super::admit;
use super::identity::Caller;
use super::incoming::Incoming;
use super::intake::{BATCH, bad_part, is_multipart, read_body, receive};
use super::once::{Notes, Once};
use super::respond::{ApiError, problem};
use crate::grid::Grid;

/// Where parameters go while they arrive.
pub(super) trait Room {
    /// Takes the parameters that follow the first `first`; returns how many they were. Less than a batch is the last.
    async fn append(&mut self, grid: &Grid, first: i64, batch: Vec<String>) -> Result<i64, ApiError>;
}

/// Parameters on their way into a campaign that is there.
struct Addition {
    campaign: i64,
    /// All of them, if they are few.
    texts: Vec<String>,
    /// The addition that they are received as, if they are many.
    number: Option<i64>,
}

impl Room for Addition {
    async fn append(&mut self, grid: &Grid, first: i64, batch: Vec<String>) -> Result<i64, ApiError> {
        let count = batch.len() as i64;
        if self.number.is_none() && batch.len() < BATCH {
            self.texts = batch;
        } else {
            self.receive(grid, first, batch).await?;
        }
        Ok(count)
    }
}

impl Addition {
    async fn receive(&mut self, grid: &Grid, first: i64, batch: Vec<String>) -> Result<(), ApiError> {
        let (campaign, number) = (self.campaign, self.number);
        let appended = crate::blocking(&grid.store, move |store| {
            let number = number.map_or_else(|| store.begin_addition(campaign), Ok)?;
            let appended = store.append_to_addition((campaign, number), first, &batch);
            Ok((number, appended))
        });
        let (number, appended) = appended.await.map_err(refused)?;
        self.number = Some(number);
        appended.map_err(refused)
    }

    /// Makes them tasks, all at once.
    async fn show(&mut self, grid: &Grid, count: i64, key: Option<NewKey>) -> Result<(), ApiError> {
        let (campaign, number, texts) = (self.campaign, self.number, std::mem::take(&mut self.texts));
        let shown = crate::blocking(&grid.store, move |store: &Store| {
            let tasks = number.map_or(NewTasks::Texts(&texts), |number| NewTasks::Received(number, count));
            store.add_tasks(campaign, tasks, key.as_ref())
        });
        shown.await.map_err(refused)
    }

    /// Nothing half-added stays; what even this cannot remove is swept at the next start.
    async fn drop(&self, grid: &Grid) {
        if let Some(number) = self.number {
            crate::blocking(&grid.store, move |store| store.drop_addition(number)).await.ok();
        }
    }
}

/// CiGri 3's clients know a campaign that takes no tasks by 400.
fn refused(error: StoreError) -> ApiError {
    match error {
        StoreError::Conflict(message) => ApiError::bad_request(message),
        error => error.into(),
    }
}

/// `POST /campaigns/{id}/jobs` (owner): all of the tasks are added, or none.
pub(super) async fn add(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let id = *id;
    caller.owns(&grid, id).await?;
    let mut once = Once::of(&request, &caller)?;
    let known = once.known(&grid).await?;
    if is_multipart(&request) {
        let mut parts = Multipart::from_request(&request, &mut payload.into_inner()).await.map_err(bad_part)?;
        if let Some(known) = known {
            once.read_all(&mut parts).await?;
            return once.again(&grid, known).await;
        }
        return take_in(&grid, &caller, id, Source::Parts(parts), once).await;
    }
    let body = read_body(payload, &mut once).await?;
    if let Some(known) = known {
        return once.again(&grid, known).await;
    }
    let spec = admit::campaign(&grid, id).await?.spec;
    let read = parse_added(&body, spec.parameter_names(), &Limits::default());
    let (texts, warnings) = read.map_err(|problems| ApiError::jobs(&problems))?;
    take_in(&grid, &caller, id, Source::List(texts, warnings), once).await
}

/// Where the parameters come from.
enum Source {
    List(Vec<String>, Vec<Problem>),
    Parts(Multipart),
}

async fn take_in(
    grid: &Grid,
    caller: &Caller,
    id: i64,
    source: Source,
    mut once: Once,
) -> Result<HttpResponse, ApiError> {
    let mut addition = Addition { campaign: id, texts: Vec::new(), number: None };
    let mut warnings = Vec::new();
    let received = match source {
        Source::List(texts, found) => {
            warnings = found;
            list(grid, &mut addition, texts).await
        }
        Source::Parts(parts) => stream(grid, &mut addition, parts, (&mut warnings, &mut once)).await,
    };
    let added = received.as_ref().ok().map(|count| *count as u64);
    let notes = Notes { warnings: warnings.iter().map(problem).collect(), notices: Vec::new(), added };
    let shown = match received {
        Ok(count) => {
            let _turn = grid.admission.additions.lock().await;
            match admit::weigh_addition(grid, caller, id, count).await {
                Ok(()) => addition.show(grid, count, once.key(&notes)).await,
                Err(error) => Err(error),
            }
        }
        Err(error) => Err(error),
    };
    if let Err(error) = shown {
        addition.drop(grid).await;
        return once.or_again(grid, error).await;
    }
    grid.wake_all();
    notes.answer(grid, id).await
}

async fn list(grid: &Grid, addition: &mut Addition, mut texts: Vec<String>) -> Result<i64, ApiError> {
    let mut stored = 0;
    while !texts.is_empty() {
        let rest = texts.split_off(BATCH.min(texts.len()));
        stored += addition.append(grid, stored, std::mem::replace(&mut texts, rest)).await?;
    }
    Ok(stored)
}

async fn stream(
    grid: &Grid,
    addition: &mut Addition,
    mut parts: Multipart,
    (warnings, once): (&mut Vec<Problem>, &mut Once),
) -> Result<i64, ApiError> {
    let field = parts.next().await.ok_or_else(|| ApiError::bad_request("the part `parameters` is missing"))?;
    let field = field.map_err(bad_part)?;
    match field.name() {
        Some("parameters") => {
            let spec = admit::campaign(grid, addition.campaign).await?.spec;
            let lines = ParameterReader::lines_naming(spec.parameter_names(), &Limits::default());
            let incoming = Incoming::begin(lines, (field, parts), once).await?;
            receive(grid, addition, incoming, warnings, once).await
        }
        other => Err(ApiError::bad_request(format!("unknown part {}", other.unwrap_or("without a name")))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use actix_web::ResponseError;
    use actix_web::test::TestRequest;
    use cigri_core::language::{CampaignSpec, ClusterSpec};
    use cigri_store::NewCampaign;

    use super::*;
    use crate::secret::Sealer;

    #[actix_web::test]
    async fn only_owners_and_admins_add_tasks() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(Path::new(":memory:"), "test").unwrap();
        let spec = CampaignSpec::new("c", BTreeMap::from([("dahu".into(), ClusterSpec::new("x", "/tmp"))]));
        let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
        let id = store.begin_campaign(&new, 1000).unwrap();
        store.open_campaign(id, 1, true).unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = web::Data::new(Grid::new(store.clone(), sealer, vec!["ada".to_owned()], None).unwrap());
        let mut statuses = Vec::new();
        for login in ["bob", "uid 1000", "alice", "ada"] {
            let request = TestRequest::post().uri("/campaigns/1/jobs").set_payload("[\"a\"]");
            let (request, mut payload) = request.to_http_parts();
            let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
            let caller = Caller { login: login.to_owned() };
            let answer = add(grid.clone(), caller, web::Path::from(id), request, payload).await;
            statuses.push(answer.map_or_else(|error| error.status_code().as_u16(), |answer| answer.status().as_u16()));
        }
        assert_eq!(statuses, [403, 403, 201, 201]);
        assert_eq!(store.campaign(id).unwrap().task_count, 3);
    }
}
