//! Why a campaign gets nothing at all, whatever the others get.

use super::{CampaignView, ClusterView};
use crate::meter::{Bound, Mode, Reason};
use crate::turn::Turn;

/// The reason why a campaign gets nothing at all, if there is one.
pub(super) fn blocked(cluster: &ClusterView<'_>, campaign: &CampaignView) -> Option<Bound> {
    let limits = cluster.limits;
    if limits.mode != Mode::Open {
        return Some(Bound::none(Reason::Mode { mode: limits.mode, note: limits.note.clone() }));
    }
    if let Some(text) = cluster.hold.clone() {
        return Some(Bound::none(Reason::ClusterHold { text }));
    }
    if let Some(text) = campaign.hold.clone() {
        return Some(Bound::none(Reason::Hold { text }));
    }
    if let Some(text) = campaign.token_problem.clone() {
        return Some(Bound::none(Reason::Token { text }));
    }
    if let Some(text) = campaign.calendar.clone() {
        return Some(Bound::none(Reason::Calendar { text }));
    }
    if let Some(bound) = campaign.breaker.as_ref().filter(|bound| bound.allowed == 0) {
        return Some(bound.clone());
    }
    if campaign.in_doubt > 0 {
        return Some(Bound::none(Reason::Doubt { submissions: campaign.in_doubt }));
    }
    match &campaign.turn {
        Turn::Wait(bound) => Some(bound.clone()),
        Turn::Tasks | Turn::Sample(_) if campaign.pending == 0 => Some(Bound::none(Reason::Pending { tasks: 0 })),
        _ => None,
    }
}
