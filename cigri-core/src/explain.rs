//! What failures have in common: the parameter range in which nearly all of them are, and of the tasks that are done few.
//!
//! A range is judged by the share of the failures within it less that of the others (Youden's J). It is told only where
//! it separates well, and where chance alone would hardly find one as good in samples of this size.

mod numbers;
mod sample;
mod values;
mod word;

use std::fmt;

pub use sample::sample;
pub(crate) use word::Word;

/// A range has at least this part of the failures.
const COVERAGE: f64 = 0.8;
/// Their share within it is at least so many times that of the others.
const LIFT: f64 = 2.0;
/// The best of all ranges of numbers has by chance a J above this times [`chance`] in two of ten thousand samples
/// (Kuiper's statistic: (8c^2 - 2) exp(-2c^2)).
const DOUBT: f64 = 2.5;
/// Most ranges told.
const MOST: usize = 3;

/// A range of one parameter, and how much of both samples is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Trait {
    /// The parameter's name: `p1`, `p2`... for the words of unnamed ones.
    pub parameter: String,
    /// Its values.
    pub range: Range,
    /// Part of the failures, 0 to 1.
    pub of_failed: f64,
    /// Part of the others, 0 to 1.
    pub of_others: f64,
}

/// Values of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Range {
    /// Greater than.
    Above(f64),
    /// Less than.
    Below(f64),
    /// From one to the other, both included.
    Between(f64, f64),
    /// One of these.
    OneOf(Vec<String>),
}

impl Trait {
    /// Share of the failures less that of the others.
    fn gain(&self) -> f64 {
        self.of_failed - self.of_others
    }

    fn is_clear(&self) -> bool {
        self.of_failed >= COVERAGE && self.of_failed >= LIFT * self.of_others
    }

    /// The range as a condition of `cigri retry --where`, if it can be written as one.
    pub fn condition(&self) -> Option<String> {
        let name = &self.parameter;
        let number = |number: &f64| Word::Number(*number).literal();
        Some(match &self.range {
            Range::Above(least) => format!("{name} > {}", number(least)?),
            Range::Below(most) => format!("{name} < {}", number(most)?),
            Range::Between(least, most) => format!("{name} >= {} && {name} <= {}", number(least)?, number(most)?),
            Range::OneOf(values) => {
                let all = values.iter().map(|value| Word::read(value).literal()).collect::<Option<Vec<_>>>()?;
                format!("{name} in [{}]", all.join(", "))
            }
        })
    }
}

/// `98 % of the failures have alpha > 0.9, of the others 3 %`.
impl fmt::Display for Trait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.parameter;
        let range = match &self.range {
            Range::Above(least) => format!("{name} > {least}"),
            Range::Below(most) => format!("{name} < {most}"),
            Range::Between(least, most) => format!("{name} from {least} to {most}"),
            Range::OneOf(values) => format!("{name} = {}", values.join(" or ")),
        };
        let (failed, others) = (percent(self.of_failed), percent(self.of_others));
        write!(f, "{failed} of the failures have {range}, of the others {others}")
    }
}

/// Whole percent; what is not all or nothing is not told as such.
fn percent(share: f64) -> String {
    match share * 100.0 {
        all if all >= 100.0 => "100 %".to_owned(),
        nearly if nearly > 99.0 => "over 99 %".to_owned(),
        none if none <= 0.0 => "none".to_owned(),
        hardly if hardly < 1.0 => "under 1 %".to_owned(),
        usual => format!("{usual:.0} %"),
    }
}

/// What a J of this size is measured against: the spread that chance gives samples of these sizes.
fn chance(failed: usize, others: usize) -> f64 {
    (1.0 / failed as f64 + 1.0 / others as f64).sqrt()
}

/// Values of one parameter in both samples.
struct Column<'a> {
    name: String,
    failed: Vec<&'a str>,
    others: Vec<&'a str>,
}

impl Column<'_> {
    /// What so many of each sample are worth.
    fn gain(&self, failed: usize, others: usize) -> f64 {
        failed as f64 / self.failed.len() as f64 - others as f64 / self.others.len() as f64
    }

    /// A range with so many of each sample in it.
    fn told(&self, range: Range, failed: usize, others: usize) -> Trait {
        let of_failed = failed as f64 / self.failed.len() as f64;
        Trait { parameter: self.name.clone(), range, of_failed, of_others: others as f64 / self.others.len() as f64 }
    }

    /// Its best range, if that is clear.
    fn best(&self) -> Option<Trait> {
        let doubt = chance(self.failed.len(), self.others.len());
        let by_value = values::best(self).filter(|(found, kinds)| {
            // The more values there are to choose from, the more chance finds.
            found.gain() >= (DOUBT + (*kinds as f64).sqrt() / 2.0) * doubt && found.is_clear()
        });
        let by_number = numbers::best(self).filter(|found| found.gain() >= DOUBT * doubt && found.is_clear());
        match (by_number, by_value) {
            // A range of numbers says more than a list of them.
            (Some(number), Some((value, _))) if value.gain() > number.gain() + 0.1 => Some(value),
            (Some(number), _) => Some(number),
            (None, value) => value.map(|(value, _)| value),
        }
    }
}

/// The ranges that tell failed tasks from others, the clearest first; none where there is nothing to tell. Tasks are given
/// by their parameters' words, in the order of `names`; words without names are called `p1`, `p2`...
pub fn explain(names: &[String], failed: &[Vec<String>], others: &[Vec<String>]) -> Vec<Trait> {
    if failed.is_empty() || others.is_empty() {
        return Vec::new();
    }
    let width = failed.iter().chain(others).map(Vec::len).min().unwrap_or(0);
    let mut found: Vec<Trait> = (0..width).filter_map(|at| column_at(names, at, failed, others).best()).collect();
    found.sort_by(|one, other| other.gain().total_cmp(&one.gain()));
    found.truncate(MOST);
    found
}

fn column_at<'a>(names: &[String], at: usize, failed: &'a [Vec<String>], others: &'a [Vec<String>]) -> Column<'a> {
    let values =
        |tasks: &'a [Vec<String>]| tasks.iter().filter_map(|words| words.get(at)).map(String::as_str).collect();
    let name = names.get(at).cloned().unwrap_or_else(|| format!("p{}", at + 1));
    Column { name, failed: values(failed), others: values(others) }
}

/// The words of a task's parameters.
pub fn words(text: &str) -> Vec<String> {
    shlex::split(text).unwrap_or_else(|| text.split_whitespace().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests;
