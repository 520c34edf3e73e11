//! What the other clusters of a campaign can take now: tasks that failed here wait for these alone, and a sample for what
//! will run without an admin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cigri_core::meter::{ClusterLimits, Mode, Reason, window};
use cigri_store::{ClusterRow, RoundCampaign, TokenRow};

use super::{Round, StepError};
use crate::grid::ClusterHandle;

/// What admins allow on all clusters, read once for a round.
pub(super) struct Elsewhere {
    limits: BTreeMap<String, ClusterLimits>,
    /// What each owner can use, as far as it was asked: a round has more campaigns than owners.
    usable: BTreeMap<String, Arc<BTreeSet<String>>>,
}

impl Elsewhere {
    pub(super) fn new(clusters: Vec<ClusterRow>) -> Elsewhere {
        let limits = clusters.into_iter().map(|row| (row.name, row.limits)).collect();
        Elsewhere { limits, usable: BTreeMap::new() }
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
        &mut self,
        round: &Round<'_>,
        campaign: &mut RoundCampaign,
        tokens: &[TokenRow],
    ) -> Result<(), StepError> {
        let owner = &campaign.row.owner;
        if !self.usable.contains_key(owner) {
            let usable = self.usable_by(round, owner, tokens)?;
            self.usable.insert(owner.clone(), Arc::new(usable));
        }
        let shut = round.grid.board.shut_to(campaign.row.id);
        if let Some(usable) = self.usable.get(owner) {
            match shut.is_empty() {
                true => campaign.keep_open(usable),
                false => campaign.keep_open(&Arc::new(usable.difference(&shut).cloned().collect())),
            }
        }
        Ok(())
    }

    fn usable_by(&self, round: &Round<'_>, owner: &str, tokens: &[TokenRow]) -> Result<BTreeSet<String>, StepError> {
        let mut usable = BTreeSet::new();
        for other in round.grid.clusters() {
            if self.is_usable(round, owner, &other, tokens)? {
                usable.insert(other.row.name.clone());
            }
        }
        Ok(usable)
    }

    /// Whether jobs of a campaign can be sent to a cluster now, as far as the cluster and the owner's token go.
    pub(super) fn is_open(
        &self,
        round: &Round<'_>,
        (campaign, owner): (i64, &str),
        cluster: &str,
        tokens: &[TokenRow],
    ) -> Result<bool, StepError> {
        let Some(other) = round.grid.cluster(cluster) else { return Ok(false) };
        Ok(!round.grid.board.is_shut(campaign, cluster) && self.is_usable(round, owner, &other, tokens)?)
    }

    fn is_usable(
        &self,
        round: &Round<'_>,
        owner: &str,
        other: &ClusterHandle,
        tokens: &[TokenRow],
    ) -> Result<bool, StepError> {
        let name = &other.row.name;
        let is_closed = self.shut(name).or_else(|| self.outside_windows(round, name)).is_some();
        Ok(!is_closed && round.grid.token_among(owner, other, tokens)?.is_ok())
    }
}
