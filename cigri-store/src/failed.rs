//! What is known of a campaign's failures, for readers: groups of the same failure, and samples to compare tasks by.
//!
//! A failure is the same as another if class, exit code and signature are. It stands while its task is failed; those of
//! attempts that were followed by another are told on request.

use std::collections::{HashMap, HashSet};

use cigri_core::explain;
use cigri_core::state::JobState;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Text};

use crate::connection::Database;
use crate::job::LOOKUPS;
use crate::schema::{job, progress};
use crate::{Result, Store, parameters};

/// Groups that are told one by one.
const GROUPS: i64 = 20;
/// Tasks of each kind that are compared.
const SAMPLE: usize = 5_000;
/// Rows of clusters and hosts that are read for all these groups.
const SHARES: i64 = 20_000;

/// What failures of a group share. No exit code is -1, no signature empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, QueryableByName)]
pub struct Sameness {
    /// Stored word of the class.
    #[diesel(sql_type = Text)]
    pub class: String,
    /// Exit code.
    #[diesel(sql_type = BigInt)]
    pub exit_code: i64,
    /// Signature.
    #[diesel(sql_type = Text)]
    pub signature: String,
}

/// The same failure of many attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureGroup {
    /// What they share.
    pub same: Sameness,
    /// Tasks that are failed by it.
    pub failed: i64,
    /// Attempts that failed so, these included.
    pub attempts: i64,
    /// How many on each cluster, the most first.
    pub clusters: Vec<(String, i64)>,
    /// How many on each host, as far as it is known, the most first.
    pub hosts: Vec<(String, i64)>,
    /// Job of one of them.
    pub example: i64,
}

/// A campaign's failures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureReport {
    /// The largest groups.
    pub groups: Vec<FailureGroup>,
    /// How many groups there are in all.
    pub all_groups: i64,
    /// Tasks that are failed, by all groups.
    pub failed: i64,
    /// Attempts that failed, of all groups.
    pub attempts: i64,
}

/// Tasks to compare failed ones with others by, as texts of their parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureSample {
    /// Tasks that failed, and how.
    pub failed: Vec<(Sameness, String)>,
    /// Tasks that are done.
    pub done: Vec<String>,
}

#[derive(QueryableByName)]
struct GroupColumns {
    #[diesel(embed)]
    same: Sameness,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    attempts: i64,
    #[diesel(sql_type = BigInt)]
    example: i64,
}

#[derive(QueryableByName)]
struct TotalColumns {
    #[diesel(sql_type = BigInt)]
    groups: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    attempts: i64,
}

#[derive(QueryableByName)]
struct ShareColumns {
    #[diesel(embed)]
    same: Sameness,
    #[diesel(sql_type = Text)]
    cluster: String,
    #[diesel(sql_type = Text)]
    node: String,
    #[diesel(sql_type = BigInt)]
    number: i64,
}

#[derive(QueryableByName)]
struct TaskColumns {
    #[diesel(embed)]
    same: Sameness,
    #[diesel(sql_type = BigInt)]
    task_index: i64,
}

/// Rows of a query without values of its own: both databases read it alike.
macro_rules! rows {
    ($connection:expr, $query:expr) => {
        match $connection {
            Database::Sqlite(sqlite) => sql_query($query).load(sqlite)?,
            Database::Postgresql(postgresql) => sql_query($query).load(postgresql)?,
        }
    };
}

/// Which failures are told.
#[derive(Clone, Copy)]
struct Told {
    campaign: i64,
    /// Those too that were followed by another attempt.
    attempts: bool,
}

impl Told {
    /// The failures of tasks, each with whether it stands.
    fn kept(self) -> String {
        format!(
            "WITH kept AS MATERIALIZED (
               SELECT f.job_id, f.class, CAST(coalesce(f.exit_code, -1) AS BIGINT) AS exit_code, coalesce(f.signature, '') AS signature,
                 f.cluster, coalesce(f.node, '') AS node, f.task_index,
                 CASE WHEN f.is_final
                   AND NOT EXISTS (SELECT 1 FROM job n WHERE n.campaign_id = f.campaign_id
                     AND n.task_index = f.task_index AND n.generation > f.generation)
                   AND NOT EXISTS (SELECT 1 FROM returned_task r WHERE r.campaign_id = f.campaign_id
                     AND r.task_index = f.task_index)
                 THEN 1 ELSE 0 END AS stands
               FROM failure f WHERE f.campaign_id = {} AND f.task_index >= 0)",
            self.campaign
        )
    }

    /// One row for each group.
    fn grouped(self) -> &'static str {
        match self.attempts {
            false => {
                "SELECT class, exit_code, signature, CAST(sum(stands) AS BIGINT) AS failed, count(*) AS attempts,
                   min(CASE WHEN stands = 1 THEN job_id END) AS example
                 FROM kept GROUP BY class, exit_code, signature HAVING sum(stands) > 0"
            }
            true => {
                "SELECT class, exit_code, signature, CAST(sum(stands) AS BIGINT) AS failed, count(*) AS attempts,
                   coalesce(min(CASE WHEN stands = 1 THEN job_id END), min(job_id)) AS example
                 FROM kept GROUP BY class, exit_code, signature"
            }
        }
    }

    /// The largest of them.
    fn largest(self) -> String {
        let size = if self.attempts { "attempts" } else { "failed" };
        format!("{} ORDER BY {size} DESC, class, exit_code, signature LIMIT {GROUPS}", self.grouped())
    }

    /// Failures that count.
    fn counted(self) -> &'static str {
        if self.attempts { "stands >= 0" } else { "stands = 1" }
    }
}

impl Store {
    /// A campaign's failures in groups: of tasks that are failed, or of all `attempts`.
    pub fn failure_report(&self, campaign: i64, attempts: bool) -> Result<FailureReport> {
        let told = Told { campaign, attempts };
        self.read(|connection| {
            let totals = format!(
                "{} SELECT count(*) AS groups, CAST(coalesce(sum(failed), 0) AS BIGINT) AS failed,
                   CAST(coalesce(sum(attempts), 0) AS BIGINT) AS attempts FROM ({}) AS grouped",
                told.kept(),
                told.grouped()
            );
            let totals: Vec<TotalColumns> = rows!(connection, totals);
            let groups: Vec<GroupColumns> = rows!(connection, format!("{} {}", told.kept(), told.largest()));
            let mut shares = shares(connection, told)?;
            let group = |found: GroupColumns| {
                let (clusters, hosts) = shares.remove(&found.same).unwrap_or_default();
                let GroupColumns { same, failed, attempts, example } = found;
                FailureGroup { same, failed, attempts, clusters, hosts, example }
            };
            let groups = groups.into_iter().map(group).collect();
            let report = FailureReport { groups, ..FailureReport::default() };
            Ok(totals.first().map_or(report.clone(), |all| FailureReport {
                all_groups: all.groups,
                failed: all.failed,
                attempts: all.attempts,
                ..report
            }))
        })
    }

    /// Tasks that failed so far, or some thousands of them, and as many that are done: the same for the same seed.
    pub fn failure_sample(&self, campaign: i64, attempts: bool, seed: u64) -> Result<FailureSample> {
        let told = Told { campaign, attempts };
        self.read(|connection| {
            let failed = failed(connection, told, seed)?;
            let known: HashSet<i64> = failed.iter().map(|row| row.task_index).collect();
            let indices: Vec<i64> = failed.iter().map(|row| row.task_index).collect();
            let texts = parameters::texts(connection, campaign, &indices)?;
            let done = done(connection, campaign, seed)?.into_iter().filter(|index| !known.contains(index));
            let done = parameters::texts(connection, campaign, &done.take(SAMPLE).collect::<Vec<_>>())?;
            Ok(FailureSample { failed: failed.into_iter().map(|row| row.same).zip(texts).collect(), done })
        })
    }
}

#[derive(QueryableByName)]
struct ClassColumns {
    #[diesel(sql_type = Text)]
    class: String,
    #[diesel(sql_type = BigInt)]
    failed: i64,
}

/// Tasks of a campaign that are failed, by the class of their failure, the most frequent first.
pub(crate) fn by_class(connection: &mut Database, campaign: i64) -> Result<Vec<(String, i64)>> {
    let query = format!(
        "{} SELECT class, count(*) AS failed FROM kept WHERE stands = 1 GROUP BY class ORDER BY failed DESC, class",
        Told { campaign, attempts: false }.kept()
    );
    let found: Vec<ClassColumns> = rows!(connection, query);
    Ok(found.into_iter().map(|row| (row.class, row.failed)).collect())
}

/// By cluster and by host.
type Shares = (Vec<(String, i64)>, Vec<(String, i64)>);

fn shares(connection: &mut Database, told: Told) -> Result<HashMap<Sameness, Shares>> {
    let query = format!(
        "{}, grouped AS ({})
         SELECT kept.class, kept.exit_code, kept.signature, kept.cluster, kept.node, count(*) AS number
         FROM kept JOIN grouped ON grouped.class = kept.class AND grouped.exit_code = kept.exit_code
           AND grouped.signature = kept.signature
         WHERE {} GROUP BY kept.class, kept.exit_code, kept.signature, kept.cluster, kept.node
         ORDER BY number DESC, kept.cluster, kept.node LIMIT {SHARES}",
        told.kept(),
        told.largest(),
        told.counted()
    );
    let found: Vec<ShareColumns> = rows!(connection, query);
    let mut all: HashMap<Sameness, Shares> = HashMap::new();
    for row in found {
        let (clusters, hosts) = all.entry(row.same).or_default();
        match clusters.iter_mut().find(|(name, _)| *name == row.cluster) {
            Some((_, number)) => *number += row.number,
            None => clusters.push((row.cluster, row.number)),
        }
        if !row.node.is_empty() {
            hosts.push((row.node, row.number));
        }
    }
    for (clusters, _) in all.values_mut() {
        clusters.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    }
    Ok(all)
}

/// Failed tasks, in the order of their indices. Which of many is decided by two congruences, one after the other.
fn failed(connection: &mut Database, told: Told, seed: u64) -> Result<Vec<TaskColumns>> {
    let query = format!(
        "{} SELECT class, exit_code, signature, task_index FROM kept WHERE {}
         ORDER BY ((task_index * 1103515245 + {}) % 2147483647) * 48271 % 2147483629, task_index, job_id LIMIT {SAMPLE}",
        told.kept(),
        told.counted(),
        seed % 1_000_003
    );
    let mut found: Vec<TaskColumns> = rows!(connection, query);
    found.sort_by_key(|row| row.task_index);
    Ok(found)
}

/// Indices of tasks that are done, among some that were tried.
fn done(connection: &mut Database, campaign: i64, seed: u64) -> Result<Vec<i64>> {
    let tried: i64 = progress::table.find(campaign).select(progress::next_index).first(connection)?;
    let chosen = explain::sample(tried.max(0) as u64, 2 * SAMPLE, seed);
    let chosen: Vec<i64> = chosen.into_iter().map(|index| index as i64).collect();
    let mut all = Vec::new();
    for some in chosen.chunks(LOOKUPS) {
        let found: Vec<i64> = job::table
            .filter(job::campaign_id.eq(campaign))
            .filter(job::task_index.eq_any(some.to_vec()))
            .filter(job::state.eq(JobState::Done.as_str()))
            .select(job::task_index)
            .order(job::task_index)
            .load(connection)?;
        all.extend(found);
    }
    all.dedup();
    // Not the first ones: parameters go with the index.
    let keep = explain::sample(all.len() as u64, SAMPLE, seed.wrapping_add(1));
    Ok(keep.into_iter().filter_map(|at| all.get(at as usize).copied()).collect())
}
