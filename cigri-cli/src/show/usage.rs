//! `cigri usage`: what campaigns had of clusters, in core-hours; and how clusters are used.

use cigri_api::{CoreHours, GridUsage, Usage, UsageRow};
use serde_json::Value;

use super::campaign_id;
use super::table::{Table, moment};
use crate::api::{Api, ApiError};
use crate::cli::{By, UsageOptions};
use crate::exit::Failure;
use crate::screen::Screen;

type Query = Vec<(&'static str, String)>;

/// Shows accounts, or how clusters are used.
pub(super) async fn usage(api: &Api, options: &UsageOptions, screen: &Screen) -> Result<(), Failure> {
    let path = if options.grid { "/gridusage" } else { "/usage" };
    let query = query(api, options).await?;
    if options.csv {
        return screen.write(&api.text_with(path, &query).await?);
    }
    if screen.json {
        return screen.value(&api.get_with::<Value>(path, &query).await?);
    }
    if options.grid {
        return grid(&api.get_with(path, &query).await?, screen);
    }
    accounts(&api.get_with(path, &query).await?, options.by, screen)
}

async fn query(api: &Api, options: &UsageOptions) -> Result<Query, Failure> {
    let mut query = Query::new();
    let mut give = |key, value: Option<String>| query.extend(value.map(|value| (key, value)));
    give("from", options.from.clone());
    give("to", options.to.clone());
    give("cluster", options.cluster.clone());
    give("format", options.csv.then(|| "csv".to_owned()));
    if options.grid {
        give("step", options.step.map(|step| step.to_string()));
        return Ok(query);
    }
    give("by", Some(options.by.as_str().to_owned()));
    give("user", options.user.clone());
    if let Some(campaign) = options.campaign {
        give("campaign", Some(campaign_id(api, campaign).await?.to_string()));
    }
    Ok(query)
}

fn accounts(usage: &Usage, by: By, screen: &Screen) -> Result<(), Failure> {
    let titles: &[&str] = match by {
        By::User => &["user"],
        By::Campaign => &["campaign", "name", "user"],
        By::Cluster => &["cluster"],
        By::Day => &["day"],
    };
    let figures = ["useful h", "lost h", "failed h", "cancelled h", "useful", "jobs done", "killed", "failed"];
    let mut table = Table::new(&[titles, &figures[..]].concat(), screen);
    for row in &usage.items {
        table.cells(&[head(row, by), shown(row)].concat());
    }
    table.print("nothing was had of any cluster in this time")?;
    if usage.items.len() > 1 {
        screen.note(&format!("all together: {}", sentence(&usage.sum.core_hours)));
    }
    remarks(&usage.sum, screen);
    Ok(())
}

fn head(row: &UsageRow, by: By) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    match by {
        By::User => vec![text(&row.user)],
        By::Campaign => {
            vec![row.campaign.map_or_else(|| "-".to_owned(), |id| id.to_string()), text(&row.name), text(&row.user)]
        }
        By::Cluster => vec![text(&row.cluster)],
        By::Day => vec![text(&row.day)],
    }
}

fn shown(row: &UsageRow) -> Vec<String> {
    let hours = &row.core_hours;
    let times = [hours.useful, hours.lost, hours.failed, hours.cancelled].map(in_hours);
    let jobs = [row.jobs.done, row.jobs.killed, row.jobs.failed].map(|number| number.to_string());
    times.into_iter().chain([share(hours.useful, hours)]).chain(jobs).collect()
}

/// What cannot be seen from the figures alone.
fn remarks(sum: &UsageRow, screen: &Screen) {
    if sum.jobs.guessed > 0 {
        let guessed = sum.jobs.guessed;
        screen.note(&format!("{guessed} jobs did not say how many cores they asked for: what is not said counts 1"));
    }
    if sum.jobs.untimed > 0 {
        screen.note(&format!("{} jobs were too short to be seen running: they count no time", sum.jobs.untimed));
    }
}

fn grid(usage: &GridUsage, screen: &Screen) -> Result<(), Failure> {
    let mut table = Table::new(&["date", "cluster", "resources", "used", "by cigri", "out of order", "free"], screen);
    for item in &usage.items {
        for cluster in &item.clusters {
            let free = cluster.max_resources - cluster.used_resources - cluster.unavailable_resources;
            table.row([
                moment(item.date),
                cluster.cluster_name.clone(),
                cluster.max_resources.to_string(),
                cluster.used_resources.to_string(),
                cluster.used_by_cigri.to_string(),
                cluster.unavailable_resources.to_string(),
                free.max(0).to_string(),
            ]);
        }
    }
    table.print("no cluster was sampled in this time")
}

/// The line of one campaign for `cigri status`; nothing if there is nothing to tell, or it may not be seen.
pub(super) async fn of_campaign(api: &Api, id: i64) -> Option<String> {
    let query = [("campaign", id.to_string())];
    let usage: Result<Usage, ApiError> = api.get_with("/usage", &query).await;
    let hours = usage.ok()?.sum.core_hours;
    (hours.total() > 0.0).then(|| sentence(&hours))
}

/// `12.3 core-hours (85 % useful, 10 % lost to kills, 5 % failed)`.
fn sentence(hours: &CoreHours) -> String {
    let parts = [
        (hours.useful, "useful"),
        (hours.lost, "lost to kills"),
        (hours.failed, "failed"),
        (hours.cancelled, "cancelled"),
    ];
    let told =
        parts.iter().filter(|(part, _)| *part > 0.0).map(|(part, word)| format!("{} {word}", share(*part, hours)));
    let told: Vec<String> = told.collect();
    let total = in_hours(hours.total());
    if told.is_empty() { format!("{total} core-hours") } else { format!("{total} core-hours ({})", told.join(", ")) }
}

fn share(part: f64, hours: &CoreHours) -> String {
    let total = hours.total();
    if total > 0.0 { format!("{:.0} %", 100.0 * part / total) } else { "-".to_owned() }
}

/// As many digits as tell something.
fn in_hours(hours: f64) -> String {
    match hours {
        0.0 => "0".to_owned(),
        hours if hours < 0.01 => format!("{hours:.5}"),
        hours if hours < 10.0 => format!("{hours:.3}"),
        hours => format!("{hours:.1}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_told_with_their_shares() {
        let hours = CoreHours { useful: 8.5, lost: 1.0, failed: 0.5, cancelled: 0.0 };
        assert_eq!(sentence(&hours), "10.0 core-hours (85 % useful, 10 % lost to kills, 5 % failed)");
        assert_eq!(sentence(&CoreHours::default()), "0 core-hours");
        assert_eq!([0.0, 0.0004, 2.5, 1234.56].map(in_hours), ["0", "0.00040", "2.500", "1234.6"]);
    }
}
