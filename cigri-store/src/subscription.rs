//! Who is told of events, and how. Secrets arrive sealed; this crate never sees them in clear.

use cigri_core::notice::Kind;
use diesel::prelude::*;

use crate::connection::storable;
use crate::schema::{campaign, muted, notice, subscription};
use crate::{Result, Store, StoreError, reserve};

/// A new subscription.
pub struct NewSubscription<'a> {
    /// Login of the subscriber.
    pub owner: &'a str,
    /// How messages go out.
    pub kind: Kind,
    /// Address, JID or URL.
    pub identity: &'a str,
    /// From this severity on: `low`, `medium` or `high`.
    pub severity: &'a str,
    /// Hours of which everything comes in one message.
    pub digest_h: Option<i64>,
    /// Also what concerns clusters and the service.
    pub admins: bool,
    /// The sealed key of a webhook's signatures.
    pub secret: Option<Vec<u8>>,
}

/// A stored subscription. Times are epoch milliseconds.
#[derive(Clone, PartialEq, Eq, Queryable)]
pub struct SubscriptionRow {
    /// Its id.
    pub id: i64,
    /// Login of the subscriber.
    pub owner: String,
    /// How messages go out: a [`Kind`]'s word.
    pub kind: String,
    /// Address, JID or URL.
    pub identity: String,
    /// From this severity on.
    pub severity: String,
    /// Hours of which everything comes in one message.
    pub digest_h: Option<i64>,
    /// Also what concerns clusters and the service.
    pub admins: bool,
    /// The sealed key of a webhook's signatures.
    pub secret: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: i64,
    /// Tries in a row that failed.
    pub tries: i64,
    /// Nothing is tried before.
    pub retry_at: i64,
    /// Why the last try failed.
    pub last_error: Option<String>,
}

impl std::fmt::Debug for SubscriptionRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let SubscriptionRow { id, owner, kind, identity, .. } = self;
        write!(f, "SubscriptionRow {{ id: {id}, owner: {owner:?}, kind: {kind:?}, identity: {identity:?} }}")
    }
}

impl Store {
    /// Stores a subscription.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if the user has one of this kind and identity.
    pub fn add_subscription(&self, new: &NewSubscription<'_>, now: i64) -> Result<SubscriptionRow> {
        let identity = storable(new.identity).into_owned();
        self.write(|connection| {
            let same = subscription::table
                .filter(subscription::owner.eq(new.owner))
                .filter(subscription::kind.eq(new.kind.as_str()))
                .filter(subscription::identity.eq(&identity));
            if same.count().get_result::<i64>(connection)? > 0 {
                let kind = new.kind.as_str();
                return Err(StoreError::Conflict(format!(
                    "you have {kind} {identity} already: remove it to change it"
                )));
            }
            let id = reserve(connection, "subscription", 1)?;
            diesel::insert_into(subscription::table)
                .values((
                    (subscription::id.eq(id), subscription::owner.eq(new.owner), subscription::created_at.eq(now)),
                    (subscription::kind.eq(new.kind.as_str()), subscription::identity.eq(&identity)),
                    (subscription::severity.eq(new.severity), subscription::digest_h.eq(new.digest_h)),
                    (subscription::admins.eq(new.admins), subscription::secret.eq(new.secret.as_deref())),
                ))
                .execute(connection)?;
            Ok(subscription::table.find(id).first(connection)?)
        })
    }

    /// Forgets a subscription with what waits for it; false if there was none.
    pub fn remove_subscription(&self, owner: &str, kind: Kind, identity: &str) -> Result<bool> {
        self.write(|connection| {
            let found = subscription::table
                .filter(subscription::owner.eq(owner))
                .filter(subscription::kind.eq(kind.as_str()))
                .filter(subscription::identity.eq(identity));
            Ok(diesel::delete(found).execute(connection)? > 0)
        })
    }

    /// A user's subscriptions, or all; each with the number of topics that wait for it.
    pub fn subscriptions(&self, owner: Option<&str>) -> Result<Vec<(SubscriptionRow, i64)>> {
        self.read(|connection| {
            let mut query = subscription::table.order(subscription::id).into_boxed();
            if let Some(owner) = owner {
                query = query.filter(subscription::owner.eq(owner.to_owned()));
            }
            let rows: Vec<SubscriptionRow> = query.load(connection)?;
            let waiting: Vec<(i64, i64)> = notice::table
                .filter(notice::waiting.gt(0))
                .group_by(notice::subscription_id)
                .select((notice::subscription_id, diesel::dsl::count_star()))
                .load(connection)?;
            let count = |id| waiting.iter().find(|(of, _)| *of == id).map_or(0, |(_, count)| *count);
            Ok(rows
                .into_iter()
                .map(|row| {
                    let waits = count(row.id);
                    (row, waits)
                })
                .collect())
        })
    }

    /// Ends, or begins again, what a user is told of a campaign, what waits included; false if it was so already.
    pub fn mute(&self, owner: &str, campaign_id: i64, quiet: bool) -> Result<bool> {
        self.write(|connection| {
            let known: i64 = campaign::table.filter(campaign::id.eq(campaign_id)).count().get_result(connection)?;
            if known == 0 {
                return Err(StoreError::Missing(format!("campaign {campaign_id}")));
            }
            let gone = diesel::delete(muted::table.find((owner, campaign_id))).execute(connection)? > 0;
            if quiet {
                let row = (muted::owner.eq(owner), muted::campaign_id.eq(campaign_id));
                diesel::insert_into(muted::table).values(row).execute(connection)?;
                let own = subscription::table.filter(subscription::owner.eq(owner)).select(subscription::id);
                let own: Vec<i64> = own.load(connection)?;
                let waiting = notice::table.filter(notice::campaign_id.eq(campaign_id));
                diesel::delete(waiting.filter(notice::subscription_id.eq_any(own))).execute(connection)?;
            }
            Ok(gone != quiet)
        })
    }

    /// Who does not want to be told of which campaign.
    pub fn muted(&self) -> Result<Vec<(String, i64)>> {
        self.read(|connection| Ok(muted::table.order((muted::owner, muted::campaign_id)).load(connection)?))
    }
}
