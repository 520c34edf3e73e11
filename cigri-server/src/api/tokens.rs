//! A user's tokens for clusters: added, listed masked, removed. Never shown again.

use actix_web::{HttpResponse, web};
use cigri_api::{Accepted, List, NewToken, Renew, TokenChange, TokenInfo};
use cigri_core::event::{Code, Scope};
use cigri_core::token::Renewal;
use cigri_store::{ClusterKind, Store, StoreError, TokenRow};
use oar_client::Token;

use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;

fn info(row: TokenRow) -> TokenInfo {
    let now = now_ms() / 1000;
    TokenInfo {
        cluster: row.cluster,
        login: row.login,
        token: "Bearer ****".to_owned(),
        expires_at: row.expires_at,
        days_left: row.expires_at.map(|at| (at - now).div_euclid(86_400)),
        renew: match row.renewal {
            Renewal::Needed => Renew::Needed,
            Renewal::Always => Renew::Always,
            Renewal::Never => Renew::Never,
        },
        renewed_at: row.renewed_at,
    }
}

fn renewal(renew: Renew) -> Renewal {
    match renew {
        Renew::Needed => Renewal::Needed,
        Renew::Always => Renewal::Always,
        Renew::Never => Renewal::Never,
    }
}

/// The caller's own tokens.
pub(super) async fn list(grid: web::Data<Grid>, caller: Caller) -> Result<web::Json<List<TokenInfo>>, ApiError> {
    let rows = crate::blocking(&grid.store, move |store| store.list_tokens(&caller.login)).await?;
    let items: Vec<TokenInfo> = rows.into_iter().map(info).collect();
    Ok(web::Json(List { total: items.len() as u64, items, next: None }))
}

/// Stores a token of the caller, once the cluster has accepted it.
pub(super) async fn add(
    grid: web::Data<Grid>,
    caller: Caller,
    new: web::Json<NewToken>,
) -> Result<HttpResponse, ApiError> {
    let handle = grid.cluster(&new.cluster).ok_or_else(|| {
        ApiError::not_found(format!("there is no cluster {}: `cigri clusters` lists them", new.cluster))
    })?;
    if handle.row.kind == ClusterKind::Local {
        return Err(ApiError::bad_request(format!("{} is local and needs no token", new.cluster)));
    }
    let token = Token::new(new.token.trim()).map_err(|error| ApiError::bad_request(error.to_string()))?;
    let claims = token.claims().map_err(|error| ApiError::bad_request(error.to_string()))?;
    if claims.expires_at.is_some_and(|at| at * 1000 <= now_ms()) {
        return Err(ApiError::bad_request("the token has expired"));
    }
    handle.client.check_token(&token).await.map_err(|error| {
        ApiError::unavailable(format!("{} does not accept the token: {error}. Nothing was stored", new.cluster))
    })?;
    let (row, renew) = (grid.token_row(&caller.login, &new.cluster, &token)?, new.renew);
    let row = crate::blocking(&grid.store, move |store| replace(store, row, renew)).await?;
    grid.wake_all();
    Ok(HttpResponse::Created().json(info(row)))
}

/// Puts a token in the place of the one before, whose renewal it keeps unless another is asked for; what was said of that
/// is over.
fn replace(store: &Store, row: TokenRow, renew: Option<Renew>) -> Result<TokenRow, StoreError> {
    let before = store.list_tokens(&row.owner)?.into_iter().find(|before| before.cluster == row.cluster);
    let kept = before.map(|before| before.renewal).unwrap_or_default();
    let row = TokenRow { renewal: renew.map_or(kept, renewal), ..row };
    store.put_token(&row)?;
    let (scope, now) = (Scope::user_on(&row.owner, &row.cluster), now_ms());
    let closed_by_it = [Code::TokenNotFound, Code::PermissionDenied, Code::TokenExpires, Code::TokenNotRenewed];
    for code in closed_by_it {
        store.close_event(code, &scope, now)?;
    }
    Ok(row)
}

/// Says when the caller's token for a cluster is renewed by itself.
pub(super) async fn change(
    grid: web::Data<Grid>,
    caller: Caller,
    cluster: web::Path<String>,
    change: web::Json<TokenChange>,
) -> Result<web::Json<TokenInfo>, ApiError> {
    let (cluster, renewal) = (cluster.into_inner(), renewal(change.renew));
    let missing = || ApiError::not_found(format!("there is no token of yours for {cluster}"));
    let name = cluster.clone();
    let found = crate::blocking(&grid.store, move |store| {
        store.set_renewal(&caller.login, &name, renewal)?;
        Ok(store.list_tokens(&caller.login)?.into_iter().find(|row| row.cluster == name))
    });
    found.await?.map(|row| web::Json(info(row))).ok_or_else(missing)
}

/// Forgets the caller's token for a cluster.
pub(super) async fn remove(
    grid: web::Data<Grid>,
    caller: Caller,
    cluster: web::Path<String>,
) -> Result<HttpResponse, ApiError> {
    let cluster = cluster.into_inner();
    let name = cluster.clone();
    if !crate::blocking(&grid.store, move |store| store.remove_token(&caller.login, &name)).await? {
        return Err(ApiError::not_found(format!("there is no token of yours for {cluster}")));
    }
    let message = format!("token for {cluster} removed");
    Ok(HttpResponse::Accepted().json(Accepted { status: 202, title: "Deleted".to_owned(), message }))
}
