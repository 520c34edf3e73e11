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
    let query = web::Query(AuditQuery { cluster: Some("dahu".to_owned()), ..AuditQuery::default() });
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

async fn refused(grid: &web::Data<Grid>, patch: Value) -> Vec<String> {
    let path = (web::Path::from("dahu".to_owned()), web::Query(ChangeQuery { dry_run: 1 }));
    let error = change(grid.clone(), caller("ada"), path, web::Json(patch)).await.map(|_| ()).unwrap_err();
    let body = actix_web::body::to_bytes(error.error_response().into_body()).await.unwrap();
    let body: cigri_api::ErrorBody = serde_json::from_slice(&body).unwrap();
    let line =
        |one: Problem| format!("{}: {} / {} {}", one.path, one.found, one.expected, one.hint.unwrap_or_default());
    body.problems.into_iter().map(line).collect()
}

#[actix_web::test]
async fn each_problem_has_its_place_what_is_there_and_what_should_be() {
    let wrong = json!({"law": -3, "group_quotas": {"*": 1}, "windows": ["Mon 1:00-1:00"], "max_wating": 5});
    assert_eq!(
        refused(&grid(), wrong).await,
        [
            "law: -3 / a law: its name, or an object with `name` and its settings ",
            "windows: \"Mon 1:00-1:00\" / a window that opens it closes when it opens",
            "max_wating: `max_wating` / a limit of a cluster did you mean `max_waiting`?",
            "group_quotas: \"*\" / a name only users have a quota for all others",
        ]
    );
    assert_eq!(refused(&grid(), json!({"stress": {"limit": 1}})).await, ["stress.reference: nothing / a number "]);
    assert_eq!(refused(&grid(), json!(["max_array"])).await, [": [\"max_array\"] / an object with limits "]);
}

#[actix_web::test]
async fn what_the_configuration_says_as_well_is_not_kept_over_it() {
    let grid = grid();
    let kept = async |patch: Value| {
        let path = (web::Path::from("dahu".to_owned()), web::Query(ChangeQuery { dry_run: 0 }));
        change(grid.clone(), caller("ada"), path, web::Json(patch)).await.unwrap().into_inner().kept
    };
    assert_eq!(kept(json!({"max_waiting": 60, "mode": "open", "note": ""})).await, [""; 0]);
    let changes = json!({"mode": "drained", "max_waiting": 7, "user_quotas": {"bob": 5}, "law": "fixed"});
    let mut keys = kept(changes).await;
    keys.sort_unstable();
    assert_eq!(keys, ["law", "max_waiting", "mode", "user_quotas.bob"]);
    assert_eq!(
        kept(json!({"mode": "open", "max_waiting": 8})).await,
        ["max_waiting"],
        "only what was asked for is told"
    );
    assert_eq!(value(&grid, "bob", "law").await["name"], "fixed");
}

#[actix_web::test]
async fn a_cluster_that_the_configuration_no_longer_names_is_told_from_one_that_never_was() {
    let grid = grid();
    let row = grid.store.list_clusters().unwrap().remove(0);
    grid.store.put_cluster(&ClusterRow { name: "luke".to_owned(), ..row }).unwrap();
    let of =
        async |name: &str| show(grid.clone(), caller("bob"), name.to_owned().into()).await.unwrap_err().to_string();
    assert!(of("luke").await.contains("no longer names cluster luke"));
    assert!(of("hree").await.contains("there is no cluster hree"));
    let all = crate::api::clusters::list(grid.clone(), caller("bob")).await.unwrap().into_inner().items;
    assert_eq!(all.iter().map(|one| one.mode.as_str()).collect::<Vec<_>>(), ["open", "gone"]);
    let one = crate::api::clusters::show(grid.clone(), caller("bob"), "luke".to_owned().into()).await.unwrap();
    assert_eq!(one.mode, "gone");
    let log = async |name: &str| {
        let query = AuditQuery { cluster: Some(name.to_owned()), ..AuditQuery::default() };
        audit(grid.clone(), caller("ada"), web::Query(query)).await.map(|log| log.total)
    };
    assert_eq!(log("hree").await.unwrap_err().status_code(), 404);
    assert_eq!(log("dahu").await.unwrap(), 0);
}

#[actix_web::test]
async fn the_log_is_read_page_by_page() {
    let grid = grid();
    for most in 1..=5 {
        patch(&grid, "ada", json!({"max_waiting": most}), 0).await.unwrap();
    }
    let page = async |before: Option<i64>| {
        let query = AuditQuery { cluster: None, limit: Some(2), before };
        let page = audit(grid.clone(), caller("ada"), web::Query(query)).await.unwrap().into_inner();
        (page.items.iter().map(|entry| entry.changes[0].after.clone()).collect::<Vec<_>>(), page.total, page.next)
    };
    let (newest, total, next) = page(None).await;
    assert_eq!((newest, total), (vec![json!(5), json!(4)], 5));
    let (_, _, next) = page(next).await;
    assert_eq!(page(next).await, (vec![json!(1)], 5, None));
}
