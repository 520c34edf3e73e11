//! A user's tokens for clusters: added, listed masked, removed. Never shown again.

use actix_web::{HttpResponse, web};
use cigri_api::{Accepted, List, NewToken, TokenInfo};
use cigri_core::event::{Code, Scope};
use cigri_store::{ClusterKind, TokenRow};
use oar_client::Token;

use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;

fn info(row: TokenRow) -> TokenInfo {
    TokenInfo { cluster: row.cluster, login: row.login, token: "Bearer ****".to_owned(), expires_at: row.expires_at }
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
    let row = grid.put_token(&caller.login, &new.cluster, &token)?;
    let scope = Scope::user_on(&caller.login, &new.cluster);
    crate::blocking(&grid.store, move |store| {
        store.close_event(Code::TokenNotFound, &scope, now_ms())?;
        store.close_event(Code::PermissionDenied, &scope, now_ms())
    })
    .await?;
    grid.wake_all();
    Ok(HttpResponse::Created().json(info(row)))
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
