//! Who else waits on a cluster: where the admin wants other people's normal jobs to be given way to, one list per period
//! of what waits there tells them by their numbers.

use oar_client::{JobQuery, JobSummary, State};

use cigri_core::ledger;
use cigri_core::meter::{Bound, Neighbours};
use cigri_store::RoundView;

use super::{Memory, Round, StepError, readings};

/// Rows beyond ours that are asked for, the oldest jobs first: one of them that waits is enough.
const ROWS: u64 = 100;
/// The queue of jobs that are killed for others.
const BEST_EFFORT: &str = "besteffort";

/// Looks at them, at most once in a period, and not while we have nothing there, and nothing for it.
pub(super) async fn look(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    if round.limits.give_way.is_none() {
        memory.neighbours = Neighbours::default();
        return Ok(());
    }
    let is_idle = view.submissions.is_empty() && view.campaigns.is_empty();
    if is_idle || round.is_local() || !is_due(round, &memory.neighbours) {
        return Ok(());
    }
    let limit = view.waiting().max(0) as u64 + ROWS;
    let query = JobQuery { states: vec![State::Waiting], limit, ..JobQuery::default() };
    let page = round.handle.client.list(&query).await?;
    memory.neighbours.see(round.now, page.items.iter().filter(|row| is_others(row)).map(|row| row.id));
    Ok(())
}

/// At most once in a period.
fn is_due(round: &Round<'_>, neighbours: &Neighbours) -> bool {
    let period_ms = round.limits.period_s as i64 * 1000;
    neighbours.seen_at().is_none_or(|at| !(0..period_ms).contains(&(round.now - at)))
}

/// Whether it is somebody's normal job: the queue tells it. Steps and samples are normal jobs of ours, by their names.
fn is_others(row: &JobSummary) -> bool {
    let is_ours = row.name.as_deref().and_then(ledger::parse_name).is_some();
    row.queue_name.as_deref() != Some(BEST_EFFORT) && !is_ours
}

/// The term, while they are given way to.
pub(super) fn bound(round: &Round<'_>, memory: &Memory) -> Option<Bound> {
    memory.neighbours.bound(round.now, readings::most_s(round), round.limits.give_way.as_ref()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_jobs_that_are_not_ours_are_others() {
        let row = |name: Option<&str>, queue: Option<&str>| JobSummary {
            id: 1,
            name: name.map(str::to_owned),
            state: State::Waiting,
            user: Some("carol".to_owned()),
            queue_name: queue.map(str::to_owned),
            exit_code: None,
        };
        assert!(is_others(&row(None, Some("default"))) && is_others(&row(Some("night"), Some("admin"))));
        assert!(is_others(&row(None, None)), "a cluster that tells no queue has no other way to say so");
        assert!(!is_others(&row(Some("night"), Some("besteffort"))));
        assert!(!is_others(&row(Some("cigri.a1b2.7.00000000deadbeef"), Some("default"))), "a prologue of ours");
    }
}
