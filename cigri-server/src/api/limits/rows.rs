//! Limits key by key: who says what applies, and what differs after a change. Entries of maps are keys of their own.

use std::collections::BTreeSet;

use cigri_api::{Limit, LimitChange, LimitSource};
use cigri_core::meter::ClusterLimits;
use serde_json::{Map, Value, json};

/// Keys that hold entries by name.
const NAMED: [&str; 4] = ["user_quotas", "group_quotas", "project_quotas", "weights"];

/// Every limit, in the configuration's order.
pub(super) fn rows(config: &ClusterLimits, changes: &Value, effective: &ClusterLimits) -> Vec<Limit> {
    let default = json!(ClusterLimits::default());
    let (config, effective) = (json!(config), json!(effective));
    let mut rows = Vec::new();
    for (key, value) in entries(&effective) {
        let names = if NAMED.contains(&key.as_str()) { names([&config, changes, &effective], key) } else { Vec::new() };
        for name in &names {
            let from = if changes[key].get(name).is_some() { LimitSource::RunTime } else { LimitSource::Configuration };
            let value = value.get(name).cloned().unwrap_or_default();
            rows.push(Limit { key: format!("{key}.{name}"), value, default: Value::Null, from });
        }
        if names.is_empty() {
            let from = source(&default[key], &config[key], changes.get(key));
            rows.push(Limit { key: key.clone(), value: value.clone(), default: default[key].clone(), from });
        }
    }
    rows
}

fn source(default: &Value, config: &Value, change: Option<&Value>) -> LimitSource {
    match change {
        Some(_) => LimitSource::RunTime,
        None if config != default => LimitSource::Configuration,
        None => LimitSource::Default,
    }
}

/// Names with an entry under `key` in any of them.
fn names(all: [&Value; 3], key: &str) -> Vec<String> {
    let named = all.iter().filter_map(|limits| limits[key].as_object());
    named.flat_map(Map::keys).collect::<BTreeSet<_>>().into_iter().cloned().collect()
}

/// The keys of `patch` that are among `changes`: these win over the configuration until they are taken back.
pub(super) fn kept(changes: &Value, patch: &Value) -> Vec<String> {
    let mut keys: Vec<String> = flat(changes).into_iter().map(|(key, _)| key).collect();
    keys.retain(|key| match key.split_once('.') {
        Some((map, name)) => !patch[map][name].is_null(),
        None => !patch[key].is_null(),
    });
    keys
}

/// What differs, key by key.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<LimitChange> {
    let (before, after) = (flat(before), flat(after));
    let mut keys: Vec<&String> = before.keys().collect();
    keys.extend(after.keys().filter(|key| !before.contains_key(*key)));
    let value = |limits: &Map<String, Value>, key: &str| limits.get(key).cloned().unwrap_or_default();
    keys.into_iter()
        .map(|key| LimitChange { key: key.clone(), before: value(&before, key), after: value(&after, key) })
        .filter(|change| change.before != change.after)
        .collect()
}

fn flat(limits: &Value) -> Map<String, Value> {
    let mut flat = Map::new();
    for (key, value) in entries(limits) {
        match value {
            Value::Object(parts) if NAMED.contains(&key.as_str()) => {
                flat.extend(parts.iter().map(|(name, value)| (format!("{key}.{name}"), value.clone())));
            }
            _ => drop(flat.insert(key.clone(), value.clone())),
        }
    }
    flat
}

fn entries(limits: &Value) -> impl Iterator<Item = (&String, &Value)> {
    limits.as_object().into_iter().flatten()
}

/// What only admins are told is left out.
pub(super) fn without_sensor(mut rows: Vec<Limit>) -> Vec<Limit> {
    for row in rows.iter_mut().filter(|row| row.key == "file_server") {
        row.value.as_object_mut().map(|server| server.shift_remove("sensor"));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use cigri_core::meter::limits::merge;

    fn config() -> ClusterLimits {
        let quotas = json!({"max_waiting": 60, "user_quotas": {"alice": 100, "bob": 5}});
        merge(&ClusterLimits::default(), &quotas).unwrap()
    }

    fn row(rows: &[Limit], key: &str) -> (Value, LimitSource) {
        rows.iter().find(|row| row.key == key).map(|row| (row.value.clone(), row.from)).unwrap()
    }

    #[test]
    fn every_limit_says_where_it_is_from() {
        let changes = json!({"max_array": 10, "user_quotas": {"carol": 7, "bob": "none"}});
        let effective = merge(&config(), &changes).unwrap();
        let rows = rows(&config(), &changes, &effective);
        assert_eq!(row(&rows, "max_waiting"), (json!(60), LimitSource::Configuration));
        assert_eq!(row(&rows, "max_array"), (json!(10), LimitSource::RunTime));
        assert_eq!(row(&rows, "max_running"), (json!(10_000), LimitSource::Default));
        assert_eq!(row(&rows, "user_quotas.alice"), (json!(100), LimitSource::Configuration));
        assert_eq!(row(&rows, "user_quotas.bob"), (Value::Null, LimitSource::RunTime));
        assert_eq!(row(&rows, "user_quotas.carol"), (json!(7), LimitSource::RunTime));
        assert_eq!(row(&rows, "weights"), (json!({}), LimitSource::Default));
    }

    #[test]
    fn differences_are_told_key_by_key_and_nothing_else_is() {
        let changes = json!({"max_waiting": 61, "user_quotas": {"carol": 7, "bob": "none"}});
        let after = merge(&config(), &changes).unwrap();
        let told: Vec<String> = differences(&json!(config()), &json!(after))
            .into_iter()
            .map(|change| format!("{} {} {}", change.key, change.before, change.after))
            .collect();
        assert_eq!(told, ["max_waiting 60 61", "user_quotas.bob 5 null", "user_quotas.carol null 7"]);
        assert!(differences(&json!(config()), &json!(config())).is_empty());
    }

    #[test]
    fn a_sensor_is_left_out_for_others() {
        let changes = json!({"file_server": {"sensor": "http://nfs/load", "reference": 6}});
        let effective = merge(&config(), &changes).unwrap();
        let told = without_sensor(rows(&config(), &changes, &effective));
        let (value, _) = row(&told, "file_server");
        assert_eq!((value.get("sensor"), &value["reference"]), (None, &json!(6.0)));
    }
}
