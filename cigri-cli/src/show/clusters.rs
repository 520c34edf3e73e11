//! `cigri clusters`: one line per cluster.

use cigri_api::{Cluster, List};
use serde_json::Value;

use super::table::{Table, age};
use crate::api::Api;
use crate::exit::Failure;
use crate::screen::Screen;

/// Lists the clusters.
pub(super) async fn clusters(api: &Api, screen: &Screen) -> Result<(), Failure> {
    if screen.json {
        return screen.value(&api.get::<Value>("/clusters").await?);
    }
    let list: List<Cluster> = api.get("/clusters").await?;
    let mut table =
        Table::new(&["cluster", "kind", "mode", "waiting", "live", "url", "last round", "note", "hold"], screen);
    for cluster in &list.items {
        table.row([
            cluster.name.clone(),
            cluster.kind.clone(),
            cluster.mode.clone(),
            cluster.waiting.to_string(),
            cluster.live.to_string(),
            cluster.url.clone(),
            cluster.last_round.map_or_else(|| "-".to_owned(), |at| format!("{} ago", age(at))),
            if cluster.note.is_empty() { "-".to_owned() } else { cluster.note.clone() },
            cluster.hold.clone().unwrap_or_else(|| "-".into()),
        ]);
    }
    table.print("no clusters")
}
