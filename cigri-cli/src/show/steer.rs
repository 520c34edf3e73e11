//! `cigri cancel`, `pause`, `resume` and `kill`: changes to one campaign.

use cigri_api::Accepted;

use super::campaign_id;
use crate::api::Api;
use crate::exit::Failure;
use crate::place::Selector;
use crate::screen::Screen;

/// Ends a campaign.
pub(super) async fn cancel(api: &Api, selector: Selector, screen: &Screen) -> Result<(), Failure> {
    change(api, selector, "", screen).await
}

/// Sends nothing more of it.
pub(super) async fn pause(api: &Api, selector: Selector, screen: &Screen) -> Result<(), Failure> {
    change(api, selector, "?hold=1", screen).await
}

/// Goes on with it, and lifts its holds.
pub(super) async fn resume(api: &Api, selector: Selector, screen: &Screen) -> Result<(), Failure> {
    change(api, selector, "?resume=1", screen).await
}

/// Kills single jobs: each is asked for, and the first refusal is told after the others were.
pub(super) async fn kill(api: &Api, jobs: &[i64], again: bool, screen: &Screen) -> Result<(), Failure> {
    let query = if again { "?again=1" } else { "" };
    let (mut accepted, mut refused) = (Vec::new(), None);
    for job in jobs {
        match api.delete::<Accepted>(&format!("/jobs/{job}{query}")).await {
            Ok(answer) => {
                if !screen.json {
                    screen.note(&answer.message);
                }
                accepted.push(answer);
            }
            Err(error) => {
                refused.get_or_insert(error);
            }
        }
    }
    if screen.json {
        screen.value(&accepted)?;
    }
    refused.map_or(Ok(()), |error| Err(error.into()))
}

async fn change(api: &Api, selector: Selector, query: &str, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, selector).await?;
    let accepted: Accepted = api.delete(&format!("/campaigns/{id}{query}")).await?;
    if screen.json {
        return screen.value(&accepted);
    }
    screen.note(&accepted.message);
    Ok(())
}
