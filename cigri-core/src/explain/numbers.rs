//! Ranges of numbers: below or above a threshold, or between two.

use super::{Column, Range, Trait};

/// A range between two numbers has to be better by this than one with a single threshold, which is easier to grasp.
const BETTER: f64 = 0.05;

/// A value, and how many of each sample have it.
#[derive(Clone, Copy)]
struct Step {
    value: f64,
    failed: usize,
    others: usize,
}

/// Steps `from..to`.
type Span = (usize, usize);

/// The best range of numbers; `None` where values are no numbers, or only one.
pub(super) fn best(column: &Column<'_>) -> Option<Trait> {
    let steps = steps(column)?;
    let gains: Vec<f64> = steps.iter().map(|step| column.gain(step.failed, step.others)).collect();
    let gain = |(from, to): Span| gains[from..to].iter().sum::<f64>();
    let threshold = best_edge(&gains)?;
    let between = densest(&gains);
    let is_edge = between.0 == 0 || between.1 == steps.len();
    let span = if !is_edge && gain(between) > gain(threshold) + BETTER { between } else { threshold };
    let inside = &steps[span.0..span.1];
    let (failed, others) = (inside.iter().map(|step| step.failed).sum(), inside.iter().map(|step| step.others).sum());
    Some(column.told(range(&steps, span), failed, others))
}

/// The values in order, each once.
fn steps(column: &Column<'_>) -> Option<Vec<Step>> {
    let failed = numbers(&column.failed)?.into_iter().map(|value| Step { value, failed: 1, others: 0 });
    let others = numbers(&column.others)?.into_iter().map(|value| Step { value, failed: 0, others: 1 });
    let mut all: Vec<Step> = failed.chain(others).collect();
    all.sort_by(|one, other| one.value.total_cmp(&other.value));
    let mut steps: Vec<Step> = Vec::new();
    for step in all {
        match steps.last_mut() {
            Some(last) if last.value == step.value => {
                last.failed += step.failed;
                last.others += step.others;
            }
            _ => steps.push(step),
        }
    }
    (steps.len() > 1).then_some(steps)
}

fn numbers(texts: &[&str]) -> Option<Vec<f64>> {
    let number = |text: &&str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    // The zero below zero is the same number.
    texts.iter().map(|text| number(text).map(|number| number + 0.0)).collect()
}

/// The best of the spans that reach to one end, but not to both.
fn best_edge(gains: &[f64]) -> Option<Span> {
    let mut sums = vec![0.0];
    for gain in gains {
        sums.push(sums.last().copied().unwrap_or(0.0) + gain);
    }
    let all = gains.len();
    let gain = |(from, to): &Span| sums[*to] - sums[*from];
    let edges = (1..all).flat_map(|cut| [(0, cut), (cut, all)]);
    edges.max_by(|one, other| gain(one).total_cmp(&gain(other)))
}

/// The span of the largest sum (Kadane).
fn densest(gains: &[f64]) -> Span {
    let (mut best, mut most) = ((0, 1), f64::MIN);
    let (mut from, mut sum) = (0, 0.0);
    for (at, gain) in gains.iter().enumerate() {
        if sum <= 0.0 {
            (from, sum) = (at, 0.0);
        }
        sum += gain;
        if sum > most {
            (best, most) = ((from, at + 1), sum);
        }
    }
    best
}

fn range(steps: &[Step], (from, to): Span) -> Range {
    let value = |at: usize| steps[at].value;
    match (from, to == steps.len()) {
        (0, _) => {
            Range::Below(simplest((value(to - 1), value(to)), |number| value(to - 1) < number && number <= value(to)))
        }
        (_, true) => Range::Above(simplest((value(from - 1), value(from)), |number| {
            value(from - 1) <= number && number < value(from)
        })),
        _ => Range::Between(value(from), value(to - 1)),
    }
}

/// The number with the fewest digits near the middle of two, that fits between them.
fn simplest((low, high): (f64, f64), fits: impl Fn(f64) -> bool) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    let round = |digits: usize| format!("{middle:.digits$e}").parse::<f64>().ok();
    let ends = [low, high].into_iter();
    (0..17).filter_map(round).chain(ends).find(|number| fits(*number)).unwrap_or(middle)
}
