//! `escalate`: what the next attempt asks for after a task ran into its walltime or out of memory.

use super::field::Field;
use super::parts::Escalation;
use super::problem::{Problem, excerpt};
use super::resources::{self, parse_request};
use super::tree::{Node, Value};

/// Most levels above the first.
const MOST_LEVELS: u64 = 10;

/// Levels where the campaign gives neither a number nor resources.
const LEVELS: u32 = 3;

/// Largest factor from one walltime to the next.
const MOST_TIMES: f64 = 10.0;

const EXPECTED: &str =
    "an object such as `{\"walltime\": 2, \"most\": 3}` or `{\"resources\": [\"/core=1\", \"/nodes=1\"]}`";

/// Reads a value that asks for it.
pub(super) fn escalation(field: &Field<'_>) -> Result<Escalation, Problem> {
    let Value::Object(members) = &field.node.value else { return Err(field.problem(EXPECTED)) };
    let (mut walltime, mut resources, mut most) = (None, Vec::new(), None);
    for (key, node) in members.iter().filter(|(_, node)| node.value != Value::Null) {
        let member = Field::new(field.path(), key, node);
        match key.as_str() {
            "walltime" => walltime = Some(factor(&member)?),
            "resources" => resources = requests(&member)?,
            "most" => most = u32::try_from(member.whole_number(MOST_LEVELS)?).ok(),
            _ => return Err(member.problem("`walltime`, `resources` or `most`")),
        }
    }
    let further = u32::try_from(resources.len().saturating_sub(1)).unwrap_or(LEVELS);
    match walltime {
        None if further == 0 => Err(field.problem(EXPECTED)),
        None if most.is_some_and(|most| most > further) => {
            Err(field.problem(&format!("a `most` of {further}, as `resources` has no more after its first")))
        }
        _ => {
            let usual = if further == 0 { LEVELS } else { further };
            Ok(Escalation { walltime: walltime.unwrap_or(1.0), resources, most: most.unwrap_or(usual) })
        }
    }
}

fn factor(member: &Field<'_>) -> Result<f64, Problem> {
    let text = match &member.node.value {
        Value::Number(text) => text.as_str(),
        _ => "",
    };
    let factor = text.parse::<f64>().ok().filter(|factor| *factor > 1.0 && *factor <= MOST_TIMES);
    factor.ok_or_else(|| member.problem(&format!("a number above 1, up to {MOST_TIMES}")))
}

fn requests(member: &Field<'_>) -> Result<Vec<String>, Problem> {
    let texts: Vec<&str> = match &member.node.value {
        Value::Texts(texts) => texts.iter().map(String::as_str).collect(),
        Value::List(nodes) => nodes.iter().map(text).collect(),
        _ => Vec::new(),
    };
    if !(2..=MOST_LEVELS as usize + 1).contains(&texts.len()) {
        return Err(member.problem("a list of 2 to 11 requests, the first of them that of the first attempt"));
    }
    let one = |text: &str| match parse_request(text) {
        Some(request) if request.walltime_s.is_none() => Ok(request.resources.unwrap_or_default()),
        Some(_) => Err(member.problem("requests without a walltime")),
        None => Err(Problem { found: format!("\"{}\"", excerpt(text)), ..member.problem(resources::EXPECTED) }),
    };
    texts.into_iter().map(one).collect()
}

fn text(node: &Node) -> &str {
    match &node.value {
        Value::Text(text) => text,
        _ => "",
    }
}
