//! Limits as tables of the server's configuration file: pasted back, they give the same limits.

use cigri_api::{ClusterLimits, Limit};
use toml::{Table, Value};

use crate::exit::Failure;

/// One table per cluster, with what differs from the defaults.
pub(super) fn tables(clusters: &[ClusterLimits]) -> Result<String, Failure> {
    let mut text = String::new();
    for cluster in clusters {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&table(cluster)?);
    }
    Ok(text)
}

fn table(cluster: &ClusterLimits) -> Result<String, Failure> {
    let mut keys = Table::new();
    keys.insert("url".to_owned(), Value::String(cluster.url.clone()));
    for limit in cluster.items.iter().filter(|limit| limit.value != limit.default && !limit.value.is_null()) {
        let value = Value::try_from(&limit.value).map_err(|error| unprintable(limit, &error.to_string()))?;
        if limit.key == "file_server" && value.get("sensor").is_none() {
            return Err(Failure::Refused("the sensor of the file server is told to admins alone".into()));
        }
        match limit.key.split_once('.') {
            None => drop(keys.insert(limit.key.clone(), value)),
            Some((map, entry)) => {
                let entries = keys.entry(map).or_insert_with(|| Value::Table(Table::new()));
                entries.as_table_mut().map(|entries| entries.insert(entry.to_owned(), value));
            }
        }
    }
    let named = Table::from_iter([(cluster.cluster.clone(), Value::Table(keys))]);
    let whole = Table::from_iter([("clusters".to_owned(), Value::Table(named))]);
    toml::to_string(&whole).map_err(|error| Failure::Environment(format!("cannot print the limits: {error}")))
}

fn unprintable(limit: &Limit, problem: &str) -> Failure {
    Failure::Environment(format!("cannot print {}: {problem}", limit.key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use cigri_api::LimitSource;
    use serde_json::json;

    fn limit(key: &str, value: serde_json::Value, default: serde_json::Value) -> Limit {
        Limit { key: key.into(), value, default, from: LimitSource::RunTime }
    }

    fn cluster(items: Vec<Limit>) -> ClusterLimits {
        ClusterLimits {
            cluster: "dahu".into(),
            kind: "oar3".into(),
            url: "http://dahu/".into(),
            items,
            problems: vec![],
        }
    }

    #[test]
    fn only_what_differs_is_printed_and_a_hidden_sensor_refused() {
        let items = vec![
            limit("max_array", json!(500), json!(500)),
            limit("user_quotas.*", json!(50), json!(null)),
            limit("max_waiting", json!(60), json!(500)),
        ];
        let expected =
            "[clusters.dahu]\nmax_waiting = 60\nurl = \"http://dahu/\"\n\n[clusters.dahu.user_quotas]\n\"*\" = 50\n";
        assert_eq!(tables(&[cluster(items)]).unwrap(), expected);
        let hidden = limit("file_server", json!({"reference": 6.0}), json!(null));
        assert!(tables(&[cluster(vec![hidden])]).is_err());
    }

    #[test]
    fn what_is_printed_and_pasted_back_gives_the_same_limits() {
        let patch = json!({
            "max_waiting": 60, "max_running": 0, "busy": 0.25, "normal_jobs": false, "note": "a \"new\" kernel",
            "mode": "drained", "windows": ["Mon-Fri 20:00-07:00", "Sat,Sun"], "law": {"name": "adaptive", "ahead": 3},
            "user_quotas": {"alice": 200, "*": 5, "a.b": 1}, "weights": {"bob": 0.5}, "stress": {"reference": 40},
            "file_server": {"sensor": "http://nfs/load?a=1,b", "reference": 6},
        });
        let limits = cigri_core::meter::limits::merge(&Default::default(), &patch).unwrap();
        let (limits, default) = (json!(limits), json!(cigri_core::meter::ClusterLimits::default()));
        let mut items = Vec::new();
        for (key, value) in limits.as_object().unwrap() {
            if ["user_quotas", "weights"].contains(&key.as_str()) {
                let entries = value.as_object().unwrap();
                items.extend(
                    entries.iter().map(|(name, value)| limit(&format!("{key}.{name}"), value.clone(), json!(null))),
                );
            } else {
                items.push(limit(key, value.clone(), default[key].clone()));
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), tables(&[cluster(items)]).unwrap()).unwrap();
        let read = cigri_server::settings::read(Some(file.path())).unwrap();
        assert_eq!(json!(read.clusters["dahu"].limits), limits);
        assert_eq!(read.clusters["dahu"].url, "http://dahu/");
    }
}
