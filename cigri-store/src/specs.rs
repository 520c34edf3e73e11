//! What campaigns ask for, parsed once: rounds look at hundreds of campaigns every few seconds.
//!
//! Nothing changes what an open campaign asks for, and no id is given out twice, not even after a restore. Only open
//! campaigns may be looked up here: one that is being received may still be restated.

use std::collections::HashMap;
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

/// The specs that were read.
#[derive(Default)]
pub(crate) struct Specs(Mutex<SpecsById>);

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
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().filter_map(|id| Some((*id, Arc::clone(kept.get(id)?)))).collect()
    }

    fn keep(&self, found: &SpecsById) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(found.iter().map(|(id, spec)| (*id, Arc::clone(spec))));
        if kept.len() > MOST {
            kept.retain(|id, _| found.contains_key(id));
        }
    }
}

/// A stored spec.
pub(crate) fn parse(text: &str) -> Result<Arc<CampaignSpec>> {
    Ok(Arc::new(serde_json::from_str(text).map_err(StoreError::corrupt)?))
}
