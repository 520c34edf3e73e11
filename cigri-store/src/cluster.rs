//! Clusters, and the name of this database.

use cigri_core::meter::ClusterLimits;
use diesel::prelude::*;

use crate::connection::Database;
use crate::limits::ClusterSettings;
use crate::schema::{cluster, instance};
use crate::{Result, Store, StoreError};

/// Which API a cluster speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClusterKind {
    /// OAR 3 over HTTP(S).
    Oar3,
    /// Processes of this machine, behind OAR 3's API in the same process.
    Local,
}

impl ClusterKind {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            ClusterKind::Oar3 => "oar3",
            ClusterKind::Local => "local",
        }
    }
}

/// One cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterRow {
    /// Name, as campaign files use it.
    pub name: String,
    /// Which API.
    pub kind: ClusterKind,
    /// Base URL of its API (a label for a local one).
    pub url: String,
    /// The admin's limits. Listed: with what was changed at run time; put: what the configuration says.
    pub limits: ClusterLimits,
    /// When its last round ended well, epoch milliseconds.
    pub last_round_at: Option<i64>,
}

/// Names the database unless it has a name.
pub(crate) fn name_instance(connection: &mut Database, name: &str) -> Result<()> {
    let named: i64 = instance::table.count().get_result(connection)?;
    if named == 0 {
        diesel::insert_into(instance::table)
            .values((instance::one.eq(1), instance::name.eq(name)))
            .execute(connection)?;
    }
    Ok(())
}

type Columns = (String, String, String, (String, String), Option<i64>);

fn row((name, kind, url, (limits, changes), last_round_at): Columns) -> Result<ClusterRow> {
    let kind = match kind.as_str() {
        "oar3" => ClusterKind::Oar3,
        "local" => ClusterKind::Local,
        other => return Err(StoreError::Corrupt(format!("cluster kind `{other}`"))),
    };
    let limits = ClusterSettings::read(&limits, &changes).effective;
    Ok(ClusterRow { name, kind, url, limits, last_round_at })
}

/// Notes the highest id that a cluster has given us.
pub(crate) fn raise_watermark(connection: &mut Database, name: &str, remote_id: i64) -> Result<()> {
    diesel::update(cluster::table.find(name).filter(cluster::watermark.lt(remote_id)))
        .set(cluster::watermark.eq(remote_id))
        .execute(connection)?;
    Ok(())
}

impl Store {
    /// The random name of this database.
    pub fn instance(&self) -> Result<String> {
        self.read(|connection| Ok(instance::table.select(instance::name).first(connection)?))
    }

    /// Keeps `new` as the check of the key that seals secrets, unless there is one; returns the one that is kept.
    /// Also for a server that stands by: the first one to start has not led yet.
    pub fn key_check(&self, new: &[u8]) -> Result<Vec<u8>> {
        self.write_unled(|connection| {
            let unset = instance::table.filter(instance::key_check.is_null());
            diesel::update(unset).set(instance::key_check.eq(Some(new))).execute(connection)?;
            let kept: Option<Vec<u8>> = instance::table.select(instance::key_check).first(connection)?;
            kept.ok_or_else(|| StoreError::Missing("name of this database".to_owned()))
        })
    }

    /// Adds the cluster, or replaces its kind, URL and what the configuration allows there; what was changed at run time
    /// stays.
    pub fn put_cluster(&self, cluster: &ClusterRow) -> Result<()> {
        let limits = serde_json::to_string(&cluster.limits).map_err(StoreError::corrupt)?;
        self.write(|connection| {
            let settings =
                (cluster::kind.eq(cluster.kind.as_str()), cluster::url.eq(&cluster.url), cluster::limits.eq(&limits));
            let known = diesel::update(cluster::table.find(&cluster.name)).set(settings).execute(connection)?;
            if known == 0 {
                diesel::insert_into(cluster::table)
                    .values((cluster::name.eq(&cluster.name), settings.0, settings.1, settings.2))
                    .execute(connection)?;
            }
            Ok(())
        })
    }

    /// All clusters by name.
    pub fn list_clusters(&self) -> Result<Vec<ClusterRow>> {
        self.read(|connection| {
            let limits = (cluster::limits, cluster::changes);
            let columns = (cluster::name, cluster::kind, cluster::url, limits, cluster::last_round_at);
            let rows: Vec<Columns> = cluster::table.select(columns).order(cluster::name).load(connection)?;
            rows.into_iter().map(row).collect()
        })
    }

    /// The highest remote id that the cluster has given us; 0 before the first, and after its database was reset.
    pub fn watermark(&self, name: &str) -> Result<i64> {
        self.read(|connection| Ok(cluster::table.find(name).select(cluster::watermark).first(connection)?))
    }

    /// Notes an id that the cluster gave us.
    pub fn note_id(&self, name: &str, remote_id: i64) -> Result<()> {
        self.write(|connection| raise_watermark(connection, name, remote_id))
    }

    /// Since when the cluster's ids are what they are, epoch milliseconds.
    pub fn ids_since(&self, name: &str) -> Result<i64> {
        self.read(|connection| Ok(cluster::table.find(name).select(cluster::ids_since).first(connection)?))
    }

    /// Notes that a round on the cluster ended well.
    pub fn note_round(&self, name: &str, now: i64) -> Result<()> {
        self.write(|connection| {
            diesel::update(cluster::table.find(name)).set(cluster::last_round_at.eq(Some(now))).execute(connection)?;
            Ok(())
        })
    }
}
