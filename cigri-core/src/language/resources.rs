//! Resource requests in OAR's notation: `/nodes=2/core=4`, `{mem > 16}/core=1+/licence=1`, optionally `,walltime=h:m:s`.
//!
//! The syntax is checked here because OAR 3 answers a malformed request with an unexplained 500.

use super::walltime::parse_walltime;

/// What a request looks like, for messages.
pub(super) const EXPECTED: &str = "a request such as `/core=1`, `/nodes=1/core=4` or `{mem > 16}/core=2`";

/// Names that OAR sites give to what a process can run on.
const PROCESSING: &[&str] = &["core", "cpu", "host", "network_address", "node", "nodes", "resource_id", "thread"];

/// A request taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    /// The request without its walltime; `None` where only a walltime was given.
    pub(super) resources: Option<String>,
    /// Walltime written into the request, in seconds.
    pub(super) walltime_s: Option<u64>,
}

/// One level of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part<'a> {
    /// `{...}`: a condition, with its braces.
    Condition(&'a str),
    /// `name=count`; OAR's `ALL`, `BEST` and `BESTHALF` have no number.
    Count { name: &'a str, count: Option<u32> },
}

/// Reads a request; `None` where OAR would not understand it.
pub(super) fn parse_request(text: &str) -> Option<Request> {
    let text = text.trim();
    let (resources, walltime) = match split_outside_braces(text, ',')?[..] {
        [only] => match only.strip_prefix("walltime=") {
            Some(walltime) => (None, Some(walltime)),
            None => (Some(only), None),
        },
        [resources, last] => (Some(resources), Some(last.strip_prefix("walltime=")?)),
        _ => return None,
    };
    if let Some(resources) = resources {
        groups(resources)?;
    }
    let walltime_s = match walltime {
        Some(walltime) => Some(parse_walltime(walltime)?),
        None => None,
    };
    Some(Request { resources: resources.map(str::to_owned), walltime_s })
}

/// Reads a request without walltime; `None` where OAR would not understand it.
pub fn parse_resources(text: &str) -> Option<String> {
    parse_request(text).filter(|request| request.walltime_s.is_none())?.resources
}

/// The groups (joined by `+`) of a request without walltime, each from the outermost level inwards.
pub(super) fn groups(resources: &str) -> Option<Vec<Vec<Part<'_>>>> {
    split_outside_braces(resources, '+')?.into_iter().map(group).collect()
}

fn group(text: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let text = text.strip_prefix('/').unwrap_or(text);
    for level in split_outside_braces(text, '/')? {
        let mut level = level;
        if level.starts_with('{') {
            let (condition, rest) = level.split_at(level.rfind('}')? + 1);
            parts.push(Part::Condition(condition));
            level = rest;
            if level.is_empty() {
                continue;
            }
        }
        parts.push(count(level)?);
    }
    let counts = |part: &Part<'_>| matches!(part, Part::Count { .. });
    parts.iter().any(counts).then_some(parts)
}

fn count(text: &str) -> Option<Part<'_>> {
    let (name, count) = text.split_once('=')?;
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let word = |character: char| character.is_ascii_alphanumeric() || character == '_';
    if !starts_well || !name.chars().all(word) || name == "walltime" {
        return None;
    }
    if ["ALL", "BEST", "BESTHALF"].contains(&count) {
        return Some(Part::Count { name, count: None });
    }
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = count.parse().ok().filter(|count| *count > 0)?;
    Some(Part::Count { name, count: Some(count) })
}

/// Cores of a request: the product of its counts of processing resources in each group, summed; at least 1.
pub(super) fn cores(resources: &str) -> u32 {
    groups(resources).unwrap_or_default().iter().map(|group| group_cores(group)).fold(0, u32::saturating_add).max(1)
}

fn group_cores(group: &[Part<'_>]) -> u32 {
    let counts: Vec<u32> = group
        .iter()
        .filter_map(|part| match part {
            Part::Count { name, count } if is_processing(name) => Some(count.unwrap_or(1)),
            _ => None,
        })
        .collect();
    match counts[..] {
        [] => 0,
        _ => counts.into_iter().fold(1, u32::saturating_mul),
    }
}

/// Whether a request tells the number of its cores: every group that asks for something to run on names cores, or what
/// counts as one, and numbers at every level above.
pub(super) fn tells_cores(resources: &str) -> bool {
    let all = groups(resources).unwrap_or_default();
    let counts = |group: &[Part<'_>]| -> Vec<(bool, Option<u32>)> {
        let of = |part: &Part<'_>| match part {
            Part::Count { name, count } if is_processing(name) => Some((is_core(name), *count)),
            _ => None,
        };
        group.iter().filter_map(of).collect()
    };
    let mut asking = all.iter().map(|group| counts(group)).filter(|counts| !counts.is_empty()).peekable();
    let tells = |counts: Vec<(bool, Option<u32>)>| {
        counts.iter().all(|(_, count)| count.is_some()) && counts.iter().any(|(is_core, _)| *is_core)
    };
    asking.peek().is_some() && asking.all(tells)
}

fn is_core(name: &str) -> bool {
    ["core", "resource_id", "thread"].contains(&name)
}

/// True for the resources that one machine has as well: cores, processors, nodes.
pub(super) fn is_processing(name: &str) -> bool {
    PROCESSING.contains(&name)
}

/// Splits at a separator outside `{...}` and outside quotes within it; `None` if a brace or quote stays open.
fn split_outside_braces(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut parts = Vec::new();
    let (mut start, mut braced, mut quote) = (0, false, None);
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (Some(open), _) if open == character => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') if braced => quote = Some(character),
            (None, '{') if braced => return None,
            (None, '{') => braced = true,
            (None, '}') if !braced => return None,
            (None, '}') => braced = false,
            (None, _) if character == separator && !braced => {
                parts.push(&text[start..at]);
                start = at + character.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!braced && quote.is_none()).then_some(parts)
}
