//! What may run by night only: when it is sent, as what, and what is taken back in the morning.

use std::collections::HashMap;

use cigri_core::calendar::{self, Calendar};
use cigri_core::language::{ClusterSpec, JobKind};
use cigri_core::state::Role;
use cigri_store::{RoundView, SubmissionRow};

use super::{Memory, Round, StepError, raise, withdraw};

/// What a submission's kind says about its jobs, and how long they may take: nothing for those that know no night.
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
        let Some((kind, longest_s)) = memory.kinds.get(&submission.id).copied().flatten() else { continue };
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

/// Reads once, for each submission there, what its kind is, and how long its jobs were told that they may take.
async fn remember_kinds(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    memory.kinds.retain(|id, _| view.submissions.iter().any(|submission| submission.id == *id));
    for submission in &view.submissions {
        if memory.kinds.contains_key(&submission.id) {
            continue;
        }
        let (id, campaign) = (submission.id, submission.campaign_id);
        let (row, ask) = round.store(move |store| Ok((store.campaign(campaign)?, store.asked_of(id)?))).await?;
        let spec = row.spec.clusters.get(round.name());
        let nightly = spec.filter(|spec| matches!(spec.kind, JobKind::Nightly | JobKind::SemiBestEffort));
        let longest_s = |spec: &ClusterSpec| {
            let bound_s = raise::raised(round, spec.kind, submission.level).longest_s;
            calendar::longest_s(&ask.apply(spec, bound_s).at_level(submission.level, bound_s))
        };
        memory.kinds.insert(id, nightly.map(|spec| (spec.kind, longest_s(spec))));
    }
    Ok(())
}
