//! What the orphan sweep asks the ledger.

use std::collections::BTreeMap;

use cigri_core::sweep::Known;
use diesel::prelude::*;

use crate::schema::submission;
use crate::{Result, Store, StoreError};

impl Store {
    /// What the ledger knows of these submissions; the others are missing in the answer. Whatever cluster they went
    /// to: two of our names may stand for one scheduler.
    pub fn known_submissions(&self, ids: &[i64]) -> Result<BTreeMap<i64, Known>> {
        self.read(|connection| {
            let mut known = BTreeMap::new();
            for id in ids {
                let row: Option<(String, i64)> = submission::table
                    .find(id)
                    .select((submission::state, submission::changed_at))
                    .first(connection)
                    .optional()?;
                if let Some((state, changed_at)) = row {
                    known.insert(*id, Known { state: state.parse().map_err(StoreError::corrupt)?, changed_at });
                }
            }
            Ok(known)
        })
    }

    /// Everybody who ever had a submission on a cluster: our login, and theirs there.
    pub fn submitters(&self, cluster: &str) -> Result<Vec<(String, String)>> {
        self.read(|connection| {
            Ok(submission::table
                .filter(submission::cluster.eq(cluster))
                .select((submission::owner, submission::remote_user))
                .distinct()
                .order((submission::owner, submission::remote_user))
                .load(connection)?)
        })
    }
}
