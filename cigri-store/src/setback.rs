//! How many of a campaign's last submissions to a cluster came to nothing, counted as they do.

use std::collections::HashMap;

use cigri_core::ledger;
use cigri_core::state::SubmissionState;
use diesel::prelude::*;

use crate::Result;
use crate::connection::Database;
use crate::schema::setback;
use crate::submission::SubmissionRow;

/// Submissions in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Setback {
    /// That were abandoned, and that nothing followed.
    pub(crate) abandoned: i64,
    /// That were abandoned, or whose gate got no answer.
    pub(crate) unanswered: i64,
    /// When the last of them was, epoch milliseconds.
    pub(crate) at: i64,
}

/// Those of a cluster, by campaign.
pub(crate) fn on(connection: &mut Database, cluster: &str) -> Result<HashMap<i64, Setback>> {
    let found: Vec<(i64, i64, i64, i64)> = setback::table
        .filter(setback::cluster.eq(cluster))
        .filter(setback::campaign_id.eq_any(crate::campaign::active_ids()))
        .select((setback::campaign_id, setback::abandoned, setback::unanswered, setback::at))
        .load(connection)?;
    let entry = |(campaign, abandoned, unanswered, at)| (campaign, Setback { abandoned, unanswered, at });
    Ok(found.into_iter().map(entry).collect())
}

/// A submission reached its cluster: what came before is over.
pub(crate) fn forget(connection: &mut Database, campaign: i64, cluster: &str) -> Result<()> {
    diesel::delete(setback::table.find((campaign, cluster))).execute(connection)?;
    Ok(())
}

/// A submission was settled without having run.
pub(crate) fn note(
    connection: &mut Database,
    row: &SubmissionRow,
    (to, reason): (SubmissionState, &str),
    now: i64,
) -> Result<()> {
    let before: Option<(i64, i64)> = setback::table
        .find((row.campaign_id, &row.cluster))
        .select((setback::abandoned, setback::unanswered))
        .first(connection)
        .optional()?;
    let (abandoned, unanswered) = before.unwrap_or_default();
    let after = match to {
        SubmissionState::Abandoned => (abandoned + 1, unanswered + 1),
        _ if reason.starts_with(ledger::GATE_LOST) => (0, unanswered + 1),
        _ => (0, 0),
    };
    forget(connection, row.campaign_id, &row.cluster)?;
    if after == (0, 0) {
        return Ok(());
    }
    diesel::insert_into(setback::table)
        .values((
            (setback::campaign_id.eq(row.campaign_id), setback::cluster.eq(&row.cluster), setback::at.eq(now)),
            (setback::abandoned.eq(after.0), setback::unanswered.eq(after.1)),
        ))
        .execute(connection)?;
    Ok(())
}
