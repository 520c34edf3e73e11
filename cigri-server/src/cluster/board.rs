//! What the loops of clusters tell each other about failures: how campaigns fare, and what is held back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shared by all loops. Losing it costs nothing but a slower start.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Told>);

#[derive(Debug, Default)]
struct Told {
    /// Part of a campaign's last ends on a cluster that failed, and when the last was seen, epoch milliseconds.
    rates: BTreeMap<(i64, String), (f64, i64)>,
    /// Campaigns that a cluster's breakers hold back; `None`: all.
    shut: BTreeMap<String, BTreeSet<Option<i64>>>,
}

impl Board {
    /// How a campaign fares on a cluster, and at what time, epoch milliseconds; `None`: too little is known.
    pub(super) fn tell_rate(&self, campaign: i64, cluster: &str, rate: Option<(f64, i64)>) {
        let (mut told, key) = (self.lock(), (campaign, cluster.to_owned()));
        match rate {
            Some(rate) => drop(told.rates.insert(key, rate)),
            None => drop(told.rates.remove(&key)),
        }
    }

    /// Forgets how others than these campaigns fared on a cluster.
    pub(super) fn keep(&self, cluster: &str, campaigns: &BTreeSet<i64>) {
        self.lock().rates.retain(|(id, name), _| name != cluster || campaigns.contains(id));
    }

    /// The lowest rate of failures of a campaign on any other cluster, of those told since a time.
    pub(super) fn best_elsewhere(&self, campaign: i64, cluster: &str, since: i64) -> Option<f64> {
        let told = self.lock();
        let of_campaign = told.rates.range((campaign, String::new())..).take_while(|((id, _), _)| *id == campaign);
        let of_others = of_campaign.filter(|((_, name), (_, at))| name != cluster && *at >= since);
        of_others.map(|(_, (rate, _))| *rate).min_by(f64::total_cmp)
    }

    /// What a cluster's breakers hold back now.
    pub(super) fn tell_shut(&self, cluster: &str, shut: BTreeSet<Option<i64>>) {
        self.lock().shut.insert(cluster.to_owned(), shut);
    }

    /// Whether a campaign gets nothing on a cluster now, because too much failed there.
    pub(super) fn is_shut(&self, campaign: i64, cluster: &str) -> bool {
        let told = self.lock();
        told.shut.get(cluster).is_some_and(|shut| shut.contains(&None) || shut.contains(&Some(campaign)))
    }

    /// The clusters on which a campaign gets nothing now for that reason.
    pub(super) fn shut_to(&self, campaign: i64) -> BTreeSet<String> {
        let told = self.lock();
        let shut = told.shut.iter().filter(|(_, shut)| shut.contains(&None) || shut.contains(&Some(campaign)));
        shut.map(|(cluster, _)| cluster.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_is_compared_with_itself_on_other_clusters() {
        let board = Board::default();
        for (campaign, cluster, rate) in [(7, "dahu", 0.9), (7, "luke", 0.2), (7, "yeti", 0.4), (8, "luke", 0.0)] {
            board.tell_rate(campaign, cluster, Some((rate, 1000)));
        }
        assert_eq!(board.best_elsewhere(7, "dahu", 1000), Some(0.2));
        assert_eq!(board.best_elsewhere(7, "luke", 1000), Some(0.4));
        board.tell_rate(7, "luke", None);
        assert_eq!(board.best_elsewhere(7, "dahu", 1000), Some(0.4));
        assert_eq!(board.best_elsewhere(8, "luke", 1000), None);
    }

    #[test]
    fn what_was_long_ago_and_what_is_over_is_compared_with_nothing() {
        let board = Board::default();
        board.tell_rate(7, "luke", Some((0.1, 1000)));
        assert_eq!(board.best_elsewhere(7, "dahu", 1001), None);
        board.keep("yeti", &BTreeSet::new());
        assert_eq!(board.best_elsewhere(7, "dahu", 1000), Some(0.1));
        board.keep("luke", &BTreeSet::from([8]));
        assert_eq!(board.best_elsewhere(7, "dahu", 1000), None);
    }

    #[test]
    fn what_is_held_back_is_replaced_as_a_whole() {
        let board = Board::default();
        board.tell_shut("dahu", BTreeSet::from([Some(7)]));
        assert_eq!(board.shut_to(7), BTreeSet::from(["dahu".to_owned()]));
        assert!(board.is_shut(7, "dahu") && !board.is_shut(8, "dahu") && !board.is_shut(7, "luke"));
        board.tell_shut("dahu", BTreeSet::from([None]));
        assert!(board.is_shut(8, "dahu"));
        board.tell_shut("dahu", BTreeSet::new());
        assert!(!board.is_shut(7, "dahu"));
    }
}
