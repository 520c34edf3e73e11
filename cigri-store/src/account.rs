//! Accounts: what campaigns had of clusters, by day. Charged in the transaction in which jobs end.

use std::collections::HashMap;

use cigri_core::language::ClusterSpec;
use cigri_core::state::JobState;
use cigri_core::usage::{self, Account, By, Ended, Outcome, Rate};
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Double;

use crate::connection::Database;
use crate::job::{JobEnd, LiveJob};
use crate::schema::{account, campaign};
use crate::specs::Specs;
use crate::submission::SubmissionRow;
use crate::{Result, Store, asked};

/// The cause of a success that its task did not need any more.
pub(crate) const DUPLICATE: &str = "duplicate_success";

/// That of a job of which nobody knows what it asked for: no account may stop a job from ending.
const UNKNOWN: Rate = Rate { cores: 1, is_told: false, walltime_ms: i64::MAX, side_by_side: 1 };

/// Which accounts to read. Days (UTC) are counted from the epoch, both ends included.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountFilter {
    /// From this day.
    pub from: Option<i64>,
    /// To this day.
    pub to: Option<i64>,
    /// Only this user's campaigns.
    pub owner: Option<String>,
    /// Only this campaign.
    pub campaign: Option<i64>,
    /// Only on this cluster.
    pub cluster: Option<String>,
}

/// What a campaign had of a cluster on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Campaign id.
    pub campaign_id: i64,
    /// Its owner's login.
    pub owner: String,
    /// Cluster name.
    pub cluster: String,
    /// The day (UTC), counted from the epoch.
    pub day: i64,
    /// What was charged.
    pub account: Account,
}

/// Accounts added up by something, which is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountSum {
    /// A user's login.
    pub owner: Option<String>,
    /// A campaign's id.
    pub campaign: Option<i64>,
    /// A cluster's name.
    pub cluster: Option<String>,
    /// A day (UTC), counted from the epoch.
    pub day: Option<i64>,
    /// What was charged.
    pub account: Account,
}

type Columns = (i64, i64, i64, i64, i64, i64, i64, i64, i64, i64);

macro_rules! columns {
    () => {
        (
            account::useful_ms,
            account::lost_ms,
            account::failed_ms,
            account::cancelled_ms,
            account::done,
            account::killed,
            account::failed,
            account::cancelled,
            account::guessed,
            account::untimed,
        )
    };
}
/// Charges what a look at a submission saw end: two statements a day at most, whatever the number of jobs.
pub(crate) fn charge_ends(
    connection: &mut Database,
    specs: &Specs,
    seen: &SubmissionRow,
    (ends, now): (&[JobEnd], i64),
) -> Result<()> {
    let ends: Vec<(&LiveJob, Ended)> =
        ends.iter().filter(|end| began(end)).map(|end| (&end.job, ended(end, now))).collect();
    charge(connection, specs, seen, ends)
}

/// Charges jobs that were given up together.
pub(crate) fn charge_lost(
    connection: &mut Database,
    specs: &Specs,
    seen: &SubmissionRow,
    (jobs, now): (&[LiveJob], i64),
) -> Result<()> {
    let lost = |job: &LiveJob| Ended {
        outcome: Outcome::Lost,
        ran: false,
        started_at: None,
        seen_at: job.started_at,
        stopped_at: now,
        sharing: 1,
    };
    charge(connection, specs, seen, jobs.iter().map(|job| (job, lost(job))).collect())
}

/// What never had its turn, alone or in its group, had nothing.
fn began(end: &JobEnd) -> bool {
    !["not_started", "withdrawn"].contains(&end.cause.as_str())
}

fn ended(end: &JobEnd, now: i64) -> Ended {
    let outcome = match end.state {
        JobState::Done => Outcome::Useful,
        JobState::Cancelled => Outcome::Cancelled,
        JobState::Killed if end.killed || end.cause == DUPLICATE => Outcome::Lost,
        // Its program ended without a result, and its task comes back.
        _ => Outcome::Failed,
    };
    Ended {
        outcome,
        ran: matches!(end.state, JobState::Done | JobState::Failed),
        started_at: end.started_at,
        seen_at: end.job.started_at,
        stopped_at: end.stopped_at.unwrap_or(now),
        sharing: 1,
    }
}

fn charge(
    connection: &mut Database,
    specs: &Specs,
    seen: &SubmissionRow,
    mut ended: Vec<(&LiveJob, Ended)>,
) -> Result<()> {
    let Some(generation) = ended.first().map(|(job, _)| job.generation) else { return Ok(()) };
    let most = share(&mut ended);
    let spec = spec_of(connection, specs, (seen.campaign_id, &seen.cluster), (seen.level, generation))?;
    let rate = spec.map_or(UNKNOWN, |spec| match seen.results {
        None => Rate::of(&spec, seen.role),
        Some(_) => Rate::of_grouped(&spec, most),
    });
    let days = usage::by_day(ended.into_iter().map(|(_, ended)| ended), rate);
    days.iter().try_for_each(|(day, more)| add(connection, (seen.campaign_id, &seen.cluster, *day), more))
}

/// What the jobs of a submission asked for, all of them alike: what the campaign's file says, or what a user asked for in
/// its place when they retried its tasks, raised to the submission's level.
pub(crate) fn spec_of(
    connection: &mut Database,
    specs: &Specs,
    (campaign, cluster): (i64, &str),
    (level, generation): (u32, i32),
) -> Result<Option<ClusterSpec>> {
    let found = specs.of(connection, &[campaign])?;
    let Some(spec) = found.get(&campaign).and_then(|spec| spec.clusters.get(cluster)) else { return Ok(None) };
    // No task of the first generation was retried.
    let own = match generation > 1 {
        true => asked::of_generation(&asked::spans(connection, campaign)?, generation).apply(spec, None),
        false => spec.clone(),
    };
    Ok(Some(own.at_level(level, None)))
}

/// Counts the tasks of a remote job that are known by the same times; how many tasks a remote job had at most.
fn share(ended: &mut [(&LiveJob, Ended)]) -> u64 {
    let known_by = |job: &LiveJob, times: &Ended| {
        Some((job.remote_id?, times.started_at.or(times.seen_at)?, times.started_at.is_some(), times.stopped_at))
    };
    let (mut alike, mut tasks): (HashMap<_, i64>, HashMap<i64, u64>) = Default::default();
    for (job, times) in ended.iter() {
        *alike.entry(known_by(job, times)).or_default() += 1;
        job.remote_id.into_iter().for_each(|id| *tasks.entry(id).or_default() += 1);
    }
    for (job, times) in ended.iter_mut() {
        let key = known_by(job, times);
        times.sharing = alike.get(&key).copied().filter(|_| key.is_some()).unwrap_or(1);
    }
    tasks.into_values().max().unwrap_or(1)
}

fn add(connection: &mut Database, (campaign, cluster, day): (i64, &str, i64), more: &Account) -> Result<()> {
    let known: Option<Columns> =
        account::table.find((campaign, cluster, day)).select(columns!()).first(connection).optional()?;
    let sum = known.map(of).unwrap_or_default().and(*more);
    let time = (
        account::useful_ms.eq(sum.useful_ms),
        account::lost_ms.eq(sum.lost_ms),
        account::failed_ms.eq(sum.failed_ms),
        account::cancelled_ms.eq(sum.cancelled_ms),
    );
    let jobs = (
        account::done.eq(sum.done),
        account::killed.eq(sum.killed),
        account::failed.eq(sum.failed),
        account::cancelled.eq(sum.cancelled),
        account::guessed.eq(sum.guessed),
        account::untimed.eq(sum.untimed),
    );
    if known.is_some() {
        diesel::update(account::table.find((campaign, cluster, day))).set((time, jobs)).execute(connection)?;
    } else {
        let key = (account::campaign_id.eq(campaign), account::cluster.eq(cluster), account::day.eq(day));
        diesel::insert_into(account::table).values((key, time, jobs)).execute(connection)?;
    }
    Ok(())
}

fn of(columns: Columns) -> Account {
    let (useful_ms, lost_ms, failed_ms, cancelled_ms, done, killed, failed, cancelled, guessed, untimed) = columns;
    Account { useful_ms, lost_ms, failed_ms, cancelled_ms, done, killed, failed, cancelled, guessed, untimed }
}

/// Leaves out what a filter does not want, of a boxed query.
macro_rules! wanted {
    ($query:expr, $filter:expr) => {{
        let (mut query, filter) = ($query.into_boxed(), $filter);
        if let Some(from) = filter.from {
            query = query.filter(account::day.ge(from));
        }
        if let Some(to) = filter.to {
            query = query.filter(account::day.le(to));
        }
        if let Some(owner) = &filter.owner {
            query = query.filter(campaign::owner.eq(owner.clone()));
        }
        if let Some(campaign) = filter.campaign {
            query = query.filter(account::campaign_id.eq(campaign));
        }
        if let Some(cluster) = &filter.cluster {
            query = query.filter(account::cluster.eq(cluster.clone()));
        }
        query
    }};
}

/// Accounts added up by some columns: these, and the sums.
macro_rules! sums {
    ($connection:expr, $filter:expr, $by:expr) => {{
        let query = account::table.inner_join(campaign::table.on(campaign::id.eq(account::campaign_id)));
        wanted!(query.group_by($by).select(($by, sums())).order($by), $filter).load($connection)?
    }};
}

type Sum = diesel::expression::SqlLiteral<Double>;
type Sums = (Sum, Sum, Sum, Sum, Sum, Sum, Sum, Sum, Sum, Sum);
type Summed = (f64, f64, f64, f64, f64, f64, f64, f64, f64, f64);

/// In the order of `columns!`. A sum of integers may be beyond them.
fn sums() -> Sums {
    let sum = |column: &str| sql::<Double>(&format!("SUM(CAST(account.{column} AS DOUBLE PRECISION))"));
    let (useful, lost, failed, cancelled) = (sum("useful_ms"), sum("lost_ms"), sum("failed_ms"), sum("cancelled_ms"));
    let jobs = (sum("done"), sum("killed"), sum("failed"), sum("cancelled"), sum("guessed"), sum("untimed"));
    (useful, lost, failed, cancelled, jobs.0, jobs.1, jobs.2, jobs.3, jobs.4, jobs.5)
}

/// A float above all numbers becomes the largest one.
fn summed(sums: Summed) -> Account {
    let whole = |sum: f64| sum.round() as i64;
    Account {
        useful_ms: whole(sums.0),
        lost_ms: whole(sums.1),
        failed_ms: whole(sums.2),
        cancelled_ms: whole(sums.3),
        done: whole(sums.4),
        killed: whole(sums.5),
        failed: whole(sums.6),
        cancelled: whole(sums.7),
        guessed: whole(sums.8),
        untimed: whole(sums.9),
    }
}

impl Store {
    /// Accounts added up by users, campaigns (with their owners), clusters or days, in their order.
    pub fn account_sums(&self, filter: &AccountFilter, by: By) -> Result<Vec<AccountSum>> {
        let sum = |account| AccountSum { account: summed(account), ..AccountSum::default() };
        self.read(|connection| {
            Ok(match by {
                By::User => {
                    let rows: Vec<(String, Summed)> = sums!(connection, filter, campaign::owner);
                    rows.into_iter().map(|(owner, rest)| AccountSum { owner: Some(owner), ..sum(rest) }).collect()
                }
                By::Campaign => {
                    let rows: Vec<((i64, String), Summed)> = sums!(connection, filter, (campaign::id, campaign::owner));
                    let row = |((id, owner), rest)| AccountSum { campaign: Some(id), owner: Some(owner), ..sum(rest) };
                    rows.into_iter().map(row).collect()
                }
                By::Cluster => {
                    let rows: Vec<(String, Summed)> = sums!(connection, filter, account::cluster);
                    rows.into_iter().map(|(name, rest)| AccountSum { cluster: Some(name), ..sum(rest) }).collect()
                }
                By::Day => {
                    let rows: Vec<(i64, Summed)> = sums!(connection, filter, account::day);
                    rows.into_iter().map(|(day, rest)| AccountSum { day: Some(day), ..sum(rest) }).collect()
                }
            })
        })
    }

    /// Accounts, by campaign, cluster and day.
    pub fn accounts(&self, filter: &AccountFilter) -> Result<Vec<AccountRow>> {
        let query = account::table
            .inner_join(campaign::table.on(campaign::id.eq(account::campaign_id)))
            .order((account::campaign_id, account::cluster, account::day))
            .select((account::campaign_id, campaign::owner, account::cluster, account::day, columns!()));
        let query = wanted!(query, filter);
        let found: Vec<(i64, String, String, i64, Columns)> = self.read(|connection| Ok(query.load(connection)?))?;
        let row = |(campaign_id, owner, cluster, day, columns)| AccountRow {
            campaign_id,
            owner,
            cluster,
            day,
            account: of(columns),
        };
        Ok(found.into_iter().map(row).collect())
    }
}

/// Names of campaigns by id.
pub type CampaignNames = HashMap<i64, String>;

impl Store {
    /// The names of these campaigns.
    pub fn campaign_names(&self, mut ids: Vec<i64>) -> Result<CampaignNames> {
        ids.sort_unstable();
        ids.dedup();
        self.read(|connection| {
            let specs = self.specs.of(connection, &ids)?;
            Ok(specs.into_iter().map(|(id, spec)| (id, spec.name.clone())).collect())
        })
    }
}
