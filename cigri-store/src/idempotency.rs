//! Keys under which requests were carried out. A key is written in the transaction that makes the request's effect
//! visible: a request that failed leaves none, and of two at the same time one finds the other's key at its end.

use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::idempotency;
use crate::{Result, Store, StoreError};

/// How long a key is known, in milliseconds: a week.
const KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// The key of a request that is about to have its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Who asks: two users' keys are never the same.
    pub owner: String,
    /// The key.
    pub key: String,
    /// Digest of everything that was asked.
    pub digest: String,
    /// What the answer says besides the campaign.
    pub answer: String,
    /// Epoch milliseconds.
    pub now: i64,
}

/// What was done under a key.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct KnownKey {
    /// Digest of everything that was asked.
    pub digest: String,
    /// The campaign that was made or added to.
    pub campaign_id: i64,
    /// What the answer said besides the campaign.
    pub answer: String,
}

/// Keeps a key, and drops those that are too old; [`StoreError::Repeated`] if it is known.
pub(crate) fn remember(connection: &mut Database, key: Option<&NewKey>, campaign_id: i64) -> Result<()> {
    let Some(key) = key else { return Ok(()) };
    let old = idempotency::table.filter(idempotency::done_at.le(key.now - KEPT_MS));
    diesel::delete(old).execute(connection)?;
    let known: i64 = idempotency::table.filter(found(&key.owner, &key.key)).count().get_result(connection)?;
    if known > 0 {
        return Err(StoreError::Repeated);
    }
    diesel::insert_into(idempotency::table)
        .values((
            (idempotency::owner.eq(&key.owner), idempotency::key.eq(&key.key), idempotency::digest.eq(&key.digest)),
            (idempotency::campaign_id.eq(campaign_id), idempotency::answer.eq(&key.answer)),
            idempotency::done_at.eq(key.now),
        ))
        .execute(connection)?;
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn found<'a>(owner: &'a str, key: &'a str) -> _ {
    idempotency::owner.eq(owner).and(idempotency::key.eq(key))
}

impl Store {
    /// What was done under a key in the last week. `now` in epoch milliseconds.
    pub fn find_key(&self, owner: &str, key: &str, now: i64) -> Result<Option<KnownKey>> {
        self.read(|connection| {
            let known = idempotency::table
                .filter(found(owner, key))
                .filter(idempotency::done_at.gt(now - KEPT_MS))
                .select((idempotency::digest, idempotency::campaign_id, idempotency::answer));
            Ok(known.first(connection).optional()?)
        })
    }
}
