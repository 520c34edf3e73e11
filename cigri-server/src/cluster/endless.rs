//! Campaigns without an end: their time, and a command that only fails.

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::JobState;
use cigri_store::{JobEnd, SubmissionRow};
use tracing::info;

use super::{Memory, Round, StepError};

/// So many failures in a row, without a success, and a campaign without an end is held: nothing else would stop it.
const MOST_FAILURES: u32 = 10;

/// Closes the bags whose time is over, whichever clusters they are for.
pub(super) async fn close_due(round: &Round<'_>) -> Result<(), StepError> {
    let now = round.now;
    let closed = round.store(move |store| store.close_due_bags(now)).await?;
    for id in closed {
        info!(campaign.id = id, "its time is over: nothing more of it is sent");
    }
    Ok(())
}

/// Counts a campaign's failures in a row on this cluster; says that it is held when they are too many.
pub(super) fn count_failures(
    round: &Round<'_>,
    memory: &mut Memory,
    seen: &SubmissionRow,
    ends: &[JobEnd],
) -> Option<NewEvent> {
    let failures = memory.failures.entry(seen.campaign_id).or_default();
    for end in ends {
        match end.state {
            JobState::Done => *failures = 0,
            JobState::Failed => *failures += 1,
            _ => {}
        }
    }
    if *failures < MOST_FAILURES {
        return None;
    }
    let message = format!(
        "the last {failures} tasks failed there, none succeeded: the campaign has no end, so it is held. Mend the \
         program, then resume the campaign"
    );
    memory.failures.remove(&seen.campaign_id);
    Some(NewEvent::hold(Scope::campaign_on(seen.campaign_id, round.name()), Code::OnlyFailures, message))
}
