//! `POST /campaigns/{id}/retry`: failed tasks, or those that are meant, start a new generation (owner).

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, web};
use cigri_api::{Retried, RetryRequest};
use cigri_core::ask::Ask;
use cigri_core::condition::Condition;
use cigri_core::language::CampaignSpec;
use cigri_store::{CampaignRow, Meant, NewKey, RetriedTasks, Retry, Store, StoreError, Which};
use serde::Deserialize;

use super::admit;
use super::identity::Caller;
use super::intake::read_body;
use super::once::Once;
use super::respond::ApiError;
use crate::clock::{monotonic, now_ms};
use crate::grid::Grid;

/// A condition is answered for no longer than that.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Deserialize)]
pub(super) struct RetryQuery {
    dry_run: Option<String>,
}

/// Tries tasks again; with `?dry_run=1` only says which.
pub(super) async fn retry(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    query: web::Query<RetryQuery>,
    (request, payload): (HttpRequest, web::Payload),
) -> Result<HttpResponse, ApiError> {
    let id = *id;
    caller.owns(&grid, id).await?;
    let is_dry = query.dry_run.as_deref().is_some_and(|word| word != "0");
    let mut once = Once::of(&request, &caller)?;
    // A look has no effect that could be had twice.
    let known = if is_dry { None } else { once.known(&grid).await? };
    let body = read_body(payload, &mut once).await?;
    if let Some(known) = known {
        once.check(&known)?;
        return Ok(HttpResponse::Accepted().json(kept(&known.answer)));
    }
    let wanted = parse(&body)?;
    let campaign = admit::campaign(&grid, id).await?;
    let retry = read(&wanted, &campaign)?;
    let (retry, meant) = surveyed(&grid, id, retry).await?;
    let notices = admitted(&grid, &caller, &campaign, &meant.ask)?;
    if is_dry {
        return Ok(HttpResponse::Ok().json(answer(&meant.tasks, &notices)));
    }
    let done = carry_out(&grid, (id, retry, meant, notices), once).await?;
    grid.wake_all();
    Ok(HttpResponse::Accepted().json(done))
}

/// Which tasks are meant.
async fn surveyed(grid: &Grid, id: i64, retry: Retry) -> Result<(Retry, Meant), ApiError> {
    let began = monotonic();
    let is_over = move || began.elapsed() > PATIENCE;
    let look = move |store: &Store| store.survey(id, &retry, &is_over).map(|meant| (retry, meant));
    Ok(crate::blocking(&grid.store, look).await?)
}

async fn carry_out(
    grid: &Grid,
    (id, retry, meant, notices): (i64, Retry, Meant, Vec<String>),
    mut once: Once,
) -> Result<Retried, ApiError> {
    let key = once.key_of(String::new);
    let done = crate::blocking(&grid.store, move |store| {
        let with_answer = key.map(|key| {
            let notices = &notices;
            // Numbers and texts always have a JSON form.
            let text = move |retried: &_| serde_json::to_string(&answer(retried, notices)).unwrap_or_default();
            move |retried: &RetriedTasks| NewKey { answer: text(retried), ..key.clone() }
        });
        let with_answer = with_answer.as_ref().map(|make| make as &dyn Fn(&RetriedTasks) -> NewKey);
        Ok(answer(&store.retry_meant(id, (&retry, &meant), with_answer, now_ms())?, &notices))
    });
    match done.await {
        // The same request was carried out while this one was: it left nothing to do.
        Err(StoreError::Repeated) => match once.known(grid).await? {
            Some(known) => once.check(&known).map(|()| kept(&known.answer)),
            None => Err(StoreError::Repeated.into()),
        },
        done => Ok(done?),
    }
}

fn kept(answer: &str) -> Retried {
    serde_json::from_str(answer).unwrap_or_default()
}

fn parse(body: &[u8]) -> Result<RetryRequest, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(RetryRequest::default());
    }
    serde_json::from_slice(body).map_err(|error| ApiError::bad_request(format!("the request: {error}")))
}

fn read(wanted: &RetryRequest, campaign: &CampaignRow) -> Result<Retry, ApiError> {
    let bad = |error: &dyn std::fmt::Display| ApiError::bad_request(error.to_string());
    let which = match (&wanted.tasks, wanted.all) {
        (Some(_), true) => return Err(ApiError::bad_request("`all` and `tasks` cannot be given together")),
        (Some(text), false) => Which::Tasks(runs(text).ok_or_else(|| {
            ApiError::bad_request(format!(
                "`tasks` is `{text}`: indices from 0 and runs of them were expected, as 3,7-20"
            ))
        })?),
        (None, true) => Which::All,
        (None, false) => Which::Failed,
    };
    let classes = wanted.classes.iter().map(|word| word.parse()).collect::<Result<Vec<_>, _>>();
    let condition = wanted.condition.as_ref().map(|text| Condition::parse(text, campaign.spec.parameter_names()));
    if let Some(other) = wanted.clusters.iter().find(|name| !campaign.spec.clusters.contains_key(*name)) {
        return Err(ApiError::bad_request(format!("campaign {} does not name the cluster {other}", campaign.id)));
    }
    let ask = Ask::parse(wanted.walltime.as_deref(), wanted.resources.as_deref());
    Ok(Retry {
        which,
        classes: classes.map_err(|error: cigri_core::failure::UnknownClass| bad(&error))?,
        clusters: wanted.clusters.clone(),
        exits: wanted.exits.clone(),
        condition: condition.transpose().map_err(|error| bad(&error))?,
        ask: ask.map_err(|error| bad(&error))?,
    })
}

/// `3,7-20`
fn runs(text: &str) -> Option<Vec<(i64, i64)>> {
    let index = |text: &str| text.trim().parse::<u32>().ok().map(i64::from);
    let run = |part: &str| match part.split_once('-') {
        Some((first, last)) => Some((index(first)?, index(last)?)).filter(|(first, last)| first <= last),
        None => index(part).map(|index| (index, index)),
    };
    text.split(',').map(run).collect()
}

/// What other time and resources come to; an error where a rule or the campaign's own checkpoints forbid them.
fn admitted(grid: &Grid, caller: &Caller, campaign: &CampaignRow, ask: &Ask) -> Result<Vec<String>, ApiError> {
    if ask.is_empty() {
        return Ok(Vec::new());
    }
    let mut asked: CampaignSpec = (*campaign.spec).clone();
    let mut notices = Vec::new();
    for (name, spec) in &mut asked.clusters {
        let limit = grid.admission.best_effort_walltime_s.get(name).copied();
        let wanted = ask.apply(spec, None).walltime_s;
        *spec = ask.apply(spec, limit);
        if spec.walltime_s < wanted && spec.kind.may_be_killed() {
            notices.push(format!("{name} gives best-effort jobs {} s at most, not {wanted} s", spec.walltime_s));
        }
        if spec.checkpoint.is_some_and(|checkpoint| u64::from(checkpoint.before_s) >= spec.walltime_s) {
            let message = format!("{name}: a walltime of {} s leaves no time before its checkpoint", spec.walltime_s);
            return Err(ApiError::bad_request(message));
        }
    }
    let tasks = u64::try_from(campaign.task_count).ok().filter(|_| asked.endless.is_none());
    let weighed = admit::weigh_as(grid, caller, &campaign.owner, (&asked, tasks))?;
    let changed = |(name, spec): (&String, &cigri_core::language::ClusterSpec)| {
        let ruled = weighed.clusters.get(name);
        ruled.is_none_or(|ruled| ruled.walltime_s < spec.walltime_s || ruled.resources != spec.resources)
    };
    match asked.clusters.iter().find(|(name, spec)| changed((name, spec))) {
        Some((name, _)) => Err(ApiError::admission(format!("the rules give other walltime or resources on {name}"))),
        None => Ok(notices),
    }
}

fn answer(retried: &RetriedTasks, notices: &[String]) -> Retried {
    let run = |(first, last): &(i64, i64)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    Retried {
        tasks: retried.tasks as u64,
        done: retried.done as u64,
        holds_lifted: retried.holds as u64,
        which: retried.runs.iter().map(run).collect::<Vec<_>>().join(", "),
        and_more: (retried.tasks - retried.told) as u64,
        notices: notices.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use actix_web::test::TestRequest;
    use actix_web::{FromRequest, ResponseError};
    use cigri_core::language::ClusterSpec;
    use cigri_store::NewCampaign;

    use super::*;
    use crate::secret::Sealer;

    #[actix_web::test]
    async fn only_owners_and_admins_see_failures_and_try_tasks_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(Path::new(":memory:"), "test").unwrap();
        let spec = CampaignSpec::new("c", BTreeMap::from([("dahu".into(), ClusterSpec::new("x", "/tmp"))]));
        let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
        let id = store.begin_campaign(&new, 1000).unwrap();
        store.open_campaign(id, 1, true).unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = web::Data::new(Grid::new(store, sealer, vec!["ada".to_owned()], None).unwrap());
        let query = || web::Query::from_query("").unwrap();
        for (login, allowed) in [("bob", false), ("uid 1000", false), ("alice", true), ("ada", true), ("root", true)] {
            let (request, mut payload) = TestRequest::post().uri("/campaigns/1/retry").to_http_parts();
            let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
            let caller = || Caller { login: login.to_owned() };
            let answer = retry(grid.clone(), caller(), web::Path::from(id), query(), (request, payload)).await;
            let status = answer.map_or_else(|error| error.status_code(), |answer| answer.status());
            assert_eq!(status.as_u16(), if allowed { 202 } else { 403 }, "{login}");
            let query = web::Query::from_query("").unwrap();
            let seen = super::super::failures::failures(grid.clone(), caller(), web::Path::from(id), query).await;
            assert_eq!(seen.is_ok(), allowed, "{login}");
        }
    }

    #[test]
    fn tasks_are_indices_and_runs_of_them() {
        assert_eq!(runs("3, 7-20 ,0"), Some(vec![(3, 3), (7, 20), (0, 0)]));
        for wrong in ["", "3,", "7-", "-7", "9-3", "a", "1.5", "99999999999"] {
            assert_eq!(runs(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_request_is_read_strictly_and_none_means_what_failed() {
        assert_eq!(parse(b" \n").unwrap(), RetryRequest::default());
        assert_eq!(parse(br#"{"where": "p1 < 3", "exits": [3]}"#).unwrap().condition.as_deref(), Some("p1 < 3"));
        assert!(parse(br#"{"clas": ["exit"]}"#).unwrap_err().to_string().contains("clas"));
    }
}
