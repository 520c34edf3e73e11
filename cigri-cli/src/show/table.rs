//! Tables: fitted to the terminal where there is one, plain columns for programs otherwise; and times in words.

use std::io::IsTerminal;
use std::time::{SystemTime, UNIX_EPOCH};

use comfy_table::presets::NOTHING;
use comfy_table::{
    Attribute, Cell, Color, ColumnConstraint, ContentArrangement, ContentLineStyle, LineStyle, Row, TableStyle, Width,
};

use crate::exit::Failure;
use crate::screen::{Screen, plain};

/// Columns only, and a line below their titles.
const LINED: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::none())
    .header_separator(LineStyle::none().fill('─'))
    .content_lines(ContentLineStyle::none());
/// Columns whose texts may be long: they give way to the others.
const LONG: [&str; 11] =
    ["name", "parameters", "detail", "message", "reason", "url", "hold", "login", "value", "change", "note"];

/// They still keep so many characters.
const LEAST: u16 = 12;

/// A table that is being filled.
pub(crate) struct Table {
    inner: comfy_table::Table,
    screen: Screen,
    colored: bool,
    row_lines: usize,
}

impl Table {
    /// An empty table with these columns.
    pub(crate) fn new(columns: &[&str], screen: &Screen) -> Self {
        let mut inner = comfy_table::Table::new();
        let terminal = std::io::stdout().is_terminal();
        let colored = terminal && screen.color;
        if terminal {
            inner.load_style(LINED).set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            inner.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        }
        let header = columns.iter().map(|column| {
            let cell = Cell::new(column.to_uppercase());
            if colored { cell.add_attribute(Attribute::Bold) } else { cell }
        });
        inner.set_header(header.collect::<Vec<_>>());
        for (column, title) in inner.column_iter_mut().zip(columns) {
            let is_long = LONG.contains(title);
            let least = ColumnConstraint::LowerBoundary(Width::Fixed(LEAST));
            column.set_constraint(if is_long { least } else { ColumnConstraint::ContentWidth });
        }
        Self { inner, screen: *screen, colored, row_lines: usize::MAX }
    }

    /// Cuts each row after two lines, for tables of many rows.
    pub(crate) fn low_rows(mut self) -> Self {
        self.row_lines = 2;
        self
    }

    /// Adds a row. Its texts may come from anybody: control characters are shown escaped.
    pub(crate) fn row<const N: usize>(&mut self, texts: [String; N]) {
        self.cells(&texts);
    }

    /// The same, where the number of columns differs.
    pub(crate) fn cells(&mut self, texts: &[String]) {
        let cells = texts.iter().map(|text| self.cell(&plain(text)));
        let mut row = Row::from(cells.collect::<Vec<_>>());
        row.max_height(self.row_lines);
        self.inner.add_row(row);
    }

    /// Prints it, or says on standard error that there is nothing.
    pub(crate) fn print(&self, nothing: &str) -> Result<(), Failure> {
        if self.inner.is_empty() {
            self.screen.note(nothing);
            return Ok(());
        }
        // The plain style puts a blank before each line; programs do without.
        let margin = if self.inner.style() == NOTHING { " " } else { "" };
        let cut = |line: String| line.strip_prefix(margin).unwrap_or(&line).trim_end().to_owned();
        let lines: Vec<String> = self.inner.lines().map(cut).collect();
        self.screen.line(&lines.join("\n"))
    }

    /// States carry the colour that people expect.
    fn cell(&self, text: &str) -> Cell {
        let cell = Cell::new(text);
        if !self.colored {
            return cell;
        }
        match text {
            "done" | "terminated" => cell.fg(Color::Green),
            "failed" | "cancelled" | "high" => cell.fg(Color::Red),
            "running" | "in_treatment" => cell.fg(Color::Cyan),
            "paused" | "killed" | "returned" | "medium" => cell.fg(Color::Yellow),
            _ => cell,
        }
    }
}

/// Seconds in words: `8.2 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn duration(seconds: f64) -> String {
    if seconds < 59.95 {
        return format!("{seconds:.1} s");
    }
    // Never negative here, and whole seconds are enough.
    let whole = seconds.round() as u64;
    match whole {
        0..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{} d {} h", whole / 86_400, whole % 86_400 / 3_600),
    }
}

/// How long ago that was (epoch seconds), in whole units.
pub(crate) fn age(at: i64) -> String {
    coarse(now() - at)
}

/// A time (epoch seconds) to be found again: `2026-12-01 08:00:07 UTC`.
pub(crate) fn moment(at: i64) -> String {
    let time = chrono::DateTime::from_timestamp(at, 0);
    time.map_or_else(|| at.to_string(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// How long it is until then (epoch seconds).
pub(crate) fn age_until(at: i64) -> String {
    let left = at - now();
    if left <= 0 { "expired".to_owned() } else { format!("in {}", coarse(left)) }
}

fn coarse(seconds: i64) -> String {
    match seconds.max(0) {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7_200 => format!("{} min", seconds / 60),
        seconds @ 7_200..172_800 => format!("{} h", seconds / 3_600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Epoch seconds.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_long_as_needed() {
        assert_eq!(duration(0.04), "0.0 s");
        assert_eq!(duration(59.9), "59.9 s");
        assert_eq!(duration(59.97), "1 min 0 s");
        assert_eq!(duration(200.0), "3 min 20 s");
        assert_eq!(duration(7_500.0), "2 h 5 min");
        assert_eq!(duration(273_600.0), "3 d 4 h");
    }

    #[test]
    fn ages_are_coarse() {
        assert_eq!(coarse(-3), "0 s");
        assert_eq!(coarse(119), "119 s");
        assert_eq!(coarse(120), "2 min");
        assert_eq!(coarse(7_200), "2 h");
        assert_eq!(coarse(200_000), "2 d");
        assert_eq!(moment(0), "1970-01-01 00:00:00 UTC");
    }
}
