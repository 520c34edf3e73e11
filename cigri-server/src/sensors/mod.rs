//! Sensors: what prints the load of the file server that a cluster's jobs use. Each is read in a task of its own, so
//! that no round waits for one; the rounds see the last reading.
//!
//! A sensor is a URL or a command line. A command runs as this server: it comes from the configuration file alone, never
//! from what admins change at run time ([`problem`]).

mod command;
mod url;

use std::sync::Arc;
use std::time::Duration;

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::meter::{ClusterLimits, FileServerSettings, Reading, sensor};
use cigri_store::StoreError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::clock::now_ms;
use crate::grid::{ClusterHandle, Grid};

/// How long a sensor may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that a sensor may print.
const MOST_BYTES: usize = 64 << 10;

/// What a cluster's sensor task and its rounds share.
#[derive(Debug, Default)]
pub(crate) struct Sensor {
    /// What is to be read.
    wanted: watch::Sender<Option<FileServerSettings>>,
    last: watch::Sender<Option<Reading>>,
}

impl Sensor {
    /// Says what is to be read from now on. A reading of another sensor is forgotten.
    pub(crate) fn want(&self, settings: Option<&FileServerSettings>) {
        let change = |wanted: &mut Option<FileServerSettings>| {
            let is_new = wanted.as_ref() != settings;
            if is_new {
                if wanted.as_ref().map(|old| &old.sensor) != settings.map(|new| &new.sensor) {
                    self.last.send_replace(None);
                }
                *wanted = settings.cloned();
            }
            is_new
        };
        self.wanted.send_if_modified(change);
    }

    /// The last good reading, however old.
    pub(crate) fn last(&self) -> Option<Reading> {
        *self.last.borrow()
    }

    /// A reading from elsewhere.
    #[cfg(test)]
    pub(crate) fn set(&self, reading: Option<Reading>) {
        self.last.send_replace(reading);
    }
}

/// Why a sensor may not be read: a command that is not the one of the configuration. Whoever may change limits at run
/// time may not by that run programs on this machine.
pub(crate) fn problem(sensor: &str, configured: &ClusterLimits) -> Option<String> {
    let is_configured = configured.file_server.as_ref().is_some_and(|server| server.sensor == sensor);
    (!is_url(sensor) && !is_configured).then(|| {
        "a sensor that is a command line comes from the configuration file; at run time only a URL (http:// or https://) \
         can be set"
            .to_owned()
    })
}

fn is_url(sensor: &str) -> bool {
    let sensor = sensor.to_ascii_lowercase();
    sensor.starts_with("http://") || sensor.starts_with("https://")
}

/// Reads a cluster's sensor, whichever it is at the time, until `stop`.
pub(crate) async fn watch(grid: Arc<Grid>, handle: Arc<ClusterHandle>, stop: CancellationToken) {
    let mut wanted = handle.sensor.wanted.subscribe();
    // Whether it is known, and told, that all is well. A trouble may be closed by hand and last.
    let mut told = None;
    loop {
        let settings = wanted.borrow_and_update().clone();
        let seen = tokio::select! {
            seen = look(&handle, settings.as_ref()) => seen,
            () = stop.cancelled() => return,
        };
        if told != Some(true) || seen.is_err() {
            let is_ok = seen.is_ok();
            match tell(&grid, &handle, seen).await {
                Ok(()) => told = Some(is_ok),
                Err(error) => warn!(cluster.name = %handle.row.name, "cannot write about a sensor: {error}"),
            }
        }
        let pause =
            settings.map_or(Duration::from_secs(3600), |settings| Duration::from_secs(settings.period_s.max(1)));
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = wanted.changed() => if changed.is_err() { return },
            () = stop.cancelled() => return,
        }
    }
}

/// Takes one reading; what is wrong, in words. Nothing to read is no trouble.
async fn look(handle: &ClusterHandle, settings: Option<&FileServerSettings>) -> Result<(), String> {
    let Some(settings) = settings else { return Ok(()) };
    if let Some(problem) = problem(&settings.sensor, &handle.row.limits) {
        return Err(problem);
    }
    let value = read(&settings.sensor).await?;
    handle.sensor.last.send_replace(Some(Reading { value, at: now_ms() }));
    Ok(())
}

async fn read(sensor: &str) -> Result<f64, String> {
    let text = if is_url(sensor) { url::get(sensor, PATIENCE).await? } else { command::run(sensor, PATIENCE).await? };
    sensor::parse(&text)
}

/// One event for each trouble, closed when it is over.
async fn tell(grid: &Grid, handle: &ClusterHandle, seen: Result<(), String>) -> Result<(), StoreError> {
    let (scope, now) = (Scope::cluster(&handle.row.name), now_ms());
    crate::blocking(&grid.store, move |store| match seen {
        Ok(()) => store.close_event(Code::SensorFailed, &scope, now).map(|_| ()),
        Err(problem) => {
            let message = format!(
                "the file server's sensor gives no number: {problem}. Until it does, jobs are sent at its `floor` \
                 (setting `file_server`)"
            );
            store.open_unless_open(&[NewEvent::note(scope, Code::SensorFailed, message)], now)
        }
    })
    .await
}

#[cfg(test)]
mod tests;
