//! What is changed at run time, over what the configuration says: a merge patch (RFC 7396) in which `null` is the
//! configuration's value, and `"none"` for a quota, a weight, `stress` or `file_server` takes away what it says.

use serde_json::{Map, Value};

use super::ClusterLimits;
use crate::language::nearest;

/// Keys whose value may be `"none"`, and whose parts may.
const REMOVABLE: [&str; 2] = ["stress", "file_server"];
const NAMED: [&str; 4] = ["user_quotas", "group_quotas", "project_quotas", "weights"];

/// The limits that `config` and `changes` make together.
///
/// # Errors
/// Everything that is wrong, each as `key: what was found; what is expected`; nothing is changed then.
pub fn merge(config: &ClusterLimits, changes: &Value) -> Result<ClusterLimits, Vec<String>> {
    let Value::Object(changes) = changes else {
        return Err(vec![format!("{changes}; an object with limits is expected")]);
    };
    let Value::Object(mut keys) = serde_json::json!(config) else {
        return Err(vec!["the configuration's limits cannot be written down".to_owned()]);
    };
    let mut problems = Vec::new();
    for (key, change) in changes.iter().filter(|(_, change)| !change.is_null()) {
        match keys.get_mut(key) {
            None => problems.push(unknown(key, &keys)),
            Some(value) => {
                let new = merged(key, value, change);
                problems.extend(misread(key, &new));
                *value = new;
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let limits: ClusterLimits = serde_json::from_value(Value::Object(keys)).map_err(|error| vec![error.to_string()])?;
    let problems = limits.check();
    if problems.is_empty() { Ok(limits) } else { Err(problems) }
}

/// The changes kept beside the configuration after `patch` (RFC 7396): what became `null` is kept no longer, so that
/// the configuration's value is back.
pub fn keep(changes: &Value, patch: &Value) -> Value {
    let (Value::Object(changes), Value::Object(patch)) = (changes, patch) else { return patch.clone() };
    let mut kept = changes.clone();
    for (key, change) in patch {
        if change.is_null() {
            kept.shift_remove(key);
            continue;
        }
        let old = kept.get(key).cloned().unwrap_or_else(|| Value::Object(Map::new()));
        let old = if is_other_law(key, &old, change) { Value::Object(Map::new()) } else { old };
        let new = keep(if old.is_object() { &old } else { &Value::Null }, change);
        kept.insert(key.clone(), without_nulls(new));
    }
    kept.retain(|_, value| value.as_object().is_none_or(|parts| !parts.is_empty()));
    Value::Object(kept)
}

fn without_nulls(value: Value) -> Value {
    let Value::Object(mut parts) = value else { return value };
    parts.retain(|_, part| !part.is_null());
    Value::Object(parts)
}

/// Settings of one law are none of another's.
fn is_other_law(key: &str, old: &Value, change: &Value) -> bool {
    key == "law" && change.get("name").is_some_and(|name| old.get("name") != Some(name))
}

fn merged(key: &str, old: &Value, change: &Value) -> Value {
    if REMOVABLE.contains(&key) && change == "none" {
        return Value::Null;
    }
    let (Value::Object(old_parts), Value::Object(parts)) = (old, change) else {
        return without_nulls(change.clone());
    };
    if is_other_law(key, old, change) {
        return without_nulls(change.clone());
    }
    let mut new = old_parts.clone();
    for (part, value) in parts.iter().filter(|(_, value)| !value.is_null()) {
        if NAMED.contains(&key) && value == "none" {
            new.shift_remove(part);
        } else {
            new.insert(part.clone(), value.clone());
        }
    }
    Value::Object(new)
}

fn unknown(key: &str, keys: &Map<String, Value>) -> String {
    let meant = nearest(key, keys.keys().map(String::as_str));
    let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
    format!("{key}: no limit of a cluster{meant}")
}

/// What cannot be read as this key's value, if it cannot: each of its parts apart, so that the part is named.
fn misread(key: &str, value: &Value) -> Vec<String> {
    let read = |value: Value| {
        let mut keys = Map::new();
        keys.insert(key.to_owned(), value);
        serde_json::from_value::<ClusterLimits>(Value::Object(keys)).err()
    };
    let place = |part: &str, error: serde_json::Error| format!("{key}{part}: {}", plain(&error.to_string()));
    match value {
        Value::Object(parts) if NAMED.contains(&key) => {
            let alone = |name: &String, value: &Value| Value::Object(Map::from_iter([(name.clone(), value.clone())]));
            let problem = |(name, value)| read(alone(name, value)).map(|error| place(&format!(".{name}"), error));
            parts.iter().filter_map(problem).collect()
        }
        Value::Array(parts) if key == "windows" => {
            let problem = |part: &Value| read(vec![part.clone()].into()).map(|error| place("", error));
            parts.iter().filter_map(problem).collect()
        }
        _ => read(value.clone()).map(|error| place("", error)).into_iter().collect(),
    }
}

/// The reader's words in everybody's.
fn plain(error: &str) -> String {
    let words = [
        ("invalid type: ", ""),
        ("invalid value: ", ""),
        ("integer ", ""),
        ("floating point ", ""),
        (", expected u64", "; a whole number, 0 or more, is expected"),
        (", expected f64", "; a number is expected"),
        (", expected a boolean", "; true or false is expected"),
        (", expected a sequence", "; a list is expected"),
        (", expected a map", "; an object is expected"),
        (", expected a string", "; a text is expected"),
    ];
    words.iter().fold(error.to_owned(), |text, (from, to)| text.replacen(from, to, 1))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn config() -> ClusterLimits {
        let user_quotas = BTreeMap::from([("alice".to_owned(), 100), ("*".to_owned(), 50)]);
        ClusterLimits { max_waiting: 60, user_quotas, ..ClusterLimits::default() }
    }

    #[test]
    fn a_change_replaces_its_key_and_null_is_the_configurations_value() {
        let changes = json!({"max_running": 800, "user_quotas": {"bob": 7, "alice": null}, "max_waiting": null,
            "windows": ["Mon-Fri 20:00-07:00"], "stress": {"reference": 32}});
        let limits = merge(&config(), &changes).unwrap();
        assert_eq!((limits.max_running, limits.max_waiting), (800, 60));
        assert_eq!(json!(limits.user_quotas), json!({"alice": 100, "*": 50, "bob": 7}));
        assert_eq!((limits.windows.len(), limits.stress.unwrap().limit), (1, 0.8));
        assert_eq!(merge(&limits, &json!({})).unwrap(), limits);
    }

    #[test]
    fn none_takes_away_what_the_configuration_says() {
        let full = merge(&config(), &json!({"stress": {"reference": 32}})).unwrap();
        let limits = merge(&full, &json!({"stress": "none", "user_quotas": {"alice": "none"}})).unwrap();
        assert_eq!((limits.stress, limits.user_quotas.len()), (None, 1));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_with_its_key() {
        let changes = json!({"max_waitng": 5, "max_running": -1, "max_array": 1.5, "normal_jobs": "yes",
            "user_quotas": {"alice": "many", "bob": -2}, "windows": ["Mon-Fry"], "mode": "shut"});
        assert_eq!(
            merge(&config(), &changes).unwrap_err(),
            [
                "max_waitng: no limit of a cluster; did you mean `max_waiting`?",
                "max_running: `-1`; a whole number, 0 or more, is expected",
                "max_array: `1.5`; a whole number, 0 or more, is expected",
                "normal_jobs: string \"yes\"; true or false is expected",
                "user_quotas.alice: string \"many\"; a whole number, 0 or more, is expected",
                "user_quotas.bob: `-2`; a whole number, 0 or more, is expected",
                "windows: \"Mon-Fry\" is no window; one looks like \"Mon-Fri 20:00-07:00\" or \"Sat,Sun\"",
                "mode: unknown variant `shut`, expected one of `open`, `drained`, `disabled`",
            ]
        );
        let absurd = merge(&config(), &json!({"max_array": 0})).unwrap_err();
        assert_eq!(absurd, ["max_array: 0; a whole number from 1 to 10000000 is expected"]);
        assert_eq!(merge(&config(), &json!([1])).unwrap_err(), ["[1]; an object with limits is expected"]);
    }

    #[test]
    fn changes_are_kept_until_they_are_taken_back() {
        let kept = keep(&json!({}), &json!({"max_waiting": 5, "user_quotas": {"alice": 1, "bob": null}}));
        assert_eq!(kept, json!({"max_waiting": 5, "user_quotas": {"alice": 1}}));
        let kept = keep(&kept, &json!({"user_quotas": {"bob": 2}, "max_waiting": null}));
        assert_eq!(kept, json!({"user_quotas": {"alice": 1, "bob": 2}}));
        let kept = keep(&kept, &json!({"user_quotas": {"alice": null, "bob": null}}));
        assert_eq!(kept, json!({}), "nothing is left of it");
    }

    #[test]
    fn another_law_starts_from_its_own_defaults() {
        let kept =
            keep(&json!({"law": {"name": "other", "max": 3}}), &json!({"law": {"name": "adaptive", "initial": 4}}));
        assert_eq!(kept, json!({"law": {"name": "adaptive", "initial": 4}}));
        let kept = keep(&kept, &json!({"law": {"ahead": 1.5}}));
        assert_eq!(kept, json!({"law": {"name": "adaptive", "initial": 4, "ahead": 1.5}}));
        assert!(merge(&config(), &kept).is_ok());
        let wrong = merge(&config(), &json!({"law": {"name": "adaptive", "max": 3}})).unwrap_err();
        assert!(wrong[0].starts_with("law: unknown field `max`"), "{wrong:?}");
    }
}
