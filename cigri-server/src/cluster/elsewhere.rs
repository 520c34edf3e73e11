//! What the other clusters of a campaign can take now: tasks that failed here wait for these alone, and a sample for what
//! will run without an admin.

use std::collections::{BTreeMap, BTreeSet};

use cigri_core::meter::{ClusterLimits, Mode, Reason, window};
use cigri_store::{ClusterRow, RoundCampaign, TokenRow};

use super::{Round, StepError};

/// What admins allow on all clusters, read once for a round.
pub(super) struct Elsewhere {
    limits: BTreeMap<String, ClusterLimits>,
}

impl Elsewhere {
    pub(super) fn new(clusters: Vec<ClusterRow>) -> Elsewhere {
        Elsewhere { limits: clusters.into_iter().map(|row| (row.name, row.limits)).collect() }
    }

    /// Why a cluster takes nothing new before its admin opens it.
    pub(super) fn shut(&self, cluster: &str) -> Option<String> {
        let limits = self.limits.get(cluster)?;
        let reason = || Reason::Mode { mode: limits.mode, note: limits.note.clone() };
        (limits.mode != Mode::Open).then(|| reason().to_string())
    }

    /// Why a cluster takes nothing at this hour.
    pub(super) fn outside_windows(&self, round: &Round<'_>, cluster: &str) -> Option<String> {
        let limits = self.limits.get(cluster)?;
        window::problem(&limits.windows, round.grid.calendar(cluster).zone(), round.now)
    }

    /// A cluster that is closed, or that the owner cannot use, is nowhere to go: tasks that failed here may come again.
    pub(super) fn narrow(
        &self,
        round: &Round<'_>,
        campaign: &mut RoundCampaign,
        tokens: &[TokenRow],
    ) -> Result<(), StepError> {
        let mut usable = BTreeSet::new();
        for name in &campaign.open_elsewhere {
            let Some(other) = round.grid.cluster(name) else { continue };
            let is_closed = self.shut(name).or_else(|| self.outside_windows(round, name)).is_some();
            if !is_closed && round.grid.token_among(&campaign.row.owner, &other, tokens)?.is_ok() {
                usable.insert(name.clone());
            }
        }
        campaign.keep_open(|name| usable.contains(name));
        Ok(())
    }
}
