//! The orphan sweep of a cluster: at a start, and now and then.

use std::collections::{BTreeMap, BTreeSet};

use cigri_core::event::{Code, NewEvent, Scope};
use cigri_core::sweep::{self, Known, Listed, Sweep, Verdict};
use oar_client::JobQuery;
use tracing::info;

use super::{Memory, Round, StepError, readings};

/// Between two sweeps.
const EVERY_MS: i64 = 600_000;
/// After a deletion it is looked again soon: OAR may bring a row back to life whose submission was still going on.
const AFTER_KILL_MS: i64 = 120_000;
/// Deletions per sweep: OAR schedules nobody while it deletes.
const CHUNK: usize = 100;
/// Between two sweeps when one was not enough.
const MORE_MS: i64 = 30_000;
/// So many sweeps that change nothing are enough.
const MOST_TRIES: u32 = 5;

/// Makes the next sweep come soon.
pub(super) fn soon(memory: &mut Memory, now: i64) {
    within(memory, now, AFTER_KILL_MS);
}

fn within(memory: &mut Memory, now: i64, period_ms: i64) {
    memory.swept_at = memory.swept_at.min(now - EVERY_MS + period_ms);
}

/// Sweeps if it is time. A clean sweep ends the hold of a cluster after our own database was restored.
pub(super) async fn sweep_if_due(round: &Round<'_>, memory: &mut Memory) -> Result<(), StepError> {
    if (0..EVERY_MS).contains(&(round.now - memory.swept_at)) {
        return Ok(());
    }
    let mut left = 0;
    for (owner, remote_user) in users(round).await? {
        let swept = sweep_user(round, &owner, &remote_user).await?;
        if !swept.is_clean() && cannot_delete(round, &owner).await? {
            continue;
        }
        left = left.max(swept.rows.len() + swept.revived.len());
    }
    memory.swept_at = round.now;
    let tries = if memory.swept.0 == left { memory.swept.1 + 1 } else { 0 };
    memory.swept = (left, tries);
    // What cannot be deleted at all waits behind gates that stay shut: it holds nobody for ever.
    if left > 0 && tries < MOST_TRIES {
        within(memory, round.now, if left > CHUNK { MORE_MS } else { AFTER_KILL_MS });
        return Ok(());
    }
    let (scope, now) = (Scope::cluster(round.name()), round.now);
    round.store(move |store| store.close_event(Code::Restored, &scope, now)).await?;
    Ok(())
}

/// A user whose token does not serve is told and held alone: their orphans are theirs to have removed.
async fn cannot_delete(round: &Round<'_>, owner: &str) -> Result<bool, StepError> {
    let Err(problem) = round.grid.token(owner, round.handle)? else { return Ok(false) };
    let message = format!("{problem}. Jobs of yours there are in no database of ours, and wait to be removed with it");
    round.tell(NewEvent::hold(Scope::user_on(owner, round.name()), Code::TokenNotFound, message)).await?;
    Ok(true)
}

/// Everybody who may have jobs of ours there: our login, and theirs. A restored database may have forgotten somebody's
/// first submission, but for the token.
async fn users(round: &Round<'_>) -> Result<BTreeSet<(String, String)>, StepError> {
    let name = round.name().to_owned();
    round
        .store(move |store| {
            let mut users: BTreeSet<_> = store.submitters(&name)?.into_iter().collect();
            users.extend(store.cluster_tokens(&name)?.into_iter().map(|token| (token.owner, token.login)));
            Ok(users)
        })
        .await
}

/// Sweeps the jobs of one user.
pub(super) async fn sweep_user(round: &Round<'_>, owner: &str, remote_user: &str) -> Result<Sweep, StepError> {
    let client = &round.handle.client;
    let live = client.list_all(&JobQuery { user: Some(remote_user.to_owned()), ..JobQuery::default() }).await?;
    let listed: Vec<Listed> = live.into_iter().filter_map(|job| Some(Listed { id: job.id, name: job.name? })).collect();
    let (names, cluster) = (sweep::submissions_named(&round.grid.instance, &listed), round.name().to_owned());
    let (known, test) =
        round.store(move |store| Ok((store.known_submissions(&names)?, store.find_gate_test(&cluster)?))).await?;
    let test = test.filter(|test| test.state == cigri_store::GateTestState::Posted).map(|test| test.name);
    let mut swept = sweep::sweep(&round.grid.instance, &listed, &known, (test.as_deref(), round.now));
    let strangers = std::mem::take(&mut swept.strangers);
    for id in strangers {
        judge(round, &mut swept, id, &known).await?;
    }
    delete(round, owner, &swept).await?;
    tell(round, &swept).await?;
    Ok(swept)
}

/// Decides about a row under the name of one of our submissions that is none of its jobs.
async fn judge(
    round: &Round<'_>,
    swept: &mut Sweep,
    id: u64,
    known: &BTreeMap<String, Known>,
) -> Result<(), StepError> {
    let Some(job) = round.handle.client.job(id).await? else { return Ok(()) };
    let name = job.name.unwrap_or_default();
    let Some(submission) = known.get(&name) else { return Ok(()) };
    let mut jobs = submission.jobs.clone();
    let of = job.resubmit_job_id;
    let asked = name.clone();
    if let Some(is_live) = round.store(move |store| store.followed_from(&asked, of as i64)).await? {
        jobs.insert(of, is_live);
    }
    match sweep::judge(of, &jobs) {
        Verdict::Leave => {}
        Verdict::Delete => swept.revived.push(id),
        Verdict::Report => {
            let message =
                format!("job {id} bears the name `{name}` of one of our submissions and is not of our making");
            round.tell(NewEvent::note(Scope::cluster(round.name()), Code::Strangers, message)).await?;
        }
    }
    Ok(())
}

async fn delete(round: &Round<'_>, owner: &str, swept: &Sweep) -> Result<(), StepError> {
    let all = swept.revived.iter().chain(&swept.rows).chain(&swept.gates);
    for (at, id) in all.take(CHUNK).enumerate() {
        if at > 0 && readings::ends_deletions(round) {
            break;
        }
        round.delete_job(owner, *id).await?;
    }
    Ok(())
}

async fn tell(round: &Round<'_>, swept: &Sweep) -> Result<(), StepError> {
    if !swept.rows.is_empty() {
        info!(cluster.name = %round.name(), rows = swept.rows.len(), "orphans removed");
    }
    let mut events = Vec::new();
    let scope = || Scope::cluster(round.name());
    let mut note = |code, message| events.push(NewEvent::note(scope(), code, message).because(Code::Restored, scope()));
    if swept.unknown > 0 {
        let message = format!(
            "{} jobs bear this database's name and are not in it: it was restored from an older copy. They are removed",
            swept.unknown
        );
        note(Code::OrphansRemoved, message);
    }
    if !swept.revived.is_empty() {
        let message = format!(
            "jobs {:?} were alive though they had ended here: they are deleted, their tasks may have begun twice",
            swept.revived
        );
        note(Code::JobLost, message);
    }
    let now = round.now;
    round.store(move |store| store.open_events(&events, now)).await
}
