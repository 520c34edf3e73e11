//! The rows of a benchmark as a table: medians over the rounds, each rate compared with the floor
//! of its own round, as a shared machine is never equally quiet twice.

use serde_json::Value;
use std::path::Path;

/// The label of the first row of every round.
const FLOOR: &str = "floor";

/// What is told of one label.
#[derive(Debug, PartialEq)]
struct Line {
    label: String,
    tasks: f64,
    per_second: f64,
    /// Rate by the floor's rate: median, least, most over the rounds.
    ratio: [f64; 3],
    /// Microseconds of processor time per task.
    own: f64,
    children: f64,
    threads: Vec<(String, f64)>,
}

/// Prints the table of the JSON lines in the file `rows`.
pub(crate) fn print(rows: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(rows).map_err(|error| format!("cannot read {}: {error}", rows.display()))?;
    let rows: Result<Vec<Value>, _> = text.lines().map(serde_json::from_str).collect();
    let rows = rows.map_err(|error| format!("a row is not JSON: {error}"))?;
    print!("{}", render(&summarise(&rows)));
    Ok(())
}

fn summarise(rows: &[Value]) -> Vec<Line> {
    let mut labels: Vec<&str> = Vec::new();
    for row in rows {
        let label = row["label"].as_str().unwrap_or_default();
        if !labels.contains(&label) {
            labels.push(label);
        }
    }
    labels.iter().map(|label| line(label, rows)).collect()
}

fn line(label: &str, rows: &[Value]) -> Line {
    let of = |wanted: &'_ str| -> Vec<&Value> {
        let is_wanted = |row: &&Value| row["label"] == wanted;
        rows.iter().filter(is_wanted).collect()
    };
    let runs = of(label);
    let ratios: Vec<f64> = runs.iter().zip(of(FLOOR)).map(|(run, floor)| rate(run) / rate(floor)).collect();
    let median_of = |field: &str| median(runs.iter().map(|run| per_task(run, &run[field])));
    Line {
        label: label.to_owned(),
        tasks: runs.first().map_or(0.0, |run| number(&run["tasks"])),
        per_second: median(runs.iter().map(|run| rate(run))),
        ratio: [
            median(ratios.iter().copied()),
            ratios.iter().copied().fold(f64::INFINITY, f64::min),
            ratios.iter().copied().fold(0.0, f64::max),
        ],
        own: median_of("own"),
        children: median_of("children"),
        threads: threads(&runs),
    }
}

/// Median microseconds per task of every thread name, largest first.
fn threads(runs: &[&Value]) -> Vec<(String, f64)> {
    let first = runs.first().and_then(|run| run["threads"].as_object());
    let names = first.into_iter().flat_map(|threads| threads.keys());
    let mut all: Vec<(String, f64)> = names
        .map(|name| {
            let times = runs.iter().map(|run| per_task(run, &run["threads"][name]));
            (name.clone(), median(times))
        })
        .collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    all
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(0.0)
}

fn rate(row: &Value) -> f64 {
    number(&row["tasks"]) / number(&row["elapsed"])
}

fn per_task(row: &Value, seconds: &Value) -> f64 {
    number(seconds) * 1e6 / number(&row["tasks"])
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn render(lines: &[Line]) -> String {
    let mut text = String::from(
        "| what | tasks | tasks/s | x floor (least-most) | CPU us/task | of it own | of it children |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let [ratio, least, most] = line.ratio;
        text += &format!(
            "| {} | {} | {:.0} | {ratio:.2} ({least:.2}-{most:.2}) | {:.0} | {:.0} | {:.0} |\n",
            line.label,
            line.tasks,
            line.per_second,
            line.own + line.children,
            line.own,
            line.children,
        );
    }
    for line in lines.iter().filter(|line| line.threads.len() > 1) {
        let parts = line.threads.iter().filter(|(_, time)| *time >= 0.5);
        let parts: Vec<String> = parts.map(|(name, t)| format!("{name} {t:.0}")).collect();
        text += &format!("\n{}, own CPU us/task by thread: {}\n", line.label, parts.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(label: &str, elapsed: f64, own: f64) -> Value {
        json!({
            "label": label, "tasks": 1000, "elapsed": elapsed, "own": own, "children": 0.5,
            "threads": { "main": own / 4.0, "worker": own / 2.0 },
        })
    }

    #[test]
    fn a_rate_is_compared_with_the_floor_of_its_own_round() {
        let rows = [
            row("floor", 1.0, 0.1),
            row("tool", 2.0, 0.2),
            row("floor", 4.0, 0.1),
            row("tool", 4.0, 0.2),
            row("floor", 2.0, 0.1),
            row("tool", 2.5, 0.2),
        ];
        let tool = &summarise(&rows)[1];
        assert_eq!(tool.ratio, [0.8, 0.5, 1.0]);
        assert_eq!(tool.per_second, 400.0);
        assert_eq!((tool.own, tool.children), (200.0, 500.0));
    }

    #[test]
    fn the_table_has_a_line_per_label_and_the_parts_of_the_largest_first() {
        let text = render(&summarise(&[row("floor", 1.0, 0.1), row("tool", 2.0, 0.2)]));
        assert!(text.contains("| tool | 1000 | 500 | 0.50 (0.50-0.50) | 700 | 200 | 500 |\n"));
        assert!(text.contains("tool, own CPU us/task by thread: worker 100, main 50\n"));
    }
}
