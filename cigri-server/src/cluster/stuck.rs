//! Remote jobs that go neither on nor back: told, taken back so that their tasks go elsewhere, or given up.
//! `cigri_core::stuck` says when. What is taken back is deleted like anything else that somebody wants back.

use std::collections::{BTreeMap, HashMap, HashSet};

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::state::{JobState, Role, SubmissionState, Wish};
use cigri_core::stuck::{Remedy, Stand, Ticks, Watch, remedy};
use cigri_store::{JobEnd, LiveJob, SubmissionRow};
use oar_client::{JobSummary, State};

use super::{Elsewhere, Memory, Round, StepError, absent, withdraw};

/// What a loop knows of jobs that may be stuck.
#[derive(Default)]
pub(super) struct Stuck {
    ticks: Ticks,
    /// By submission.
    watches: HashMap<i64, Watch>,
    /// Jobs that were taken back, where they stood, and for how many seconds.
    taken_back: HashMap<i64, (Stand, u64)>,
    /// What was told of jobs, by submission and job: each thing once.
    told: HashMap<i64, HashMap<i64, Words>>,
    /// Deletions that this round may still ask for.
    left: usize,
}

impl Stuck {
    /// A round begins.
    pub(super) fn begin(&mut self) {
        self.left = withdraw::CHUNK as usize;
    }

    /// A round has seen its cluster at `now`, epoch milliseconds. While nobody sees it, no job gets stuck.
    pub(super) fn saw(&mut self, now: i64) {
        self.ticks.tick(now);
    }

    /// What the cluster did wrong with a job that was taken back; `None`: nothing, or it was not.
    pub(super) fn fault(&self, job: i64) -> Option<&'static str> {
        match self.taken_back.get(&job)?.0 {
            Stand::Running => Some("it ran on after its walltime and was deleted"),
            Stand::Launching => Some("it was launched, did not start, and was deleted"),
            _ => None,
        }
    }

    /// Whether what was taken back does not die.
    fn is_stubborn(&self, one: &Found<'_>) -> bool {
        let since_s = self.taken_back.get(&one.job.id).map_or(0, |(_, since_s)| *since_s);
        one.job.wish.is_some() && one.for_s >= since_s.saturating_add(DIES_WITHIN_S)
    }

    /// Notes what is told of jobs now; returns those of which it is news.
    fn news<'a>(&mut self, submission: i64, words: Vec<(&'a Found<'a>, Words)>) -> Vec<(&'a Found<'a>, Words)> {
        let now = words.iter().map(|(one, words)| (one.job.id, *words)).collect();
        let before = self.told.insert(submission, now).unwrap_or_default();
        words.into_iter().filter(|(one, words)| before.get(&one.job.id) != Some(words)).collect()
    }

    /// Forgets submissions that are over.
    pub(super) fn retain(&mut self, is_there: impl Fn(&i64) -> bool) {
        self.watches.retain(|id, _| is_there(id));
        self.told.retain(|id, _| is_there(id));
        if self.watches.is_empty() {
            self.taken_back.clear();
        }
    }
}

/// What is told of a job, and under which code.
type Words = (Code, &'static str);

/// A deletion takes no longer than this, seconds, where jobs die.
const DIES_WITHIN_S: u64 = 600;

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
        memory.stuck.taken_back.insert(one.job.id, (one.stand, one.for_s));
    }
    tell(round, memory, seen, (&found, &wished)).await?;
    let given_up = found.iter().filter(|one| one.remedy == Remedy::GiveUp);
    memory.stuck.taken_back.retain(|id, _| !given_up.clone().any(|one| one.job.id == *id));
    Ok(given_up.map(|one| absent::lost(one.job, (seen.level, round.now))).collect())
}

/// Whether another of its campaign's clusters takes its tasks now. Steps are for the cluster where they are.
async fn can_move(round: &Round<'_>, seen: &SubmissionRow) -> Result<bool, StepError> {
    if seen.role != Role::Tasks {
        return Ok(false);
    }
    let id = seen.campaign_id;
    let (campaign, holds, clusters, tokens) = round
        .store(move |store| {
            let campaign = store.campaign(id)?;
            let holds = store.holds_against(&campaign)?;
            Ok((campaign, holds, store.list_clusters()?, store.all_tokens()?))
        })
        .await?;
    let elsewhere = Elsewhere::new(clusters);
    let is_other = |name: &&String| *name != round.name() && !holds.contains_key(*name);
    for name in campaign.spec.clusters.keys().filter(is_other) {
        if elsewhere.is_open(round, (id, &seen.owner), name, &tokens)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// One event for each kind of trouble, with how many jobs came into it.
async fn tell(
    round: &Round<'_>,
    memory: &mut Memory,
    seen: &SubmissionRow,
    (found, wished): (&[Found<'_>], &HashSet<i64>),
) -> Result<(), StepError> {
    let said = |one| Some((one, words(&memory.stuck, one, wished)?));
    let said = found.iter().filter_map(said).collect();
    let mut told: BTreeMap<(&'static str, &'static str), (Code, Vec<&Found<'_>>)> = BTreeMap::new();
    for (one, (code, words)) in memory.stuck.news(seen.id, said) {
        told.entry((code.as_str(), words)).or_insert_with(|| (code, Vec::new())).1.push(one);
    }
    let scope = Scope::campaign_on(seen.campaign_id, round.name());
    let event = |((_, words), (code, some)): ((&str, &str), (Code, Vec<&Found<'_>>))| {
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
fn words(stuck: &Stuck, one: &Found<'_>, wished: &HashSet<i64>) -> Option<Words> {
    let is_taken_back = wished.contains(&one.job.id) || stuck.taken_back.contains_key(&one.job.id);
    let told = |code, words| Some((code, words));
    match (one.stand, one.remedy) {
        (Stand::Running, Remedy::GiveUp) => {
            told(Code::OverWalltime, "runs on after its walltime, does not die, and is given up as lost")
        }
        (Stand::Launching, Remedy::GiveUp) => {
            told(Code::StuckJobs, "is being launched, does not die, and is given up as lost")
        }
        (Stand::Running, _) if stuck.is_stubborn(one) => told(
            Code::OverWalltime,
            "runs on after its walltime and does not die: the cluster's administrators can help",
        ),
        (Stand::Waiting, _) if is_taken_back => {
            told(Code::WaitsTooLong, "waited too long and is taken back: another cluster may start it sooner")
        }
        (Stand::Running, _) if is_taken_back => {
            told(Code::OverWalltime, "runs on after its walltime: it is deleted and its task sent again")
        }
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

/// The tasks of what was taken back here should go elsewhere, where they can.
pub(super) fn send_elsewhere(round: &Round<'_>, memory: &mut Memory, ended: &mut [JobEnd]) {
    if memory.stuck.taken_back.is_empty() {
        return;
    }
    for end in ended {
        let is_taken_back = memory.stuck.taken_back.remove(&end.job.id).is_some();
        if let Some(back) = end.back.as_mut().filter(|_| is_taken_back && end.state == JobState::Killed) {
            back.avoid_cluster = Some(round.name().to_owned());
        }
    }
}
