//! What a round leaves in the database for people and for later rounds: its decisions, and what users had.

use std::collections::HashMap;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::meter::Term;
use cigri_core::plan::{CampaignView, ClusterView, Decision};
use cigri_store::{DecisionRow, RoundView};

use super::{Memory, Round, StepError, metering};

/// Time between two settlements.
const SETTLE_EVERY_MS: i64 = 60_000;
/// A decision that differs in its numbers alone is written down no more often than this.
const NUMBERS_EVERY_MS: i64 = 60_000;

/// The last decision about a campaign that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decided {
    allowed: u64,
    reason: String,
    /// Epoch milliseconds.
    at: i64,
}

impl Decided {
    /// Whether another one is worth a row: other words, something where nothing was allowed before or the other way
    /// round; or, after a while, other numbers.
    fn is_outdone_by(&self, new: &Decided) -> bool {
        let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let is_old = !(0..NUMBERS_EVERY_MS).contains(&(new.at - self.at));
        let differs = (self.allowed, &self.reason) != (new.allowed, &new.reason);
        (self.allowed == 0) != (new.allowed == 0) || differs && (is_old || words(&self.reason) != words(&new.reason))
    }
}

/// Now and then: users are charged for what they have there, and what is old is forgotten.
pub(super) async fn settle(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    if (0..SETTLE_EVERY_MS).contains(&(round.now - memory.settled_at)) {
        return Ok(());
    }
    memory.settled_at = round.now;
    let live = metering::live_of_users(view);
    let (name, now, keep) = (round.name().to_owned(), round.now, round.grid.retention);
    round
        .store(move |store| {
            store.charge(&name, &live, now, keep.half_life_s)?;
            store.prune_decisions(now - keep.decisions_ms)
        })
        .await
        .map(|_| ())
}

/// The decisions that changed, with what they were made from.
pub(super) fn changed(
    round: &Round<'_>,
    memory: &Memory,
    (cluster, campaigns): (&ClusterView<'_>, &[CampaignView]),
    decisions: &[Decision],
) -> Vec<DecisionRow> {
    let views: HashMap<i64, &CampaignView> = campaigns.iter().map(|campaign| (campaign.id, campaign)).collect();
    let row = |Decision { campaign, allowance, .. }: &Decision| {
        let binding = allowance.binding();
        let new = Decided { allowed: allowance.allowed, reason: binding.reason.to_string(), at: round.now };
        let is_known = memory.decided.get(campaign).is_some_and(|last| !last.is_outdone_by(&new));
        (!is_known).then(|| DecisionRow {
            campaign_id: *campaign,
            cluster: round.name().to_owned(),
            decided_at: round.now,
            allowed: allowance.allowed as i64,
            bound_by: binding.term().as_str().to_owned(),
            reason: new.reason,
            terms: allowance.terms.clone(),
            inputs: views.get(campaign).map(|view| metering::inputs(cluster, view)).unwrap_or_default(),
        })
    };
    decisions.iter().filter_map(row).collect()
}

/// Writes them down, and tells users whose tokens do not serve.
pub(super) async fn record(
    round: &Round<'_>,
    memory: &mut Memory,
    rows: Vec<DecisionRow>,
    campaigns: &[CampaignView],
) -> Result<(), StepError> {
    let owners: HashMap<i64, &str> = campaigns.iter().map(|view| (view.id, view.owner.as_str())).collect();
    memory.decided.retain(|id, _| owners.contains_key(id));
    if rows.is_empty() {
        return Ok(());
    }
    let tokens = rows.iter().filter(|row| row.bound_by == Term::Token.as_str());
    let event = |row: &DecisionRow| {
        let scope = Scope::user_on(owners.get(&row.campaign_id)?, round.name());
        Some(NewEvent::note(scope, Code::TokenNotFound, &row.reason))
    };
    let events: Vec<NewEvent> = tokens.filter_map(event).collect();
    for row in &rows {
        let decided = Decided { allowed: row.allowed as u64, reason: row.reason.clone(), at: row.decided_at };
        memory.decided.insert(row.campaign_id, decided);
    }
    let now = round.now;
    round
        .store(move |store| {
            store.record_decisions(&rows)?;
            store.open_events(&events, now)
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_count_at_once_and_other_numbers_after_a_while() {
        let decided = |allowed, reason: &str, at| Decided { allowed, reason: reason.to_owned(), at };
        let last = decided(0, "waiting jobs 60/60", 1_000);
        assert!(!last.is_outdone_by(&decided(0, "waiting jobs 60/60", 900_000)), "the same");
        assert!(!last.is_outdone_by(&decided(0, "waiting jobs 59/59", 31_000)));
        assert!(last.is_outdone_by(&decided(0, "waiting jobs 59/59", 61_000)));
        assert!(last.is_outdone_by(&decided(0, "waiting jobs 59/59", 0)), "the clock went back");
        assert!(last.is_outdone_by(&decided(0, "the cluster is drained", 2_000)));
        assert!(last.is_outdone_by(&decided(3, "waiting jobs 57/60", 2_000)), "it goes on");
        assert!(!decided(5, "7 tasks wait", 0).is_outdone_by(&decided(3, "9 tasks wait", 30_000)));
    }
}
