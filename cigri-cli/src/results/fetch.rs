//! Which files there are, and getting them, a few at a time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use cigri_api::{ErrorCode, Job, List, Output, ResultFile, Results};
use futures_util::stream::{self, StreamExt};

use super::folder::{Folder, Standing};
use super::{Fate, Missing};
use crate::api::{Api, ApiError};
use crate::exit::Failure;

/// Files that are fetched at one time.
const AT_ONCE: usize = 4;
/// The server reads files on clusters last of all: one that has no request left for it now has one later.
const BUSY_PAUSE: Duration = Duration::from_secs(5);
/// After so many the file is left for another time.
const BUSY_TRIES: u32 = 60;

/// A file to fetch.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) job_id: i64,
    pub(super) task_index: i64,
    pub(super) cluster: String,
    /// What it is to be called.
    pub(super) name: String,
    /// Why it cannot be fetched.
    pub(super) problem: Option<String>,
    /// What the program printed, instead of the file that it wrote.
    stdout: bool,
}

/// The folder that the campaign names, and its files; or the standard output of its tasks.
pub(super) async fn list(api: &Api, id: i64, stdout: bool) -> Result<(Option<PathBuf>, Vec<Wanted>), Failure> {
    if stdout { Ok((None, printed(api, id).await?)) } else { written(api, id).await }
}

async fn written(api: &Api, id: i64) -> Result<(Option<PathBuf>, Vec<Wanted>), Failure> {
    let (mut wanted, mut after) = (Vec::new(), 0);
    loop {
        let page: Results = api.get_with(&format!("/campaigns/{id}/results"), &[("after", after)]).await?;
        wanted.extend(page.items.into_iter().map(of_file));
        match page.next.filter(|next| *next > after) {
            Some(next) => after = next,
            None => return Ok((page.destination.map(PathBuf::from), wanted)),
        }
    }
}

fn of_file(file: ResultFile) -> Wanted {
    let ResultFile { job_id, task_index, cluster, name, problem } = file;
    Wanted { job_id, task_index, cluster, name, problem, stdout: false }
}

async fn printed(api: &Api, id: i64) -> Result<Vec<Wanted>, Failure> {
    let (mut wanted, mut after) = (Vec::new(), 0);
    loop {
        let query = [("state", "done".to_owned()), ("after", after.to_string()), ("limit", "500".to_owned())];
        let page: List<Job> = api.get_with(&format!("/campaigns/{id}/jobs"), &query).await?;
        let tasks = page.items.into_iter().filter(|job| !is_step(job));
        wanted.extend(tasks.map(|job| Wanted {
            job_id: job.id,
            task_index: job.task_index,
            cluster: job.cluster,
            name: format!("{}.stdout", job.task_index),
            problem: None,
            stdout: true,
        }));
        match page.next.filter(|next| *next > after) {
            Some(next) => after = next,
            None => return Ok(wanted),
        }
    }
}

fn is_step(job: &Job) -> bool {
    matches!(job.role.as_str(), "prologue" | "epilogue")
}

/// Gets the files that are not there yet. A cluster that does not answer is left alone from then on (`silent`).
pub(super) async fn fetch_all(
    api: &Api,
    folder: &Folder,
    wanted: Vec<Wanted>,
    silent: &mut BTreeSet<String>,
    mut tell: impl FnMut(Fate),
) -> Result<(), Failure> {
    let mut left = wanted.into_iter();
    let mut under_way = stream::FuturesUnordered::new();
    loop {
        while under_way.len() < AT_ONCE {
            let Some(file) = left.next() else { break };
            match ready(folder, &file, silent) {
                Some(fate) => tell(fate),
                None => under_way.push(fetch(api, folder, file)),
            }
        }
        let Some((file, result)) = under_way.next().await else { return Ok(()) };
        if let Err(Failure::Api(ApiError::Refused(refusal))) = &result
            && refusal.code == ErrorCode::ClusterUnavailable
        {
            silent.insert(file.cluster.clone());
        }
        tell(fate(file, result)?);
    }
}

/// What is known of a file before anything is asked.
fn ready(folder: &Folder, file: &Wanted, silent: &BTreeSet<String>) -> Option<Fate> {
    let problem = |reason: &str| Some(Fate::Missing(missing(file, reason)));
    if let Some(reason) = &file.problem {
        return problem(reason);
    }
    match folder.standing(&file.name) {
        Standing::Complete => Some(Fate::Kept),
        Standing::Foreign => problem("a file of this name is there that is not this campaign's (--force replaces it)"),
        Standing::BadName => problem("the server names it by a path"),
        Standing::Free if silent.contains(&file.cluster) => problem("its cluster does not answer: try again later"),
        Standing::Free => None,
    }
}

async fn fetch(api: &Api, folder: &Folder, file: Wanted) -> (Wanted, Result<(), Failure>) {
    let mut result = get(api, folder, &file).await;
    for _ in 0..BUSY_TRIES {
        if !matches!(&result, Err(Failure::Api(ApiError::Refused(refusal))) if refusal.code == ErrorCode::ClusterBusy) {
            break;
        }
        tokio::time::sleep(BUSY_PAUSE).await;
        result = get(api, folder, &file).await;
    }
    (file, result)
}

async fn get(api: &Api, folder: &Folder, file: &Wanted) -> Result<(), Failure> {
    let mut part = folder.begin(&file.name)?;
    let job = file.job_id;
    if file.stdout {
        let output: Output = api.get(&format!("/jobs/{job}/stdout")).await?;
        part.write(output.output.as_bytes())?;
    } else {
        api.download(&format!("/jobs/{job}/output"), |piece| part.write(piece)).await?;
    }
    part.finish(folder)
}

/// What the server refuses is one file's trouble; that it is gone is everybody's.
fn fate(file: Wanted, result: Result<(), Failure>) -> Result<Fate, Failure> {
    match result {
        Ok(()) => Ok(Fate::Fetched),
        Err(Failure::Api(ApiError::Refused(refusal))) => Ok(Fate::Missing(missing(&file, &refusal.message))),
        Err(failure) => Err(failure),
    }
}

fn missing(file: &Wanted, reason: &str) -> Missing {
    let Wanted { job_id, task_index, cluster, name, .. } = file.clone();
    Missing { job_id, task_index, cluster, name, reason: reason.to_owned() }
}
