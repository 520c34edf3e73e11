//! `--dry-run`: what would become of a campaign, in a report that fits a screen.

use cigri_api::{ClusterPreview, CommandLine, DryRun};
use serde_json::Value;

use super::campaign_file::CampaignFile;
use super::submit::send;
use crate::attach::with_server;
use crate::exit::{Exit, Failure};
use crate::place::Place;
use crate::screen::{Screen, plain};

/// Asks what would become of the campaign, and shows it. Refusals are those of a submission.
pub(super) async fn dry_run(place: &Place, file: &CampaignFile, screen: &Screen) -> Result<Exit, Failure> {
    with_server(place, async |api| {
        let report: DryRun = send(api, place, file, "/campaigns?dry_run=1").await?;
        if screen.json {
            screen.value(&report)?;
            return Ok(Exit::Success);
        }
        screen.write(&text(&report))?;
        for notice in &report.notices {
            screen.note(&format!("note: {}", plain(notice)));
        }
        for warning in &report.warnings {
            screen.warn(&plain(warning));
        }
        Ok(Exit::Success)
    })
    .await
}

fn text(report: &DryRun) -> String {
    let name = report.jdl["name"].as_str().unwrap_or_default();
    let tasks = match report.tasks {
        Some(1) => "1 task".to_owned(),
        Some(tasks) => format!("{tasks} tasks"),
        None => "tasks without an end".to_owned(),
    };
    let ends = report.ends_within_s.map(|ends| format!(", {} at most if it gets all it may have", duration(ends)));
    let mut text = format!("campaign `{}`: {tasks}{}; nothing was sent\n", plain(name), ends.unwrap_or_default());
    let mut told: Option<&ClusterPreview> = None;
    for (name, preview) in &report.clusters {
        text.push_str(&format!("\ncluster {}\n", plain(name)));
        let mut lines = settings(&report.jdl["clusters"][name.as_str()]);
        let matching =
            preview.matching_resources.map(|matching| ("matching".to_owned(), format!("{matching} resources")));
        lines.extend(matching);
        // Most campaigns run the same everywhere: their commands are told once.
        if told.is_none_or(|told| (&told.first, &told.last) != (&preview.first, &preview.last)) {
            lines.extend(commands(preview));
        }
        told = Some(preview);
        lines.extend(
            preview.requests.iter().map(|request| (request.of.clone(), format!("POST /jobs {}", request.body))),
        );
        let width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        let line = |(label, value): &(String, String)| format!("  {label:width$}  {}\n", plain(value));
        text.extend(lines.iter().map(line));
    }
    text
}

/// What is set; a field that is null, false or empty is not used.
fn settings(fields: &Value) -> Vec<(String, String)> {
    let is_set = |value: &Value| match value {
        Value::Null | Value::Bool(false) => false,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let fields = fields.as_object().into_iter().flatten();
    fields.filter(|(_, value)| is_set(value)).map(|(name, value)| (name.clone(), shown(value))).collect()
}

fn commands(preview: &ClusterPreview) -> Vec<(String, String)> {
    let line = |command: &CommandLine| (format!("task {}", command.index), command.command.clone());
    let mut lines: Vec<(String, String)> = preview.first.iter().map(line).collect();
    let before = preview.first.last().map_or(0, |command| command.index + 1);
    if preview.last.first().is_some_and(|command| command.index > before) {
        lines.push(("...".to_owned(), String::new()));
    }
    lines.extend(preview.last.iter().map(line));
    lines
}

fn duration(seconds: u64) -> String {
    match (seconds / 86_400, seconds % 86_400 / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes:02} min"),
        (days, hours, ..) => format!("{days} d {hours:02} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn preview(cluster: &str, last: u64) -> Value {
        let line = |index: u64| json!({"index": index, "command": format!("run {index}")});
        json!({"first": [line(0), line(1), line(2)], "last": [line(last)], "requests": [{"of": "tasks", "body": {"command": cluster}}]})
    }

    #[test]
    fn a_report_is_aligned_and_says_the_same_commands_once() {
        let clusters = json!({
            "a": {"walltime": "01:00:00", "project": null, "type": "normal", "prologue": [], "max_jobs": 3},
            "b": {"exec_file": "run"}
        });
        let report: DryRun = serde_json::from_value(json!({
            "tasks": 9, "jdl": {"name": "c\u{1b}", "clusters": clusters}, "ends_within_s": 3700,
            "clusters": {"a": preview("x", 8), "b": preview("y", 8)}, "warnings": [], "notices": []
        }))
        .unwrap();
        let expected = "\
campaign `c\\u{1b}`: 9 tasks, 1 h 01 min at most if it gets all it may have; nothing was sent

cluster a
  walltime  01:00:00
  type      normal
  max_jobs  3
  task 0    run 0
  task 1    run 1
  task 2    run 2
  ...       
  task 8    run 8
  tasks     POST /jobs {\"command\":\"x\"}

cluster b
  exec_file  run
  tasks      POST /jobs {\"command\":\"y\"}
";
        assert_eq!(text(&report), expected);
    }

    #[test]
    fn durations_have_two_units() {
        let shown: Vec<String> = [5, 65, 3660, 90_000].map(duration).into();
        assert_eq!(shown, ["5 s", "1 min 05 s", "1 h 01 min", "1 d 01 h"]);
    }
}
