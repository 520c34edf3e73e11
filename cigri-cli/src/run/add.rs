//! `cigri add`: more tasks for a campaign that is there.

use std::path::{Path, PathBuf};

use cigri_api::Added;
use reqwest::multipart::{Form, Part};
use reqwest::{Body, RequestBuilder};
use tokio::fs::File;

use super::campaign_file::unreadable;
use crate::api::{Api, Once};
use crate::attach::with_server;
use crate::cli::AddOptions;
use crate::exit::{Exit, Failure, problem_line};
use crate::place::Place;
use crate::screen::{Screen, plain};
use crate::show::campaign_id;

/// What is read when the file is `-`.
const STDIN: &str = "/dev/stdin";

/// Adds tasks, all or none.
pub(crate) async fn add(place: &Place, options: &AddOptions, screen: &Screen) -> Result<Exit, Failure> {
    let file = options.file.as_deref().map(readable).transpose()?;
    let is_stdin = options.file.as_deref() == Some(Path::new("-"));
    // One key for every attempt of this command; what came through a pipe is gone after the first.
    let once = Once::new(options.idempotency_key.as_deref(), !is_stdin)?;
    with_server(place, async |api| {
        let added = send(api, options, file.as_deref(), &once).await?;
        tell(&added, screen)?;
        if place.is_local() {
            screen.note("its tasks run while a `cigri run` works in this data directory");
        }
        Ok(Exit::Success)
    })
    .await
}

async fn send(api: &Api, options: &AddOptions, file: Option<&Path>, once: &Once) -> Result<Added, Failure> {
    let id = campaign_id(api, options.campaign).await?;
    let body = async |request: RequestBuilder| match file {
        Some(path) => {
            let opened = File::open(path).await;
            let opened = opened.map_err(|error| unreadable(&path.display().to_string(), &error.to_string()))?;
            Ok(request.multipart(Form::new().part("parameters", Part::stream(Body::from(opened)))))
        }
        None => Ok(request.json(&options.params)),
    };
    api.post_once(&format!("/campaigns/{id}/jobs"), once, body).await
}

fn tell(added: &Added, screen: &Screen) -> Result<(), Failure> {
    for warning in &added.warnings {
        screen.warn(&plain(&problem_line(warning)));
    }
    if screen.json {
        return screen.value(added);
    }
    let (id, total) = (added.campaign.id, added.campaign.total_jobs);
    let tasks = if added.added == 1 { "task" } else { "tasks" };
    screen.line(&format!("campaign {id}: {} {tasks} added, {total} in all", added.added))
}

/// The file to read, if it is one; a pipe is as good.
fn readable(path: &Path) -> Result<PathBuf, Failure> {
    if path == Path::new("-") {
        return Ok(STDIN.into());
    }
    let shown = path.display().to_string();
    let kind = std::fs::metadata(path).map_err(|error| unreadable(&shown, &error.to_string()))?;
    if kind.is_dir() {
        return Err(unreadable(&shown, "it is a directory; a file with one parameter a line was expected"));
    }
    Ok(path.to_owned())
}
