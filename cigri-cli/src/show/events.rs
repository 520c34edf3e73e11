//! `cigri events`: what happened; and what holds a campaign, in lines.

use cigri_api::{Event, List, Refusal};
use serde_json::Value;

use super::campaign_id;
use super::table::{Table, age};
use crate::api::Api;
use crate::exit::Failure;
use crate::place::Selector;
use crate::screen::{Screen, plain};

/// Lists the events of a campaign.
pub(super) async fn events(api: &Api, selector: Selector, all: bool, screen: &Screen) -> Result<(), Failure> {
    let id = campaign_id(api, selector).await?;
    let path = format!("/campaigns/{id}/events");
    let query = [("all", u8::from(all))];
    if screen.json {
        return screen.value(&api.get_with::<Value>(&path, &query).await?);
    }
    let list: List<Event> = api.get_with(&path, &query).await?;
    let mut table = Table::new(&["id", "age", "severity", "code", "state", "cluster", "times", "message"], screen);
    for event in &list.items {
        table.row([
            event.id.to_string(),
            age(event.date_open),
            event.severity.clone(),
            event.code.clone(),
            event.state.clone(),
            event.cluster_name.clone().unwrap_or_else(|| "-".into()),
            event.count.to_string(),
            event.message.clone(),
        ]);
    }
    table.print(if all { "no events" } else { "no open events; --all shows the closed ones" })
}

/// What holds a campaign, as lines: its open events or, where there are none, what the last rounds said.
pub(crate) async fn obstacles(api: &Api, campaign: i64) -> Result<Vec<String>, Failure> {
    let events: List<Event> = api.get(&format!("/campaigns/{campaign}/events")).await?;
    if !events.items.is_empty() {
        return Ok(events.items.iter().map(event_line).collect());
    }
    let why: List<Refusal> = api.get(&format!("/campaigns/{campaign}/why")).await?;
    let line = |refusal: &Refusal| format!("{}: {}", plain(&refusal.cluster), indented(&refusal.reason));
    Ok(why.items.iter().map(line).collect())
}

/// An event in a line (or more, where its message has them).
pub(crate) fn event_line(event: &Event) -> String {
    let cluster = event.cluster_name.as_ref().map(|name| format!(" on {}", plain(name))).unwrap_or_default();
    let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
    format!("{}{cluster}{times}: {}", plain(&event.code), indented(&event.message))
}

/// Several lines below their first one.
pub(super) fn indented(text: &str) -> String {
    text.trim_end().lines().map(plain).collect::<Vec<_>>().join("\n      ")
}
