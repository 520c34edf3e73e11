//! Who may see and close which events, and what an answer says.

use std::collections::BTreeMap;

use actix_web::ResponseError;
use actix_web::body::to_bytes;
use cigri_core::failure::{Class, Failure};
use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_core::state::{JobState, Role};
use cigri_store::{AdoptedArray, JobEnd, JobFilter, Look, NewCampaign, NewSubmission};
use serde_json::{Value, json};

use super::*;
use crate::secret::Sealer;

struct Bed {
    grid: web::Data<Grid>,
    _folder: tempfile::TempDir,
}

fn bed() -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
    let sealer = Sealer::open(&folder.path().join("key")).unwrap();
    let grid = Grid::new(store, sealer, vec!["ada".to_owned()], None).unwrap();
    let (name, url) = ("dahu".to_owned(), "http://127.0.0.1:9/".to_owned());
    let row = cigri_store::ClusterRow {
        name,
        url,
        kind: cigri_store::ClusterKind::Oar3,
        limits: Default::default(),
        last_round_at: None,
    };
    grid.add_cluster(row).unwrap();
    Bed { grid: web::Data::new(grid), _folder: folder }
}

impl Bed {
    /// A campaign of alice's with three tasks.
    fn campaign(&self) -> i64 {
        let clusters = BTreeMap::from([("dahu".to_owned(), ClusterSpec::new("true", "/home/alice"))]);
        let spec = CampaignSpec::new("c", clusters);
        let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
        let id = self.grid.store.begin_campaign(&new, 1000).unwrap();
        self.grid.store.open_campaign(id, 3, true).unwrap();
        id
    }

    /// Its first task fails.
    fn fail_one(&self, id: i64) {
        let store = &self.grid.store;
        let new = NewSubmission {
            campaign_id: id,
            role: Role::Tasks,
            cluster: "dahu",
            owner: "alice",
            remote_user: "alice",
            directory: "/home/alice",
            level: cigri_store::Raised::default(),
            asked: None,
            limit: 1,
            group: None,
            open_elsewhere: &[],
        };
        let (submission, _) = store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap();
        let array = AdoptedArray { gate_id: Some(1), array_id: 2, remote_ids: vec![Some(3)], directory: None };
        store.adopt(submission.id, &array, 3000).unwrap();
        store.gate_opened(submission.id, 3000).unwrap();
        let submission = store.submission(submission.id).unwrap();
        let job = store.live_jobs(submission.id).unwrap().remove(0);
        let end = JobEnd {
            job,
            state: JobState::Failed,
            exit_code: Some(1),
            cause: "exit_code".into(),
            failure: Some(Failure { class: Class::Exit, node: None, signature: None }),
            detail: None,
            started_at: Some(4000),
            stopped_at: Some(5000),
            killed: false,
            back: None,
        };
        let look = Look { finals: 1, ends: vec![end], ..Look::default() };
        store.record_look(&submission, &look, 6000).unwrap();
    }

    fn tell(&self, event: NewEvent) -> i64 {
        let (code, key) = (event.code.as_str(), event.scope.key());
        self.grid.store.open_events(&[event], now_ms()).unwrap();
        let filter = EventFilter { code: Some(code.to_owned()), page: (0, 100), ..EventFilter::default() };
        let rows = self.grid.store.list_events(&filter).unwrap().0;
        rows.iter().find(|row| row.scope == key).unwrap().id
    }

    /// Status and message of closing an event.
    async fn close(&self, login: &str, id: i64, resubmit: bool) -> (u16, String) {
        let query = CloseQuery { resubmit: resubmit.then(|| "1".to_owned()) };
        said(close(self.grid.clone(), caller(login), id.into(), web::Query(query)).await).await
    }

    async fn codes(&self, login: &str, query: &str) -> Result<Vec<String>, u16> {
        let query = web::Query::<EventQuery>::from_query(query).unwrap();
        let list = list(self.grid.clone(), caller(login), query).await.map_err(|error| error.status_code().as_u16())?;
        Ok(list.into_inner().items.into_iter().map(|event| event.code).collect())
    }
}

fn caller(login: &str) -> Caller {
    Caller { login: login.to_owned() }
}

async fn said(answer: Result<HttpResponse, ApiError>) -> (u16, String) {
    match answer {
        Ok(answer) => {
            let status = answer.status().as_u16();
            let body = to_bytes(answer.into_body()).await.unwrap_or_default();
            let value: Value = serde_json::from_slice(&body).unwrap();
            (status, value["message"].as_str().unwrap().to_owned())
        }
        Err(error) => (error.status_code().as_u16(), error.to_string()),
    }
}

#[actix_web::test]
async fn owners_close_what_is_theirs_and_admins_everything() {
    let bed = bed();
    let id = bed.campaign();
    let hold = || NewEvent::hold(Scope::campaign_on(id, "dahu"), Code::WorkingDirectory, "no such directory");
    let event = bed.tell(hold());
    assert_eq!(bed.close("bob", event, false).await.0, 403);
    let (status, words) = bed.close("alice", event, false).await;
    assert_eq!((status, words), (202, format!("Event {event} closed: campaign {id} is no longer held by it")));
    assert_eq!(bed.close("alice", event, false).await, (202, format!("Event {event} was closed already")));
    assert_eq!(bed.close("alice", 999, false).await.0, 404);

    let mine = bed.tell(NewEvent::hold(Scope::user_on("alice", "dahu"), Code::NoAccount, "none"));
    assert_eq!(bed.close("bob", mine, false).await.0, 403);
    let (status, words) = bed.close("alice", mine, false).await;
    assert!(status == 202 && words.ends_with("If its cause lasts, it opens again by itself"), "{words}");

    let outage = bed.tell(NewEvent::note(Scope::cluster("dahu"), Code::ApiFailure, "no answer"));
    assert_eq!((bed.close("alice", outage, false).await.0, bed.close("ada", outage, false).await.0), (403, 202));
    let reset = bed.tell(NewEvent::hold(Scope::cluster("dahu"), Code::ClusterReset, "another database"));
    let (status, words) = bed.close("root", reset, false).await;
    assert!(status == 409 && words.contains("cigri admin accept-reset dahu"), "{words}");
}

#[actix_web::test]
async fn everybody_sees_their_own_and_what_concerns_all() {
    let bed = bed();
    let id = bed.campaign();
    bed.tell(NewEvent::note(Scope::campaign_on(id, "dahu"), Code::ExitError, "task 0"));
    let bobs = bed.tell(NewEvent::note(Scope::user_on("bob", "dahu"), Code::NoAccount, "none"));
    bed.tell(NewEvent::note(Scope::cluster("dahu"), Code::WaitsTooLong, "3 jobs"));
    let sorted = async |login: &str, query: &str| {
        let mut codes = bed.codes(login, query).await?;
        codes.sort();
        Ok::<_, u16>(codes)
    };
    assert_eq!(sorted("alice", "").await.unwrap(), ["EXIT_ERROR", "REMOTE_WAITING_FRAG"]);
    assert_eq!(sorted("bob", "").await.unwrap(), ["NO_ACCOUNT", "REMOTE_WAITING_FRAG"]);
    assert_eq!(sorted("ada", "everybody=1").await.unwrap().len(), 3);
    assert_eq!(sorted("alice", "everybody=1").await, Err(403));
    assert_eq!(sorted("alice", "severity=high").await.unwrap(), ["EXIT_ERROR"]);
    assert_eq!(sorted("alice", "cluster=luke").await.unwrap(), Vec::<String>::new(), "none is no error");
    assert_eq!(sorted("alice", "severity=urgent").await, Err(400));
    assert_eq!(sorted("alice", "code=EXIT").await, Err(400));
    let shown = async |login: &str| show(bed.grid.clone(), caller(login), bobs.into()).await.map(|event| event.id);
    assert_eq!(shown("bob").await.unwrap(), bobs);
    assert_eq!(shown("alice").await.unwrap_err().status_code(), 403);
    let of = async |login: &str| {
        let query = web::Query::<EventQuery>::from_query("limit=1").unwrap();
        of_campaign(bed.grid.clone(), caller(login), id.into(), query).await.map(|list| (list.total, list.next))
    };
    assert_eq!(of("alice").await.unwrap(), (2, Some(1)));
    assert_eq!(of("bob").await.unwrap_err().status_code(), 403);
}

#[actix_web::test]
async fn what_this_service_has_to_mend_is_for_admins() {
    let bed = bed();
    let lost = bed.tell(NewEvent::note(Scope::service(), Code::NoticesLost, "3 notifications"));
    assert_eq!(bed.codes("ada", "").await.unwrap(), ["NOTIFICATIONS_LOST"]);
    assert_eq!(bed.codes("alice", "").await.unwrap(), Vec::<String>::new());
    let shown = async |login: &str| show(bed.grid.clone(), caller(login), lost.into()).await.map(|event| event.id);
    assert_eq!(shown("ada").await.unwrap(), lost);
    assert_eq!(shown("alice").await.unwrap_err().status_code(), 403);
}

#[actix_web::test]
async fn closing_with_a_retry_tries_failed_tasks_again_and_drops_none() {
    let bed = bed();
    let id = bed.campaign();
    let store = &bed.grid.store;
    bed.fail_one(id);
    let event = bed.tell(NewEvent::note(Scope::campaign_on(id, "dahu"), Code::Walltime, "task 9"));
    let words = bed.close("alice", event, true).await.1;
    assert!(words.ends_with("; 0 failed tasks are tried again"), "of another kind: {words}");
    let event = bed.tell(NewEvent::note(Scope::campaign_on(id, "dahu"), Code::ExitError, "task 0"));
    assert_eq!(bed.close("alice", event, false).await.1, format!("Event {event} closed; its tasks stay failed"));
    assert_eq!((store.campaign(id).unwrap().failed, store.campaign(id).unwrap().pending), (1, 2));
    let (status, words) = bed.close("alice", event, true).await;
    assert_eq!((status, words), (202, format!("Event {event} was closed already; 1 failed task is tried again")));
    assert_eq!((store.campaign(id).unwrap().failed, store.campaign(id).unwrap().pending), (0, 3));

    bed.tell(NewEvent::note(Scope::campaign_on(id, "dahu"), Code::ExitError, "task 1"));
    bed.tell(NewEvent::note(Scope::campaign(id), Code::TestMode, "sample: it ended"));
    let all = async |login: &str, resubmit: Option<&str>| {
        let query = CloseQuery { resubmit: resubmit.map(str::to_owned) };
        said(close_all(bed.grid.clone(), caller(login), id.into(), web::Query(query)).await).await
    };
    assert_eq!(all("bob", None).await.0, 403);
    let (status, words) = all("alice", Some("1")).await;
    let wanted =
        format!("Campaign {id} events closed: 1; left open: TEST_MODE closes with `cigri resume {id}`; 0 failed tasks");
    assert!(status == 202 && words.starts_with(&wanted), "{words}");
    let cluster = bed.tell(NewEvent::note(Scope::cluster("dahu"), Code::ApiFailure, "no answer"));
    assert_eq!(bed.close("root", cluster, true).await.0, 400, "no tasks are concerned");
    store.cancel_campaign(id, now_ms()).unwrap();
    assert_eq!(all("alice", Some("1")).await.0, 409);
    assert_eq!(
        store.list_jobs(id, &JobFilter { limit: 10, ..JobFilter::default() }).unwrap()[0].state,
        JobState::Failed
    );
}

#[actix_web::test]
async fn an_admin_closes_a_cluster_as_cigri_3s_clients_do_and_opens_it_again() {
    let bed = bed();
    let open = async |login: &str, body: Value| {
        let wanted: Wanted = serde_json::from_value(body).unwrap();
        said(open(bed.grid.clone(), caller(login), web::Json(wanted)).await).await
    };
    let body = json!({"class": "cluster", "code": "CLUSTER_MANUALLY_DISABLED", "cluster_id": "dahu"});
    assert_eq!(open("alice", body.clone()).await.0, 403);
    for (wrong, status) in [
        (json!({"code": "EXIT_ERROR", "cluster_id": "dahu"}), 400),
        (json!({"code": "CLUSTER_MANUALLY_DISABLED"}), 400),
        (json!({"code": "CLUSTER_MANUALLY_DISABLED", "cluster_id": 3}), 404),
        (json!({"code": "CLUSTER_MANUALLY_DISABLED", "cluster_id": "dahu", "campaign_id": 3}), 400),
    ] {
        assert_eq!(open("ada", wrong.clone()).await.0, status, "{wrong}");
    }
    let (status, words) = open("ada", body).await;
    assert_eq!((status, words.as_str()), (201, "ada closed dahu. Nothing is sent there until this event is closed"));
    assert!(bed.grid.store.cluster_hold("dahu").unwrap().is_some());
    let id = bed.grid.store.round_view("dahu").unwrap().holds[0].id;
    assert_eq!((bed.close("alice", id, false).await.0, bed.close("ada", id, false).await.0), (403, 202));
    assert_eq!(bed.grid.store.cluster_hold("dahu").unwrap(), None);
}
