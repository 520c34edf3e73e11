//! Which clusters are closed to which campaigns.

use std::collections::{BTreeSet, HashMap, HashSet};

use diesel::prelude::*;

use crate::campaign::CampaignRow;
use crate::connection::Database;
use crate::schema::event;
use crate::{Result, Store};

/// What closes one cluster.
#[derive(Default)]
struct Closed {
    everybody: bool,
    owners: HashSet<String>,
    /// With the only owner whom it concerns, if there is one.
    campaigns: HashMap<i64, Vec<Option<String>>>,
}

/// The open holds of all clusters.
pub(crate) struct Holds(HashMap<String, Closed>);

impl Holds {
    /// Without their messages, which are many.
    pub(crate) fn light(connection: &mut Database) -> Result<Holds> {
        let found: Vec<(Option<String>, Option<i64>, Option<String>)> = event::table
            .filter(event::closed_at.is_null())
            .filter(event::holds.eq(true))
            .filter(event::cluster.is_not_null())
            .select((event::cluster, event::campaign_id, event::owner))
            .load(connection)?;
        let mut all: HashMap<String, Closed> = HashMap::new();
        for (cluster, campaign, owner) in found {
            let closed = all.entry(cluster.unwrap_or_default()).or_default();
            match (campaign, owner) {
                (None, None) => closed.everybody = true,
                (None, Some(owner)) => drop(closed.owners.insert(owner)),
                (Some(campaign), owner) => closed.campaigns.entry(campaign).or_default().push(owner),
            }
        }
        Ok(Holds(all))
    }

    /// The clusters that are closed to a campaign: to all, to its owner, or to it.
    pub(crate) fn against(&self, id: i64, owner: &str) -> BTreeSet<String> {
        let closed = self.0.iter().filter(|(_, closed)| closed.is_against(id, owner));
        closed.map(|(cluster, _)| cluster.clone()).collect()
    }
}

impl Closed {
    fn is_against(&self, id: i64, owner: &str) -> bool {
        let concerns = |only: &Option<String>| only.as_ref().is_none_or(|only| only == owner);
        self.everybody
            || self.owners.contains(owner)
            || self.campaigns.get(&id).is_some_and(|owners| owners.iter().any(concerns))
    }
}

impl Store {
    /// The clusters of a campaign that are closed to it, each with the message of the first event that closes it.
    pub fn holds_against(&self, row: &CampaignRow) -> Result<HashMap<String, String>> {
        let names: Vec<&String> = row.spec.clusters.keys().collect();
        self.read(|connection| {
            let found: Vec<(Option<String>, String)> = event::table
                .filter(event::closed_at.is_null())
                .filter(event::holds.eq(true))
                .filter(event::cluster.eq_any(names).or(event::cluster.is_null().and(event::campaign_id.is_not_null())))
                .filter(event::campaign_id.is_null().or(event::campaign_id.eq(row.id)))
                .filter(event::owner.is_null().or(event::owner.eq(&row.owner)))
                .select((event::cluster, event::message))
                .order(event::id.desc())
                .load(connection)?;
            let mut all = HashMap::new();
            for (cluster, message) in found {
                let concerned = cluster.map_or_else(|| row.spec.clusters.keys().cloned().collect(), |name| vec![name]);
                all.extend(concerned.into_iter().map(|name| (name, message.clone())));
            }
            Ok(all)
        })
    }
}
