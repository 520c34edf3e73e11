//! Keeping one loop per cluster alive: timers, signals, pauses after failures, and a new start after a panic.

use std::sync::Arc;
use std::time::Duration;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::meter::ClusterLimits;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::step::{self, Progress};
use super::{Memory, Round, StepError};
use crate::clock::now_ms;
use crate::grid::{ClusterHandle, Grid};
use crate::{notices, sensors, upkeep};

/// How long a loop waits between rounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Even a signal waits until this long after the last round.
    gap: Duration,
    /// Period while something of ours is there.
    busy: Duration,
    /// Period while nothing can have changed.
    idle: Duration,
}

impl Pace {
    fn of(handle: &ClusterHandle, limits: &ClusterLimits) -> Pace {
        match handle.row.kind {
            // Signals wake it: the periods only guard against a lost one.
            cigri_store::ClusterKind::Local => {
                Pace { gap: Duration::from_millis(100), busy: Duration::from_secs(1), idle: Duration::from_secs(60) }
            }
            cigri_store::ClusterKind::Oar3 => {
                let busy = Duration::from_secs(limits.period_s.max(1));
                Pace { gap: busy / 3, busy, idle: busy * 4 }
            }
        }
    }
}

/// Starts a loop for every cluster, and for those added later, and the notifications beside them, until `stop`.
pub(crate) async fn run_all(grid: Arc<Grid>, stop: CancellationToken) {
    let notices = tokio::spawn(notices::run(Arc::clone(&grid), stop.clone()));
    let mut running = std::collections::BTreeMap::new();
    while !stop.is_cancelled() {
        for handle in grid.clusters() {
            let name = handle.row.name.clone();
            running.entry(name).or_insert_with(|| tokio::spawn(supervise(Arc::clone(&grid), handle, stop.clone())));
        }
        tokio::select! {
            () = grid.added.notified() => {}
            () = stop.cancelled() => {}
        }
    }
    notices.await.ok();
    for (name, task) in running {
        if task.await.is_err() {
            error!(cluster.name = %name, "the cluster's supervisor ended by a panic");
        }
    }
}

/// Runs what a cluster needs side by side.
async fn supervise(grid: Arc<Grid>, handle: Arc<ClusterHandle>, stop: CancellationToken) {
    let each = || (Arc::clone(&grid), Arc::clone(&handle), stop.clone());
    tokio::join!(
        keep("loop", each(), rounds),
        keep("sensor", each(), sensors::watch),
        keep("upkeep", each(), upkeep::watch)
    );
}

/// What one of a cluster's tasks is given.
type Charge = (Arc<Grid>, Arc<ClusterHandle>, CancellationToken);

/// Runs something in a task of its own, so that a panic ends only that task, which is told and started again.
async fn keep<Run, Running>(what: &'static str, (grid, handle, stop): Charge, run: Run)
where
    Run: Fn(Arc<Grid>, Arc<ClusterHandle>, CancellationToken) -> Running,
    Running: Future<Output = ()> + Send + 'static,
{
    while !stop.is_cancelled() {
        let task = tokio::spawn(run(Arc::clone(&grid), Arc::clone(&handle), stop.clone()));
        let Err(panic) = task.await else { return };
        error!(cluster.name = %handle.row.name, "the cluster's {what} failed, it starts again: {panic}");
        let message = format!("the cluster's {what} failed by a bug and was started again; the log says more");
        let event = NewEvent::note(Scope::cluster(&handle.row.name), Code::ServiceFailure, message);
        crate::blocking(&grid.store, move |store| store.open_events(&[event], now_ms())).await.ok();
        wait(&stop, Duration::from_secs(1)).await;
    }
}

async fn rounds(grid: Arc<Grid>, handle: Arc<ClusterHandle>, stop: CancellationToken) {
    let mut pace = Pace::of(&handle, &handle.row.limits);
    let mut memory = Memory::of(&handle.row.name);
    let mut failures = 0u32;
    while !stop.is_cancelled() {
        let round = match Round::begin(&grid, &handle, now_ms()).await {
            Ok(round) => round,
            Err(error) => {
                failures += 1;
                warn!(cluster.name = %handle.row.name, "round failed: {error}");
                wait(&stop, backoff(failures, &pace)).await;
                continue;
            }
        };
        pace = Pace::of(&handle, &round.limits);
        match step::step(&round, &mut memory).await {
            Ok(progress) => {
                failures = 0;
                note_round(&round, &mut memory, progress).await;
                // A gap first, so that a burst of signals makes one round.
                wait(&stop, pace.gap).await;
                let period = if progress.busy { pace.busy } else { pace.idle };
                pause(&stop, &handle.wake, period.saturating_sub(pace.gap)).await;
            }
            Err(error) => {
                failures += 1;
                let delay = backoff(failures, &pace);
                warn!(cluster.name = %handle.row.name, "round failed, next try in {delay:?}: {error}");
                // Who lost the lead says so elsewhere.
                let told = step::failed(&round, &mut memory, &error).await;
                if let Err(error) = told.or_else(StepError::unless_not_leader) {
                    error!(cluster.name = %handle.row.name, "cannot write an event: {error}");
                }
                wait(&stop, delay).await;
            }
        }
    }
    info!(cluster.name = %handle.row.name, "loop stopped");
}

/// How often the time of a cluster's last round is written down.
const NOTE_EVERY_MS: i64 = 10_000;

async fn note_round(round: &Round<'_>, memory: &mut Memory, progress: Progress) {
    // For people: now and then is enough.
    if progress.changed && round.now - memory.noted_at > NOTE_EVERY_MS {
        memory.noted_at = round.now;
        let (name, now) = (round.handle.row.name.clone(), round.now);
        if let Err(error) = crate::blocking(&round.grid.store, move |store| store.note_round(&name, now)).await {
            error!(cluster.name = %round.handle.row.name, "cannot note the round: {error}");
        }
    }
}

/// 1, 2, 4... times the gap, at most one and a half periods: a cluster that is back is used in its next but one round,
/// and one that is down is asked once.
fn backoff(failures: u32, pace: &Pace) -> Duration {
    let factor = 2u32.saturating_pow(failures.saturating_sub(1).min(10));
    pace.gap.saturating_mul(factor).clamp(Duration::from_millis(200), pace.busy * 3 / 2)
}

async fn wait(stop: &CancellationToken, period: Duration) {
    tokio::select! {
        () = tokio::time::sleep(period) => {}
        () = stop.cancelled() => {}
    }
}

async fn pause(stop: &CancellationToken, wake: &Notify, period: Duration) {
    tokio::select! {
        () = tokio::time::sleep(period) => {}
        () = wake.notified() => {}
        () = stop.cancelled() => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::secret::Sealer;

    #[tokio::test]
    async fn what_fails_by_a_bug_is_told_and_starts_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = cigri_store::Store::open_sqlite(std::path::Path::new(":memory:"), "test").unwrap();
        let sealer = Sealer::open(&folder.path().join("key")).unwrap();
        let grid = Arc::new(Grid::new(store, sealer, Vec::new(), None).unwrap());
        let (name, url, limits) = ("dahu".to_owned(), "http://127.0.0.1:9/".to_owned(), ClusterLimits::default());
        let kind = cigri_store::ClusterKind::Oar3;
        grid.add_cluster(cigri_store::ClusterRow { name, kind, url, limits, last_round_at: None }).unwrap();
        let handle = grid.cluster("dahu").unwrap();
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        let run = move |_, _, _| {
            let start = counted.fetch_add(1, Ordering::SeqCst);
            async move { assert!(start > 0, "a bug") }
        };
        keep("upkeep", (Arc::clone(&grid), handle, CancellationToken::new()), run).await;
        assert_eq!(starts.load(Ordering::SeqCst), 2);
        let told = grid.store.find_message(Code::ServiceFailure, &Scope::cluster("dahu")).unwrap();
        assert!(told.unwrap().contains("upkeep failed by a bug"));
    }
}
