//! Remote jobs that go neither on nor back: told, taken back so that their tasks go elsewhere, or given up.
//! `cigri_core::stuck` says when. What is taken back is deleted like anything else that somebody wants back.

use std::collections::{BTreeMap, HashMap, HashSet};

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::{JobState, SubmissionState, Wish};
use cigri_core::stuck::{Remedy, Stand, Ticks, Watch, remedy};
use cigri_store::{JobEnd, LiveJob, SubmissionRow};
use oar_client::{JobSummary, State};

use super::{Elsewhere, Memory, Round, StepError, absent, ends, withdraw};

/// What a loop knows of jobs that may be stuck.
#[derive(Default)]
pub(super) struct Stuck {
    ticks: Ticks,
    /// By submission.
    watches: HashMap<i64, Watch>,
    /// Jobs that were taken back, and whether for running on after their walltime.
    taken_back: HashMap<i64, Stand>,
    /// Deletions that this round may still ask for.
    left: usize,
}

impl Stuck {
    /// A round begins at `now`, epoch milliseconds.
    pub(super) fn begin(&mut self, now: i64) {
        self.ticks.tick(now);
        self.left = withdraw::CHUNK as usize;
    }

    /// Forgets submissions that are over.
    pub(super) fn retain(&mut self, is_there: impl Fn(&i64) -> bool) {
        self.watches.retain(|id, _| is_there(id));
        if self.watches.is_empty() {
            self.taken_back.clear();
        }
    }
}

/// A job with what is to be done about it.
struct Found<'a> {
    job: &'a LiveJob,
    stand: Stand,
    for_s: u64,
    remedy: Remedy,
}

/// Looks at the live jobs of a submission as its cluster lists them. Returns those that are given up.
pub(super) async fn look(
    round: &Round<'_>,
    memory: &mut Memory,
    seen: &SubmissionRow,
    (live, listed): (&[LiveJob], &[JobSummary]),
) -> Result<Vec<JobEnd>, StepError> {
    if round.is_local() {
        return Ok(Vec::new());
    }
    let rows: HashMap<u64, &State> = listed.iter().map(|row| (row.id, &row.state)).collect();
    let row = |job: &LiveJob| rows.get(&(job.remote_id? as u64)).copied();
    let stands: Vec<(i64, Stand)> = live.iter().filter_map(|job| Some((job.id, stand(seen, row(job)?)?))).collect();
    let ticks = memory.stuck.ticks;
    let stood = memory.stuck.watches.entry(seen.id).or_default().see(&stands, ticks);
    // Most looks end here: the walltime is read only where something is older than the shortest limit.
    let limits = &round.limits.stuck;
    if !stood.iter().any(|(_, stand, for_s)| remedy(*stand, *for_s, 0, limits).is_some()) {
        return Ok(Vec::new());
    }
    let walltime_s = absent::walltime_s(round, seen).await?;
    let by_id: HashMap<i64, &LiveJob> = live.iter().map(|job| (job.id, job)).collect();
    let found = stood.into_iter().filter_map(|(id, stand, for_s)| {
        let remedy = remedy(stand, for_s, walltime_s, limits)?;
        Some(Found { job: by_id.get(&id)?, stand, for_s, remedy })
    });
    act(round, memory, seen, found.collect()).await
}

/// Where a job is stuck, if it stays there. Until its gate is open, a job waits for us.
fn stand(seen: &SubmissionRow, state: &State) -> Option<Stand> {
    match state {
        State::Waiting if seen.state == SubmissionState::Open => Some(Stand::Waiting),
        State::Hold if seen.state == SubmissionState::Open => Some(Stand::Held),
        State::ToLaunch | State::Launching => Some(Stand::Launching),
        State::Running => Some(Stand::Running),
        State::Finishing => Some(Stand::Finishing),
        _ => None,
    }
}

async fn act(
    round: &Round<'_>,
    memory: &mut Memory,
    seen: &SubmissionRow,
    mut found: Vec<Found<'_>>,
) -> Result<Vec<JobEnd>, StepError> {
    if found.iter().any(|one| one.remedy == Remedy::Move) && !can_move(round, seen).await? {
        found.retain(|one| one.remedy != Remedy::Move);
    }
    let deletes = |one: &&Found<'_>| matches!(one.remedy, Remedy::Move | Remedy::TakeBack) && one.job.wish.is_none();
    let ids: Vec<i64> = found.iter().filter(deletes).map(|one| one.job.id).take(memory.stuck.left).collect();
    memory.stuck.left -= ids.len();
    let wished: HashSet<i64> = match ids.is_empty() {
        true => HashSet::new(),
        false => round.store(move |store| store.wish_jobs(&ids, Wish::Again)).await?.into_iter().collect(),
    };
    if !wished.is_empty() {
        // At once: what waits now may run in a moment.
        memory.kills.remove(&seen.id);
    }
    for one in found.iter().filter(|one| wished.contains(&one.job.id)) {
        memory.stuck.taken_back.insert(one.job.id, one.stand);
    }
    tell(round, seen, &found, &wished).await?;
    let given_up = found.iter().filter(|one| one.remedy == Remedy::GiveUp);
    Ok(given_up.map(|one| absent::lost(one.job, (seen.level, round.now))).collect())
}

/// Whether another of its campaign's clusters takes jobs now.
async fn can_move(round: &Round<'_>, seen: &SubmissionRow) -> Result<bool, StepError> {
    let id = seen.campaign_id;
    let (campaign, clusters, tokens) =
        round.store(move |store| Ok((store.campaign(id)?, store.list_clusters()?, store.all_tokens()?))).await?;
    let elsewhere = Elsewhere::new(clusters);
    for name in campaign.spec.clusters.keys().filter(|name| *name != round.name()) {
        if elsewhere.is_open(round, (id, &seen.owner), name, &tokens)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One event for each kind of trouble, with how many jobs are in it.
async fn tell(
    round: &Round<'_>,
    seen: &SubmissionRow,
    found: &[Found<'_>],
    wished: &HashSet<i64>,
) -> Result<(), StepError> {
    let mut told: BTreeMap<(&'static str, String), (Code, Vec<&Found<'_>>)> = BTreeMap::new();
    for one in found {
        if let Some((code, words)) = words(one, wished.contains(&one.job.id)) {
            told.entry((code.as_str(), words)).or_insert_with(|| (code, Vec::new())).1.push(one);
        }
    }
    let scope = Scope::campaign_on(seen.campaign_id, round.name());
    let event = |((_, words), (code, some)): ((&str, String), (Code, Vec<&Found<'_>>))| {
        let first = some.first().and_then(|one| one.job.remote_id).unwrap_or_default();
        let longest = some.iter().map(|one| one.for_s).max().unwrap_or_default();
        let message = format!(
            "{} on {} {words} (for {} min; the first is its job {first})",
            if some.len() == 1 { "1 job".to_owned() } else { format!("{} jobs", some.len()) },
            round.name(),
            longest / 60,
        );
        NewEvent { times: some.len() as i64, ..NewEvent::note(scope.clone(), code, message) }
    };
    let events: Vec<NewEvent> = told.into_iter().map(event).collect();
    let now = round.now;
    if events.is_empty() {
        return Ok(());
    }
    round.store(move |store| store.open_events(&events, now)).await
}

/// What is told of a job; nothing more of one that is being taken back, unless it does not die.
fn words(one: &Found<'_>, is_taken_back: bool) -> Option<(Code, String)> {
    let told = |code, words: &str| Some((code, words.to_owned()));
    match (one.stand, one.remedy) {
        (Stand::Waiting, _) if is_taken_back => {
            told(Code::WaitsTooLong, "waited too long and is taken back: another cluster may start it sooner")
        }
        (Stand::Running, _) if is_taken_back => {
            told(Code::OverWalltime, "runs on after its walltime: it is deleted and its task sent again")
        }
        (Stand::Running, _) if one.job.wish.is_some() => told(
            Code::OverWalltime,
            "runs on after its walltime and does not die: the cluster's administrators can help",
        ),
        (Stand::Launching, _) if is_taken_back => {
            told(Code::StuckJobs, "is being launched and does not start: it is deleted and its task sent elsewhere")
        }
        (Stand::Held, Remedy::Tell) => told(Code::StuckJobs, "is held by somebody there (`oarresume` lets it go)"),
        (Stand::Held, _) if is_taken_back => {
            told(Code::StuckJobs, "was held by somebody there for too long: it is deleted and its task sent elsewhere")
        }
        (Stand::Finishing, Remedy::Tell) => told(Code::StuckJobs, "does not finish: how it ended is not known yet"),
        (Stand::Finishing, Remedy::GiveUp) => {
            told(Code::StuckJobs, "did not finish and is given up as lost: its task is sent again")
        }
        _ => None,
    }
}

/// The tasks of what was taken back here should go elsewhere, where they can. What ran on is the cluster's failure.
pub(super) fn send_elsewhere(round: &Round<'_>, memory: &mut Memory, ended: &mut [JobEnd]) {
    if memory.stuck.taken_back.is_empty() {
        return;
    }
    for end in ended {
        let Some(stand) = memory.stuck.taken_back.remove(&end.job.id) else { continue };
        let Some(back) = end.back.as_mut().filter(|_| end.state == JobState::Killed) else { continue };
        back.avoid_cluster = Some(round.name().to_owned());
        if stand != Stand::Waiting && end.cause != ends::WITHDRAWN {
            // Counts for its retries, and for the cluster's breaker.
            "infrastructure".clone_into(&mut end.cause);
            if let Some(failure) = &mut end.failure {
                failure.class = cigri_core::failure::Class::Node;
            }
        }
    }
}
