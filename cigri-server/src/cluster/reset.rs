//! Recognising a cluster: when its database was reset or restored, ids are given out twice, and nothing that it shows
//! under ours may be believed. Then it is on hold until an admin has looked.

use cigri_core::canary::{self, Canary, Evidence, Sighting};
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_store::{EventRow, RoundView};
use oar_client::{Error as ApiError, JobQuery};

use super::{Memory, Round, StepError};

/// How many ended jobs are looked at.
const CANARIES: i64 = 3;
/// Between two looks at them; they are looked at after every failure as well.
const EVERY_MS: i64 = 600_000;

/// Whether the cluster is on hold for this.
pub(super) fn is_held(view: &RoundView) -> bool {
    let is_reset = |hold: &EventRow| hold.code == Code::ClusterReset.as_str() && hold.campaign_id.is_none();
    view.holds.iter().any(is_reset)
}

/// Stops everything on the cluster.
pub(super) async fn hold(round: &Round<'_>, evidence: &str) -> Result<(), StepError> {
    let name = round.name();
    let message = format!(
        "the database of {name} is not the one we knew: {evidence}. Nothing there is believed, nothing is sent. Find \
         out whether our jobs there still exist, then `cigri admin accept-reset {name} --jobs lost` (they are sent \
         again) or `--jobs kept`"
    );
    round.tell(NewEvent::hold(Scope::cluster(name), Code::ClusterReset, message)).await
}

/// Looks at the canaries if it is time. False: the cluster is not the one we knew, and now on hold.
pub(super) async fn recognise(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<bool, StepError> {
    let is_idle = view.submissions.is_empty() && view.campaigns.is_empty();
    if round.is_local() || is_idle || !memory.failing && round.now - memory.recognised_at < EVERY_MS {
        return Ok(true);
    }
    let name = round.name().to_owned();
    let canaries = round.store(move |store| store.canaries(&name, CANARIES)).await?;
    let seen = sightings(round, canaries).await?;
    let ids =
        if seen.iter().any(|(_, sighting)| *sighting == Sighting::Missing) { ids(round).await? } else { (None, 0) };
    memory.recognised_at = round.now;
    match canary::reset_evidence(&seen, ids) {
        None => {
            memory.suspected = false;
            Ok(true)
        }
        Some(Evidence::Gone(words)) if !memory.suspected => {
            // Failures may look like this: it is looked at once more before anything else is done there.
            (memory.suspected, memory.recognised_at) = (true, 0);
            Err(ApiError::Garbled { what: "our last jobs".to_owned(), excerpt: words }.into())
        }
        Some(Evidence::Another(words) | Evidence::Gone(words)) => hold(round, &words).await.map(|()| false),
    }
}

/// The highest id listed there now, and the highest that it ever gave us.
async fn ids(round: &Round<'_>) -> Result<(Option<u64>, u64), StepError> {
    let live = round.handle.client.list_all(&JobQuery::default()).await?;
    let name = round.name().to_owned();
    let highest = round.store(move |store| store.watermark(&name)).await?;
    Ok((live.last().map(|job| job.id), highest as u64))
}

async fn sightings(round: &Round<'_>, canaries: Vec<Canary>) -> Result<Vec<(Canary, Sighting)>, StepError> {
    if canaries.is_empty() {
        return Ok(Vec::new());
    }
    let ids = canaries.iter().map(|canary| canary.remote_id).collect();
    let listed = round.handle.client.list_all(&JobQuery { ids, ..JobQuery::default() }).await?;
    let mut seen = Vec::new();
    for canary in canaries {
        let row = listed.iter().find(|row| row.id == canary.remote_id);
        let sighting = match row {
            Some(row) => compare(&canary, row.name.as_deref(), row.user.as_deref()),
            None => ask(round, &canary).await?,
        };
        seen.push((canary, sighting));
    }
    if seen.iter().any(|(_, sighting)| *sighting == Sighting::Missing) {
        // A 500 is a denial only between two healthy answers.
        round.handle.client.probe().await?;
    }
    Ok(seen)
}

async fn ask(round: &Round<'_>, canary: &Canary) -> Result<Sighting, StepError> {
    match round.handle.client.job_direct(canary.remote_id).await {
        Ok(job) => Ok(compare(canary, job.name.as_deref(), job.user.as_deref())),
        Err(ApiError::Server { .. }) => Ok(Sighting::Missing),
        Err(error) => Err(error.into()),
    }
}

fn compare(canary: &Canary, name: Option<&str>, user: Option<&str>) -> Sighting {
    if name == Some(&canary.name) && user.is_none_or(|user| user == canary.user) {
        Sighting::Same
    } else {
        Sighting::Another(name.unwrap_or_default().to_owned(), user.unwrap_or_default().to_owned())
    }
}
