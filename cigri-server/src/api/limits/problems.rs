//! What is wrong with a change of limits: all of it at once, each problem with its place.

use cigri_api::Problem;
use cigri_core::meter::ClusterLimits;
use cigri_core::meter::limits::merge;
use serde_json::Value;

use crate::sensors;

/// A command would run with the server's rights: only the configuration file may name one.
pub(super) fn of_sensor(patch: &Value, configured: &ClusterLimits) -> Option<Problem> {
    let sensor = patch.get("file_server")?.get("sensor")?.as_str()?;
    let hint = sensors::problem(sensor, configured)?;
    Some(Problem {
        path: "file_server.sensor".to_owned(),
        found: format!("{sensor:?}"),
        expected: "a URL".to_owned(),
        hint: Some(hint),
        line: None,
    })
}

/// What cannot be read hides what makes no sense: it is left out, and the rest is looked at again.
pub(super) fn of_limits(configured: &ClusterLimits, changes: &Value) -> Vec<Problem> {
    let (mut changes, mut problems) = (changes.clone(), Vec::new());
    while let Err(found) = merge(configured, &changes) {
        let before = changes.as_object().map_or(0, serde_json::Map::len);
        let found: Vec<Problem> = found.iter().map(|text| read(text)).collect();
        if let Some(keys) = changes.as_object_mut() {
            keys.retain(|key, _| !found.iter().any(|problem| problem.path.split('.').next() == Some(key)));
        }
        problems.extend(found);
        if changes.as_object().map_or(0, serde_json::Map::len) == before {
            break;
        }
    }
    problems
}

/// `key: what was found; what is expected`, as the core says it.
fn read(text: &str) -> Problem {
    let (path, rest) = text.split_once(": ").unwrap_or(("", text));
    if let Some(meant) = rest.strip_prefix("no limit of a cluster") {
        let hint = meant.strip_prefix("; ").map(str::to_owned);
        let (found, expected) = (format!("`{path}`"), "a limit of a cluster".to_owned());
        return Problem { path: path.to_owned(), found, expected, hint, line: None };
    }
    let parts = rest.split_once("; ").or_else(|| rest.split_once(", expected "));
    let (found, expected) = parts.unwrap_or((rest, "a limit as `cigri admin cluster show` lists them"));
    let plain = expected.strip_suffix(" is expected").or_else(|| expected.strip_suffix(" are expected"));
    Problem {
        path: path.to_owned(),
        found: found.strip_suffix(" is no window").unwrap_or(found).to_owned(),
        expected: plain.unwrap_or(expected).replacen("one looks like", "a window such as", 1),
        hint: None,
        line: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(changes: Value) -> Vec<String> {
        let hint = |hint: &Option<String>| hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        let line = |one: Problem| format!("{}: {} / {}{}", one.path, one.found, one.expected, hint(&one.hint));
        of_limits(&ClusterLimits::default(), &changes).into_iter().map(line).collect()
    }

    #[test]
    fn what_cannot_be_read_does_not_hide_what_makes_no_sense() {
        let changes = json!({"windows": ["someday"], "max_array": 0, "busy": 2, "max_wating": 5, "mode": "shut"});
        assert_eq!(
            told(changes),
            [
                "windows: \"someday\" / a window such as \"Mon-Fri 20:00-07:00\" or \"Sat,Sun\"",
                "max_wating: `max_wating` / a limit of a cluster (did you mean `max_waiting`?)",
                "mode: unknown variant `shut` / one of `open`, `drained`, `disabled`",
                "max_array: 0 / a whole number from 1 to 10000000",
                "busy: 2 / a number from 0.001 to 1",
            ]
        );
        assert!(told(json!({"max_array": 1})).is_empty());
        assert_eq!(told(json!(["max_array"])).len(), 1);
    }

    #[test]
    fn a_sensor_is_a_url_at_run_time() {
        let problem = |sensor: &str| {
            let patch = json!({"file_server": {"sensor": sensor, "reference": 6}});
            of_sensor(&patch, &ClusterLimits::default()).map(|problem| problem.path)
        };
        assert_eq!(["http://nfs/load", "https://nfs/load"].map(problem), [None, None]);
        for wrong in ["cat /proc/loadavg", "file:///etc/passwd", "HTTP:x"] {
            assert_eq!(problem(wrong).as_deref(), Some("file_server.sensor"), "{wrong}");
        }
        for other in [json!({"file_server": "none"}), json!({"max_array": 1}), json!({"file_server": {"sensor": null}})]
        {
            assert_eq!(of_sensor(&other, &ClusterLimits::default()), None);
        }
    }
}
