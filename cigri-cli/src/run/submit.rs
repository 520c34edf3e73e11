//! Which campaign a file stands for: the one it made before, gone on with where it was, or a new one.

use std::fs::TryLockError;
use std::time::Duration;

use cigri_api::{Accepted, Campaign, CampaignState, List, Retried, SubmitOptions, Submitted};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, RequestBuilder};
use serde::de::DeserializeOwned;
use tokio::fs::File;

use super::campaign_file::{CampaignFile, unreadable};
use super::difference::difference;
use crate::api::Api;
use crate::cli::Again;
use crate::command_line::{other_command, same_command};
use crate::exit::{Failure, problem_line};
use crate::place::Place;
use crate::screen::{Screen, plain};
use crate::show::endless::{end_words, open_bag};
use crate::show::retry::retried_words;

/// Between two looks at whether it is this command's turn.
const TURN: Duration = Duration::from_millis(20);

/// The campaign of a file, ready to be followed.
pub(crate) struct Chosen {
    /// As it is now.
    pub(crate) campaign: Campaign,
    /// True when it has just been made.
    pub(crate) is_new: bool,
}

/// Finds or makes the campaign of a file. Two commands with one file take turns, so that they make one campaign.
pub(crate) async fn choose(
    api: &Api,
    place: &Place,
    file: &CampaignFile,
    again: Again,
    screen: &Screen,
) -> Result<Chosen, Failure> {
    let _turn = take_turn(&file.origin.path).await;
    let earlier = find_newest(api, file).await?;
    match earlier {
        Some(campaign) if !again.new => {
            insist_on_same(api, file, &campaign).await?;
            let campaign = go_on(api, campaign, again.retry_failed, screen).await?;
            Ok(Chosen { campaign, is_new: false })
        }
        None if again.retry_failed => {
            let shown = &file.shown;
            Err(Failure::Refused(format!("no campaign of `{shown}` exists here, so nothing can be tried again")))
        }
        earlier => {
            if let Some(campaign) = earlier.filter(is_open) {
                let cancel = other_command(&format!("cancel {}", campaign.id));
                screen
                    .note(&format!("note: campaign {} of this file is not finished; `{cancel}` ends it", campaign.id));
            }
            let submitted = send(api, place, file, "/campaigns").await?;
            tell(&submitted, screen);
            Ok(Chosen { campaign: submitted.campaign, is_new: true })
        }
    }
}

/// Locks the campaign file until the result is dropped; a file system without locks does not keep anybody from running.
async fn take_turn(path: &str) -> Option<std::fs::File> {
    let file = std::fs::File::open(path).ok()?;
    loop {
        match file.try_lock() {
            Ok(()) => return Some(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(TURN).await,
            Err(TryLockError::Error(_)) => return None,
        }
    }
}

async fn find_newest(api: &Api, file: &CampaignFile) -> Result<Option<Campaign>, Failure> {
    let query = [("all", "1"), ("origin", file.origin.path.as_str())];
    let list: List<Campaign> = api.get_with("/campaigns", &query).await?;
    Ok(list.items.into_iter().max_by_key(|campaign| campaign.id))
}

fn is_open(campaign: &Campaign) -> bool {
    !matches!(campaign.state, CampaignState::Terminated | CampaignState::Cancelled)
}

/// Another content under the same name is not gone on with: half of the results would be of the one, half of the other.
async fn insist_on_same(api: &Api, file: &CampaignFile, campaign: &Campaign) -> Result<(), Failure> {
    if campaign.origin.as_ref().is_some_and(|origin| origin.digest == file.origin.digest) {
        return Ok(());
    }
    let Some(difference) = difference(api, file, campaign).await? else {
        // Blanks and the like: the campaign that is written there is the same.
        return Ok(());
    };
    let (id, shown) = (campaign.id, &file.shown);
    let state = if is_open(campaign) { "is not finished" } else { "is finished" };
    Err(Failure::Refused(format!(
        "`{shown}` has changed since campaign {id} was made of it, and that campaign {state}:\n{difference}\n\
         to start afresh with the new content: {} --new",
        same_command()
    )))
}

/// Makes an earlier campaign go on, as far as there is something to go on with.
async fn go_on(api: &Api, campaign: Campaign, retry_failed: bool, screen: &Screen) -> Result<Campaign, Failure> {
    let id = campaign.id;
    if retry_failed {
        let retried: Retried = api.post(&format!("/campaigns/{id}/retry")).await?;
        screen.note(&format!("campaign {id}: {}", retried_words(&retried)));
    }
    let is_held = campaign.stalled || campaign.clusters.values().any(|share| share.hold.is_some());
    if is_open(&campaign) && (campaign.state == CampaignState::Paused || is_held) {
        match api.delete::<Accepted>(&format!("/campaigns/{id}?resume=1")).await {
            Ok(_) => {}
            // It goes on already: somebody else was faster, or the hold is gone.
            Err(error) if error.is_conflict() => {}
            Err(error) => return Err(error.into()),
        }
    }
    if is_open(&campaign) {
        let done = campaign.done;
        screen.note(&match open_bag(&campaign) {
            Some(endless) => format!("campaign {id} goes on: {done} tasks are done already, {}", end_words(endless)),
            None => format!("campaign {id} goes on: {done} of {} tasks are done already", campaign.total_jobs),
        });
    }
    Ok(api.campaign(id).await?)
}

/// Sends the campaign: the file, what the server cannot know of it, and the parameter file as a stream.
pub(super) async fn send<T: DeserializeOwned>(
    api: &Api,
    place: &Place,
    file: &CampaignFile,
    path: &str,
) -> Result<T, Failure> {
    let options = SubmitOptions {
        origin: Some(file.origin.clone()),
        default_directory: Some(file.directory.clone()),
        local: place.is_local(),
    };
    let options = serde_json::to_string(&options).map_err(|error| Failure::Environment(error.to_string()))?;
    let body = async |request: RequestBuilder| Ok(request.multipart(form(file, &options).await?));
    api.post_once(path, &file.once, body).await
}

async fn form(file: &CampaignFile, options: &str) -> Result<Form, Failure> {
    let mut form = Form::new().part("jdl", Part::bytes(file.text.clone())).text("options", options.to_owned());
    if let Some(parameters) = &file.parameter_file {
        let opened = File::open(&parameters.path).await;
        let opened = opened.map_err(|error| unreadable(&parameters.path.display().to_string(), &error.to_string()))?;
        form = form.part("parameters", Part::stream(Body::from(opened)));
    }
    Ok(form)
}

fn tell(submitted: &Submitted, screen: &Screen) {
    for warning in &submitted.warnings {
        screen.warn(&plain(&problem_line(warning)));
    }
    for notice in &submitted.notices {
        screen.note(&format!("note: {}", plain(notice)));
    }
}
