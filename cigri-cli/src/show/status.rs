//! `cigri status`: one campaign, in full.

use cigri_api::{Campaign, ClusterShare};
use serde_json::Value;

use super::campaign_id;
use super::campaigns::state_word;
use super::endless::{open_bag, total_words};
use super::table::{age, duration};
use super::usage;
use crate::api::Api;
use crate::command_line::other_command;
use crate::exit::Failure;
use crate::place::Selector;
use crate::screen::{Screen, plain};

/// Shows one campaign.
pub(super) async fn status(api: &Api, selector: Selector, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, selector).await?;
    if screen.json {
        return screen.value(&api.get::<Value>(&format!("/campaigns/{id}")).await?);
    }
    let campaign = api.campaign(id).await?;
    screen.write(&sheet(&campaign, usage::of_campaign(api, id).await))
}

fn sheet(campaign: &Campaign, usage: Option<String>) -> String {
    let mut lines = vec![format!("campaign {} `{}`: {}", campaign.id, plain(&campaign.name), state_word(campaign))];
    let mut field = |name: &str, value: String| lines.push(format!("  {:<11}{value}", format!("{name}:")));
    field("owner", plain(&campaign.user));
    field("submitted", format!("{} ago", age(campaign.submission_time)));
    if let Some(finish) = campaign.finish_time {
        // A difference of two times of one server.
        field(
            "finished",
            format!("{} ago, after {}", age(finish), duration((finish - campaign.submission_time) as f64)),
        );
    }
    field("tasks", tasks(campaign));
    if campaign.kills > 0 {
        field("kills", format!("{} attempts killed and brought back", campaign.kills));
    }
    if let Some(usage) = usage {
        field("usage", usage);
    }
    if let Some(origin) = &campaign.origin {
        field("file", plain(&origin.path));
    }
    if let Some(sample) = &campaign.sample {
        field("test", first_line(sample));
    }
    for (name, share) in &campaign.clusters {
        let hold = share.hold.as_ref().map(|hold| format!(", on hold: {}", first_line(hold))).unwrap_or_default();
        field("cluster", format!("{}: {} live jobs{}{hold}", plain(name), share.active_jobs, steps(share)));
    }
    if campaign.stalled {
        let events = other_command(&format!("events {}", campaign.id));
        field("attention", format!("nothing runs until somebody acts; see `{events}`"));
    }
    lines.push(String::new());
    lines.join("\n")
}

/// How far its prologue and its epilogue are there.
fn steps(share: &ClusterShare) -> String {
    let steps = [("prologue", &share.prologue), ("epilogue", &share.epilogue)];
    let told = steps.iter().filter_map(|(name, state)| Some((name, state.as_deref()?)));
    told.filter(|(_, state)| *state != "unneeded").map(|(name, state)| format!(", {name} {}", plain(state))).collect()
}

/// The whole of it is among the events.
fn first_line(text: &str) -> String {
    plain(text.lines().next().unwrap_or_default())
}

fn tasks(campaign: &Campaign) -> String {
    let counts = [
        ("done", campaign.done),
        ("failed", campaign.failed),
        ("running", campaign.running),
        ("sent", campaign.live.saturating_sub(campaign.running)),
        ("pending", if open_bag(campaign).is_some() { 0 } else { campaign.pending }),
        ("cancelled", campaign.cancelled),
    ];
    let told = counts.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}"));
    let (total, told) = (total_words(campaign), told.collect::<Vec<_>>().join(", "));
    if told.is_empty() { total } else { format!("{total} ({told})") }
}
