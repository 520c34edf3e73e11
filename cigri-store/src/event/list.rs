//! Looking events up: one, or those that a person may see and wants to.

use cigri_core::event::{Class, Severity};
use diesel::IntoSql;
use diesel::prelude::*;
use diesel::sql_types::Bool;

use super::EventRow;
use crate::connection::Database;
use crate::schema::{campaign, event};
use crate::{Result, Store, StoreError};

/// Whose or which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum About {
    /// Everybody's.
    #[default]
    Everything,
    /// A user's own, those of their campaigns, and those of clusters as a whole.
    User(String),
    /// The same with what this service itself has to mend.
    Admin(String),
    /// Those of a campaign, and those of its clusters that concern its owner.
    Campaign {
        /// The campaign.
        id: i64,
        /// Its owner.
        owner: String,
        /// The clusters that it names.
        clusters: Vec<String>,
    },
}

/// Which events are wanted. Times are epoch milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Whose or which.
    pub about: About,
    /// Closed ones as well.
    pub closed_too: bool,
    /// Only about this cluster.
    pub cluster: Option<String>,
    /// Only of this code.
    pub code: Option<String>,
    /// Only so urgent or more.
    pub at_least: Option<Severity>,
    /// Only those that happened since.
    pub since: Option<i64>,
    /// The oldest first; else what happened last.
    pub oldest_first: bool,
    /// How many are left out, and how many are given then.
    pub page: (i64, i64),
}

type Boxed<'a> = event::BoxedQuery<'a, <Database as diesel::Connection>::Backend>;

fn filtered(filter: &EventFilter) -> Boxed<'_> {
    let mut query = about(&filter.about);
    if !filter.closed_too {
        query = query.filter(event::closed_at.is_null());
    }
    if let Some(cluster) = &filter.cluster {
        query = query.filter(event::cluster.eq(cluster));
    }
    if let Some(code) = &filter.code {
        query = query.filter(event::code.eq(code));
    }
    if let Some(least) = filter.at_least {
        let words = Severity::ALL.iter().filter(move |one| **one >= least).map(|one| one.as_str());
        query = query.filter(event::severity.eq_any(words));
    }
    match filter.since {
        Some(since) => query.filter(event::last_at.ge(since)),
        None => query,
    }
}

fn about(about: &About) -> Boxed<'_> {
    let of_all = || event::campaign_id.is_null().and(event::owner.is_null());
    match about {
        About::Everything => event::table.into_boxed(),
        About::User(login) | About::Admin(login) => {
            let own = campaign::table.filter(campaign::owner.eq(login)).select(campaign::id.nullable());
            let theirs = event::owner.eq(login).or(event::campaign_id.eq_any(own));
            let all_too = matches!(about, About::Admin(_)).into_sql::<Bool>();
            let for_everybody = event::cluster.is_not_null().or(event::class.ne(Class::Log.as_str())).or(all_too);
            event::table.filter(of_all().and(for_everybody).or(theirs)).into_boxed()
        }
        About::Campaign { id, owner, clusters } => {
            let of_cluster = event::campaign_id.is_null().and(event::cluster.eq_any(clusters.iter().map(Some)));
            let concerned = event::owner.is_null().or(event::owner.eq(owner));
            event::table.filter(event::campaign_id.eq(Some(*id)).or(of_cluster)).filter(concerned).into_boxed()
        }
    }
}

impl Store {
    /// One event.
    pub fn event(&self, id: i64) -> Result<EventRow> {
        let found = self.read(|connection| Ok(event::table.find(id).first(connection).optional()?))?;
        found.ok_or_else(|| StoreError::Missing(format!("event {id}")))
    }

    /// A page of the events that are wanted, and how many there are in all.
    pub fn list_events(&self, filter: &EventFilter) -> Result<(Vec<EventRow>, i64)> {
        let (offset, limit) = filter.page;
        self.read(|connection| {
            let total = filtered(filter).count().get_result(connection)?;
            let query = filtered(filter).offset(offset).limit(limit);
            let query = match filter.oldest_first {
                true => query.order(event::id.asc()),
                false => query.order((event::last_at.desc(), event::id.desc())),
            };
            Ok((query.load(connection)?, total))
        })
    }
}
