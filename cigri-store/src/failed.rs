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

/// A group's failures on one host, with what is known of the group, and of all groups.
#[derive(QueryableByName)]
struct ShareColumns {
    #[diesel(embed)]
    same: Sameness,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    attempts: i64,
    #[diesel(sql_type = BigInt)]
    example: i64,
    #[diesel(sql_type = BigInt)]
    all_groups: i64,
    #[diesel(sql_type = BigInt)]
    all_failed: i64,
    #[diesel(sql_type = BigInt)]
    all_attempts: i64,
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

    /// The column that groups are ordered by.
    fn size(self) -> &'static str {
        if self.attempts { "attempts" } else { "failed" }
    }

    /// One row for each host of the largest groups, the first one of each group before all others. The failures are read
    /// once.
    fn shares(self) -> String {
        let (kept, size) = (self.kept(), self.size());
        let having = if self.attempts { "" } else { "HAVING sum(failed) > 0" };
        format!(
            "{kept}, by_host AS MATERIALIZED (
               SELECT class, exit_code, signature, cluster, node, CAST(sum(stands) AS BIGINT) AS failed, count(*) AS attempts,
                 min(CASE WHEN stands = 1 THEN job_id END) AS standing, min(job_id) AS any_job
               FROM kept GROUP BY class, exit_code, signature, cluster, node),
             grouped AS (
               SELECT class, exit_code, signature, CAST(sum(failed) AS BIGINT) AS failed,
                 CAST(sum(attempts) AS BIGINT) AS attempts, coalesce(min(standing), min(any_job)) AS example
               FROM by_host GROUP BY class, exit_code, signature {having}),
             largest AS (
               SELECT grouped.*, count(*) OVER () AS all_groups, CAST(sum(failed) OVER () AS BIGINT) AS all_failed,
                 CAST(sum(attempts) OVER () AS BIGINT) AS all_attempts
               FROM grouped ORDER BY {size} DESC, class, exit_code, signature LIMIT {GROUPS}),
             shares AS (
               SELECT largest.*, by_host.cluster, by_host.node, by_host.{size} AS number, row_number() OVER (
                   PARTITION BY largest.class, largest.exit_code, largest.signature
                   ORDER BY by_host.{size} DESC, by_host.cluster, by_host.node) AS place
               FROM largest JOIN by_host ON by_host.class = largest.class AND by_host.exit_code = largest.exit_code
                 AND by_host.signature = largest.signature
               WHERE by_host.{size} > 0)
             SELECT * FROM shares
             ORDER BY CASE WHEN place = 1 THEN 0 ELSE 1 END, number DESC, cluster, node LIMIT {SHARES}"
        )
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
        let found: Vec<ShareColumns> = self.read(|connection| Ok(rows!(connection, told.shares())))?;
        let Some(one) = found.first() else { return Ok(FailureReport::default()) };
        let (all_groups, failed, attempts) = (one.all_groups, one.all_failed, one.all_attempts);
        Ok(FailureReport { all_groups, failed, attempts, groups: grouped(found, told) })
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

/// The groups, the largest first, of their failures on hosts, the most first.
fn grouped(found: Vec<ShareColumns>, told: Told) -> Vec<FailureGroup> {
    let mut all: HashMap<Sameness, FailureGroup> = HashMap::new();
    for row in found {
        let ShareColumns { same, failed, attempts, example, cluster, node, number, .. } = row;
        let new = |same| FailureGroup { same, failed, attempts, clusters: Vec::new(), hosts: Vec::new(), example };
        let group = all.entry(same.clone()).or_insert_with(|| new(same));
        add(&mut group.clusters, cluster, number);
        if !node.is_empty() {
            // Two clusters of one machine, or of one name, are one host.
            add(&mut group.hosts, node, number);
        }
    }
    let mut groups: Vec<FailureGroup> = all.into_values().collect();
    for group in &mut groups {
        for shares in [&mut group.clusters, &mut group.hosts] {
            shares.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        }
    }
    let size = |group: &FailureGroup| if told.attempts { group.attempts } else { group.failed };
    let order = |group: &FailureGroup| {
        let Sameness { class, exit_code, signature } = &group.same;
        (std::cmp::Reverse(size(group)), class.clone(), *exit_code, signature.clone())
    };
    groups.sort_by_cached_key(order);
    groups
}

fn add(shares: &mut Vec<(String, i64)>, name: String, number: i64) {
    match shares.iter_mut().find(|(known, _)| *known == name) {
        Some((_, count)) => *count += number,
        None => shares.push((name, number)),
    }
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
