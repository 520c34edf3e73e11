//! Levels of escalation and what tasks were retried with: what jobs ask for on the cluster, and how many of each level go
//! in a round.

use cigri_core::language::{ClusterSpec, JobKind};
use cigri_core::state::Role;
use cigri_store::{Raised, RoundCampaign, RoundView, Sender};

use super::{Memory, Round, StepError, metering, nights, readings, submit};

/// A level, with the admin's longest walltime of best-effort jobs there.
pub(super) fn raised(round: &Round<'_>, kind: JobKind, level: u32) -> Raised {
    let longest = || round.grid.admission.best_effort_walltime_s.get(round.name()).copied();
    Raised { level, longest_s: if kind.may_be_killed() { longest() } else { None } }
}

/// What the campaign's next jobs of a level ask for there: what they were retried with, raised.
pub(super) fn spec(round: &Round<'_>, campaign: &RoundCampaign, level: u32) -> Option<ClusterSpec> {
    let own = campaign.row.spec.clusters.get(round.name())?;
    let longest_s = raised(round, own.kind, level).longest_s;
    let asked = campaign.asked.get(&level).map(|asked| asked.ask.apply(own, longest_s));
    Some(asked.as_ref().unwrap_or(own).at_level(level, longest_s))
}

/// Reads what the next jobs of campaigns were retried with: the plan and the meter take them for what they are.
pub(super) async fn read_asked(round: &Round<'_>, view: &mut RoundView) -> Result<(), StepError> {
    let has_asks = |campaign: &&RoundCampaign| campaign.row.has_asks;
    let sender = |campaign: &RoundCampaign| Sender {
        id: campaign.row.id,
        open_elsewhere: campaign.open_elsewhere(),
        levels: campaign.levels.clone(),
    };
    let senders: Vec<Sender> = view.campaigns.iter().filter(has_asks).map(sender).collect();
    if senders.is_empty() {
        return Ok(());
    }
    let (cluster, now) = (round.name().to_owned(), round.now);
    let mut found = round.store(move |store| store.asked_next(&cluster, &senders, now)).await?;
    for campaign in &mut view.campaigns {
        if let Some(asked) = found.remove(&campaign.row.id) {
            campaign.asked = asked;
            campaign.shape = spec(round, campaign, 0).map(|spec| spec.shape().into()).unwrap_or_default();
        }
    }
    Ok(())
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
        // A longer job may pass the morning.
        let is_late = nights::problem(round, spec(round, campaign, *level).as_ref()).is_some();
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
