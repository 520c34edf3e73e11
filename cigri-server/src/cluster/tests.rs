//! Rounds against a real `oar-local`, with faults between it and us: what each task did is counted from the files
//! that the tasks themselves write.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use cigri_core::language::{CampaignSpec, ClusterSpec};
use cigri_core::state::CampaignState;
use cigri_store::{CampaignRow, NewCampaign, Store};
use futures_util::future::BoxFuture;
use oar_client::{Transport, TransportError};
use oar_local::{LocalCluster, Output};

use super::{Memory, Round, StepError, step};
use crate::clock::now_ms;
use crate::grid::{Grid, InProcess, LocalPool};
use crate::secret::Sealer;

/// What happens to one POST, or to every reading of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing is wrong.
    None,
    /// It is carried out, its answer is lost.
    AnswerLost,
    /// It is not carried out, and nobody says so.
    Swallowed,
    /// It is not carried out; 500.
    Failed,
    /// It is carried out; 500 all the same.
    DoneButFailed,
    /// It is carried out long after it was given up.
    Late,
    /// Nothing was sent.
    Refused,
    /// The cluster says no.
    Forbidden,
    /// No file can be read; 500.
    NoFiles,
}

/// Panics at its first request, as a bug in a loop would.
struct PanicsOnce {
    inner: InProcess,
    panicked: std::sync::atomic::AtomicBool,
}

impl Transport for PanicsOnce {
    fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let is_read = request.method() == http::Method::GET;
        assert!(!is_read || self.panicked.swap(true, std::sync::atomic::Ordering::SeqCst), "a bug");
        self.inner.send(request, timeout)
    }
}

/// Applies the next fault of a script to each POST of jobs (a submission makes two: gate, array).
struct Faulty {
    inner: InProcess,
    script: Mutex<Vec<Fault>>,
    late: Arc<Mutex<Vec<http::Request<Bytes>>>>,
}

impl Faulty {
    fn next(&self, request: &http::Request<Bytes>) -> Fault {
        let mut script = self.script.lock().unwrap();
        let is_post = request.method() == http::Method::POST && request.uri().path() == "/jobs";
        if request.uri().path() == "/media" && script.contains(&Fault::NoFiles) {
            return Fault::Failed;
        }
        let of_posts = script.iter().position(|fault| *fault != Fault::NoFiles);
        of_posts.filter(|_| is_post).map_or(Fault::None, |at| script.remove(at))
    }
}

impl Transport for Faulty {
    fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let answer = |status: u16, body: &'static str| {
            Ok(http::Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap())
        };
        let failed = move || answer(500, "Internal Server Error");
        Box::pin(async move {
            match self.next(&request) {
                Fault::None => self.inner.send(request, timeout).await,
                Fault::AnswerLost => {
                    self.inner.send(request, timeout).await?;
                    Err(TransportError::Lost("connection reset".to_owned()))
                }
                Fault::DoneButFailed => {
                    self.inner.send(request, timeout).await?;
                    failed()
                }
                Fault::Late => {
                    self.late.lock().unwrap().push(request);
                    Err(TransportError::TimedOut)
                }
                Fault::Swallowed => Err(TransportError::TimedOut),
                Fault::Failed | Fault::NoFiles => failed(),
                Fault::Refused => Err(TransportError::NotSent("connection refused".to_owned())),
                Fault::Forbidden => {
                    answer(403, "{\"detail\":\"A failed admission rule prevented submitting the job: no.\"}")
                }
            }
        })
    }
}

/// Leaves every job out of the listings of arrays, as OAR does with its own resubmissions.
struct Hiding(InProcess);

impl Transport for Hiding {
    fn send(
        &self,
        request: http::Request<Bytes>,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let is_count = query.split('&').any(|part| part == "limit=0");
        let hides = query.contains("array=") && !query.contains("details") && !is_count;
        Box::pin(async move {
            let response = self.0.send(request, timeout).await?;
            let empty = Bytes::from_static(b"{\"total\":0,\"offset\":0,\"items\":[]}");
            Ok(if hides { response.map(|_| empty) } else { response })
        })
    }
}

/// A grid of one local cluster named `dahu`, and a folder where tasks leave traces.
pub(super) struct Bed {
    pub(super) folder: tempfile::TempDir,
    pub(super) grid: Grid,
    late: Arc<Mutex<Vec<http::Request<Bytes>>>>,
}

/// Two cores of this machine, their state in a folder of their own.
fn local_cluster(state_dir: &Path) -> Arc<LocalCluster> {
    let settings = oar_local::Config {
        state_dir: state_dir.to_owned(),
        cores: 2,
        user: "alice".into(),
        secret: b"secret".to_vec(),
        output: Output::Captured,
        lenient: true,
        schedule_period: None,
        kill_rate: 0.0,
        seed: Some(1),
        chaos: None,
    };
    Arc::new(LocalCluster::open(settings).unwrap())
}

impl Bed {
    pub(super) fn new(script: &[Fault]) -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let cluster = local_cluster(&folder.path().join("local"));
        let store = Store::open_sqlite(Path::new(":memory:"), "test").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let pool = LocalPool { cluster: Arc::clone(&cluster), cores: 2, runs_jobs: true };
        let grid = Grid::new(store, sealer, Vec::new(), Some(pool)).unwrap();
        let late = Arc::default();
        let script = Mutex::new(script.to_vec());
        let transport = Faulty { inner: InProcess(cluster), script, late: Arc::clone(&late) };
        grid.add_with(grid.local_row("dahu".into()), Arc::new(transport)).unwrap();
        Bed { folder, grid, late }
    }

    /// A campaign of `tasks` tasks, each of which runs `script` with sh.
    fn campaign(&self, script: &str, tasks: i64) -> i64 {
        self.campaign_with(script, tasks, |_| ())
    }

    /// A campaign that asks for something more.
    pub(super) fn campaign_with(&self, script: &str, tasks: i64, more: impl FnOnce(&mut ClusterSpec)) -> i64 {
        std::fs::write(self.folder.path().join("task.sh"), script).unwrap();
        let mut cluster = ClusterSpec::new("/bin/sh task.sh", self.folder.path().display().to_string());
        more(&mut cluster);
        let spec = CampaignSpec::new("c", BTreeMap::from([("dahu".to_owned(), cluster)]));
        let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
        let id = self.grid.store.begin_campaign(&new, now_ms()).unwrap();
        self.grid.store.open_campaign(id, tasks, true).unwrap();
        id
    }

    pub(super) async fn step(&self, memory: &mut Memory) -> Result<(), StepError> {
        self.step_at(now_ms(), memory).await
    }

    pub(super) async fn step_at(&self, now: i64, memory: &mut Memory) -> Result<(), StepError> {
        let handle = self.grid.cluster("dahu").unwrap();
        let round = Round::begin(&self.grid, &handle, now).await.unwrap();
        step::step(&round, memory).await.map(|_| ())
    }

    /// Steps until `done`, forgetting everything between steps as a restart would.
    pub(super) async fn step_until(&self, id: i64, done: impl Fn(&CampaignRow) -> bool) -> CampaignRow {
        let mut changes = self.grid.local.as_ref().unwrap().cluster.changes();
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            self.step(&mut Memory::new()).await.ok();
            let row = self.grid.store.campaign(id).unwrap();
            assert_eq!(row.task_count, row.pending + row.live + row.done + row.failed + row.cancelled);
            if done(&row) {
                return row;
            }
            tokio::time::timeout(Duration::from_millis(100), changes.changed()).await.ok();
        }
        panic!("the campaign does not get there: {:?}", self.grid.store.campaign(id).unwrap());
    }

    /// The live jobs on the cluster.
    pub(super) async fn left(&self) -> Vec<oar_client::JobSummary> {
        let client = &self.grid.cluster("dahu").unwrap().client;
        client.list_all(&oar_client::JobQuery::default()).await.unwrap()
    }

    /// How many times each task ran, by index.
    pub(super) fn runs(&self) -> BTreeMap<i64, usize> {
        let text = std::fs::read_to_string(self.folder.path().join("ran")).unwrap_or_default();
        let mut runs = BTreeMap::new();
        text.lines().for_each(|line| *runs.entry(line.parse().unwrap()).or_default() += 1);
        runs
    }
}

/// Each task notes that it ran.
pub(super) const NOTE: &str = "echo $CIGRI_TASK_INDEX >> ran";

pub(super) fn over(row: &CampaignRow) -> bool {
    row.state == CampaignState::Finished
}

pub(super) fn each_once(tasks: i64) -> BTreeMap<i64, usize> {
    (0..tasks).map(|index| (index, 1)).collect()
}

#[tokio::test]
async fn every_task_runs_once_whatever_happens_to_the_posts() {
    use Fault::{AnswerLost, DoneButFailed, Failed, None, Refused, Swallowed};
    for fault in [None, AnswerLost, DoneButFailed, Failed, Swallowed, Refused] {
        // On the gate, on the array, and on both tries in a row.
        for script in [vec![fault], vec![None, fault], vec![None, fault, None, fault]] {
            let bed = Bed::new(&script);
            let id = bed.campaign(NOTE, 40);
            let row = bed.step_until(id, over).await;
            assert_eq!((row.done, row.failed), (40, 0), "{script:?}");
            assert_eq!(bed.runs(), each_once(40), "{script:?}");
        }
    }
}

#[tokio::test]
async fn a_refused_submission_holds_the_campaign_there_with_the_clusters_words() {
    let bed = Bed::new(&[Fault::None, Fault::Forbidden]);
    let id = bed.campaign(NOTE, 3);
    bed.step(&mut Memory::new()).await.unwrap();
    let row = bed.grid.store.campaign(id).unwrap();
    assert_eq!((row.pending, row.live), (3, 0), "the tasks are back in the bag");
    let hold = bed.grid.store.shares(&row).unwrap()["dahu"].hold.clone().unwrap();
    assert!(hold.contains("A failed admission rule prevented submitting the job: no."), "{hold}");
    bed.grid.store.resume_campaign(id, now_ms()).unwrap();
    assert_eq!(bed.step_until(id, over).await.done, 3);
    assert_eq!(bed.runs(), each_once(3));
}

#[tokio::test]
async fn exit_codes_66_and_67_bring_a_task_back_and_others_fail_it_with_its_last_words() {
    let bed = Bed::new(&[]);
    let script = "echo $CIGRI_TASK_INDEX >> ran
        case $CIGRI_TASK_INDEX.$CIGRI_ATTEMPT in
            1.1) exit 66 ;;
            2.1) exit 67 ;;
            3.*) echo 'no such parameter' >&2; exit 3 ;;
        esac";
    let id = bed.campaign(script, 5);
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.failed, row.kills), (4, 1, 0), "nobody killed anything");
    assert_eq!(bed.runs(), BTreeMap::from([(0, 1), (1, 2), (2, 2), (3, 1), (4, 1)]));
    let filter = cigri_store::JobFilter { task_index: Some(3), limit: 5, ..Default::default() };
    let job = bed.grid.store.list_jobs(id, &filter).unwrap().remove(0);
    assert_eq!((job.exit_code, job.cause.as_deref()), (Some(3), Some("exit_code")));
    assert!(job.detail.unwrap().contains("no such parameter"));
}

#[tokio::test]
async fn a_missing_directory_holds_the_campaign_and_loses_no_task() {
    let bed = Bed::new(&[]);
    let id = bed.campaign(NOTE, 4);
    let gone = bed.folder.path().join("task.sh");
    std::fs::remove_file(gone).unwrap();
    let spec_directory = bed.folder.path().join("nowhere");
    let id2 = {
        let mut spec = bed.grid.store.campaign(id).unwrap().spec.as_ref().clone();
        spec.clusters.get_mut("dahu").unwrap().exec_directory = spec_directory.display().to_string();
        bed.grid.store.cancel_campaign(id, now_ms()).unwrap();
        let new = NewCampaign { owner: "alice", spec: &spec, jdl: "{}", origin: None };
        let id = bed.grid.store.begin_campaign(&new, now_ms()).unwrap();
        bed.grid.store.open_campaign(id, 4, true).unwrap();
        id
    };
    let held = |row: &CampaignRow| row.live == 0 && bed.grid.store.shares(row).unwrap()["dahu"].hold.is_some();
    let row = bed.step_until(id2, held).await;
    assert_eq!((row.pending, row.failed), (4, 0));
    std::fs::create_dir(&spec_directory).unwrap();
    std::fs::write(spec_directory.join("task.sh"), "exit 0").unwrap();
    bed.grid.store.resume_campaign(id2, now_ms()).unwrap();
    assert_eq!(bed.step_until(id2, over).await.done, 4);
}

#[tokio::test]
async fn cancelling_kills_what_runs_and_ends_the_campaign() {
    let bed = Bed::new(&[]);
    let id = bed.campaign("echo $CIGRI_TASK_INDEX >> ran; sleep 600", 50);
    bed.step_until(id, |row| row.live > 0).await;
    bed.grid.store.cancel_campaign(id, now_ms()).unwrap();
    let row = bed.step_until(id, |row| row.finished_at.is_some()).await;
    assert_eq!((row.done, row.cancelled, row.live), (0, 50, 0));
    assert_eq!(bed.left().await, [], "nothing of ours is left there, gates included");
}

#[tokio::test]
async fn a_panic_restarts_only_the_loop_that_panicked_and_a_stop_ends_them_all() {
    let bed = Bed::new(&[]);
    let cluster = Arc::clone(&bed.grid.local.as_ref().unwrap().cluster);
    let transport = PanicsOnce { inner: InProcess(cluster), panicked: false.into() };
    bed.grid.add_with(bed.grid.local_row("dahu".into()), Arc::new(transport)).unwrap();
    let id = bed.campaign(NOTE, 5);
    let Bed { folder, grid, late } = bed;
    let grid = Arc::new(grid);
    let stop = tokio_util::sync::CancellationToken::new();
    let loops = tokio::spawn(super::supervise::run_all(Arc::clone(&grid), stop.clone()));
    let deadline = Instant::now() + Duration::from_secs(60);
    while !over(&grid.store.campaign(id).unwrap()) {
        assert!(Instant::now() < deadline, "the loop never came back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    stop.cancel();
    loops.await.unwrap();
    assert_eq!(Bed { folder, grid: Arc::into_inner(grid).unwrap(), late }.runs(), each_once(5));
}

#[tokio::test]
async fn a_post_carried_out_long_after_it_was_given_up_starts_nothing_and_is_swept() {
    let bed = Bed::new(&[Fault::None, Fault::Late]);
    let id = bed.campaign(NOTE, 8);
    assert_eq!(bed.step_until(id, over).await.done, 8);
    let request = bed.late.lock().unwrap().remove(0);
    let late = InProcess(Arc::clone(&bed.grid.local.as_ref().unwrap().cluster));
    assert_eq!(late.send(request, Duration::from_secs(1)).await.unwrap().status(), 200);
    assert_eq!(bed.left().await.len(), 9, "eight rows and the gate that they wait for");
    bed.step_at(now_ms() + 3 * 60_000, &mut Memory::new()).await.unwrap();
    assert_eq!(bed.left().await.len(), 1, "the rows are gone, the gate stays shut: more may arrive");
    bed.step_at(now_ms() + 31 * 24 * 3_600_000, &mut Memory::new()).await.unwrap();
    assert_eq!(bed.left().await, []);
    assert_eq!(bed.runs(), each_once(8));
}

#[tokio::test]
async fn a_job_missing_in_a_listing_is_asked_for_itself_before_anything_is_believed() {
    let bed = Bed::new(&[]);
    let cluster = Arc::clone(&bed.grid.local.as_ref().unwrap().cluster);
    bed.grid.add_with(bed.grid.local_row("dahu".into()), Arc::new(Hiding(InProcess(cluster)))).unwrap();
    let id = bed.campaign(NOTE, 5);
    assert_eq!(bed.step_until(id, over).await.done, 5);
    assert_eq!(bed.runs(), each_once(5));
}

#[tokio::test]
async fn a_campaign_that_the_cluster_always_fails_pauses_and_others_go_on() {
    let script: Vec<Fault> = (0..3).flat_map(|_| [Fault::None, Fault::Failed]).collect();
    let bed = Bed::new(&script);
    let failing = bed.campaign(NOTE, 3);
    let pauses = |row: &CampaignRow| {
        let decisions = bed.grid.store.decisions(row.id).unwrap();
        decisions.iter().any(|decision| decision.reason.starts_with("3 submissions in a row got no usable answer"))
    };
    let row = bed.step_until(failing, pauses).await;
    assert_eq!((row.pending, row.live), (3, 0), "its tasks wait");
    let other = bed.campaign("exit 0", 4);
    assert_eq!(bed.step_until(other, over).await.done, 4);
    bed.step_at(now_ms() + 31_000, &mut Memory::new()).await.unwrap();
    assert_eq!(bed.grid.store.campaign(failing).unwrap().pending, 2, "after a while it tries with one job");
    assert_eq!(bed.step_until(failing, over).await.done, 3);
}

#[tokio::test]
async fn what_the_local_cluster_lost_comes_back_and_an_ended_campaign_stays_ended() {
    let bed = Bed::new(&[]);
    let id = bed.campaign(NOTE, 3);
    bed.step(&mut Memory::new()).await.unwrap();
    // The jobs are in the ledger; a cluster that knows nothing of them takes the place of the first.
    let empty = InProcess(local_cluster(&bed.folder.path().join("empty")));
    bed.grid.add_with(bed.grid.local_row("dahu".into()), Arc::new(empty)).unwrap();
    let row = bed.step_until(id, over).await;
    assert_eq!((row.done, row.kills), (3, 3));
    let resumed = bed.grid.store.resume_campaign(id, now_ms());
    assert!(matches!(resumed, Err(cigri_store::StoreError::Conflict(_))), "{resumed:?}");
}
