//! Who may see which accounts, and in what shape.

use actix_web::body::to_bytes;
use actix_web::test::TestRequest;
use actix_web::{FromRequest as _, ResponseError as _};
use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_core::state::{JobState, Role};
use cigri_core::usage::{DAY_MS, GridUsage};
use cigri_store::{AdoptedArray, GridUsageRow, JobEnd, Look, NewCampaign, NewSubmission};
use serde_json::{Value, json};

use super::*;
use crate::secret::Sealer;

/// A grid in which alice had an hour of a core on dahu on the second of January 1970, and bob two on luke a day later.
fn filled() -> web::Data<Grid> {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
    let sealer = Sealer::open(&folder.path().join("key")).unwrap();
    let grid = Grid::new(store, sealer, vec!["ada".to_owned()], None).unwrap();
    used(&grid.store, ("alice", "dahu"), (JobState::Done, DAY_MS, 3_600_000));
    used(&grid.store, ("bob", "luke"), (JobState::Killed, 2 * DAY_MS, 7_200_000));
    for (cluster, at, used) in [("dahu", 300_000, 2), ("dahu", 600_000, 4), ("luke", 300_000, 1)] {
        let usage = GridUsage { total: 8, used, ours: 1, unavailable: 2 };
        grid.store.keep_sample(&GridUsageRow { cluster: cluster.to_owned(), at, usage }).unwrap();
    }
    web::Data::new(grid)
}

/// A campaign of one job that ended like that.
fn used(store: &Store, (owner, cluster): (&str, &str), (state, from, took): (JobState, i64, i64)) {
    let spec = ClusterSpec::new("./sim", "/home");
    let spec = CampaignSpec::new(format!("=of {owner}"), [(cluster.to_owned(), spec)].into());
    let id = store.begin_campaign(&NewCampaign { owner, spec: &spec, jdl: "{}", origin: None }, 1).unwrap();
    store.open_campaign(id, 1, true).unwrap();
    let (remote_user, directory, limit) = (owner, "/home", 1);
    let (role, group, open_elsewhere) = (Role::Tasks, None, &[][..]);
    let new = NewSubmission {
        campaign_id: id,
        role,
        cluster,
        owner,
        remote_user,
        directory,
        limit,
        group,
        level: cigri_store::Raised::default(),
        asked: None,
        open_elsewhere,
    };
    let (row, _) = store.intend(&new, |id| format!("cigri.test.{id}"), 2).unwrap().unwrap();
    let array = AdoptedArray { gate_id: None, array_id: 2, remote_ids: vec![Some(9)], directory: None };
    store.adopt(row.id, &array, 3).unwrap();
    store.gate_opened(row.id, 3).unwrap();
    let job = store.live_jobs(row.id).unwrap().remove(0);
    let end = JobEnd {
        job,
        state,
        exit_code: None,
        cause: "test".to_owned(),
        detail: None,
        started_at: Some(from),
        stopped_at: Some(from + took),
        killed: state == JobState::Killed,
        back: (state == JobState::Killed).then_some(cigri_store::Return {
            last: false,
            avoid_cluster: None,
            not_before: 0,
            level: 0,
        }),
        failure: None,
    };
    store.record_look(&row, &Look { ends: vec![end], ..Look::default() }, from + took).unwrap();
}

async fn body(answer: HttpResponse) -> Vec<u8> {
    to_bytes(answer.into_body()).await.unwrap_or_else(|_| panic!("no body")).to_vec()
}

async fn ask(grid: &web::Data<Grid>, login: &str, query: &str) -> Result<Value, u16> {
    let request = TestRequest::with_uri(&format!("/usage?{query}")).to_http_request();
    let query = web::Query::extract(&request).await.unwrap_or_else(|error| panic!("{error}"));
    let answer = accounts(grid.clone(), Caller { login: login.to_owned() }, request, query).await;
    match answer {
        Ok(answer) => Ok(serde_json::from_slice(&body(answer).await).unwrap()),
        Err(error) => Err(error.status_code().as_u16()),
    }
}

async fn ask_grid(grid: &web::Data<Grid>, query: &str) -> Result<Value, String> {
    let request = TestRequest::with_uri(&format!("/gridusage?{query}")).to_http_request();
    let query = web::Query::extract(&request).await.unwrap_or_else(|error| panic!("{error}"));
    let answer = super::grid(grid.clone(), Caller { login: "eve".to_owned() }, request, query).await;
    match answer {
        Ok(answer) => Ok(serde_json::from_slice(&body(answer).await).unwrap()),
        Err(error) => Err(error.to_string()),
    }
}

/// What rows are about, and their useful and lost core-hours.
fn rows<'a>(usage: &'a Value, key: &str) -> Vec<(&'a Value, f64, f64)> {
    let row = |row: &'a Value| {
        let hours = &row["core_hours"];
        (&row[key], hours["useful"].as_f64().unwrap(), hours["lost"].as_f64().unwrap())
    };
    usage["items"].as_array().unwrap().iter().map(row).collect()
}

#[actix_web::test]
async fn users_see_their_own_accounts_and_admins_all() {
    let grid = filled();
    let own = ask(&grid, "alice", "by=user").await.unwrap();
    assert_eq!((rows(&own, "user"), &own["user"]), (vec![(&json!("alice"), 1.0, 0.0)], &json!("alice")));
    for query in ["by=user", "by=campaign", "by=day", ""] {
        assert_eq!(ask(&grid, "eve", query).await.unwrap()["total"], 0, "{query}");
    }
    let all = ask(&grid, "ada", "by=user").await.unwrap();
    assert_eq!(rows(&all, "user"), [(&json!("alice"), 1.0, 0.0), (&json!("bob"), 0.0, 2.0)]);
    assert_eq!(all["sum"]["core_hours"]["lost"], 2.0);
    for query in ["user=alice", "campaign=1", "by=cluster&user=alice", "by=cluster&campaign=1&user=eve"] {
        assert_eq!(ask(&grid, "eve", query).await, Err(403), "{query}");
    }
    assert_eq!(ask(&grid, "ada", "user=bob").await.unwrap()["items"][0]["name"], "=of bob");
    assert_eq!(ask(&grid, "alice", "campaign=1").await.unwrap()["items"][0]["jobs"]["done"], 1);
    assert_eq!(ask(&grid, "alice", "campaign=99").await, Err(404));
}

#[actix_web::test]
async fn everybody_sees_what_all_had_of_each_cluster() {
    let grid = filled();
    let all = ask(&grid, "eve", "by=cluster").await.unwrap();
    assert_eq!(rows(&all, "cluster"), [(&json!("dahu"), 1.0, 0.0), (&json!("luke"), 0.0, 2.0)]);
    assert_eq!(all.get("user"), None);
    let own = ask(&grid, "bob", "by=cluster&user=bob").await.unwrap();
    assert_eq!(rows(&own, "cluster"), [(&json!("luke"), 0.0, 2.0)]);
}

#[actix_web::test]
async fn days_are_told_apart_and_both_ends_of_a_range_count() {
    let grid = filled();
    let days = ask(&grid, "ada", "by=day").await.unwrap();
    assert_eq!(rows(&days, "day"), [(&json!("1970-01-02"), 1.0, 0.0), (&json!("1970-01-03"), 0.0, 2.0)]);
    let one = ask(&grid, "ada", "by=day&from=1970-01-03&to=1970-01-03").await.unwrap();
    assert_eq!((rows(&one, "day").len(), &one["from"]), (1, &json!("1970-01-03")));
    for bad in ["from=soon", "to=1e9", "by=hour", "campaign=x", "format=xls", "from=1970-01-03&to=1970-01-02"] {
        assert_eq!(ask(&grid, "ada", bad).await, Err(400), "{bad}");
    }
}

#[actix_web::test]
async fn a_spreadsheet_is_asked_for_by_format_or_accept() {
    let grid = filled();
    for (query, accept) in [("format=csv", "*/*"), ("", "text/html, text/csv;q=0.9")] {
        let request =
            TestRequest::with_uri(&format!("/usage?{query}")).insert_header((ACCEPT, accept)).to_http_request();
        let query = web::Query::extract(&request).await.unwrap();
        let answer = accounts(grid.clone(), Caller { login: "alice".to_owned() }, request, query).await.unwrap();
        assert_eq!(answer.headers().get("content-type").unwrap(), "text/csv; charset=utf-8");
        let text = String::from_utf8(body(answer).await).unwrap();
        assert!(text.contains("\r\nalice,1,'=of alice,1.000000,0.000000,"), "{text}");
    }
}

#[actix_web::test]
async fn the_use_of_clusters_has_cigri_3s_shape() {
    let grid = filled();
    let last = ask_grid(&grid, "").await.unwrap();
    let cluster = |name: &str, used: i64| {
        json!({"cluster_name": name, "cluster_id": name, "max_resources": 8, "used_resources": used,
               "used_by_cigri": 1, "unavailable_resources": 2})
    };
    let newest =
        json!([{"date": 300, "clusters": [cluster("luke", 1)]}, {"date": 600, "clusters": [cluster("dahu", 4)]}]);
    assert_eq!((&last["items"], &last["total"]), (&newest, &json!(2)), "the last of each");
    let all = ask_grid(&grid, "from=300&to=600").await.unwrap();
    let first = json!({"date": 300, "clusters": [cluster("dahu", 2), cluster("luke", 1)]});
    assert_eq!((&all["items"][0], &all["from"], &all["to"]), (&first, &json!(300), &json!(600)));
    assert_eq!(all["links"][0], json!({"rel": "self", "href": "/gridusage?from=300&to=600"}));
    let mean = ask_grid(&grid, "from=0&step=1200&cluster=dahu").await.unwrap();
    assert_eq!(mean["items"], json!([{"date": 0, "clusters": [cluster("dahu", 3)]}]));
    assert_eq!(ask_grid(&grid, "from=601").await.unwrap()["items"], json!([]), "a gap");
    assert!(ask_grid(&grid, "from=1;DROP").await.unwrap_err().contains("from: found `1;DROP`"));
}
