//! One round on one cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cigri_core::breaker::Subject;
use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::ledger;
use cigri_core::meter::{Bound, Mode, Reason};
use cigri_core::plan::{self, CampaignView, Decision};
use cigri_core::state::SubmissionState;
use cigri_core::turn::{self, Turn};
use cigri_store::{EventRow, RoundCampaign, RoundView, StoreError, SubmissionRow, TokenRow};

use oar_client::Error as ApiError;

use super::{
    Elsewhere, Memory, Round, StepError, account, bookkeeping, breakers, endless, gates, kill, metering, neighbours,
    nights, observe, raise, readings, reset, settle, steps, sweep, withdraw,
};
use crate::grid::GridError;

/// What a round saw, for choosing when the next one comes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Jobs started or ended, or submissions made.
    pub(crate) changed: bool,
    /// Something of ours lives there, or could be sent.
    pub(crate) busy: bool,
}

/// Observes, reconciles, reacts, then plans and submits.
pub(crate) async fn step(round: &Round<'_>, memory: &mut Memory) -> Result<Progress, StepError> {
    endless::close_due(round).await?;
    memory.stuck.begin();
    if round.limits.mode == Mode::Disabled {
        return held(round, memory).await;
    }
    let name = round.name().to_owned();
    let view = round.store(move |store| store.round_view(&name)).await?;
    if reset::is_held(&view) || !reset::recognise(round, memory, &view).await? {
        return held(round, memory).await;
    }
    let name = round.name().to_owned();
    memory.ids_since = round.store(move |store| store.ids_since(&name)).await?;
    match observe_all(round, memory, &view).await {
        Err(StepError::Reset) => return held(round, memory).await,
        other => other?,
    }
    memory.stuck.saw(round.now);
    neighbours::look(round, memory, &view).await?;
    nights::withdraw(round, memory, &view).await?;
    withdraw::drain(round, memory, &view).await?;
    withdraw::give_way(round, memory, &view).await?;
    withdraw::trim(round, memory, &view).await?;
    kill::kill_unwanted(round, memory, &view).await?;
    sweep::sweep_if_due(round, memory).await?;
    gates::try_out(round, memory, &view).await?;
    readings::read(round, memory).await?;
    let (started, tried, delayed) = plan_and_submit(round, memory).await?;
    let busy = tried || delayed || !view.submissions.is_empty();
    if memory.failing && busy {
        recovered(round, memory).await?;
    }
    Ok(Progress { changed: started || tried, busy })
}

/// Nothing that the cluster shows is believed: only the reason is written down.
async fn held(round: &Round<'_>, memory: &mut Memory) -> Result<Progress, StepError> {
    // What it is after this, nobody knows.
    memory.gates = None;
    let kept = (memory.metering.clone(), memory.moved.clone());
    let planned = plan_and_submit(round, memory).await;
    // That nothing starts there teaches nothing: nobody looked. What was seen before is for the next look.
    (memory.metering, memory.moved) = kept;
    planned.map(|_| Progress::default())
}

/// Settles what is in doubt and looks at what is there, beginning with what was looked at longest ago. What time does not
/// suffice for is first in the next round.
async fn observe_all(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    let is_unclear =
        |submission: &SubmissionRow| matches!(submission.state, SubmissionState::Intent | SubmissionState::Unknown);
    let mut in_turn: Vec<&SubmissionRow> = view.submissions.iter().collect();
    // The clock may have gone back since: turns are counted.
    in_turn.sort_by_key(|one| (memory.turns.get(&one.id).copied(), !is_unclear(one)));
    let turn = memory.turns.values().max().map_or(0, |last| last + 1);
    let mut looks = 0;
    for submission in in_turn {
        if submission.state == SubmissionState::Open && observe::can_wait(round, memory, submission) {
            continue;
        }
        if looks > 0 && readings::ends_looks(round) {
            break;
        }
        looks += 1;
        memory.turns.insert(submission.id, turn);
        let moved = match submission.state {
            SubmissionState::Intent | SubmissionState::Unknown => {
                settle::settle(round, memory, submission).await?;
                continue;
            }
            SubmissionState::Submitted => {
                settle::open_gate(round, submission).await?;
                observe::observe(round, memory, submission).await?
            }
            _ => observe::observe(round, memory, submission).await?,
        };
        metering::saw(round, memory, (view, submission), moved);
        if moved.kills > 0 {
            metering::look_at_others(round, memory, (view, submission));
        }
    }
    Ok(())
}

/// A round went well: an open event about failing is over.
async fn recovered(round: &Round<'_>, memory: &mut Memory) -> Result<(), StepError> {
    memory.failing = false;
    let (name, scope, now) = (round.name().to_owned(), Scope::cluster(round.name()), round.now);
    round
        .store(move |store| {
            store.close_event(Code::ApiFailure, &scope, now)?;
            store.close_event(Code::ServiceFailure, &scope, now)?;
            store.close_notes(Code::ServiceFailure, &name, now)
        })
        .await?;
    Ok(())
}

/// Tells, once, that the API fails, or that we do.
pub(crate) async fn failed(round: &Round<'_>, memory: &mut Memory, error: &StepError) -> Result<(), StepError> {
    memory.failing = true;
    let code = match error {
        StepError::Api(_) | StepError::Reset => Code::ApiFailure,
        StepError::Grid(_) => Code::ServiceFailure,
    };
    let message = format!("{error}. It is tried again by itself, with growing pauses");
    let event = NewEvent::note(Scope::cluster(round.name()), code, message);
    let now = round.now;
    round.store(move |store| store.open_events(&[event], now)).await
}

/// Whether anything had started; whether anything was sent, or refused on the way: the next round has news then; and
/// whether a task waits for its next try.
async fn plan_and_submit(round: &Round<'_>, memory: &mut Memory) -> Result<(bool, bool, bool), StepError> {
    let (name, now) = (round.name().to_owned(), round.now);
    let (mut view, tokens, clusters) = round
        .store(move |store| Ok((store.round_view_at(&name, now)?, store.all_tokens()?, store.list_clusters()?)))
        .await?;
    let mut elsewhere = Elsewhere::new(clusters);
    if steps::end_samples(round, &view, &elsewhere).await? {
        let name = round.name().to_owned();
        view = round.store(move |store| store.round_view_at(&name, now)).await?;
    }
    breakers::pass(round, memory, &view).await?;
    steps::ring(round, memory, &view);
    for campaign in &mut view.campaigns {
        elsewhere.narrow(round, campaign, &tokens)?;
    }
    raise::read_asked(round, &mut view).await?;
    let is_there = |id: &i64| view.submissions.iter().any(|submission| submission.id == *id);
    memory.listed.retain(|id, _| is_there(id));
    memory.stuck.retain(is_there);
    memory.looked_at.retain(|id, _| is_there(id));
    memory.turns.retain(|id, _| is_there(id));
    let started = metering::look(round, memory, &view);
    bookkeeping::settle(round, memory, &view).await?;
    let campaigns = campaign_views(round, memory, (&view, &tokens))?;
    let cluster = metering::cluster_view(round, memory, &view);
    let plan = plan::plan(&cluster, &campaigns);
    let changed = bookkeeping::changed(round, memory, (&cluster, &campaigns), &plan.decisions);
    let decisions = plan.decisions;
    metering::publish(round, memory, (&view, &decisions));
    bookkeeping::record(round, memory, changed, &campaigns).await?;
    let tried = send(round, memory, &view, (&decisions, plan.starved)).await?;
    let delayed = view.campaigns.iter().any(|campaign| campaign.delayed.tasks > 0);
    Ok((started, tried, delayed))
}

/// Sends what was decided; `starved` is who starves then. Whether anything was sent, or refused on the way.
pub(super) async fn send(
    round: &Round<'_>,
    memory: &mut Memory,
    view: &RoundView,
    (decisions, mut starved): (&[Decision], BTreeMap<String, u32>),
) -> Result<bool, StepError> {
    let sendable = || decisions.iter().filter(|decision| decision.allowance.allowed > 0);
    if memory.failing && sendable().next().is_some() {
        // A cluster that was down is asked first: every intent leaves rows.
        round.handle.client.probe().await?;
    }
    let (mut doubt, mut reached) = (None, BTreeSet::new());
    for decision in sendable() {
        let Some(campaign) = view.campaigns.iter().find(|campaign| campaign.row.id == decision.campaign) else {
            continue;
        };
        let owner = &campaign.row.owner;
        if readings::is_stale(round) {
            // The first submissions took too long: the others are for the next round.
            if !reached.contains(owner) {
                let rounds = memory.starved.get(owner).copied().unwrap_or_default();
                starved.insert(owner.clone(), rounds.saturating_add(1));
            }
            continue;
        }
        reached.insert(owner.clone());
        memory.starved.remove(owner);
        let allowed = decision.allowance.allowed;
        match raise::submit(round, memory, (view, campaign), (decision.role, allowed)).await {
            // The cluster failed this campaign's jobs; others may ask for something that it can do.
            Err(StepError::Api(error @ ApiError::Server { .. })) => doubt = Some(error),
            // What is stored of this campaign cannot be read; that of others can.
            Err(StepError::Grid(GridError::Store(error @ (StoreError::Corrupt(_) | StoreError::Missing(_))))) => {
                let scope = Scope::campaign_on(campaign.row.id, round.name());
                round.tell(NewEvent::hold(scope, Code::ServiceFailure, error.to_string())).await?;
            }
            other => other?,
        }
    }
    memory.starved = starved;
    doubt.map_or(Ok(!reached.is_empty()), |error| Err(error.into()))
}

fn campaign_views(
    round: &Round<'_>,
    memory: &Memory,
    (view, tokens): (&RoundView, &[TokenRow]),
) -> Result<Vec<CampaignView>, StepError> {
    // A round has more campaigns than owners, and a token takes long to look up.
    let mut problems: BTreeMap<&str, Option<String>> = BTreeMap::new();
    for owner in view.campaigns.iter().map(|campaign| campaign.row.owner.as_str()) {
        if !problems.contains_key(owner) {
            problems.insert(owner, owner_problem(round, memory, (view, tokens), owner)?);
        }
    }
    let with_problem = |campaign: &RoundCampaign| CampaignView {
        token_problem: problems.get(campaign.row.owner.as_str()).cloned().flatten(),
        ..campaign_view(round, memory, (view, campaign))
    };
    Ok(view.campaigns.iter().map(with_problem).collect())
}

/// Why nothing of this owner may be sent there.
fn owner_problem(
    round: &Round<'_>,
    memory: &Memory,
    (view, tokens): (&RoundView, &[TokenRow]),
    owner: &str,
) -> Result<Option<String>, StepError> {
    let token = round.grid.token_among(owner, round.handle, tokens)?;
    let no_account = token.as_ref().ok().and_then(|(_, login)| account::problem(round, memory, login));
    Ok(token.err().or(no_account).or_else(|| find_hold(&view.holds, None, Some(owner))))
}

/// What `owner_problem` says is left open.
fn campaign_view(round: &Round<'_>, memory: &Memory, (view, campaign): (&RoundView, &RoundCampaign)) -> CampaignView {
    let row = &campaign.row;
    let spec = row.spec.clusters.get(round.name());
    let turn = delayed(round, campaign).unwrap_or_else(|| turn::turn(&campaign.facts));
    CampaignView {
        id: row.id,
        owner: row.owner.clone(),
        pending: campaign.pending_here.max(0) as u64,
        tasks_at_once: spec.map_or(1, |spec| u64::from(spec.grouping.side_by_side.max(1))),
        live_here: campaign.live_here.max(0) as u64,
        max_jobs: spec.and_then(|spec| spec.max_jobs).map(u64::from),
        shape: Arc::clone(&campaign.shape),
        project: spec.and_then(|spec| spec.project.clone()),
        priority: row.spec.priority,
        hold: find_hold(&view.holds, Some(row.id), None),
        breaker: breaker(round, memory, campaign, &turn),
        token_problem: None,
        in_doubt: campaign.in_doubt.max(0) as u64,
        // Epilogues and samples run by day as well; a prologue waits with the tasks that it is for.
        calendar: nights::problem(round, raise::spec(round, campaign, 0).as_ref())
            .filter(|_| !matches!(turn, Turn::Epilogue | Turn::Sample(_))),
        turn,
    }
}

/// All that could go there waits for its next try.
fn delayed(round: &Round<'_>, campaign: &RoundCampaign) -> Option<Turn> {
    let first_at = campaign.delayed.first_at.filter(|_| campaign.pending_here <= 0)?;
    let is_step = matches!(turn::turn(&campaign.facts), Turn::Prologue | Turn::Epilogue);
    let at = round.grid.calendar(round.name()).clock(first_at, round.now);
    let tasks = campaign.delayed.tasks.max(0) as u64;
    (!is_step).then(|| Turn::Wait(Bound::none(Reason::Delayed { tasks, at })))
}

/// What the breaker of a campaign allows: after submissions that were lost, or jobs that failed. An epilogue comes all the
/// same: no task is left.
fn breaker(round: &Round<'_>, memory: &Memory, campaign: &RoundCampaign, turn: &Turn) -> Option<Bound> {
    let of_jobs = memory.breakers.bound(&Subject::Campaign(campaign.row.id), round.now);
    let of_jobs = of_jobs.filter(|_| !matches!(turn, Turn::Epilogue));
    let both = [unanswered(campaign, round.now), of_jobs].into_iter().flatten();
    both.min_by_key(|bound| bound.allowed)
}

/// How many of a campaign's last submissions were lost, and how long it waits for that.
fn unanswered(campaign: &RoundCampaign, now: i64) -> Option<Bound> {
    let (streak, at) = campaign.abandoned;
    let bound = |allowed, failures, left_s| Bound::new(allowed, Reason::Breaker { failures, left_s, jobs: None });
    let left = at + ledger::pause_after_abandoned_ms(streak) - now;
    match left {
        1.. => Some(bound(0, streak, left as u64 / 1000 + 1)),
        _ => (campaign.unanswered >= ledger::BAD_LUCK).then(|| bound(1, campaign.unanswered, 0)),
    }
}

/// The message of the open event that holds exactly this scope.
pub(super) fn find_hold(holds: &[EventRow], campaign: Option<i64>, owner: Option<&str>) -> Option<String> {
    // Whether there is an account now is asked again before each first submission, whatever was found last.
    let of_scope = |hold: &&EventRow| {
        hold.campaign_id == campaign && hold.owner.as_deref() == owner && hold.code != Code::NoAccount.as_str()
    };
    holds.iter().find(of_scope).map(|hold| format!("event {}: {}", hold.id, first_line(&hold.message)))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
