//! Limits, their changes and clusters as tables and words.

use cigri_api::{AuditEntry, Cluster, ClusterLimits, LimitChange};
use serde_json::Value;

use crate::exit::Failure;
use crate::screen::{Screen, plain};
use crate::show::table::{Table, moment};

/// Every limit of a cluster.
pub(super) fn limits(limits: &ClusterLimits, screen: &Screen) -> Result<(), Failure> {
    let mut table = Table::new(&["limit", "value", "from"], screen);
    for limit in &limits.items {
        table.row([limit.key.clone(), words(&limit.value), limit.from.in_words().to_owned()]);
    }
    table.print("no limits")
}

/// Clusters with what is there and what may be.
pub(super) fn clusters(clusters: &[Cluster], screen: &Screen) -> Result<(), Failure> {
    let columns = ["cluster", "mode", "waiting", "max waiting", "live", "max running", "law", "note", "hold"];
    let mut table = Table::new(&columns, screen);
    for cluster in clusters {
        table.row([
            cluster.name.clone(),
            cluster.mode.clone(),
            cluster.waiting.to_string(),
            cluster.max_waiting.to_string(),
            cluster.live.to_string(),
            cluster.max_running.to_string(),
            cluster.law.clone(),
            dash(&cluster.note),
            dash(cluster.hold.as_deref().unwrap_or_default()),
        ]);
    }
    table.print("no clusters")
}

/// Who changed what: a line per change.
pub(super) fn log(entries: &[AuditEntry], screen: &Screen) -> Result<(), Failure> {
    let mut table = Table::new(&["when", "who", "cluster", "change"], screen);
    for entry in entries {
        let cluster = entry.cluster.clone().unwrap_or_else(|| "-".to_owned());
        for change in &entry.changes {
            table.row([moment(entry.at), entry.who.clone(), cluster.clone(), change_words(change)]);
        }
    }
    table.print("nobody has changed anything at run time")
}

/// `max_waiting: 500 -> 60`.
pub(super) fn change_words(change: &LimitChange) -> String {
    format!("{}: {} -> {}", plain(&change.key), words(&change.before), words(&change.after))
}

/// A value as people write it.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) if text.is_empty() => "none".to_owned(),
        Value::String(text) => plain(text),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join("; "),
        Value::Object(entries) if entries.is_empty() => "none".to_owned(),
        Value::Object(entries) => {
            let entry = |(key, value): (&String, &Value)| format!("{}={}", plain(key), words(value));
            entries.iter().map(entry).collect::<Vec<_>>().join(",")
        }
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_change_is_told_with_before_and_after() {
        let told = |before, after| change_words(&LimitChange { key: "law".into(), before, after });
        assert_eq!(told(json!(500), json!(60)), "law: 500 -> 60");
        assert_eq!(told(json!(null), json!({"name": "fixed", "jobs": 10})), "law: none -> name=fixed,jobs=10");
        assert_eq!(told(json!([]), json!(["Mon", "Sat,Sun"])), "law: none -> Mon; Sat,Sun");
    }
}
