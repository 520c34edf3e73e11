//! The orphan sweep: what to do about jobs on a cluster that bear our names and should not be there.
//!
//! What is not ours is never touched. Rows of a submission that was given up are deleted once its POST can't be still
//! executing; its gate stays shut until nothing can arrive behind it any more. Rows that the ledger took for dead, and
//! copies of such rows, are deleted again.

use std::collections::BTreeMap;

use crate::ledger::{GATE_SUFFIX, TEST_SUBMISSION, parse_name};
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its state.
    pub state: SubmissionState,
    /// When it got there, epoch milliseconds.
    pub changed_at: i64,
    /// Remote ids of its jobs, and whether the ledger holds them for live.
    pub jobs: BTreeMap<u64, bool>,
}

/// Remote ids to act on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// Jobs to delete that will never be adopted.
    pub rows: Vec<u64>,
    /// Gates to delete, behind which nothing can arrive any more.
    pub gates: Vec<u64>,
    /// Jobs to delete that the ledger has ended: they came back to life.
    pub revived: Vec<u64>,
    /// Jobs under the name of an adopted submission that are none of its jobs: copies, or somebody's doing.
    pub strangers: Vec<u64>,
    /// Of `rows`, those whose submission is not in the ledger: it was restored from a copy.
    pub unknown: usize,
}

impl Sweep {
    /// Whether nothing of ours is there that should not be.
    pub fn is_clean(&self) -> bool {
        self.rows.is_empty() && self.revived.is_empty() && self.strangers.is_empty()
    }
}

/// The submissions of ours that a listing names: the names of arrays, those of their gates without their ending.
pub fn submissions_named(instance: &str, listed: &[Listed]) -> Vec<String> {
    let mut names: Vec<String> = listed.iter().filter_map(|job| ours(instance, job)).map(|own| own.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Decides what to delete. `known` is by the names that [`submissions_named`] gave: ids alone would be given out
/// twice by a restored database. `test` is the name under which gates are being tried just now.
pub fn sweep(
    instance: &str,
    listed: &[Listed],
    known: &BTreeMap<String, Known>,
    (test, now): (Option<&str>, i64),
) -> Sweep {
    let mut result = Sweep::default();
    let all: Vec<Own> = listed.iter().filter_map(|job| ours(instance, job)).collect();
    let mut rows_of: BTreeMap<&str, usize> = BTreeMap::new();
    for own in all.iter().filter(|own| !own.gate) {
        *rows_of.entry(&own.name).or_default() += 1;
    }
    for own in &all {
        let behind = rows_of.get(own.name.as_str()).copied().unwrap_or_default();
        match known.get(&own.name) {
            // What a test left behind means nothing.
            None if own.is_test => {
                if test != Some(&own.name) {
                    let list = if own.gate { &mut result.gates } else { &mut result.rows };
                    list.push(own.id);
                }
            }
            // A gate that nobody knows stays shut: nobody knows what may still arrive.
            None if own.gate => {}
            None => {
                result.unknown += 1;
                result.rows.push(own.id);
            }
            Some(known) if own.gate => {
                if gate_may_go(known, behind, now) {
                    result.gates.push(own.id);
                }
            }
            Some(known) => row(&mut result, own.id, known, now),
        }
    }
    result
}

/// A gate that was never opened, because its campaign was cancelled first, goes once nothing waits behind it; that of
/// a submission that was given up once nothing can arrive there any more. Behind that of a refused one nothing can.
fn gate_may_go(known: &Known, behind: usize, now: i64) -> bool {
    let age = now.saturating_sub(known.changed_at);
    match known.state {
        // Opened or over: its gate was overlooked, or its deletion lost.
        SubmissionState::Open | SubmissionState::Closed => true,
        SubmissionState::Refused => behind == 0 && age >= ROW_PATIENCE_MS,
        SubmissionState::Abandoned => behind == 0 && age >= GATE_PATIENCE_MS,
        _ => false,
    }
}

fn row(result: &mut Sweep, id: u64, known: &Known, now: i64) {
    match known.state {
        state if is_given_up(state) => {
            if now.saturating_sub(known.changed_at) >= ROW_PATIENCE_MS {
                result.rows.push(id);
            }
        }
        SubmissionState::Intent | SubmissionState::Unknown => {}
        _ => match known.jobs.get(&id) {
            Some(true) => {}
            Some(false) => result.revived.push(id),
            None => result.strangers.push(id),
        },
    }
}

/// What to do about a stranger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// OAR made it of a job that the ledger still follows: that job's end will say so.
    Leave,
    /// A copy of a job that the ledger has ended: its task has gone on elsewhere.
    Delete,
    /// Somebody gave it our name: it is told, and not touched.
    Report,
}

/// Decides about a stranger by the job that OAR made it of (0: of none), and whether the ledger holds that for live.
pub fn judge(resubmit_of: u64, jobs: &BTreeMap<u64, bool>) -> Verdict {
    match (resubmit_of, jobs.get(&resubmit_of)) {
        (0, _) => Verdict::Report,
        (_, Some(true)) => Verdict::Leave,
        _ => Verdict::Delete,
    }
}

struct Own {
    id: u64,
    /// Of its submission.
    name: String,
    gate: bool,
    is_test: bool,
}

fn ours(instance: &str, job: &Listed) -> Option<Own> {
    let parsed = parse_name(&job.name).filter(|name| name.instance == instance)?;
    let name = job.name.strip_suffix(GATE_SUFFIX).unwrap_or(&job.name).to_owned();
    Some(Own { id: job.id, name, gate: parsed.gate, is_test: parsed.submission == TEST_SUBMISSION })
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

    fn known(entries: &[(i64, SubmissionState)]) -> BTreeMap<String, Known> {
        let known = |state| Known { state, changed_at: 0, jobs: BTreeMap::from([(2, true), (3, false)]) };
        entries.iter().map(|(id, state)| (submission_name("here", *id, 7), known(*state))).collect()
    }

    fn swept(listed: &[Listed], known: &BTreeMap<String, Known>, now: i64) -> Sweep {
        sweep("here", listed, known, (None, now))
    }

    #[test]
    fn what_is_not_ours_or_in_the_ledger_is_left_alone() {
        let foreign = Listed { id: 1, name: "cigri.3".into() };
        let other = Listed { id: 2, name: submission_name("there", 5, 7) };
        let listed = [foreign, other, row(2, 5), row(5, 6), gate(6, 6)];
        let known = known(&[(5, SubmissionState::Open), (6, SubmissionState::Unknown)]);
        assert_eq!(swept(&listed, &known, 100 * DAY), Sweep::default());
        let names = [5, 6].map(|id| submission_name("here", id, 7));
        assert_eq!(submissions_named("here", &listed), names);
    }

    #[test]
    fn rows_of_a_given_up_submission_go_after_two_minutes_and_its_gate_stays() {
        let listed = [gate(1, 5), row(2, 5), row(3, 5)];
        let known = known(&[(5, SubmissionState::Abandoned)]);
        assert_eq!(swept(&listed, &known, 119_999), Sweep::default());
        assert_eq!(swept(&listed, &known, 120_000), Sweep { rows: vec![2, 3], ..Sweep::default() });
        assert_eq!(swept(&listed, &known, 31 * DAY).gates, Vec::<u64>::new(), "as long as rows wait behind it");
    }

    #[test]
    fn a_gate_goes_when_nothing_can_arrive_behind_it() {
        let known = known(&[(5, SubmissionState::Abandoned)]);
        let at = |now| swept(&[gate(1, 5)], &known, now).gates;
        assert_eq!(at(30 * DAY - 1), Vec::<u64>::new());
        assert_eq!(at(30 * DAY), [1]);
    }

    #[test]
    fn a_gate_without_an_answer_goes_as_soon_as_its_post_is_over() {
        let known = known(&[(5, SubmissionState::Refused)]);
        let at = |now| swept(&[gate(1, 5)], &known, now).gates;
        assert_eq!((at(119_999), at(120_000)), (vec![], vec![1]));
    }

    #[test]
    fn a_gate_that_its_ended_submission_left_behind_goes_at_once() {
        let known = known(&[(5, SubmissionState::Closed)]);
        assert_eq!(swept(&[gate(1, 5)], &known, 0).gates, [1]);
        let open = self::known(&[(5, SubmissionState::Open)]);
        assert_eq!(swept(&[gate(1, 5), row(2, 5)], &open, 0).gates, [1], "what waits behind it is in the ledger");
    }

    #[test]
    fn rows_that_a_restored_database_does_not_know_are_removed_and_counted() {
        let nobody = BTreeMap::new();
        assert_eq!(
            swept(&[gate(1, 9), row(2, 9)], &nobody, 0),
            Sweep { rows: vec![2], unknown: 1, ..Sweep::default() }
        );
        assert_eq!(swept(&[gate(1, 9)], &nobody, 100 * DAY), Sweep::default(), "its gate stays shut");
        let same_id = Listed { id: 2, name: submission_name("here", 5, 8) };
        let known = known(&[(5, SubmissionState::Open)]);
        assert_eq!(swept(&[same_id], &known, 0).unknown, 1, "an id that was given out twice tells nothing");
    }

    #[test]
    fn a_row_that_the_ledger_has_ended_is_deleted_again() {
        for state in [SubmissionState::Open, SubmissionState::Closed] {
            let found = swept(&[row(2, 5), row(3, 5), row(4, 5)], &known(&[(5, state)]), 0);
            assert_eq!((found.revived, found.strangers), (vec![3], vec![4]), "{state}");
        }
    }

    #[test]
    fn a_copy_is_left_to_the_job_that_it_was_made_of_while_that_is_followed() {
        let jobs = BTreeMap::from([(2, true), (3, false)]);
        assert_eq!(
            [2, 3, 9, 0].map(|of| judge(of, &jobs)),
            [Verdict::Leave, Verdict::Delete, Verdict::Delete, Verdict::Report]
        );
    }

    #[test]
    fn what_tests_of_gates_left_behind_goes() {
        let name = submission_name("here", TEST_SUBMISSION, 7);
        let listed = [row(1, TEST_SUBMISSION), gate(2, TEST_SUBMISSION)];
        let at = |test| sweep("here", &listed, &BTreeMap::new(), (test, 0));
        assert_eq!(at(Some(name.as_str())), Sweep::default());
        assert_eq!(at(None), Sweep { rows: vec![1], gates: vec![2], ..Sweep::default() }, "its gate last");
    }
}
