//! Users' tokens for clusters. Secrets arrive sealed; this crate never sees them in clear.

use cigri_core::event::{Code, NewEvent, Scope, Severity};
use cigri_core::token::{Life, Renewal};
use diesel::prelude::*;

use crate::schema::{campaign, event as event_table, progress, token};
use crate::{EventRow, Result, Store, StoreError, event};

/// One user's token for one cluster. Times are epoch seconds.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Owner's login here.
    pub owner: String,
    /// Cluster name.
    pub cluster: String,
    /// Login on the cluster: the token's `user` claim.
    pub login: String,
    /// The sealed token.
    pub secret: Vec<u8>,
    /// When it ends, if the token says so.
    pub expires_at: Option<i64>,
    /// When it was issued, if the token says so.
    pub issued_at: Option<i64>,
    /// Whether the server asks for a new one by itself.
    pub renewal: Renewal,
    /// When it last did.
    pub renewed_at: Option<i64>,
}

type Columns = (String, String, String, Vec<u8>, Option<i64>, Option<i64>, String, Option<i64>);

fn row((owner, cluster, login, secret, expires_at, issued_at, renewal, renewed_at): Columns) -> Result<TokenRow> {
    let parsed = Renewal::parse(&renewal);
    let renewal = parsed.ok_or_else(|| StoreError::Corrupt(format!("a token's renewal is `{renewal}`")))?;
    Ok(TokenRow { owner, cluster, login, secret, expires_at, issued_at, renewal, renewed_at })
}

fn rows(found: Vec<Columns>) -> Result<Vec<TokenRow>> {
    found.into_iter().map(row).collect()
}

impl TokenRow {
    /// From when until when it is valid; `None` without an end.
    pub fn life(&self) -> Option<Life> {
        Some(Life { issued_at: self.issued_at, expires_at: self.expires_at? })
    }
}

impl std::fmt::Debug for TokenRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenRow {{ owner: {:?}, cluster: {:?}, login: {:?} }}", self.owner, self.cluster, self.login)
    }
}

impl Store {
    /// Stores a token, replacing an older one of the same user and cluster.
    pub fn put_token(&self, row: &TokenRow) -> Result<()> {
        self.write(|connection| {
            diesel::delete(token::table.find((&row.owner, &row.cluster))).execute(connection)?;
            diesel::insert_into(token::table)
                .values((
                    token::owner.eq(&row.owner),
                    token::cluster.eq(&row.cluster),
                    token::login.eq(&row.login),
                    token::secret.eq(&row.secret),
                    (token::expires_at.eq(row.expires_at), token::issued_at.eq(row.issued_at)),
                    (token::renewal.eq(row.renewal.as_str()), token::renewed_at.eq(row.renewed_at)),
                ))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Forgets a token; false if there was none.
    pub fn remove_token(&self, owner: &str, cluster: &str) -> Result<bool> {
        self.write(|connection| Ok(diesel::delete(token::table.find((owner, cluster))).execute(connection)? > 0))
    }

    /// A user's tokens.
    pub fn list_tokens(&self, owner: &str) -> Result<Vec<TokenRow>> {
        self.read(|connection| {
            rows(token::table.filter(token::owner.eq(owner)).order(token::cluster).load(connection)?)
        })
    }

    /// All tokens of all users.
    pub fn all_tokens(&self) -> Result<Vec<TokenRow>> {
        self.read(|connection| rows(token::table.order((token::cluster, token::owner)).load(connection)?))
    }

    /// All tokens for a cluster.
    pub fn cluster_tokens(&self, cluster: &str) -> Result<Vec<TokenRow>> {
        self.read(|connection| {
            rows(token::table.filter(token::cluster.eq(cluster)).order(token::owner).load(connection)?)
        })
    }

    /// Says whether a token is renewed by itself; false if there is none.
    pub fn set_renewal(&self, owner: &str, cluster: &str, renewal: Renewal) -> Result<bool> {
        let set = token::renewal.eq(renewal.as_str());
        self.write(|connection| {
            Ok(diesel::update(token::table.find((owner, cluster))).set(set).execute(connection)? > 0)
        })
    }

    /// Puts a renewed token in the place of `old`, and closes what was said of that. False, and nothing changed, if it is
    /// no longer there: its user was faster. `now` in epoch milliseconds.
    pub fn renew_token(&self, old: &TokenRow, new: &TokenRow, now: i64) -> Result<bool> {
        self.write(|connection| {
            let same = token::table.find((&old.owner, &old.cluster)).filter(token::secret.eq(&old.secret));
            let set = (
                (token::login.eq(&new.login), token::secret.eq(&new.secret)),
                (token::expires_at.eq(new.expires_at), token::issued_at.eq(new.issued_at)),
                token::renewed_at.eq(Some(now / 1000)),
            );
            if diesel::update(same).set(set).execute(connection)? == 0 {
                return Ok(false);
            }
            let scope = Scope::user_on(&old.owner, &old.cluster);
            for code in [Code::TokenExpires, Code::TokenNotRenewed, Code::TokenNotFound] {
                event::close(connection, code, &scope, now)?;
            }
            Ok(true)
        })
    }

    /// Opens an event, or counts it, and says how urgent it is by now.
    pub fn open_event_as(&self, new: &NewEvent, severity: Severity, now: i64) -> Result<()> {
        self.write(|connection| {
            event::open(connection, new, now)?;
            diesel::update(event_table::table)
                .filter(event_table::closed_at.is_null())
                .filter(event_table::code.eq(new.code.as_str()))
                .filter(event_table::scope.eq(new.scope.key()))
                .set(event_table::severity.eq(severity.as_str()))
                .execute(connection)?;
            Ok(())
        })
    }

    /// Open events of a code on a cluster.
    pub fn open_of_code(&self, code: Code, cluster: &str) -> Result<Vec<EventRow>> {
        self.read(|connection| {
            Ok(event_table::table
                .filter(event_table::closed_at.is_null())
                .filter(event_table::code.eq(code.as_str()))
                .filter(event_table::cluster.eq(cluster))
                .order(event_table::id)
                .load(connection)?)
        })
    }

    /// Users whose campaigns have something left to do and may use this cluster.
    pub fn users_with_work(&self, cluster: &str) -> Result<Vec<String>> {
        self.read(|connection| {
            let found: Vec<(i64, String)> = campaign::table
                .inner_join(progress::table.on(progress::campaign_id.eq(campaign::id)))
                .filter(campaign::state.eq_any(["active", "paused"]).or(progress::live.gt(0i64)))
                .order(campaign::id)
                .select((campaign::id, campaign::owner))
                .load(connection)?;
            let ids: Vec<i64> = found.iter().map(|(id, _)| *id).collect();
            let specs = self.specs.of(connection, &ids)?;
            let is_there = |id: &i64| specs.get(id).is_some_and(|spec| spec.clusters.contains_key(cluster));
            let mut users: Vec<String> =
                found.into_iter().filter(|(id, _)| is_there(id)).map(|(_, user)| user).collect();
            users.sort();
            users.dedup();
            Ok(users)
        })
    }
}
