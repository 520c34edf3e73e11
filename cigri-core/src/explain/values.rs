//! Sets of values, for parameters that are no numbers or have few of them.

use std::collections::BTreeMap;

use super::{Column, Range, Trait};

/// A parameter with more values than this is no choice among a few.
const MOST_VALUES: usize = 20;
/// Most values that one set names.
const MOST_NAMED: usize = 5;

/// The best set of values, and among how many it was chosen; `None` where there are too many, or only one.
pub(super) fn best(column: &Column<'_>) -> Option<(Trait, usize)> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for value in &column.failed {
        counts.entry(value).or_default().0 += 1;
        if counts.len() > MOST_VALUES {
            return None;
        }
    }
    for value in &column.others {
        counts.entry(value).or_default().1 += 1;
        if counts.len() > MOST_VALUES {
            return None;
        }
    }
    let kinds = counts.len();
    let gain = |(failed, others): (usize, usize)| column.gain(failed, others);
    let mut chosen: Vec<(&str, (usize, usize))> = counts.into_iter().filter(|(_, both)| gain(*both) > 0.0).collect();
    chosen.sort_by(|(_, one), (_, other)| gain(*other).total_cmp(&gain(*one)));
    chosen.truncate(MOST_NAMED);
    chosen.sort_unstable();
    if kinds < 2 || chosen.is_empty() {
        return None;
    }
    let (failed, others) = (chosen.iter().map(|(_, both)| both.0).sum(), chosen.iter().map(|(_, both)| both.1).sum());
    let range = Range::OneOf(chosen.iter().map(|(value, _)| (*value).to_owned()).collect());
    Some((column.told(range, failed, others), kinds))
}
