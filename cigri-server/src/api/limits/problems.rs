//! What is wrong with a change of limits: all of it at once, each problem with its place.

use cigri_api::Problem;
use cigri_core::meter::ClusterLimits;
use cigri_core::meter::limits::merge;
use serde_json::Value;

/// A command would run with the server's rights: only the configuration file may name one.
pub(super) fn of_sensor(patch: &Value) -> Option<Problem> {
    let sensor = patch.get("file_server")?.get("sensor").filter(|sensor| !sensor.is_null())?;
    let is_url = |text: &str| text.starts_with("http://") || text.starts_with("https://");
    if sensor.as_str().is_some_and(is_url) {
        return None;
    }
    Some(Problem {
        path: "file_server.sensor".to_owned(),
        found: sensor.to_string(),
        expected: "a URL (http:// or https://)".to_owned(),
        hint: Some("a command is taken from the configuration file only".to_owned()),
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
        let patch = |sensor: Value| json!({"file_server": {"sensor": sensor, "reference": 6}});
        for good in ["http://nfs/load", "https://nfs/load"] {
            assert_eq!(of_sensor(&patch(json!(good))), None);
        }
        for wrong in [json!("cat /proc/loadavg"), json!("file:///etc/passwd"), json!(["sh"]), json!("HTTP:x")] {
            assert_eq!(of_sensor(&patch(wrong)).unwrap().path, "file_server.sensor");
        }
        assert_eq!(of_sensor(&json!({"file_server": "none"})), None);
        assert_eq!(of_sensor(&json!({"max_array": 1})), None);
    }
}
