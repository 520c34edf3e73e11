//! The commands that look at campaigns or steer them. Each is a request or two, shown as a table or as the API's JSON.

mod campaigns;
mod clusters;
pub(crate) mod endless;
pub(crate) mod events;
mod failures;
pub(crate) mod jobs;
pub(crate) mod retry;
mod status;
pub(crate) mod steer;
pub(crate) mod table;
mod usage;
mod why;

use crate::api::Api;
use crate::attach::with_server;
use crate::cli::ShowCommand;
use crate::exit::{Exit, Failure};
use crate::place::{Place, Selector};
use crate::screen::Screen;

/// Carries out one of these commands.
pub(crate) async fn show(place: &Place, command: &ShowCommand, screen: &Screen) -> Result<Exit, Failure> {
    with_server(place, async |api| {
        match command {
            ShowCommand::Status { campaign } => status::status(api, *campaign, screen).await?,
            ShowCommand::List { all } => campaigns::list(api, *all, screen).await?,
            ShowCommand::Jobs { campaign, state, task, limit } => {
                let wanted = jobs::Wanted { state: state.as_deref(), task: *task, limit: *limit };
                jobs::jobs(api, *campaign, &wanted, screen).await?;
            }
            ShowCommand::Logs { job, err, tail } => jobs::logs(api, *job, *err, *tail, screen).await?,
            ShowCommand::Events(options) => events::events(api, options, screen).await?,
            ShowCommand::Why(options) => why::why(api, options, screen).await?,
            ShowCommand::Cancel { campaign } => steer::cancel(api, *campaign, screen).await?,
            ShowCommand::Pause { campaign } => steer::pause(api, *campaign, screen).await?,
            ShowCommand::Resume { campaign } => steer::resume(api, *campaign, screen).await?,
            ShowCommand::Retry(options) => retry::retry(api, options, screen).await?,
            ShowCommand::Failures(options) => failures::failures(api, options, screen).await?,
            ShowCommand::Kill { jobs, again } => steer::kill(api, jobs, *again, screen).await?,
            ShowCommand::Clusters => clusters::clusters(api, screen).await?,
            ShowCommand::Usage(options) => usage::usage(api, options, screen).await?,
        }
        Ok(Exit::Success)
    })
    .await
}

/// The number of the campaign that is meant.
pub(crate) async fn campaign_id(api: &Api, selector: Selector) -> Result<i64, Failure> {
    match selector {
        Selector::Id(id) => Ok(id),
        Selector::Last => {
            let newest = api.campaigns(true).await?.iter().map(|campaign| campaign.id).max();
            newest.ok_or_else(|| Failure::Refused("there is no campaign yet: `cigri run FILE` makes one".into()))
        }
    }
}
