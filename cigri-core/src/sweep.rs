//! The orphan sweep: what to do about jobs on a cluster that bear our names and are not in the ledger.
//!
//! What is not ours is never touched. Rows of a submission that was given up are deleted once its POST can't be still
//! executing; its gate stays shut until nothing can arrive behind it any more.

use std::collections::BTreeMap;

use crate::ledger::parse_name;
use crate::state::SubmissionState;

/// How long rows of a submission that was given up are left alone: its POST may still be making them.
pub const ROW_PATIENCE_MS: i64 = 120_000;
/// How long a gate stays shut: as long as something could still arrive behind it.
pub const GATE_PATIENCE_MS: i64 = 30 * 24 * 3_600_000;

/// A live job on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Remote id.
    pub id: u64,
    /// Its name.
    pub name: String,
}

/// What the ledger knows of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Its state.
    pub state: SubmissionState,
    /// When it got there, epoch milliseconds.
    pub changed_at: i64,
}

/// Remote ids to delete, and how many of them are rows of submissions that the ledger does not know at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Jobs that will never be adopted.
    pub rows: Vec<u64>,
    /// Gates behind which nothing can arrive any more.
    pub gates: Vec<u64>,
    /// Of `rows`, those whose submission is not in the ledger: it was restored from a copy.
    pub unknown: usize,
}

/// The submissions of ours that a listing names.
pub fn submissions_named(instance: &str, listed: &[Listed]) -> Vec<i64> {
    let mut ids: Vec<i64> = listed.iter().filter_map(|job| ours(instance, job)).map(|(id, _)| id).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// Decides what to delete.
pub fn sweep(instance: &str, listed: &[Listed], known: &BTreeMap<i64, Known>, now: i64) -> Sweep {
    let mut result = Sweep::default();
    let mut rows_of: BTreeMap<i64, usize> = BTreeMap::new();
    let ours: Vec<(i64, bool, u64)> =
        listed.iter().filter_map(|job| ours(instance, job).map(|(id, gate)| (id, gate, job.id))).collect();
    for (submission, _, _) in ours.iter().filter(|(_, gate, _)| !gate) {
        *rows_of.entry(*submission).or_default() += 1;
    }
    for (submission, gate, id) in ours {
        let known = known.get(&submission);
        let given_up = known.is_none_or(|known| is_given_up(known.state));
        let age = known.map_or(i64::MAX, |known| now.saturating_sub(known.changed_at));
        let behind = rows_of.get(&submission).copied().unwrap_or_default();
        match gate {
            // Never opened, because its campaign was cancelled first; nothing waits behind it any more.
            true if known.is_some_and(|known| known.state == SubmissionState::Closed) => result.gates.push(id),
            _ if !given_up => {}
            // A gate that nobody knows stays shut: nobody knows what may still arrive.
            true if known.is_some() && behind == 0 && age >= GATE_PATIENCE_MS => result.gates.push(id),
            false if age >= ROW_PATIENCE_MS => {
                result.unknown += usize::from(known.is_none());
                result.rows.push(id);
            }
            _ => {}
        }
    }
    result
}

fn ours(instance: &str, job: &Listed) -> Option<(i64, bool)> {
    let name = parse_name(&job.name).filter(|name| name.instance == instance)?;
    Some((name.submission, name.gate))
}

fn is_given_up(state: SubmissionState) -> bool {
    matches!(state, SubmissionState::Abandoned | SubmissionState::Refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{gate_name, submission_name};

    const DAY: i64 = 24 * 3_600_000;

    fn row(id: u64, submission: i64) -> Listed {
        Listed { id, name: submission_name("here", submission, 7) }
    }

    fn gate(id: u64, submission: i64) -> Listed {
        Listed { id, name: gate_name(&submission_name("here", submission, 7)) }
    }

    fn known(entries: &[(i64, SubmissionState)]) -> BTreeMap<i64, Known> {
        entries.iter().map(|(id, state)| (*id, Known { state: *state, changed_at: 0 })).collect()
    }

    #[test]
    fn what_is_not_ours_or_in_the_ledger_is_left_alone() {
        let foreign = Listed { id: 1, name: "cigri.3".into() };
        let other = Listed { id: 2, name: submission_name("there", 5, 7) };
        let listed = [foreign, other, row(3, 5), gate(4, 5), row(5, 6), gate(6, 6)];
        let known = known(&[(5, SubmissionState::Open), (6, SubmissionState::Unknown)]);
        assert_eq!(sweep("here", &listed, &known, 100 * DAY), Sweep::default());
        assert_eq!(submissions_named("here", &listed), [5, 6]);
    }

    #[test]
    fn rows_of_a_given_up_submission_go_after_two_minutes_and_its_gate_stays() {
        let listed = [gate(1, 5), row(2, 5), row(3, 5)];
        let known = known(&[(5, SubmissionState::Abandoned)]);
        let at = |now| sweep("here", &listed, &known, now);
        assert_eq!(at(119_999), Sweep::default());
        assert_eq!(at(120_000), Sweep { rows: vec![2, 3], gates: vec![], unknown: 0 });
        assert_eq!(at(31 * DAY).gates, Vec::<u64>::new(), "as long as rows wait behind it");
    }

    #[test]
    fn a_gate_goes_when_nothing_can_arrive_behind_it() {
        let known = known(&[(5, SubmissionState::Abandoned)]);
        let at = |now| sweep("here", &[gate(1, 5)], &known, now).gates;
        assert_eq!(at(30 * DAY - 1), Vec::<u64>::new());
        assert_eq!(at(30 * DAY), [1]);
    }

    #[test]
    fn a_gate_that_its_ended_submission_left_behind_goes_at_once() {
        let known = known(&[(5, SubmissionState::Closed)]);
        assert_eq!(sweep("here", &[gate(1, 5)], &known, 0).gates, [1]);
    }

    #[test]
    fn rows_that_a_restored_database_does_not_know_are_removed_and_counted() {
        let swept = sweep("here", &[gate(1, 9), row(2, 9)], &BTreeMap::new(), 0);
        assert_eq!(swept, Sweep { rows: vec![2], gates: vec![], unknown: 1 });
        let swept = sweep("here", &[gate(1, 9)], &BTreeMap::new(), 100 * DAY);
        assert_eq!(swept, Sweep::default(), "its gate stays shut");
    }
}
