//! Prologues, epilogues and samples: how their jobs differ from those of tasks, and when a sample is over.

use cigri_core::command;
use cigri_core::event::Code;
use cigri_core::language::{ClusterSpec, Grouping, JobKind};
use cigri_core::reaction::Reaction;
use cigri_core::sample::{self, Sample};
use cigri_core::state::{Role, Stage};
use cigri_core::turn::{Facts, StepState};
use cigri_store::{CampaignRow, RoundCampaign, RoundView, SubmissionRow, Task};
use oar_client::NewJob;

use super::{Elsewhere, Memory, Round, StepError};

/// What a cluster is asked for: a step has resources and a walltime of its own; steps and samples are no best-effort
/// jobs where the cluster lets users send others, and are not grouped.
pub(super) fn as_sent(spec: &ClusterSpec, role: Role, normal_jobs: bool) -> ClusterSpec {
    let mut sent = spec.clone();
    if role == Role::Tasks {
        return sent;
    }
    sent.kind = if normal_jobs { JobKind::Normal } else { JobKind::BestEffort };
    sent.grouping = Grouping::default();
    let step = match role {
        Role::Prologue => &spec.prologue,
        Role::Epilogue => &spec.epilogue,
        Role::Tasks | Role::Test => return sent,
    };
    (sent.checkpoint, sent.output) = (None, None);
    if let Some(step) = step {
        (sent.walltime_s, sent.resources) = (step.walltime_s, step.resources.clone());
    }
    sent
}

/// The longest that a job of this role takes, seconds.
pub(super) fn walltime_s(spec: &ClusterSpec, role: Role) -> u64 {
    as_sent(spec, role, true).walltime_s
}

/// The working directory of a job of this role.
pub(super) fn directory(campaign_id: u64, spec: &ClusterSpec, role: Role) -> String {
    match role.is_step() {
        true => command::step_directory(campaign_id, spec),
        false => command::remote_directory(campaign_id, spec),
    }
}

/// A step's job: an array of one, that is adopted and followed as those of tasks are.
pub(super) fn job(
    submission: &SubmissionRow,
    spec: &ClusterSpec,
    tasks: &[(Task, String)],
    gate: Option<u64>,
) -> NewJob {
    let step = if submission.role == Role::Epilogue { &spec.epilogue } else { &spec.prologue };
    let script = command::step_script(spec, step.as_ref().map(|step| step.script.as_str()).unwrap_or_default());
    let id = submission.campaign_id as u64;
    NewJob {
        command: command::step_command(id, &submission.cluster, submission.role.as_str(), &script),
        resources: vec![spec.resource_request()],
        types: spec.types(spec.kind == JobKind::BestEffort),
        property: spec.properties.clone(),
        parameters: Some(tasks.iter().map(|(task, _)| task.attempt.to_string()).collect()),
        name: Some(submission.name.clone()),
        project: spec.project.clone(),
        directory: Some(submission.directory.clone()),
        after: gate.into_iter().collect(),
        ..NewJob::default()
    }
}

/// Its jobs in words, as the subject of a sentence.
pub(super) fn count_words(submission: &SubmissionRow) -> String {
    match submission.role.is_step() {
        true => format!("{} is", submission.role),
        false => format!("{} tasks are", submission.job_count),
    }
}

/// What the end of a step's job means: a failure for good, of whatever kind, holds the campaign on that cluster.
pub(super) fn reaction(role: Role, reaction: Reaction) -> Reaction {
    match reaction {
        Reaction::Fail { advice } if role.is_step() => Reaction::Hold { code: Code::PrologueFailed, advice },
        other => other,
    }
}

/// When no task of a campaign is left, other clusters may have an epilogue to run: their loops are told, once.
pub(super) fn ring(round: &Round<'_>, memory: &mut Memory, view: &RoundView) {
    let over = |campaign: &&RoundCampaign| campaign.facts.left == 0;
    let over = view.campaigns.iter().filter(over).map(|campaign| campaign.row.id).collect();
    let is_new = std::collections::BTreeSet::difference(&over, &memory.rung).next().is_some();
    memory.rung = over;
    if is_new {
        round.grid.wake_all();
    }
}

/// Ends the samples of which nothing is left to send or to wait for. True if one was ended.
pub(super) async fn end_samples(round: &Round<'_>, view: &RoundView, elsewhere: &Elsewhere) -> Result<bool, StepError> {
    let mut ended = false;
    for campaign in view.campaigns.iter().filter(|campaign| campaign.row.stage == Stage::Testing) {
        if campaign.row.live == 0 && campaign.row.pending > 0 {
            ended |= end_sample(round, campaign.row.id, elsewhere).await?;
        }
    }
    if ended {
        round.grid.wake_all();
    }
    Ok(ended)
}

async fn end_sample(round: &Round<'_>, id: i64, elsewhere: &Elsewhere) -> Result<bool, StepError> {
    let (facts, holds, tasks, row) = round
        .store(move |store| {
            let row = store.campaign(id)?;
            Ok((store.turn_facts(&row)?, store.holds_against(&row)?, store.sampled(id)?, row))
        })
        .await?;
    let Some(test) = row.spec.test.filter(|_| row.stage == Stage::Testing && row.live == 0) else { return Ok(false) };
    let mut without = Vec::new();
    for (name, facts) in facts.iter().filter(|(_, facts)| is_left(facts)) {
        // Where nothing was tried yet, the sample waits for the hour; what has run elsewhere does not wait for it.
        let hour = || elsewhere.outside_windows(round, name).filter(|_| !tasks.is_empty());
        let shut = elsewhere.shut(name).or_else(hour);
        match obstacle(round, &row, (name, holds.get(name)))?.or(shut) {
            Some(reason) if !matches!(facts.prologue, StepState::Live { .. }) => without.push((name.clone(), reason)),
            _ => return Ok(false),
        }
    }
    let pending = row.open_bag().is_none().then_some(row.pending.max(0) as u64);
    let sample = Sample { campaign: row.id, tasks, without, pending };
    let outcome = sample::outcome(&sample, test.then);
    let (id, now) = (row.id, round.now);
    round.store(move |store| store.end_sample(id, (outcome.goes_on, &outcome.words), now)).await
}

/// Whether some of the sample could still go to a cluster.
fn is_left(facts: &Facts) -> bool {
    facts.pending > 0 && facts.sampling.is_some_and(|sampling| sampling.taken < sampling.wanted)
}

/// Why a cluster takes nothing of this campaign before somebody acts.
fn obstacle(
    round: &Round<'_>,
    row: &CampaignRow,
    (name, hold): (&str, Option<&String>),
) -> Result<Option<String>, StepError> {
    if let Some(hold) = hold {
        return Ok(hold.lines().next().map(str::to_owned));
    }
    let Some(cluster) = round.grid.cluster(name) else { return Ok(Some("no such cluster here".to_owned())) };
    Ok(round.grid.token(&row.owner, &cluster)?.err())
}

#[cfg(test)]
mod tests {
    use cigri_core::language::{Checkpoint, Step};

    use super::*;

    fn spec() -> ClusterSpec {
        let prologue = Step { script: "mkdir x".into(), walltime_s: 60, resources: "/core=2".into() };
        ClusterSpec {
            prologue: Some(prologue),
            checkpoint: Some(Checkpoint { before_s: 10, signal: 12 }),
            grouping: Grouping { side_by_side: 4, ..Grouping::default() },
            ..ClusterSpec::new("./sim", "/home/alice")
        }
    }

    #[test]
    fn a_step_asks_for_its_own_resources_and_walltime() {
        let sent = as_sent(&spec(), Role::Prologue, true);
        assert_eq!(sent.resource_request(), "/core=2,walltime=00:01:00");
        assert_eq!((sent.kind, sent.checkpoint, sent.grouping.is_none()), (JobKind::Normal, None, true));
        assert_eq!(walltime_s(&spec(), Role::Prologue), 60);
        assert_eq!(walltime_s(&spec(), Role::Tasks), 7200);
    }

    #[test]
    fn a_sample_is_sent_like_single_tasks_and_as_normal_jobs_where_these_are_allowed() {
        let sent = as_sent(&spec(), Role::Test, true);
        assert_eq!((sent.kind, sent.grouping.is_none(), sent.walltime_s), (JobKind::Normal, true, 7200));
        assert!(sent.checkpoint.is_some());
        assert_eq!(as_sent(&spec(), Role::Test, false).kind, JobKind::BestEffort);
        assert_eq!(as_sent(&spec(), Role::Tasks, true), spec());
    }
}
