//! `max_failures`: how many tasks may fail for good before the campaign goes on hold.

use super::field::Field;
use super::parts::MaxFailures;
use super::problem::{Problem, Report};
use super::tree::Value;
use super::written::Written;

/// As many tasks as a campaign can have.
const MOST: u64 = 1_000_000_000;

/// The bound, where the campaign gives one.
pub(super) fn resolve_max_failures(written: &Written, report: &mut Report) -> Option<MaxFailures> {
    let field = written.field("max_failures").map(|(key, node)| Field::new("", key, node))?;
    if field.is_none() { None } else { report.take(max_failures(&field)) }
}

fn max_failures(field: &Field<'_>) -> Result<MaxFailures, Problem> {
    let share = match &field.node.value {
        Value::Text(text) => text.trim().strip_suffix('%'),
        _ => None,
    };
    let found = match share {
        Some(digits) => {
            digits.trim().parse::<u8>().ok().filter(|share| (1..=100).contains(share)).map(MaxFailures::Percent)
        }
        None => field.digits(MOST).map(MaxFailures::Tasks),
    };
    found.ok_or_else(|| field.problem("a number of tasks from 1, or a share such as `\"10%\"`, from 1% to 100%"))
}
