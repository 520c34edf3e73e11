//! `cigri list`: one line per campaign.

use cigri_api::{Campaign, CampaignState, List};
use serde_json::Value;

use super::endless::{open_bag, total_words};
use super::table::{Table, age};
use crate::api::Api;
use crate::exit::Failure;
use crate::screen::Screen;

/// Lists the campaigns that are not finished, or all.
pub(super) async fn list(api: &Api, all: bool, screen: &Screen) -> Result<(), Failure> {
    let query = [("all", u8::from(all))];
    if screen.json {
        return screen.value(&api.get_with::<Value>("/campaigns", &query).await?);
    }
    let list: List<Campaign> = api.get_with("/campaigns", &query).await?;
    let columns = ["id", "name", "state", "tasks", "done", "failed", "running", "pending", "age"];
    let mut table = Table::new(&columns, screen).low_rows();
    for campaign in &list.items {
        table.row([
            campaign.id.to_string(),
            campaign.name.clone(),
            state_word(campaign).to_owned(),
            total_words(campaign),
            campaign.done.to_string(),
            campaign.failed.to_string(),
            campaign.running.to_string(),
            open_bag(campaign).map_or_else(|| campaign.pending.to_string(), |_| "-".to_owned()),
            age(campaign.submission_time),
        ]);
    }
    table.print(if all { "no campaigns" } else { "no unfinished campaigns; --all lists the finished ones" })
}

/// The state as CiGri 3's users know it; one that cannot go on by itself is told apart.
pub(super) fn state_word(campaign: &Campaign) -> &'static str {
    match campaign.state {
        CampaignState::Receiving => "receiving",
        CampaignState::InTreatment if campaign.stalled => "held",
        CampaignState::InTreatment => "in_treatment",
        CampaignState::Paused => "paused",
        CampaignState::Terminated => "terminated",
        CampaignState::Cancelled => "cancelled",
    }
}
