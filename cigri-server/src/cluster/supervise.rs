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

/// Runs the loop in a task of its own, so that a panic ends only that task, which is then started again.
async fn supervise(grid: Arc<Grid>, handle: Arc<ClusterHandle>, stop: CancellationToken) {
    let sensor = tokio::spawn(sensors::watch(Arc::clone(&grid), Arc::clone(&handle), stop.clone()));
    let tended = tokio::spawn(upkeep::watch(Arc::clone(&grid), Arc::clone(&handle), stop.clone()));
    while !stop.is_cancelled() {
        let task = tokio::spawn(rounds(Arc::clone(&grid), Arc::clone(&handle), stop.clone()));
        match task.await {
            Ok(()) => break,
            Err(panic) => {
                error!(cluster.name = %handle.row.name, "the cluster's loop failed, it starts again: {panic}");
                let message = "the cluster's loop failed by a bug and was started again; the log says more";
                let event = NewEvent::note(Scope::cluster(&handle.row.name), Code::ServiceFailure, message);
                crate::blocking(&grid.store, move |store| store.open_events(&[event], now_ms())).await.ok();
            }
        }
        pause(&stop, &handle.wake, Duration::from_secs(1)).await;
    }
    sensor.await.ok();
    tended.await.ok();
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
