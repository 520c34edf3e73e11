//! The pure half of the submission ledger: names that nobody else uses, and the checks before adoption.
//!
//! A submission is one array of jobs posted behind a *gate* (a held job that the array depends on). The array
//! can't start before the gate is deleted, and the gate is deleted only once every remote id is in the database.

use std::collections::BTreeMap;

/// Length limit of OAR job names; a longer one poisons its API.
const MAX_NAME: usize = 100;

/// The remote name of a submission. `instance` tells our databases apart, `nonce` (64 random bits) tells
/// a restored copy of a database from the original.
pub fn submission_name(instance: &str, submission: i64, nonce: u64) -> String {
    let name = format!("cigri.{instance}.{submission}.{nonce:016x}");
    debug_assert!(name.len() + GATE_SUFFIX.len() <= MAX_NAME);
    name
}

/// What ends the remote name of a gate.
pub const GATE_SUFFIX: &str = ".gate";

/// The submission number in the names under which gates are tried: no submission has it.
pub const TEST_SUBMISSION: i64 = 0;

/// The remote name of a submission's gate.
pub fn gate_name(submission_name: &str) -> String {
    format!("{submission_name}{GATE_SUFFIX}")
}

/// OAR's own resubmissions of one job that are followed. Each costs a node; what goes on like that is wanted back.
pub const MOST_HOPS: i64 = 2;

/// How the reason of a submission begins whose gate got no usable answer: nothing was sent behind it.
pub const GATE_LOST: &str = "its gate got no usable answer";

/// So many abandoned submissions in a row are bad luck; from here on the cluster is given time, and asked with one job.
pub const BAD_LUCK: u32 = 3;

/// How long a campaign waits on a cluster after `streak` abandoned submissions in a row: it doubles up to an hour.
/// Trying at once for ever would litter the cluster with gates, and keep other campaigns waiting.
pub fn pause_after_abandoned_ms(streak: u32) -> i64 {
    const FIRST_MS: i64 = 30_000;
    const LONGEST_MS: i64 = 3_600_000;
    match streak.checked_sub(BAD_LUCK) {
        None => 0,
        Some(more) => FIRST_MS.saturating_mul(1 << more.min(10)).min(LONGEST_MS),
    }
}

/// What a remote name says, if it is one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsedName {
    /// Which of our databases it came from.
    pub instance: String,
    /// Submission id there.
    pub submission: i64,
    /// Whether it is a gate.
    pub gate: bool,
}

/// Reads a remote job name; `None` if it is not of our making.
pub fn parse_name(name: &str) -> Option<ParsedName> {
    let mut parts = name.split('.');
    if parts.next()? != "cigri" {
        return None;
    }
    let instance = parts.next()?.to_owned();
    let submission = parts.next()?.parse().ok()?;
    let nonce = parts.next()?;
    if nonce.len() != 16 || !nonce.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let gate = match parts.next() {
        None => false,
        Some("gate") => true,
        Some(_) => return None,
    };
    parts.next().is_none().then_some(ParsedName { instance, submission, gate })
}

/// One row of a listing, as far as adoption looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedRow {
    /// Remote id.
    pub id: u64,
    /// Array id; 0 in a half-made row.
    pub array_id: u64,
    /// Index in the array, from 1.
    pub array_index: u64,
    /// Job name.
    pub name: String,
    /// Owner on the cluster.
    pub user: String,
    /// Not 0 when OAR made this row by resubmitting another.
    pub resubmit_of: u64,
    /// Whether it is in Hold, as all rows of an array are until the last but one step of its POST.
    pub held: bool,
}

/// What we posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted<'a> {
    /// Name of the array.
    pub name: &'a str,
    /// Owner on the cluster: the token's `user` claim.
    pub user: &'a str,
    /// Number of jobs.
    pub count: u64,
    /// Whether the POST was answered: then the array is whole, whatever its rows look like.
    pub answered: bool,
}

/// Whether an array on the cluster is what we posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adoption {
    /// Complete and ours: remote ids in the order of array indices 1..=count.
    Complete(Vec<u64>),
    /// Ours and made whole, but some rows are not there (any more): their indices have no id.
    Incomplete(Vec<Option<u64>>),
    /// Rows are missing, or not all described yet: still executing, or cut off.
    Partial {
        /// Rows found.
        found: u64,
    },
    /// A row contradicts what we posted; nothing of it is adopted.
    Foreign(String),
}

/// Compares the rows of an array with what was posted. Matching is by array index, never by command text.
pub fn check_adoption(posted: &Posted<'_>, rows: &[ListedRow]) -> Adoption {
    let mut by_index = BTreeMap::new();
    for row in rows.iter().filter(|row| row.resubmit_of == 0) {
        if row.name != posted.name {
            return Adoption::Foreign(format!("job {} is named `{}`, not `{}`", row.id, row.name, posted.name));
        }
        if row.user != posted.user {
            return Adoption::Foreign(format!("job {} belongs to `{}`, not `{}`", row.id, row.user, posted.user));
        }
        if row.array_id == 0 {
            continue;
        }
        if row.array_index == 0 || row.array_index > posted.count {
            return Adoption::Foreign(format!("job {} has array index {}", row.id, row.array_index));
        }
        // A listing may repeat a row; two ids for one index are another matter.
        if let Some(other) = by_index.insert(row.array_index, row.id)
            && other != row.id
        {
            return Adoption::Foreign(format!("jobs {other} and {} share array index {}", row.id, row.array_index));
        }
    }
    // Without an answer, rows that are all in Hold may be a POST cut off, or still at work: OAR never launches them.
    let is_whole = posted.answered || rows.iter().any(|row| !row.held);
    match (by_index.len() as u64, is_whole) {
        (found, true) if found == posted.count => Adoption::Complete(by_index.into_values().collect()),
        (1.., true) => Adoption::Incomplete((1..=posted.count).map(|index| by_index.get(&index).copied()).collect()),
        (found, _) => Adoption::Partial { found },
    }
}

/// The longest time between two looks at a submission of which nothing waits.
pub const LONGEST_LOOK_MS: i64 = 60_000;

/// How long a look at a submission can wait after the last one, milliseconds, when nothing of it waits in the cluster's
/// queue and nothing had changed for `quiet_ms` then: long jobs are not asked about as often as short ones. Most requests
/// would otherwise be for the last, longest job of each submission.
pub fn next_look_ms(quiet_ms: i64) -> i64 {
    (quiet_ms / 2).clamp(0, LONGEST_LOOK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_undisturbed_is_looked_at_less_and_less_often_down_to_once_a_minute() {
        assert_eq!([-5, 0, 30_000, 90_000, 3_600_000].map(next_look_ms), [0, 0, 15_000, 45_000, 60_000]);
    }

    const NAME: &str = "cigri.a1b2.7.00000000deadbeef";

    fn row(id: u64, array_index: u64) -> ListedRow {
        ListedRow {
            id,
            array_id: 10,
            array_index,
            name: NAME.into(),
            user: "alice".into(),
            resubmit_of: 0,
            held: false,
        }
    }

    fn posted(count: u64) -> Posted<'static> {
        Posted { name: NAME, user: "alice", count, answered: true }
    }

    #[test]
    fn names_round_trip_and_foreign_names_are_not_ours() {
        assert_eq!(submission_name("a1b2", 7, 0xdead_beef), NAME);
        let parsed = parse_name(&gate_name(NAME)).unwrap();
        assert_eq!(parsed, ParsedName { instance: "a1b2".into(), submission: 7, gate: true });
        for foreign in ["cigri.3", "first", "cigri.a.7.xyz", "cigri.a1b2.7.00000000deadbeef.gate.more"] {
            assert_eq!(parse_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn pauses_after_abandoned_submissions_double_up_to_an_hour() {
        let pauses = [0, 2, 3, 4, 5, 9, 10, 99].map(pause_after_abandoned_ms);
        assert_eq!(pauses, [0, 0, 30_000, 60_000, 120_000, 1_920_000, 3_600_000, 3_600_000]);
    }

    #[test]
    fn the_longest_name_fits_oar() {
        assert!(gate_name(&submission_name("0123456789abcdef", i64::MAX, u64::MAX)).len() <= MAX_NAME);
    }

    #[test]
    fn a_complete_array_is_adopted_by_index_whatever_the_order() {
        let rows = [row(12, 3), row(10, 1), row(11, 2), row(11, 2)];
        assert_eq!(check_adoption(&posted(3), &rows), Adoption::Complete(vec![10, 11, 12]));
    }

    #[test]
    fn missing_and_half_made_rows_are_partial() {
        let half_made = ListedRow { array_id: 0, ..row(11, 1) };
        let doubtful = Posted { answered: false, ..posted(2) };
        let held = |row| ListedRow { held: true, ..row };
        let rows = [held(row(10, 1)), held(half_made)];
        assert_eq!(check_adoption(&doubtful, &rows), Adoption::Partial { found: 1 });
        assert_eq!(check_adoption(&posted(2), &[row(11, 2)]), Adoption::Incomplete(vec![None, Some(11)]));
        assert_eq!(check_adoption(&posted(2), &[]), Adoption::Partial { found: 0 });
    }

    #[test]
    fn an_array_all_in_hold_is_whole_only_if_its_post_was_answered() {
        let held = |id, index| ListedRow { held: true, ..row(id, index) };
        let doubtful = Posted { answered: false, ..posted(2) };
        assert_eq!(check_adoption(&posted(2), &[held(10, 1), held(11, 2)]), Adoption::Complete(vec![10, 11]));
        assert_eq!(check_adoption(&doubtful, &[held(10, 1), held(11, 2)]), Adoption::Partial { found: 2 });
        assert_eq!(check_adoption(&doubtful, &[held(10, 1), row(11, 2)]), Adoption::Complete(vec![10, 11]));
    }

    #[test]
    fn a_row_resubmitted_by_oar_is_not_an_extra_job() {
        let copy = ListedRow { resubmit_of: 10, ..row(15, 1) };
        assert_eq!(check_adoption(&posted(1), &[row(10, 1), copy]), Adoption::Complete(vec![10]));
    }

    #[test]
    fn contradictions_are_foreign() {
        let other_user = ListedRow { user: "bob".into(), ..row(10, 1) };
        let other_name = ListedRow { name: "x".into(), ..row(10, 1) };
        for rows in [vec![other_user], vec![other_name], vec![row(10, 3)], vec![row(10, 1), row(11, 1)]] {
            assert!(matches!(check_adoption(&posted(2), &rows), Adoption::Foreign(_)), "{rows:?}");
        }
    }
}
