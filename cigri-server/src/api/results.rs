//! The files that a campaign's tasks wrote, for their owner to fetch: which there are, and each of them.

use actix_web::{HttpResponse, web};
use cigri_api::{ResultFile, Results};
use cigri_core::gathering::{self, Written};
use cigri_core::language::{Gathering, Output, named_values};
use cigri_core::state::JobState;
use cigri_store::{CampaignRow, JobFilter, JobRow, StoreError};
use serde::Deserialize;

use super::identity::Caller;
use super::looking::Looking;
use super::respond::ApiError;
use crate::grid::Grid;

#[derive(Deserialize)]
pub(super) struct PageQuery {
    #[serde(default)]
    after: i64,
    limit: Option<i64>,
}

/// The files of the tasks that are done (owner).
pub(super) async fn list(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
    page: web::Query<PageQuery>,
) -> Result<web::Json<Results>, ApiError> {
    let limit = page.limit.unwrap_or(500).clamp(1, 5000);
    let filter = JobFilter { state: Some(JobState::Done), after: page.after, limit, ..JobFilter::default() };
    let (id, login) = (*id, caller.login.clone());
    caller.owns(&grid, id).await?;
    let results = crate::blocking(&grid.store, move |store| {
        let campaign = store.campaign(id)?;
        let Some(destination) = destination(&campaign, &login) else { return Err(nothing_to_fetch(&campaign)) };
        let rows = store.list_jobs(id, &filter)?;
        let next = rows.last().filter(|_| rows.len() as i64 == limit).map(|row| row.id);
        let items = rows.iter().filter_map(|row| result_file(&campaign, row)).collect();
        Ok(Results { destination, items, done: campaign.done.max(0) as u64, next })
    });
    Ok(web::Json(results.await?))
}

/// The folder that clusters with files to fetch name (all of them the same); `None` if there is no such cluster.
/// An administrator who looks at a campaign does not write where its owner chose.
fn destination(campaign: &CampaignRow, login: &str) -> Option<Option<String>> {
    let folders = campaign.spec.clusters.values().filter_map(|cluster| match &cluster.output.as_ref()?.method {
        Gathering::Collector(folder) => Some(folder.clone()),
        _ => None,
    });
    // One that is named comes after none.
    folders.max().map(|folder| folder.filter(|_| campaign.owner == login))
}

fn nothing_to_fetch(campaign: &CampaignRow) -> StoreError {
    StoreError::Conflict(format!(
        "campaign {} has no files to fetch: its file names no `output_file` with the gathering method `collector`",
        campaign.id
    ))
}

/// `None` for a step, and for a job of a cluster whose files are not fetched.
fn result_file(campaign: &CampaignRow, row: &JobRow) -> Option<ResultFile> {
    let output = fetched(campaign, row)?;
    let (name, problem) = match gathering::name_at_home(output, &written(campaign, row)) {
        Ok(name) => (name, None),
        Err(astray) => (String::new(), Some(astray.to_string())),
    };
    Some(ResultFile { job_id: row.id, task_index: row.task_index, cluster: row.cluster.clone(), name, problem })
}

fn fetched<'a>(campaign: &'a CampaignRow, row: &JobRow) -> Option<&'a Output> {
    if row.role.is_step() {
        return None;
    }
    let output = campaign.spec.clusters.get(&row.cluster)?.output.as_ref()?;
    matches!(output.method, Gathering::Collector(_)).then_some(output)
}

fn written(campaign: &CampaignRow, row: &JobRow) -> Written {
    Written {
        campaign_id: campaign.id,
        task_id: campaign.task_ids.id_of(row.task_index as u64).unwrap_or_default() as i64,
        task_index: row.task_index,
        remote_id: row.remote_id.unwrap_or_default(),
        named: named_values(campaign.spec.parameter_names(), &row.parameters),
    }
}

/// The file that a job's program wrote, read on its cluster as its owner (owner). The path is made here, of what the
/// campaign asked for: a client names a job, never a file.
pub(super) async fn output(
    grid: web::Data<Grid>,
    caller: Caller,
    id: web::Path<i64>,
) -> Result<HttpResponse, ApiError> {
    let id = *id;
    let (campaign, row, submission) = crate::blocking(&grid.store, move |store| {
        let row = store.job(id)?;
        let submission = store.submission(row.submission_id)?;
        Ok((store.campaign(row.campaign_id)?, row, submission))
    })
    .await?;
    caller.may_change(&submission.owner, &grid)?;
    let output = fetched(&campaign, &row).ok_or_else(|| ApiError::from(nothing_to_fetch(&campaign)))?;
    let file = gathering::path_of(output, &written(&campaign, &row));
    let file = file.map_err(|astray| ApiError::conflict(astray.to_string()))?;
    let path = format!("{}/{file}", submission.directory.trim_end_matches('/'));
    let handle = grid.cluster(&row.cluster).ok_or_else(|| ApiError::not_found(format!("cluster {}", row.cluster)))?;
    let (token, _) = grid.token(&submission.owner, &handle)?.map_err(ApiError::unavailable)?;
    // Whole files are in memory here: only few at a time.
    let _turn = grid.files.acquire().await.map_err(|error| ApiError::unavailable(error.to_string()))?;
    let way = Looking::at(&grid, &handle).await?;
    let bytes = way.client.file(&token, &path).await.map_err(|error| unread(&way, &error))?;
    let bytes = bytes.ok_or_else(|| ApiError::not_found(format!("there is no file {path} on {}", row.cluster)))?;
    Ok(HttpResponse::Ok().content_type("application/octet-stream").body(bytes))
}

/// A cluster that does not answer may do so later; one that refuses this file does not.
fn unread(way: &Looking<'_>, error: &oar_client::Error) -> ApiError {
    match error {
        oar_client::Error::Invalid(_) | oar_client::Error::Refused { .. } | oar_client::Error::Garbled { .. } => {
            ApiError::conflict(error.to_string())
        }
        _ => way.failed(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use cigri_core::language::{CampaignSpec, ClusterSpec};
    use cigri_store::{NewCampaign, Store};

    use super::*;

    fn campaign(folders: &[Option<&str>]) -> CampaignRow {
        let cluster = |(at, folder): (usize, &Option<&str>)| {
            let method = Gathering::Collector(folder.map(str::to_owned));
            let output = Some(Output { file: "r.{TASK_ID}".to_owned(), method });
            (format!("c{at}"), ClusterSpec { output, ..ClusterSpec::new("a", "/tmp") })
        };
        let mut clusters: BTreeMap<String, ClusterSpec> = folders.iter().enumerate().map(cluster).collect();
        clusters.insert("plain".to_owned(), ClusterSpec::new("a", "/tmp"));
        let spec = CampaignSpec::new("n", clusters);
        let place = tempfile::tempdir().unwrap();
        let store = Store::open_sqlite(&place.path().join("cigri.sqlite"), "test").unwrap();
        let id =
            store.begin_campaign(&NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None }, 1).unwrap();
        store.open_campaign(id, 1, true).unwrap();
        store.campaign(id).unwrap()
    }

    #[test]
    fn only_the_owner_is_told_the_folder_that_the_campaign_names() {
        let named = campaign(&[None, Some("~/.ssh")]);
        assert_eq!(destination(&named, "alice"), Some(Some("~/.ssh".to_owned())));
        assert_eq!(destination(&named, "root"), Some(None), "an administrator writes where they say");
        assert_eq!(destination(&campaign(&[None]), "alice"), Some(None));
        assert_eq!(destination(&campaign(&[]), "alice"), None, "nothing is fetched");
    }
}
