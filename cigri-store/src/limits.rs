//! What a cluster's administrator allows: what the configuration says, what was changed at run time, and both together.

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::language::{Problem, Problems};
use cigri_core::meter::ClusterLimits;
use cigri_core::meter::limits::{fitting, keep, merge, without_configured};
use diesel::prelude::*;
use serde_json::{Map, Value};

use crate::audit::{self, NewAudit};
use crate::connection::Database;
use crate::schema::cluster;
use crate::{Result, Store, StoreError, event};

/// The limits of one cluster, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSettings {
    /// What the configuration says.
    pub configured: ClusterLimits,
    /// What was changed at run time and fits: a merge patch over it, as `cigri_core::meter::limits::merge` takes it.
    pub changes: Value,
    /// Both together.
    pub effective: ClusterLimits,
    /// What is stored and not used: it cannot be read, or fits the configuration no more.
    pub problems: Vec<Problem>,
}

impl ClusterSettings {
    /// Reads the stored texts. What cannot be read, or does not fit any more, counts for nothing, and is told: a cluster
    /// without limits would stop everything, and one without its last changes might open to jobs.
    pub(crate) fn read(limits: &str, changes: &str) -> ClusterSettings {
        let unread = |found: serde_json::Error, expected: &str| Problem::new("", found.to_string(), expected);
        let mut problems = Vec::new();
        let configured = serde_json::from_str(limits).unwrap_or_else(|error| {
            problems.push(unread(error, "the configuration's limits"));
            ClusterLimits::default()
        });
        let changes = serde_json::from_str(changes).unwrap_or_else(|error| {
            problems.push(unread(error, "changes of limits"));
            Value::Object(Map::new())
        });
        let fitting = fitting(&configured, &changes);
        problems.extend(fitting.problems);
        ClusterSettings { configured, changes: fitting.changes, effective: fitting.limits, problems }
    }

    /// The changes after `patch`: what the configuration says anyway is not kept.
    pub fn kept(&self, patch: &Value) -> Value {
        without_configured(&self.configured, keep(&self.changes, patch))
    }
}

fn unfit(name: &str, problems: &[Problem]) -> NewEvent {
    let found = problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let message = format!(
        "limits of {name} that were changed at run time fit its configuration no more, and have no effect; the next \
         `cigri admin cluster set {name}` drops them:\n{found}"
    );
    NewEvent::note(Scope::cluster(name), Code::LimitsUnfit, message)
}

fn find(connection: &mut Database, name: &str) -> Result<ClusterSettings> {
    let columns = (cluster::limits, cluster::changes);
    let found: Option<(String, String)> = cluster::table.find(name).select(columns).first(connection).optional()?;
    let (limits, changes) = found.ok_or_else(|| StoreError::Missing(format!("cluster {name}")))?;
    Ok(ClusterSettings::read(&limits, &changes))
}

impl Store {
    /// What its admin allows on a cluster now.
    pub fn cluster_limits(&self, name: &str) -> Result<ClusterLimits> {
        Ok(self.cluster_settings(name)?.effective)
    }

    /// The same, with what it is made of.
    pub fn cluster_settings(&self, name: &str) -> Result<ClusterSettings> {
        self.read(|connection| find(connection, name))
    }

    /// Says by an event what of the changes made at run time has no effect any more; closes it once all of them have.
    /// Whether they fit changes when a configuration is put, or with [`Store::change_cluster`].
    pub fn tell_unfit(&self, name: &str, now: i64) -> Result<Vec<Problem>> {
        let problems = self.cluster_settings(name)?.problems;
        if problems.is_empty() {
            self.close_event(Code::LimitsUnfit, &Scope::cluster(name), now)?;
        } else {
            self.open_events(&[unfit(name, &problems)], now)?;
        }
        Ok(problems)
    }

    /// Changes the limits of a cluster at run time: `patch` is merged into the changes that are kept, where `null` brings
    /// the configuration's value back. Returns what holds now. Changes that fit no more are dropped. Who did it is written
    /// down in the same transaction, unless nothing changed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] with everything that is wrong with the patch, and nothing is changed.
    pub fn change_cluster(&self, name: &str, patch: &Value, who: &str, now: i64) -> Result<ClusterLimits> {
        if !patch.is_object() {
            return Err(StoreError::Conflict(
                "the limits of a cluster are changed by an object with limits".to_owned(),
            ));
        }
        self.write(|connection| {
            let before = find(connection, name)?;
            // With what the configuration says anyway, which may be wrong.
            let all = merge(&before.configured, &keep(&before.changes, patch));
            let effective = all.map_err(|problems| StoreError::Conflict(Problems(problems).to_string()))?;
            let changes = before.kept(patch);
            if changes == before.changes && before.problems.is_empty() {
                return Ok(effective);
            }
            diesel::update(cluster::table.find(name))
                .set(cluster::changes.eq(changes.to_string()))
                .execute(connection)?;
            event::close(connection, Code::LimitsUnfit, &Scope::cluster(name), now)?;
            let shown = |limits| concerned(limits, patch);
            let (old, new) = (shown(&before.effective)?, shown(&effective)?);
            if old != new {
                let action = "change_limits";
                audit::write(connection, &NewAudit { who, action, cluster: name, before: &old, after: &new }, now)?;
            }
            Ok(effective)
        })
    }
}

/// The limits that a patch is about.
fn concerned(limits: &ClusterLimits, patch: &Value) -> Result<Value> {
    let Value::Object(mut all) = serde_json::to_value(limits).map_err(StoreError::corrupt)? else {
        return Ok(Value::Null);
    };
    all.retain(|key, _| patch.get(key).is_some());
    Ok(Value::Object(all))
}
