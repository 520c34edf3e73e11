//! What may not be changed at run time, though it makes sense.

use cigri_api::Problem;
use cigri_core::meter::ClusterLimits;
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
