//! Parameters for tasks that are added to a campaign: a JSON list, as CiGri 3's clients send it.

use super::limits::Limits;
use super::parameters::{NAMED, inline};
use super::problem::{Problem, Problems, Report};
use super::reader::read;
use super::sweep::check_words;

/// What problems call the list.
const NAME: &str = "jobs";

/// Reads a list of parameters: texts, or numbers and booleans that stand for theirs. Warnings come with it. `names` are
/// those of the campaign's parameters, if they have any: each text then gives all of them, a word each.
///
/// # Errors
/// The first fault of size, encoding or syntax, or all parameters that no job could get.
pub fn parse_added(text: &[u8], names: &[String], limits: &Limits) -> Result<(Vec<String>, Vec<Problem>), Problems> {
    let (root, _) = read(text, limits)?;
    let mut report = Report::default();
    let texts = inline(NAME, root, limits, &mut report).and_then(texts).unwrap_or_default();
    check_all_words(names, &texts, &mut report);
    Ok((texts, report.finish()?))
}

fn check_all_words(names: &[String], texts: &[String], report: &mut Report) {
    let wrong = texts.iter().enumerate().filter_map(|(at, text)| Some((at, check_words(names, text).err()?)));
    let mut more = 0;
    for (count, (at, problem)) in wrong.enumerate() {
        match count {
            0..NAMED => report.refuse(problem.at(format!("{NAME}[{at}]"))),
            _ => more += 1,
        }
    }
    if more > 0 {
        let found = format!("{more} more such texts");
        report.refuse(Problem::new(NAME, found, "a word for each parameter"));
    }
}

fn texts(parameters: super::Parameters) -> Option<Vec<String>> {
    match parameters {
        super::Parameters::Inline(texts) => Some(texts),
        _ => None,
    }
}
