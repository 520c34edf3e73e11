//! Who changed what of the clusters, and when.

use diesel::prelude::*;
use serde_json::Value;

use crate::connection::{Database, storable};
use crate::schema::audit;
use crate::{Result, Store, reserve};

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Its id; later ones are higher.
    pub id: i64,
    /// Epoch milliseconds.
    pub at: i64,
    /// Login of who made it.
    pub who: String,
    /// What was done: `change_limits`.
    pub action: String,
    /// Where, if it concerns one cluster.
    pub cluster: Option<String>,
    /// The settings concerned, as they were: an object.
    pub before: Value,
    /// As they are since.
    pub after: Value,
}

/// One about to be written down.
pub(crate) struct NewAudit<'a> {
    pub(crate) who: &'a str,
    pub(crate) action: &'a str,
    pub(crate) cluster: &'a str,
    pub(crate) before: &'a Value,
    pub(crate) after: &'a Value,
}

pub(crate) fn write(connection: &mut Database, new: &NewAudit<'_>, now: i64) -> Result<()> {
    let id = reserve(connection, "audit", 1)?;
    diesel::insert_into(audit::table)
        .values((
            (audit::id.eq(id), audit::at.eq(now), audit::who.eq(storable(new.who)), audit::action.eq(new.action)),
            audit::cluster.eq(Some(new.cluster)),
            (audit::before.eq(new.before.to_string()), audit::after.eq(new.after.to_string())),
        ))
        .execute(connection)?;
    Ok(())
}

type Columns = (i64, i64, String, String, Option<String>, String, String);

fn row((id, at, who, action, cluster, before, after): Columns) -> AuditRow {
    let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    AuditRow { id, at, who, action, cluster, before: json(before), after: json(after) }
}

impl Store {
    /// How many changes of one cluster or all are written down.
    pub fn audit_count(&self, cluster: Option<&str>) -> Result<u64> {
        self.read(|connection| {
            let mut query = audit::table.count().into_boxed();
            if let Some(cluster) = cluster {
                query = query.filter(audit::cluster.eq(cluster.to_owned()));
            }
            let count: i64 = query.get_result(connection)?;
            Ok(count.max(0) as u64)
        })
    }

    /// Changes of one cluster or all, newest first: at most `limit`, with ids below `before_id` where one is given.
    pub fn audit(&self, cluster: Option<&str>, limit: i64, before_id: Option<i64>) -> Result<Vec<AuditRow>> {
        self.read(|connection| {
            let mut query = audit::table.into_boxed();
            if let Some(cluster) = cluster {
                query = query.filter(audit::cluster.eq(cluster.to_owned()));
            }
            if let Some(id) = before_id {
                query = query.filter(audit::id.lt(id));
            }
            let found: Vec<Columns> = query.order(audit::id.desc()).limit(limit).load(connection)?;
            Ok(found.into_iter().map(row).collect())
        })
    }
}
