//! The orphan sweep of a cluster: now and then, at a start and while nothing is in doubt.

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::sweep::{self, Listed, Sweep};
use oar_client::JobQuery;
use tracing::info;

use super::{Memory, Round, StepError};

/// Between two sweeps.
const EVERY_MS: i64 = 600_000;
/// Deletions per sweep: OAR schedules nobody while it deletes.
const CHUNK: usize = 100;

/// Sweeps if it is time.
pub(super) async fn sweep_if_due(round: &Round<'_>, memory: &mut Memory) -> Result<(), StepError> {
    if round.now - memory.swept_at < EVERY_MS {
        return Ok(());
    }
    let name = round.name().to_owned();
    for (owner, remote_user) in round.store(move |store| store.submitters(&name)).await? {
        sweep_user(round, &owner, &remote_user).await?;
    }
    memory.swept_at = round.now;
    Ok(())
}

async fn sweep_user(round: &Round<'_>, owner: &str, remote_user: &str) -> Result<(), StepError> {
    let client = &round.handle.client;
    let live = client.list_all(&JobQuery { user: Some(remote_user.to_owned()), ..JobQuery::default() }).await?;
    let listed: Vec<Listed> = live.into_iter().filter_map(|job| Some(Listed { id: job.id, name: job.name? })).collect();
    let ids = sweep::submissions_named(&round.grid.instance, &listed);
    let known = round.store(move |store| store.known_submissions(&ids)).await?;
    let swept = sweep::sweep(&round.grid.instance, &listed, &known, round.now);
    delete(round, owner, &swept).await
}

async fn delete(round: &Round<'_>, owner: &str, swept: &Sweep) -> Result<(), StepError> {
    for id in swept.rows.iter().chain(&swept.gates).take(CHUNK) {
        round.delete_job(owner, *id).await?;
    }
    if !swept.rows.is_empty() {
        info!(cluster.name = %round.name(), rows = swept.rows.len(), "orphans removed");
    }
    if swept.unknown > 0 {
        let message = format!(
            "{} jobs bear this database's name and are not in it: it was restored from an older copy. They are removed",
            swept.unknown
        );
        let (event, now) = (NewEvent::note(Scope::cluster(round.name()), Code::OrphansRemoved, message), round.now);
        round.store(move |store| store.open_events(&[event], now)).await?;
    }
    Ok(())
}
