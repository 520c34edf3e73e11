//! The clusters that a task failed on: it goes elsewhere while it can, and anywhere once it failed everywhere.
//!
//! Stored as a JSON list of names in order, so that equal sets are equal texts: SQL counts and picks tasks by the whole
//! text, whatever characters names have.

use std::collections::{BTreeSet, HashMap};

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Bool, Text};

use crate::connection::Database;
use crate::schema::{job, returned_task};
use crate::{Result, StoreError};

/// Names of clusters.
pub(crate) type FailedOn = BTreeSet<String>;

/// Reads a stored set.
pub(crate) fn parse(text: &str) -> Result<FailedOn> {
    serde_json::from_str(text).map_err(StoreError::corrupt)
}

/// The stored form of a set with one more cluster; none for the empty one.
pub(crate) fn with(stored: Option<&str>, cluster: Option<&str>) -> Result<Option<String>> {
    let Some(cluster) = cluster else { return Ok(stored.map(str::to_owned)) };
    let mut set = stored.map(parse).transpose()?.unwrap_or_default();
    set.insert(cluster.to_owned());
    Ok(Some(serde_json::to_string(&set).map_err(StoreError::corrupt)?))
}

/// Whether a task that failed on these should not be taken by one of them now: a cluster that is open is not among them.
pub(crate) fn bars<'a>(failed_on: &FailedOn, mut open_elsewhere: impl Iterator<Item = &'a str>) -> bool {
    open_elsewhere.any(|name| !failed_on.contains(name))
}

/// The stored sets of a campaign's tasks that `cluster` should not take now.
pub(crate) fn barred(
    connection: &mut Database,
    (campaign, cluster): (i64, &str),
    open_elsewhere: &[String],
) -> Result<Vec<String>> {
    if open_elsewhere.is_empty() {
        return Ok(Vec::new());
    }
    let texts: Vec<Option<String>> = returned_task::table
        .filter(returned_task::campaign_id.eq(campaign))
        .filter(returned_task::failed_on.is_not_null())
        .select(returned_task::failed_on)
        .distinct()
        .load(connection)?;
    let mut barred = Vec::new();
    for text in texts.into_iter().flatten() {
        let set = parse(&text)?;
        if set.contains(cluster) && bars(&set, open_elsewhere.iter().map(String::as_str)) {
            barred.push(text);
        }
    }
    Ok(barred)
}

/// Numbers of tasks of a campaign that failed on one cluster: by the other clusters that they failed on.
pub(crate) type Counts = Vec<(FailedOn, i64)>;

/// Those of each active campaign.
pub(crate) fn counts(connection: &mut Database, cluster: &str) -> Result<HashMap<i64, Counts>> {
    // The cluster's name as it stands in the lists: most of them need not be brought here to see that it is not there.
    let name = serde_json::to_string(cluster).map_err(StoreError::corrupt)?;
    let is_named = sql::<Bool>("replace(returned_task.failed_on, ").bind::<Text, _>(name);
    let found = returned_task::table
        .filter(returned_task::failed_on.is_not_null())
        .filter(is_named.sql(", '') <> returned_task.failed_on"))
        .filter(returned_task::campaign_id.eq_any(crate::campaign::active_ids()))
        .group_by((returned_task::campaign_id, returned_task::failed_on))
        .select((returned_task::campaign_id, returned_task::failed_on, diesel::dsl::count_star()))
        .load(connection)?;
    sort_out(found, cluster)
}

/// Those of one.
pub(crate) fn counts_of(connection: &mut Database, campaign: i64, cluster: &str) -> Result<Counts> {
    let found = returned_task::table
        .filter(returned_task::failed_on.is_not_null())
        .filter(returned_task::campaign_id.eq(campaign))
        .group_by((returned_task::campaign_id, returned_task::failed_on))
        .select((returned_task::campaign_id, returned_task::failed_on, diesel::dsl::count_star()))
        .load(connection)?;
    Ok(sort_out(found, cluster)?.remove(&campaign).unwrap_or_default())
}

/// These without those.
pub(crate) fn less(mut all: HashMap<i64, Counts>, without: HashMap<i64, Counts>) -> HashMap<i64, Counts> {
    for (campaign, counts) in without {
        let Some(known) = all.get_mut(&campaign) else { continue };
        for (set, count) in counts {
            known.iter_mut().filter(|(other, _)| *other == set).for_each(|(_, known)| *known -= count);
        }
    }
    all
}

pub(crate) fn sort_out(found: Vec<(i64, Option<String>, i64)>, cluster: &str) -> Result<HashMap<i64, Counts>> {
    let mut counts: HashMap<i64, Counts> = HashMap::new();
    for (campaign, text, count) in found {
        let mut set = text.as_deref().map(parse).transpose()?.unwrap_or_default();
        if set.remove(cluster) {
            counts.entry(campaign).or_default().push((set, count));
        }
    }
    Ok(counts)
}

/// What the tasks of these jobs had failed on when they were taken; those that had not are not there.
pub(crate) fn of_jobs(connection: &mut Database, ids: &[i64]) -> Result<HashMap<i64, String>> {
    let mut all = HashMap::new();
    for some in ids.chunks(crate::job::LOOKUPS) {
        let found: Vec<(i64, Option<String>)> = job::table
            .filter(job::id.eq_any(some.to_vec()))
            .filter(job::failed_on.is_not_null())
            .select((job::id, job::failed_on))
            .load(connection)?;
        all.extend(found.into_iter().filter_map(|(id, text)| Some((id, text?))));
    }
    Ok(all)
}

/// Keeps with each of these jobs what its task has failed on.
pub(crate) fn keep(connection: &mut Database, jobs: &[(i64, String)]) -> Result<()> {
    let mut by_text: HashMap<&str, Vec<i64>> = HashMap::new();
    for (id, text) in jobs {
        by_text.entry(text).or_default().push(*id);
    }
    for (text, ids) in by_text {
        for some in ids.chunks(crate::job::LOOKUPS) {
            diesel::update(job::table.filter(job::id.eq_any(some.to_vec())))
                .set(job::failed_on.eq(Some(text)))
                .execute(connection)?;
        }
    }
    Ok(())
}
