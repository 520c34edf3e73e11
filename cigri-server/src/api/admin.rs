//! What concerns everybody: a copy of the whole database.

use std::io::Read;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use cigri_api::{AcceptReset, Accepted, JobsThere};
use cigri_store::{Backup, BackupError};
use futures_util::Stream;

use super::identity::Caller;
use super::respond::ApiError;
use crate::clock::now_ms;
use crate::grid::Grid;

/// Bytes that are read at once.
const PIECE: usize = 256 * 1024;

/// `GET /admin/backup` (admins): the database as it is now, while it is in use. A copy that fails on the way ends the
/// answer before its end, so that it cannot be taken for a whole one.
pub(super) async fn backup(grid: web::Data<Grid>, caller: Caller) -> Result<HttpResponse, ApiError> {
    caller.administers(&grid)?;
    let store = grid.store.clone();
    let begun = tokio::task::spawn_blocking(move || store.backup()).await;
    let backup = begun.map_err(|error| BackupError::Program(format!("the backup was cut off: {error}")))??;
    tracing::info!(user = %caller.login, "a backup begins");
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "application/octet-stream"));
    if let Some(length) = backup.length() {
        answer.no_chunking(length);
    }
    Ok(answer.streaming(pieces(backup)))
}

/// `POST /clusters/{name}/reset` (admins): an admin has looked at a cluster whose database is not the one we knew.
pub(super) async fn accept_reset(
    grid: web::Data<Grid>,
    caller: Caller,
    name: web::Path<String>,
    accepted: web::Json<AcceptReset>,
) -> Result<HttpResponse, ApiError> {
    caller.administers(&grid)?;
    let (name, lost) = (name.into_inner(), accepted.jobs == JobsThere::Lost);
    let cluster = name.clone();
    let jobs = crate::blocking(&grid.store, move |store| store.accept_reset(&cluster, lost, now_ms())).await?;
    tracing::info!(user = %caller.login, cluster.name = %name, lost, jobs, "a reset was accepted");
    grid.wake_all();
    let then = if lost {
        format!("{jobs} jobs of ours there are given up and sent again")
    } else {
        "our jobs there are followed again".to_owned()
    };
    let message = format!("{name} is used again; {then}");
    Ok(HttpResponse::Accepted().json(Accepted { status: 202, title: "Accepted".to_owned(), message }))
}

/// The copy piece by piece, read on threads that may wait. Dropped when the caller leaves.
fn pieces(backup: Backup) -> impl Stream<Item = std::io::Result<Bytes>> {
    futures_util::stream::unfold(Some(backup), async |backup| {
        let mut backup = backup?;
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::with_capacity(PIECE);
            let read = (&mut backup).take(PIECE as u64).read_to_end(&mut piece);
            read.map(|_| (Bytes::from(piece), backup))
        });
        match read.await.map_err(std::io::Error::other).flatten() {
            Ok((piece, _)) if piece.is_empty() => None,
            Ok((piece, backup)) => Some((Ok(piece), Some(backup))),
            Err(error) => {
                tracing::error!("a backup failed: {error}");
                Some((Err(error), None))
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Sealer;
    use actix_web::ResponseError;
    use actix_web::body::to_bytes;

    #[actix_web::test]
    async fn admins_get_the_whole_database_and_others_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let store = cigri_store::Store::open_sqlite(&folder.path().join("grid.sqlite"), "test").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = web::Data::new(Grid::new(store, sealer, vec!["ada".to_owned()], None).unwrap());
        let ask = async |login: &str| backup(grid.clone(), Caller { login: login.to_owned() }).await;
        assert_eq!(ask("bob").await.unwrap_err().status_code(), 403);
        let body = ask("ada").await.unwrap().into_body();
        let bytes = to_bytes(body).await.unwrap_or_else(|_| panic!("the copy fails"));
        assert!(bytes.starts_with(b"SQLite format 3\0"));
        let kept = || web::Json(AcceptReset { jobs: JobsThere::Kept });
        let accept = async |login: &str| {
            let caller = Caller { login: login.to_owned() };
            accept_reset(grid.clone(), caller, "dahu".to_owned().into(), kept()).await.unwrap_err().status_code()
        };
        assert_eq!((accept("bob").await.as_u16(), accept("ada").await.as_u16()), (403, 409), "nothing to accept");
    }
}
