//! Noticing that a campaign does not move, so that its user is told why before they have to ask.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use cigri_api::{Campaign, Event};

/// How long nothing may move before that is worth a look.
const LONG: Duration = Duration::from_secs(3);

/// How long a campaign has not moved, and what was said about it.
#[derive(Debug, Default)]
pub(super) struct Lull {
    moved: Option<(Instant, Counts)>,
    told: HashSet<i64>,
}

type Counts = (u64, u64, u64);

impl Lull {
    /// True when nothing has moved for long; then not again for the same time.
    pub(super) fn is_long(&mut self, campaign: &Campaign, now: Instant) -> bool {
        let ended = campaign.done + campaign.failed + campaign.cancelled;
        // A running task is a good reason to wait.
        let counts = (ended, campaign.running, campaign.kills);
        match self.moved {
            Some((at, before)) if before == counts && campaign.running == 0 => {
                let is_long = now.duration_since(at) >= LONG;
                if is_long {
                    self.moved = Some((now, counts));
                }
                is_long
            }
            _ => {
                self.moved = Some((now, counts));
                false
            }
        }
    }

    /// True the first time that an event is met.
    pub(super) fn is_new(&mut self, event: &Event) -> bool {
        self.told.insert(event.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::summary::tests::campaign;
    use cigri_api::CampaignState;

    #[test]
    fn only_a_campaign_that_stands_still_is_looked_at() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let with = |done, running| Campaign { running, ..campaign(CampaignState::InTreatment, done, 0) };
        let mut lull = Lull::default();
        assert!(!lull.is_long(&with(1, 0), at(0)));
        assert!(!lull.is_long(&with(1, 0), at(2)));
        assert!(!lull.is_long(&with(2, 0), at(4)), "it moved");
        assert!(lull.is_long(&with(2, 0), at(7)));
        assert!(!lull.is_long(&with(2, 0), at(8)), "not all the time");
        assert!(lull.is_long(&with(2, 0), at(10)));
        assert!(!lull.is_long(&with(2, 1), at(11)));
        assert!(!lull.is_long(&with(2, 1), at(99)), "a long task runs");
    }
}
