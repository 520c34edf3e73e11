//! The other clusters of a campaign that could take its tasks: nothing is written out for each campaign of a round before
//! somebody asks.

use std::collections::BTreeSet;
use std::sync::Arc;

use cigri_core::language::CampaignSpec;

/// Which other clusters are open to a campaign.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Others {
    /// The cluster that they are beside.
    here: Arc<str>,
    /// Closed to the campaign by holds.
    closed: BTreeSet<String>,
    /// What can be used at all; `None`: all of them.
    usable: Option<Arc<BTreeSet<String>>>,
}

impl Others {
    /// All but these.
    pub(crate) fn new(here: &Arc<str>, closed: BTreeSet<String>) -> Others {
        Others { here: Arc::clone(here), closed, usable: None }
    }

    /// Those of the campaign that are open to it.
    pub(crate) fn open<'a>(&'a self, spec: &'a CampaignSpec) -> impl Iterator<Item = &'a str> {
        let others = spec.clusters.keys().filter(|name| **name != *self.here && !self.closed.contains(*name));
        others.filter(|name| self.usable.as_ref().is_none_or(|usable| usable.contains(*name))).map(String::as_str)
    }

    /// Forgets all but these.
    pub(crate) fn keep(&mut self, usable: &Arc<BTreeSet<String>>) {
        self.usable = Some(match &self.usable {
            Some(before) => Arc::new(before.intersection(usable).cloned().collect()),
            None => Arc::clone(usable),
        });
    }
}
