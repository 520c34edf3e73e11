//! Options of `cigri admin cluster set` as the change that the server is asked for: a JSON merge patch.

use serde_json::{Map, Value, json};

use crate::cli::{Entry, SetOptions};
use crate::exit::Failure;

/// Keys of a cluster's limits, and whether they hold entries by name.
const KEYS: [(&str, bool); 23] = [
    ("mode", false),
    ("note", false),
    ("max_waiting", false),
    ("max_running", false),
    ("max_array", false),
    ("max_per_cycle", false),
    ("period_s", false),
    ("normal_jobs", false),
    ("max_retries", false),
    ("law", false),
    ("user_quotas", true),
    ("group_quotas", true),
    ("project_quotas", true),
    ("weights", true),
    ("windows", false),
    ("requests_per_s", false),
    ("bytes_per_s", false),
    ("busy", false),
    ("stress", false),
    ("give_way", false),
    ("file_server", false),
    ("breaker", false),
    ("stuck", false),
];

/// The change that these options ask for.
pub(super) fn patch(options: &SetOptions) -> Result<Value, Failure> {
    let mut patch = Map::new();
    numbers(options, &mut patch);
    let maps = [
        ("user_quotas", &options.user_quota),
        ("group_quotas", &options.group_quota),
        ("project_quotas", &options.project_quota),
        ("weights", &options.weight),
    ];
    for (key, entries) in maps.into_iter().filter(|(_, entries)| !entries.is_empty()) {
        patch.insert(key.to_owned(), named(key, entries)?);
    }
    if !options.window.is_empty() {
        patch.insert("windows".to_owned(), windows(&options.window)?);
    }
    patch.extend(stress(options)?.map(|stress| ("stress".to_owned(), stress)));
    for key in &options.defaults {
        back(key, &mut patch)?;
    }
    if patch.is_empty() {
        let what = "nothing to set: expected an option such as --max-waiting 60 (`--help` lists them)";
        return Err(Failure::Usage(what.into()));
    }
    Ok(Value::Object(patch))
}

fn numbers(options: &SetOptions, patch: &mut Map<String, Value>) {
    let counts = [
        ("max_waiting", options.max_waiting),
        ("max_running", options.max_running),
        ("max_array", options.max_array),
        ("max_per_cycle", options.max_per_cycle),
        ("period_s", options.period),
        ("max_retries", options.max_retries),
    ];
    let rates =
        [("requests_per_s", options.requests_per_s), ("bytes_per_s", options.bytes_per_s), ("busy", options.busy)];
    let values = [
        ("normal_jobs", options.normal_jobs.map(Value::from)),
        ("law", options.law.clone()),
        ("give_way", options.give_way.clone()),
        ("file_server", options.file_server.clone()),
        ("breaker", options.breaker.clone()),
        ("stuck", options.stuck.clone()),
    ];
    let counts = counts.map(|(key, value)| (key, value.map(Value::from)));
    let rates = rates.map(|(key, value)| (key, value.map(Value::from)));
    let given = counts.into_iter().chain(rates).chain(values);
    patch.extend(given.filter_map(|(key, value)| Some((key.to_owned(), value?))));
}

fn named(key: &str, entries: &[Entry]) -> Result<Value, Failure> {
    let mut map = Map::new();
    for Entry { name, value } in entries {
        if map.insert(name.clone(), value.clone()).is_some() {
            return Err(twice(&format!("{key}.{name}")));
        }
    }
    Ok(Value::Object(map))
}

fn windows(given: &[String]) -> Result<Value, Failure> {
    match given {
        [one] if one == "none" => Ok(json!([])),
        several if several.iter().any(|window| window == "none") => {
            Err(Failure::Usage("--window none: expected no other window beside it".into()))
        }
        several => Ok(json!(several)),
    }
}

fn stress(options: &SetOptions) -> Result<Option<Value>, Failure> {
    match (&options.stress_reference, options.stress_limit) {
        (Some(Value::String(_)), Some(_)) => {
            Err(Failure::Usage("--stress-reference none: expected no --stress-limit beside it".into()))
        }
        (Some(none @ Value::String(_)), None) => Ok(Some(none.clone())),
        (Some(reference), Some(limit)) => Ok(Some(json!({"reference": reference, "limit": limit}))),
        (Some(reference), None) => Ok(Some(json!({"reference": reference}))),
        (None, limit) => Ok(limit.map(|limit| json!({"limit": limit}))),
    }
}

/// Asks for the configuration's value of a key.
fn back(given: &str, patch: &mut Map<String, Value>) -> Result<(), Failure> {
    let (key, entry) = given.split_once('.').map_or((given, None), |(key, entry)| (key, Some(entry)));
    let (key, has_entries) = known(key).ok_or_else(|| unknown(given))?;
    let Some(entry) = entry else {
        let before = patch.insert(key.to_owned(), Value::Null);
        return before.map_or(Ok(()), |_| Err(twice(given)));
    };
    if !has_entries || entry.is_empty() {
        return Err(unknown(given));
    }
    match patch.entry(key).or_insert_with(|| json!({})) {
        Value::Object(entries) if !entries.contains_key(entry) => {
            entries.insert(entry.to_owned(), Value::Null);
            Ok(())
        }
        _ => Err(twice(given)),
    }
}

/// The key that is meant: as the configuration writes it, or as the option is called.
fn known(given: &str) -> Option<(&'static str, bool)> {
    let key = match given.trim_start_matches("--").replace('-', "_").as_str() {
        "stress_reference" | "stress_limit" => "stress".to_owned(),
        "period" => "period_s".to_owned(),
        single @ ("user_quota" | "group_quota" | "project_quota" | "weight" | "window") => format!("{single}s"),
        key => key.to_owned(),
    };
    KEYS.into_iter().find(|(name, _)| *name == key)
}

fn unknown(given: &str) -> Failure {
    let keys = KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", ");
    Failure::Usage(format!("--default {given}: expected one of {keys}; or an entry, such as user_quotas.alice"))
}

fn twice(key: &str) -> Failure {
    Failure::Usage(format!("{key} is given twice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::SetOptions;
    use clap::{Args as _, Command, FromArgMatches as _};

    fn asked(words: &[&str]) -> Result<Value, String> {
        let command = SetOptions::augment_args(Command::new("set"));
        let words = ["set", "dahu"].iter().chain(words);
        let matches = command.try_get_matches_from(words).map_err(|error| error.to_string())?;
        let options = SetOptions::from_arg_matches(&matches).map_err(|error| error.to_string())?;
        patch(&options).map_err(|failure| failure.to_string())
    }

    #[test]
    fn options_become_one_merge_patch() {
        let words = ["--max-waiting=60", "--max-running=800", "--user-quota=alice=200", "--user-quota=*=none"];
        let wanted = json!({"max_waiting": 60, "max_running": 800, "user_quotas": {"alice": 200, "*": "none"}});
        assert_eq!(asked(&words), Ok(wanted));
        let wanted = json!({"windows": ["Mon-Fri 20:00-07:00", "Sat,Sun"], "stress": {"reference": 40.0}});
        assert_eq!(asked(&["--window=Mon-Fri 20:00-07:00", "--window=Sat,Sun", "--stress-reference=40"]), Ok(wanted));
        assert_eq!(
            asked(&["--window", "none", "--file-server", "none", "--give-way", "none"]),
            Ok(json!({"windows": [], "file_server": "none", "give_way": "none"}))
        );
        assert_eq!(asked(&["--give-way", "after_s=90"]), Ok(json!({"give_way": {"after_s": 90}})));
        assert_eq!(
            asked(&["--breaker=rate=0.6,pause_s=60", "--stuck", "waiting_s=7200"]),
            Ok(json!({"breaker": {"rate": 0.6, "pause_s": 60}, "stuck": {"waiting_s": 7200}}))
        );
        let wanted =
            json!({"weights": {"bob": 2.0}, "max_array": null, "user_quotas": {"bob": null}, "period_s": null});
        let words = ["--weight=bob=2", "--default=max-array", "--default=user_quotas.bob", "--default=period"];
        assert_eq!(asked(&words).map(sorted), Ok(sorted(wanted)));
    }

    fn sorted(value: Value) -> std::collections::BTreeMap<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_was_expected() {
        let cases: [(&[&str], &str); 10] = [
            (&["--max-waiting", "-3"], "whole number"),
            (&["--max-waiting", "many"], "whole number"),
            (&["--busy", "-0.1"], "number from 0"),
            (&["--give-way", "always"], "after_s=120"),
            (&["--user-quota", "alice=-1"], "alice=200"),
            (&["--window", "none", "--window", "Sat"], "no other window"),
            (&["--default", "max-wating"], "max_waiting"),
            (&["--max-array", "5", "--default", "max-array"], "given twice"),
            (&[], "--max-waiting 60"),
            (&["--dry-run"], "nothing to set"),
        ];
        for (words, expected) in cases {
            let error = asked(words).unwrap_err();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }

    #[test]
    fn every_limit_has_a_key_here() {
        let limits = json!(cigri_core::meter::ClusterLimits::default());
        let mut keys: Vec<&str> = limits.as_object().unwrap().keys().map(String::as_str).collect();
        let mut ours: Vec<&str> = KEYS.iter().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        ours.sort_unstable();
        assert_eq!(ours, keys);
    }
}
