//! Which part of a limit cannot be read, and what it should be: each part is read in the place of a good one.

use serde_json::{Map, Value, json};

use super::merge::NAMED;
use super::{ClusterLimits, FileServerSettings, GiveWay, StressLimit};
use crate::breaker::BreakerSettings;
use crate::language::{Problem, nearest};
use crate::meter::law::LawSettings;
use crate::meter::window::Window;
use crate::stuck::StuckLimits;

/// Limits by their former names, which other files may still have.
const RENAMED: [(&str, &str); 1] = [("max_live", "max_running")];

/// `key` names no limit; `keys` are those that do.
pub(super) fn unknown(key: &str, keys: &Map<String, Value>) -> Problem {
    let problem = Problem::new(key, format!("`{key}`"), "a limit of a cluster");
    let renamed = RENAMED.iter().find(|(former, _)| *former == key).map(|(_, name)| *name);
    match renamed.or_else(|| nearest(key, keys.keys().map(String::as_str))) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem,
    }
}

/// What cannot be read of `value`, the value of the limit `key`; nothing, if it can be.
pub(super) fn misread(key: &str, value: &Value) -> Vec<Problem> {
    if reads(key, value) {
        return Vec::new();
    }
    let problems = match value {
        Value::Object(parts) if NAMED.contains(&key) => entries(key, parts),
        Value::Array(parts) if key == "windows" => parts.iter().filter_map(window).collect(),
        Value::Object(parts) => match pattern(key, parts) {
            Some(pattern) => settings(key, parts, &pattern),
            None if key == "law" => vec![law(parts)],
            None => Vec::new(),
        },
        _ => Vec::new(),
    };
    if problems.is_empty() { vec![Problem::new(key, excerpt(value), expected(key))] } else { problems }
}

fn reads(key: &str, value: &Value) -> bool {
    let alone = Map::from_iter([(key.to_owned(), value.clone())]);
    serde_json::from_value::<ClusterLimits>(Value::Object(alone)).is_ok()
}

fn entries(key: &str, parts: &Map<String, Value>) -> Vec<Problem> {
    let expected = if key == "weights" { "a number" } else { "a whole number, 0 or more" };
    let problem = |(name, value): (&String, &Value)| {
        let alone = Value::Object(Map::from_iter([(name.clone(), value.clone())]));
        (!reads(key, &alone)).then(|| Problem::new(format!("{key}.{name}"), excerpt(value), expected))
    };
    parts.iter().filter_map(problem).collect()
}

fn window(value: &Value) -> Option<Problem> {
    match value.as_str() {
        Some(text) => text.parse::<Window>().err().map(|problem| problem.at("windows")),
        None => Some(Problem::new("windows", excerpt(value), expected("windows"))),
    }
}

fn law(parts: &Map<String, Value>) -> Problem {
    let found = parts.get("name").map_or_else(|| "nothing".to_owned(), excerpt);
    Problem::new("law.name", found, format!("one of {}", LawSettings::NAMES.join(", ")))
}

/// Good settings of the same kind, with every key.
fn pattern(key: &str, parts: &Map<String, Value>) -> Option<Map<String, Value>> {
    let pattern = match key {
        "law" => json!(serde_json::from_value::<LawSettings>(parts.get("name")?.clone()).ok()?),
        "stress" => json!(serde_json::from_value::<StressLimit>(json!({"reference": 1.0})).ok()?),
        "give_way" => json!(GiveWay::default()),
        "file_server" => {
            let sensor = json!({"sensor": "http://nfs/load", "reference": 1.0});
            json!(serde_json::from_value::<FileServerSettings>(sensor).ok()?)
        }
        "breaker" => json!(BreakerSettings::default()),
        "stuck" => json!(StuckLimits::default()),
        _ => return None,
    };
    pattern.as_object().cloned()
}

fn settings(key: &str, parts: &Map<String, Value>, pattern: &Map<String, Value>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, value) in parts {
        let path = format!("{key}.{name}");
        match pattern.get(name) {
            None => {
                let names: Vec<&str> = pattern.keys().map(String::as_str).filter(|name| *name != "name").collect();
                problems.push(Problem::new(path, format!("`{name}`"), format!("one of {}", names.join(", "))));
            }
            Some(good) if !reads(key, &with(pattern, name, Some(value))) => {
                problems.push(Problem::new(path, excerpt(value), kind(good)));
            }
            Some(_) => {}
        }
    }
    let missing = |(name, _): &(&String, &Value)| !parts.contains_key(*name) && !reads(key, &with(pattern, name, None));
    let missing = pattern.iter().filter(missing);
    problems.extend(missing.map(|(name, good)| Problem::new(format!("{key}.{name}"), "nothing", kind(good))));
    problems
}

/// The pattern with another value, or without one, under one key.
fn with(pattern: &Map<String, Value>, name: &str, value: Option<&Value>) -> Value {
    let mut parts = pattern.clone();
    match value {
        Some(value) => drop(parts.insert(name.to_owned(), value.clone())),
        None => drop(parts.shift_remove(name)),
    }
    Value::Object(parts)
}

/// What a value that can be read in the place of `good` is.
fn kind(good: &Value) -> &'static str {
    match good {
        Value::Number(number) if number.is_f64() => "a number",
        Value::Number(_) => "a whole number, 0 or more",
        Value::Bool(_) => "true or false",
        Value::String(_) => "a text",
        _ => "a limit as `cigri admin cluster show` lists them",
    }
}

/// What the value of a limit is.
pub(super) fn expected(key: &str) -> &'static str {
    match key {
        "mode" => "one of open, drained, disabled",
        "law" => "a law: its name, or an object with `name` and its settings",
        "user_quotas" | "group_quotas" | "project_quotas" => "an object: a whole number for each name",
        "weights" => "an object: a number for each user",
        "windows" => "a list of windows such as \"Mon-Fri 20:00-07:00\" or \"Sat,Sun\"",
        "stress" => "an object with `reference`, and `limit`",
        "give_way" => "an object with `after_s`, and `most_s`",
        "breaker" => "an object with `rate`, `pause_s` and other settings of breakers",
        "stuck" => "an object with `waiting_s` and other seconds",
        "file_server" => "an object with `sensor`, `reference` and its other settings",
        _ => json!(ClusterLimits::default()).get(key).map_or("a limit", kind),
    }
}

/// A value in a line.
pub(super) fn excerpt(value: &Value) -> String {
    let text = value.to_string();
    let short: String = text.chars().take(80).collect();
    if short.len() < text.len() { format!("{short}...") } else { short }
}
