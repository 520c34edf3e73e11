//! Comparisons as Markdown tables, and their place in a document.

use super::{Comparison, Row};
use crate::table::{percent, time};

/// The line before the tables.
pub const BEGIN: &str = "<!-- tables: begin -->";
/// The line after them.
pub const END: &str = "<!-- tables: end -->";

/// An overview of all scenarios, then a table for each.
pub fn document(comparisons: &[Comparison], seeds: u64) -> String {
    let mut text = format!("Means over {seeds} seeds.\n\n");
    text.push_str(&overview(comparisons));
    for one in comparisons {
        text.push_str(&format!("\n### {}\n\n{}\n\n{}", one.scenario, one.about, table(one)));
    }
    text
}

/// `text` with the tables between its markers replaced.
///
/// # Errors
/// In words, if the markers are not there.
pub fn insert(text: &str, tables: &str) -> Result<String, String> {
    let missing = || format!("the document has no lines \"{BEGIN}\" and \"{END}\", in this order");
    let (before, rest) = text.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", tables.trim()))
}

/// Rows are those of the same way with file servers as the adaptive law's first one.
fn overview(comparisons: &[Comparison]) -> String {
    let mut text = String::from(
        "| scenario | adaptive | best tap-3 | difference in points | tap-3 as shipped (100) | best tap-paper | best fixed |\n\
         |---|---|---|---|---|---|---|\n",
    );
    for one in comparisons {
        let of = |law: &str| one.rows.iter().find(|row| row.law.starts_with(law));
        let cell = |law: &str| of(law).map_or_else(|| "-".to_owned(), |row| used(row, law));
        let gain = of("adaptive").zip(of("tap-3")).map(|(ours, tap)| (ours.utilisation - tap.utilisation) * 100.0);
        let gain = gain.map_or_else(|| "-".to_owned(), |gain| format!("{gain:+.1}"));
        let cells = [cell("adaptive"), cell("tap-3"), gain, percent(one.shipped), cell("tap-paper"), cell("fixed")];
        text.push_str(&format!("| {} | {} |\n", one.scenario, cells.join(" | ")));
    }
    text
}

/// `93.4 % (300)`: what was tuned in brackets.
fn used(row: &Row, law: &str) -> String {
    let tuned = row.law.trim_start_matches(law).trim();
    let used = percent(row.utilisation);
    if tuned.is_empty() { used } else { format!("{used} ({tuned})") }
}

fn table(one: &Comparison) -> String {
    let has = |of: fn(&Row) -> bool| one.rows.iter().any(of);
    let (server, users, normal) =
        (has(|row| row.overload.is_some()), has(|row| row.jain.is_some()), has(|row| row.rounds_worse.is_some()));
    let mut header =
        vec!["law", "used of free", "makespan", "waiting: mean, p95", "slowdown: mean, worst", "requests/job"];
    if normal {
        header.extend(["kills (core-h lost)", "normal jobs' wait in rounds: mean, p95"]);
    }
    if users {
        header.push("fairness");
    }
    if server {
        header.push("file server over its limit (excess)");
    }
    let mut text = format!("| {} |\n|{}\n", header.join(" | "), "---|".repeat(header.len()));
    for row in &one.rows {
        text.push_str(&format!("| {} |\n", cells(row, (normal, users, server)).join(" | ")));
    }
    text
}

fn cells(row: &Row, (normal, users, server): (bool, bool, bool)) -> Vec<String> {
    let makespan = time(row.makespan_s);
    let mut cells = vec![
        row.law.clone(),
        format!("{} of {:.0} core-h", percent(row.utilisation), row.free_core_h),
        if row.finished { makespan } else { format!("cut at {makespan}") },
        format!("{:.1}, {:.0}", row.waiting.0, row.waiting.1),
        if row.finished { format!("{:.2}, {:.2}", row.slowdown.0, row.slowdown.1) } else { "-".to_owned() },
        format!("{:.2}", row.calls_per_job),
    ];
    if normal {
        cells.push(format!("{:.0} ({:.1})", row.kills.0, row.kills.1));
        let worse = row.rounds_worse.map(|[mean, p95]| format!("{mean}, {p95}"));
        cells.push(worse.unwrap_or_else(|| "-".to_owned()));
    }
    if users {
        cells.push(row.jain.map_or_else(|| "-".to_owned(), |jain| format!("{jain:.3}")));
    }
    if server {
        let over = row.overload.map(|load| format!("{} ({:.0})", percent(load.time_over), load.excess));
        cells.push(over.unwrap_or_else(|| "-".to_owned()));
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_go_between_the_markers_and_nothing_else_changes() {
        let text = format!("a\n{BEGIN}\nold\n{END}\nz\n");
        let once = insert(&text, "new\n").unwrap();
        assert_eq!(once, format!("a\n{BEGIN}\n\nnew\n\n{END}\nz\n"));
        assert_eq!(insert(&once, "new\n").unwrap(), once);
        assert!(insert("nothing", "new").unwrap_err().contains(BEGIN));
    }
}
