//! The server as a service: clusters and admins from the configuration, users on a Unix socket. Alone on a SQLite file,
//! or as one of several on a PostgreSQL database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use cigri_store::{ClusterKind, ClusterRow, Lease, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::info;

use crate::admission::Admission;
use crate::api;
use crate::clock::now_ms;
use crate::cluster::supervise;
use crate::data_dir::{self, DataDir};
use crate::grid::{Grid, GridError, http_transport};
use crate::leadership::{self, Door, Guarded, Keeper, Leadership};
use crate::secret::{self, Sealer};
use crate::settings::{ClusterSettings, Settings};

pub use crate::data_dir::StartError;

/// How long giving the lead back may take when the server stops.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// Runs until `stop`, then ends every loop after its present step and every request.
pub async fn run(settings: Settings, stop: CancellationToken) -> Result<(), StartError> {
    let folder = DataDir::take(&settings.data_dir)?;
    if settings.database.0.is_empty() { alone(&settings, &folder, stop).await } else { shared(&settings, stop).await }
}

/// Looks at what the settings name without using it.
///
/// # Errors
/// The problems of the rules file.
pub fn check(settings: &Settings) -> Result<(), StartError> {
    admission(settings).map(|_| ())
}

/// The grid with what an administrator says of campaigns, nights and groups.
fn configured(grid: Grid, settings: &Settings) -> Result<Grid, StartError> {
    let grid = grid.with_admission(admission(settings)?).with_calendars(settings.calendars()?);
    let grid = grid.with_notifications(settings.notifications.clone());
    Ok(grid.with_groups(settings.groups.clone(), settings.retention()))
}

fn admission(settings: &Settings) -> Result<Admission, StartError> {
    let limit = |(name, cluster): (&String, &ClusterSettings)| Some((name.clone(), cluster.best_effort_walltime_s()?));
    let limits = settings.clusters.iter().filter_map(limit).collect();
    Ok(Admission::open(&settings.rules_file).map_err(StartError::Rules)?.with_walltimes(limits))
}

async fn alone(settings: &Settings, folder: &DataDir, stop: CancellationToken) -> Result<(), StartError> {
    let sealer = sealer(settings)?;
    let grid = Arc::new(configured(Grid::new(folder.store()?, sealer, settings.admins.clone(), None)?, settings)?);
    clusters(settings).into_iter().try_for_each(|row| grid.add_cluster(row))?;
    let names: Vec<String> = settings.clusters.keys().cloned().collect();
    grid.store.close_of_other_clusters(&names, now_ms()).map_err(GridError::Store)?;
    let server = serve(settings, &grid, &Arc::new(Leadership::alone()))?;
    info!(socket = %settings.socket.display(), clusters = settings.clusters.len(), "ready");
    supervise::run_all(grid, stop).await;
    server.end().await;
    std::fs::remove_file(&settings.socket).ok();
    Ok(())
}

async fn shared(settings: &Settings, stop: CancellationToken) -> Result<(), StartError> {
    let sealer = sealer(settings)?;
    let (store, lease) = open_shared(settings, &sealer)?;
    let grid = Arc::new(configured(Grid::new(store, sealer, settings.admins.clone(), None)?, settings)?);
    let leadership = Arc::new(Leadership::shared());
    let rows = clusters(settings);
    for row in &rows {
        let transport = Guarded::new(http_transport(row)?, Arc::clone(&leadership));
        grid.hold_cluster(row.clone(), Arc::new(transport))?;
    }
    let door = Door::open(&settings.standby)?;
    let lasts = Duration::from_secs(settings.standby.lease_s);
    let keeper = Keeper::new(lease, (&leadership, &grid), lasts, door.as_ref());
    let server = serve(settings, &grid, &leadership)?;
    let passed = door.map(|door| {
        let address = door.address.clone();
        let failed = |error| StartError::Standby(format!("{address}: {error}"));
        api::serve_passed(Arc::clone(&grid), Arc::clone(&leadership), door).map(Running::start).map_err(failed)
    });
    let passed = passed.transpose()?;
    info!(socket = %settings.socket.display(), clusters = rows.len(), "ready");
    let kept = leadership::keep(keeper);
    leadership::lead(grid, leadership, rows, stop).await;
    if let Some(passed) = passed {
        passed.end().await;
    }
    server.end().await;
    kept.end(GIVING_BACK).await;
    std::fs::remove_file(&settings.socket).ok();
    Ok(())
}

fn open_shared(settings: &Settings, sealer: &Sealer) -> Result<(Store, Lease), StartError> {
    let name = format!("{:016x}", secret::nonce().map_err(GridError::Secret)?);
    let (store, lease) = Store::open_shared(&settings.database.0, &name).map_err(StartError::Shared)?;
    let check = store.key_check(&sealer.key_check().map_err(GridError::Secret)?).map_err(StartError::Shared)?;
    if sealer.passes(&check) { Ok((store, lease)) } else { Err(StartError::WrongKey(settings.key_path())) }
}

fn sealer(settings: &Settings) -> Result<Sealer, StartError> {
    Ok(Sealer::open(&settings.key_path()).map_err(GridError::Secret)?)
}

fn clusters(settings: &Settings) -> Vec<ClusterRow> {
    let row = |(name, cluster): (&String, &ClusterSettings)| {
        let (name, url, limits) = (name.clone(), cluster.url.clone(), cluster.limits.clone());
        ClusterRow { name, kind: ClusterKind::Oar3, url, limits, last_round_at: None }
    };
    settings.clusters.iter().map(row).collect()
}

/// Listens for this machine's users. Every local user may connect: the kernel says who calls.
fn serve(settings: &Settings, grid: &Arc<Grid>, leadership: &Arc<Leadership>) -> Result<Running, StartError> {
    let socket: &Path = &settings.socket;
    let listener = data_dir::listen(socket, 0o666)?;
    let server = api::serve(Arc::clone(grid), Arc::clone(leadership), listener).map_err(data_dir::io(socket))?;
    Ok(Running::start(server))
}

/// A server of requests at work.
struct Running {
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

impl Running {
    fn start(server: Server) -> Running {
        Running { handle: server.handle(), task: tokio::spawn(server) }
    }

    /// Finishes the requests at hand.
    async fn end(self) {
        self.handle.stop(true).await;
        self.task.await.ok();
    }
}
