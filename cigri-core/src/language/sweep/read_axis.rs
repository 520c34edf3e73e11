//! The values of one parameter as written: a list, or an object that says from where to where.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::super::field::Field;
use super::super::limits::Limits;
use super::super::parameters::{MOST_JOBS, check_parameter};
use super::super::problem::{Problem, Report};
use super::super::tree::{Node, Value};
use super::axis::Axis;
use super::design::Spread;
use super::numbers::{decimal, is_exact, real};
use super::object::Object;

/// Most values that a sweep lists, and their bytes: the campaign carries them wherever it goes.
const MOST_VALUES: usize = 10_000;
const MOST_BYTES: usize = 256 << 10;

const AXIS: &str = "a list of values, or a range with `from`, `to` and either `step` or `count`";
const SPREAD: &str = "bounds `from` and `to`, or a list of values";

/// Whole numbers beyond this are not exact in binary.
const WHOLE: i64 = 1 << 53;

/// What has been listed so far.
#[derive(Default)]
pub(super) struct Budget {
    values: usize,
    bytes: usize,
}

impl Budget {
    fn spend(&mut self, field: &Field<'_>, values: &[String]) -> Result<(), Problem> {
        self.values += values.len();
        self.bytes += values.iter().map(String::len).sum::<usize>();
        if self.values <= MOST_VALUES && self.bytes <= MOST_BYTES {
            return Ok(());
        }
        Err(field
            .problem(&format!("at most {MOST_VALUES} values of {} KiB in all lists together", MOST_BYTES >> 10))
            .hint("put the points into a `csv` or `jsonl` file, which may have any size"))
    }
}

/// An axis of a grid.
pub(super) fn read_axis(field: &Field<'_>, budget: &mut Budget, report: &mut Report) -> Option<Axis> {
    match Object::of(field) {
        Some(range) => {
            range.check_keys(&["from", "to", "step", "count", "scale"], report);
            report.take(read_range(field, &range))
        }
        None => list(field, AXIS, budget, report).map(Axis::List),
    }
}

/// The bounds of a drawn parameter.
pub(super) fn read_spread(field: &Field<'_>, budget: &mut Budget, report: &mut Report) -> Option<Spread> {
    match Object::of(field) {
        Some(range) => {
            range.check_keys(&["from", "to", "integer", "scale"], report);
            report.take(read_bounds(field, &range))
        }
        None => list(field, SPREAD, budget, report).map(Spread::List),
    }
}

fn list(field: &Field<'_>, expected: &str, budget: &mut Budget, report: &mut Report) -> Option<Vec<String>> {
    let values = match &field.node().value {
        Value::Texts(texts) if !texts.is_empty() => texts.clone(),
        Value::List(items) if !items.is_empty() => {
            report.take(items.iter().zip(0..).map(|item| scalar(field, item)).collect())?
        }
        _ => {
            report.refuse(field.problem(expected));
            return None;
        }
    };
    let limits = Limits::default();
    for (value, index) in values.iter().zip(0..) {
        if let Err(problem) = check_parameter(value, &limits) {
            report.refuse(problem.at(format!("{}[{index}]", field.path())));
            return None;
        }
    }
    report.take(budget.spend(field, &values))?;
    Some(values)
}

fn scalar(field: &Field<'_>, (node, index): (&Node, usize)) -> Result<String, Problem> {
    match &node.value {
        Value::Text(text) | Value::Number(text) => Ok(text.clone()),
        Value::Bool(value) => Ok(value.to_string()),
        other => {
            let path = format!("{}[{index}]", field.path());
            Err(Problem::new(path, other.excerpt(), "a text, a number, `true` or `false`")
                .on_line(node.place.0, node.place.1))
        }
    }
}

fn read_range(field: &Field<'_>, range: &Object<'_>) -> Result<Axis, Problem> {
    let log = is_log(range)?;
    let count = range.field("count").map(|count| count.whole_number(MOST_JOBS)).transpose()?;
    match (range.field("step"), count) {
        (None, Some(1)) => Err(field.found("a `count` of 1", "a `count` from 2")),
        (None, Some(count)) if log => {
            let (from, to) = log_bounds(field, range)?;
            Ok(Axis::Log { from, to, count })
        }
        (None, Some(count)) => {
            let axis = Axis::Linear { from: exact(field, range, "from")?, to: exact(field, range, "to")?, count };
            if axis.value(count - 1).is_some() { Ok(axis) } else { Err(too_many_digits(field)) }
        }
        (Some(_), None) if !log => steps(field, range, exact(field, range, "step")?),
        (None, None) if !log => match (exact(field, range, "from")?, exact(field, range, "to")?) {
            (from, to) if from.is_integer() && to.is_integer() => {
                steps(field, range, if from <= to { Decimal::ONE } else { Decimal::NEGATIVE_ONE })
            }
            _ => Err(field.found("none of `step` and `count`", AXIS)),
        },
        (Some(_), None) => Err(field.found("`step` in a logarithmic scale", "`count` where the scale is `log`")),
        _ => Err(field.found("none or both of `step` and `count`", AXIS)),
    }
}

fn steps(field: &Field<'_>, range: &Object<'_>, step: Decimal) -> Result<Axis, Problem> {
    let [from, to] = [exact(field, range, "from")?, exact(field, range, "to")?];
    let way = to.checked_sub(from).ok_or_else(|| too_many_digits(field))?;
    let scale = from.scale().max(step.scale()).max(to.scale());
    if !is_exact(from.abs().max(to.abs()), scale) {
        return Err(too_many_digits(field));
    }
    if step.is_zero() || (!way.is_zero() && way.is_sign_negative() != step.is_sign_negative()) {
        return Err(
            field.found(&format!("a `step` of {step} from {from} to {to}"), "a `step` that leads from `from` to `to`")
        );
    }
    let whole_steps = way.checked_rem(step).and_then(|rest| (way - rest).checked_div(step));
    let count = whole_steps.and_then(|steps| steps.round().to_u64()).and_then(|steps| steps.checked_add(1));
    count
        .map(|count| Axis::Steps { from, step, count })
        .ok_or_else(|| field.found("more values than can be counted", AXIS))
}

fn read_bounds(field: &Field<'_>, range: &Object<'_>) -> Result<Spread, Problem> {
    let log = is_log(range)?;
    let whole = match range.field("integer") {
        Some(integer) => integer.truth()?,
        None => false,
    };
    if whole && log {
        return Err(field.found("`integer` in a logarithmic scale", "`integer` or `scale`, not both"));
    }
    if whole {
        let bound = |name| {
            let number = exact(field, range, name)?;
            let number = Some(number).filter(Decimal::is_integer).and_then(|number| number.to_i64());
            number.filter(|number| (-WHOLE..=WHOLE).contains(number)).ok_or_else(|| not_whole(field, range, name))
        };
        let (from, to) = (bound("from")?, bound("to")?);
        return if from <= to { Ok(Spread::Whole { from, to }) } else { Err(backwards(field)) };
    }
    let (from, to) = if log { log_bounds(field, range)? } else { reals(field, range)? };
    let ordered = real(&from).zip(real(&to)).is_some_and(|(from, to)| from < to && (to - from).is_finite());
    if ordered { Ok(Spread::Real { from, to, log }) } else { Err(backwards(field)) }
}

fn backwards(field: &Field<'_>) -> Problem {
    field.found("`from` that is not below `to`", "`from` below `to`")
}

fn not_whole(field: &Field<'_>, range: &Object<'_>, name: &str) -> Problem {
    let expected = "a whole number of at most 15 digits";
    range.field(name).map_or_else(|| field.problem(expected), |bound| bound.problem(expected))
}

fn is_log(range: &Object<'_>) -> Result<bool, Problem> {
    match range.field("scale") {
        Some(scale) => Ok(scale.text("`linear` or `log`", |text| ["linear", "log"].contains(&text))? == "log"),
        None => Ok(false),
    }
}

fn log_bounds(field: &Field<'_>, range: &Object<'_>) -> Result<(String, String), Problem> {
    let (from, to) = reals(field, range)?;
    let positive = [&from, &to].into_iter().all(|digits| real(digits).is_some_and(|number| number > 0.0));
    if positive {
        Ok((from, to))
    } else {
        Err(field.found("a bound that is not above 0", "bounds above 0 where the scale is `log`"))
    }
}

fn reals(field: &Field<'_>, range: &Object<'_>) -> Result<(String, String), Problem> {
    let bound = |name| {
        let digits = digits(field, range, name)?;
        real(digits).map(|_| digits.to_owned()).ok_or_else(|| field.found(digits, "a number of at most 308 digits"))
    };
    Ok((bound("from")?, bound("to")?))
}

fn exact(field: &Field<'_>, range: &Object<'_>, name: &str) -> Result<Decimal, Problem> {
    decimal(digits(field, range, name)?).ok_or_else(|| too_many_digits(field))
}

fn digits<'a>(field: &Field<'_>, range: &Object<'a>, name: &str) -> Result<&'a str, Problem> {
    match range.field(name).map(|bound| &bound.node().value) {
        Some(Value::Number(digits)) => Ok(digits),
        Some(_) => Err(range.field(name).map_or_else(|| field.problem(AXIS), |bound| bound.problem("a number"))),
        None => Err(field.found(&format!("no `{name}`"), "a range with `from` and `to`")),
    }
}

fn too_many_digits(field: &Field<'_>) -> Problem {
    field.found("numbers of too many digits", "numbers of at most 28 digits altogether, for exact steps")
}
