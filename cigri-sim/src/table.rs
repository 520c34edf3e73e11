//! An outcome for people.

use cigri_core::meter::law::LawSettings;
use comfy_table::{Table, presets::UTF8_FULL_CONDENSED};

use crate::outcome::{NormalWaits, Outcome};

/// What a law is called in tables: its name as in settings, what is tuned (jobs per submission, or waiting), and whether
/// file servers are steered.
pub fn law_name(law: &LawSettings, steered: bool) -> String {
    let tuned = match law {
        LawSettings::Adaptive(_) => String::new(),
        LawSettings::Tap3(law) => format!(" {}", law.max),
        LawSettings::TapPaper(law) => format!(" {}", law.max),
        LawSettings::Fixed(law) => format!(" {}", law.waiting),
    };
    let steered = if steered { " + PI" } else { "" };
    format!("{}{tuned}{steered}", law.name())
}

/// One run: the whole, then its clusters, then its campaigns.
pub fn show(outcome: &Outcome) -> String {
    let heading = format!("{} | law {} | seed {}", outcome.scenario, outcome.law, outcome.seed);
    let mut parts = vec![heading, summary(outcome), clusters(outcome), campaigns(outcome)];
    if !outcome.finished {
        parts.push("The run was cut before every task was done: raise limit_h.".to_owned());
    }
    parts.join("\n")
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    if !header.is_empty() {
        table.set_header(header.to_vec());
    }
    table
}

fn summary(outcome: &Outcome) -> String {
    let mut table = table(&[]);
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    let free = format!("{} of {:.1} free core-hours", percent(outcome.utilisation), outcome.free_core_h);
    row("utilisation", free);
    row("makespan", time(outcome.makespan_s));
    row("our waiting jobs", format!("mean {:.1}, p95 {}", outcome.waiting_mean, outcome.waiting_p95));
    row("killed", format!("{} jobs, {:.1} core-hours lost", outcome.kills, outcome.lost_core_h));
    row("slowdown of campaigns", format!("mean {:.2}, worst {:.2}", outcome.slowdown_mean, outcome.slowdown_max));
    row("requests per job", format!("{:.2}", outcome.calls_per_job));
    if let Some(jain) = outcome.jain {
        row("fairness (Jain)", format!("{jain:.3}"));
    }
    if let Some(load) = outcome.file_server {
        let text = format!("{} of the time, excess {:.0} load s", percent(load.time_over), load.excess);
        row("file server over its limit", text);
    }
    if let Some(normal) = outcome.normal {
        row("wait of normal jobs", waits(&normal));
    }
    table.to_string()
}

fn waits(normal: &NormalWaits) -> String {
    let (mean, p95) = normal.rounds_worse();
    format!(
        "mean {:.1} s ({:.1} without us), p95 {:.1} s ({:.1}); {:+.2} and {:+.2} rounds; {} jobs",
        normal.mean_s, normal.mean_without_s, normal.p95_s, normal.p95_without_s, mean, p95, normal.jobs
    )
}

fn clusters(outcome: &Outcome) -> String {
    let mut table = table(&["cluster", "jobs", "utilisation", "waiting", "p95", "kills", "requests"]);
    for one in &outcome.clusters {
        table.add_row([
            one.name.clone(),
            one.jobs.to_string(),
            percent(one.utilisation),
            format!("{:.1}", one.waiting_mean),
            one.waiting_p95.to_string(),
            one.kills.to_string(),
            one.calls.to_string(),
        ]);
    }
    table.to_string()
}

fn campaigns(outcome: &Outcome) -> String {
    let mut table = table(&["campaign", "owner", "tasks", "done", "took", "slowdown"]);
    for (at, one) in outcome.campaigns.iter().enumerate() {
        table.add_row([
            (at + 1).to_string(),
            one.owner.clone(),
            one.tasks.to_string(),
            one.done.to_string(),
            one.took_s.map_or_else(|| "not ended".to_owned(), time),
            format!("{:.2}", one.slowdown),
        ]);
    }
    table.to_string()
}

/// `93.4 %`
pub(crate) fn percent(part: f64) -> String {
    format!("{:.1} %", part * 100.0)
}

/// Seconds as people read them.
pub fn time(seconds: f64) -> String {
    let minutes = (seconds / 60.0).round() as u64;
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{} h {:02} min", minutes / 60, minutes % 60),
        s => format!("{:.1} d", s / 86_400.0),
    }
}
