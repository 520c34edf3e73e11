//! Taking back what waits: on a cluster that is drained, where other people's normal jobs are given way to, and of a
//! shape that the cluster starts nothing of. Its tasks can go elsewhere. What runs ends by itself.

use std::collections::BTreeMap;

use cigri_core::meter::Mode;
use cigri_core::meter::law::Key;
use cigri_core::state::{Role, SubmissionState, Wish};
use cigri_store::{RoundView, SubmissionRow};

use super::{Memory, Round, StepError, metering, neighbours};

/// Waiting jobs that are taken back per round, for any reason.
pub(super) const CHUNK: i64 = 100;

/// Wishes that what waits there goes back to its bag, a part of it in each round.
pub(super) async fn drain(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    if round.limits.mode != Mode::Drained {
        return Ok(());
    }
    let mut left = CHUNK;
    // The last ones sent are the last ones to start.
    for submission in view.submissions.iter().rev().filter(|submission| is_adopted(submission)) {
        left -= take_back(round, memory, submission, left).await?;
    }
    Ok(())
}

/// The same where other people's normal jobs are given way to: what falls free is theirs. Steps and samples stay.
pub(super) async fn give_way(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    if neighbours::bound(round, memory).is_none() {
        return Ok(());
    }
    let mut left = CHUNK;
    let is_of_tasks = |submission: &&SubmissionRow| is_adopted(submission) && submission.role == Role::Tasks;
    for submission in view.submissions.iter().rev().filter(is_of_tasks) {
        left -= take_back(round, memory, submission, left).await?;
    }
    Ok(())
}

/// The same for what waits of shapes without a start for long, down to the probe that the law keeps there.
pub(super) async fn trim(round: &Round<'_>, memory: &mut Memory, view: &RoundView) -> Result<(), StepError> {
    let mut excess: BTreeMap<Key, i64> = BTreeMap::new();
    for here in view.here.iter().filter(|here| here.role == Role::Tasks) {
        let key = metering::key_of_here(round, here);
        let jobs = memory.metering.excess(&key) as i64;
        excess.insert(key, jobs);
    }
    if excess.values().all(|jobs| *jobs == 0) {
        return Ok(());
    }
    let name = round.name().to_owned();
    let wished = round.store(move |store| store.wished_waiting(&name)).await?;
    let of = |submission: &SubmissionRow| metering::key_of(round, view, submission);
    // What was wished and is not done waits still.
    for submission in &view.submissions {
        let jobs = wished.get(&submission.id).copied().unwrap_or_default();
        if let Some(excess) = of(submission).and_then(|key| excess.get_mut(&key)) {
            *excess -= jobs;
        }
    }
    let mut left = CHUNK;
    for submission in view.submissions.iter().rev().filter(|submission| is_adopted(submission)) {
        let Some(jobs) = of(submission).and_then(|key| excess.get_mut(&key)) else { continue };
        let taken = take_back(round, memory, submission, left.min(*jobs)).await?;
        left -= taken;
        *jobs -= taken;
    }
    Ok(())
}

pub(super) fn is_adopted(submission: &SubmissionRow) -> bool {
    matches!(submission.state, SubmissionState::Submitted | SubmissionState::Open)
}

/// Wishes at most `most` waiting jobs of a submission back into their bag; returns how many.
pub(super) async fn take_back(
    round: &Round<'_>,
    memory: &mut Memory,
    submission: &SubmissionRow,
    most: i64,
) -> Result<i64, StepError> {
    if most <= 0 {
        return Ok(0);
    }
    let id = submission.id;
    let wished = round.store(move |store| store.wish_waiting(id, Wish::Again, most)).await?;
    if wished > 0 {
        // At once: what waits now may run in a moment.
        memory.kills.remove(&id);
    }
    Ok(wished)
}
