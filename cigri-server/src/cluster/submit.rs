//! Sending one submission: intent, gate, array, adoption, and only then the gate's opening.

use cigri_core::absence::Gates;
use cigri_core::canary;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::language::ClusterSpec;
use cigri_core::ledger;
use cigri_core::state::{Role, SubmissionState};
use cigri_core::task_ids::TaskIds;
use cigri_store::{Asked, Intent, NewGroup, NewSubmission, Raised, RoundCampaign, SubmissionRow, Task};
use oar_client::{Error as ApiError, NewJob, Token, Urgency};

use super::{
    Memory, Round, StepError, account, adopt, gates, groups, metering, nights, nodes, raise, reset, settle, steps,
    sweep,
};
use crate::secret;

/// Sends up to `allowed` tasks of a level of the campaign, or one of its steps; a refusal becomes a hold. Returns how
/// many jobs were written down.
pub(super) async fn submit(
    round: &Round<'_>,
    memory: &mut Memory,
    campaign: &RoundCampaign,
    (role, allowed, level): (Role, u64, u32),
) -> Result<u64, StepError> {
    let Some(wish) = &as_asked(round, campaign, (role, level)) else { return Ok(0) };
    let spec = &nodes::avoiding(round, memory, wish.spec.clone());
    let Ok((token, login)) = round.grid.token(&campaign.row.owner, round.handle)? else { return Ok(0) };
    if let Some(event) = property_problem(round, campaign, spec).await? {
        return round.tell(event).await.map(|()| 0);
    }
    if !account::is_there(round, memory, (&campaign.row.owner, &login), &token).await? {
        return Ok(0);
    }
    let gates = gates::state(round, memory).await?;
    if gates == Gates::Fail && late_rows(round, campaign, &login).await? {
        return Ok(0);
    }
    let group = match groups::choose(round, campaign, spec, allowed) {
        Ok(group) => group,
        Err(event) => return round.tell(*event).await.map(|()| 0),
    };
    let limit = group.map_or(allowed as i64, |group| groups::limit(&group));
    let wanted = Wanted { role, limit, group, wish };
    let Some(((submission, tasks), ids)) = intend(round, (campaign, spec), login, wanted).await? else {
        return Ok(0);
    };
    let jobs = submission.remote_count.max(0) as u64;
    post(round, memory, (campaign, spec), (submission, tasks, ids), (&token, gates)).await.map(|()| jobs)
}

/// Posts what was written down, adopts it and opens its gate.
async fn post(
    round: &Round<'_>,
    memory: &mut Memory,
    (campaign, one): (&RoundCampaign, &ClusterSpec),
    (submission, tasks, ids): (SubmissionRow, Vec<(Task, String)>, TaskIds),
    (token, gates): (&Token, Gates),
) -> Result<(), StepError> {
    let role = submission.role;
    let spec = &groups::request(one, &submission, &tasks);
    let best_effort = nights::is_best_effort(round, spec, submission.created_at);
    let client = &round.handle.client;
    let gate = match gates {
        Gates::Fail => None,
        _ => match client.submit(token, &gate(&submission, spec, best_effort)).await {
            Ok(id) => Some(id),
            Err(error) => return gate_unsent(round, &submission, error).await,
        },
    };
    if let Some(evidence) = reset_shown(round, gate).await? {
        adopt::abandon(round, &submission, &evidence).await?;
        return reset::hold(round, &evidence).await;
    }
    let array = match role.is_step() {
        true => steps::job(&submission, spec, &tasks, gate),
        false => {
            let command = groups::command(round, &submission, (campaign, spec, one), &ids).await?;
            array(&submission, spec, (command, groups::lines(&submission, &ids, &tasks)?), best_effort, gate)
        }
    };
    let sent = crate::clock::monotonic();
    let answer = client.submit(token, &array).await;
    memory.slowest_post_ms = memory.slowest_post_ms.max(sent.elapsed().as_millis() as i64);
    metering::posted(round, memory, campaign, &submission, &answer);
    match answer {
        Ok(array_id) => {
            if adopt::adopt(round, &submission, (gate, array_id), (gates, true)).await? {
                let id = submission.id;
                let adopted = round.store(move |store| store.submission(id)).await?;
                settle::open_gate(round, &adopted).await?;
            }
            Ok(())
        }
        Err(error) => array_unsent(round, &submission, (token, gate), error).await,
    }
}

/// What the next job or tasks ask for.
struct Wish {
    spec: ClusterSpec,
    /// What of it a user asked for in place of what the campaign's file says; never for steps.
    asked: Option<Asked>,
    raised: Raised,
}

fn as_asked(round: &Round<'_>, campaign: &RoundCampaign, (role, level): (Role, u32)) -> Option<Wish> {
    let own = campaign.row.spec.clusters.get(round.name())?;
    let raised = raise::raised(round, own.kind, level);
    if role.is_step() {
        return Some(Wish { spec: steps::as_sent(own, role, round.limits.normal_jobs), asked: None, raised });
    }
    let spec = steps::as_sent(&raise::spec(round, campaign, level)?, role, round.limits.normal_jobs);
    Some(Wish { spec, asked: campaign.asked.get(&level).cloned(), raised })
}

/// Why the id that a cluster just gave a gate shows that its database was reset.
async fn reset_shown(round: &Round<'_>, gate: Option<u64>) -> Result<Option<String>, StepError> {
    let (Some(gate), false) = (gate, round.is_local()) else { return Ok(None) };
    let name = round.name().to_owned();
    let highest = round.store(move |store| store.watermark(&name)).await?;
    Ok(canary::id_evidence(highest as u64, gate))
}

/// Without gates, rows of a submission that was given up may have come late, and run: nothing is sent before the sweep
/// has removed them.
async fn late_rows(round: &Round<'_>, campaign: &RoundCampaign, login: &str) -> Result<bool, StepError> {
    if campaign.abandoned.0 == 0 {
        return Ok(false);
    }
    sweep::sweep_user(round, &campaign.row.owner, login).await.map(|swept| !swept.is_clean())
}

/// A condition on a column that the cluster does not have would poison its API: it is refused before it is sent.
async fn property_problem(
    round: &Round<'_>,
    campaign: &RoundCampaign,
    spec: &ClusterSpec,
) -> Result<Option<NewEvent>, StepError> {
    let job =
        NewJob { resources: vec![spec.resource_request()], property: spec.properties.clone(), ..NewJob::default() };
    if round.is_local() || job.property.is_none() && !spec.resources.contains('{') {
        return Ok(None);
    }
    let columns = round.handle.client.column_kinds().await?;
    let Err(problems) = job.check_columns(&columns) else { return Ok(None) };
    let error = ApiError::Invalid(problems);
    let scope = Scope::campaign_on(campaign.row.id, round.name());
    let message =
        format!("{} would refuse the jobs: {error}. Correct `properties` and send the campaign again", round.name());
    Ok(Some(NewEvent::hold(scope, Code::SubmitRefused, message)))
}

/// Which tasks are wanted.
struct Wanted<'a> {
    role: Role,
    limit: i64,
    group: Option<NewGroup>,
    wish: &'a Wish,
}

async fn intend(
    round: &Round<'_>,
    (campaign, spec): (&RoundCampaign, &ClusterSpec),
    login: String,
    Wanted { role, limit, group, wish }: Wanted<'_>,
) -> Result<Option<(Intent, TaskIds)>, StepError> {
    let nonce = secret::nonce().map_err(crate::grid::GridError::Secret)?;
    let instance = round.grid.instance.clone();
    let (cluster, owner) = (round.name().to_owned(), campaign.row.owner.clone());
    let directory = steps::directory(campaign.row.id as u64, spec, role);
    let (campaign_id, open_elsewhere, now) = (campaign.row.id, campaign.open_elsewhere(), round.now);
    let (raised, asked) = (wish.raised, wish.asked.clone());
    round
        .store(move |store| {
            let new = NewSubmission {
                campaign_id,
                role,
                cluster: &cluster,
                owner: &owner,
                remote_user: &login,
                directory: &directory,
                limit,
                level: raised,
                group,
                open_elsewhere: &open_elsewhere,
                asked: asked.as_ref(),
            };
            let intent = store.intend(&new, |id| ledger::submission_name(&instance, id, nonce), now)?;
            // Read after the tasks were taken: some may have been added since the round's picture.
            let ids = store.task_ids(campaign_id)?;
            Ok(intent.map(|intent| (intent, ids)))
        })
        .await
}

/// A held job that the array depends on. It never runs: it is deleted. It asks for what the array will ask for, because
/// a single job is refused in words where OAR answers an array with a bare 500.
pub(super) fn gate(submission: &SubmissionRow, spec: &ClusterSpec, best_effort: bool) -> NewJob {
    NewJob {
        command: "false".to_owned(),
        resources: vec![spec.resource_request()],
        property: spec.properties.clone(),
        types: spec.types(best_effort),
        name: Some(ledger::gate_name(&submission.name)),
        project: spec.project.clone(),
        directory: Some(submission.directory.clone()),
        hold: true,
        ..NewJob::default()
    }
}

pub(super) fn array(
    submission: &SubmissionRow,
    spec: &ClusterSpec,
    (command, lines): (String, Vec<String>),
    best_effort: bool,
    gate: Option<u64>,
) -> NewJob {
    NewJob {
        command,
        resources: vec![spec.resource_request()],
        types: spec.types(best_effort),
        property: spec.properties.clone(),
        parameters: Some(lines),
        name: Some(submission.name.clone()),
        project: spec.project.clone(),
        directory: Some(submission.directory.clone()),
        after: gate.into_iter().collect(),
        checkpoint: spec.checkpoint.map(|checkpoint| checkpoint.before_s),
        signal: spec.checkpoint.map(|checkpoint| checkpoint.signal),
        ..NewJob::default()
    }
}

/// Whatever became of a gate without an answer: nothing was sent behind it. Its tasks can go again at once, and the
/// gate, if it is there, is swept.
async fn gate_unsent(round: &Round<'_>, submission: &SubmissionRow, error: ApiError) -> Result<(), StepError> {
    if error.certainly_not_done() {
        return unsent(round, submission, error).await;
    }
    let (id, now, reason) = (submission.id, round.now, format!("{}: {error}", ledger::GATE_LOST));
    round.store(move |store| store.give_up(id, SubmissionState::Refused, &reason, now)).await?;
    Err(error.into())
}

/// The array's POST failed behind its gate.
async fn array_unsent(
    round: &Round<'_>,
    submission: &SubmissionRow,
    (token, gate): (&Token, Option<u64>),
    error: ApiError,
) -> Result<(), StepError> {
    if let Some(gate) = gate.filter(|_| error.certainly_not_done()) {
        // No array exists that could slip through: the gate may go.
        round.handle.client.at(Urgency::Release).delete(token, gate).await.ok();
    }
    unsent(round, submission, error).await
}

/// A POST that did not answer 200: certainly without effect, or in doubt.
async fn unsent(round: &Round<'_>, submission: &SubmissionRow, error: ApiError) -> Result<(), StepError> {
    if error.is_doubt() {
        adopt::doubt(round, submission).await?;
        return Err(error.into());
    }
    let event = refusal(round, submission, &error);
    let (id, now, reason) = (submission.id, round.now, error.to_string());
    let events: Vec<NewEvent> = event.into_iter().collect();
    let told = !events.is_empty();
    round
        .store(move |store| {
            store.give_up(id, SubmissionState::Refused, &reason, now)?;
            store.open_events(&events, now)
        })
        .await?;
    if told { Ok(()) } else { Err(error.into()) }
}

/// Who is stopped by a refusal: the user by a bad token, the campaign by anything else it asks for; nobody by a
/// cluster that was not reached.
fn refusal(round: &Round<'_>, submission: &SubmissionRow, error: &ApiError) -> Option<NewEvent> {
    match error {
        ApiError::NotSent(_) => None,
        ApiError::Unauthorized { .. } => Some(round.bad_token(&submission.owner, error)),
        _ => Some(NewEvent::hold(
            Scope::campaign_on(submission.campaign_id, round.name()),
            Code::SubmitRefused,
            format!(
                "{} refuses the jobs: {error}. Correct the campaign file and send it again, or resume",
                round.name()
            ),
        )),
    }
}
