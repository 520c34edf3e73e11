//! What campaigns ask for, parsed once: rounds look at hundreds of campaigns every few seconds.
//!
//! Nothing changes what an open campaign asks for, and no id is given out twice, not even after a restore. Only open
//! campaigns may be looked up here: one that is being received may still be restated.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use cigri_core::language::CampaignSpec;
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::campaign;
use crate::{Result, StoreError};

/// Specs kept at most. Those of a round that names more are all kept until the next one.
const MOST: usize = 4096;

/// Ids asked for in one query.
const LOOKUPS: usize = 10_000;

/// By campaign id.
pub(crate) type SpecsById = HashMap<i64, Arc<CampaignSpec>>;

/// What rounds on a cluster look at in a campaign's spec, each time.
#[derive(Clone)]
pub(crate) struct Part {
    /// See `ClusterSpec::shape`.
    pub(crate) shape: Arc<str>,
    /// It has a prologue or an epilogue.
    pub(crate) has_steps: bool,
    /// Its jobs may run several tasks.
    pub(crate) is_grouped: bool,
}

/// By campaign id; `None`: it does not name the cluster.
type Parts = HashMap<i64, Option<Part>>;

/// The specs that were read.
#[derive(Default)]
pub(crate) struct Specs {
    whole: Mutex<SpecsById>,
    /// By cluster.
    parts: Mutex<HashMap<String, Parts>>,
}

impl Specs {
    /// Those of these campaigns, which are open or have ended. One query, if any of them was not read before.
    pub(crate) fn of(&self, connection: &mut Database, ids: &[i64]) -> Result<SpecsById> {
        let mut found = self.known(ids);
        let missing: Vec<i64> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        for missing in missing.chunks(LOOKUPS) {
            let texts: Vec<(i64, String)> = campaign::table
                .filter(campaign::id.eq_any(missing))
                .select((campaign::id, campaign::spec))
                .load(connection)?;
            for (id, text) in texts {
                found.insert(id, parse(&text)?);
            }
        }
        if !missing.is_empty() {
            self.keep(&found);
        }
        Ok(found)
    }

    fn known(&self, ids: &[i64]) -> SpecsById {
        let kept = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter_map(|id| Some((*id, Arc::clone(kept.get(id)?)))).collect()
    }

    /// What each of these campaigns asks for on a cluster, in their order.
    pub(crate) fn on<'a>(
        &self,
        cluster: &str,
        campaigns: impl Iterator<Item = (i64, &'a CampaignSpec)> + Clone,
    ) -> Vec<Option<Part>> {
        let mut all = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(cluster.to_owned()).or_default();
        let part =
            |(id, spec): (i64, &CampaignSpec)| known.entry(id).or_insert_with(|| Part::of(spec, cluster)).clone();
        let parts = campaigns.clone().map(part).collect();
        if known.len() > MOST {
            let named: HashSet<i64> = campaigns.map(|(id, _)| id).collect();
            known.retain(|id, _| named.contains(id));
        }
        parts
    }

    fn keep(&self, found: &SpecsById) {
        let mut kept = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(found.iter().map(|(id, spec)| (*id, Arc::clone(spec))));
        if kept.len() > MOST {
            kept.retain(|id, _| found.contains_key(id));
        }
    }
}

impl Part {
    fn of(spec: &CampaignSpec, cluster: &str) -> Option<Part> {
        let spec = spec.clusters.get(cluster)?;
        Some(Part {
            shape: spec.shape().into(),
            has_steps: spec.prologue.is_some() || spec.epilogue.is_some(),
            is_grouped: !spec.grouping.is_none(),
        })
    }
}

/// A stored spec.
pub(crate) fn parse(text: &str) -> Result<Arc<CampaignSpec>> {
    Ok(Arc::new(serde_json::from_str(text).map_err(StoreError::corrupt)?))
}
