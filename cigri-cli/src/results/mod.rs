//! `cigri results`: the files that a campaign's tasks wrote, fetched into one folder.

mod fetch;
mod folder;

use std::collections::BTreeSet;
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::api::Api;
use crate::attach::with_server;
use crate::cli::ResultsOptions;
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::screen::{Screen, plain, say};
use crate::show::campaign_id;
use fetch::{Wanted, fetch_all, list};
use folder::Folder;

/// Files that could not be had and are named one by one.
const NAMED: usize = 20;

/// What became of the files.
#[derive(Debug, Default, Serialize)]
struct Report {
    /// Where they are.
    directory: PathBuf,
    /// Fetched now.
    fetched: u64,
    /// There already.
    kept: u64,
    /// Those that are not there, each with its reason.
    missing: Vec<Missing>,
}

/// A file that is not there.
#[derive(Debug, Clone, Serialize)]
struct Missing {
    job_id: i64,
    task_index: i64,
    cluster: String,
    name: String,
    reason: String,
}

/// What became of one file.
enum Fate {
    Fetched,
    Kept,
    Missing(Missing),
}

/// Fetches the files of a campaign.
pub(crate) async fn results(place: &Place, options: &ResultsOptions, screen: &Screen) -> Result<Exit, Failure> {
    with_server(place, async |api| fetch_campaign(api, options, screen).await).await
}

async fn fetch_campaign(api: &Api, options: &ResultsOptions, screen: &Screen) -> Result<Exit, Failure> {
    let id = campaign_id(api, options.campaign).await?;
    let campaign = api.campaign(id).await?;
    let (named, wanted) = list(api, id, options.stdout).await?;
    let directory = options.to.clone().or(named).unwrap_or_else(|| PathBuf::from(format!("cigri-results-{id}")));
    let whose = format!("campaign {id} of {}, submitted {}", campaign.user, campaign.submission_time);
    let folder = Folder::open(&directory, &whose, options.force)?;
    let bar = screen.draws().then(|| drawn(wanted.len() as u64));
    let mut report = Report { directory, ..Report::default() };
    let mut silent = BTreeSet::new();
    let fates = fetch_all(api, &folder, twice_named(wanted), &mut silent, |fate| {
        match fate {
            Fate::Fetched => report.fetched += 1,
            Fate::Kept => report.kept += 1,
            Fate::Missing(missing) => report.missing.push(missing),
        }
        bar.iter().for_each(|bar| bar.inc(1));
    });
    let ended = fates.await;
    bar.iter().for_each(ProgressBar::finish_and_clear);
    ended?;
    report.missing.sort_by_key(|missing| missing.task_index);
    tell(&report, screen)?;
    Ok(if report.missing.is_empty() { Exit::Success } else { Exit::TasksFailed })
}

fn drawn(total: u64) -> ProgressBar {
    let bar = ProgressBar::new(total);
    if let Ok(style) = ProgressStyle::with_template("{bar:20} {pos}/{len} files") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}

/// Two files cannot have one name: a server that says so is not followed.
fn twice_named(wanted: Vec<Wanted>) -> Vec<Wanted> {
    let mut names = BTreeSet::new();
    let refuse = |mut file: Wanted| {
        if file.problem.is_none() && !names.insert(file.name.clone()) {
            file.problem = Some("another task's file has the same name".to_owned());
        }
        file
    };
    wanted.into_iter().map(refuse).collect()
}

fn tell(report: &Report, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.value(report);
    }
    let (directory, kept) = (report.directory.display(), report.kept);
    let before = if kept > 0 { format!(", {kept} were there") } else { String::new() };
    screen.line(&format!("{} files fetched into `{directory}`{before}", report.fetched))?;
    for missing in report.missing.iter().take(NAMED) {
        let Missing { task_index, job_id, cluster, reason, .. } = missing;
        say(&format!("missing: task {task_index} (job {job_id} on {}): {}", plain(cluster), plain(reason)));
    }
    let more = report.missing.len().saturating_sub(NAMED);
    if more > 0 {
        say(&format!("missing: {more} more; --json lists all"));
    }
    Ok(())
}
