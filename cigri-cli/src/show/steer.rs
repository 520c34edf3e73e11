//! `cigri cancel`, `pause`, `resume` and `retry`: changes to one campaign.

use cigri_api::{Accepted, Retried};

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

/// Tries its failed tasks again.
pub(super) async fn retry(api: &Api, selector: Selector, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, selector).await?;
    let retried: Retried = api.post(&format!("/campaigns/{id}/retry")).await?;
    if screen.json {
        return screen.value(&retried);
    }
    screen.note(&format!("campaign {id}: {}", retried_words(&retried)));
    Ok(())
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

/// What a retry did.
pub(crate) fn retried_words(retried: &Retried) -> String {
    let holds = match retried.holds_lifted {
        0 => String::new(),
        1 => ", 1 hold lifted".to_owned(),
        more => format!(", {more} holds lifted"),
    };
    match retried.tasks {
        0 => format!("no failed task to try again{holds}"),
        1 => format!("1 failed task is tried again{holds}"),
        more => format!("{more} failed tasks are tried again{holds}"),
    }
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
