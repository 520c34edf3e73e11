//! What may run by night only: when it is sent, as what, and what is taken back in the morning.

use std::collections::HashMap;

use cigri_core::calendar::{self, Calendar};
use cigri_core::language::{ClusterSpec, JobKind};
use cigri_core::state::Role;
use cigri_store::{RoundView, SubmissionRow};

use super::{Memory, Round, StepError, withdraw};

/// What a campaign's kind says about its jobs on the cluster: nothing for those that know no night.
pub(super) type Kinds = HashMap<i64, Option<(JobKind, u64)>>;

/// Whether the cluster may kill jobs that are sent at `at`.
pub(super) fn is_best_effort(round: &Round<'_>, spec: &ClusterSpec, at: i64) -> bool {
    calendar::is_best_effort(spec.kind, round.calendar(), at)
}

/// Why the campaign's jobs may not be sent there at this hour.
pub(super) fn problem(round: &Round<'_>, spec: Option<&ClusterSpec>) -> Option<String> {
    let spec = spec.filter(|spec| spec.kind == JobKind::Nightly)?;
    let now = (round.now, slack_ms(round));
    calendar::nightly_problem(round.calendar()?, round.name(), calendar::longest_s(spec), now)
}

/// A job that is let wait now may start until the next round but one.
fn slack_ms(round: &Round<'_>) -> i64 {
    2000 * round.limits.period_s as i64
}

/// Takes back what waits and may not start at this hour: nightly jobs that would pass the morning, and by day those
/// that were sent as normal ones because it was night. What runs stays.
pub(super) async fn withdraw(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    let Some(calendar) = round.calendar() else { return Ok(()) };
    remember_kinds(round, memory, view).await?;
    let mut left = withdraw::CHUNK;
    // Steps and samples run by day as well.
    let adopted = |s: &&SubmissionRow| s.role == Role::Tasks && withdraw::is_adopted(s);
    for submission in view.submissions.iter().filter(adopted) {
        let Some((kind, longest_s)) = memory.kinds.get(&submission.campaign_id).copied().flatten() else { continue };
        if is_late(round, calendar, (kind, longest_s), submission.created_at) {
            left -= withdraw::take_back(round, memory, submission, left).await?;
        }
    }
    Ok(())
}

fn is_late(round: &Round<'_>, calendar: &Calendar, (kind, longest_s): (JobKind, u64), sent_at: i64) -> bool {
    match kind {
        JobKind::Nightly => {
            calendar::nightly_problem(calendar, round.name(), longest_s, (round.now, slack_ms(round))).is_some()
        }
        JobKind::SemiBestEffort => calendar.is_night(sent_at) && !calendar.is_night(round.now),
        JobKind::BestEffort | JobKind::Normal => false,
    }
}

/// Reads once, for each campaign with something there, what its kind is.
async fn remember_kinds(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    memory.kinds.retain(|id, _| view.submissions.iter().any(|submission| submission.campaign_id == *id));
    for submission in &view.submissions {
        let campaign = submission.campaign_id;
        if memory.kinds.contains_key(&campaign) {
            continue;
        }
        let row = round.store(move |store| store.campaign(campaign)).await?;
        let spec = row.spec.clusters.get(round.name());
        let nightly = spec.filter(|spec| matches!(spec.kind, JobKind::Nightly | JobKind::SemiBestEffort));
        memory.kinds.insert(campaign, nightly.map(|spec| (spec.kind, calendar::longest_s(spec))));
    }
    Ok(())
}
