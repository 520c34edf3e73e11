//! What a round leaves in the database for people and for later rounds: its decisions, and what users had.

use std::collections::{BTreeSet, HashMap};

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::meter::Term;
use cigri_core::plan::{CampaignView, ClusterView, Decision};
use cigri_store::{DecisionRow, RoundView, StoreError};

use super::{Memory, Round, StepError, metering};

/// Time between two settlements.
const SETTLE_EVERY_MS: i64 = 60_000;
/// A decision that differs in its numbers alone is written down no more often than this.
const NUMBERS_EVERY_MS: i64 = 60_000;

/// A decision bound by the same term, and that allows something if the last one did, is not put into the history more
/// often than this.
const LOGGED_EVERY_MS: i64 = 600_000;
/// Chunks of old rows that are dropped at once.
const PRUNINGS: u32 = 20;

/// The last decision about a campaign that was written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decided {
    allowed: u64,
    reason: String,
    /// Epoch milliseconds.
    at: i64,
    /// The last one that is in the history.
    logged: Logged,
}

/// What the history says last.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Logged {
    term: String,
    is_any: bool,
    /// Epoch milliseconds.
    at: i64,
}

impl Logged {
    /// Whether another decision, at `new.at`, belongs into the history.
    fn is_outdone_by(&self, new: &Logged) -> bool {
        let is_old = !(0..LOGGED_EVERY_MS).contains(&(new.at - self.at));
        is_old || (&self.term, self.is_any) != (&new.term, new.is_any)
    }
}

impl Decided {
    /// This one, after `known`.
    fn of(row: &DecisionRow, known: Option<&Decided>) -> Decided {
        let new = Logged { term: row.bound_by.clone(), is_any: row.allowed > 0, at: row.decided_at };
        let last = known.map(|known| &known.logged).filter(|last| !last.is_outdone_by(&new));
        let logged = last.cloned().unwrap_or(new);
        Decided { allowed: row.allowed.max(0) as u64, reason: row.reason.clone(), at: row.decided_at, logged }
    }

    /// Whether another one is worth a row: other words, something where nothing was allowed before or the other way
    /// round; or, after a while, other numbers.
    fn is_outdone_by(&self, allowed: u64, reason: &str, at: i64) -> bool {
        let words = |text: &str| text.chars().filter(|c| !c.is_ascii_digit()).collect::<String>();
        let is_old = !(0..NUMBERS_EVERY_MS).contains(&(at - self.at));
        let differs = (self.allowed, self.reason.as_str()) != (allowed, reason);
        (self.allowed == 0) != (allowed == 0) || differs && (is_old || words(&self.reason) != words(reason))
    }
}

/// Now and then: users are charged for what they have there, and what is old is forgotten.
pub(super) async fn settle(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    if (0..SETTLE_EVERY_MS).contains(&(round.now - memory.settled_at)) {
        return Ok(());
    }
    let live = metering::live_of_users(view);
    let (name, now, keep) = (round.name().to_owned(), round.now, round.grid.retention);
    round
        .store(move |store| {
            store.charge(&name, &live, now, keep.half_life_s)?;
            prune(|| store.prune_decisions(now - keep.decisions_ms))?;
            prune(|| store.close_quiet_events(now))?;
            // What happens in a round whose cluster answers is noted when that is over; the next ones went well.
            store.close_notes(Code::ServiceFailure, &name, now)?;
            prune(|| store.prune_events(now - keep.events_ms))
        })
        .await?;
    memory.settled_at = round.now;
    Ok(())
}

/// Drops old rows, faster than they can be written.
fn prune(drop_some: impl Fn() -> Result<usize, StoreError>) -> Result<(), StoreError> {
    for _ in 0..PRUNINGS {
        if drop_some()? == 0 {
            break;
        }
    }
    Ok(())
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
        let reason = binding.reason.to_string();
        let last = memory.decided.get(campaign);
        let is_known = last.is_some_and(|last| !last.is_outdone_by(allowance.allowed, &reason, round.now));
        (!is_known).then(|| DecisionRow {
            campaign_id: *campaign,
            cluster: round.name().to_owned(),
            decided_at: round.now,
            allowed: allowance.allowed as i64,
            bound_by: binding.term().as_str().to_owned(),
            reason,
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
    // Somebody may have closed what was told: as often as there are settlements all are told of that need it.
    let concerned: BTreeSet<&str> = if memory.settled_at == round.now {
        campaigns.iter().filter(|view| view.token_problem.is_some()).map(|view| view.owner.as_str()).collect()
    } else {
        let bound = rows.iter().filter(|row| row.bound_by == Term::Token.as_str());
        bound.filter_map(|row| owners.get(&row.campaign_id).copied()).collect()
    };
    tell_tokenless(round, concerned.into_iter().map(str::to_owned).collect()).await?;
    if rows.is_empty() {
        return Ok(());
    }
    let decided: HashMap<i64, Decided> =
        rows.iter().map(|row| (row.campaign_id, Decided::of(row, memory.decided.get(&row.campaign_id)))).collect();
    let is_news = |row: &DecisionRow| decided.get(&row.campaign_id).is_some_and(|new| new.logged.at == row.decided_at);
    let (news, numbers): (Vec<DecisionRow>, Vec<DecisionRow>) = rows.into_iter().partition(is_news);
    round
        .store(move |store| {
            store.record_decisions(&news)?;
            store.refresh_decisions(&numbers)
        })
        .await?;
    memory.decided.extend(decided);
    Ok(())
}

/// Tells these users that they have no token there, unless they have, or it is told already.
async fn tell_tokenless(round: &Round<'_>, owners: Vec<String>) -> Result<(), StepError> {
    if owners.is_empty() || round.is_local() {
        return Ok(());
    }
    let name = round.name().to_owned();
    let tokens = round.store(move |store| store.cluster_tokens(&name)).await?;
    let event = |owner: String| {
        // Other troubles of a user there have events of their own.
        let problem = round.grid.token_among(&owner, round.handle, &tokens).ok()?.err()?;
        Some(NewEvent::note(Scope::user_on(&owner, round.name()), Code::TokenNotFound, problem))
    };
    let (events, now): (Vec<NewEvent>, i64) = (owners.into_iter().filter_map(event).collect(), round.now);
    match events.is_empty() {
        true => Ok(()),
        false => round.store(move |store| store.open_unless_open(&events, now)).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_words_count_at_once_and_other_numbers_after_a_while() {
        let logged = Logged { term: "waiting_cap".to_owned(), is_any: false, at: 1_000 };
        let last = Decided { allowed: 0, reason: "waiting jobs 60/60".to_owned(), at: 1_000, logged };
        assert!(!last.is_outdone_by(0, "waiting jobs 60/60", 900_000), "the same");
        assert!(!last.is_outdone_by(0, "waiting jobs 59/59", 31_000));
        assert!(last.is_outdone_by(0, "waiting jobs 59/59", 61_000));
        assert!(last.is_outdone_by(0, "waiting jobs 59/59", 0), "the clock went back");
        assert!(last.is_outdone_by(0, "the cluster is drained", 2_000));
        assert!(last.is_outdone_by(3, "waiting jobs 57/60", 2_000), "it goes on");
        let some = Decided { allowed: 5, reason: "7 tasks wait".to_owned(), ..last };
        assert!(!some.is_outdone_by(3, "9 tasks wait", 30_000));
    }

    #[test]
    fn the_history_keeps_changes_of_the_term_and_else_a_row_in_ten_minutes() {
        let row = |bound_by: &str, allowed, at| DecisionRow {
            campaign_id: 1,
            cluster: "dahu".to_owned(),
            decided_at: at,
            allowed,
            bound_by: bound_by.to_owned(),
            reason: format!("{allowed} at {at}"),
            terms: Vec::new(),
            inputs: serde_json::Value::Null,
        };
        let rows = [
            row("backlog", 5, 0),
            row("backlog", 4, 60_000),
            row("backlog", 0, 120_000),
            row("waiting_cap", 0, 180_000),
            row("waiting_cap", 0, 240_000),
            row("waiting_cap", 0, 780_000),
            row("waiting_cap", 0, 1_000),
        ];
        let mut last: Option<Decided> = None;
        let logged = rows.map(|row| {
            let new = Decided::of(&row, last.as_ref());
            assert_eq!((new.at, new.reason.as_str()), (row.decided_at, row.reason.as_str()), "the last is kept always");
            let is_logged = new.logged.at == row.decided_at;
            last = Some(new);
            is_logged
        });
        assert_eq!(logged, [true, false, true, true, false, true, true]);
    }
}
