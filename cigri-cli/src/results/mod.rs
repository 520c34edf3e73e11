//! `cigri results`: the files that a campaign's tasks wrote, fetched into one folder.

mod fetch;
mod folder;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

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
    let directory = match (options.to.clone(), named) {
        (Some(given), _) => given,
        (None, Some(named)) => chosen(&named, std::env::var_os("HOME"))?,
        (None, None) => PathBuf::from(format!("cigri-results-{id}")),
    };
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

/// The folder that the campaign's file names. `~` is read here, as no shell does; where `..` leads depends on where the
/// command is run, so nobody can have meant it.
fn chosen(named: &Path, home: Option<OsString>) -> Result<PathBuf, Failure> {
    let refused = |reason: &str| {
        let shown = plain(&named.to_string_lossy()).to_string();
        Failure::Refused(format!("the campaign names the folder `{shown}`, {reason}: say another with --to"))
    };
    if named.components().any(|part| part == Component::ParentDir) {
        return Err(refused("which leads upwards"));
    }
    let Ok(below) = named.strip_prefix("~") else { return Ok(named.to_owned()) };
    let home = home.map(PathBuf::from).filter(|home| home.is_absolute());
    home.map(|home| home.join(below)).ok_or_else(|| refused("and no home directory is known"))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_campaigns_folder_is_below_the_home_directory_or_here_or_absolute() {
        let chosen = |named: &str| chosen(Path::new(named), Some("/home/al".into())).map_err(|_| ());
        for (named, folder) in
            [("~/out", "/home/al/out"), ("~", "/home/al/"), ("out", "out"), ("/scratch/x", "/scratch/x")]
        {
            assert_eq!(chosen(named), Ok(PathBuf::from(folder)), "{named}");
        }
        assert_eq!(chosen("~bob/out"), Ok(PathBuf::from("~bob/out")), "a folder of that name");
        for named in ["../out", "a/../../b", "~/../x"] {
            assert_eq!(chosen(named), Err(()), "{named}");
        }
    }
}
