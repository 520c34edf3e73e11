//! Levels of escalation: what jobs of each ask for on the cluster, and how many of each go in a round.

use cigri_core::language::{ClusterSpec, JobKind};
use cigri_core::state::Role;
use cigri_store::{Raised, RoundCampaign, RoundView};

use super::{Memory, Round, StepError, metering, nights, readings, submit};

/// A level, with the admin's longest walltime of best-effort jobs there.
pub(super) fn raised(round: &Round<'_>, kind: JobKind, level: u32) -> Raised {
    let longest = || round.grid.admission.best_effort_walltime_s.get(round.name()).copied();
    let is_bound = matches!(kind, JobKind::BestEffort | JobKind::SemiBestEffort);
    Raised { level, longest_s: if is_bound { longest() } else { None } }
}

/// What jobs of a level ask for.
pub(super) fn spec(round: &Round<'_>, spec: &ClusterSpec, level: u32) -> ClusterSpec {
    spec.at_level(level, raised(round, spec.kind, level).longest_s)
}

/// Sends up to `allowed` jobs of the campaign: those that ask for more first, as far as their own law lets them wait,
/// then the others. They came back before the tasks never tried, and are few.
pub(super) async fn submit(
    round: &Round<'_>,
    memory: &mut Memory,
    (view, campaign): (&RoundView, &RoundCampaign),
    (role, allowed): (Role, u64),
) -> Result<(), StepError> {
    let mut left = allowed;
    let levels = campaign.levels.iter().filter(|_| !role.is_step());
    for level in levels {
        let most = metering::room(round, memory, (view, campaign), *level).min(left);
        let is_late = campaign.row.spec.clusters.get(round.name()).is_some_and(|own| {
            // A longer job may pass the morning.
            nights::problem(round, Some(&spec(round, own, *level))).is_some()
        });
        if most == 0 || is_late {
            continue;
        }
        left = left.saturating_sub(submit::submit(round, memory, campaign, (role, most, *level)).await?);
        if readings::is_stale(round) {
            return Ok(());
        }
    }
    if left > 0 {
        submit::submit(round, memory, campaign, (role, left, 0)).await?;
    }
    Ok(())
}
