//! Who is calling: the uid of the socket's peer, as the kernel tells it; or, on a request that another server passes
//! on, whom its passport names.

use std::any::Any;

use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::rt::net::UnixStream;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};
use nix::unistd::{Uid, User};
use std::future::{Ready, ready};

use super::respond::ApiError;
use crate::grid::Grid;
use crate::leadership::{Leadership, passport};

/// The caller's login, or `uid N` for a uid without an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    pub(super) login: String,
}

/// Keeps the peer of a new connection beside it.
pub(super) fn note_peer(connection: &dyn Any, extensions: &mut Extensions) {
    let peer = connection.downcast_ref::<UnixStream>().and_then(|stream| stream.peer_cred().ok());
    if let Some(peer) = peer {
        extensions.insert(Caller { login: login(peer.uid()) });
    }
}

/// Lets a passed request through to the routes if its passport was signed with this leader's secret; its caller is
/// whom the passport names.
pub(super) async fn by_passport(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let secret = request.app_data::<web::Data<Leadership>>().and_then(|leadership| leadership.secret());
    let secret = secret.ok_or_else(|| ApiError::no_leader("this server does not lead"))?;
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    let login = token.and_then(|token| passport::login(&secret, token)).ok_or_else(ApiError::no_passport)?;
    request.extensions_mut().insert(Caller { login });
    next.call(request).await
}

/// Login of a uid.
pub(crate) fn login(uid: u32) -> String {
    let user = User::from_uid(Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| format!("uid {uid}"), |user| user.name)
}

impl Caller {
    /// Whether the caller may change what `owner` owns.
    pub(super) fn may_change(&self, owner: &str, grid: &Grid) -> Result<(), ApiError> {
        let trusted = self.login == owner || self.login == "root" || grid.admins.contains(&self.login);
        if trusted {
            Ok(())
        } else {
            Err(ApiError::forbidden(format!("this belongs to {owner}, not to {}", self.login)))
        }
    }

    /// Whether the caller may do what concerns everybody: root and the admins may, and the user of a data directory.
    pub(super) fn administers(&self, grid: &Grid) -> Result<(), ApiError> {
        if grid.is_admin(&self.login) {
            Ok(())
        } else {
            Err(ApiError::forbidden(format!("{} is not among the admins of this server", self.login)))
        }
    }

    /// Whether the caller may see, or change, the inside of a campaign: its owner, root and the admins may.
    pub(super) async fn owns(&self, grid: &Grid, campaign: i64) -> Result<(), ApiError> {
        let owner = crate::blocking(&grid.store, move |store| Ok(store.campaign(campaign)?.owner)).await?;
        self.may_change(&owner, grid)
    }
}

impl FromRequest for Caller {
    type Error = ApiError;
    type Future = Ready<Result<Caller, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let passed = request.extensions().get::<Caller>().cloned();
        let caller = passed.or_else(|| request.conn_data::<Caller>().cloned());
        ready(caller.ok_or_else(ApiError::nobody))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Sealer;

    #[test]
    fn owners_root_and_admins_may_change_what_is_theirs_and_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = cigri_store::Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = Grid::new(store, sealer, vec!["ada".to_owned()], None).unwrap();
        let may = |login: &str| Caller { login: login.to_owned() }.may_change("alice", &grid).is_ok();
        assert_eq!(["alice", "root", "ada", "bob", "", "uid 1000"].map(may), [true, true, true, false, false, false]);
        let administers = |login: &str| Caller { login: login.to_owned() }.administers(&grid).is_ok();
        assert_eq!(["alice", "root", "ada", "", "uid 1000"].map(administers), [false, true, true, false, false]);
    }
}
