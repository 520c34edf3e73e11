//! Parameters for tasks that are added to a campaign: a JSON list, as CiGri 3's clients send it.

use super::limits::Limits;
use super::parameters::inline;
use super::problem::{Problem, Problems, Report};
use super::reader::read;

/// What problems call the list.
const NAME: &str = "jobs";

/// Reads a list of parameters: texts, or numbers and booleans that stand for theirs. Warnings come with it.
///
/// # Errors
/// The first fault of size, encoding or syntax, or all parameters that no job could get.
pub fn parse_added(text: &[u8], limits: &Limits) -> Result<(Vec<String>, Vec<Problem>), Problems> {
    let (root, _) = read(text, limits)?;
    let mut report = Report::default();
    let parameters = inline(NAME, root, limits, &mut report);
    let warnings = report.finish()?;
    Ok((parameters.and_then(texts).unwrap_or_default(), warnings))
}

fn texts(parameters: super::Parameters) -> Option<Vec<String>> {
    match parameters {
        super::Parameters::Inline(texts) => Some(texts),
        _ => None,
    }
}
