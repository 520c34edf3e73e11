//! What rounds remember of grouped tasks: how long they take, and where their runner is installed.

use std::collections::HashMap;

use cigri_core::group::Pace;
use diesel::prelude::*;

use crate::connection::Database;
use crate::schema::{pace, runner};
use crate::{Result, Store};

/// A runner that was found missing so often is carried along for good: it cannot be installed there.
const MOST_MISSES: i64 = 2;

impl Store {
    /// Whether this runner was seen to be installed for a login on a cluster.
    pub fn has_runner(&self, login: &str, cluster: &str, name: &str) -> Result<bool> {
        self.read(|connection| {
            let found = known(connection, login, cluster)?;
            Ok(found.is_some_and(|(known, misses)| known.as_deref() == Some(name) && misses < MOST_MISSES))
        })
    }

    /// Notes that this runner works for a login on a cluster, or that it is missing there. What is known is not written
    /// again, even of a runner that is carried: groups tell it all the time.
    pub fn note_runner(&self, login: &str, cluster: &str, name: &str, works: bool) -> Result<()> {
        let (known, misses) = self.read(|connection| known(connection, login, cluster))?.unwrap_or_default();
        if works && known.as_deref() == Some(name) {
            return Ok(());
        }
        self.write(|connection| {
            let misses = misses + i64::from(!works);
            diesel::delete(runner::table.find((login, cluster))).execute(connection)?;
            diesel::insert_into(runner::table)
                .values((
                    (runner::login.eq(login), runner::cluster.eq(cluster)),
                    (runner::name.eq(works.then_some(name)), runner::misses.eq(misses)),
                ))
                .execute(connection)?;
            Ok(())
        })
    }
}

/// Name of the runner that works for a login on a cluster, and how often one was missing there.
fn known(connection: &mut Database, login: &str, cluster: &str) -> Result<Option<(Option<String>, i64)>> {
    let columns = (runner::name, runner::misses);
    Ok(runner::table.find((login, cluster)).select(columns).first(connection).optional()?)
}

/// What was seen of a campaign's grouped tasks on a cluster.
pub(crate) fn pace_of(connection: &mut Database, campaign: i64, cluster: &str) -> Result<Pace> {
    let columns = (pace::tasks, pace::busy_ms, pace::jobs, pace::job_ms, pace::kills);
    let found: Option<Columns> = pace::table.find((campaign, cluster)).select(columns).first(connection).optional()?;
    Ok(found.map(seen).unwrap_or_default())
}

/// The same of all active campaigns that have any.
pub(crate) fn paces(connection: &mut Database, cluster: &str) -> Result<HashMap<i64, Pace>> {
    let found: Vec<(i64, Columns)> = pace::table
        .filter(pace::cluster.eq(cluster))
        .filter(pace::campaign_id.eq_any(crate::campaign::active_ids()))
        .select((pace::campaign_id, (pace::tasks, pace::busy_ms, pace::jobs, pace::job_ms, pace::kills)))
        .load(connection)?;
    Ok(found.into_iter().map(|(campaign, columns)| (campaign, seen(columns))).collect())
}

/// Tasks, their milliseconds, jobs, theirs, kills.
type Columns = (i64, i64, i64, i64, i64);

fn seen((tasks, busy_ms, jobs, job_ms, kills): Columns) -> Pace {
    let [tasks, busy_ms, jobs, job_ms, kills] =
        [tasks, busy_ms, jobs, job_ms, kills].map(|number| number.max(0) as u64);
    Pace { tasks, busy_ms, jobs, job_ms, kills }
}

/// Adds what a look saw.
pub(crate) fn add_pace(connection: &mut Database, (campaign, cluster): (i64, &str), seen: Pace) -> Result<()> {
    if seen == Pace::default() {
        return Ok(());
    }
    let sum = pace_of(connection, campaign, cluster)?.and(seen);
    let [tasks, busy_ms, jobs, job_ms, kills] =
        [sum.tasks, sum.busy_ms, sum.jobs, sum.job_ms, sum.kills].map(|number| number as i64);
    diesel::delete(pace::table.find((campaign, cluster))).execute(connection)?;
    diesel::insert_into(pace::table)
        .values((
            (pace::campaign_id.eq(campaign), pace::cluster.eq(cluster), pace::tasks.eq(tasks)),
            (pace::busy_ms.eq(busy_ms), pace::jobs.eq(jobs), pace::job_ms.eq(job_ms), pace::kills.eq(kills)),
        ))
        .execute(connection)?;
    Ok(())
}
