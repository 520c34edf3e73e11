//! What users had of clusters lately, for fair share.

use std::collections::BTreeMap;

use cigri_core::fair::Usage;
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::usage_share;
use crate::{Result, Store, bulk};

/// Users with less than this many jobs, and none live, are forgotten.
const LEAST: f64 = 0.01;

/// Mean numbers of live jobs by user, as they were when they were last brought up to date: all of a cluster's at the same
/// moment, so that they compare.
pub(crate) fn on(connection: &mut Database, cluster: &str) -> Result<BTreeMap<String, f64>> {
    let found: Vec<(String, f64)> = usage_share::table
        .filter(usage_share::cluster.eq(cluster))
        .select((usage_share::owner, usage_share::jobs))
        .load(connection)?;
    Ok(found.into_iter().collect())
}

impl Store {
    /// Brings the usage of a cluster up to date at `now` (epoch milliseconds): `live` jobs by user lived there since the
    /// last time. What is not in it had none. Who appears begins at nothing.
    pub fn charge(&self, cluster: &str, live: &BTreeMap<String, u64>, now: i64, half_life_s: f64) -> Result<()> {
        self.write(|connection| {
            let known: Vec<(String, f64, i64)> = usage_share::table
                .filter(usage_share::cluster.eq(cluster))
                .select((usage_share::owner, usage_share::jobs, usage_share::at))
                .load(connection)?;
            let mut all: BTreeMap<String, Usage> = live
                .iter()
                .filter(|(_, jobs)| **jobs > 0)
                .map(|(owner, _)| (owner.clone(), Usage { jobs: 0.0, at: now }))
                .collect();
            all.extend(known.into_iter().map(|(owner, jobs, at)| (owner, Usage { jobs, at })));
            let charged = all.into_iter().map(|(owner, usage)| {
                let lives = live.get(&owner).copied().unwrap_or_default();
                (usage.after(now, lives, half_life_s).jobs, lives, owner)
            });
            let kept = charged.filter(|(jobs, lives, _)| *jobs >= LEAST || *lives > 0);
            let kept: Vec<(String, f64)> = kept.map(|(jobs, _, owner)| (owner, jobs)).collect();
            diesel::delete(usage_share::table.filter(usage_share::cluster.eq(cluster))).execute(connection)?;
            bulk::insert_usage(connection, cluster, (&kept, now))
        })
    }

    /// What users had of a cluster lately: mean numbers of live jobs when it was last charged.
    pub fn usage(&self, cluster: &str) -> Result<BTreeMap<String, f64>> {
        self.read(|connection| on(connection, cluster))
    }
}
