//! `test_mode`: a sample of tasks that is run first, and what comes after it.

use std::collections::BTreeMap;

use super::field::{Field, Setting};
use super::parts::{AfterTest, TestMode};
use super::problem::{Problem, Report};
use super::reader::member_path;
use super::tree::{Node, Value};

/// Most tasks per cluster that are still a sample: these may be ordinary jobs, whatever the campaign's type is.
const MOST: u64 = 100;

const EXPECTED: &str =
    "`true`, `\"continue\"`, a number of tasks per cluster up to 100, or `{\"jobs\": 3, \"then\": \"wait\"}`";

/// Reads a value that asks for a sample.
pub(super) fn test_mode(field: &Field<'_>) -> Result<TestMode, Problem> {
    if field.is_true() {
        return Ok(TestMode { jobs: 1, then: AfterTest::Wait });
    }
    if let Value::Object(members) = &field.node.value {
        return object(field, members);
    }
    if let Some(then) = field.as_text().and_then(after) {
        return Ok(TestMode { jobs: 1, then });
    }
    let jobs = field.digits(MOST).and_then(|jobs| u32::try_from(jobs).ok());
    jobs.map(|jobs| TestMode { jobs, then: AfterTest::Wait }).ok_or_else(|| field.problem(EXPECTED))
}

fn after(text: &str) -> Option<AfterTest> {
    match text {
        "wait" => Some(AfterTest::Wait),
        "continue" => Some(AfterTest::Continue),
        _ => None,
    }
}

fn object(field: &Field<'_>, members: &[(String, Node)]) -> Result<TestMode, Problem> {
    let mut test = TestMode { jobs: 1, then: AfterTest::Wait };
    let parent = field.problem("").path;
    for (key, node) in members.iter().filter(|(_, node)| node.value != Value::Null) {
        let member = Field::new(&parent, key, node);
        match key.as_str() {
            "jobs" => test.jobs = u32::try_from(member.whole_number(MOST)?).unwrap_or(u32::MAX),
            "then" => {
                let then = member.as_text().and_then(after);
                test.then = then.ok_or_else(|| member.problem("`wait` or `continue`"))?;
            }
            _ => return Err(member.problem("`jobs` or `then`")),
        }
    }
    Ok(test)
}

/// The sample of the campaign: CiGri 3 lets each cluster have its own, but a campaign waits for its owner as a whole.
pub(super) fn agreed(found: &BTreeMap<String, &Setting<TestMode>>, report: &mut Report) -> Option<TestMode> {
    let mut settings = found.iter().filter(|(_, setting)| !setting.is_unsound());
    let (_, first) = settings.next()?;
    for (cluster, setting) in settings {
        if setting.value() != first.value() {
            let path = member_path(&member_path("clusters", cluster), "test_mode");
            let expected = "the same sample on all clusters";
            let problem = match setting {
                Setting::Given(_, source) => source.problem(expected).at(path),
                _ => Problem::new(path, "no sample", expected),
            };
            report.refuse(problem.hint("write `test_mode` once, at the top of the file"));
        }
    }
    first.value().copied()
}
