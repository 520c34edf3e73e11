//! `cigri jobs` and `cigri logs`: the attempts of a campaign, and what one of them wrote.

use cigri_api::{Job, List, Output};
use serde_json::Value;

use super::campaign_id;
use super::table::Table;
use crate::api::Api;
use crate::exit::Failure;
use crate::place::Selector;
use crate::screen::{Screen, excerpt};

/// Jobs asked for in one request.
const PAGE: u64 = 500;
/// Characters of a parameter and of a detail in a table.
const SHOWN: usize = 60;

/// Which jobs are wanted.
pub(super) struct Wanted<'a> {
    /// Only those in this state.
    pub(super) state: Option<&'a str>,
    /// Only those of this task.
    pub(super) task: Option<u64>,
    /// At most so many; 0 means all.
    pub(super) limit: u64,
}

/// Lists the jobs of a campaign.
pub(super) async fn jobs(api: &Api, selector: Selector, wanted: &Wanted<'_>, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, selector).await?;
    let found = collect(api, id, wanted).await?;
    if screen.json {
        return screen.value(&found);
    }
    let jobs: Vec<Job> = found
        .items
        .iter()
        .map(|item| serde_json::from_value(item.clone()))
        .collect::<Result<_, _>>()
        .map_err(|error| Failure::Environment(format!("the server's jobs cannot be read: {error}")))?;
    let columns = ["job", "task", "attempt", "state", "cluster", "exit", "time", "parameters", "detail"];
    let mut table = Table::new(&columns, screen).low_rows();
    for job in &jobs {
        table.row(row(job));
    }
    table.print("no such jobs")?;
    let more = found.total.saturating_sub(jobs.len() as u64);
    if more > 0 {
        screen.note(&format!("{more} more; --limit 0 shows all"));
    }
    Ok(())
}

/// Goes through the pages until there are as many as wanted.
async fn collect(api: &Api, campaign: i64, wanted: &Wanted<'_>) -> Result<List<Value>, Failure> {
    let limit = if wanted.limit == 0 { u64::MAX } else { wanted.limit };
    let mut all = List { items: Vec::new(), total: 0, next: None };
    loop {
        let left = limit - all.items.len() as u64;
        let mut query = vec![("limit", left.min(PAGE).to_string())];
        query.extend(wanted.state.map(|state| ("state", state.to_owned())));
        query.extend(wanted.task.map(|task| ("task", task.to_string())));
        query.extend(all.next.map(|after| ("after", after.to_string())));
        let page: List<Value> = api.get_with(&format!("/campaigns/{campaign}/jobs"), &query).await?;
        let was_empty = page.items.is_empty();
        all.total = page.total;
        all.next = page.next;
        all.items.extend(page.items);
        if was_empty || all.next.is_none() || all.items.len() as u64 >= limit {
            return Ok(all);
        }
    }
}

fn row(job: &Job) -> [String; 9] {
    let or_dash = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    let attempt = if job.generation > 1 {
        format!("{} (retry {})", job.attempt, job.generation - 1)
    } else {
        job.attempt.to_string()
    };
    let time = job.start_time.zip(job.stop_time).map(|(start, stop)| format!("{} s", (stop - start).max(0)));
    // The exit code has a column of its own.
    let cause = job.cause.as_deref().filter(|cause| !matches!(*cause, "success" | "exit_code"));
    let said = [cause, last_line(job)];
    let detail = said.into_iter().flatten().collect::<Vec<_>>().join(": ");
    [
        job.id.to_string(),
        what(job),
        attempt,
        job.state.clone(),
        job.cluster.clone(),
        or_dash(job.exit_code.map(|code| code.to_string())),
        or_dash(time),
        excerpt(&job.parameters, SHOWN),
        excerpt(&detail, SHOWN),
    ]
}

/// The task's number, or which step it is.
fn what(job: &Job) -> String {
    match job.role.as_str() {
        "test" => format!("{} (sample)", job.task_index),
        role if is_step(job) => role.to_owned(),
        _ => job.task_index.to_string(),
    }
}

/// Whether it is a prologue or an epilogue: no task.
pub(crate) fn is_step(job: &Job) -> bool {
    job.task_index < 0
}

/// The last line of what is known about the end of a job.
pub(crate) fn last_line(job: &Job) -> Option<&str> {
    job.detail.as_deref()?.lines().map(str::trim).rfind(|line| !line.is_empty())
}

/// Shows what a job wrote.
pub(super) async fn logs(api: &Api, job: i64, err: bool, tail: Option<u64>, screen: &Screen) -> Result<(), Failure> {
    let stream = if err { "stderr" } else { "stdout" };
    let query: Vec<(&str, u64)> = tail.map(|lines| ("tail", lines)).into_iter().collect();
    let output: Output = api.get_with(&format!("/jobs/{job}/{stream}"), &query).await?;
    if screen.json { screen.value(&output) } else { screen.write(&output.output) }
}
