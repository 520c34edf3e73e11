//! What is done for a cluster now and then, over a cluster in this process.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use cigri_core::event::{Code, Scope};
use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_core::meter::ClusterLimits;
use cigri_core::token::Renewal;
use cigri_core::usage::GridUsage;
use cigri_store::{ClusterKind, ClusterRow, EventRow, NewCampaign, Store, TokenRow};
use futures_util::future::BoxFuture;
use jsonwebtoken::{EncodingKey, Header, encode};
use oar_client::{Token, Transport, TransportError};
use oar_local::{LocalCluster, Output};
use serde_json::json;

use super::*;
use crate::grid::Retention;
use crate::secret::Sealer;

const SECRET: &[u8] = b"the cluster's own secret";
const DAY_S: i64 = 86_400;
const EVERY_MS: i64 = 300_000;

/// The way to a cluster: it notes what is asked, and may be cut, or lead astray.
struct Way {
    cluster: LocalCluster,
    asked: Mutex<Vec<String>>,
    is_cut: AtomicBool,
    /// Whose token is given to whoever asks for a new one.
    gives: Mutex<Option<String>>,
}

impl Transport for Way {
    fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let path = request.uri().path().to_owned();
        let answer = match self.gives.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            _ if self.is_cut.load(Ordering::SeqCst) => {
                http::Response::builder().status(500).body(Bytes::from("Internal Server Error")).unwrap()
            }
            Some(token) if path == "/get_new_token" => {
                http::Response::new(Bytes::from(json!({ "OAR_API_TOKEN": token }).to_string()))
            }
            _ => self.cluster.respond(request),
        };
        self.asked.lock().unwrap().push(path);
        Box::pin(std::future::ready(Ok(answer)))
    }
}

struct Bed {
    _folder: tempfile::TempDir,
    grid: Arc<Grid>,
    handle: Arc<ClusterHandle>,
    way: Arc<Way>,
    memory: Memory,
    now: i64,
}

impl Bed {
    fn new() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let config = oar_local::Config {
            state_dir: folder.path().join("oar"),
            cores: 4,
            user: "alice".into(),
            secret: SECRET.to_vec(),
            output: Output::Files,
            lenient: false,
            schedule_period: None,
            kill_rate: 0.0,
            seed: Some(1),
            chaos: None,
        };
        let way = Arc::new(Way {
            cluster: LocalCluster::open(config).unwrap(),
            asked: Mutex::default(),
            is_cut: AtomicBool::new(false),
            gives: Mutex::default(),
        });
        let store = Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let retention = Retention { usage_every_ms: EVERY_MS, ..Retention::default() };
        let grid = Grid::new(store, sealer, Vec::new(), None).unwrap().with_groups(Default::default(), retention);
        let (name, url) = ("dahu".to_owned(), "http://dahu.test/".to_owned());
        let limits =
            ClusterLimits { requests_per_s: 10_000.0, bytes_per_s: 1e9, busy: 1.0, ..ClusterLimits::default() };
        let row = ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None };
        grid.add_with(row, Arc::clone(&way) as Arc<dyn Transport>).unwrap();
        let (handle, now) = (grid.cluster("dahu").unwrap(), now_ms());
        Bed { _folder: folder, grid: Arc::new(grid), handle, way, memory: Memory::default(), now }
    }

    async fn tend(&mut self) {
        tend(&self.grid, &self.handle, &mut self.memory, self.now).await.unwrap();
    }

    /// How often a path was asked for since the last time.
    fn asked(&self, path: &str) -> usize {
        let mut asked = self.way.asked.lock().unwrap();
        let count = asked.iter().filter(|one| *one == path).count();
        asked.retain(|one| one != path);
        count
    }

    fn open(&self, code: Code) -> Vec<EventRow> {
        self.grid.store.open_of_code(code, "dahu").unwrap()
    }

    fn token(&self) -> TokenRow {
        self.grid.store.list_tokens("alice").unwrap().remove(0)
    }

    fn campaign(&self) {
        let cluster = ClusterSpec::new("./sim", "/home/alice");
        let spec = CampaignSpec::new("sweep", [("dahu".to_owned(), cluster)].into());
        let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
        let id = self.grid.store.begin_campaign(&new, self.now).unwrap();
        self.grid.store.open_campaign(id, 3, true).unwrap();
    }
}

/// One of a life of 364 days, of which so many seconds are left.
fn token(user: &str, left_s: i64) -> Token {
    let expires = now_ms() / 1000 + left_s;
    let issued = chrono::DateTime::from_timestamp(expires - 364 * DAY_S, 0).unwrap();
    let claims = json!({"user": user, "exp": expires, "date": issued.format("%Y-%m-%d %H:%M:%S").to_string()});
    Token::new(encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET)).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_that_ends_soon_is_renewed_while_its_user_has_work() {
    let mut bed = Bed::new();
    let old = bed.grid.put_token("alice", "dahu", &token("alice", 5 * DAY_S)).unwrap();
    bed.tend().await;
    assert_eq!((bed.asked("/get_new_token"), bed.token()), (0, old.clone()), "nobody needs it");
    bed.campaign();
    bed.tend().await;
    let new = bed.token();
    assert_eq!((bed.asked("/get_new_token"), bed.asked("/check_token")), (1, 1), "it was tried before it was kept");
    assert!(new.secret != old.secret && new.login == "alice");
    assert!(new.expires_at.unwrap() > old.expires_at.unwrap() + 300 * DAY_S);
    assert_eq!(new.renewed_at, Some(bed.now / 1000));
    assert_eq!(bed.open(Code::TokenExpires), [], "what was said is over");
    bed.tend().await;
    assert_eq!(bed.asked("/get_new_token"), 0, "once is enough");
}

#[tokio::test]
async fn a_user_is_told_four_times_in_one_event_what_to_type_and_once_that_it_has_ended() {
    let mut bed = Bed::new();
    let row = bed.grid.put_token("alice", "dahu", &token("alice", 13 * DAY_S)).unwrap();
    bed.grid.store.set_renewal("alice", "dahu", Renewal::Never).unwrap();
    bed.campaign();
    let mut told = Vec::new();
    for day in 0..15 {
        bed.now = now_ms() + day * DAY_S * 1000;
        bed.tend().await;
        bed.tend().await;
        let events = bed.open(Code::TokenExpires);
        assert_eq!((events.len(), events[0].scope.clone()), (1, Scope::user_on("alice", "dahu").key()));
        told.push((events[0].occurrences, events[0].severity.clone()));
    }
    told.dedup();
    let expected = [(1, "medium"), (2, "medium"), (3, "high"), (4, "high"), (5, "high")];
    assert_eq!(told, expected.map(|(times, severity)| (times, severity.to_owned())));
    let message = &bed.open(Code::TokenExpires)[0].message;
    assert!(message.contains("has ended: nothing more is sent there"), "{message}");
    assert!(message.contains("`cigri token add dahu`") && message.contains("--renew needed"), "{message}");
    assert_eq!((bed.asked("/get_new_token"), bed.token().secret), (0, row.secret), "its user does not want that");
    bed.grid.store.remove_token("alice", "dahu").unwrap();
    bed.tend().await;
    assert_eq!(bed.open(Code::TokenExpires), [], "there is none that could end");
}

#[tokio::test]
async fn what_is_said_of_people_who_left_is_over_some_days_later() {
    let mut bed = Bed::new();
    bed.grid.put_token("alice", "dahu", &token("alice", DAY_S)).unwrap();
    let begun = now_ms();
    let mut open = Vec::new();
    let scope = Scope::user_on("bob", "dahu");
    let no_token = cigri_core::event::NewEvent::note(scope.clone(), Code::TokenNotFound, "bob has none");
    bed.grid.store.open_events(&[no_token], begun).unwrap();
    for day in [0, 2, 3, 5, 400] {
        bed.now = begun + day * DAY_S * 1000;
        bed.tend().await;
        open.push((
            bed.open(Code::TokenExpires).len(),
            bed.grid.store.find_message(Code::TokenNotFound, &scope).unwrap(),
        ));
    }
    let is_open = open.into_iter().map(|(ends, none)| (ends, none.is_some())).collect::<Vec<_>>();
    assert_eq!(is_open, [(1, true), (1, true), (1, false), (0, false), (0, false)]);
    bed.campaign();
    bed.tend().await;
    assert_eq!(bed.open(Code::TokenExpires).len(), 1, "back again, and without a token");
}

#[tokio::test]
async fn a_cluster_that_gives_none_is_asked_again_with_growing_pauses() {
    let mut bed = Bed::new();
    let old = bed.grid.put_token("alice", "dahu", &token("alice", 5 * DAY_S)).unwrap();
    bed.grid.store.set_renewal("alice", "dahu", Renewal::Always).unwrap();
    bed.way.is_cut.store(true, Ordering::SeqCst);
    let mut asked = Vec::new();
    for _ in 0..8 {
        bed.tend().await;
        asked.push(bed.asked("/get_new_token"));
        bed.now += 3_600_000;
    }
    assert_eq!(asked, [1, 1, 0, 1, 0, 0, 0, 1], "after one hour, two, four");
    let (failed, warned) = (bed.open(Code::TokenNotRenewed), bed.open(Code::TokenExpires));
    assert_eq!((failed.len(), failed[0].occurrences, warned.len()), (1, 4, 1));
    assert!(warned[0].message.contains("gave no new one"), "{}", warned[0].message);
    assert_eq!(bed.token().secret, old.secret);
    for event in failed.iter().chain(&warned) {
        let text = bed.grid.sealer.unseal(&old.secret).unwrap();
        assert!(!event.message.contains(&text), "no token is told");
    }
    bed.way.is_cut.store(false, Ordering::SeqCst);
    bed.now += 8 * 3_600_000;
    bed.tend().await;
    assert!(bed.token().secret != old.secret);
    assert_eq!((bed.open(Code::TokenNotRenewed), bed.open(Code::TokenExpires)), (vec![], vec![]));
}

#[tokio::test]
async fn what_is_no_better_token_of_the_same_user_replaces_nothing() {
    let elsewhere = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoiYWxpY2UiLCJleHAiOjQwMDAwMDAwMDB9.nobody-signed-this";
    let bad = [
        (token("bob", 300 * DAY_S).expose().to_owned(), "is of bob"),
        (token("alice", 4 * DAY_S).expose().to_owned(), "ends no later"),
        (elsewhere.to_owned(), "does not accept"),
        ("not a token".to_owned(), "new token"),
    ];
    for (given, problem) in bad {
        let mut bed = Bed::new();
        let old = bed.grid.put_token("alice", "dahu", &token("alice", 5 * DAY_S)).unwrap();
        bed.campaign();
        *bed.way.gives.lock().unwrap() = Some(given.clone());
        bed.tend().await;
        assert_eq!(bed.token(), old, "{problem}");
        let message = bed.open(Code::TokenNotRenewed).remove(0).message;
        assert!(message.contains(problem) && !message.contains(&given), "{message}");
    }
}

#[tokio::test]
async fn a_disabled_cluster_is_asked_for_nothing() {
    let mut bed = Bed::new();
    bed.grid.put_token("alice", "dahu", &token("alice", 5 * DAY_S)).unwrap();
    bed.campaign();
    bed.grid.store.change_cluster("dahu", &json!({"mode": "disabled"}), "root", 1).unwrap();
    bed.now = 12 * EVERY_MS * 1_000_000;
    bed.tend().await;
    assert_eq!(*bed.way.asked.lock().unwrap(), Vec::<String>::new());
}

fn every() -> cigri_store::SampleFilter {
    cigri_store::SampleFilter { to: i64::MAX, ..Default::default() }
}

#[tokio::test]
async fn an_idle_cluster_is_sampled_twelve_times_less_often_and_one_that_fails_leaves_a_gap() {
    let mut bed = Bed::new();
    let start = 12 * EVERY_MS * 500_000;
    for slot in 0..25 {
        bed.now = start + slot * EVERY_MS + 7;
        bed.way.is_cut.store(slot == 12, Ordering::SeqCst);
        bed.tend().await;
        bed.now += EVERY_MS / 2;
        bed.tend().await;
    }
    let samples = bed.grid.store.samples(&every(), 99).unwrap();
    let usage = GridUsage { total: 4, used: 0, ours: 0, unavailable: 0 };
    let found: Vec<_> = samples.iter().map(|sample| (sample.at - start, sample.usage)).collect();
    assert_eq!(found, [(0, usage), (24 * EVERY_MS, usage)], "each stands for the beginning of its slot");
    assert_eq!(bed.asked("/resources/busy"), 2);
}

#[tokio::test]
async fn a_cluster_with_our_jobs_is_sampled_in_every_slot_and_old_samples_go() {
    let mut bed = Bed::new();
    bed.campaign();
    let store = &bed.grid.store;
    let new = cigri_store::NewSubmission {
        campaign_id: 1,
        role: Default::default(),
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
    store.intend(&new, |id| format!("cigri.test.{id}"), 2000).unwrap().unwrap();
    let start = 12 * EVERY_MS * 500_000;
    for slot in [1, 2, 3, 120_000] {
        bed.now = start + slot * EVERY_MS;
        bed.tend().await;
    }
    let samples = bed.grid.store.samples(&every(), 99).unwrap();
    let found: Vec<_> = samples.iter().map(|sample| (sample.at - start) / EVERY_MS).collect();
    assert_eq!(found, [120_000], "more than 400 days later the others are forgotten");
}
