//! Terms of a whole cluster that depend on readings: its windows, the age of the picture.

use std::time::Duration;

use cigri_core::meter::{Bound, Reason, window};

use super::Round;

/// Two rounds at the usual period: below it a slow machine is no reason to distrust a picture.
const LEAST_PATIENCE_S: u64 = 30;

/// All of them, for the plan.
pub(super) fn of(round: &Round<'_>) -> Vec<Bound> {
    stale(round).into_iter().chain(closed(round)).collect()
}

/// None of its windows is open: what waits there stays, nothing more is sent.
fn closed(round: &Round<'_>) -> Option<Bound> {
    let zone = round.grid.calendar(round.name()).zone();
    let text = window::problem(&round.limits.windows, zone, round.now)?;
    Some(Bound::none(Reason::Window { text }))
}

/// Whether the picture of the cluster is too old to send anything by it.
pub(super) fn is_stale(round: &Round<'_>) -> bool {
    stale(round).is_some()
}

/// A picture older than two periods allows nothing. The local cluster is asked in this process: it is never that late.
fn stale(round: &Round<'_>) -> Option<Bound> {
    let most_s = (2 * round.limits.period_s).max(LEAST_PATIENCE_S);
    too_old(round.began.elapsed(), most_s).filter(|_| !round.is_local())
}

fn too_old(age: Duration, most_s: u64) -> Option<Bound> {
    let age_s = age.as_secs();
    (age_s > most_s).then(|| Bound::none(Reason::Stale { age_s, most_s }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_older_than_two_periods_allows_nothing() {
        assert_eq!(too_old(Duration::from_secs(30), 30), None);
        let bound = too_old(Duration::from_secs(31), 30).unwrap();
        assert_eq!((bound.allowed, bound.reason), (0, Reason::Stale { age_s: 31, most_s: 30 }));
    }
}
