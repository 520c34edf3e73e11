//! Users' tokens for clusters. Secrets arrive sealed; this crate never sees them in clear.

use diesel::prelude::*;

use crate::schema::token;
use crate::{Result, Store};

/// One user's token for one cluster.
#[derive(Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = token)]
pub struct TokenRow {
    /// Owner's login here.
    pub owner: String,
    /// Cluster name.
    pub cluster: String,
    /// Login on the cluster: the token's `user` claim.
    pub login: String,
    /// The sealed token.
    pub secret: Vec<u8>,
    /// Epoch seconds, if the token says so.
    pub expires_at: Option<i64>,
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
                    token::expires_at.eq(row.expires_at),
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
            Ok(token::table.filter(token::owner.eq(owner)).order(token::cluster).load(connection)?)
        })
    }

    /// All tokens of all users.
    pub fn all_tokens(&self) -> Result<Vec<TokenRow>> {
        self.read(|connection| Ok(token::table.order((token::cluster, token::owner)).load(connection)?))
    }

    /// All tokens for a cluster.
    pub fn cluster_tokens(&self, cluster: &str) -> Result<Vec<TokenRow>> {
        self.read(|connection| {
            Ok(token::table.filter(token::cluster.eq(cluster)).order(token::owner).load(connection)?)
        })
    }
}
