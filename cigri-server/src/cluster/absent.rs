//! Jobs that their cluster does not show: unknown, told, and given up only when nothing of them can be left.

use cigri_core::absence;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::failure::{Class, Failure};
use cigri_core::group;
use cigri_core::state::{JobState, Wish};
use cigri_store::{JobEnd, LiveJob, Return, Store, SubmissionRow};

use super::{Round, StepError, steps};

/// What became of the missing jobs of a submission.
#[derive(Default)]
pub(super) struct Missing {
    /// Denied for the first time.
    pub(super) new: Vec<i64>,
    /// Given up: their tasks come back.
    pub(super) lost: Vec<JobEnd>,
    /// Each of them is denied by the cluster: nothing more is learnt by looking at once.
    pub(super) is_settled: bool,
}

/// Weighs what is missing. `denied` are those that the cluster said it does not know, between two healthy answers.
pub(super) async fn weigh(
    round: &Round<'_>,
    seen: &SubmissionRow,
    vanished: &[&LiveJob],
    denied: &[i64],
) -> Result<Missing, StepError> {
    let mut missing = Missing { is_settled: true, ..Missing::default() };
    if vanished.is_empty() {
        return Ok(missing);
    }
    let walltime_s = walltime_s(round, seen).await?;
    for job in vanished {
        let is_denied = denied.contains(&job.id);
        match job.missing_since {
            // The local cluster's journal is the only other witness: what it does not know does not run.
            _ if round.is_local() && is_denied => missing.lost.push(lost(job, (seen.level, round.now))),
            Some(since) if is_denied && absence::is_lost_for_good(since, walltime_s, round.now) => {
                missing.lost.push(lost(job, (seen.level, round.now)));
            }
            None if is_denied => missing.new.push(job.id),
            since => missing.is_settled &= since.is_some(),
        }
    }
    if !round.is_local() {
        report(round, seen, vanished, &missing).await?;
    }
    Ok(missing)
}

pub(super) async fn walltime_s(round: &Round<'_>, seen: &SubmissionRow) -> Result<u64, StepError> {
    let (campaign_id, id) = (seen.campaign_id, seen.id);
    let read = move |store: &Store| Ok((store.campaign(campaign_id)?, store.asked_of(id)?));
    let (campaign, ask) = round.store(read).await?;
    let spec = campaign.spec.clusters.get(round.name());
    let spec = spec.filter(|_| !seen.role.is_step()).map(|spec| ask.apply(spec, None)).or(spec.cloned());
    let spec = spec.map(|spec| spec.at_level(seen.level, None));
    Ok(spec.map_or(0, |spec| match seen.results {
        None => steps::walltime_s(&spec, seen.role),
        Some(_) => group::remote_spec(&spec, group::MOST_TASKS).walltime_s,
    }))
}

/// The end of a job of which nothing is left.
pub(super) fn lost(job: &LiveJob, (level, now): (u32, i64)) -> JobEnd {
    let is_unwanted = job.wish == Some(Wish::Cancel);
    JobEnd {
        job: job.clone(),
        state: if is_unwanted { JobState::Cancelled } else { JobState::Killed },
        exit_code: None,
        cause: "lost".to_owned(),
        detail: Some("the cluster lost it".to_owned()),
        started_at: None,
        stopped_at: Some(now),
        killed: true,
        back: (!is_unwanted).then_some(Return { level, ..Return::default() }),
        // Nobody asks what became of what nobody wants.
        failure: (!is_unwanted).then_some(Failure { class: Class::Lost, node: None, signature: None }),
    }
}

async fn report(
    round: &Round<'_>,
    seen: &SubmissionRow,
    vanished: &[&LiveJob],
    missing: &Missing,
) -> Result<(), StepError> {
    let (Some(first), scope) = (vanished.first(), Scope::campaign_on(seen.campaign_id, round.name())) else {
        return Ok(());
    };
    let mut events = Vec::new();
    if !missing.lost.is_empty() {
        let tasks: Vec<i64> = missing.lost.iter().map(|end| end.job.task_index).collect();
        let what =
            if seen.role.is_step() { format!("the {}", seen.role) } else { format!("the jobs of tasks {tasks:?}") };
        let message = format!("{} lost {what} for good: sent again", round.name());
        events.push(NewEvent::note(scope.clone(), Code::JobLost, message));
    }
    if missing.lost.len() < vanished.len() {
        let message = format!(
            "{} jobs are missing on {} (first: job {}{}). They are neither counted as done nor sent again \
             before their walltime has surely passed",
            vanished.len() - missing.lost.len(),
            round.name(),
            first.id,
            if seen.role.is_step() { format!(", its {}", seen.role) } else { format!(", task {}", first.task_index) }
        );
        events.push(NewEvent::note(scope, Code::JobVanished, message));
    }
    let now = round.now;
    round.store(move |store| store.open_events(&events, now)).await
}

/// Nothing is missing any more.
pub(super) async fn forget(round: &Round<'_>, seen: &SubmissionRow) -> Result<(), StepError> {
    let (scope, now) = (Scope::campaign_on(seen.campaign_id, round.name()), round.now);
    round.store(move |store| store.close_event(Code::JobVanished, &scope, now)).await?;
    Ok(())
}
