//! `retries`: how often a task is tried again after each class of failures, after what delay, and where.

use super::field::{Field, Setting};
use super::problem::{Problem, Report, excerpt, nearest};
use super::tree::{Node, Value};
use crate::failure::Class;
use crate::policy::{LONGEST_S, Place, Retries, Wanted};

/// Most retries of one class that can be written; an administrator's bound is mostly lower.
const MOST: i32 = 1_000_000;

const EXPECTED: &str = "a number of retries after exit codes, or an object with a number for each class of failures";

/// Reads the field, and tells all that is wrong with it.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Setting<Retries> {
    let mut problems = Vec::new();
    let found = match &field.node.value {
        Value::Object(members) => classes(field.path(), members, &mut problems),
        _ => vec![(Class::Exit, most_only(field, EXPECTED, &mut problems))],
    };
    let last = problems.pop();
    problems.into_iter().for_each(|problem| report.refuse(problem));
    Setting::read(field, report, |_| last.map_or_else(|| Ok(found.into_iter().collect()), Err))
}

fn classes(path: &str, members: &[(String, Node)], problems: &mut Vec<Problem>) -> Vec<(Class, Wanted)> {
    let mut found = Vec::new();
    for (key, node) in members.iter().filter(|(_, node)| node.value != Value::Null) {
        let member = Field::new(path, key, node);
        match key.parse::<Class>() {
            Ok(class) if class.has_budget() => found.push((class, wanted(&member, problems))),
            Ok(_) => problems.push(member.problem("nothing: tasks come back after that by themselves, without limit")),
            Err(_) => problems.push(unknown(&member, key)),
        }
    }
    found
}

fn unknown(member: &Field<'_>, key: &str) -> Problem {
    let known = || Class::ALL.iter().filter(|class| class.has_budget()).map(|class| class.as_str());
    let hint = match nearest(key, known()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known are: {}", known().collect::<Vec<_>>().join(", ")),
    };
    Problem { found: format!("`{}`", excerpt(key)), ..member.problem("a class of failures") }.hint(hint)
}

fn most_only(field: &Field<'_>, expected: &str, problems: &mut Vec<Problem>) -> Wanted {
    match field.signed_number((0, MOST)) {
        Ok(most) => Wanted { most: u32::try_from(most).ok(), ..Wanted::default() },
        Err(problem) => {
            let is_number = matches!(field.node.value, Value::Number(_));
            problems.push(if is_number { problem } else { field.problem(expected) });
            Wanted::default()
        }
    }
}

/// A number of retries, or an object of `most`, `delay_s` and `place`.
fn wanted(field: &Field<'_>, problems: &mut Vec<Problem>) -> Wanted {
    let Value::Object(members) = &field.node.value else {
        return most_only(field, "a number of retries, or an object with `most`, `delay_s` and `place`", problems);
    };
    let mut wanted = Wanted::default();
    for (key, node) in members.iter().filter(|(_, node)| node.value != Value::Null) {
        let member = Field::new(field.path(), key, node);
        let read = match key.as_str() {
            "most" => member.signed_number((0, MOST)).map(|most| wanted.most = u32::try_from(most).ok()),
            "delay_s" => {
                member.signed_number((0, LONGEST_S as i32)).map(|delay| wanted.delay_s = u64::try_from(delay).ok())
            }
            "place" => place(&member).map(|place| wanted.place = Some(place)),
            _ => Err(member.problem("`most`, `delay_s` or `place`")),
        };
        problems.extend(read.err());
    }
    wanted
}

fn place(member: &Field<'_>) -> Result<Place, Problem> {
    match member.as_text() {
        Some("first") => Ok(Place::First),
        Some("elsewhere") => Ok(Place::Elsewhere),
        Some("last") => Ok(Place::Last),
        _ => Err(member.problem("`first`, `elsewhere` or `last`")),
    }
}
