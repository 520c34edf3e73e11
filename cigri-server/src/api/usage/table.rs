//! The same as tables for spreadsheets (CSV, RFC 4180).
//!
//! What a user may name is text, whatever a spreadsheet would take it for: a cell that begins like a formula gets an
//! apostrophe before it.

use actix_web::HttpResponse;
use cigri_api::{GridUsage, Usage, UsageRow};

use crate::api::respond::ApiError;

/// What a cell begins with that a spreadsheet computes.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// An answer with this table.
pub(super) fn answer(table: Vec<u8>) -> HttpResponse {
    HttpResponse::Ok().content_type("text/csv; charset=utf-8").body(table)
}

/// Accounts, one row each.
pub(super) fn of_usage(usage: &Usage) -> Result<Vec<u8>, ApiError> {
    let heads: &[&str] = match usage.by.as_str() {
        "campaign" => &["user", "campaign", "name"],
        "user" => &["user"],
        "cluster" => &["cluster"],
        _ => &["day"],
    };
    let figures = [
        "useful_core_hours",
        "lost_core_hours",
        "failed_core_hours",
        "cancelled_core_hours",
        "jobs_done",
        "jobs_killed",
        "jobs_failed",
        "jobs_cancelled",
        "jobs_guessed",
        "jobs_untimed",
    ];
    let rows = usage.items.iter().map(|row| {
        let head = heads.iter().map(|head| head_of(row, head));
        head.chain(figures_of(row)).collect()
    });
    table(heads.iter().chain(&figures).map(|title| (*title).to_owned()).collect(), rows)
}

fn head_of(row: &UsageRow, head: &str) -> String {
    match head {
        "user" => text(row.user.as_deref()),
        "campaign" => row.campaign.map(|id| id.to_string()).unwrap_or_default(),
        "name" => text(row.name.as_deref()),
        "cluster" => text(row.cluster.as_deref()),
        _ => row.day.clone().unwrap_or_default(),
    }
}

fn figures_of(row: &UsageRow) -> impl Iterator<Item = String> {
    let (hours, jobs) = (row.core_hours, row.jobs);
    let hours = [hours.useful, hours.lost, hours.failed, hours.cancelled].map(|hours| format!("{hours:.6}"));
    let jobs = [jobs.done, jobs.killed, jobs.failed, jobs.cancelled, jobs.guessed, jobs.untimed];
    hours.into_iter().chain(jobs.map(|number| number.to_string()))
}

/// Samples, one row for each cluster and date.
pub(super) fn of_grid(usage: &GridUsage) -> Result<Vec<u8>, ApiError> {
    let titles = ["date", "cluster", "max_resources", "used_resources", "used_by_cigri", "unavailable_resources"];
    let rows = usage.items.iter().flat_map(|item| {
        item.clusters.iter().map(|cluster| {
            let date = chrono::DateTime::from_timestamp(item.date, 0);
            let date = date.map_or_else(|| item.date.to_string(), |date| date.format("%Y-%m-%dT%H:%M:%SZ").to_string());
            let numbers =
                [cluster.max_resources, cluster.used_resources, cluster.used_by_cigri, cluster.unavailable_resources];
            let head = [date, text(Some(&cluster.cluster_name))];
            head.into_iter().chain(numbers.map(|number| number.to_string())).collect()
        })
    });
    table(titles.map(str::to_owned).to_vec(), rows)
}

fn table(titles: Vec<String>, rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>, ApiError> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    for row in std::iter::once(titles).chain(rows) {
        writer
            .write_record(&row)
            .map_err(|error| ApiError::conflict(format!("the table cannot be written: {error}")))?;
    }
    writer.into_inner().map_err(|error| ApiError::conflict(format!("the table cannot be written: {error}")))
}

/// A text that stays one.
fn text(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    if text.starts_with(FORMULA) { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cigri_api::{CoreHours, JobCounts};

    #[test]
    fn a_name_is_never_a_formula_and_may_hold_what_it_likes() {
        let row = |name: &str| UsageRow {
            user: Some("alice".to_owned()),
            campaign: Some(7),
            name: Some(name.to_owned()),
            core_hours: CoreHours { useful: 1.5, ..CoreHours::default() },
            jobs: JobCounts { done: 2, ..JobCounts::default() },
            ..UsageRow::default()
        };
        let items = vec![row("=HYPERLINK(\"http://evil\")"), row("@a"), row("-1"), row("plain, \"quoted\"\nname")];
        let sum = UsageRow::default();
        let usage = Usage { by: "campaign".into(), user: None, from: None, to: None, total: 4, items, sum };
        let text = String::from_utf8(of_usage(&usage).unwrap()).unwrap();
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let names: Vec<String> = reader.records().map(|record| record.unwrap()[2].to_owned()).collect();
        assert_eq!(names, ["'=HYPERLINK(\"http://evil\")", "'@a", "'-1", "plain, \"quoted\"\nname"]);
        let head =
            "user,campaign,name,useful_core_hours,lost_core_hours,failed_core_hours,cancelled_core_hours,jobs_done,";
        assert!(text.starts_with(head), "{text}");
        assert!(text.contains("alice,7,'@a,1.500000,0.000000,0.000000,0.000000,2,0,0,0,0,0\r\n"), "{text}");
    }
}
