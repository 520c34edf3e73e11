//! Who may see and change limits, and what becomes of them.

use actix_web::ResponseError;
use cigri_store::{ClusterKind, ClusterRow};
use futures_util::FutureExt as _;

use super::*;
use crate::secret::Sealer;

fn grid() -> web::Data<Grid> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
    let sealer = Sealer::open(&folder.path().join("key")).unwrap();
    let grid = Grid::new(store, sealer, vec!["ada".to_owned()], None).unwrap();
    let file_server = json!({"sensor": "/usr/local/bin/load", "reference": 6});
    let limits = merge(&Default::default(), &json!({"max_waiting": 60, "file_server": file_server})).unwrap();
    let (name, url) = ("dahu".to_owned(), "http://127.0.0.1:9/".to_owned());
    grid.add_cluster(ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None }).unwrap();
    web::Data::new(grid)
}

fn caller(login: &str) -> Caller {
    Caller { login: login.to_owned() }
}

async fn patch(grid: &web::Data<Grid>, login: &str, patch: Value, dry_run: u8) -> Result<Vec<LimitChange>, ApiError> {
    let path = (web::Path::from("dahu".to_owned()), web::Query(ChangeQuery { dry_run }));
    Ok(change(grid.clone(), caller(login), path, web::Json(patch)).await?.into_inner().changes)
}

async fn value(grid: &web::Data<Grid>, login: &str, key: &str) -> Value {
    let limits = show(grid.clone(), caller(login), "dahu".to_owned().into()).await.unwrap();
    limits.items.iter().find(|limit| limit.key == key).unwrap().value.clone()
}

async fn log(grid: &web::Data<Grid>, login: &str) -> Result<Vec<AuditEntry>, ApiError> {
    let query = web::Query(AuditQuery { cluster: Some("dahu".to_owned()), limit: None });
    Ok(audit(grid.clone(), caller(login), query).await?.into_inner().items)
}

#[actix_web::test]
async fn admins_change_limits_and_others_only_see_them() {
    let grid = grid();
    let asked = || json!({"max_waiting": 30});
    assert_eq!(patch(&grid, "bob", asked(), 0).await.unwrap_err().status_code(), 403);
    assert_eq!(patch(&grid, "bob", asked(), 1).await.unwrap_err().status_code(), 403, "nor try");
    assert_eq!(log(&grid, "bob").await.unwrap_err().status_code(), 403);
    assert_eq!(value(&grid, "bob", "max_waiting").await, 60);
    assert_eq!(patch(&grid, "ada", asked(), 1).await.unwrap().len(), 1);
    assert_eq!(value(&grid, "bob", "max_waiting").await, 60, "a dry run");
    patch(&grid, "ada", asked(), 0).await.unwrap();
    assert_eq!(value(&grid, "bob", "max_waiting").await, 30);
    assert_eq!(grid.store.cluster_limits("dahu").unwrap().max_waiting, 30, "what the next round reads");
    let entries = log(&grid, "ada").await.unwrap();
    assert_eq!((entries.len(), entries[0].who.as_str()), (1, "ada"));
    let change = LimitChange { key: "max_waiting".into(), before: json!(60), after: json!(30) };
    assert_eq!(entries[0].changes, [change]);
}

#[actix_web::test]
async fn a_sensor_is_told_to_admins_alone_and_is_a_url_at_run_time() {
    let grid = grid();
    let sensor = async |login: &str| value(&grid, login, "file_server").await.get("sensor").cloned();
    assert_eq!((sensor("bob").await, sensor("ada").await), (None, Some(json!("/usr/local/bin/load"))));
    let command = json!({"file_server": {"sensor": "rm -rf /"}, "max_array": 0});
    let refused = patch(&grid, "ada", command, 0).await.unwrap_err();
    assert_eq!(
        (refused.status_code().as_u16(), refused.to_string()),
        (400, "the limits have 2 problems; nothing was changed".into())
    );
    let url = json!({"file_server": {"sensor": "http://nfs/load"}});
    patch(&grid, "ada", url, 0).await.unwrap();
    assert_eq!(sensor("ada").await, Some(json!("http://nfs/load")));
    patch(&grid, "ada", json!({"file_server": null}), 0).await.unwrap();
    assert_eq!(sensor("ada").await, Some(json!("/usr/local/bin/load")), "what the configuration says");
}

#[actix_web::test]
async fn what_makes_no_difference_is_written_down_nowhere_and_wakes_nobody() {
    let grid = grid();
    assert!(patch(&grid, "ada", json!({}), 0).await.unwrap().is_empty());
    assert!(patch(&grid, "ada", json!({"max_array": null}), 0).await.unwrap().is_empty());
    assert!(log(&grid, "ada").await.unwrap().is_empty());
    let handle = grid.cluster("dahu").unwrap();
    assert!(handle.wake.notified().now_or_never().is_none());
    patch(&grid, "ada", json!({"max_array": 7}), 0).await.unwrap();
    assert!(handle.wake.notified().now_or_never().is_some(), "its loop does not wait for the end of its period");
}
