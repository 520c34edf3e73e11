//! What a cluster's administrator allows: what the configuration says, what was changed at run time, and both together.

use cigri_core::meter::ClusterLimits;
use cigri_core::meter::limits::{keep, merge};
use diesel::prelude::*;
use serde_json::{Map, Value};

use crate::audit::{self, NewAudit};
use crate::connection::Database;
use crate::schema::cluster;
use crate::{Result, Store, StoreError};

/// The limits of one cluster, and where they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterSettings {
    /// What the configuration says.
    pub configured: ClusterLimits,
    /// What was changed at run time: a merge patch over it, as `cigri_core::meter::limits::merge` takes it.
    pub changes: Value,
    /// Both together; the configuration alone while the changes don't fit it.
    pub effective: ClusterLimits,
    /// Why a part of this is not used, if one is not.
    pub problem: Option<String>,
}

impl ClusterSettings {
    /// Reads the stored texts. What cannot be read, or does not fit any more, counts for nothing, and is told: a cluster
    /// without limits would stop everything.
    pub(crate) fn read(name: &str, limits: &str, changes: &str) -> ClusterSettings {
        let mut problems = Vec::new();
        let configured = serde_json::from_str(limits).unwrap_or_else(|error| {
            problems.push(format!("the limits that the configuration gave {name} cannot be read ({error})"));
            ClusterLimits::default()
        });
        let changes = serde_json::from_str(changes).unwrap_or_else(|_| Value::Object(Map::new()));
        let effective = merge(&configured, &changes).unwrap_or_else(|found| {
            let found = found.join("; ");
            problems.push(format!("changes to the limits of {name} don't fit its configuration any more ({found})"));
            configured.clone()
        });
        let problem = (!problems.is_empty()).then(|| problems.join("; "));
        ClusterSettings { configured, changes, effective, problem }
    }
}

fn find(connection: &mut Database, name: &str) -> Result<ClusterSettings> {
    let columns = (cluster::limits, cluster::changes);
    let found: Option<(String, String)> = cluster::table.find(name).select(columns).first(connection).optional()?;
    let (limits, changes) = found.ok_or_else(|| StoreError::Missing(format!("cluster {name}")))?;
    Ok(ClusterSettings::read(name, &limits, &changes))
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

    /// Changes the limits of a cluster at run time: `patch` is merged into the changes that are kept, where `null` brings
    /// the configuration's value back. Returns what holds now. Who did it is written down in the same transaction, unless
    /// nothing changed.
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
            let changes = keep(&before.changes, patch);
            let effective =
                merge(&before.configured, &changes).map_err(|problems| StoreError::Conflict(problems.join("; ")))?;
            if changes == before.changes {
                return Ok(effective);
            }
            diesel::update(cluster::table.find(name))
                .set(cluster::changes.eq(changes.to_string()))
                .execute(connection)?;
            let shown = |limits| concerned(limits, patch);
            let (old, new) = (shown(&before.effective)?, shown(&effective)?);
            let action = "change_limits";
            audit::write(connection, &NewAudit { who, action, cluster: name, before: &old, after: &new }, now)?;
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
