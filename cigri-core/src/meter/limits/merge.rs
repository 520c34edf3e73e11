//! What is changed at run time, over what the configuration says: a merge patch (RFC 7396) in which `null` is the
//! configuration's value, and `"none"` for a quota, a weight, `stress`, `give_way` or `file_server` takes away what it says.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::ClusterLimits;
use super::misread::{excerpt, expected, misread, unknown};
use crate::language::Problem;

/// Keys whose value may be `"none"`, and whose parts may.
const REMOVABLE: [&str; 3] = ["stress", "give_way", "file_server"];
/// Keys that hold entries by name.
pub(super) const NAMED: [&str; 4] = ["user_quotas", "group_quotas", "project_quotas", "weights"];

/// The limits that `config` and `changes` make together.
///
/// # Errors
/// Everything that is wrong, each with its key as path; nothing is changed then.
pub fn merge(config: &ClusterLimits, changes: &Value) -> Result<ClusterLimits, Vec<Problem>> {
    let Value::Object(changes) = changes else {
        return Err(vec![Problem::new("", excerpt(changes), "an object with limits")]);
    };
    let Value::Object(mut keys) = json!(config) else {
        return Err(vec![Problem::new("", "limits that cannot be written down", "the configuration's limits")]);
    };
    let mut problems = Vec::new();
    for (key, change) in changes.iter().filter(|(_, change)| !change.is_null()) {
        let Some(value) = keys.get_mut(key) else {
            problems.push(unknown(key, &keys));
            continue;
        };
        let new = merged(key, value, change);
        let found = misread(key, &new);
        if found.is_empty() {
            *value = new;
        }
        problems.extend(found);
    }
    // What cannot be read is left out of this, so that it does not hide what makes no sense.
    let limits = serde_json::from_value::<ClusterLimits>(Value::Object(keys))
        .map_err(|error| vec![Problem::new("", error.to_string(), "limits of a cluster")])?;
    problems.extend(limits.check());
    if problems.is_empty() { Ok(limits) } else { Err(problems) }
}

/// The limits that the configuration's file says, over the defaults.
///
/// # Errors
/// As of [`merge`]. A number that is none (`nan`) arrives as `null`, which says nothing in a file.
pub fn configured(keys: Map<String, Value>) -> Result<ClusterLimits, Vec<Problem>> {
    let mut problems: Vec<Problem> = keys.iter().flat_map(|(key, value)| no_numbers(key, value)).collect();
    match merge(&ClusterLimits::default(), &Value::Object(keys)) {
        Ok(limits) if problems.is_empty() => Ok(limits),
        Ok(_) => Err(problems),
        Err(found) => {
            problems.extend(found);
            Err(problems)
        }
    }
}

fn no_numbers(key: &str, value: &Value) -> Vec<Problem> {
    let no_number = |path: String, expected: &str| Problem::new(path, "what is no number", expected);
    match value {
        Value::Null => vec![no_number(key.to_owned(), expected(key))],
        Value::Object(parts) => {
            let none = parts.iter().filter(|(_, part)| part.is_null());
            none.map(|(name, _)| no_number(format!("{key}.{name}"), "a number")).collect()
        }
        _ => Vec::new(),
    }
}

/// What is left of changes when the configuration they were made over is another now.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitting {
    /// The configuration with those that fit it.
    pub limits: ClusterLimits,
    /// Those.
    pub changes: Value,
    /// Why the others do not; empty if all do.
    pub problems: Vec<Problem>,
}

/// As much of `changes` as fits `config`: one that does not takes no other with it. Each entry of a map is one.
pub fn fitting(config: &ClusterLimits, changes: &Value) -> Fitting {
    if let Ok(limits) = merge(config, changes) {
        return Fitting { limits, changes: changes.clone(), problems: Vec::new() };
    }
    let mut fitting = Fitting { limits: config.clone(), changes: json!({}), problems: Vec::new() };
    if !changes.is_object() {
        fitting.problems = merge(config, changes).err().unwrap_or_default();
    }
    for (key, change) in changes.as_object().into_iter().flatten() {
        for one in single(key, change) {
            let more = keep(&fitting.changes, &one);
            match merge(config, &more) {
                Ok(limits) => (fitting.limits, fitting.changes) = (limits, more),
                Err(found) => fitting.problems.extend(found),
            }
        }
    }
    fitting
}

/// The change of a key as patches that are as small as they may be.
fn single(key: &str, change: &Value) -> Vec<Value> {
    let patch = |change: Value| Value::Object(Map::from_iter([(key.to_owned(), change)]));
    match change {
        Value::Object(parts) if NAMED.contains(&key) => {
            parts.iter().map(|(name, value)| patch(json!({ name: value }))).collect()
        }
        _ => vec![patch(change.clone())],
    }
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
        let change = in_full(key, change);
        let old = kept.get(key).filter(|old| !is_other_law(key, old, &change)).and_then(Value::as_object);
        let new = match &*change {
            Value::Object(parts) => {
                let mut all = old.cloned().unwrap_or_default();
                all.extend(parts.clone());
                without_nulls(Value::Object(all))
            }
            whole => whole.clone(),
        };
        kept.insert(key.clone(), new);
    }
    kept.retain(|_, value| value.as_object().is_none_or(|parts| !parts.is_empty()));
    Value::Object(kept)
}

/// The same without what the configuration says as well: it would go on winning when the configuration changes, although
/// nobody asked for more than what is there.
pub fn without_configured(config: &ClusterLimits, changes: Value) -> Value {
    let Value::Object(mut kept) = changes else { return changes };
    for (key, change) in &mut kept {
        let says_so = |one: &Value| merge(config, one).is_ok_and(|limits| limits == *config);
        match change {
            Value::Object(parts) if NAMED.contains(&key.as_str()) => {
                parts.retain(|name, value| !says_so(&json!({ key: { name: value } })));
            }
            change if says_so(&json!({ key: &*change })) => *change = Value::Null,
            _ => {}
        }
    }
    kept.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|parts| !parts.is_empty()));
    Value::Object(kept)
}

fn without_nulls(value: Value) -> Value {
    let Value::Object(mut parts) = value else { return value };
    parts.retain(|_, part| !part.is_null());
    Value::Object(parts)
}

/// A law by its name alone as the object that it is short for.
fn in_full<'a>(key: &str, change: &'a Value) -> Cow<'a, Value> {
    match change {
        Value::String(name) if key == "law" => Cow::Owned(json!({ "name": name })),
        _ => Cow::Borrowed(change),
    }
}

/// Settings of one law are none of another's.
fn is_other_law(key: &str, old: &Value, change: &Value) -> bool {
    key == "law" && change.get("name").is_some_and(|name| old.get("name") != Some(name))
}

fn merged(key: &str, old: &Value, change: &Value) -> Value {
    if REMOVABLE.contains(&key) && change == "none" {
        return Value::Null;
    }
    let change = in_full(key, change);
    let (Value::Object(old_parts), Value::Object(parts)) = (old, &*change) else {
        return without_nulls(change.into_owned());
    };
    if is_other_law(key, old, &change) {
        return without_nulls(change.into_owned());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::meter::{GiveWay, Mode};

    fn config() -> ClusterLimits {
        let user_quotas = BTreeMap::from([("alice".to_owned(), 100), ("*".to_owned(), 50)]);
        ClusterLimits { max_waiting: 60, user_quotas, ..ClusterLimits::default() }
    }

    fn told<T: std::fmt::Debug>(merged: Result<T, Vec<Problem>>) -> Vec<String> {
        merged.unwrap_err().iter().map(ToString::to_string).collect()
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
        let full = merge(&config(), &json!({"stress": {"reference": 32}, "give_way": {"after_s": 60}})).unwrap();
        assert_eq!(full.give_way, Some(GiveWay { after_s: 60, most_s: 3600 }), "the rest is as usual");
        let none = json!({"stress": "none", "give_way": "none", "user_quotas": {"alice": "none"}});
        let limits = merge(&full, &none).unwrap();
        assert_eq!((limits.stress, limits.give_way, limits.user_quotas.len()), (None, None, 1));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once_with_its_key() {
        let changes = json!({"max_waitng": 5, "max_running": -1, "max_array": 1.5, "normal_jobs": "yes",
            "user_quotas": {"alice": "many", "bob": -2}, "windows": ["Mon-Fry", "Sat 7:00-7:00"], "mode": "shut", "busy": 2});
        assert_eq!(
            told(merge(&config(), &changes)),
            [
                "max_waitng: expected a limit of a cluster, found `max_waitng`; did you mean `max_waiting`?",
                "max_running: expected a whole number, 0 or more, found -1",
                "max_array: expected a whole number, 0 or more, found 1.5",
                "normal_jobs: expected true or false, found \"yes\"",
                "user_quotas.alice: expected a whole number, 0 or more, found \"many\"",
                "user_quotas.bob: expected a whole number, 0 or more, found -2",
                "windows: expected a window such as \"Mon-Fri 20:00-07:00\" or \"Sat,Sun\", found \"Mon-Fry\"",
                "windows: expected a window that opens, found \"Sat 7:00-7:00\"; it closes when it opens",
                "mode: expected one of open, drained, disabled, found \"shut\"",
                "busy: expected a number from 0.001 to 1, found 2",
            ]
        );
        assert_eq!(told(merge(&config(), &json!([1]))), ["expected an object with limits, found [1]"]);
    }

    #[test]
    fn what_is_wrong_within_a_limit_is_said_with_its_place() {
        let wrong = |changes: Value| told(merge(&config(), &changes));
        assert_eq!(
            wrong(json!({"law": -3, "stress": {"limit": 0.5}, "give_way": {"after": 60, "most_s": 1.5},
                    "file_server": {"reference": "6", "sensor": "http://nfs"}})),
            [
                "law: expected a law: its name, or an object with `name` and its settings, found -3",
                "stress.reference: expected a number, found nothing",
                "give_way.after: expected one of after_s, most_s, found `after`",
                "give_way.most_s: expected a whole number, 0 or more, found 1.5",
                "file_server.reference: expected a number, found \"6\"",
            ]
        );
        assert_eq!(
            wrong(json!({"law": {"name": "fixed", "jobs": 50, "waiting": -1}, "max_live": 3, "weights": 2})),
            [
                "law.jobs: expected one of waiting, found `jobs`",
                "law.waiting: expected a whole number, 0 or more, found -1",
                "max_live: expected a limit of a cluster, found `max_live`; did you mean `max_running`?",
                "weights: expected an object: a number for each user, found 2",
            ]
        );
        let names = "law.name: expected one of adaptive, tap-3, tap-paper, fixed, found";
        assert_eq!(wrong(json!({"law": "fixd"})), [format!("{names} \"fixd\"")]);
    }

    #[test]
    fn a_configuration_is_read_key_by_key() {
        let read = |keys: Value| configured(keys.as_object().unwrap().clone());
        let limits = read(json!({"max_waiting": 7, "law": "fixed", "weights": {"bob": 2}})).unwrap();
        assert_eq!((limits.max_waiting, limits.law.name(), limits.weights["bob"]), (7, "fixed", 2.0));
        assert_eq!(
            told(read(json!({"busy": null, "weights": {"bob": null}, "max_array": 0}))),
            [
                "busy: expected a number, found what is no number",
                "weights.bob: expected a number, found what is no number",
                "max_array: expected a whole number from 1 to 10000000, found 0",
            ]
        );
    }

    #[test]
    fn a_change_that_fits_no_more_takes_no_other_with_it() {
        let changes = json!({"mode": "drained", "note": "repair", "law": {"ahead": 3.0}, "gone": 1,
            "user_quotas": {"alice": 5, "bob": "many"}});
        let tap = ClusterLimits { law: serde_json::from_value(json!("tap-3")).unwrap(), ..config() };
        let left = fitting(&tap, &changes);
        assert_eq!(left.changes, json!({"mode": "drained", "note": "repair", "user_quotas": {"alice": 5}}));
        assert_eq!((left.limits.mode, left.limits.law, left.limits.user_quotas["alice"]), (Mode::Drained, tap.law, 5));
        let keys: Vec<&str> = left.problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(keys, ["law.ahead", "gone", "user_quotas.bob"]);
        let whole = json!({"mode": "drained"});
        assert_eq!(fitting(&tap, &whole).changes, whole);
        assert_eq!(fitting(&tap, &json!([])).problems.len(), 1);
    }

    #[test]
    fn what_the_configuration_says_as_well_is_not_kept() {
        let kept = |changes: Value| without_configured(&config(), changes);
        let same = json!({"max_waiting": 60, "mode": "open", "note": "", "busy": 0.2, "stress": "none", "windows": [],
            "user_quotas": {"alice": 100}, "law": {"name": "adaptive", "ahead": 2}});
        assert_eq!(kept(same), json!({}));
        let other = json!({"max_waiting": 61, "user_quotas": {"alice": 100, "bob": 1}, "law": "fixed"});
        assert_eq!(kept(other), json!({"max_waiting": 61, "user_quotas": {"bob": 1}, "law": "fixed"}));
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
        assert_eq!(keep(&kept, &json!({"law": "fixed"})), json!({"law": {"name": "fixed"}}));
        assert_eq!(merge(&config(), &json!({"law": "fixed"})).unwrap().law.name(), "fixed");
        assert_eq!(keep(&json!({}), &json!({"weights": {"law": "none"}})), json!({"weights": {"law": "none"}}));
    }
}
