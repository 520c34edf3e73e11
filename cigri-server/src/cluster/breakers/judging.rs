//! Judging what the looks of a round have counted, all of it together: what is the cluster's fault in several campaigns is
//! no campaign's.

use std::collections::BTreeSet;

use cigri_core::breaker::{self, Beside, Breaker, Serves, State, Subject};
use cigri_store::{BreakerChanges, RoundView};

use super::{Breakers, forget, open};
use crate::cluster::{Memory, Round, StepError};

/// The campaigns that have something there, or could have.
pub(super) fn there(view: &RoundView) -> BTreeSet<i64> {
    let here = view.here.iter().map(|here| here.campaign);
    here.chain(view.campaigns.iter().map(|campaign| campaign.row.id)).collect()
}

fn serves(view: &RoundView) -> Serves {
    let of_campaigns = view.campaigns.iter().map(|campaign| &campaign.row.owner);
    let owners: BTreeSet<&String> = of_campaigns.chain(view.submissions.iter().map(|seen| &seen.owner)).collect();
    match (owners.len(), there(view).len()) {
        (2.., _) => Serves::Users,
        (_, 2..) => Serves::Campaigns,
        _ => Serves::One,
    }
}

/// The cluster first, then the campaigns of which something ended since the last time.
pub(super) async fn judge(
    round: &Round<'_>,
    memory: &mut Memory,
    view: &RoundView,
    changes: &mut BreakerChanges,
) -> Result<(), StepError> {
    let news = std::mem::take(&mut memory.breakers.news);
    if news.is_empty() {
        return Ok(());
    }
    let settings = &round.limits.breaker;
    memory.breakers.whole.age(round.now, settings);
    if let Some(trip) = breaker::cluster(&memory.breakers.whole, serves(view), settings) {
        absorb(round, &mut memory.breakers, changes);
        open(round, memory, (Subject::Cluster, trip), changes);
    }
    for id in news {
        judge_campaign(round, memory, id, changes).await?;
    }
    Ok(())
}

/// What the cluster did wrong is no campaign's: their own breakers that opened for that a moment ago close.
fn absorb(round: &Round<'_>, breakers: &mut Breakers, changes: &mut BreakerChanges) {
    breakers.of_campaigns.values_mut().for_each(breaker::Window::forget_cluster_failures);
    let window_ms = (round.limits.breaker.window_s as i64).saturating_mul(1000);
    let is_part = |(subject, breaker): &(&Subject, &Breaker)| {
        let is_recent = breaker.streak == 1 && round.now - breaker.changed_at <= window_ms;
        let is_open = matches!(breaker.state, State::Open { .. });
        matches!(subject, Subject::Campaign(_)) && is_open && is_recent && breaker.trip.is_by_cluster()
    };
    let part: Vec<Subject> = breakers.all.iter().filter(is_part).map(|(subject, _)| subject.clone()).collect();
    part.into_iter().for_each(|subject| forget(round, breakers, subject, changes));
}

async fn judge_campaign(
    round: &Round<'_>,
    memory: &mut Memory,
    id: i64,
    changes: &mut BreakerChanges,
) -> Result<(), StepError> {
    let settings = &round.limits.breaker;
    let Some(window) = memory.breakers.of_campaigns.get(&id) else { return Ok(()) };
    if window.rate(settings.least).is_none_or(|rate| rate < settings.rate) {
        return Ok(());
    }
    let row = round.store(move |store| store.campaign(id)).await?;
    let elsewhere = round.grid.board.best_elsewhere(id, round.name(), round.now - settings.window_s as i64 * 1000);
    let subject = Subject::Campaign(id);
    let is_exempt = memory.breakers.all.get(&subject).is_some_and(|breaker| breaker.state == State::Exempt);
    let beside = Beside { elsewhere, done: row.done, failed: row.failed, is_exempt };
    if let Some(trip) = breaker::campaign(window, &beside, settings) {
        open(round, memory, (subject, trip), changes);
    }
    Ok(())
}
